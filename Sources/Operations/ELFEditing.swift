private import ELF
public import Files
private import Glibc

/// Changes to programs and libraries, and questions about them, as patchelf has them.
///
/// Questions are answered with what holds before the change of the same thing.
public struct ELFEdits: Sendable {
    /// What may be asked.
    public enum Question: Sendable {
        case interpreter, soname, searchPath, executableStack, needed
    }

    /// What becomes of the search path.
    public enum SearchPathChange: Sendable {
        /// Only directories that have a needed library and begin with one of the prefixes stay; relative ones always do.
        case shrink(prefixes: [Bytes])
        /// None stays.
        case remove
        /// It is replaced.
        case set(Bytes)
        /// Directories are added at its end.
        case add(Bytes)
    }

    /// What is asked.
    public var questions: Set<Question> = []
    /// The new loader's path.
    public var interpreter: Bytes?
    /// The new library name.
    public var soname: Bytes?
    /// What becomes of the search path.
    public var searchPath: SearchPathChange?
    /// Whether the search path is to be a `DT_RPATH`.
    public var forcesRPath = false
    /// Needed libraries to remove.
    public var removed: Set<Bytes> = []
    /// Needed libraries to replace.
    public var replaced: [Bytes: Bytes] = [:]
    /// Needed libraries to add before the others, in order of their names.
    public var added: Set<Bytes> = []
    /// Symbols of which any version is to do.
    public var clearedSymbols: Set<Bytes> = []
    /// Dynamic symbols to rename.
    public var renamedSymbols: [Bytes: Bytes] = [:]
    /// Whether the loader's own directories are forbidden.
    public var forbidsDefaultDirectories = false
    /// Whether an entry for debuggers is added.
    public var addsDebugEntry = false
    /// Whether the stack is to be executable.
    public var executableStack: Bool?
    /// The page size of an appended segment, in bytes.
    public var pageSize: Int?
    /// Whether bytes that nothing refers to any more stay in the file.
    public var keepsOldBytes = false
    /// Where the result goes; the file itself where this is `nil`.
    public var output: Bytes?

    /// Creates edits that change and ask nothing.
    public init() {}
}

/// What a file tells the kernel and the loader.
public struct ELFFacts: Encodable, Sendable {
    /// Its path.
    public let path: String
    /// The loader's path.
    public let interpreter: String?
    /// The name others need it by.
    public let soname: String?
    /// The directories of its search path.
    public let searchPath: [String]
    /// The libraries it needs.
    public let needed: [String]
    /// Whether it asks for an executable stack.
    public let executableStack: Bool?
}

/// A file that is not what an edit needs, and why.
public struct ELFEditFailure: Error, CustomStringConvertible {
    /// The file.
    public let path: Bytes
    /// What is wrong, and a hint.
    public let reason: String
    /// The sentence for people.
    public var description: String { path.displayed + ": " + reason }
}

extension ELFEdits {
    /// Bytes of a file that is read: more than any program has, fewer than memory.
    private static let largestFile = 4 << 30

    /// Edits a file, which is replaced as a whole or not at all, and keeps its mode and owner.
    ///
    /// Other names of the file (hard links) keep the old contents.
    ///
    /// - Parameters:
    ///   - path: The file; links are followed.
    ///   - answer: Called with each line of an answer.
    ///   - note: Called with what a person might want to know.
    /// - Returns: What holds afterwards.
    @discardableResult
    public func apply(
        to path: Bytes, answer: (Bytes) -> Void, note: (String) -> Void = { _ in }
    ) throws -> ELFFacts {
        let (bytes, status) = try Self.read(path)
        do {
            var editor = try bytes.withUnsafeBytes {
                try ELFEditor(parsing: $0, pageSize: pageSize, keepsOldBytes: keepsOldBytes)
            }
            try change(&editor, head: bytes.prefix(20), answer: answer)
            let result = try editor.bytes()
            if !Self.areSame(result, bytes) || output != nil {
                try Self.write(result, over: output ?? path, status: output == nil ? status : nil)
                note("\((output ?? path).displayed): \(bytes.count) bytes, now \(result.count)")
            } else {
                note("\(path.displayed): nothing to change")
            }
            return ELFFacts(
                path: (output ?? path).displayed, interpreter: editor.interpreter?.displayed,
                soname: editor.soname?.displayed,
                searchPath: (editor.searchPath ?? []).split(separator: UInt8(ascii: ":")).map(\.displayed),
                needed: editor.needed.map(\.displayed), executableStack: editor.wantsExecutableStack)
        } catch let error as ELFError {
            throw ELFEditFailure(path: path, reason: "\(error)")
        } catch let error as SystemError where [EACCES, EPERM, EROFS].contains(error.code) {
            let sentence = "\(error)".prefix { $0 != "\n" }
            throw ELFEditFailure(
                path: path,
                reason: sentence
                    + "\nhint: run as a user who may write there, or elsewhere with --output FILE")
        }
    }

