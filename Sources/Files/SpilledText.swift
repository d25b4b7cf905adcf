internal import Glibc

/// A long text that is made piece by piece and then looked at: in a file without a name rather than in memory, if it is not
/// short.
public final class SpilledText {
    /// Bytes that stay in memory.
    private static let limit = 64 << 10

    private let directory: Descriptor?
    private let name: String
    private var short: Bytes = []
    private var file: Descriptor?
    private var mapped: MappedFile?

    /// Creates an empty text.
    ///
    /// - Parameters:
    ///   - directory: Where a file can be made.
    ///   - name: A name that nothing has there; the file has it for a moment.
    public init(in directory: Descriptor, as name: String) {
        (self.directory, self.name) = (directory, name)
    }

    /// Takes the bytes of a file that is there, which nobody makes shorter.
    public init(of file: Descriptor) {
        (directory, name) = (nil, "")
        self.file = file
    }

    /// Takes bytes that are in memory anyway.
    public init(_ bytes: Bytes) {
        (directory, name) = (nil, "")
        short = bytes
    }

    /// Adds bytes.
    ///
    /// - Precondition: Nobody looked at the text yet.
    public func append(_ bytes: UnsafeRawBufferPointer) throws {
        precondition(mapped == nil, "a text that is looked at does not grow")
        if file == nil, let directory, short.count + bytes.count > Self.limit {
            let made = try directory.open(beneath: name, flags: O_RDWR | O_CREAT | O_EXCL)
            try directory.unlink(name)
            try short.withUnsafeBytes { try made.write($0) }
            (file, short) = (made, [])
        }
        if let file { try file.write(bytes) } else { short.append(contentsOf: bytes) }
    }

    /// Calls `body` with all bytes.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        guard let file else { return try short.withUnsafeBytes(body) }
        let mapped = try self.mapped ?? MappedFile(file)
        self.mapped = mapped
        return try withExtendedLifetime(mapped) { try body(mapped.bytes) }
    }
}
