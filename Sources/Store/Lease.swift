internal import Files
internal import Glibc
internal import StoreLayout

/// Store paths that stay while something unfinished needs them, such as an installation whose generation is not made
/// yet: a held directory below `tmp` with a file for each.
///
/// It ends with its process, however that ends.
public final class Lease {
    // A class: what it holds ends with it.

    private let temporary: Descriptor
    private let name: String
    private let directory: Descriptor

    init(in temporary: Descriptor) throws {
        self.temporary = temporary
        (name, directory) = try temporary.makeHeldDirectory()
    }

    deinit {
        // What is left is swept by the next writer.
        try? temporary.removeTree(name)
    }

    fileprivate func add(_ baseName: String) throws {
        guard try directory.status(of: baseName) == nil else { return }
        _ = try directory.open(beneath: baseName, flags: O_WRONLY | O_CREAT | O_EXCL)
    }
}

extension Store {
    /// Begins a lease without store paths.
    public func makeLease() throws -> Lease {
        guard isWritable else { throw StoreError.readOnly(path: path) }
        return try Lease(in: try temporary())
    }

    /// Keeps a store path as long as a lease lives.
    ///
    /// - Returns: Whether it is there to be kept; `false` where garbage collection was faster.
    public func keep(_ baseName: String, by lease: Lease) throws -> Bool {
        // Whoever collects has this lock from looking at leases until what is not kept is out of the index.
        try withWriterLock(command: "lease of \(baseName)") {
            guard try package(baseName: baseName) != nil,
                try isTreeThere(baseName)
            else { return false }
            try lease.add(baseName)
            return true
        }
    }

    /// Store paths that leases keep, with the name of each lease.
    ///
    /// - Returns: `nil` where this user may not look.
    func leasedStorePaths() throws -> [(baseName: String, lease: String)]? {
        do {
            let temporary = try temporary()
            return try temporary.list().filter { $0.type == UInt8(DT_DIR) }.flatMap { entry in
                // One that ends meanwhile keeps nothing.
                let files = (try? temporary.directory(beneath: entry.text).list()) ?? []
                return files.filter { $0.type == UInt8(DT_REG) && StorePath.isBaseName($0.text) }
                    .map { ($0.text, entry.text) }
            }
        } catch let error as SystemError where error.code == EACCES {
            return nil
        }
    }
}
