public import Files
private import Glibc
private import StoreLayout

/// Why a program does not start.
public enum LaunchError: Error, Equatable, CustomStringConvertible {
    /// execve(2) failed.
    case cannotExecute(program: Bytes, code: Int32)

    /// The description has no command of the launcher's name.
    case noCommand(String, file: String)

    /// The description beside the launcher is another store path's.
    case foreignDescription(file: String, baseName: String)

    /// A hint forbids the namespace that the program would need.
    case namespaceForbidden(program: Bytes, root: String)

    /// The status to exit with, as shells have it: 127 for what is not found, else 126.
    public var exitStatus: Int32 {
        switch self {
        case .cannotExecute(_, ENOENT), .noCommand: 127
        case .cannotExecute, .foreignDescription, .namespaceForbidden: 126
        }
    }

    /// What cannot run, why, and what to do.
    public var description: String {
        switch self {
        case .cannotExecute(let program, let code):
            """
            cannot run \(program.displayed): \(Self.reason(program, code))
            hint: \(Self.hint(program, code))
            """
        case .noCommand(let name, let file):
            """
            '\(name)' is no command of the package: \(file) does not name it
            hint: install the package again
            """
        case .namespaceForbidden(let program, let root):
            """
            cannot run \(program.displayed): its hint says 'namespace never', and \(StoreLayout.storeDirectory) is not \
            \(root)/\(StoreLayout.Name.store) here
            hint: as root, make \(StoreLayout.storeDirectory) a link to \(root)/\(StoreLayout.Name.store) and \
            \(StoreLayout.aliasDirectory) one to \(root)/\(StoreLayout.Name.aliases), or run it in 'sxs shell'
            """
        case .foreignDescription(let file, let baseName):
            """
            \(file) describes another package, \(baseName)
            hint: the store is damaged; install the package again
            """
        }
    }

    private static func isStored(_ program: Bytes) -> Bool {
        program.starts(with: (StoreLayout.storeDirectory + "/").utf8)
    }

    /// Where the store path of a program leads, if it is in another store that is not there.
    private static func base(of program: Bytes) -> String? {
        let inner = program.dropFirst(StoreLayout.storeDirectory.utf8.count + 1).prefix { $0 != 0x2f }
        let path = Array((StoreLayout.storeDirectory + "/").utf8) + inner
        guard isStored(program), !isThere(path) else { return nil }
        let store = try? Descriptor.directory(StoreLayout.storeDirectory)
        return (try? store?.readSymlink(String(decoding: inner, as: UTF8.self)))?.displayed
    }

    private static func isThere(_ program: Bytes) -> Bool {
        program.withCString { access($0, F_OK) == 0 }
    }

    private static func reason(_ program: Bytes, _ code: Int32) -> String {
        switch code {
        case ENOENT where isThere(program): "its interpreter is not there"
        case ENOEXEC: "it is no program for this machine, nor a script with a '#!' line"
        default: Activation.reason(code)
        }
    }

    private static func hint(_ program: Bytes, _ code: Int32) -> String {
        switch code {
        case ENOENT where isThere(program): "install the package again, and look at 'sxs report' for it"
        case ENOENT where base(of: program) != nil:
            "the package is in another store, and \(base(of: program) ?? "") is not there: mount that store, or install the package again"
        case ENOENT where isStored(program): "the package was removed or is damaged; install it again"
        case ENOENT: "check its spelling; it is sought in PATH, and 'sxs list' shows what is installed"
        case ENOEXEC: "install the package for this architecture"
        case EACCES, EPERM:
            "the file must be executable, and the file system of the store not mounted with 'noexec'"
        case E2BIG: "the arguments and environment are too long; pass fewer"
        case ENOMEM: "memory is used up; end some programs"
        default: "run 'sxs verify' to see whether the store is whole"
        }
    }
}
