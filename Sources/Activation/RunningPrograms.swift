private import Files
private import Glibc
private import StoreLayout

/// A process that uses a store path.
public struct StorePathUser: Sendable, Equatable {
    /// The base name of the store path.
    public let baseName: String
    /// The process.
    public let process: Int32
    /// The process's name.
    public let name: String
    /// How it uses it: `runs`, `has open`, ….
    public let use: String
}

/// What the processes of this host use of stores, also in mount namespaces of their own, where the store is elsewhere.
///
/// Source: proc(5).
public struct RunningPrograms: Sendable {
    /// What is used, each store path once per process.
    public private(set) var users: [StorePathUser] = []

    /// Processes of which not everything could be seen, for lack of permission.
    public private(set) var unseen: [Int32] = []

    /// Bytes that are read of a process's maps or environment, at most.
    private static let textLimit = 64 << 20

    /// Mount namespaces whose mounts were looked at.
    private var namespaces: Set<Bytes> = []

    /// Looks at all processes but this one.
    ///
    /// - Throws: `SystemError` where there is no `/proc`.
    public init() throws {
        let all = try Descriptor.directory(Self.directory)
        guard try all.status(of: "self") != nil else {
            throw SystemError("see the running programs in", Self.directory, code: ENOENT)
        }
        for entry in try all.list() {
            guard let process = Int32(entry.text), process != getpid(),
                // One that has ended uses nothing.
                let place = try? all.directory(beneath: entry.text)
            else { continue }
            try look(at: process, place)
        }
    }

    private static let directory = "/proc"

    private mutating func look(at process: Int32, _ place: Descriptor) throws {
        var seen: Set<String> = []
        var isRefused = false
        func enter(_ bytes: Bytes, _ use: String) {
            for baseName in StorePathMention.baseNames(in: bytes) where seen.insert(baseName).inserted {
                // Nearly all processes use none, and need no name.
                let name = (try? place.open(beneath: "comm").readAll(limit: 64)).map {
                    $0.filter { $0 != 0x0a }.displayed
                }
                users.append(
                    StorePathUser(baseName: baseName, process: process, name: name ?? "?", use: use))
            }
        }
        func attempt(_ work: () throws -> Void) throws {
            do {
                try work()
            } catch let error as SystemError {
                switch error.code {
                case EACCES, EPERM: isRefused = true
                // It has ended meanwhile, or is the kernel's own.
                case ENOENT, ESRCH, EINVAL, EIO: break
                // The kernel tells no path that is longer; otherwise any user could keep the store from being collected.
                case ENAMETOOLONG: break
                default: throw error
                }
            }
        }
        var isProgram = true
        try attempt {
            let program = try place.readSymlink("exe")
            if let program { enter(program, "runs") }
            isProgram = program != nil
        }
        // A thread of the kernel's own, or what has ended: about half of all on an idle machine.
        guard isProgram else { return }
        for (link, use) in [("root", "has as its root"), ("cwd", "works in")] {
            try attempt { if let target = try place.readSymlink(link) { enter(target, use) } }
        }
        try attempt { enter(try place.open(beneath: "maps").readAll(limit: Self.textLimit), "has mapped") }
        try attempt {
            let files = try place.directory(beneath: "fd")
            for file in try files.list() {
                try attempt { if let target = try files.readSymlink(file.text) { enter(target, "has open") } }
                // The kernel answers the same for all of a process's.
                if isRefused { break }
            }
        }
        try attempt {
            enter(
                try place.open(beneath: "environ").readAll(limit: Self.textLimit), "names in its environment")
        }
        try attempt {
            enter(try place.open(beneath: "cmdline").readAll(limit: Self.textLimit), "was started with")
        }
        try attempt {
            guard let namespace = try place.readSymlink("ns/mnt"), namespaces.insert(namespace).inserted
            else { return }
            enter(
                try place.open(beneath: "mountinfo").readAll(limit: Self.textLimit), "is where it is mounted")
        }
        if isRefused { unseen.append(process) }
    }
}
