internal import Files
internal import Glibc
internal import StoreLayout

/// The reserve: a file that is removed to have room for garbage collection where the file system is full.
extension Store {
    /// How many times the reserve must be free for it to be made: it is not to take the last there is.
    private static let reserveShare = 4

    /// Removes the reserve; done before anything else, for even the lock and the index need a little room.
    static func releaseReserve(in root: Descriptor) throws {
        try root.unlink(StoreLayout.Name.reserve)
    }

    /// Makes the reserve unless it is there, or there is little room.
    func makeReserve() {
        let name = StoreLayout.Name.reserve
        // It only helps later: that it cannot be made is no reason to stop what is to be done now.
        guard case .success(nil) = Result(catching: { try root.status(of: name) }),
            let free = try? root.freeSpace(), free >= StoreLayout.reserveSize * Self.reserveShare,
            let temporary = try? temporary(), (try? temporary.unlink(name)) != nil,
            let file = try? temporary.open(beneath: name, flags: O_WRONLY | O_CREAT | O_EXCL)
        else { return }
        if (try? file.reserveSpace(StoreLayout.reserveSize)) == nil
            || (try? temporary.rename(name, to: root, as: name)) == nil
        {
            try? temporary.unlink(name)
        }
    }
}

extension Store {
    /// Throws if an image cannot fit, however much of it the store has already.
    ///
    /// - Parameters:
    ///   - image: What errors call it.
    ///   - minimumFree: Bytes that stay free.
    ///   - size: Bytes of its files, given what is free: `nil` where they are no more than that.
    /// - Throws: ``StoreError/noRoom(image:size:path:free:)``, or what `size` throws.
    public func checkRoom(
        for image: String, minimumFree: Int, size: (_ free: Int) throws -> Int?
    ) throws {
        let free = try root.freeSpace() - minimumFree
        guard let size = try size(free), try !root.mayCompress() else { return }
        // Each file may be one that a store path has.
        let known = try database.query("SELECT coalesce(sum(size), 0) FROM package") { $0.integer(0) }
        guard size - (known.first ?? 0) > free else { return }
        throw StoreError.noRoom(image: image, size: size, path: path, free: max(0, free))
    }
}

extension Descriptor {
    /// Throws unless an amount of space is free.
    ///
    /// - Parameter size: Bytes; nothing is asked where it is 0.
    /// - Throws: ``StoreError/tooLittleSpace(path:free:wanted:)``.
    func checkFreeSpace(_ size: Int) throws {
        guard size > 0 else { return }
        let free = try freeSpace()
        guard free >= size else { throw StoreError.tooLittleSpace(path: path, free: free, wanted: size) }
    }
}
