private import CLinux
public import Files
private import Glibc
internal import StoreLayout

/// Runs programs of the store in place of this one.
public enum Launcher {
    /// Chooses how namespaces are made, for tests of the program: a ``StoreView/Method``.
    public static let methodVariable = "SXS_NAMESPACE"

    /// The arguments of this process, its name first, as bytes and also where `/proc` is not mounted.
    ///
    /// `CommandLine.arguments` is empty there: it reads `/proc/self/cmdline`.
    public static var arguments: [Bytes] { ProcessEnvironment.strings(sxs_argv()) }

    /// If this process was started through a launcher, becomes its program; otherwise returns.
    ///
    /// Where nothing has to be shown, or nothing but one root's store, CLauncher did this already, before the process
    /// came so far: the two agree on what a launcher is and does, and only this one has messages.
    ///
    /// To be called first of all, while the process has one thread. A start by any other name costs one readlink(2).
    ///
    /// - Parameter refusal: The error number with which the kernel refused CLauncher the user namespace after it was
    ///   entered, or 0: it cannot be left again, and must not be taken for that of a superuser.
    /// - Throws: ``NamespaceError`` or ``LaunchError``; the process should end then.
    public static func runIfLauncher(refusal: Int32) throws {
        guard refusal == 0 else {
            throw NamespaceError.refused(code: refusal, cause: NamespaceError.Cause(code: refusal))
        }
        guard let execfn = sxs_execfn(), let first = sxs_argv().pointee else { return }
        let path = Bytes(bytes(of: execfn))
        var link = try LauncherLink.find(from: path)
        if link == nil {
            // A script whose first line names a launcher: the kernel gives the script's path, then the launcher's.
            let name = Bytes(bytes(of: first))
            guard name != path, name.contains(UInt8(ascii: "/")) else { return }
            link = try LauncherLink.find(from: name)
        }
        guard let link else { return }
        let text = try link.description.readAll(limit: LaunchDescription.longest)
        let description = try LaunchDescription(parsing: text, file: link.descriptionPath)
        guard description.baseName == link.baseName else {
            throw LaunchError.foreignDescription(file: link.descriptionPath, baseName: description.baseName)
        }
        guard let command = description.command(named: link.command) else {
            throw LaunchError.noCommand(link.command.displayed, file: link.descriptionPath)
        }
        try run(
            command, of: description, in: StoreView(root: link.root), arguments: Array(arguments.dropFirst()))
    }

    /// Becomes a program of the store.
    ///
    /// The view is entered only where it is needed: if the store is not visible, or the host lacks a seed.
    ///
    /// - Parameters:
    ///   - command: The program, whose absolute path is its name (`argv[0]`) too, and what is set up for it.
    ///   - description: What the program's package needs.
    ///   - view: The stores it sees.
    ///   - arguments: Its arguments, without its name.
    ///   - environment: Its environment; the description's search path goes to the end of `PATH`, its data path
    ///     to that of `XDG_DATA_DIRS`.
    /// - Throws: ``NamespaceError`` or ``LaunchError``; the process should end then.
    public static func run(
        _ command: LaunchDescription.Command, of description: LaunchDescription, in view: StoreView,
        arguments: [Bytes], environment: ProcessEnvironment = .current
    ) throws -> Never {
        var environment = environment
        environment.appendSearchPath(description.searchPath.map(description.path))
        environment.appendDataPath(description.dataPath.map(description.path))
        for entry in command.defaults { environment.setDefault(entry.name, entry.value) }
        let program = description.path(of: command.program)
        if command.namespace == .never {
            guard view.isVisible() else {
                throw LaunchError.namespaceForbidden(program: program, root: view.roots.first ?? "")
            }
        } else {
            if let root = view.roots.first { HostPresence.announce(in: root) }
            let seeds = (description.seeds + command.seeds).compactMap { Seed($0, in: description.storePath) }
            try view.enter(
                seeds: seeds, method: method(environment), always: command.namespace == .always)
        }
        throw execute(program, arguments: [program] + arguments, environment: environment)
    }

