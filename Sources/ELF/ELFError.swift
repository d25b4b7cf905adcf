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
    /// An object file, a memory dump or another file that is not linked for running.
    case notLinked
    /// Debugging information that was split off a program: headers without bytes.
    case detachedDebugging
    /// A program or library that asks for no interpreter.
    case noInterpreter
    /// A static program: there is nothing for a loader in it.
    case notDynamic
    /// A static program at any address or glibc's loader, whose code reads its own dynamic section.
    case ownLoader
    /// A string that cannot be in an ELF file there: empty, too long or with a NUL.
    case text(what: String)
    /// A page size that is no power of two, or absurd.
    case pageSize(Int)
    /// What is to be changed does not fit, and cannot be put elsewhere.
    case noRoom(structure: String, reason: String)

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
        case .notLinked:
            return """
                neither a program nor a shared library, but an object file, a kernel module or a memory dump
                hint: only linked files have an interpreter and a search path to change
                """
        case .detachedDebugging:
            return """
                debugging information that was split off a program: it has the headers and none of the bytes
                hint: change the program itself; debuggers find this file by its build ID all the same
                """
        case .noInterpreter:
            return """
                asks for no interpreter: it is a static program or a library
                hint: only programs that are linked dynamically have one to change
                """
        case .notDynamic:
            return """
                has no dynamic section: it is a static program
                hint: only programs and libraries that are linked dynamically have a search path and needed libraries
                """
        case .ownLoader:
            return """
                is its own loader, and crashes if its dynamic section asks for directories or libraries
                hint: nothing is needed: a static program loads no libraries
                """
        case .text(let what):
            return """
                not a usable \(what): it is empty, too long or has a NUL
                hint: an interpreter may have 4095 bytes, a library's name 4096, a search path 1 MiB
                """
        case .pageSize(let size):
            return """
                \(size) bytes are no page size: it is not a power of two up to 1 GiB
                hint: leave it out; the machine's largest is the default
                """
        case .noRoom(let structure, let reason):
            return """
                there is no room for a longer \(structure): \(reason)
                hint: choose a text that is not longer than the present one
                """
        }
    }
}
