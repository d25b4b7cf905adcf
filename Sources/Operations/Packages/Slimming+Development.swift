internal import Files

extension Slimming {
    /// Files for building, by the programs that read them: where one of these is in the tree, they stay.
    enum DevelopmentFiles: CaseIterable {
        /// What is below `usr/include`.
        case headers
        /// Static libraries.
        case archives
        /// What tells a build where libraries are.
        case packageConfig
        /// Modules of CMake.
        case cmake
        /// Macros of Automake.
        case aclocal
        /// Descriptions of libraries for Vala and GObject introspection.
        case introspection

        /// Which of these a path is that ``Slimming/development`` takes; `nil` for what no program of the list reads.
        init?(of path: TreePath) {
            let directories: [(DevelopmentFiles, [TreePath])] = [
                (.headers, ["usr/include"]), (.cmake, ["usr/lib/cmake", "usr/share/cmake"]),
                (.aclocal, ["usr/share/aclocal"]), (.introspection, ["usr/share/gir-1.0", "usr/share/vala"]),
            ]
            let found = directories.first { $0.1.contains { path.isWithin($0) } }?.0
            if let found {
                self = found
            } else if path.name.suffix(3).elementsEqual(".pc".utf8) {
                self = .packageConfig
            } else if path.name.suffix(2).elementsEqual(".a".utf8)
                || path.name.suffix(3).elementsEqual(".la".utf8)
            {
                self = .archives
            } else {
                return nil
            }
        }

        /// The programs that read them, without a version or the name of a machine.
        private var programs: Set<String> {
            switch self {
            case .headers:
                [
                    "cc1", "cc1plus", "cc1obj", "cpp", "clang", "clang++", "clang-cpp", "tcc", "zig",
                    "bindgen", "swig",
                ]
            case .archives:
                [
                    "ld", "ld.bfd", "ld.gold", "ld.lld", "lld", "mold", "gold", "tcc", "zig", "go", "ghc",
                    "ocamlopt",
                    "ocamlopt.opt", "fpc", "rustc",
                ]
            case .packageConfig: ["pkg-config", "pkgconf", "meson", "cmake"]
            case .cmake: ["cmake"]
            case .aclocal: ["aclocal", "autoreconf"]
            case .introspection: ["valac", "vapigen", "g-ir-compiler", "g-ir-scanner"]
            }
        }

        /// The programs of a tree that read such files, by what they read.
        static func programs(in tree: Tree) -> [DevelopmentFiles: Set<String>] {
            var found: [DevelopmentFiles: Set<String>] = [:]
            for (path, node) in tree.nodes where node.kind != .directory && node.mode & 0o111 != 0 {
                let name = plainName(path.name)
                for files in allCases where files.programs.contains(name) {
                    found[files, default: []].insert(name)
                }
            }
            return found
        }

        /// A program's name without a version at its end (`clang-14`) and a machine before it (`x86_64-linux-gnu-ld`).
        private static func plainName(_ bytes: Bytes) -> String {
            var name = String(decoding: bytes, as: UTF8.self)[...]
            if let dash = name.lastIndex(of: "-"), dash != name.startIndex {
                let last = name[name.index(after: dash)...]
                if !last.isEmpty, last.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2e }) {
                    name = name[..<dash]
                }
            }
            for machine in ["-linux-gnu-", "-linux-musl-", "-linux-"] {
                if let range = name.firstRange(of: machine) { return String(name[range.upperBound...]) }
            }
            return String(name)
        }
    }
}
