public import Files
private import StoreLayout

extension LaunchDescription {
    static let newline = UInt8(ascii: "\n")
    private static let space = UInt8(ascii: " ")
    private static let tab = UInt8(ascii: "\t")

    /// The words that lines begin with.
    fileprivate enum Word: String {
        case storePath = "store-path"
        case command
        case searchPath = "search-path"
        case dataPath = "data-path"
        case seed
        case setDefault = "set-default"
        case namespace

        init?(_ bytes: ArraySlice<UInt8>) {
            self.init(rawValue: String(decoding: bytes, as: UTF8.self))
        }
    }

    /// The text of the file; the same for equal descriptions.
    public var text: Bytes {
        var text = Array((Self.heading + "\n").utf8)
        func append(_ word: Word, _ fields: Bytes...) {
            text += word.rawValue.utf8
            for (number, field) in fields.enumerated() {
                text.append(number == 0 ? Self.space : Self.tab)
                text += field
            }
            text.append(Self.newline)
        }
        append(.storePath, Array(storePath.utf8))
        for path in searchPath { append(.searchPath, path.bytes) }
        for path in dataPath { append(.dataPath, path.bytes) }
        for path in seeds { append(.seed, path.bytes) }
        for command in commands {
            append(.command, command.name, command.program.bytes)
            for entry in command.defaults {
                append(.setDefault, entry.name + [UInt8(ascii: "=")] + entry.value)
            }
            if command.namespace != .automatic {
                append(.namespace, Array(command.namespace.rawValue.utf8))
            }
            for path in command.seeds { append(.seed, path.bytes) }
        }
        return text
    }

    /// Reads the text of a file.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - file: What messages call it.
    public init(parsing text: Bytes, file: String) throws(LaunchDescriptionError) {
        var lines = text.split(separator: Self.newline, omittingEmptySubsequences: false)[...]
        guard text.count <= Self.longest,
            let heading = lines.popFirst(), Array(heading) == Array(Self.heading.utf8)
        else {
            throw .heading(file: file)
        }
        // Every line is ended: a file that was cut off is not taken for a whole one.
        guard lines.popLast()?.isEmpty == true else { throw .line(lines.count + 2, file: file) }
        var baseName: String?
        var commands: [Command] = []
        var searchPath: [TreePath] = []
        var dataPath: [TreePath] = []
        var seeds: [TreePath] = []
        for (index, line) in lines.enumerated() {
            let error = LaunchDescriptionError.line(index + 2, file: file)
            guard let space = line.firstIndex(of: Self.space), let word = Word(line[..<space]) else {
                throw error
            }
            let rest = line[(space + 1)...]
            switch word {
            case .storePath:
                let prefix = Array((StoreLayout.storeDirectory + "/").utf8)
                guard baseName == nil, Array(rest.prefix(prefix.count)) == prefix else { throw error }
                baseName = String(decoding: rest.dropFirst(prefix.count), as: UTF8.self)
            case .command:
                guard let tab = rest.firstIndex(of: Self.tab), let path = Self.path(rest[(tab + 1)...]) else {
                    throw error
                }
                commands.append(
                    Command(
                        name: Array(rest[..<tab]), program: path, defaults: [Default](),
                        namespace: .automatic,
                        seeds: []))
            case .searchPath:
                guard let path = Self.path(rest) else { throw error }
                searchPath.append(path)
            case .dataPath:
                guard let path = Self.path(rest) else { throw error }
                dataPath.append(path)
            // These are of the command before them.
            case .seed where !commands.isEmpty, .setDefault, .namespace:
                guard let command = commands.popLast(), let changed = command.adding(word, rest) else {
                    throw error
                }
                commands.append(changed)
            case .seed:
                guard let path = Self.path(rest) else { throw error }
                seeds.append(path)
            }
        }
        guard let baseName else { throw .line(lines.count + 2, file: file) }
        try self.init(
            baseName: baseName, commands: commands, searchPath: searchPath, dataPath: dataPath, seeds: seeds)
    }

    fileprivate static func path(_ bytes: ArraySlice<UInt8>) -> TreePath? {
        // Only as it is written: a path has one spelling.
        let bytes = Array(bytes)
        guard let path = try? TreePath(parsing: bytes), path.bytes == bytes else { return nil }
        return path
    }
}

extension LaunchDescription.Command {
    /// The command with what a line says of it; `nil` for a line that nobody understands.
    fileprivate func adding(_ word: LaunchDescription.Word, _ rest: ArraySlice<UInt8>) -> Self? {
        var (defaults, namespace, seeds) = (defaults, namespace, seeds)
        switch word {
        case .setDefault:
            guard let equals = rest.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            defaults.append(
                LaunchDescription.Default(name: Array(rest[..<equals]), value: Array(rest[(equals + 1)...])))
        case .namespace:
            guard namespace == .automatic,
                let use = NamespaceUse(rawValue: String(decoding: rest, as: UTF8.self))
            else { return nil }
            namespace = use
        case .seed:
            guard let path = LaunchDescription.path(rest) else { return nil }
            seeds.append(path)
        case .storePath, .command, .searchPath, .dataPath: return nil
        }
        return Self(name: name, program: program, defaults: defaults, namespace: namespace, seeds: seeds)
    }
}
