import ELF
import Files
import Foundation
import Relocation
import StoreLayout
import Testing

@Suite struct ELFRelocationTests {
    static let loader = "/lib64/ld-linux-x86-64.so.2"

    /// An image with this machine's loader and C library.
    static func system() throws -> RelocationFixture {
        let fixture = try RelocationFixture()
        try fixture.copy(loader, to: "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        try fixture.copy("/lib/x86_64-linux-gnu/libc.so.6", to: "usr/lib/x86_64-linux-gnu/libc.so.6")
        for name in ["bin", "lib", "lib64"] as [String] {
            fixture.link(try TreePath(parsing: name.utf8), "usr/\(name)")
        }
        fixture.link("usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        fixture.directory("usr/share/locale/de")
        return fixture
    }

    @Test func theInterpreterIsAnAliasOfTheImagesLoader() throws {
        let fixture = try Self.system()
        try fixture.compile("int main(void){return 0;}", to: "usr/bin/a", [])
        let size = try fixture.bytes("usr/bin/a", of: fixture.tree).count
        let relocated = try fixture.relocate()
        let bytes = try fixture.bytes("usr/bin/a", of: relocated.tree)
        #expect(bytes.count == size)
        try ELFFile.withFile(parsing: bytes) { elf in
            let text = try #require(elf.interpreter?.text)
            #expect(text.utf8.count == Self.loader.utf8.count)
            #expect(relocated.target(ofAliasIn: text) == "usr/lib64/ld-linux-x86-64.so.2")
        }
        #expect(relocated.report.loader == "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    }

    @Test func theLoaderLooksNowhereElse() throws {
        let fixture = try Self.system()
        try fixture.compile("int main(void){return 0;}", to: "usr/bin/a", [])
        let relocated = try fixture.relocate()
        let bytes = try fixture.bytes("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", of: relocated.tree)
        let text = String(decoding: bytes, as: UTF8.self)
        for path in [
            // As strings of their own: the loader's --help speaks of the cache as well.
            "\0/etc/ld.so.cache\0", "\0/etc/ld.so.preload\0", "/lib/x86_64-linux-gnu/\0", "\0/usr/lib/\0",
            "\0/lib/\0",
        ] {
            let isThere = text.contains(path)
            #expect(!isThere, "\(path) is still there")
        }
        let cache = try LoaderCache(parsing: fixture.bytes(StoreLayout.Tree.loaderCache, of: relocated.tree))
        let path = cache.path(of: Array("libc.so.6".utf8), machine: .x86_64)
        #expect(path == Array("\(relocated.storePath.path)/usr/lib/x86_64-linux-gnu/libc.so.6".utf8))
    }

    /// "/usr/share/locale" whose tail "locale" is a string of its own, in every kind of file and with every level
    /// of merging.
    @Test(
        arguments: [["-pie", "-fPIE"], ["-no-pie", "-fno-pie"], ["-shared", "-fPIC"]],
        ["-Wl,-O0", "-Wl,-O1", "-Wl,-O2"])
    func stringsThatShareATailKeepIt(kind: [String], merging: String) throws {
        let source = """
            #include <stdio.h>
            #include <string.h>
            const char *volatile where, *volatile what;
            int main(int c, char **v) {
                where = "/usr/share/locale"; what = "locale";
                return puts(where) + puts(what) + strlen(what) < 0;
            }
            """
        let fixture = try Self.system()
        try fixture.compile(source, to: "usr/bin/a", kind + [merging])
        let original = String(decoding: try fixture.bytes("usr/bin/a", of: fixture.tree), as: UTF8.self)
        let relocated = try fixture.relocate()
        let text = try fixture.string("usr/bin/a", of: relocated.tree)
        // Whoever refers to "locale" still finds it: as a string of its own, or as the alias's end.
        #expect(text.contains("locale\0"))
        // The C library has an alias of its own for the same directory.
        let aliases = relocated.aliases.filter { $0.target == "usr/share/locale" }
        let alias = try #require(aliases.first { text.contains($0.path + "\0") })
        #expect(alias.name.hasSuffix("locale") != original.contains("\0locale\0"))
    }

    @Test(arguments: [("locale-x", "locale-x"), ("data", "re/data")])
    func aTailThatNoAliasCanEndInIsLeft(directory: String, tail: String) throws {
        let fixture = try Self.system()
        fixture.directory(try TreePath(parsing: "usr/share/\(directory)".utf8))
        let source = """
            #include <stdio.h>
            const char *volatile a = "/usr/share/\(directory)", *volatile b = "\(tail)";
            int main(void) { return puts(a) + puts(b) < 0; }
            """
        try fixture.compile(source, to: "usr/bin/a", ["-Wl,-O2"])
        let relocated = try fixture.relocate()
        let text = try fixture.string("usr/bin/a", of: relocated.tree)
        #expect(text.contains("/usr/share/\(directory)\0"))
        #expect(relocated.left("usr/bin/a").contains { $0.reason == .interior })
    }

    @Test func aShorterPrefixIsTakenWhereTheTailIsShared() throws {
        let fixture = try Self.system()
        fixture.directory("usr/share/something/templates")
        let source = """
            #include <stdio.h>
            const char *volatile a = "/usr/share/something/templates", *volatile b = "templates";
            int main(void) { return puts(a) + puts(b) < 0; }
            """
        try fixture.compile(source, to: "usr/bin/a", ["-Wl,-O2"])
        let relocated = try fixture.relocate()
        let text = try fixture.string("usr/bin/a", of: relocated.tree)
        let alias = try #require(relocated.aliases.first { $0.target == "usr/share/something" })
        #expect(text.contains(alias.path + "/templates\0"))
    }

    @Test func runPathsBecomeAliases() throws {
        let fixture = try Self.system()
        fixture.directory("usr/lib/x86_64-linux-gnu/private")
        try fixture.compile(
            "int main(void){return 0;}", to: "usr/bin/a",
            ["-Wl,--enable-new-dtags,-rpath,/usr/lib/x86_64-linux-gnu/private:/nowhere"])
        let relocated = try fixture.relocate()
        try ELFFile.withFile(parsing: try fixture.bytes("usr/bin/a", of: relocated.tree)) { elf in
            let text = try #require(elf.dynamic?.runpath?.text)
            let alias = try #require(relocated.aliases.first { text.hasPrefix($0.path) })
            #expect(
                text == "\(alias.path)/private:/nowhere" || alias.target == "usr/lib/x86_64-linux-gnu/private"
            )
        }
    }

    @Test func librariesForBetterProcessorsAreInTheCache() throws {
        let fixture = try Self.system()
        let directory: TreePath = "usr/lib/x86_64-linux-gnu"
        for path in [directory, try TreePath(parsing: Array("\(directory)/glibc-hwcaps/x86-64-v3".utf8))] {
            try fixture.compile(
                "int greet(void){return 42;}", to: path.appending(Array("libgreet.so.1".utf8)),
                ["-shared", "-fPIC", "-Wl,-soname,libgreet.so.1"])
        }
        try fixture.compile("int main(void){return 0;}", to: "usr/bin/a", [])
        let relocated = try fixture.relocate()
        let cache = try LoaderCache(parsing: fixture.bytes(StoreLayout.Tree.loaderCache, of: relocated.tree))
        let found = cache.entries.filter { $0.entry.soname == Array("libgreet.so.1".utf8) }
        let expected = ["/glibc-hwcaps/x86-64-v3", ""].map {
            "\(relocated.storePath.path)/\(directory)\($0)/libgreet.so.1"
        }
        #expect(found.map { String(decoding: $0.entry.path, as: UTF8.self) } == expected)
        #expect(found.map { $0.hardware != 0 } == [true, false])
    }

    @Test func aMissingLibraryIsReported() throws {
        let fixture = try Self.system()
        try fixture.compile(
            "double cos(double); int main(int c, char**v){return (int)cos(c);}", to: "usr/bin/a", ["-lm"])
        let relocated = try fixture.relocate()
        let file = relocated.report.files.first { $0.path == "usr/bin/a" }
        #expect(file?.findings[.library] == ["libm.so.6"])
    }

    @Test func withoutALoaderInTheImageTheHostsStays() throws {
        let fixture = try RelocationFixture()
        try fixture.compile("int main(void){return 0;}", to: "usr/bin/a", [])
        let relocated = try fixture.relocate()
        #expect(relocated.report.loader == nil)
        try ELFFile.withFile(parsing: try fixture.bytes("usr/bin/a", of: relocated.tree)) { elf in
            #expect(elf.interpreter?.text == Self.loader)
        }
    }

    @Test func muslsLoaderLooksInTheImageAlone() throws {
        let fixture = try RelocationFixture()
        try fixture.copy("/lib/ld-musl-x86_64.so.1", to: "lib/ld-musl-x86_64.so.1")
        try fixture.compile(
            "int greet(void){return 42;}", to: "usr/lib/libgreet.so.1",
            ["-shared", "-fPIC", "-Wl,-soname,libgreet.so.1"], compiler: "musl-gcc")
        try fixture.compile("int main(void){return 0;}", to: "usr/bin/a", [], compiler: "musl-gcc")
        let relocated = try fixture.relocate()
        #expect(relocated.report.loader == "lib/ld-musl-x86_64.so.1")
        #expect(relocated.report.files.allSatisfy { $0.findings.isEmpty })
        #expect(relocated.tree[StoreLayout.Tree.loaderCache] == nil)
        let loader = try fixture.bytes("lib/ld-musl-x86_64.so.1", of: relocated.tree)
        let strings = loader.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        #expect(!strings.contains("/lib:/usr/local/lib:/usr/lib"))
        #expect(!strings.contains { $0.hasPrefix("%.*s/etc/ld-musl-") })
        let path = try #require(strings.first { $0.hasPrefix("/usr/_/") && $0.contains(":") })
        #expect(path.utf8.count == "/lib:/usr/local/lib:/usr/lib".utf8.count)
        let targets = path.split(separator: ":").map { relocated.target(ofAliasIn: $0) }
        #expect(targets == ["usr/lib", "lib"])
    }
}
