internal import Files
private import Glibc
internal import StoreLayout

/// Where an exported extension goes: a file or directory, and often a link to it.
struct ExportPlace {
    /// The directory it is in.
    let directory: String
    /// Its name there.
    let name: String
    /// The name of a link to it beside it; `nil` for none.
    let link: String?
    private let isForced: Bool
    private let isVersioned: Bool

    /// The path of what is written.
    var path: String { directory + "/" + name }

    /// Finds the place, and makes directories where they are asked for.
    ///
    /// - Throws: ``ExportError`` where something is in the way, `SystemError`.
    init(_ options: ExportOptions, name: ExportedName, version: PackageVersion, architecture: Architecture)
        throws
    {
        let suffix = options.format.suffix
        let versioned = name.versioned(version, for: architecture) + suffix
        let output = try Session.absolutePath(options.output == "." ? "" : options.output).trimmingSlashes
        (isForced, isVersioned) = (options.isForced, options.isVersioned)
        if options.isVersioned {
            // systemd looks in it for the newest; it stands for the link.
            directory = output + "/" + name.text + suffix + ExtensionLayout.versionsSuffix
            (self.name, link) = (versioned, nil)
            if mkdir(directory, 0o755) != 0 {
                guard errno == EEXIST else { throw SystemError("create directory", directory) }
                // A link that another user made would lead what is written to where he likes.
                var status = stat()
                guard lstat(directory, &status) == 0,
                    status.st_mode & S_IFMT != S_IFLNK || [0, geteuid()].contains(status.st_uid)
                else {
                    throw SystemError("follow another user's link", directory, code: EPERM)
                }
            }
        } else if Self.isDirectory(output), !Self.isNamed(options, name) {
            directory = output
            (self.name, link) = (versioned, name.text + suffix)
            guard !Anchor.searchPath.contains(where: { Self.isSame($0, output) }) else {
                throw ExportError.searchedDirectory(output, file: name.text + suffix)
            }
        } else {
            var parts = output.split(separator: "/", omittingEmptySubsequences: true)
            let file = parts.popLast().map(String.init) ?? ""
            directory = "/" + parts.joined(separator: "/")
            guard file.hasSuffix(suffix), name.isFound(in: String(file.dropLast(suffix.count))) else {
                throw ExportError.unfoundName(file, extensionName: name.text)
            }
            (self.name, link) = (file, nil)
        }
        try check()
    }

    /// Looks whether something is in the way.
    private func check() throws {
        let place = try Descriptor.directory(directory)
        if !isForced, try place.status(of: name) != nil { throw ExportError.exists(path) }
        // A link to another version is what this link is for; anything else is somebody's.
        if let link, let status = try place.status(of: link), status.st_mode & S_IFMT != S_IFLNK, !isForced {
            throw ExportError.exists(directory + "/" + link)
        }
    }

    /// Writes under a name that systemd passes over, and moves the whole thing to its place.
    ///
    /// - Parameter body: Writes at a path at which nothing is.
    func write(_ body: (_ path: String) throws -> Void) throws {
        let place = try Descriptor.directory(directory)
        // Best effort: what another user left in a directory for everybody cannot be removed, and is not in the way.
        try? place.sweepHeldDirectories(prefix: Self.unfinished)
        let (held, area) = try place.makeHeldDirectory(prefix: Self.unfinished)
        defer { withExtendedLifetime(area) {} }
        do {
            try body(directory + "/" + held + "/" + Self.content)
            // A whole directory at once; an image by itself, since others may be writing meanwhile.
            let status = try area.status(of: Self.content)
            let isFile = status.map { $0.st_mode & S_IFMT == S_IFREG } ?? false
            if isFile {
                try area.open(beneath: Self.content).synchronize()
            } else {
                try place.synchronizeFileSystem()
            }
            try moveIntoPlace(from: area, to: place, isFile: isFile)
            if let link {
                if let status = try place.status(of: link), status.st_mode & S_IFMT == S_IFDIR {
                    try place.rename(link, to: area, as: link)
                }
                try place.replaceSymlink(link, target: name.utf8, through: area)
            }
            try place.synchronize()
            try place.removeTree(held)
        } catch {
            // The first error is the one to report; a directory of versions goes only where it is empty.
            try? place.removeTree(held)
            if isVersioned { rmdir(directory) }
            throw error
        }
    }

    /// What the names of unfinished work begin with: the next export into the same directory removes what a crash left.
    private static let unfinished = ".sxs-export."
    private static let content = "content"

    /// Gives what was written its name; a file that is replaced is there all the time.
    private func moveIntoPlace(from area: Descriptor, to place: Descriptor, isFile: Bool) throws {
        guard let status = try place.status(of: name) else {
            return try area.rename(Self.content, to: place, as: name)
        }
        guard isForced else { throw ExportError.exists(path) }
        if isFile, status.st_mode & S_IFMT != S_IFDIR {
            return try area.rename(Self.content, to: place, as: name)
        }
        try place.rename(name, to: area, as: "old")
        do {
            try area.rename(Self.content, to: place, as: name)
        } catch {
            // The first error is the one to report.
            try? area.rename("old", to: place, as: name)
            throw error
        }
    }

    /// Whether the output is named as the extension's own directory, rather than as one to put it into.
    private static func isNamed(_ options: ExportOptions, _ name: ExportedName) -> Bool {
        guard options.format == .dir, !options.output.hasSuffix("/") else { return false }
        return options.output.split(separator: "/").last.map { name.isFound(in: String($0)) } ?? false
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func isSame(_ one: String, _ other: String) -> Bool {
        var (first, second) = (stat(), stat())
        return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev
            && first.st_ino == second.st_ino
    }
}

extension String {
    /// Without slashes at its end.
    fileprivate var trimmingSlashes: String {
        var text = self
        while text.count > 1, text.hasSuffix("/") { text.removeLast() }
        return text
    }
}
