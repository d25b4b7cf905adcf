internal import Files
private import Glibc
public import StoreLayout

/// Moving extensions out of systemd's directories, and back, one entry at a time.
///
/// An extension that is merged keeps its inode: nothing is copied. Whoever looks finds, at every moment, what was at an
/// entry's path or what is to be there.
public struct HostAdoption {
    /// The host.
    public let host: Host

    /// Creates an adoption on a host.
    public init(_ host: Host) {
        self.host = host
    }

    // MARK: - The record

    /// The record of what was moved; `nil` where there is none.
    public func record() throws -> AdoptionRecord? {
        guard let text = try host.contents(AdoptionLayout.record) else { return nil }
        guard let record = AdoptionRecord(parsing: text) else {
            throw AdoptionError.damagedRecord(host.outside(AdoptionLayout.record))
        }
        return record
    }

    /// Writes the record, or removes it.
    public func write(_ record: AdoptionRecord?) throws {
        let setup = HostSetup(host)
        let root = try parent(of: AdoptionLayout.record)
        if let record {
            try setup.make(HostItem(path: AdoptionLayout.record, kind: .file(record.text)))
        } else {
            // The record last: until then the next undo goes on.
            for directory in [StoreLayout.Name.extensions, StoreLayout.Name.quarantine]
            where try root.status(of: directory) != nil && root.directory(beneath: directory).list().isEmpty {
                try root.removeDirectory(directory)
            }
            try root.unlink(HostSetup.unfinished + StoreLayout.Name.adopted)
            try root.unlink(StoreLayout.Name.adopted)
        }
        try root.synchronize()
    }

    // MARK: - Where to

    /// Where an entry goes: below the root, or beside its place where that is another file system.
    ///
    /// - Parameters:
    ///   - path: The entry's path.
    ///   - image: What is to be found there; for a link, the path of the image.
    ///   - directory: The directory below the root.
    ///   - name: The name in it.
    /// - Returns: `nil` for a link whose image is on another file system: it is used where it is.
    public func place(of path: String, image: String, in directory: String, name: String) throws -> String? {
        guard let status = try host.status(image) else { return nil }
        let isEntry = path == image
        // A subvolume has a device number of its own, and can be moved nowhere but in its directory.
        let isNear =
            try host.canMove(between: Host.parent(of: image), and: StoreLayout.systemRoot)
            && status.st_dev == host.status(Host.parent(of: image))?.st_dev
        guard isNear || isEntry else { return nil }
        let parent = isNear ? directory : Host.parent(of: path)
        let base = isNear ? name : AdoptionLayout.asidePrefix + Host.name(of: path)
        var number = 0
        while true {
            let candidate = parent + "/" + base + (number == 0 ? "" : ".\(number)")
            let there = try host.status(candidate)
            // A link is what an interrupted run left; the same file has its name already.
            if there == nil || there?.st_mode.isLink == true
                || there?.st_ino == status.st_ino && there?.st_dev == status.st_dev
            {
                return candidate
            }
            number += 1
        }
    }

    // MARK: - There

    /// Makes what a generation's links are to lead to, as far as that changes nothing in systemd's directories.
    public func prepare(_ entry: AdoptionRecord.Entry, image: String) throws {
        if entry.fate == .quarantined { try makeDirectory(AdoptionLayout.quarantine) }
        guard let original = entry.original else { return }
        if original.hasPrefix(AdoptionLayout.originals + "/") { try makeDirectory(AdoptionLayout.originals) }
        let isReplaced = entry.link == Host.name(of: entry.path)
        guard entry.fate == .kept, entry.kind == .link || entry.kind == .file && isReplaced,
            try host.status(original) == nil
        else { return }
        let (from, to) = (try parent(of: image), try parent(of: original))
        try from.link(Host.name(of: image), to: to, as: Host.name(of: original))
        try to.synchronize()
    }

    /// The path of the text that says why an extension is in quarantine.
    public static func reasonPath(of entry: AdoptionRecord.Entry) -> String {
        let below = AdoptionLayout.quarantine + "/"
        // Those on another file system, and links, have no name there; of two with one name, one has another.
        let name = entry.original.flatMap { $0.hasPrefix(below) ? Host.name(of: $0) : nil }
        return below + (name ?? Host.name(of: entry.path)) + AdoptionLayout.reasonSuffix
    }

