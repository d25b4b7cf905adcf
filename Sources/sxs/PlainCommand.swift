internal import Operations

/// A command line that says no more than a verb, names, and the options of every verb.
///
/// People and scripts mostly write these, and ArgumentParser takes longer to read one, by reflection over all options that
/// the verb has, than the verb takes to do its work (decision 0033). What is not certainly one of these is
/// ArgumentParser's: all other options and verbs, help, and everything that makes no sense, with its message.
struct PlainCommand: Equatable {
    /// What is to be done.
    enum Verb: Equatable {
        case install([String])
        case list
        case remove([String])
        case rollback
        case `switch`(Int)
        case version
    }

    let verb: Verb
    let shared: SharedValues

    /// Reads a command line; `nil` for one that is not plain.
    ///
    /// - Parameter arguments: The arguments, without the program's name.
    init?(_ arguments: [String]) {
        guard let name = arguments.first else { return nil }
        if name == "--version" {
            guard arguments.count == 1 else { return nil }
            (verb, shared) = (.version, SharedValues())
            return
        }
        guard ["install", "list", "remove", "rollback", "switch"].contains(name),
            let (words, shared) = Self.split(arguments.dropFirst())
        else { return nil }
        self.shared = shared
        switch (name, words.count) {
        case ("install", 1...): verb = .install(words)
        case ("list", 0): verb = .list
        case ("remove", 1...): verb = .remove(words)
        case ("rollback", 0): verb = .rollback
        case ("switch", 1):
            guard words[0].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(words[0]) else {
                return nil
            }
            verb = .switch(number)
        default: return nil
        }
    }

    /// Words that are no options, and what options say; `nil` where there are others, or one is there twice.
    private static func split(_ arguments: ArraySlice<String>) -> (words: [String], SharedValues)? {
        var words: [String] = []
        var shared = SharedValues()
        var rest = arguments
        while let word = rest.popFirst() {
            switch word {
            case "--json":
                guard !shared.json else { return nil }
                shared.json = true
            case "--root":
                guard shared.root == nil, let value = rest.popFirst(), isPlain(value) else { return nil }
                shared.root = value
            case "--profile":
                guard shared.profile == nil, let value = rest.popFirst(), isPlain(value) else { return nil }
                shared.profile = value
            default:
                guard isPlain(word) else { return nil }
                words.append(word)
            }
        }
        return (words, shared)
    }

    private static func isPlain(_ word: String) -> Bool {
        !word.isEmpty && word.utf8.first != UInt8(ascii: "-")
    }

    /// Does what is asked for.
    func run() throws {
        switch verb {
        case .install(let packages):
            let session = try shared.session()
            try session.install(packages, options: session.usualImport()).show(json: shared.json)
        case .list: try ListCommand.run(shared)
        case .remove(let names): try change { try $0.remove(names) }
        case .rollback: try change { try $0.rollback() }
        case .switch(let number): try change { try $0.activate(number) }
        case .version: Console.print(SXS.version)
        }
    }

    private func change(_ verb: (Session) throws -> GenerationChange) throws {
        let session = try shared.session()
        try RefreshOptions.around(session, isWanted: false) { try verb(session) }.show(json: shared.json)
    }
}
