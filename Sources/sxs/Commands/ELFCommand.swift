private import Activation
internal import ArgumentParser
internal import Files
internal import Operations

struct ELFCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "elf",
        abstract: "Change the interpreter, search path and needed libraries of programs, as patchelf does.",
        usage: "sxs elf [<option> ...] <file> ...",
        discussion: """
            The options are patchelf's. All changes of one call are one rewrite; what does not fit is put into a \
            segment behind the file's end, which a further call uses again. A file is replaced as a whole or not at \
            all, with its mode and owner; its other names (hard links) keep the old contents.

              --print-interpreter            print the loader's path
              --set-interpreter PATH         set it (also --interpreter)
              --print-rpath                  print DT_RUNPATH, or else DT_RPATH
              --set-rpath DIRS               set it
              --add-rpath DIRS               add directories at its end
              --remove-rpath                 remove both
              --shrink-rpath                 keep directories with needed libraries
              --allowed-rpath-prefixes DIRS  of these, keep what begins with one
              --force-rpath                  make it DT_RPATH, not DT_RUNPATH
              --print-needed                 print the needed libraries
              --add-needed NAME              add one before the others
              --remove-needed NAME           remove one
              --replace-needed NAME NEW      replace one, and in version needs
              --print-soname                 print a library's name
              --set-soname NAME              set it
              --no-default-lib               forbid the loader's own directories
              --clear-symbol-version SYMBOL  let any version of a symbol do
              --rename-dynamic-symbols FILE  rename them; a line has an old and a new name
              --add-debug-tag                add DT_DEBUG
              --print-execstack              print whether the stack is executable
              --set-execstack                ask for one that is
              --clear-execstack              ask for one that is not
              --page-size BYTES              align an appended segment to it
              --no-clobber-old-sections      leave bytes that nothing refers to
              --output FILE                  write there; with one file only
              --json                         print what holds afterwards
              --debug                        tell what is done

            Options may be repeated where that makes sense; '@FILE' as a path or name stands for the contents of FILE. \
            --no-sort is taken and does nothing.

            Examples:
              sxs elf --print-interpreter --print-rpath ./program
              sxs elf --set-interpreter /usr/store/.../ld.so --set-rpath '$ORIGIN/../lib' ./program

            Exit status: 0 if it is done, 1 for an error; files before the one with the error are done.
            """)

    @Argument(parsing: .captureForPassthrough, help: .hidden)
    var arguments: [String] = []

    func run() throws {
        try Self.run(Array(Launcher.arguments.suffix(arguments.count)))
    }

    /// Runs the command with what follows its name.
    ///
    /// The program begins here at once where it can: whoever edits many files starts it for each, and the argument
    /// parser has nothing to say of arguments that are passed through.
    static func run(_ arguments: [Bytes]) throws {
        var reader = ELFArguments(arguments)
        do {
            try reader.read()
        } catch let error as ELFArguments.Failure {
            Console.fail(error)
        }
        switch reader.request {
        case .help: throw CleanExit.helpRequest(Self.self)
        case .version: return Console.print("sxs elf " + SXS.version)
        case .nothing:
            Console.note("no file is named\nhint: 'sxs elf --help' shows the options")
            throw ExitCode.failure
        case .edit: break
        }
        let answers = reader.json ? { _ in } : { (line: Bytes) in Console.print(line) }
        let note = reader.isTalkative ? Console.note : { _ in }
        let facts = try reader.files.map { try reader.edits.apply(to: $0, answer: answers, note: note) }
        if reader.json { try Console.printJSON(facts) }
    }
}

/// patchelf's command line.
///
/// Not the argument parser's: one option has two values, and values may look like options.
struct ELFArguments {
    /// What the user wants.
    enum Request {
        case help, version, nothing, edit
    }

    /// A command line that makes no sense.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private var rest: ArraySlice<Bytes>
    private(set) var request = Request.nothing
    private(set) var edits = ELFEdits()
    private(set) var files: [Bytes] = []
    private(set) var json = false
    private(set) var isTalkative = false

    init(_ arguments: [Bytes]) { rest = arguments[...] }

