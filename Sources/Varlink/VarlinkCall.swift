public import Files
private import FoundationEssentials

/// A method call, as a client sent it.
///
/// Source: varlink.org, "Method Call".
public struct VarlinkCall: Sendable {
    /// Bytes that a call may have.
    public static let longest = 64 << 10
    /// Bytes that a method's name may have.
    private static let longestName = 255

    /// The interface's name.
    public let interface: String
    /// The method's name, without the interface's.
    public let method: String
    /// Whether no reply is wanted.
    public let isOneway: Bool
    /// Whether several replies are taken.
    public let wantsMore: Bool

    private let bytes: Bytes

    private struct Head: Decodable {
        let method: String
        let oneway: Bool?
        let more: Bool?
        let upgrade: Bool?
    }

    private struct Body<Parameters: Decodable>: Decodable {
        let parameters: Parameters?
    }

    /// Reads a call; `nil` for what is none, which no reply can be made to.
    ///
    /// - Parameter bytes: Its JSON, without the zero byte behind it.
    public init?(parsing bytes: Bytes) {
        guard bytes.count <= Self.longest,
            let head = try? JSONDecoder().decode(Head.self, from: Data(bytes)),
            head.method.utf8.count <= Self.longestName, let dot = head.method.lastIndex(of: "."),
            head.method.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { return nil }
        // Whoever asks for another protocol waits for one: there is none here.
        guard head.upgrade != true, !(head.oneway == true && head.more == true) else { return nil }
        interface = String(head.method[..<dot])
        method = String(head.method[head.method.index(after: dot)...])
        guard !interface.isEmpty, !method.isEmpty else { return nil }
        isOneway = head.oneway ?? false
        wantsMore = head.more ?? false
        self.bytes = bytes
    }

    /// The method's name with the interface's.
    public var name: String { interface + "." + method }

    /// The parameters; members that nobody knows are passed over.
    ///
    /// - Throws: ``VarlinkError/invalidParameter(_:)`` with the first that is not as it should be.
    public func parameters<Parameters: Decodable>(_ type: Parameters.Type) throws(VarlinkError) -> Parameters
    {
        do {
            if let found = try JSONDecoder().decode(Body<Parameters>.self, from: Data(bytes)).parameters {
                return found
            }
            return try JSONDecoder().decode(Parameters.self, from: Data("{}".utf8))
        } catch let error as DecodingError {
            throw .invalidParameter(Self.parameter(of: error))
        } catch {
            throw .invalidParameter("parameters")
        }
    }

    /// The parameter that an error is about.
    private static func parameter(of error: DecodingError) -> String {
        let path: [any CodingKey] =
            switch error {
            case .keyNotFound(let key, let context): context.codingPath + [key]
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
                context.codingPath
            @unknown default: []
            }
        return path.dropFirst(path.first?.stringValue == "parameters" ? 1 : 0).first?.stringValue
            ?? "parameters"
    }
}
