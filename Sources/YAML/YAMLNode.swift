/// What a YAML document says, word by word as it was written: `1.10` stays `1.10`, and `no` is two letters.
///
/// Files that people write by hand need no more than words, lists and mappings, one document, and no references: anchors,
/// aliases, merge keys and tags are refused, so that nothing in a file grows beyond what is seen in it.
///
/// Source: YAML 1.1, as libyaml 0.2 reads it.
public struct YAMLNode: Sendable, Equatable {
    /// What is at a place of the document.
    public enum Content: Sendable, Equatable {
        /// A text, without its quotes; several lines where it was a block.
        case word(String)
        /// A place where nothing stands, or YAML's word for it (`~`, `null`), without quotes.
        case nothing
        /// Several, in their order.
        case list([YAMLNode])
        /// Values by their keys, in the order of the document; no key comes twice.
        case mapping([Entry])
    }

    /// A key with its value.
    public struct Entry: Sendable, Equatable {
        /// The key.
        public let key: String
        /// The key's line, counted from 1.
        public let line: Int
        /// The value.
        public let value: YAMLNode
    }

    /// Bytes that a document may have.
    public static let longest = 1 << 20
    /// How many lists and mappings may be in one another.
    public static let deepest = 16

    /// What it is.
    public let content: Content
    /// The line that it begins in, counted from 1.
    public let line: Int

    /// Reads a document.
    ///
    /// - Throws: ``YAMLError`` for the first thing that is wrong.
    public init(parsing bytes: [UInt8]) throws(YAMLError) {
        guard bytes.count <= Self.longest else { throw .tooLong }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .notText }
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        var reader = YAMLReader(bytes.starts(with: mark) ? Array(bytes.dropFirst(mark.count)) : bytes)
        self = try reader.document()
    }

    init(_ content: Content, line: Int) {
        self.content = content
        self.line = line
    }

    /// What kind of thing it is, for people.
    public var kind: String {
        switch content {
        case .word: "a word"
        case .nothing: "nothing"
        case .list: "a list"
        case .mapping: "a mapping"
        }
    }
}
