/// Something of an image that is left out of the tree, and counted.
public enum Omission: String, Hashable, Sendable, CaseIterable, Codable {
    /// A character or block device.
    case device

    /// A named pipe or a socket.
    case pipe

    /// A set-user-id, set-group-id or sticky bit; the file itself stays.
    case setID = "set-id bit"

    /// A file capability (`security.capability`); the file itself stays.
    case capability = "file capability"

    /// Another extended attribute that is not content (labels, ACLs); the file itself stays.
    case attribute = "extended attribute"

    /// How many of them, in words: `2 devices`.
    public func text(count: Int) -> String {
        guard count != 1 else { return "1 \(rawValue)" }
        return "\(count) " + (rawValue.hasSuffix("y") ? rawValue.dropLast() + "ies" : rawValue + "s")
    }
}

/// What takes in an image: one stream of entries, whatever the format.
///
/// Order of calls: any number of entries; for a file, ``beginFile(_:mode:attributes:size:)``, then its bytes in
/// order, then ``endFile()``. A later entry of the same path replaces the earlier one. Attributes are as the
/// image has them: the sink decides which count. A mode may have set-id bits: the sink takes them off.
public protocol TreeSink: AnyObject {
    /// What hashes contents, and could hash the image beside them; `nil` where nothing does.
    var hasher: MessageHasher? { get }

    /// A directory.
    func directory(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute]) throws

    /// A symbolic link.
    func symlink(_ path: TreePath, target: Bytes) throws

    /// Another name of the file at `target`, which came before.
    func hardLink(_ path: TreePath, to target: TreePath) throws

    /// A regular file; its bytes follow.
    ///
    /// - Parameter size: Its size in bytes where the format says so beforehand; a hint for progress and buffers.
    func beginFile(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], size: Int?) throws

    /// The next bytes of the file that was begun.
    func append(_ bytes: UnsafeRawBufferPointer) throws

    /// The next `count` bytes of the file that was begun are zeros that the image does not store.
    func appendHole(_ count: Int) throws

    /// The file that was begun is whole.
    func endFile() throws

    /// A whiteout: what earlier layers put at `path` is gone.
    func remove(_ path: TreePath) throws

    /// An opaque directory: what earlier layers put below `path` is gone.
    func removeChildren(of path: TreePath) throws

    /// Something that is not taken over.
    func omit(_ omission: Omission, at path: TreePath)

    /// All entries have come: what is still done with them is done now.
    func finish() throws
}

extension TreeSink {
    /// Nothing: by default contents are not hashed.
    public var hasher: MessageHasher? { nil }

    /// Does nothing: by default each entry is done with when it has come.
    public func finish() throws {}
}
