internal import Files
internal import Glibc
internal import StoreLayout

/// Finds whole files for damaged ones, in other store paths and elsewhere, and makes them again where there are none.
final class ContentSupply {
    // A class: it remembers what it has made.

    /// A whole file.
    private struct Whole {
        /// Its path in the root; in a dry run perhaps of one that is to be made.
        let path: Bytes
        /// Where its contents come from.
        let origin: String
    }

    private let root: Descriptor
    private let sources: [any RepairSource]
    private let isDryRun: Bool
    /// Where new files are made, before they have their names.
    private let area: Descriptor
    /// Store paths that may have the same contents.
    var owners: [String] = []
    /// The files of store paths, as far as they were asked for.
    private var listed: [String: ListedFiles] = [:]
    private var wholes: [ObjectKey: Whole] = [:]
    private var lost: Set<ObjectKey> = []
    private var made = 0
    /// Why sources were of no use, by their names.
    private(set) var failures: [String: String] = [:]
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)

    init(root: Descriptor, area: Descriptor, sources: [any RepairSource], isDryRun: Bool) {
        (self.root, self.area, self.sources, self.isDryRun) = (root, area, sources, isDryRun)
    }

    deinit { buffer.deallocate() }

    /// Gives a damaged or missing file of a tree its contents back: by a link to a whole file that is the same object, which
    /// takes its place, or by a new file.
    ///
    /// - Parameters:
    ///   - entry: The file, as it is listed.
    ///   - directory: The directory it belongs in, which may be written to.
    ///   - baseName: The store path.
    /// - Returns: Where the contents come from; `nil` where nobody has them.
    func supply(
        _ entry: ListedEntry, to directory: Descriptor, of baseName: String
    ) throws -> String? {
        guard case .file(let size, let digest) = entry.kind else { return nil }
        let key = ObjectKey(digest: digest, mode: entry.mode, attributes: entry.attributes)
        guard size > 0 else {
            // Never shared.
            guard !isDryRun else { return "nothing: it is empty" }
            let (name, file) = try newFile()
            try finish(file, entry)
            try place(name, in: directory, as: entry.path.name)
            return "nothing: it is empty"
        }
        let path = Self.path(of: entry, in: baseName)
        if let whole = try whole(key, size: size, entry, of: baseName) {
            guard !isDryRun else { return whole.origin }
            made += 1
            let name = "link-\(made)"
            do {
                try root.link(whole.path, to: area, as: name)
            } catch let error as SystemError where error.code == EMLINK {
                // It has all the names it can have.
                let file = try area.open(beneath: name, flags: O_RDWR | O_CREAT | O_EXCL)
                try file.copyContents(of: root.open(beneath: whole.path))
                try finish(file, entry)
                try file.synchronize()
            }
            try place(name, in: directory, as: entry.path.name)
            return whole.origin
        }
        guard !lost.contains(key) else { return nil }
        guard let (name, origin) = try newContents(key, size, of: baseName) else {
            lost.insert(key)
            return nil
        }
        if let name {
            let file = try area.open(beneath: name, flags: O_RDWR)
            try finish(file, entry)
            try keepLabel(of: path, file)
            // It takes the place of a file whose successor has to be whole, whenever the power goes.
            try file.synchronize()
            try place(name, in: directory, as: entry.path.name)
        }
        wholes[key] = Whole(path: path, origin: origin)
        return origin
    }

    private static func path(of entry: ListedEntry, in baseName: String) -> Bytes {
        Bytes((StoreLayout.Name.store + "/" + baseName + "/").utf8) + entry.path.bytes
    }

    private func place(_ name: String, in directory: Descriptor, as newName: Bytes) throws {
        try area.rename(name, to: directory, as: newName)
        // Renaming a file over another name of itself does nothing, and leaves the name.
        try area.unlink(name)
    }

    /// A whole file that is the same object; `nil` where there is none.
    private func whole(
        _ key: ObjectKey, size: Int, _ entry: ListedEntry, of baseName: String
    ) throws -> Whole? {
        if let known = wholes[key] { return known }
        guard !lost.contains(key) else { return nil }
        // Damaged ones share an inode, many perhaps.
        var read: Set<Inode> = []
        for owner in [baseName] + owners {
            let found = try files(of: owner)?.first(with: key.digest) { other -> Whole? in
                let path = Self.path(of: other, in: owner)
                guard other.objectKey == key, let file = try? root.open(beneath: path),
                    case let status = try file.status(), read.insert(Inode(status)).inserted,
                    try isWhole(file, size, key.digest)
                else { return nil }
                // Its permissions may be wrong, still.
                if !isDryRun, status.st_mode & 0o7777 != mode_t(entry.mode) {
                    try file.setMode(UInt32(entry.mode))
                }
                return Whole(path: path, origin: path.displayed)
            }
            if let found {
                wholes[key] = found
                return found
            }
        }
        return nil
    }

    /// The files of a store path of this store; `nil` where its listing cannot be read.
    private func files(of baseName: String) throws -> ListedFiles? {
        if let known = listed[baseName] { return known }
        guard let manifest = try? root.directory(beneath: StoreLayout.Name.manifests + "/" + baseName),
            let text = try? ListingFiles.text(in: manifest, spilling: area)
        else { return nil }
        let files = try ListedFiles(text)
        listed[baseName] = files
        return files
    }

    /// A new file with certain contents, and where they come from; without a name in a dry run.
    private func newContents(
        _ key: ObjectKey, _ size: Int, of baseName: String
    ) throws -> (name: String?, origin: String)? {
        for owner in [baseName] + owners {
            // With other permissions or attributes it is another object.
            let found = try files(of: owner)?.first(with: key.digest) { other -> (String?, String)? in
                let path = Self.path(of: other, in: owner)
                guard other.objectKey != key, let file = try? root.open(beneath: path) else { return nil }
                let (isWhole, name) = try copy(file, size, key.digest)
                return isWhole ? (name, path.displayed) : nil
            }
            if let found { return found }
        }
        for source in sources {
            // Whoever has the same file damaged may have come from an image that is still there.
            for owner in [baseName] + owners where failures[source.name] == nil {
                do {
                    guard let file = try source.content(key.digest, of: owner) else { continue }
                    let (isWhole, name) = try copy(file, size, key.digest)
                    if isWhole { return (name, source.origin(of: owner)) }
                } catch {
                    try fail(source, error)
                }
            }
        }
        return nil
    }

    /// A file of the manifest of a store path that passes a check, and where it comes from.
    func manifestFile(
        _ name: String, of baseName: String, _ check: (Bytes) throws -> Bytes?
    ) throws -> (Bytes, origin: String)? {
        for source in sources where failures[source.name] == nil {
            do {
                if let text = try source.manifestFile(name, of: baseName), let checked = try check(text) {
                    return (checked, source.origin(of: baseName))
                }
            } catch {
                try fail(source, error)
            }
        }
        return nil
    }

    /// Notes why a source is of no use; the others may be.
    private func fail(_ source: any RepairSource, _ error: any Error) throws {
        if let error = error as? SystemError, error.endsOthers(in: root.path) { throw error }
        failures[source.name] = String("\(error)".prefix { $0 != "\n" })
    }

    /// Copies a file, if its contents are those that are wanted; gives the copy's name but in a dry run.
    private func copy(
        _ source: Descriptor, _ size: Int, _ digest: Digest
    ) throws -> (isWhole: Bool, name: String?) {
        // Its owner may change it meanwhile: what was written is what counts.
        guard try Int(source.status().st_size) == size else { return (false, nil) }
        guard !isDryRun else { return (try isWhole(source, size, digest), nil) }
        let (name, file) = try newFile()
        var hasher = Hasher256()
        var offset = 0
        while case let count = try source.read(into: buffer, at: offset), count > 0 {
            let part = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            hasher.update(part)
            try file.write(part)
            offset += count
        }
        guard hasher.finalize() == digest else {
            try area.unlink(name)
            return (false, nil)
        }
        return (true, name)
    }

    private func newFile() throws -> (String, Descriptor) {
        made += 1
        let name = "file-\(made)"
        return (name, try area.open(beneath: name, flags: O_RDWR | O_CREAT | O_EXCL))
    }

    private func finish(_ file: Descriptor, _ entry: ListedEntry) throws {
        for attribute in entry.attributes { try file.setAttribute(attribute) }
        try file.setMode(UInt32(entry.mode))
        try file.setTimes(StoreLayout.modificationTime)
    }

    /// Gives a new file the label of the one whose place it takes.
    private func keepLabel(of path: Bytes, _ file: Descriptor) throws {
        guard let old = try? root.open(beneath: path) else { return }
        for attribute in try old.attributes() where attribute.name == ExtendedAttribute.labelName {
            try file.setAttribute(attribute)
        }
    }

    private func isWhole(_ file: Descriptor, _ size: Int, _ digest: Digest) throws -> Bool {
        guard try Int(file.status().st_size) == size else { return false }
        var hasher = Hasher256()
        var offset = 0
        do {
            while case let count = try file.read(into: buffer, at: offset), count > 0 {
                hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                offset += count
            }
        } catch is SystemError {
            // The device cannot read it.
            return false
        }
        return hasher.finalize() == digest
    }
}