    /// Becomes the user's shell, or another program found by its `PATH`, with a profile at hand.
    ///
    /// The profile's directories come last in `PATH`, `XDG_DATA_DIRS` and `MANPATH`.
    ///
    /// - Parameters:
    ///   - view: The stores it sees.
    ///   - profile: The absolute path of a generation or of the link to it; `nil` for none.
    ///   - command: A program and its arguments; empty for the shell that `SHELL` names, or `/bin/sh`.
    ///   - seeds: What hosts without them are shown below `/etc` and `/usr`.
    ///   - environment: Its environment.
    /// - Throws: ``NamespaceError`` or ``LaunchError``; the process should end then.
    public static func shell(
        in view: StoreView, profile: String?, command: [Bytes] = [], seeds: [Seed] = [],
        environment: ProcessEnvironment = .current
    ) throws -> Never {
        var environment = environment
        if let profile {
            environment.appendSearchPath([Array((profile + "/bin").utf8)])
            environment.appendDataPath([Array((profile + "/share").utf8)])
            // An empty list before the colon stands for the host's own manuals (manpath(1)).
            environment.append([Array((profile + "/share/man").utf8)], to: "MANPATH", unset: [])
        }
        if let root = view.roots.first { HostPresence.announce(in: root) }
        try view.enter(seeds: seeds, method: method(environment))
        var arguments = command
        if arguments.isEmpty {
            let shell = environment["SHELL"] ?? []
            let isUsable = shell.first == UInt8(ascii: "/") && shell.withCString { access($0, X_OK) == 0 }
            arguments = [isUsable ? shell : Array("/bin/sh".utf8)]
        }
        guard let program = search(arguments[0], environment) else {
            throw LaunchError.cannotExecute(program: arguments[0], code: ENOENT)
        }
        throw execute(program, arguments: arguments, environment: environment)
    }

    private static func method(_ environment: ProcessEnvironment) -> StoreView.Method {
        environment[methodVariable].flatMap {
            StoreView.Method(rawValue: String(decoding: $0, as: UTF8.self))
        }
            ?? .automatic
    }

    /// Finds a program as execvp(3) does, but in the environment it is to get.
    static func search(_ name: Bytes, _ environment: ProcessEnvironment) -> Bytes? {
        let slash = UInt8(ascii: "/")
        if name.isEmpty || name.contains(slash) { return name }
        let list = environment["PATH"] ?? ProcessEnvironment.defaultSearchPath
        for directory in list.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            let path = directory.isEmpty ? name : directory + [slash] + name
            var status = stat()
            let isProgram = Array(path).withCString { path in
                access(path, X_OK) == 0 && stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            }
            if isProgram { return Array(path) }
        }
        return nil
    }

    /// Executes a program; returns only why it could not.
    private static func execute(
        _ program: Bytes, arguments: [Bytes], environment: ProcessEnvironment
    ) -> LaunchError {
        // Once for all strings: one block, freed by nobody if the program starts.
        var block: [CChar] = []
        func place(_ strings: [Bytes]) -> [Int] {
            strings.map { string in
                let offset = block.count
                block.append(contentsOf: string.lazy.map { CChar(bitPattern: $0) })
                block.append(0)
                return offset
            }
        }
        let argumentOffsets = place(arguments)
        let environmentOffsets = place(environment.entries)
        let programOffset = place([program])[0]
        let code = block.withUnsafeMutableBufferPointer { block -> Int32 in
            guard let base = block.baseAddress else { return EINVAL }
            let argumentPointers = argumentOffsets.map { Optional(base + $0) } + [nil]
            let environmentPointers = environmentOffsets.map { Optional(base + $0) } + [nil]
            execve(base + programOffset, argumentPointers, environmentPointers)
            return errno
        }
        return .cannotExecute(program: program, code: code)
    }
}
