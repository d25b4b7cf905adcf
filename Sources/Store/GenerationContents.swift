internal import Files
internal import Glibc

/// What a generation shows, as its file `packages` has it.
///
/// The text stays as it is, and only what is asked for is read: of a thousand packages most changes touch one.
public struct GenerationContents: Sendable {
    private let text: Bytes
    private let path: String
    /// Where the lines of packages begin.
    private let start: Int
    /// The extensions that are merged over `/usr` while it is the active one, sorted by name.
    public let extensions: [GenerationExtension]

    /// Takes the text of a file; `nil` where that is cut off or another one's.
    init?(_ text: Bytes, path: String) {
        let head = text.withUnsafeBytes { bytes -> (Int, [GenerationExtension])? in
            guard let first = GenerationListing.start(of: bytes) else { return nil }
            var start = first
            // Extensions come before all packages.
            UnsafeRawBufferPointer(rebasing: bytes[first...]).forEachLine { line in
                guard !GenerationListing.isPackage(line, at: 0) else { return false }
                start += line.count + 1
                return true
            }
            let lines = UnsafeRawBufferPointer(rebasing: bytes[first..<start])
            return GenerationListing.parse(lines: lines).map { (start, $0.extensions) }
        }
        guard let head else { return nil }
        (start, extensions) = head
        self.text = text
        self.path = path
    }

    /// The packages, with what is shown of them.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)``.
    public func packages() throws -> [GenerationPackage] {
        try withPackages { try packages($0) }
    }

    /// Names of the commands, as many packages show them.
    public func commands() -> [String] {
        var names: [String] = []
        withPackages { lines in
            lines.forEachLine { line in
                if let name = GenerationListing.command(line) { names.append(name) }
                return true
            }
        }
        return names
    }

    /// Whether there is a command.
    public var hasCommands: Bool { has { GenerationListing.command($0) != nil } }

    /// Whether there is anything for the host's own tools.
    public var isForSystem: Bool { has(GenerationListing.isSystem) }

    /// Base names of packages that one of two generations has and the other one has not, or shows in another way.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)``; of packages that both have, the text is not looked at.
    public func difference(from old: GenerationContents) throws -> (gone: [String], new: [String]) {
        try old.withPackages { left in
            try withPackages { right in
                let (gone, new) = Self.changes(from: left, to: right)
                // Where one has more than the other, names are enough.
                if gone.isEmpty || new.isEmpty { return (gone.flatMap(Self.names), new.flatMap(Self.names)) }
                return (
                    try gone.flatMap { try old.packages($0) }.map(\.baseName),
                    try new.flatMap { try packages($0) }.map(\.baseName)
                )
            }
        }
    }

    /// Packages that one of two generations has and the other one has not, or shows in another way.
    ///
    /// - Throws: As ``difference(from:)``.
    func changes(
        from old: GenerationContents
    ) throws -> (gone: [GenerationPackage], new: [GenerationPackage]) {
        try old.withPackages { left in
            try withPackages { right in
                let (gone, new) = Self.changes(from: left, to: right)
                return (try gone.flatMap { try old.packages($0) }, try new.flatMap { try packages($0) })
            }
        }
    }

    /// Bytes that say what one of two generations shows and the other one does not, of the one where these are more.
    func distance(from old: GenerationContents) -> Int {
        old.withPackages { left in
            withPackages { right in
                let (gone, new) = Self.changes(from: left, to: right)
                return max(gone.reduce(0) { $0 + $1.count }, new.reduce(0) { $0 + $1.count })
            }
        }
    }

    /// Bytes that say what its packages show.
    var size: Int { text.count - start }

    /// Base names of the packages.
    public func packageNames() -> [String] { withPackages(Self.names) }

    private static func names(_ lines: UnsafeRawBufferPointer) -> [String] {
        var names: [String] = []
        lines.forEachLine { line in
            if let name = GenerationListing.package(line) { names.append(name) }
            return true
        }
        return names
    }

