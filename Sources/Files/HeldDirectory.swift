internal import Glibc

/// Directories of unfinished work: each is locked by whoever works in it, and what a crash leaves has no lock.
extension Descriptor {
    /// Makes a directory with an unguessable name and takes its lock.
    ///
    /// - Parameter prefix: What the name begins with.
    /// - Returns: The name, and the directory, which is locked for as long as it is open.
    public func makeHeldDirectory(prefix: String = "") throws -> (String, Descriptor) {
        while true {
            let name =
                prefix + String(UInt64.random(in: .min ... .max), radix: 36)
                + String(UInt64.random(in: .min ... .max), radix: 36)
            try makeDirectory(name, mode: 0o700, existing: false)
            guard let directory = try? self.directory(beneath: name) else {
                // It was swept before it was locked.
                continue
            }
            try directory.lock()
            if let status = try status(of: name), status.st_ino == (try directory.status().st_ino) {
                return (name, directory)
            }
        }
    }

    /// Removes every directory of this user's in this one that nobody holds.
    ///
    /// - Parameter prefix: What their names begin with.
    public func sweepHeldDirectories(prefix: String = "") throws {
        for entry in try list() where entry.type == UInt8(DT_DIR) && entry.text.hasPrefix(prefix) {
            guard let directory = try? directory(beneath: entry.text) else {
                // Its owner removed it meanwhile.
                continue
            }
            // In a directory for everybody, another user could put something else in the place of his.
            guard try directory.status().st_uid == geteuid() else { continue }
            if try directory.tryLock() { try removeTree(entry.text) }
        }
    }
}