    mutating func read() throws {
        var set: Bytes?
        var added: Bytes?
        var shrinks = false
        var removes = false
        var prefixes: [Bytes] = []
        var onlyFiles = false
        while let argument = rest.popFirst() {
            let option = onlyFiles ? "" : String(decoding: argument, as: UTF8.self)
            switch option {
            case "--help", "-h":
                request = .help
                return
            case "--version":
                request = .version
                return
            case "--print-interpreter": edits.questions.insert(.interpreter)
            case "--print-soname": edits.questions.insert(.soname)
            case "--print-rpath": edits.questions.insert(.searchPath)
            case "--print-needed": edits.questions.insert(.needed)
            case "--print-execstack": edits.questions.insert(.executableStack)
            case "--set-interpreter", "--interpreter": edits.interpreter = try value(of: option)
            case "--set-soname": edits.soname = try value(of: option)
            case "--set-rpath": set = try value(of: option)
            case "--add-rpath": added = try value(of: option)
            case "--remove-rpath": removes = true
            case "--shrink-rpath": shrinks = true
            case "--allowed-rpath-prefixes":
                prefixes = try next(option).split(separator: UInt8(ascii: ":")).map(Array.init)
            case "--force-rpath": edits.forcesRPath = true
            case "--add-needed": edits.added.insert(try value(of: option))
            case "--remove-needed": edits.removed.insert(try value(of: option))
            case "--replace-needed": edits.replaced[try next(option)] = try next(option)
            case "--clear-symbol-version": edits.clearedSymbols.insert(try value(of: option))
            case "--no-default-lib": edits.forbidsDefaultDirectories = true
            case "--add-debug-tag": edits.addsDebugEntry = true
            // patchelf lets --clear-execstack win.
            case "--set-execstack": edits.executableStack = edits.executableStack ?? true
            case "--clear-execstack": edits.executableStack = false
            case "--page-size":
                let text = try next(option)
                guard let size = Int(String(decoding: text, as: UTF8.self)), size > 0 else {
                    throw Failure(
                        description:
                            "'\(text.displayed)' is no page size\nhint: give a number of bytes, 65536 for example"
                    )
                }
                edits.pageSize = size
            case "--rename-dynamic-symbols": try readRenames(next(option))
            case "--no-clobber-old-sections": edits.keepsOldBytes = true
            case "--no-sort": break
            case "--output": edits.output = try value(of: option)
            case "--json": json = true
            case "--debug": isTalkative = true
            case "--": onlyFiles = true
            default:
                guard onlyFiles || !option.hasPrefix("--") else {
                    throw Failure(
                        description: """
                            there is no option \(argument.displayed)
                            hint: 'sxs elf --help' shows all; put './' before the name of a file that begins with '--'
                            """)
                }
                files.append(argument)
            }
        }
        guard set == nil || added == nil else {
            throw Failure(
                description:
                    "--set-rpath does not go with --add-rpath\nhint: give the whole path with --set-rpath")
        }
        guard edits.output == nil || files.count <= 1 else {
            throw Failure(description: "--output goes with one file only\nhint: edit the files one by one")
        }
        if shrinks {
            edits.searchPath = .shrink(prefixes: prefixes)
        } else if removes {
            edits.searchPath = .remove
        } else {
            edits.searchPath = set.map { .set($0) } ?? added.map { .add($0) }
        }
        if !files.isEmpty { request = .edit }
    }

    private mutating func next(_ option: String) throws -> Bytes {
        guard let value = rest.popFirst() else {
            throw Failure(
                description: "\(option) lacks its value\nhint: 'sxs elf --help' shows what it takes")
        }
        return value
    }

    /// Reads a file with an old and a new name of a symbol on each line.
    private mutating func readRenames(_ path: Bytes) throws {
        let text = try Descriptor.file(String(decoding: path, as: UTF8.self)).readAll(limit: 64 << 20)
        for (number, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let words = line.split {
                $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r")
            }
            guard !words.isEmpty else { continue }
            let isPair = words.count == 2 && !line.contains(UInt8(ascii: "@"))
            guard isPair, edits.renamedSymbols.updateValue(Array(words[1]), forKey: Array(words[0])) == nil
            else {
                throw Failure(
                    description: """
                        line \(number + 1) of \(path.displayed) is not an old and a new name of a symbol
                        hint: give two names without a version, each old name once
                        """)
            }
        }
    }

    /// A value, or the contents of the file that it names after an `@`, without the newline at its end.
    private mutating func value(of option: String) throws -> Bytes {
        let value = try next(option)
        guard value.first == UInt8(ascii: "@") else { return value }
        let file = try Descriptor.file(String(decoding: value.dropFirst(), as: UTF8.self))
        var contents = try file.readAll(limit: 2 << 20)
        if contents.last == UInt8(ascii: "\n") { contents.removeLast() }
        return contents
    }
}
