/// Answers calls to some interfaces, and to that which says which these are.
public struct VarlinkServer {
    /// What the service says of itself.
    private struct Information: Encodable {
        let vendor, product, version, url: String
        let interfaces: [String]
    }

    private struct Asked: Decodable {
        let interface: String
    }

    private let interfaces: [VarlinkInterface]

    /// Creates a server.
    ///
    /// - Parameters:
    ///   - product: The program's name.
    ///   - version: The program's version.
    ///   - interfaces: What it answers to.
    public init(product: String, version: String, interfaces others: [VarlinkInterface]) {
        let descriptions =
            others.map { ($0.name, $0.description) } + [
                (VarlinkInterface.serviceName, Self.description)
            ]
        let own = VarlinkInterface(
            VarlinkInterface.serviceName, description: Self.description,
            methods: [
                "GetInfo": { request in
                    try request.reply(
                        Information(
                            vendor: product, product: product, version: version, url: "",
                            interfaces: descriptions.map(\.0).sorted()))
                },
                "GetInterfaceDescription": { request in
                    let name = try request.call.parameters(Asked.self).interface
                    guard let found = descriptions.first(where: { $0.0 == name }) else {
                        throw VarlinkError.interfaceNotFound(name)
                    }
                    try request.reply(["description": found.1])
                },
            ], failure: { _ in VarlinkError.permissionDenied })
        interfaces = others + [own]
    }

    /// Answers calls until the client goes away.
    ///
    /// - Throws: What cannot be written as JSON, which is a mistake of ours.
    public func serve(_ connection: VarlinkConnection) throws {
        while !connection.isClosed, let bytes = connection.next() {
            // What is no call cannot be answered.
            guard let call = VarlinkCall(parsing: bytes) else { return }
            let request = VarlinkRequest(call, on: connection)
            do {
                try answer(request)
            } catch let error as VarlinkError {
                try request.fail(error)
            }
        }
    }

    private func answer(_ request: VarlinkRequest) throws {
        guard let interface = interfaces.first(where: { $0.name == request.call.interface }) else {
            throw VarlinkError.interfaceNotFound(request.call.interface)
        }
        guard let method = interface.methods[request.call.method] else {
            throw VarlinkError.methodNotFound(request.call.name)
        }
        do {
            try method(request)
        } catch let error as VarlinkError {
            throw error
        } catch {
            throw interface.failure(error)
        }
    }

    /// Source: varlink.org, "Service".
    private static let description = """
        # Says which interfaces a service has.
        interface org.varlink.service

        method GetInfo() -> (
          vendor: string,
          product: string,
          version: string,
          url: string,
          interfaces: []string
        )

        method GetInterfaceDescription(interface: string) -> (description: string)

        error InterfaceNotFound (interface: string)

        error MethodNotFound (method: string)

        error MethodNotImplemented (method: string)

        error InvalidParameter (parameter: string)

        error PermissionDenied ()

        error ExpectedMore ()

        """
}
