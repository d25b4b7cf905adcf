extension ELFFile {
    /// Definitions that are read: more than any library has.
    private static let mostDefinitions: UInt64 = 16_384

    /// The symbol versions that a library defines, such as `GLIBC_2.36`, without the one that names the library.
    ///
    /// A damaged table ends where it can no longer be read.
    ///
    /// Source: LSB Core Specification 5.0, "Symbol Versioning"; `elf/elf.h`, glibc 2.41.
    public var versionDefinitions: [String] {
        guard let dynamic, let strings = dynamic.strings, var offset = dynamic.definitions else { return [] }
        var found: [String] = []
        for _ in 0..<min(dynamic.definitionCount, Self.mostDefinitions) {
            guard let flags = view.read(UInt16.self, at: offset + 2),
                let names = view.read(UInt32.self, at: offset + 12),
                let next = view.read(UInt32.self, at: offset + 16)
            else { break }
            // The first name is the definition's own, others are those it is based on. 1 is VER_FLG_BASE.
            if flags & 1 == 0, let name = view.read(UInt32.self, at: offset + Int(names)),
                let bytes = view.string(
                    at: strings.lowerBound + Int(name), before: strings.upperBound,
                    longest: DynamicInfo.longestName)
            {
                found.append(String(decoding: bytes, as: UTF8.self))
            }
            guard next > 0 else { break }
            offset += Int(next)
        }
        return found
    }
}
