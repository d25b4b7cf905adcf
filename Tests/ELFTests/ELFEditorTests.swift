import ELF
import Foundation
import Testing

/// Programs and libraries made by this machine's compiler, edited, run, stripped and edited again.
@Suite struct ELFEditorTests {
    /// How a program is linked.
    enum Flavour: String, CaseIterable, Sendable {
        case pie, fixed, packed, stripped, sectionless, fixedSectionless, oldHash, noNotes, noSpareEntries

        var options: [String] {
            switch self {
            case .pie, .stripped, .sectionless: []
            case .fixed, .fixedSectionless: ["-no-pie", "-fno-pie"]
            case .packed: ["-Wl,-z,pack-relative-relocs"]
            case .oldHash: ["-Wl,--hash-style=sysv", "-Wl,-z,norelro"]
            case .noNotes: ["-Wl,--build-id=none", "-Wl,-z,noseparate-code"]
            case .noSpareEntries: ["-Wl,--spare-dynamic-tags=0"]
            }
        }
        var hasSections: Bool { self != .sectionless && self != .fixedSectionless }
    }

    static let long = "/" + String(repeating: "directory/", count: 40)
    let fixture: Fixture

    init() throws {
        fixture = try Fixture()
        try fixture.write("V1 { global: lib; local: *; };", to: "map")
        _ = try fixture.compile(
            """
            __thread int counter = 41;
            int lib_v1(void) { return ++counter; }
            __asm__(".symver lib_v1,lib@@V1");
            """,
            [
                "-shared", "-fPIC", "-Wl,-soname,libt.so", "-Wl,--version-script=" + fixture.path("map"),
            ], as: "libt.so")
    }

    /// Compiles a program that needs the library, a thread variable, and much zeroed memory.
    private func program(_ flavour: Flavour) throws -> [UInt8] {
        var bytes = try fixture.compile(
            """
            #include <stdio.h>
            extern int lib(void);
            static char zeros[100000];
            int main(int count, char **v) { zeros[9] = count; printf("%d\\n", lib()); return zeros[10]; }
            """, flavour.options + ["-Wl,--no-as-needed", fixture.path("libt.so")], as: "program")
        if flavour == .stripped {
            try run("strip", [fixture.path("program")])
            bytes = try read(fixture.path("program"))
        }
        if !flavour.hasSections {
            // e_shoff, e_shnum and e_shstrndx, as sstrip does.
            bytes.replaceSubrange(40..<48, with: [UInt8](repeating: 0, count: 8))
            bytes.replaceSubrange(60..<64, with: [0, 0, 0, 0])
        }
        return bytes
    }

    private func edit(_ bytes: [UInt8], _ body: (inout ELFEditor) throws -> Void) throws -> [UInt8] {
        var editor = try bytes.withUnsafeBytes { try ELFEditor(parsing: $0) }
        try body(&editor)
        return try editor.bytes()
    }

    /// Writes a program, by cp(1): a child of another test could inherit a descriptor and make it busy.
    private func write(_ bytes: [UInt8], _ name: String = "edited") throws -> String {
        let path = try fixture.write(bytes, to: name + ".bytes")
        try run("cp", [path, fixture.path(name)])
        try run("chmod", ["755", fixture.path(name)])
        return fixture.path(name)
    }

    private func start(_ bytes: [UInt8]) throws -> String { try run(write(bytes), []) }

    private func complaints(_ path: String) throws -> String {
        try run("sh", ["-c", "readelf -W -a \"$1\" 2>&1 >/dev/null", "sh", path])
    }

    private var paths: (loader: String, search: String) {
        (
            fixture.path("a-loader-with-a-name-that-is-longer-than-the-usual-one"),
            fixture.directory + ":" + Self.long
        )
    }

