private import CLinux
internal import Files
private import Glibc
private import StoreLayout

/// A launcher: the link `shims/<base name>/<command>` in a root, by which this program was started.
struct LauncherLink {
    /// The root.
    let root: String

    /// The directory in which it is.
    let baseName: String

    /// Its name.
    let command: Bytes

    /// Its description's path, for messages.
    let descriptionPath: String

    /// Its description, open.
    let description: Descriptor

    /// Links to follow at most, as the kernel does.
    private static let longestChain = 40

    /// Finds the launcher in the chain of links from the path of a program to its file; `nil` if there is none.
    ///
    /// - Parameter path: A path as given to execve(2).
    static func find(from path: Bytes) throws -> LauncherLink? {
        var path = path
        for _ in 0..<longestChain {
            if path.first != slash {
                // Only by its absolute path it is seen where a link lies.
                guard let directory = workingDirectory() else { return nil }
                path = directory + [slash] + path
            }
            if let found = try candidate(path) { return found }
            guard let target = readLink(path) else { return nil }
            // A launcher reached through a link to its directory; any other link to the program pays a realpath(3).
            if target.suffix(from: (target.lastIndex(of: slash) ?? -1) + 1).elementsEqual(
                StoreLayout.Name.program.utf8),
                let end = path.lastIndex(of: slash), let directory = resolved(Array(path[..<end])),
                let found = try candidate(directory + path[end...])
            {
                return found
            }
            if target.first == slash {
                path = target
            } else {
                path = path[...(path.lastIndex(of: slash) ?? 0)] + target
            }
            guard path.count < Int(PATH_MAX) else { return nil }
        }
        return nil
    }

    private static let slash = UInt8(ascii: "/")

    /// Looks only at the names first: an ordinary start opens nothing.
    private static func candidate(_ path: Bytes) throws -> LauncherLink? {
        guard let end = path.lastIndex(of: slash), end > 0 else { return nil }
        let command = Array(path[(end + 1)...])
        var directory = Array(path[..<end])
        if directory.last == UInt8(ascii: ".") || directory.last == slash {
            directory = resolved(directory) ?? directory
        }
        guard parentName(directory).elementsEqual(StoreLayout.Name.shims.utf8), !command.isEmpty,
            !command.elementsEqual(StoreLayout.Name.launchDescription.utf8)
        else { return nil }
        guard let directory = resolved(directory),
            parentName(directory).elementsEqual(StoreLayout.Name.shims.utf8)
        else { return nil }
        let parts = directory.split(separator: slash, omittingEmptySubsequences: false)
        let file = String(decoding: directory, as: UTF8.self) + "/" + StoreLayout.Name.launchDescription
        let number = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW)
        guard number >= 0 else {
            if errno == ENOENT { return nil }
            throw SystemError("open", file)
        }
        return LauncherLink(
            root: String(decoding: Array(parts.dropLast(2).joined(separator: [slash])), as: UTF8.self),
            baseName: String(decoding: parts[parts.count - 1], as: UTF8.self), command: command,
            descriptionPath: file, description: Descriptor(taking: number, path: file))
    }

    /// The last component but one.
    private static func parentName(_ directory: Bytes) -> ArraySlice<UInt8> {
        guard let end = directory.lastIndex(of: slash) else { return [] }
        let parent = directory[..<end]
        guard let start = parent.lastIndex(of: slash) else { return parent }
        return parent[(start + 1)...]
    }

    private static func resolved(_ path: Bytes) -> Bytes? {
        guard let resolved = path.withCString({ realpath($0, nil) }) else { return nil }
        defer { free(resolved) }
        return Bytes(bytes(of: resolved))
    }

    private static func workingDirectory() -> Bytes? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress, getcwd(base, buffer.count) != nil else { return nil }
            return Bytes(bytes(of: base))
        }
    }

    private static func readLink(_ path: Bytes) -> Bytes? {
        path.withCString { path in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
                let length = readlink(path, buffer.baseAddress.unsafelyUnwrapped, buffer.count)
                return length > 0 ? buffer[..<length].map { UInt8(bitPattern: $0) } : nil
            }
        }
    }
}