    /// Asks and changes in patchelf's order.
    private func change(_ editor: inout ELFEditor, head: some Collection<UInt8>, answer: (Bytes) -> Void)
        throws
    {
        if questions.contains(.interpreter) {
            guard let interpreter = editor.interpreter else { throw ELFError.noInterpreter }
            answer(interpreter)
        }
        // A program at a fixed address has no name, and that is no error.
        if questions.contains(.soname), editor.type == .dynamic {
            guard editor.isDynamic else { throw ELFError.notDynamic }
            if let soname = editor.soname, !soname.isEmpty { answer(soname) }
        }
        if let soname { try editor.setSoname(soname) }
        if let interpreter { try editor.setInterpreter(interpreter) }
        if questions.contains(.searchPath) {
            guard editor.isDynamic else { throw ELFError.notDynamic }
            answer(editor.searchPath ?? [])
        }
        if questions.contains(.executableStack) {
            let sign = editor.wantsExecutableStack.map { $0 ? "X" : "-" } ?? "?"
            answer(Array("execstack: \(sign)".utf8))
        } else if let executableStack {
            editor.setExecutableStack(executableStack)
        }
        if let searchPath { try change(searchPath, in: &editor, head: head) }
        if questions.contains(.needed) {
            guard editor.isDynamic else { throw ELFError.notDynamic }
            editor.needed.forEach(answer)
        }
        if !removed.isEmpty { try editor.removeNeeded(removed) }
        if !replaced.isEmpty { try editor.replaceNeeded(replaced) }
        if !added.isEmpty {
            try editor.addNeeded(added.sorted { $0.lexicographicallyPrecedes($1) })
        }
        if !clearedSymbols.isEmpty { try editor.clearVersions(ofSymbols: clearedSymbols) }
        if forbidsDefaultDirectories { try editor.forbidDefaultDirectories() }
        if addsDebugEntry { try editor.addDebugEntry() }
        if !renamedSymbols.isEmpty { try editor.renameSymbols(renamedSymbols) }
    }

    private func change(
        _ change: SearchPathChange, in editor: inout ELFEditor, head: some Collection<UInt8>
    ) throws {
        let present = editor.searchPath
        let colon = UInt8(ascii: ":")
        switch change {
        case .remove:
            if present != nil { try editor.removeSearchPath() }
        case .set(let path):
            try editor.setSearchPath(path, inherited: forcesRPath)
        case .add(let path):
            let whole = present.map { $0.isEmpty ? path : $0 + [colon] + path } ?? path
            try editor.setSearchPath(whole, inherited: forcesRPath)
        case .shrink(let prefixes):
            guard let present else { return }
            var missing = Set(editor.needed)
            var directories = present.split(separator: colon, omittingEmptySubsequences: false)
            if directories.last?.isEmpty == true { directories.removeLast() }
            let kept = directories.filter { directory in
                guard directory.isEmpty || directory.first == UInt8(ascii: "/") else { return true }
                guard prefixes.isEmpty || prefixes.contains(where: directory.starts) else { return false }
                let found = missing.filter {
                    Self.isLibrary(directory + [UInt8(ascii: "/")] + $0, like: head)
                }
                missing.subtract(found)
                return !found.isEmpty
            }
            try editor.setSearchPath(Array(kept.joined(separator: [colon])), inherited: forcesRPath)
        }
    }

    /// Whether there is an ELF file for the same processor.
    private static func isLibrary(_ path: some Collection<UInt8>, like head: some Collection<UInt8>) -> Bool {
        let number = withCString(Array(path)) { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        guard number >= 0 else { return false }
        let file = Descriptor(taking: number, path: path.displayed)
        var bytes = Bytes(repeating: 0, count: 20)
        let count = (try? bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }) ?? 0
        return count == 20 && bytes.starts(with: ELFFile.magic)
            && bytes[18...].elementsEqual(head.dropFirst(18))
    }