    @Test(arguments: Flavour.allCases) func programsRunAfterEachOfManyEdits(_ flavour: Flavour) throws {
        let original = try program(flavour)
        let (loader, search) = paths
        let present = try #require(try ELFFile.withFile(parsing: original) { $0.interpreter?.text })
        try run("cp", ["-L", present, loader])
        var bytes = try edit(original) { try $0.setSearchPath(Array(search.utf8)) }
        #expect(try start(bytes) == "42\n")
        bytes = try edit(bytes) {
            try $0.setInterpreter(Array(loader.utf8))
            try $0.addNeeded(
                ["libm.so.6", "libdl.so.2", "librt.so.1", "libutil.so.1"].map { Array($0.utf8) })
            try $0.addDebugEntry()
        }
        #expect(try start(bytes) == "42\n")
        let size = bytes.count
        for length in [1, 7, 0] {
            bytes = try edit(bytes) {
                try $0.setSearchPath(Array((search + String(repeating: "z", count: length)).utf8))
            }
            #expect(try start(bytes) == "42\n")
            #expect(bytes.count <= size + 16)
        }
        try ELFFile.withFile(parsing: bytes) { file in
            #expect(file.interpreter?.text == loader)
            #expect(file.dynamic?.runpath?.text == search)
            #expect(
                file.dynamic?.needed.map(\.text).prefix(5) == [
                    "libm.so.6", "libdl.so.2", "librt.so.1", "libutil.so.1", "libt.so",
                ])
            let before = try ELFFile.withFile(parsing: original) {
                $0.segments.filter { $0.type == Segment.load }
            }
            let after = file.segments.filter { $0.type == Segment.load }
            #expect(after.count == before.count + 1)
            for (old, new) in zip(before, after) {
                #expect(
                    old.address == new.address && old.offset == new.offset && old.fileSize == new.fileSize)
            }
        }
        #expect(try complaints(write(bytes)) == "")
    }

    @Test(arguments: Flavour.allCases.filter(\.hasSections), ["--strip-debug", "--strip-all"])
    func editedProgramsSurviveStrip(_ flavour: Flavour, option: String) throws {
        let search = paths.search
        var bytes = try edit(program(flavour)) {
            try $0.setSearchPath(Array(search.utf8))
            try $0.addNeeded([Array("libm.so.6".utf8)])
        }
        var sizes: [Int] = []
        for round in 0..<4 {
            let path = try write(bytes, "stripped")
            try run("strip", [option, path])
            #expect(try run(path, []) == "42\n")
            #expect(try complaints(path) == "")
            bytes = try edit(read(path)) { try $0.setSearchPath(Array((search + "\(round)").utf8)) }
            #expect(try start(bytes) == "42\n")
            sizes.append(bytes.count)
        }
        #expect(sizes[3] <= sizes[1], "\(sizes)")
    }

    @Test func librariesKeepVersionsAndThreadVariables() throws {
        _ = try program(.pie)
        let library = try read(fixture.path("libt.so"))
        let edited = try edit(library) {
            try $0.setSoname(Array("libother.so".utf8))
            try $0.setSearchPath(Array(Self.long.utf8))
        }
        try run("cp", [write(edited, "library"), fixture.path("libother.so")])
        let bytes = try edit(program(.pie)) {
            try $0.replaceNeeded([Array("libt.so".utf8): Array("libother.so".utf8)])
            try $0.setSearchPath(Array(fixture.directory.utf8))
        }
        try run("rm", [fixture.path("libt.so")])
        #expect(try start(bytes) == "42\n")
        let versions = try run("readelf", ["-VW", fixture.path("edited")])
        #expect(versions.contains("File: libother.so"))
        #expect(!versions.contains("File: libt.so"))
    }

    /// Shorter texts, texts that are there, and texts in place of old ones need no segment.
    @Test func whatFitsStaysInPlace() throws {
        let original = try edit(program(.pie)) { try $0.setSearchPath(Array(Self.long.utf8)) }
        for text in ["/short", "libc.so.6", "", Self.long] {
            let bytes = try edit(original) {
                try $0.setSearchPath(Array(text.utf8))
                try $0.setInterpreter(Array("/lib/ld.so".utf8))
            }
            #expect(bytes.count <= original.count)
            let path = try write(bytes)
            #expect(try run("readelf", ["-dW", path]).contains("Library runpath: [\(text)]"))
            #expect(try complaints(path) == "")
            if text != Self.long { #expect(offsets(of: "directory/directory", in: bytes).isEmpty) }
        }
        #expect(try edit(original) { try $0.setSearchPath(Array(Self.long.utf8)) } == original)
        #expect(try edit(original) { _ in } == original)
    }

    /// The linker stores names as tails of others; a changed head must leave them.
    @Test func tailsOfChangedTextsStay() throws {
        let bytes = try fixture.compile(
            "int tail(void) { return 1; }", ["-shared", "-fPIC", "-Wl,-O2", "-Wl,-rpath,/opt/some/tail"],
            as: "tails.so")
        #expect(offsets(of: "tail\0", in: bytes).count >= 1)
        let edited = try edit(bytes) { try $0.setSearchPath(Array("/opt".utf8)) }
        let path = try write(edited)
        #expect(try run("readelf", ["-W", "--dyn-syms", path]).contains(" tail\n"))
        #expect(try run("readelf", ["-d", path]).contains("[/opt]"))
    }

    @Test func otherEntriesAreAsReadelfSaysThem() throws {
        let bytes = try edit(program(.fixed)) {
            try $0.setSearchPath(Array("/x".utf8), inherited: true)
            try $0.forbidDefaultDirectories()
            try $0.removeNeeded([Array("libt.so".utf8)])
            $0.setExecutableStack(true)
            try $0.setSoname(Array("not-for-programs-at-fixed-addresses".utf8))
        }
        let text = try run("readelf", ["-dlW", write(bytes)])
        #expect(text.contains("(RPATH)") && text.contains("[/x]") && !text.contains("(RUNPATH)"))
        #expect(text.contains("NODEFLIB"))
        #expect(!text.contains("libt.so") && !text.contains("(SONAME)"))
        #expect(text.contains(#/GNU_STACK .* RWE /#))
        let back = try edit(bytes) {
            try $0.removeSearchPath()
            $0.setExecutableStack(false)
        }
        let after = try run("readelf", ["-dlW", write(back)])
        #expect(!after.contains("PATH)"))
        #expect(!after.contains(#/GNU_STACK .* RWE /#))
    }

    @Test func anyVersionOfAClearedSymbolDoes() throws {
        let bytes = try edit(program(.pie)) { try $0.clearVersions(ofSymbols: [Array("lib".utf8)]) }
        let text = try run("readelf", ["-W", "--dyn-syms", write(bytes)])
        #expect(text.contains(" lib\n") && !text.contains("lib@V1"))
        #expect(text.contains("printf@GLIBC"))
    }

    /// Renaming breaks the order that the hash tables want; every symbol must still be found.
    @Test(arguments: ["gnu", "sysv", "both"]) func renamedSymbolsAreFound(_ style: String) throws {
        let functions = (0..<40).map { "int function\($0)(void) { return \($0); }" }.joined(separator: "\n")
        let library = try fixture.compile(
            functions, ["-shared", "-fPIC", "-Wl,--hash-style=" + style, "-Wl,-soname,libmany.so"],
            as: "libmany.so")
        let calls = (0..<40).map { "extern int function\($0)(void);" }.joined()
        let sum = (0..<40).map { "function\($0)()" }.joined(separator: "+")
        let program = try fixture.compile(
            "#include <stdio.h>\n\(calls)int main(void) { printf(\"%d\\n\", \(sum)); return 0; }",
            ["-L" + fixture.directory, "-Wl,-rpath," + fixture.directory, "-Wl,--no-as-needed", "-lmany"],
            as: "many")
        var renames: [[UInt8]: [UInt8]] = [:]
        for number in stride(from: 0, to: 40, by: 3) {
            renames[Array("function\(number)".utf8)] = Array("a_much_longer_name_\(number)".utf8)
        }
        let edited = try edit(library) { try $0.renameSymbols(renames) }
        try run("cp", [write(edited, "library"), fixture.path("libmany.so")])
        let text = try run("readelf", ["-W", "--dyn-syms", fixture.path("libmany.so")])
        #expect(text.contains(" a_much_longer_name_39\n") && !text.contains(" function39\n"))
        #expect(throws: ToolFailure.self) { try start(program) }
        #expect(try start(edit(program) { try $0.renameSymbols(renames) }) == "780\n")
        #expect(try complaints(fixture.path("libmany.so")) == "")
        let back = Dictionary(uniqueKeysWithValues: renames.map { ($1, $0) })
        try run(
            "cp", [write(edit(edited) { try $0.renameSymbols(back) }, "library"), fixture.path("libmany.so")])
        #expect(try start(program) == "780\n")
    }

    @Test func aMissingStackHeaderIsAdded() throws {
        var bytes = try program(.stripped)
        // PT_GNU_STACK becomes one that nobody knows.
        let headers = try ELFFile.withFile(parsing: bytes) { $0.segments.map(\.type) }
        let index = try #require(headers.firstIndex(of: 0x6474_e551))
        bytes.replaceSubrange(64 + index * 56..<68 + index * 56, with: [1, 2, 3, 0x65])
        let edited = try edit(bytes) {
            $0.setExecutableStack(false)
            try $0.setSearchPath(Array(fixture.directory.utf8))
        }
        #expect(try start(edited) == "42\n")
        #expect(try run("readelf", ["-lW", fixture.path("edited")]).contains("GNU_STACK"))
        #expect(try complaints(fixture.path("edited")) == "")
    }

    @Test func whatCannotBeEditedIsRefused() throws {
        let source = "int main(void) { return 0; }"
        func refusal(_ bytes: [UInt8], _ body: (inout ELFEditor) throws -> Void) -> ELFError? {
            #expect(throws: ELFError.self) { try edit(bytes, body) }
        }
        let path: (inout ELFEditor) throws -> Void = { try $0.setSearchPath(Array("/x".utf8)) }
        #expect(try refusal(fixture.compile(source, ["-static"], as: "static"), path) == .notDynamic)
        #expect(try refusal(fixture.compile(source, ["-static-pie"], as: "static-pie"), path) == .ownLoader)
        #expect(try refusal(fixture.compile(source, ["-c"], as: "object"), path) == .notLinked)
        let library = try read(fixture.path("libt.so"))
        #expect(refusal(library) { try $0.setInterpreter(Array("/x".utf8)) } == .noInterpreter)
        let program = try program(.pie)
        #expect(refusal(program) { try $0.setInterpreter([]) } == .text(what: "interpreter"))
        #expect(refusal(program) { try $0.setInterpreter([1, 0, 1]) } == .text(what: "interpreter"))
        #expect(refusal(program) { try $0.addNeeded([[]]) } == .text(what: "library name"))
        #expect(throws: ELFError.pageSize(5000)) {
            try program.withUnsafeBytes { try ELFEditor(parsing: $0, pageSize: 5000) }
        }
        try run("objcopy", ["--only-keep-debug", fixture.path("program"), fixture.path("debug")])
        #expect(try refusal(read(fixture.path("debug")), path) == .detachedDebugging)
    }

    @Test(arguments: [4096, 65536, 1 << 21]) func segmentsHaveThePageSizeAskedFor(_ size: Int) throws {
        var editor = try program(.pie).withUnsafeBytes { try ELFEditor(parsing: $0, pageSize: size) }
        try editor.setSearchPath(Array(paths.search.utf8))
        let bytes = try editor.bytes()
        #expect(try start(bytes) == "42\n")
        let loads = try run("readelf", ["-lW", fixture.path("edited")]).split(separator: "\n").filter {
            $0.contains(" LOAD ")
        }
        #expect(loads.last?.hasSuffix(" 0x" + String(size, radix: 16)) == true)
    }

    /// No damaged file makes the editor trap, and every result can be read and has what was asked for.
    @Test func damagedFilesAreRefusedOrEdited() throws {
        let library = try read(fixture.path("libt.so"))
        let program = try program(.packed)
        var generator = SeededGenerator(state: 0x5eed)
        var refused = 0
        var edited = 0
        for round in 0..<3000 {
            var bytes = round % 2 == 0 ? library : program
            let hot = [64, 0x400, 0x3000, bytes.count].randomElement(using: &generator) ?? 64
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                let offset = Int.random(in: 16..<min(hot, bytes.count), using: &generator)
                bytes[offset] =
                    [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &generator)]
                    .randomElement(using: &generator) ?? 0
            }
            if round % 5 == 0 { bytes.removeSubrange(Int.random(in: 0..<bytes.count, using: &generator)...) }
            do {
                let result = try edit(bytes) {
                    try $0.setSearchPath(Array(Self.long.utf8))
                    if $0.interpreter != nil { try $0.setInterpreter(Array(Self.long.utf8)) }
                    try $0.addNeeded([Array("libm.so.6".utf8)])
                    try $0.replaceNeeded([Array("libc.so.6".utf8): Array("libd.so".utf8)])
                    try $0.clearVersions(ofSymbols: [Array("lib".utf8)])
                    try $0.renameSymbols([Array("lib".utf8): Array("bibliothek".utf8)])
                    $0.setExecutableStack(true)
                }
                edited += 1
                let (path, needed) = try ELFFile.withFile(parsing: result) {
                    ($0.dynamic?.runpath?.bytes, $0.dynamic?.needed.first?.text)
                }
                #expect(path == Array(Self.long.utf8) && needed == "libm.so.6", "round \(round)")
            } catch is ELFError {
                refused += 1
            }
        }
        #expect(refused > 250 && edited > 250, "\(refused) refused, \(edited) edited")
    }

    @Test func cutFilesAreRefused() throws {
        let bytes = try read(fixture.path("libt.so"))
        let dynamic = try ELFFile.withFile(parsing: bytes) {
            $0.segments.first { $0.type == Segment.dynamic }
        }
        let end = Int(try #require(dynamic).offset)
        for length in stride(from: 0, to: end, by: 7) {
            #expect(throws: ELFError.self) {
                try edit(Array(bytes[..<length])) { try $0.setSearchPath(Array("/x".utf8)) }
            }
        }
    }
}
