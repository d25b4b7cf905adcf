import Files
import Relocation
import StoreLayout
import Testing

@Suite struct HintRelocationTests {
    private func hint(_ rules: String) throws -> [Hint] {
        try [Hint(parsing: Array("sxs-hints 1\n\(rules)\n".utf8), name: HintName("test"), file: "test")]
    }

    @Test func aPathThatIsKeptStaysWithAllBelowIt() throws {
        let text = "a /usr/share/tool/data b /usr/share/tool/data/x c /usr/share/tool/database\n"
        let fixture = try RelocationFixture()
        for directory in ["data", "database"] as [TreePath] {
            fixture.directory(TreePath("usr/share/tool").appending(path: directory))
        }
        try fixture.text("usr/share/tool/list", text)
        try fixture.text("usr/share/tool/other", text)
        let relocated = try fixture.relocate(hints: hint("program list\nno-alias /usr/share/tool/data"))
        let result = try fixture.string("usr/share/tool/list", of: relocated.tree)
        #expect(result.hasPrefix("a /usr/share/tool/data b /usr/share/tool/data/x c /usr/_/"))
        #expect(!(try fixture.string("usr/share/tool/other", of: relocated.tree)).contains("/usr/share"))
    }

    @Test func aRuleMayNameItsFiles() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/tool")
        for name in ["a.conf", "a.list"] {
            try fixture.text(TreePath("usr/lib").appending(name.utf8), "/usr/share/tool\n")
        }
        let relocated = try fixture.relocate(
            hints: hint("program nothing\nno-alias /usr/share/tool in usr/lib/*.conf"))
        #expect(try fixture.string("usr/lib/a.conf", of: relocated.tree) == "/usr/share/tool\n")
        #expect(try fixture.string("usr/lib/a.list", of: relocated.tree).hasPrefix("/usr/_/"))
    }

    @Test func aFileThatIsKeptIsLeftAsItIsAndReported() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/bin/perl", [1], mode: 0o755)
        let script = "#!/usr/bin/perl\n"
        try fixture.text("usr/bin/a", script)
        try fixture.text("usr/bin/b", script)
        let relocated = try fixture.relocate(hints: hint("program a\nno-alias *"))
        #expect(try fixture.string("usr/bin/a", of: relocated.tree) == script)
        #expect(try fixture.string("usr/bin/b", of: relocated.tree) != script)
        #expect(relocated.left("usr/bin/a").map(\.reason) == [.hint])
    }

    /// What a program that joins `/usr/` and a relative path holds, and where it keeps an absolute one.
    private static let source = """
        #include <stdio.h>
        const char relative[] = "share/tool";
        const char absolute[] = "/usr/share/tool/data";
        int main(void) { printf("/usr/%s %s\\n", relative, absolute); return 0; }
        """

    @Test func relativePathsOfAProgramBecomeAliases() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/tool/data")
        try fixture.compile(Self.source, to: "usr/bin/tool", [])
        try fixture.compile(Self.source, to: "usr/bin/like", ["-DOTHER"])
        let relocated = try fixture.relocate(hints: hint("program tool\nrelative share/tool"))
        let tool = try fixture.bytes("usr/bin/tool", of: relocated.tree)
        let alias = try #require(
            relocated.aliases.first { $0.path.utf8.count == "/usr/share/tool".utf8.count })
        #expect(alias.target == "usr/share/tool")
        #expect(String(decoding: tool, as: UTF8.self).contains("\0_/\(alias.name)\0"))
        #expect(!String(decoding: tool, as: UTF8.self).contains("\0share/tool\0"))
        let unhinted = try RelocationFixture()
        unhinted.directory("usr/share/tool/data")
        try unhinted.compile(Self.source, to: "usr/bin/tool", [])
        let plain = try unhinted.relocate()
        #expect(try unhinted.string("usr/bin/tool", of: plain.tree).contains("\0share/tool\0"))
    }

    @Test func pathsInProgramsAreKeptToo() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/tool/data")
        try fixture.compile(Self.source, to: "usr/bin/tool", [])
        let relocated = try fixture.relocate(hints: hint("program tool\nno-alias /usr/share/tool"))
        #expect(try fixture.string("usr/bin/tool", of: relocated.tree).contains("\0/usr/share/tool/data\0"))
    }
}
