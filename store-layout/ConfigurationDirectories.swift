public import Files
private import Glibc

/// Files of one kind in several directories: of those with one name, the first directory's counts.
///
/// An empty file, or a link to `/dev/null`, hides those after it.
///
/// Source: UAPI.6 Configuration Files Specification.
public struct ConfigurationDirectories: Sendable {
    /// A file that counts.
    public struct File: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// The number of its directory.
        public let directory: Int
        /// Where it is.
        public let path: String
        /// What it has; `nil` where it hides others.
        public let contents: Bytes?
    }

    /// The directories, as absolute paths: the first goes before the others.
    public let directories: [String]

    /// Looks in directories, which need not be there.
    public init(_ directories: [String]) { self.directories = directories }

    /// The files that count, by the bytes of their names; also those that hide others.
    ///
    /// - Parameters:
    ///   - suffix: Ends the names of files of the kind.
    ///   - limit: Bytes of a file that are read.
    /// - Throws: `SystemError` for one that cannot be read.
    public func files(suffix: String, limit: Int) throws -> [File] {
        var found: [String: File] = [:]
        for (number, directory) in directories.enumerated() {
            for name in try Self.names(in: directory)
            where name.hasSuffix(suffix) && !name.hasPrefix(".") && found[name] == nil {
                found[name] = try Self.file(name, directory, number, limit: limit)
            }
        }
        return found.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// The file of a name that counts; `nil` where no directory has one.
    public func file(_ name: String, limit: Int) throws -> File? {
        for (number, directory) in directories.enumerated() {
            if let file = try Self.file(name, directory, number, limit: limit) { return file }
        }
        return nil
    }

    private static func names(in directory: String) throws -> [String] {
        do {
            return try Descriptor.directory(directory).list().map(\.text)
        } catch let error as SystemError where [ENOENT, ENOTDIR].contains(error.code) {
            return []
        }
    }

    private static func file(
        _ name: String, _ directory: String, _ number: Int, limit: Int
    ) throws -> File? {
        let path = directory + "/" + name
        // Not to wait for the other end of a named pipe.
        let opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard opened >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw SystemError("open", path)
        }
        let file = Descriptor(taking: opened, path: path)
        let isPlain = try file.status().st_mode & S_IFMT == S_IFREG
        let bytes = isPlain ? try file.readAll(limit: limit) : []
        return File(name: name, directory: number, path: path, contents: bytes.isEmpty ? nil : bytes)
    }
}
