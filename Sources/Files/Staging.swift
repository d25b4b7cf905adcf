private import Glibc

/// Contents of an image's files while it is imported: numbered files in one directory, without the image's names.
///
/// A content is written once. It may then be patched (same length) or replaced, and is known by size and digest.
public final class Staging {
    // A class: the rooms of an import share it.

    /// One file's contents.
    public struct Content: Sendable {
        /// Size in bytes.
        public fileprivate(set) var size: Int
        /// SHA-256 of the bytes as they are now.
        public fileprivate(set) var digest: Digest
        /// Where absolute paths may begin in the bytes as they came.
        public let pathOffsets: [UInt32]
        /// Whether paths past 4 GiB were not looked at.
        public let isTruncated: Bool
        /// The first bytes as they came, at most 64: enough to tell a format.
        public let head: Bytes
        /// The equal file there was, as a path below ``Staging/objects``; `nil` where the bytes are staged.
        public let object: String?
        /// Whether the bytes are in the staging directory.
        public var isStaged: Bool { object == nil }
        /// The computation of the digest of the bytes as they came, at every step; empty where it was not kept.
        public let hashStates: [Hasher256]
        /// Whether the bytes are no longer those that came.
        public fileprivate(set) var isRelocated = false
    }

    /// The directory.
    public let directory: Descriptor

    /// Where files equal to contents may be found; nothing there is ever written.
    public let objects: Descriptor?

    /// All contents, by ``ContentID/number``.
    public private(set) var contents: [Content] = []

    /// Creates a staging area in an empty directory.
    public init(_ directory: Descriptor, objects: Descriptor? = nil) {
        self.directory = directory
        self.objects = objects
    }

    /// The content of an identifier that this staging area gave out.
    public subscript(id: ContentID) -> Content { contents[id.number] }

    /// Registers contents whose bytes were written to ``fileName(of:)`` of the next identifier, or need not be.
    public func add(
        size: Int, digest: Digest, scanner: PathScanner, head: Bytes, object: String? = nil,
        hashStates: [Hasher256] = []
    ) -> ContentID {
        contents.append(
            Content(
                size: size, digest: digest, pathOffsets: scanner.offsets, isTruncated: scanner.isTruncated,
                head: head, object: object, hashStates: hashStates))
        return ContentID(contents.count - 1)
    }

    /// The identifier that ``add(size:digest:scanner:head:object:hashStates:)`` gives out next.
    public var nextID: ContentID { ContentID(contents.count) }

    /// The name of a content's file in ``directory``.
    public func fileName(of id: ContentID) -> String { String(id.number) }

    /// Opens a content for reading, wherever its bytes are.
    public func open(_ id: ContentID) throws -> Descriptor {
        if let object = contents[id.number].object, let objects { return try objects.open(beneath: object) }
        return try directory.open(beneath: fileName(of: id))
    }

    /// Overwrites ranges of a staged content; its size stays.
    ///
    /// - Parameters:
    ///   - patches: Bytes to put at offsets, each within the file.
    ///   - id: The content.
    public func patch(_ id: ContentID, with patches: [(offset: Int, bytes: Bytes)]) throws {
        let file = try directory.open(beneath: fileName(of: id), flags: O_RDWR)
        for patch in patches {
            precondition(patch.offset >= 0 && patch.offset + patch.bytes.count <= contents[id.number].size)
            try file.write(patch.bytes, at: patch.offset)
        }
        // What was written before is no longer what came.
        let isFirst = !contents[id.number].isRelocated
        let common = isFirst ? patches.map(\.offset).min() ?? contents[id.number].size : 0
        let mapped = try MappedFile(file)
        contents[id.number].digest = withExtendedLifetime(mapped) {
            ResumableHasher.digest(
                of: mapped.bytes, after: contents[id.number].hashStates, common: common)
        }
        contents[id.number].isRelocated = true
    }

    /// Replaces the bytes of a staged content.
    public func replace(_ id: ContentID, with bytes: Bytes) throws {
        let file = try directory.open(beneath: fileName(of: id), flags: O_RDWR | O_TRUNC)
        try file.write(bytes, at: 0)
        contents[id.number].size = bytes.count
        contents[id.number].digest = Digest(hashing: bytes)
        contents[id.number].isRelocated = true
    }

    /// Adds a content that no image had, such as a generated loader cache.
    public func make(_ bytes: Bytes) throws -> ContentID {
        let id = nextID
        let file = try directory.open(beneath: fileName(of: id), flags: O_WRONLY | O_CREAT | O_EXCL)
        try file.write(bytes, at: 0)
        return add(
            size: bytes.count, digest: Digest(hashing: bytes), scanner: PathScanner(),
            head: Array(bytes.prefix(64)))
    }
}
