public import Files
public import StoreLayout

/// What the launchers of a store path do: the file `launch` beside them.
///
/// A text of lines, each a word, a space and fields separated by tabs, which no name or path here can have.
public struct LaunchDescription: Equatable, Sendable {
    /// Bytes that a description may have.
    public static let longest = 4 << 20

    /// The first line.
    static let heading = "sxs-launch 1"

    /// The base name of the store path: `<hash>-<name>-<version>`.
    public let baseName: String

    /// A command, its program, and what is set up for it.
    public struct Command: Equatable, Sendable {
        /// The launcher's name.
        public let name: Bytes

        /// The program, as a path in the store path's tree.
        public let program: TreePath

        /// Variables that are set where the environment does not have them, sorted by name.
        public let defaults: [Default]

        /// Whether it gets a private mount namespace.
        public let namespace: NamespaceUse

        /// Paths below `etc` and `usr` that hosts without them are shown from the tree, for this command alone.
        public let seeds: [TreePath]

        /// Creates a command.
        ///
        /// - Parameters:
        ///   - name: The launcher's name.
        ///   - program: The program, as a path in the store path's tree.
        ///   - defaults: Variables that are set where the environment does not have them, with their values.
        ///   - namespace: Whether it gets a private mount namespace.
        ///   - seeds: What hosts without them are shown from the tree, for this command alone.
        public init(
            name: Bytes, program: TreePath, defaults: [Bytes: Bytes] = [:],
            namespace: NamespaceUse = .automatic, seeds: [TreePath] = []
        ) {
            self.init(
                name: name, program: program, defaults: defaults.map { Default(name: $0, value: $1) },
                namespace: namespace, seeds: seeds)
        }

        init(
            name: Bytes, program: TreePath, defaults: [Default], namespace: NamespaceUse, seeds: [TreePath]
        ) {
            self.name = name
            self.program = program
            self.defaults = defaults.sorted { LaunchDescription.precedes($0.name, $1.name) }
            self.namespace = namespace
            self.seeds = seeds
        }
    }

    /// A variable and its value.
    public struct Default: Equatable, Sendable {
        /// The variable's name.
        public let name: Bytes

        /// Its value where the environment has none.
        public let value: Bytes
    }

    /// The commands, sorted by name.
    ///
    /// Not a dictionary, nor are their defaults: for one of bytes the runtime has to search all conformances of the
    /// program, which takes longer than all else a launcher does.
    public let commands: [Command]

    /// Directories of the tree that are appended to `PATH`.
    public let searchPath: [TreePath]

    /// Directories of the tree that are appended to `XDG_DATA_DIRS`.
    public let dataPath: [TreePath]

    /// Paths below `etc` and `usr` that hosts without them are shown from the tree, for every command.
    public let seeds: [TreePath]

    /// Creates a description.
    ///
    /// - Parameters:
    ///   - baseName: The base name of the store path.
    ///   - commands: The commands in any order, each name once.
    ///   - searchPath: Directories of the tree that are appended to `PATH`.
    ///   - dataPath: Directories of the tree that are appended to `XDG_DATA_DIRS`.
    ///   - seeds: Paths below `etc` and `usr` that hosts without them are shown from the tree.
    /// - Throws: ``LaunchDescriptionError`` for what a line cannot hold or a launcher would not do.
    public init(
        baseName: String, commands: [Command], searchPath: [TreePath] = [], dataPath: [TreePath] = [],
        seeds: [TreePath] = []
    ) throws(LaunchDescriptionError) {
        guard let name = try? TreePath(parsing: Array(baseName.utf8)), !baseName.isEmpty,
            Array(baseName.utf8) == name.name
        else {
            throw .invalid("store path", Array(baseName.utf8).displayed)
        }
        let commands = commands.sorted { Self.precedes($0.name, $1.name) }
        var previous: Bytes?
        for command in commands {
            let name = command.name
            guard let path = try? TreePath(parsing: name), path.name == name, name != previous else {
                throw .invalid("command", name.displayed)
            }
            guard !command.program.bytes.isEmpty else { throw .invalid("program of command", name.displayed) }
            previous = name
        }
        // A colon would split PATH.
        for path in searchPath where path.bytes.contains(UInt8(ascii: ":")) {
            throw .invalid("search path", path.description)
        }
        for path in dataPath where path.bytes.contains(UInt8(ascii: ":")) {
            throw .invalid("data path", path.description)
        }
        for path in seeds + commands.flatMap(\.seeds) where Seed(path, source: []) == nil {
            throw .invalid("seed", path.description)
        }
        for command in commands { try Self.check(command.defaults) }
        self.baseName = baseName
        self.commands = commands
        self.searchPath = searchPath
        self.dataPath = dataPath
        self.seeds = seeds
    }

    private static func check(_ defaults: [Default]) throws(LaunchDescriptionError) {
        var previous: Bytes?
        for entry in defaults {
            let name = entry.name
            let isName = name.first.map { !(0x30...0x39).contains($0) } ?? false
            guard isName, name.allSatisfy(Self.isVariable), name != previous else {
                throw .invalid("variable", name.displayed)
            }
            guard entry.value.allSatisfy({ $0 != 0 && $0 != UInt8(ascii: "\n") }) else {
                throw .invalid("value of variable", name.displayed)
            }
            previous = name
        }
    }

    /// The same with commands of an earlier description of the store path, which other generations show.
    ///
    /// - Throws: ``LaunchDescriptionError`` if the other is of another store path.
    public func adding(_ earlier: LaunchDescription) throws(LaunchDescriptionError) -> LaunchDescription {
        guard earlier.baseName == baseName else { throw .invalid("store path", earlier.baseName) }
        let others = earlier.commands.filter { command(named: $0.name) == nil }
        return try LaunchDescription(
            baseName: baseName, commands: commands + others, searchPath: searchPath, dataPath: dataPath,
            seeds: seeds)
    }

    /// A command by its name; `nil` if there is no such command.
    func command(named name: Bytes) -> Command? {
        commands.first { $0.name == name }
    }

    private static func precedes(_ left: Bytes, _ right: Bytes) -> Bool {
        for index in 0..<min(left.count, right.count) where left[index] != right[index] {
            return left[index] < right[index]
        }
        return left.count < right.count
    }

    /// The absolute path of the store path.
    public var storePath: String { StoreLayout.storeDirectory + "/" + baseName }

    /// The absolute path of something in the store path's tree.
    public func path(of inner: TreePath) -> Bytes {
        Array(storePath.utf8) + [UInt8(ascii: "/")] + inner.bytes
    }

    private static func isVariable(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"): true
        default: false
        }
    }
}

/// Why a launcher's description is refused.
public enum LaunchDescriptionError: Error, Equatable, CustomStringConvertible {
    /// Something in it is not allowed.
    case invalid(String, String)
    /// It is of another version, or none at all.
    case heading(file: String)
    /// A line that nobody understands.
    case line(Int, file: String)

    /// What is wrong, why, and what to do.
    public var description: String {
        switch self {
        case .invalid(let what, let text):
            """
            '\(text)' is not allowed as \(what) of a launcher
            hint: expose other files of the package with --expose
            """
        case .heading(let file):
            """
            \(file) is no launcher description of this version of sxs
            hint: install the package again, or use the sxs that wrote it
            """
        case .line(let number, let file):
            """
            line \(number) of \(file) cannot be understood
            hint: the file is damaged; install the package again
            """
        }
    }
}
