/// An interface: its description, and what its methods do.
public struct VarlinkInterface {
    /// The interface that every service has.
    public static let serviceName = "org.varlink.service"

    /// What a method does: it replies, or throws.
    public typealias Method = (VarlinkRequest) throws -> Void

    /// Its name.
    public let name: String
    /// Its description, in the language of varlink.
    public let description: String
    /// What its methods do, by their names.
    public let methods: [String: Method]
    /// What is said of an error that is none of varlink's.
    public let failure: (any Error) -> VarlinkError

    /// Creates an interface.
    public init(
        _ name: String, description: String, methods: [String: Method],
        failure: @escaping (any Error) -> VarlinkError
    ) {
        self.name = name
        self.description = description
        self.methods = methods
        self.failure = failure
    }
}

/// A call that is being answered.
public final class VarlinkRequest {
    // A class: it knows whether it was answered.

    /// What was asked.
    public let call: VarlinkCall
    /// Who asked.
    public let peer: VarlinkPeer
    /// Whether the last reply was given.
    private(set) var isAnswered = false

    private let connection: VarlinkConnection

    init(_ call: VarlinkCall, on connection: VarlinkConnection) {
        self.call = call
        peer = connection.peer
        self.connection = connection
    }

    /// Gives the last reply.
    public func reply(_ parameters: some Encodable) throws {
        guard !isAnswered else { return }
        isAnswered = true
        if !call.isOneway { connection.send(try VarlinkReply.bytes(parameters, continues: false)) }
    }

    /// Says how it goes, where the client wants to know.
    ///
    /// - Parameter isOptional: Whether it may be dropped.
    public func tell(_ parameters: some Encodable, isOptional: Bool) throws {
        guard call.wantsMore, !isAnswered, !connection.isClosed else { return }
        connection.send(try VarlinkReply.bytes(parameters, continues: true), isOptional: isOptional)
    }

    func fail(_ error: VarlinkError) throws {
        guard !isAnswered else { return }
        isAnswered = true
        if !call.isOneway { connection.send(try VarlinkReply.bytes(error)) }
    }
}