    // MARK: - Files

    private static func read(_ path: Bytes) throws -> (bytes: Bytes, status: stat) {
        let file = try withCString(path) { name in
            let number = Glibc.open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
            guard number >= 0 else { throw SystemError("open", path.displayed) }
            return Descriptor(taking: number, path: path.displayed)
        }
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ELFEditFailure(
                path: path, reason: "not a regular file\nhint: name a program or a library")
        }
        guard Int(status.st_size) <= largestFile else {
            throw ELFEditFailure(
                path: path,
                reason: "more than 4 GiB\nhint: take debugging information out of it with strip(1)")
        }
        var head = Bytes(repeating: 0, count: 4)
        let count = try head.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        guard count == 4, head == ELFFile.magic else {
            throw ELFEditFailure(path: path, reason: "\(ELFError.notELF)")
        }
        var read = 0
        var bytes = try Bytes(unsafeUninitializedCapacity: Int(status.st_size)) { buffer, filled in
            while read < buffer.count {
                let rest = UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[read...])
                let count = try file.read(into: rest)
                guard count > 0 else { break }
                read += count
            }
            filled = read
        }
        // What was written since it was looked at.
        bytes += try file.readAll(limit: largestFile - read)
        return (bytes, status)
    }

    /// Whether bytes are the same, at memory speed.
    private static func areSame(_ left: Bytes, _ right: Bytes) -> Bool {
        left.count == right.count && memcmp(left, right, left.count) == 0
    }

    /// Writes under another name in the same directory and renames it.
    ///
    /// - Parameter status: What the mode and owner are to be; by default those of the file that is there, or of a new
    ///   program.
    private static func write(_ bytes: Bytes, over path: Bytes, status: stat?) throws {
        var present = stat()
        let isThere = withCString(path) { stat($0, &present) } == 0
        if isThere, present.st_mode & S_IFMT != S_IFREG {
            // A pipe, a terminal: there is nothing to replace.
            let number = withCString(path) { Glibc.open($0, O_WRONLY | O_CLOEXEC | O_NOCTTY) }
            guard number >= 0 else { throw SystemError("open", path.displayed) }
            return try bytes.withUnsafeBytes {
                try Descriptor(taking: number, path: path.displayed).write($0)
            }
        }
        // Links stay: what they name is replaced.
        let target = isThere ? try resolved(path) : path
        // In a directory for everybody, nobody is to know it before.
        let temporary =
            target + Array("." + String(UInt64.random(in: .min ... .max), radix: 36)).flatMap(\.utf8)
        let number = withCString(temporary) {
            Glibc.open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o777)
        }
        guard number >= 0 else { throw SystemError("create", temporary.displayed) }
        do {
            let file = Descriptor(taking: number, path: temporary.displayed)
            try bytes.withUnsafeBytes { try file.write($0) }
            if let wanted = status ?? (isThere ? present : nil) {
                // Whoever may not give files away keeps what is his, but not as set-user-id of another.
                let isGiven = fchown(number, wanted.st_uid, wanted.st_gid) == 0
                try file.setMode(wanted.st_mode & (isGiven ? 0o7777 : 0o777))
            }
            let result = withCString(temporary) { old in withCString(target) { rename(old, $0) } }
            guard result == 0 else { throw SystemError("replace", target.displayed) }
        } catch {
            // The first error is the one to report.
            _ = withCString(temporary) { unlink($0) }
            throw error
        }
    }

    private static func resolved(_ path: Bytes) throws -> Bytes {
        try withCString(path) { name in
            guard let real = realpath(name, nil) else { throw SystemError("look at", path.displayed) }
            defer { free(real) }
            return Bytes(UnsafeRawBufferPointer(start: real, count: strlen(real)))
        }
    }

    private static func withCString<Result>(
        _ path: Bytes, _ body: (UnsafePointer<CChar>) throws -> Result
    ) rethrows -> Result {
        try (path.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer { buffer in
            // The array has at least its NUL.
            guard let base = buffer.baseAddress else { return try "".withCString(body) }
            return try body(base)
        }
    }
}
