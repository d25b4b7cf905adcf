/// Why bytes are not a usable ELF file or loader cache.
public enum ELFError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The first four bytes are not ELF's.
    case notELF
    /// A header field has a value that has no meaning.
    case field(name: String, value: UInt64, offset: Int)
    /// A structure does not fit in the file.
    case outside(structure: String, offset: UInt64, size: UInt64, fileSize: Int)
    /// A structure lies over another of its kind.
    case overlap(structure: String, offset: UInt64)
    /// A string has no end, or is longer than any loader takes.
    case string(structure: String, offset: UInt64)
    /// There are more entries than any loader would take.
    case tooMany(structure: String, limit: Int)
    /// Not a cache of glibc's loader.
    case notLoaderCache
    /// No flags are known by which the loader would take libraries of this machine.
    case cacheMachine(Machine)
    /// A name or path that cannot be in a loader cache.
    case cacheEntry(soname: String)

    /// What is wrong, where, and what to do.
    public var description: String {
        let damaged = "\nhint: the file is damaged or cut short; fetch the image again"
        switch self {
        case .notELF:
            return "not an ELF file: it does not begin with 0x7f 'ELF'\nhint: only ELF programs can be read"
        case .field(let name, let value, let offset):
            return "the ELF field \(name) at byte \(offset) is \(value), which has no meaning" + damaged
        case .outside(let structure, let offset, let size, let fileSize):
            return
                "the \(structure) at byte \(offset), \(size) bytes long, is not within the file's \(fileSize) bytes"
                + damaged
        case .overlap(let structure, let offset):
            return "the \(structure) at byte \(offset) lies over another" + damaged
        case .string(let structure, let offset):
            return "the string at byte \(offset) of the \(structure) has no end within its limits" + damaged
        case .tooMany(let structure, let limit):
            return "the \(structure) has more than \(limit) entries" + damaged
        case .notLoaderCache:
            return """
                not a cache of glibc's loader: it begins neither with 'glibc-ld.so.cache1.1' nor 'ld.so-1.7.0'
                hint: make one with 'ldconfig -C FILE'
                """
        case .cacheMachine(let machine):
            return """
                glibc's loader cache has no known flags for \(machine)
                hint: use an image for another architecture
                """
        case .cacheEntry(let soname):
            return """
                the library '\(soname)' cannot be in a loader cache: its name or path is empty, too long or has a NUL
                hint: rename the library in the image
                """
        }
    }
}
