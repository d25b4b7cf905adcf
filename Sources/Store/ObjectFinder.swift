internal import Files
internal import Glibc
internal import StoreLayout

/// Finds files of the store that are an object: what an import brings and the store has is linked, not written.
///
/// What it finds may be gone the next moment, when its store path is collected.
public final class ObjectFinder: @unchecked Sendable {
    // A class: threads share it. What changes is guarded by the monitor.

    /// Bytes of listings that are kept for the next question, and how many of them.
    private static let keptSize = 16 << 20
    private static let keptCount = 64

    /// What is known of a store path.
    private struct Known {
        let row: Int
        let baseName: String
        let files: ListedFiles?
    }

    private let root: Descriptor
    /// The store paths, from where what is found is linked.
    let trees: Descriptor
    private let manifests: Descriptor
    private let table: ObjectTable
    private let indexPath: String
    private let monitor = Monitor()
    /// The index, once something was found: the store's own connection is another thread's.
    private var index: Database?
    /// Those that were asked for last, the latest at the end.
    private var known: [Known] = []

    /// - Returns: `nil` where the store has nothing yet.
    init?(in root: Descriptor) throws {
        guard let table = ObjectTable(in: root), !table.isEmpty else { return nil }
        (self.root, self.table) = (root, table)
        trees = try root.directory(beneath: StoreLayout.Name.store)
        manifests = try root.directory(beneath: StoreLayout.Name.manifests)
        indexPath = root.path + "/" + StoreLayout.Name.index
    }

    /// The path of a file that is an object, in ``trees``; `nil` where the store has none, or none that can be reached.
    func path(of key: ObjectKey) throws -> Bytes? {
        guard let row = try table.row(of: key.fingerprint) else { return nil }
        return try monitor.withLock {
            guard let known = try look(at: row) else { return nil }
            return try known.files?.first(with: key.digest) { entry in
                entry.objectKey == key ? known.baseName.utf8 + [UInt8(ascii: "/")] + entry.path.bytes : nil
            }
        }
    }

    /// Gives a file that is an object another name.
    ///
    /// - Returns: Whether there is one, and it is as it was registered by all that is known without reading it.
    /// - Throws: `SystemError`, with `EEXIST` where the new name is taken.
    func link(_ key: ObjectKey, size: Int, to directory: Descriptor, as name: Bytes) throws -> Bool {
        guard let path = try path(of: key) else { return false }
        do {
            try trees.link(path, to: directory, as: name)
        } catch let error as SystemError
            where [ENOENT, ENOTDIR, EMLINK, EACCES, EPERM, EXDEV, ELOOP].contains(error.code)
        {
            // Collected, damaged or shut; or it has all the names that it can have.
            return false
        }
        // Whoever may write to the store may have put something else there.
        guard let status = try directory.status(of: name), status.st_mode == S_IFREG | mode_t(key.mode),
            Int(status.st_size) == size, status.st_mtim.tv_sec == StoreLayout.modificationTime,
            status.st_mtim.tv_nsec == 0
        else {
            try directory.unlink(name)
            return false
        }
        return true
    }

    /// What is known of a store path by its row; `nil` where it is gone.
    private func look(at row: Int) throws -> Known? {
        if let place = known.firstIndex(where: { $0.row == row }) {
            let found = known[place]
            if place != known.count - 1 {
                known.remove(at: place)
                known.append(found)
            }
            return found
        }
        let index = try index ?? Database(path: indexPath, mode: .readOnly)
        self.index = index
        let sql = "SELECT base_name FROM package WHERE id = ?"
        let names = try index.query(sql, [.integer(row)]) { $0.text(0) }
        // A stale entry is asked for once, too.
        let found = Known(row: row, baseName: names.first ?? "", files: names.first.flatMap(read))
        known.append(found)
        var size = known.reduce(0) { $0 + ($1.files?.size ?? 0) }
        while known.count > 1, size > Self.keptSize || known.count > Self.keptCount {
            size -= known.removeFirst().files?.size ?? 0
        }
        return found
    }

    /// The files of a store path; `nil` where its listing cannot be read, which a repair is for.
    private func read(_ baseName: String) -> ListedFiles? {
        guard let manifest = try? manifests.directory(beneath: baseName),
            let temporary = try? root.directory(beneath: StoreLayout.Name.temporary),
            let text = try? ListingFiles.text(in: manifest, spilling: temporary)
        else { return nil }
        return try? ListedFiles(text)
    }
}