    /// Writes why an extension is in quarantine.
    public func write(reason: String, for entry: AdoptionRecord.Entry) throws {
        try makeDirectory(AdoptionLayout.quarantine)
        try HostSetup(host).make(
            HostItem(path: Self.reasonPath(of: entry), kind: .file(Array((reason + "\n").utf8))))
    }

    /// Moves an entry; one that was moved already is fine.
    public func move(_ entry: AdoptionRecord.Entry) throws {
        let directory = try parent(of: entry.path)
        let name = Host.name(of: entry.path)
        if let link = entry.link, link != name {
            // A directory of versions: the link has another name, and comes first.
            try placeLink(link, in: directory)
        }
        guard let status = try directory.status(of: name), !(try isOurs(entry)) else { return }
        switch entry.kind {
        case .link:
            guard try host.link(entry.path) == entry.target else { return }
            if entry.link == name { try placeLink(name, in: directory) } else { try directory.unlink(name) }
        case .file where entry.link == name: try placeLink(name, in: directory)
        case .file, .directory:
            guard let original = entry.original, status.st_mode.isLink == false else { return }
            let (place, newName) = (try parent(of: original), Host.name(of: original))
            if try place.status(of: newName)?.st_mode.isLink == true { try place.unlink(newName) }
            if entry.link == name {
                try exchange(name, in: directory, with: newName, in: place)
            } else {
                try directory.rename(name, to: place, asNew: newName)
            }
            try place.synchronize()
        }
        try directory.synchronize()
    }

    /// Makes the link of a kept entry again where it is missing.
    ///
    /// - Returns: Its path; `nil` where it is there, or something else is.
    public func mend(_ entry: AdoptionRecord.Entry) throws -> String? {
        guard let link = entry.link else { return nil }
        let directory = Host.parent(of: entry.path)
        guard try host.status(directory + "/" + link) == nil else { return nil }
        let place = try parent(of: entry.path)
        try placeLink(link, in: place)
        try place.synchronize()
        return directory + "/" + link
    }

    /// Makes, or puts in the place of what is there, the link to what the active generation has.
    func placeLink(_ name: String, to target: String? = nil, in directory: Descriptor) throws {
        let temporary = AdoptionLayout.unfinishedPrefix + name
        try directory.unlink(temporary)
        try directory.makeSymlink(temporary, target: (target ?? AdoptionLayout.current(name)).utf8)
        try directory.rename(temporary, to: directory, as: name)
    }

    /// Moves a directory away and leaves a link, in one step where the file system can.
    private func exchange(
        _ name: String, in directory: Descriptor, with newName: String, in place: Descriptor
    ) throws {
        try place.makeSymlink(newName, target: AdoptionLayout.current(name).utf8)
        do {
            try directory.exchange(name, with: newName, in: place)
        } catch let error as SystemError where [EINVAL, ENOSYS].contains(error.code) {
            try place.unlink(newName)
            try directory.rename(name, to: place, asNew: newName)
            try placeLink(name, in: directory)
        } catch {
            try? place.unlink(newName)
            throw error
        }
    }

    // MARK: - What is there

    /// Whether the link that stands for an entry is in its place.
    public func isOurs(_ entry: AdoptionRecord.Entry, link: String? = nil) throws -> Bool {
        let name = link ?? Host.name(of: entry.path)
        return try host.link(Host.parent(of: entry.path) + "/" + name) == AdoptionLayout.current(name)
    }

    func makeDirectory(_ path: String) throws {
        guard try host.directory(path) == nil else { return }
        let directory = try parent(of: path)
        try directory.makeDirectory(Host.name(of: path))
        try directory.directory(beneath: Host.name(of: path)).setMode(0o755)
        try directory.synchronize()
    }

    func parent(of path: String) throws -> Descriptor {
        let parent = Host.parent(of: path)
        guard let directory = try host.directory(parent) else {
            throw SystemError("open directory", host.outside(parent), code: ENOTDIR)
        }
        return directory
    }
}

extension mode_t {
    /// Whether it is that of a symbolic link.
    var isLink: Bool { self & S_IFMT == S_IFLNK }
}
