internal import Files
internal import Glibc
internal import StoreLayout

/// Removes objects that have no other link.
struct ObjectRemoval {
    private let objects: Descriptor
    private let kept: ObjectSet
    private var result = (count: 0, bytes: 0)

    init(in objects: Descriptor, without kept: ObjectSet) {
        self.objects = objects
        self.kept = kept
    }

    /// Looks through directories of objects, in one thread as ``Descriptor/removeContents()`` does.
    mutating func run(_ names: ArraySlice<String>) throws -> (count: Int, bytes: Int) {
        for name in names { try removeUnused(in: name) }
        return result
    }

    private mutating func removeUnused(in name: String) throws {
        guard let status = try objects.status(of: name), status.st_mode & S_IFMT == S_IFDIR else { return }
        let directory = try objects.directory(beneath: name)
        var (count, bytes, all) = (0, 0, 0)
        try directory.forEachEntry { name, _, _ in
            all += 1
            // Used by a store path that is registered: not even looked at.
            if let fingerprint = ObjectKey.fingerprint(fileName: name), kept.isKept(fingerprint) { return }
            let text = name.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self)
            var status = stat()
            guard fstatat(directory.number, text, &status, AT_SYMLINK_NOFOLLOW) == 0,
                status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1
            else { return }
            guard unlinkat(directory.number, text, 0) == 0 || errno == ENOENT else {
                throw SystemError("remove", directory.path(of: name.displayed))
            }
            count += 1
            bytes += Int(status.st_size)
        }
        // Also one that an interrupted collection emptied.
        if count == all { try? objects.removeDirectory(name) }
        result = (result.count + count, result.bytes + bytes)
    }
}
