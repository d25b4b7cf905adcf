public import Files

/// A parser that sees what others wrote, and what it may not do with any bytes: the same for libFuzzer (Scripts/fuzz)
/// and for the seeded mutations of a normal test.
///
/// A target is a name and a check, which returns for what is refused and throws or traps for what is wrong. Its seeds
/// are in `Scripts/hostile/seeds.py`, under the same name.
public struct FuzzTarget: Sendable, CustomStringConvertible {
    /// Its name on the command line.
    public let name: String
    /// Reads bytes; throws or traps where that shows a fault.
    public let check: @Sendable (Bytes) throws -> Void

    /// Creates a target.
    public init(_ name: String, check: @escaping @Sendable (Bytes) throws -> Void) {
        self.name = name
        self.check = check
    }

    /// All of them but ELF files and launchers, which have programs of their own.
    public static let all = images + texts + relocated + documents + distributions

    /// What tests call it.
    public var description: String { name }
}

/// What a check found.
public struct FuzzFault: Error, CustomStringConvertible {
    /// What is wrong.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Throws unless something holds.
func expect(_ condition: Bool, _ description: @autoclosure () -> String) throws {
    if !condition { throw FuzzFault(description()) }
}
