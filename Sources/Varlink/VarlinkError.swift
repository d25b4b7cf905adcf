/// A reply that says why a call failed.
public struct VarlinkError: Error {
    /// Its name, with that of the interface.
    public let name: String
    /// What it says.
    public let parameters: any Encodable & Sendable

    /// Creates an error.
    public init(_ name: String, _ parameters: any Encodable & Sendable = [String: String]()) {
        self.name = name
        self.parameters = parameters
    }

    /// No interface of that name is here.
    public static func interfaceNotFound(_ name: String) -> VarlinkError {
        VarlinkError(VarlinkInterface.serviceName + ".InterfaceNotFound", ["interface": name])
    }

    /// The interface has no such method.
    public static func methodNotFound(_ name: String) -> VarlinkError {
        VarlinkError(VarlinkInterface.serviceName + ".MethodNotFound", ["method": name])
    }

    /// A parameter is missing, of another type, or has a value that it cannot have.
    public static func invalidParameter(_ name: String) -> VarlinkError {
        VarlinkError(VarlinkInterface.serviceName + ".InvalidParameter", ["parameter": name])
    }

    /// Whoever asks may not do that.
    public static var permissionDenied: VarlinkError {
        VarlinkError(VarlinkInterface.serviceName + ".PermissionDenied")
    }
}
