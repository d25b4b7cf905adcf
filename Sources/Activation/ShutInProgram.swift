private import CLinux
public import Files
private import Glibc
private import StoreLayout

/// A program of the store that runs shut in: it sees the store, its input and its output, and has an empty
/// environment, no network and no privileges.
///
/// Its input is `/in`, read-only. Its output is `/out`, in memory and at first filled with links to what is in the
/// input; it is the working directory, and the only place that can be written.
public struct ShutInProgram {
    /// The program, below `/usr/store`.
    public let program: String

    /// Its arguments, without its name.
    public let arguments: [String]

    /// The root whose store it is in; of a program of a closure, the closure.
    public let root: String

    /// What is different for a program of packages that are not in the store yet.
    struct Closure {
        let output: String?
        let environment: [String]
        var isWritable = false
    }

    /// `nil` for a program of the store.
    private let closure: Closure?

    /// Bytes that it may write.
    static let outputLimit = 256 << 20

    /// Bytes of address space that it may have.
    static let memoryLimit = 2 << 30

    /// Bytes kept of what it prints.
    static let printedLimit = 4096

    /// Creates one; nothing runs yet.
    ///
    /// - Parameters:
    ///   - program: The program, below `/usr/store`.
    ///   - arguments: Its arguments, without its name.
    ///   - root: The root whose store it is in.
    public init(program: String, arguments: [String], root: String) {
        self.program = program
        self.arguments = arguments
        self.root = root
        closure = nil
    }

    /// Creates one of packages that are not in the store yet: it sees their closure as its root, read-only, and its
    /// output; nothing runs yet.
    ///
    /// - Parameters:
    ///   - program: The program, as an absolute path of the closure.
    ///   - arguments: Its arguments, without its name.
    ///   - closure: The closure's directory, with empty directories `out` and `tmp` and empty files `dev/null` and
    ///     `dev/urandom`.
    ///   - output: A name in `/out` for what it prints that is no message; `nil` for nowhere.
    ///   - environment: Its environment, as `NAME=VALUE`.
    public init(
        program: String, arguments: [String], closure: String, output: String? = nil,
        environment: [String] = []
    ) {
        self.program = program
        self.arguments = arguments
        root = closure
        self.closure = Closure(output: output, environment: environment)
    }

    /// Creates one that may change its closure, in which it is root, and starts there; nothing runs yet.
    ///
    /// Its user is the caller's, whatever it does; it has the capabilities for files alone.
    ///
    /// - Parameters:
    ///   - program: The program, as an absolute path of the closure.
    ///   - arguments: Its arguments, without its name.
    ///   - closure: The closure's directory, with empty directories `out`, `proc`, `run` and `tmp`, and empty files `null`,
    ///     `zero`, `full`, `random` and `urandom` in `dev`.
    ///   - environment: Its environment, as `NAME=VALUE`.
    public init(program: String, arguments: [String], changing closure: String, environment: [String]) {
        self.program = program
        self.arguments = arguments
        root = closure
        self.closure = Closure(output: nil, environment: environment, isWritable: true)
    }

