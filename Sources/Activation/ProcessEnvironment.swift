private import CLinux
public import Files

/// The environment of a program, as bytes.
public struct ProcessEnvironment: Equatable, Sendable {
    /// Where programs are sought if nothing says so.
    static let defaultSearchPath = Bytes("/usr/local/bin:/usr/bin:/bin".utf8)

    /// Where data is sought if nothing says so.
    static let defaultDataPath = Bytes("/usr/local/share:/usr/share".utf8)

    /// The entries, mostly `NAME=value`, in order.
    public private(set) var entries: [Bytes]

    /// Creates an environment of entries.
    public init(entries: [Bytes]) {
        self.entries = entries
    }

    /// The environment of this process.
    public static var current: ProcessEnvironment {
        ProcessEnvironment(entries: sxs_environ().map(strings) ?? [])
    }

    /// The strings of a list that ends with NULL.
    static func strings(_ list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> [Bytes] {
        var strings: [Bytes] = []
        var next = list
        while let string = next.pointee {
            strings.append(Bytes(bytes(of: string)))
            next += 1
        }
        return strings
    }

    /// The value of a variable: the first, as for getenv(3).
    public subscript(name: String) -> Bytes? {
        index(of: Array(name.utf8)).map { Array(entries[$0].dropFirst(name.utf8.count + 1)) }
    }

    /// Sets a variable that is not there yet.
    public mutating func setDefault(_ name: Bytes, _ value: Bytes) {
        if index(of: name) == nil { entries.append(name + [UInt8(ascii: "=")] + value) }
    }

    /// Sets a variable.
    public mutating func set(_ name: Bytes, _ value: Bytes) {
        let entry = name + [UInt8(ascii: "=")] + value
        if let index = index(of: name) { entries[index] = entry } else { entries.append(entry) }
    }

    /// Appends directories to a variable that lists directories, each once.
    ///
    /// - Parameters:
    ///   - directories: Absolute paths.
    ///   - name: The variable.
    ///   - unset: The list it stands for where it is not set.
    public mutating func append(_ directories: [Bytes], to name: String, unset: Bytes) {
        guard !directories.isEmpty else { return }
        let colon = UInt8(ascii: ":")
        var list = self[name] ?? unset
        var known = list.split(separator: colon, omittingEmptySubsequences: false).map { Array($0) }
        // A short list, and no set: see LaunchDescription.commands.
        for directory in directories where !known.contains(directory) {
            known.append(directory)
            list += [colon] + directory
        }
        set(Array(name.utf8), list)
    }

    /// Appends directories to `PATH`: what the host has comes first.
    public mutating func appendSearchPath(_ directories: [Bytes]) {
        append(directories, to: "PATH", unset: Self.defaultSearchPath)
    }

    /// Appends directories to `XDG_DATA_DIRS`: what the host has comes first.
    ///
    /// Source: XDG Base Directory Specification: empty, it stands for the same as if it were not set.
    public mutating func appendDataPath(_ directories: [Bytes]) {
        guard !directories.isEmpty else { return }
        if self["XDG_DATA_DIRS"] == [] { set(Array("XDG_DATA_DIRS".utf8), Self.defaultDataPath) }
        append(directories, to: "XDG_DATA_DIRS", unset: Self.defaultDataPath)
    }

    private func index(of name: Bytes) -> Int? {
        entries.firstIndex {
            $0.count > name.count && $0[name.count] == UInt8(ascii: "=") && $0.starts(with: name)
        }
    }
}

/// The bytes of a C string.
func bytes(of string: UnsafePointer<CChar>) -> UnsafeRawBufferPointer {
    var length = 0
    while string[length] != 0 { length += 1 }
    return UnsafeRawBufferPointer(start: string, count: length)
}
