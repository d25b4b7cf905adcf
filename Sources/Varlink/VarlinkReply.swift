internal import Files
private import FoundationEssentials

/// A reply: its JSON, and the zero byte that ends it.
///
/// Source: varlink.org, "Method Reply".
enum VarlinkReply {
    private struct Message<Parameters: Encodable>: Encodable {
        let parameters: Parameters
        var continues: Bool?
        var error: String?
    }

    /// A reply, after which others follow or none.
    static func bytes(_ parameters: some Encodable, continues: Bool) throws -> Bytes {
        try encode(Message(parameters: parameters, continues: continues ? true : nil))
    }

    /// The reply that a call failed.
    static func bytes(_ error: VarlinkError) throws -> Bytes { try bytes(error.name, error.parameters) }

    private static func bytes(_ name: String, _ parameters: some Encodable) throws -> Bytes {
        try encode(Message(parameters: parameters, error: name))
    }

    private static func encode(_ message: some Encodable) throws -> Bytes {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try Bytes(encoder.encode(message)) + [0]
    }
}
