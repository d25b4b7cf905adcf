/// The paths that are built into a loader (the program that other programs' `PT_INTERP` names).
///
/// Each may be the tail of a longer string or have one as its tail: ask ``ELFFile/references(into:)``
/// before changing it.
public struct LoaderStrings: Hashable, Sendable {
    /// What a path is for.
    public enum Kind: Hashable, Sendable {
        /// glibc: the cache of libraries, `/etc/ld.so.cache`.
        case cache
        /// glibc: the list of libraries to load first, `/etc/ld.so.preload`.
        case preload
        /// glibc: one of the directories searched last, with a `/` at its end.
        case systemDirectory
        /// musl: the file with the directories to search, `%.*s/etc/ld-musl-x86_64.path`.
        ///
        /// The format stands for the parent of the directory that the loader was started from; a plain path may
        /// take the place of all of it. Old versions have a plain path.
        case pathFile
        /// musl: the directories searched when that file is absent, separated by `:`.
        case defaultPath
    }

    /// A path in the file.
    public struct Site: Hashable, Sendable {
        /// What it is for.
        public let kind: Kind
        /// Where it begins in the file, in bytes.
        public let offset: Int
        /// Its bytes, without the NUL.
        public let bytes: [UInt8]

        /// Bytes of the path, without the NUL.
        public var length: Int { bytes.count }
        /// The path as text.
        public var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// Whose loader it is.
    public enum Library: Hashable, Sendable {
        case glibc, musl
    }

    /// Whose loader it is.
    public let library: Library
    /// The paths, ascending by offset.
    public let sites: [Site]

    /// Finds a loader's paths; nil when the file is no loader.
    ///
    /// A loader is known by its name for linking: glibc's `ld-linux….so.N`, `ld64.so.N`, `ld.so.N`; musl's
    /// `libc.musl-….so.1`, `ld-musl-….so.1`, or `libc.so`, which is told by the name of its path file.
    public init?(_ file: ELFFile) {
        // musl as it is made by default has no name at all.
        let soname = file.dynamic?.soname?.text ?? ""
        let glibc = ["ld-linux", "ld64.so.", "ld.so.", "ld-2."].contains { soname.hasPrefix($0) }
        let musl = ["ld-musl-", "libc.musl-"].contains { soname.hasPrefix($0) }
        guard file.type == .dynamic, file.dynamic != nil, file.interpreter == nil,
            glibc || musl || soname == "libc.so" || soname.isEmpty
        else { return nil }
        let search = Search(file)
        var sites: [Site]
        if glibc {
            library = .glibc
            sites = search.whole("/etc/ld.so.cache", as: .cache)
            sites += search.whole("/etc/ld.so.preload", as: .preload)
            sites += search.directories()
        } else {
            library = .musl
            sites = search.beginning("/etc/ld-musl-", after: "%.*s", as: .pathFile)
            guard !sites.isEmpty else { return nil }
            sites += search.whole("/lib:/usr/local/lib:/usr/lib", as: .defaultPath)
        }
        self.sites = sites.sorted { $0.offset < $1.offset }
    }
}

/// A search among a file's strings.
private struct Search {
    let view: ByteView
    let ranges: [Range<Int>]
    private let starts: Set<Int>

    /// Where strings may be: the data, or what is executed too in a file that keeps both together.
    init(_ file: ELFFile) {
        view = file.view
        let data = file.regions.ranges(of: .data)
        ranges = file.sections.isEmpty ? data + file.regions.ranges(of: .code) : data
        starts = Set(ranges.map(\.lowerBound))
    }

    private func site(_ offset: Int, _ range: Range<Int>, _ kind: LoaderStrings.Kind) -> LoaderStrings.Site? {
        guard let bytes = view.string(at: offset, before: range.upperBound, longest: 4096) else { return nil }
        return LoaderStrings.Site(kind: kind, offset: offset, bytes: bytes)
    }

    /// Strings that are `text`; those that end with it too when no string is just that.
    func whole(_ text: String, as kind: LoaderStrings.Kind) -> [LoaderStrings.Site] {
        let found = find(Array(text.utf8) + [0], kind)
        let exact = found.filter { isStart($0.offset) }
        return exact.isEmpty ? found : exact
    }

    /// Strings that begin with `text`, perhaps after `prefix`.
    func beginning(
        _ text: String, after prefix: String, as kind: LoaderStrings.Kind
    ) -> [LoaderStrings.Site] {
        let longer = find(Array((prefix + text).utf8), kind)
        return (longer + find(Array(text.utf8), kind)).filter { isStart($0.offset) }
    }

    private func find(_ pattern: [UInt8], _ kind: LoaderStrings.Kind) -> [LoaderStrings.Site] {
        ranges.flatMap { range in
            view.occurrences(of: pattern, in: range, limit: 64).compactMap { site($0, range, kind) }
        }
    }

    private func isStart(_ offset: Int) -> Bool {
        offset == 0 || view.bytes[offset - 1] == 0 || starts.contains(offset)
    }

    /// Runs of two strings and more, one right after the other, that are all absolute and end with `/`.
    func directories() -> [LoaderStrings.Site] {
        var result: [LoaderStrings.Site] = []
        for range in ranges {
            var next = range.lowerBound
            for hit in view.occurrences(of: [0x2f, 0, 0x2f], in: range, limit: 1024) where hit >= next {
                var start = hit
                while start > next, isPathByte(view.bytes[start - 1]) { start -= 1 }
                var run: [LoaderStrings.Site] = []
                while view.matches([0x2f], at: start), let found = site(start, range, .systemDirectory),
                    found.bytes.last == 0x2f, found.bytes.allSatisfy(isPathByte), found.length > 1
                {
                    run.append(found)
                    start += found.length + 1
                }
                next = max(start, hit + 1)
                let isLibraries = run.contains { $0.text.hasPrefix("/lib") || $0.text.contains("/lib") }
                if run.count >= 2, isLibraries { result += run }
            }
        }
        return result
    }

    private func isPathByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2b, 0x2d, 0x2e, 0x2f, 0x5f: true
        default: false
        }
    }
}
