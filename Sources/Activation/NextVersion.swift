private import Files
private import Glibc
private import StoreLayout

/// The version of this host that starts next, where that is another one than runs.
public enum NextVersion {
    /// The root directory of the deployment of ostree that starts next; `nil` where it is the one that runs, or the host is none.
    ///
    /// - Throws: ``NextVersionError``, `SystemError`.
    public static func deployment() throws -> String? {
        guard access(PreparationLayout.ostreeBooted, F_OK) == 0 else { return nil }
        guard let ostree = SpawnedProgram.find("ostree") else { throw NextVersionError.noOstree }
        let program = try SpawnedProgram(
            ostree, ["admin", "status"],
            environment: SpawnedProgram.environment(["PATH", "OSTREE_SYSROOT"]) + ["LC_ALL=C"])
        let (status, output, messages) = try program.finish()
        guard status == 0 else {
            throw NextVersionError.failed("ostree admin status", String(decoding: messages, as: UTF8.self))
        }
        return try deployment(in: String(decoding: output, as: UTF8.self)).map {
            PreparationLayout.deployments + "/" + $0
        }
    }

    /// Which deployment starts next, as `ostree admin status` tells it: the first, of which a star says that it runs.
    ///
    /// - Returns: `NAME/deploy/CHECKSUM.N`; `nil` for the one that runs.
    /// - Throws: ``NextVersionError``.
    static func deployment(in text: String) throws(NextVersionError) -> String? {
        for line in text.split(separator: "\n") {
            let words = line.dropFirst(2).split(separator: " ")
            guard words.count > 1, line.hasPrefix("* ") || line.hasPrefix("  "),
                case let parts = words[1].split(separator: "."), parts.count == 2, Int(parts[1]) != nil,
                parts[0].count == 64, parts[0].allSatisfy(\.isHexDigit), !words[0].contains("/")
            else { continue }
            return line.hasPrefix("*") ? nil : "\(words[0])/deploy/\(words[1])"
        }
        throw .failed("ostree admin status", "it lists no deployment")
    }

    /// Calls a closure with the root directory that a partition is, or has the `/usr` of.
    ///
    /// It is mounted read-only where this process alone sees it.
    ///
    /// - Throws: ``NextVersionError``, `NamespaceError`, `SystemError`, and what the closure throws.
    public static func mounting<Result>(
        _ device: String, isUsr: Bool, _ body: (_ root: String) throws -> Result
    ) throws -> Result {
        guard let program = SpawnedProgram.find("mount") else { throw NextVersionError.noMount }
        let place = PreparationLayout.mountPoint
        for directory in [Host.parent(of: place), place] where mkdir(directory, 0o755) != 0 && errno != EEXIST
        {
            throw SystemError("make directory", directory)
        }
        // The mounts end with this process.
        try PrivateNamespace.enter()
        _ = try mountMemory(on: place)
        let root = place + "/root"
        for directory in [root, root + "/usr"] where mkdir(directory, 0o755) != 0 {
            throw SystemError("make directory", directory)
        }
        let target = isUsr ? root + "/usr" : root
        let mounting = try SpawnedProgram(
            program, ["-o", "ro,nosuid,nodev,noexec", device, target],
            environment: SpawnedProgram.environment(["PATH"]) + ["LC_ALL=C"])
        let (status, _, messages) = try mounting.finish()
        guard status == 0 else {
            throw NextVersionError.failed("mount \(device)", String(decoding: messages, as: UTF8.self))
        }
        if isUsr {
            for name in PreparationLayout.usrLinks where access("\(target)/\(name)", F_OK) == 0 {
                _ = symlink("usr/" + name, "\(root)/\(name)")
            }
        }
        return try body(root)
    }
}

/// Why it is not known which version of a host starts next.
public enum NextVersionError: Error, Equatable, CustomStringConvertible {
    /// A host of ostree without its program.
    case noOstree
    /// A host without mount(8).
    case noMount
    /// A program that failed, with what it said.
    case failed(String, String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .noOstree:
            """
            which deployment starts next is not known: the program 'ostree' is not on PATH
            hint: install ostree, or name the deployment's directory with --host
            """
        case .noMount:
            """
            the next version cannot be looked into: the program 'mount' is not on PATH
            hint: mount it, and name the directory with --host
            """
        case .failed(let command, let output):
            """
            which version of this host starts next is not known: '\(command)' failed: \(output.split(separator: "\n").joined(separator: "; ").utf8.displayed)
            hint: run it by hand to see more; 'sxs prepare --host DIR' takes the directory of any version
            """
        }
    }
}
