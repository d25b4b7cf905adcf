import ELF
import Testing

/// Symbol versions of libraries and programs that the linker made.
@Suite struct SymbolVersionTests {
    let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func library() throws -> [UInt8] {
        try fixture.write("V_1.0 { global: f; local: *; };\nV_1.2 { global: g; } V_1.0;\n", to: "map")
        return try fixture.compile(
            "int f(void) { return 1; }\nint g(void) { return 2; }",
            [
                "-shared", "-fPIC", "-nostdlib", "-Wl,--version-script=" + fixture.path("map"),
                "-Wl,-soname,libf.so.1",
            ], as: "libf.so")
    }

    @Test func definitionsAndRequirementsAreRead() throws {
        let library = try library()
        #expect(try ELFFile.withFile(parsing: library) { $0.versionDefinitions } == ["V_1.0", "V_1.2"])
        #expect(try ELFFile.withFile(parsing: library) { $0.versionRequirements }.isEmpty)
        let program = try fixture.compile(
            "int f(void), g(void);\nint main(void) { return f() + g(); }",
            ["-Wl,--no-as-needed", "-L" + fixture.directory, "-l:libf.so"], as: "program")
        let needed = try ELFFile.withFile(parsing: program) { $0.versionRequirements }
        #expect(Set(needed["libf.so.1"] ?? []) == ["V_1.0", "V_1.2"])
        #expect(needed["libc.so.6"]?.allSatisfy { $0.hasPrefix("GLIBC_") } == true)
        #expect(try ELFFile.withFile(parsing: program) { $0.versionDefinitions }.isEmpty)
    }

    @Test func damagedTablesEndWithoutATrap() throws {
        let library = try library()
        for count in stride(from: 64, to: library.count, by: 7) {
            _ = try? ELFFile.withFile(parsing: Array(library.prefix(count))) {
                ($0.versionDefinitions, $0.versionRequirements)
            }
        }
        for offset in library.indices {
            var damaged = library
            damaged[offset] ^= 0xff
            _ = try? ELFFile.withFile(parsing: damaged) { ($0.versionDefinitions, $0.versionRequirements) }
        }
    }
}
