internal import CSolv
public import Files
private import Glibc

/// Unpacks an index, within what it may come to.
public enum IndexText {
    /// Bytes that an index may unpack to where nothing says how long it is.
    public static let longest = 1 << 30

    /// Endings of names whose files are unpacked; others are taken as they are.
    private static let known = [".xz", ".lzma", ".zst", ".gz", ".bz2"]
    private static let unknown = [".lz4", ".Z", ".br", ".zck", ".lzo", ".7z", ".zip"]

    /// The contents of a compressed text that was read, whose first bytes say how it is compressed.
    ///
    /// - Parameters:
    ///   - bytes: The text.
    ///   - name: What errors call it.
    ///   - limit: Bytes that it may unpack to.
    public static func unpacked(_ bytes: Bytes, name: String, limit: Int) throws -> Bytes {
        let marks: [(String, Bytes)] = [
            (".gz", [0x1f, 0x8b]), (".xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]),
            (".zst", [0x28, 0xb5, 0x2f, 0xfd]),
            (".bz2", [0x42, 0x5a, 0x68]),
        ]
        guard let suffix = marks.first(where: { bytes.starts(with: $0.1) })?.0 else { return bytes }
        guard let scratch = tmpfile() else { throw SystemError("unpack", name) }
        defer { fclose(scratch) }
        let count = bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, scratch) }
        guard count == bytes.count, fflush(scratch) == 0 else { throw SystemError("unpack", name) }
        let file = Descriptor(taking: dup(fileno(scratch)), path: name)
        return try unpacked(file, name: name + suffix, limit: limit)
    }

    /// The contents of a file.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - name: Its name in its repository, whose ending says how it is compressed.
    ///   - limit: Bytes that it may unpack to.
    /// - Throws: ``DistributionError``, `SystemError`.
    public static func unpacked(_ file: Descriptor, name: String, limit: Int) throws -> Bytes {
        guard !unknown.contains(where: name.hasSuffix) else {
            throw DistributionError.compression(file: name)
        }
        // Opened anew: what is read is from the beginning, and is closed on its own.
        let number = open("/proc/self/fd/\(file.number)", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open", name) }
        let suffix = known.first(where: name.hasSuffix) ?? ""
        guard let stream = solv_xfopen_fd("index" + suffix, number, "r") else {
            close(number)
            throw DistributionError.compression(file: name)
        }
        defer { fclose(stream) }
        var result: Bytes = []
        let chunk = 1 << 18
        while true {
            let start = result.count
            let count = [UInt8](unsafeUninitializedCapacity: chunk) { buffer, initialized in
                initialized = fread(buffer.baseAddress, 1, chunk, stream)
            }
            result.append(contentsOf: count)
            guard result.count <= limit else { throw DistributionError.tooLarge(file: name, limit: limit) }
            if result.count == start { break }
        }
        guard ferror(stream) == 0 else {
            throw DistributionError.unreadable(file: name, reason: "what it is compressed with is damaged")
        }
        return result
    }
}
