/// Contents by their digests: a dictionary of them, without its free places.
public struct DigestTable: Sendable {
    private var digests = SegmentedArray<Digest>()
    private var contents = SegmentedArray<ContentID>()
    private var table = NumberTable()

    /// Creates an empty table.
    public init() {}

    /// The content of a digest; it is never taken away.
    public subscript(digest: Digest) -> ContentID? {
        find(digest).map { contents[Int($0)] }
    }

    /// Notes the content of a digest, in place of what was noted.
    public mutating func set(_ id: ContentID, for digest: Digest) {
        if let number = find(digest) {
            contents[Int(number)] = id
            return
        }
        let number = Int32(digests.count)
        digests.append(digest)
        contents.append(id)
        table.insert(number, hash: Self.hash(digest)) { [digests] in Self.hash(digests[Int($0)]) }
    }

    private func find(_ digest: Digest) -> Int32? {
        table.find(Self.hash(digest)) { digests[Int($0)] == digest }
    }

    /// An image may choose digests that begin alike.
    private static func hash(_ digest: Digest) -> UInt32 { UInt32(truncatingIfNeeded: digest.hashValue) }
}
