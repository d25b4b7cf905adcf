private import CLinux
internal import Files
private import Glibc

/// Shows a directory of the host with additions, read-only.
struct DirectoryCover {
    /// Which of two entries of one name is shown.
    enum Precedence { case additions, host }

    /// The directory.
    let path: String

    /// Which of two entries of one name is shown.
    let precedence: Precedence

    /// Mounts it.
    ///
    /// - Parameters:
    ///   - method: How to.
    ///   - fill: Makes the additions in an empty directory; called a second time if the first way is refused.
    func mount(_ method: StoreView.Method, fill: (Descriptor) throws -> Void) throws {
        let host = try Descriptor.place(path)
        // An overlay would not show, or not be allowed to hide, what is mounted below.
        let isOverlaid = method == .overlay || method == .automatic && hasNoMounts(host)
        if isOverlaid {
            do {
                return try overlay(host, fill: fill)
            } catch let error as NamespaceError {
                guard method == .automatic else { throw error }
            }
        }
        try bindEntries(of: host, fill: fill)
    }

    private func hasNoMounts(_ host: Descriptor) -> Bool {
        guard let table = MountTable(), let resolved = realpath(path, nil) else { return false }
        defer { free(resolved) }
        return !table.hasMounts(
            below: UnsafeRawBufferPointer(start: resolved, count: strlen(resolved)).map { $0 })
    }

    /// Covers the directory with a layer, and both with an overlay of them: nothing is left to be seen elsewhere.
    private func overlay(_ host: Descriptor, fill: (Descriptor) throws -> Void) throws {
        let flags = host.mountFlags
        let memory = try mountMemory(on: path)
        try memory.makeDirectory("layer", mode: 0o755)
        try fill(try memory.directory(beneath: "layer"))
        try host.enter()
        let layer = Self.escaped(path) + "/layer"
        let layers = precedence == .additions ? "\(layer):." : ".:\(layer)"
        try Activation.mount(
            "an overlay", from: "overlay", on: path, type: "overlay", flags: SXS_MS_RDONLY | flags,
            data: "lowerdir=" + layers)
    }

    /// Covers the directory with an empty one in which every entry of the host is mounted.
    ///
    /// A file that the host then replaces by renaming stays as it was; an overlay is preferred.
    private func bindEntries(of host: Descriptor, fill: (Descriptor) throws -> Void) throws {
        let entries = try Descriptor.reading(host).list()
        let memory = try mountMemory(on: path)
        try fill(memory)
        try Self.bind(entries, of: host, in: memory, at: path)
        makeReadOnly(path, nosuid: false)
    }

    /// Mounts entries of a directory in one that is empty or has entries that take precedence.
    static func bind(
        _ entries: [Descriptor.Listed], of source: Descriptor, in target: Descriptor, at path: String
    ) throws {
        try source.enter()
        for entry in entries {
            try entry.name.withCString { name in
                var status = stat()
                // Gone meanwhile, or unreachable for this user: it is as if it were not there.
                guard fstatat(source.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return }
                switch status.st_mode & S_IFMT {
                case S_IFLNK:
                    try copyLink(name, from: source, to: target)
                case S_IFDIR:
                    guard mkdirat(target.number, name, 0o755) == 0 else { return try expectExisting(target) }
                    try bind(name, on: path)
                default:
                    let file = openat(target.number, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
                    guard file >= 0 else { return try expectExisting(target) }
                    close(file)
                    try bind(name, on: path)
                }
            }
        }
    }

    private static func bind(_ name: UnsafePointer<CChar>, on directory: String) throws {
        let text = Bytes(UnsafeRawBufferPointer(start: name, count: strlen(name)))
        let result = (Array(directory.utf8) + [UInt8(ascii: "/")] + text).withCString { target in
            sxs_mount(name, target, nil, UInt(SXS_MS_BIND | SXS_MS_REC), nil)
        }
        guard result == 0 || errno == ENOENT else {
            let code = errno
            throw NamespaceError.mount(
                what: "the host's \(text.displayed)", path: directory + "/" + text.displayed, code: code)
        }
    }

    private static func copyLink(
        _ name: UnsafePointer<CChar>, from source: Descriptor, to target: Descriptor
    ) throws {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX) + 1) { buffer in
            guard let base = buffer.baseAddress else { return }
            let length = readlinkat(source.number, name, base, Int(PATH_MAX))
            guard length >= 0 else { return }
            base[length] = 0
            guard symlinkat(base, target.number, name) == 0 else { return try expectExisting(target) }
        }
    }

    private static func expectExisting(_ directory: Descriptor) throws {
        guard errno == EEXIST else { throw SystemError("recreate the host's entries in", directory.path) }
    }

    /// A path in the list of layers: `:` and `,` separate, `\` escapes.
    private static func escaped(_ path: String) -> String {
        var result = ""
        for character in path {
            if character == ":" || character == "," || character == "\\" { result.append("\\") }
            result.append(character)
        }
        return result
    }
}

extension Descriptor {
    /// Opens a directory that is held as a place for reading.
    static func reading(_ place: Descriptor) throws -> Descriptor {
        let number = openat(place.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("list directory", place.path) }
        return Descriptor(taking: number, path: place.path)
    }
}

extension Collection where Element == UInt8 {
    /// Calls `body` with the bytes ended by NUL.
    func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: count + 1) { buffer in
            var end = 0
            for byte in self {
                buffer[end] = CChar(bitPattern: byte)
                end += 1
            }
            buffer[end] = 0
            // A buffer of at least one element has an address.
            return try body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped))
        }
    }
}