    /// Runs it to its end.
    ///
    /// - Parameters:
    ///   - input: The directory that it sees as `/in`; for a program of a closure, the absolute path in there of a
    ///     directory to whose names it finds links in `/out`, or nothing.
    ///   - place: An empty directory, over which its root is mounted in its own namespace.
    ///   - seconds: How long it may take, and how much processor time it may use.
    /// - Returns: The directory it wrote, in memory until the descriptor is closed.
    /// - Throws: ``ShutInError``.
    public func run(input: String, place: String, seconds: Int = 30) throws(ShutInError) -> Descriptor {
        var process: pid_t = 0
        var printed: Int32 = -1
        var output: Int32 = -1
        var step = SXS_BUILD_PROCESS
        let texts = [
            place, root + "/" + StoreLayout.Name.store, StoreLayout.storeDirectory,
            root + "/" + StoreLayout.Name.aliases, StoreLayout.aliasDirectory, input, program, root,
            closure?.output ?? "",
        ].map { $0.withCString { strdup($0) } }
        var list: [UnsafeMutablePointer<CChar>?] =
            ([program] + arguments).map { $0.withCString { strdup($0) } } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] =
            (closure?.environment ?? []).map { $0.withCString { strdup($0) } } + [nil]
        defer { (texts + list + variables).forEach { free($0) } }
        let result = list.withUnsafeMutableBufferPointer { list in
            variables.withUnsafeMutableBufferPointer { variables in
                var build = sxs_build(
                    place: texts[0], store: texts[1], store_path: texts[2], aliases: texts[3],
                    aliases_path: texts[4], input: texts[5], program: texts[6], arguments: list.baseAddress,
                    output_limit: Self.outputLimit, memory_limit: Self.memoryLimit, seconds: UInt32(seconds),
                    closure: closure == nil ? nil : texts[7], output: closure?.output == nil ? nil : texts[8],
                    environment: variables.baseAddress, is_writable: closure?.isWritable == true ? 1 : 0)
                return sxs_build_start(&build, &process, &printed, &output, &step)
            }
        }
        guard result == 0 else { throw .cannotStart(step: Self.words(step), code: errno) }
        let written = Descriptor(taking: output, path: "the output of " + program)
        let pipe = Descriptor(taking: printed, path: "what is printed by " + program)
        let text = try wait(for: process, printed: pipe, seconds: seconds)
        if let text { throw text }
        return written
    }

    /// Waits for the end; `nil` where it was a good one.
    private func wait(
        for process: pid_t, printed: Descriptor, seconds: Int
    ) throws(ShutInError) -> ShutInError? {
        let handle = Descriptor(taking: sxs_pidfd_open(process), path: program)
        let end = ContinuousClock.now + .seconds(seconds)
        var text: Bytes = []
        var isPrinting = true
        var isLate = false
        var buffer = Bytes(repeating: 0, count: 4096)
        loop: while true {
            let rest = ContinuousClock.now.duration(to: end).components
            let milliseconds = Int32(
                max(0, rest.seconds * 1000 + rest.attoseconds / 1_000_000_000_000_000 + 1))
            guard rest.seconds >= 0, rest.attoseconds >= 0 else {
                isLate = true
                break
            }
            switch sxs_build_wait(isPrinting ? printed.number : -1, handle.number, milliseconds) {
            case 1:
                let count = read(printed.number, &buffer, buffer.count)
                if count <= 0 { isPrinting = false }
                if count > 0 {
                    text.append(contentsOf: buffer[..<min(count, Self.printedLimit - text.count)])
                }
            case 2: break loop
            // The time is over, or a signal came: the beginning of the loop tells.
            default: continue loop
            }
        }
        if isLate { kill(process, SIGKILL) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        if isLate { return .late(seconds: seconds) }
        return status == 0 ? nil : .failed(status: (status >> 8) & 0xff, printed: text.displayed)
    }

    private static func words(_ step: sxs_build_step) -> String {
        switch step {
        case SXS_BUILD_NAMESPACE: "make namespaces"
        case SXS_BUILD_MOUNT: "mount what it sees"
        case SXS_BUILD_EXECUTE: "execute it"
        default: "make a process"
        }
    }
}

/// Why a program that is shut in did not do its work.
public enum ShutInError: Error, Equatable, CustomStringConvertible {
    /// It could not be started.
    case cannotStart(step: String, code: Int32)
    /// It took too long, and was ended.
    case late(seconds: Int)
    /// It failed, or was ended by a signal: 128 and the signal's number.
    case failed(status: Int32, printed: String)

    /// What happened, without the program's name.
    public var description: String {
        switch self {
        case .cannotStart(let step, let code): "cannot \(step): \(Activation.reason(code))"
        case .late(let seconds): "it was ended after \(seconds) s"
        case .failed(let status, let printed):
            "exit status \(status)" + (printed.isEmpty ? "" : ": \(printed)")
        }
    }
}