    /// What two texts say of one package each that is not the same in both, in their order.
    private static func changes(
        from left: UnsafeRawBufferPointer, to right: UnsafeRawBufferPointer
    ) -> (gone: [UnsafeRawBufferPointer], new: [UnsafeRawBufferPointer]) {
        let (left, right) = differing(left, right)
        let (before, after) = (entries(left), entries(right))
        // What is between the first difference and the last is mostly the same, perhaps in another place.
        let (known, kept) = (Set(before), Set(after))
        return (
            before.filter { !kept.contains($0) }.map(\.lines),
            after.filter { !known.contains($0) }.map(\.lines)
        )
    }

    /// The lines of one package.
    private struct Entry: Hashable {
        let lines: UnsafeRawBufferPointer

        static func == (left: Entry, right: Entry) -> Bool {
            guard left.lines.count == right.lines.count else { return false }
            guard let a = left.lines.baseAddress, let b = right.lines.baseAddress else { return true }
            return memcmp(a, b, left.lines.count) == 0
        }

        func hash(into hasher: inout Hasher) { hasher.combine(bytes: lines) }
    }

    /// The lines of packages, each for itself.
    private static func entries(_ lines: UnsafeRawBufferPointer) -> [Entry] {
        var entries: [Entry] = []
        var (start, place) = (0, 0)
        lines.forEachLine { line in
            if place > start, GenerationListing.isPackage(line, at: 0) {
                entries.append(Entry(lines: UnsafeRawBufferPointer(rebasing: lines[start..<place])))
                start = place
            }
            place += line.count + 1
            return true
        }
        if start < lines.count {
            entries.append(Entry(lines: UnsafeRawBufferPointer(rebasing: lines[start...])))
        }
        return entries
    }

    /// The lines of two texts without those of packages that are the same at their beginnings, and at their ends.
    private static func differing(
        _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer
    ) -> (UnsafeRawBufferPointer, UnsafeRawBufferPointer) {
        let least = min(left.count, right.count)
        var first = same(left, right, least)
        while first > 0, !isBoundary(left, first) || !isBoundary(right, first) { first -= 1 }
        var last = 0
        while last < least - first, left[left.count - 1 - last] == right[right.count - 1 - last] { last += 1 }
        while last > 0, !isBoundary(left, left.count - last) || !isBoundary(right, right.count - last) {
            last -= 1
        }
        return (
            UnsafeRawBufferPointer(rebasing: left[first..<(left.count - last)]),
            UnsafeRawBufferPointer(rebasing: right[first..<(right.count - last)])
        )
    }

    /// How many bytes two texts begin with in common.
    private static func same(
        _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, _ limit: Int
    ) -> Int {
        var count = 0
        guard let a = left.baseAddress, let b = right.baseAddress else { return 0 }
        // Whole pieces first: memcmp compares many bytes at once.
        while limit - count >= piece, memcmp(a + count, b + count, piece) == 0 { count += piece }
        while count < limit, left[count] == right[count] { count += 1 }
        return count
    }

    private static let piece = 1024

    /// Whether a place is between two packages, or at an end.
    private static func isBoundary(_ text: UnsafeRawBufferPointer, _ place: Int) -> Bool {
        guard place > 0, place < text.count else { return true }
        return text[place - 1] == UInt8(ascii: "\n") && GenerationListing.isPackage(text, at: place)
    }

    private func packages(_ lines: UnsafeRawBufferPointer) throws -> [GenerationPackage] {
        guard let content = GenerationListing.parse(lines: lines), content.extensions.isEmpty else {
            throw GenerationListing.damaged(path)
        }
        return content.packages
    }

    private func has(_ isWanted: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        var isFound = false
        withPackages { lines in
            lines.forEachLine { line in
                isFound = isWanted(line)
                return !isFound
            }
        }
        return isFound
    }

    private func withPackages<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try text.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    }
}
