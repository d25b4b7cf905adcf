internal import ELF
internal import Files
internal import Glibc
internal import StoreLayout

/// The shared libraries of a host, as its loader would find them.
struct HostLibraries {
    private let host: HostTree
    private let architecture: Architecture
    private let cache: LoaderCache?

    /// Reads the list of libraries that the host's loader has.
    init(of host: HostTree, architecture: Architecture) throws {
        self.host = host
        self.architecture = architecture
        let file = try host.open("etc/ld.so.cache")
        // A host without the list, or with a damaged one, still has its loader's own directories.
        cache = file.flatMap { try? LoaderCache(parsing: $0.readAll()) }
    }

    /// Directories that loaders search by themselves, and those of Debian's architectures.
    private var directories: [TreePath] {
        let triplet =
            switch architecture {
            case .x86_64: "x86_64-linux-gnu"
            case .x86: "i386-linux-gnu"
            case .arm64: "aarch64-linux-gnu"
            case .arm: "arm-linux-gnueabihf"
            case .riscv64: "riscv64-linux-gnu"
            case .ppc64le: "powerpc64le-linux-gnu"
            case .s390x: "s390x-linux-gnu"
            case .loongarch64, .any: "loongarch64-linux-gnu"
            }
        return ["lib/\(triplet)", "usr/lib/\(triplet)", "lib64", "usr/lib64", "lib", "usr/lib"].compactMap {
            try? TreePath(parsing: $0.utf8)
        }
    }

    /// The file of a library for the architecture; `nil` where the host has none.
    func find(_ name: String) throws -> Descriptor? {
        var places = directories.map { $0.appending(name.utf8) }
        for entry in cache?.entries ?? [] where entry.entry.soname.elementsEqual(name.utf8) {
            if let path = try? TreePath(parsing: entry.entry.path.drop { $0 == UInt8(ascii: "/") }) {
                places.append(path)
            }
        }
        for place in places {
            // Links in a circle lead to no library.
            guard let file = try? host.open(place), try file.status().st_mode & S_IFMT == S_IFREG else {
                continue
            }
            var head = Bytes(repeating: 0, count: 64)
            let count = try head.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
            if ELFFile.architectureName(ofHead: Bytes(head.prefix(count))) == architecture.rawValue {
                return file
            }
        }
        return nil
    }

    /// The symbol versions that a library defines.
    static func definitions(of file: Descriptor) throws -> Set<String> {
        let mapped = try MappedFile(file)
        return withExtendedLifetime(mapped) {
            // A damaged library defines nothing.
            Set((try? ELFFile(parsing: mapped.bytes).versionDefinitions) ?? [])
        }
    }
}
