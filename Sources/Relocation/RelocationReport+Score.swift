public import Files

extension RelocationReport {
    /// What a left path, or a missing file, means for who runs the program.
    public enum Severity: String, Codable, Sendable, CaseIterable, Comparable {
        /// A program or library does not start, or runs with the host's loader or interpreter.
        case severe
        /// A program reads the host's file, or finds none.
        case matters
        /// Hardly ever seen: a directory that every host has, or bytes that no program takes a path from.
        case slight

        /// How much one occurrence counts in the score.
        public var weight: Int {
            switch self {
            case .severe: 1000
            case .matters: 100
            case .slight: 1
            }
        }

        /// Severe is the greatest.
        public static func < (left: Severity, right: Severity) -> Bool { left.weight < right.weight }
    }

    /// Directories that every host has, and that programs list or prepend rather than read.
    private static let everywhere: Set<String> = [
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/etc", "/usr/bin", "/usr/sbin",
        "/usr/games", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share", "/usr/include",
    ]

    /// The part of all paths that were moved, in percent, each counted by what leaving it means.
    ///
    /// 100 only where nothing was left; rounded down to tenths, so that one path left is never rounded away. An
    /// image in which there was nothing to move has 100.
    public var score: Double {
        let moved = files.reduce(0) { $0 + $1.movedWeight }
        let left = files.reduce(0) { $0 + $1.weight }
        guard left > 0 else { return 100 }
        return Double(moved * 1000 / (moved + left)) / 10
    }

    /// Files with something severe, sorted by path.
    public var severeFiles: [File] { files.filter { $0.severity == .severe } }

    /// Files in which something was left or that miss something, the worst first.
    ///
    /// What is severe comes first, then what weighs most.
    public var worstFiles: [File] {
        files.map { (file: $0, isSevere: $0.severity == .severe ? 1 : 0, weight: $0.weight) }
            .filter { $0.weight > 0 }
            .sorted { ($1.isSevere, $1.weight, $0.file.path) < ($0.isSevere, $0.weight, $1.file.path) }
            .map(\.file)
    }
}

extension RelocationReport.Action {
    /// What it would have meant had the path been left; `nil` where no path was rewritten.
    var severity: RelocationReport.Severity? {
        switch self {
        case .interpreter, .loader, .searchPath, .shebang: .severe
        case .aliased, .storePath, .symlink: .matters
        case .bytecode: nil
        }
    }
}

extension RelocationReport.Left {
    /// What it means that this path was left.
    public var severity: RelocationReport.Severity {
        switch reason {
        case .shortInterpreter, .longShebang, .damaged: .severe
        case .compressed, .sealed, .distant, .hint: .slight
        case .tooShort, .interior, .code, .format, .architecture:
            RelocationReport.isEverywhere(path) ? .slight : .matters
        }
    }
}

extension RelocationReport.File {
    /// The worst of what was left or is missing; `nil` where nothing is.
    public var severity: RelocationReport.Severity? {
        findings.values.contains { !$0.isEmpty } ? .severe : left.map(\.severity).max()
    }

    /// How much was left, each occurrence weighed.
    public var weight: Int {
        left.reduce(0) { $0 + $1.count * $1.severity.weight }
            + findings.values.reduce(0) { $0 + $1.count * RelocationReport.Severity.severe.weight }
    }

    /// How much was moved, weighed alike.
    var movedWeight: Int {
        done.reduce(0) { $0 + $1.value * ($1.key.severity?.weight ?? 0) }
    }
}

extension RelocationReport {
    /// Whether a path is a directory that every host has, such as `/usr/lib`.
    public static func isEverywhere(_ path: String) -> Bool {
        everywhere.contains(path.hasSuffix("/") ? String(path.dropLast()) : path)
    }

    /// Whether a path is the host's by the rules, whatever the image has: `/bin/sh`, `/usr/local`, most of `/etc`.
    public static func isHosts(_ path: Bytes) -> Bool { PathRules.isHost(path) }
}
