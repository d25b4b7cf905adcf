internal import Activation
private import ELF
public import Files
private import Glibc
private import Relocation
internal import Store
internal import StoreLayout

extension Session {
    /// Runs a command to its end, and finds the host's paths it touched although its image has them.
    ///
    /// - Parameter command: A command of the profile, or any program, with its arguments.
    /// - Returns: The paths, and how the command ended, as wait(2) tells.
    /// - Throws: An error if it cannot be run.
    public func trace(_ command: [Bytes]) throws -> (report: TraceReport, status: Int32) {
        let store = try openStore()
        var trace = Trace(session: self, store: store)
        let status = try Tracer.run(
            command.first ?? [], arguments: Array(command.dropFirst()), in: binDirectory
        ) { trace.note($0) }
        return (trace.report, status)
    }
}

/// What is known of the calls so far.
private struct Trace {
    /// Paths kept of one package: a program that asks for ever new spellings is not to fill the memory.
    private static let pathLimit = 50_000

    private let session: Session
    private let store: Store
    /// Where store paths are, as programs see them.
    private let storeDirectories: [Bytes]
    private var used: [Bytes: Used] = [:]
    private var calls = 0
    private var hidden = 0
    private var isCut = false

    /// A package of which a program ran.
    private struct Used {
        let metadata: Metadata
        let tree: Tree
        var paths: [Bytes: TraceReport.Path] = [:]
    }

    init(session: Session, store: Store) {
        self.session = session
        self.store = store
        storeDirectories = [
            StoreLayout.storeDirectory, session.root + "/" + StoreLayout.Name.store,
            StoreLayout.systemRoot + "/" + StoreLayout.Name.store,
        ].flatMap { path in
            let real = realpath(path, nil)
            defer { free(real) }
            return [path] + (real.map { [String(cString: $0)] } ?? [])
        }.map { Array(($0 + "/").utf8) }
    }

    /// Looks at one call.
    mutating func note(_ touch: Tracer.Touch) {
        calls += 1
        guard let path = touch.path else {
            if touch.isHidden { hidden += 1 }
            return
        }
        if touch.isExecution { noteInterpreter(of: path, touch) }
        guard let program = touch.program, let base = base(of: program), prepare(base),
            let found = outside(path, touch)
        else { return }
        add(found, call: touch.call, program: program, base: base, touch)
    }

    /// The path, if it is none of the store's; what a `..` in it leads to.
    private func outside(_ path: Bytes, _ touch: Tracer.Touch) -> Bytes? {
        let own = [StoreLayout.aliasDirectory, StoreLayout.storeDirectory]
        if own.contains(where: { path.elementsEqual($0.utf8) }) { return nil }
        let alias = Array((StoreLayout.aliasDirectory + "/").utf8)
        guard base(of: path) != nil || path.starts(with: alias) else { return path }
        // A link on the way, then `..`: only the kernel knows where that is.
        guard path.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) }),
            let real = touch.place(path)?.currentPath, base(of: real) == nil
        else { return nil }
        return real
    }

    /// The base name of the store path that a path is in.
    private func base(of path: Bytes) -> Bytes? {
        for directory in storeDirectories where path.starts(with: directory) {
            let name = path[directory.count...].prefix { $0 != UInt8(ascii: "/") }
            return name.isEmpty ? nil : Array(name)
        }
        return nil
    }

    /// What the kernel takes by itself when a program of the store starts: its loader, or a script's interpreter.
    private mutating func noteInterpreter(of path: Bytes, _ touch: Tracer.Touch) {
        guard let place = touch.place(path), let program = place.currentPath, let base = base(of: program),
            let file = try? place.reopen(), let interpreter = try? Self.interpreter(of: file),
            interpreter.first == UInt8(ascii: "/"), prepare(base), let found = outside(interpreter, touch)
        else { return }
        add(found, call: "interpreter", program: program, base: base, touch)
    }

    private static func interpreter(of file: Descriptor) throws -> Bytes? {
        let mapped = try MappedFile(file)
        if mapped.bytes.starts(with: "#!".utf8) {
            let line = mapped.bytes.prefix(256).dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
            return line.split { $0 == 0x20 || $0 == 0x09 }.first.map { Array($0) }
        }
        guard ELFFile.isELF(mapped.bytes) else { return nil }
        return try ELFFile(parsing: mapped.bytes).interpreter?.bytes
    }

    /// Keeps a path that the image has.
    private mutating func add(
        _ path: Bytes, call: String, program: Bytes, base: Bytes, _ touch: Tracer.Touch
    ) {
        guard Self.canBelong(path), let package = used[base] else { return }
        let name = Self.path(in: program, below: base)
        if var known = package.paths[path] {
            known.count += 1
            if !known.calls.contains(call) { known.calls = (known.calls + [call]).sorted() }
            if !known.programs.contains(name) { known.programs = (known.programs + [name]).sorted() }
            used[base]?.paths[path] = known
            return
        }
        guard package.tree.resolve(path, followsLast: false) != nil,
            !RelocationReport.isEverywhere(String(decoding: path, as: UTF8.self))
        else { return }
        guard package.paths.count < Self.pathLimit else {
            isCut = true
            return
        }
        used[base]?.paths[path] = TraceReport.Path(
            path: path.displayed, count: 1, exists: touch.place(path) != nil, calls: [call],
            programs: [name], reason: Self.reason(path, touch))
    }

    /// Why a path is the host's to give, although the image has it; `nil` where it is not.
    private static func reason(_ path: Bytes, _ touch: Tracer.Touch) -> String? {
        // The image's own loader reads the image's own cache.
        if path.elementsEqual(("/\(StoreLayout.Tree.loaderCache)").utf8) { return nil }
        if RelocationReport.isHosts(path) { return "the host's by the rules" }
        let slash = path.lastIndex(of: UInt8(ascii: "/")) ?? 0
        let isSearched = touch.searchPath.contains { $0.elementsEqual(path[..<slash]) }
        return isSearched ? "looked for on PATH, where the host comes first" : nil
    }

    /// Whether relocation would move such a path.
    private static func canBelong(_ path: Bytes) -> Bool {
        ["/usr/", "/lib", "/bin/", "/sbin/", "/opt/", "/etc/"].contains { path.starts(with: $0.utf8) }
    }

    /// Reads the listing of a store path the first time one of its programs is seen.
    private mutating func prepare(_ base: Bytes) -> Bool {
        if used[base] != nil { return true }
        guard let metadata = try? store.metadata(of: String(decoding: base, as: UTF8.self)),
            let tree = try? session.tree(of: metadata)
        else { return false }
        used[base] = Used(metadata: metadata, tree: tree)
        return true
    }

    /// A program of the store as a path in its tree.
    private static func path(in program: Bytes, below base: Bytes) -> String {
        let parts = program.split(separator: UInt8(ascii: "/"))
        let index = parts.firstIndex { $0.elementsEqual(base) } ?? parts.startIndex
        return Array(parts[(index + 1)...].joined(separator: [UInt8(ascii: "/")])).displayed
    }

    /// All that was found.
    var report: TraceReport {
        let packages = used.values.map { package in
            let paths = package.paths.values.sorted { $0.path < $1.path }
            return TraceReport.Package(
                name: package.metadata.name, version: package.metadata.version,
                storePath: StoreLayout.storeDirectory + "/" + package.metadata.storePath,
                touched: paths.filter { $0.reason == nil }, expected: paths.filter { $0.reason != nil })
        }
        return TraceReport(
            packages: packages.sorted { ($0.name, $0.storePath) < ($1.name, $1.storePath) }, calls: calls,
            hidden: hidden, isCut: isCut)
    }
}
