extension ELFFile {
    /// Definitions, libraries and versions of one that are read: more than any file has.
    private static let mostVersions: UInt64 = 16_384

    /// The symbol versions that a library defines, such as `GLIBC_2.36`, without the one that names the library.
    ///
    /// A damaged table ends where it can no longer be read.
    ///
    /// Source: LSB Core Specification 5.0, "Symbol Versioning"; `elf/elf.h`, glibc 2.41.
    public var versionDefinitions: [String] {
        guard let dynamic, let strings = dynamic.strings, var offset = dynamic.definitions else { return [] }
        var found: [String] = []
        for _ in 0..<min(dynamic.definitionCount, Self.mostVersions) {
            guard let flags = view.read(UInt16.self, at: offset + 2),
                let names = view.read(UInt32.self, at: offset + 12),
                let next = view.read(UInt32.self, at: offset + 16)
            else { break }
            // The first name is the definition's own, others are those it is based on. 1 is VER_FLG_BASE.
            if flags & 1 == 0, let name = name(at: offset + Int(names), in: strings) { found.append(name) }
            guard next > 0 else { break }
            offset += Int(next)
        }
        return found
    }

    /// The symbol versions that a file needs, by the library that is to define them; those that it can do without
    /// (weak ones) are left out.
    ///
    /// A damaged table ends where it can no longer be read.
    public var versionRequirements: [String: [String]] {
        guard let dynamic, let strings = dynamic.strings, var offset = dynamic.requirements else {
            return [:]
        }
        var found: [String: [String]] = [:]
        var left = Self.mostVersions
        for _ in 0..<min(dynamic.requirementCount, Self.mostVersions) {
            guard let count = view.read(UInt16.self, at: offset + 2),
                let library = name(at: offset + 4, in: strings),
                let first = view.read(UInt32.self, at: offset + 8),
                let next = view.read(UInt32.self, at: offset + 12)
            else { break }
            var entry = offset + Int(first)
            for _ in 0..<count where left > 0 {
                left -= 1
                guard let flags = view.read(UInt16.self, at: entry + 4),
                    let following = view.read(UInt32.self, at: entry + 12)
                else { break }
                // 2 is VER_FLG_WEAK.
                if flags & 2 == 0, let version = name(at: entry + 8, in: strings) {
                    found[library, default: []].append(version)
                }
                guard following > 0 else { break }
                entry += Int(following)
            }
            guard next > 0 else { break }
            offset += Int(next)
        }
        return found
    }

    /// The string whose offset in the string table is at an offset of the file.
    private func name(at offset: Int, in strings: Range<Int>) -> String? {
        guard let name = view.read(UInt32.self, at: offset),
            let bytes = view.string(
                at: strings.lowerBound + Int(name), before: strings.upperBound,
                longest: DynamicInfo.longestName)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
