import Files
import Relocation
import StoreLayout
import Testing

/// What languages and packages keep about themselves: bytecode programs, caches, configuration that is data.
@Suite struct GeneratedFilesTests {
    @Test func aBinaryThatBeginsWithAnInterpreterKeepsItsLength() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/bin/ocamlrun", [0x7f], mode: 0o755)
        let program =
            Array("#!/usr/bin/ocamlrun\n".utf8) + [0, 1, 2] + Array("/usr/bin/ocamlrun\0Caml1999X031".utf8)
        try fixture.file("usr/bin/ocaml", program, mode: 0o755)
        let relocated = try fixture.relocate()
        let alias = try #require(relocated.aliases.first { $0.target == "usr/bin/ocamlrun" })
        let expected = Array("#!\(alias.path)\n".utf8) + program.dropFirst(20)
        #expect(try fixture.bytes("usr/bin/ocaml", of: relocated.tree) == expected)
        #expect(relocated.left("usr/bin/ocaml").map(\.reason) == [.format])
    }

    @Test func pathsThatAScriptJoinsGetTheLongPathIfTheImageHasTheRest() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/aclocal-1.16")
        fixture.directory("usr/lib/x86_64-linux-gnu/gems")
        fixture.directory("usr/lib/x86_64-linux-gnu/other")
        let (share, lib) = ("/usr/share", "/usr/lib")
        let perl =
            "#!/usr/bin/perl\n@a = ('\(share)/aclocal-' . $v, '\(share)/bclocal-', '\(share)/acl', '\(share)/$x');\n"
        let ruby =
            "a = \"\(lib)/#{arch}/gems\", \"\(lib)/#{arch}/none\", \"\(lib)/${a}-gnu/gems/x\", \"\(lib)/#{arch\n"
        try fixture.text("usr/bin/aclocal", perl)
        try fixture.text("usr/lib/ruby/gem.rb", ruby)
        let relocated = try fixture.relocate()
        let store = relocated.storePath.path
        #expect(
            try fixture.string("usr/bin/aclocal", of: relocated.tree)
                == perl.replacing("'\(share)/aclocal-'", with: "'\(store)\(share)/aclocal-'"))
        #expect(
            try fixture.string("usr/lib/ruby/gem.rb", of: relocated.tree)
                == ruby.replacing("\"\(lib)/#{arch}/gems", with: "\"\(store)\(lib)/#{arch}/gems")
                .replacing("\"\(lib)/${a}-gnu/gems", with: "\"\(store)\(lib)/${a}-gnu/gems"))
    }

    @Test func stringsOfOCamlBytecodeBecomeAliases() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/bin/ocamlrun", [0x7f], mode: 0o755)
        fixture.directory("usr/lib/ocaml/stublibs")
        let head = Array("#!/usr/bin/ocamlrun\n".utf8) + [0, 0]
        let (short, long) = (
            Array("/usr/lib/ocaml".utf8), Array("/usr/lib/ocaml/stublibs/x.so and more text".utf8)
        )
        let tail = Array("Caml1999X030".utf8)
        let strings = [0x20 + UInt8(short.count)] + short + [0x41, 0x09, UInt8(long.count)] + long + [0x41]
        // The length says that no string of this begins at the path.
        let other = Array("/usr/lib/ocaml".utf8)
        try fixture.file("usr/bin/ocaml", head + strings + [0x01] + other + tail, mode: 0o755)
        let relocated = try fixture.relocate()
        let alias = try #require(relocated.aliases.first { $0.target == "usr/lib/ocaml" })
        let text = Array(alias.path.utf8)
        let changed = [0x2e] + text + [0x41, 0x09, UInt8(long.count)] + text + long.dropFirst(14) + [0x41]
        let result = try fixture.bytes("usr/bin/ocaml", of: relocated.tree)
        #expect(Array(result.dropFirst(head.count)) == changed + [0x01] + other + tail)
        #expect(relocated.left("usr/bin/ocaml").map(\.reason) == [.format])
    }

    @Test func aBinaryWhoseInterpreterIsTooShortIsLeft() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/bin/x", [0x7f], mode: 0o755)
        let program = Array("#!/usr/bin/x\n".utf8.dropLast()) + [0x0a, 0]
        try fixture.file("usr/bin/y", program, mode: 0o755)
        let relocated = try fixture.relocate()
        // "/usr/bin/x" has 10 bytes, an alias 12.
        #expect(try fixture.bytes("usr/bin/y", of: relocated.tree) == program)
        #expect(relocated.left("usr/bin/y").map(\.reason) == [.tooShort])
    }

    @Test func aPackageCacheOfGHCHasAliasesAfterAnyByte() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/lib/ghc/base-4.15")
        let cache = Bytes([0, 0, 0, 0x41]) + Array("/usr/lib/ghc/base-4.15".utf8) + [0, 0, 1]
        try fixture.file("var/lib/ghc/package.conf.d/package.cache", cache)
        try fixture.file("var/lib/other/package.cache", cache + [9])
        let relocated = try fixture.relocate()
        let alias = try #require(relocated.aliases.first { $0.target == "usr/lib/ghc" })
        let expected = Bytes([0, 0, 0, 0x41]) + Array("\(alias.path)/base-4.15".utf8) + [0, 0, 1]
        #expect(try fixture.bytes("var/lib/ghc/package.conf.d/package.cache", of: relocated.tree) == expected)
        // Of /var, all else is state: not read.
        #expect(try fixture.bytes("var/lib/other/package.cache", of: relocated.tree) == cache + [9])
    }

    @Test func rubysConfigurationNamesTheStorePathAsPrefix() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/include")
        try fixture.text(
            "usr/lib/ruby/rbconfig.rb", "C[\"prefix\"] = (T || D + \"/usr\")\nI = \"/usr/include\" # /usr\n")
        let relocated = try fixture.relocate()
        let store = relocated.storePath.path
        #expect(
            try fixture.string("usr/lib/ruby/rbconfig.rb", of: relocated.tree)
                == "C[\"prefix\"] = (T || D + \"\(store)/usr\")\nI = \"\(store)/usr/include\" # /usr\n")
    }

    @Test func directoriesOfAScriptThatAreTheImagesOwnGetTheLongPath() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/lib/R")
        try fixture.text("usr/bin/R", "#!/bin/sh\nHOME=/usr/lib/R\nL=/usr/lib\n")
        let relocated = try fixture.relocate()
        let store = relocated.storePath.path
        #expect(
            try fixture.string("usr/bin/R", of: relocated.tree)
                == "#!/bin/sh\nHOME=\(store)/usr/lib/R\nL=/usr/lib\n")
    }

    @Test(arguments: [
        ("etc/php/8.2/cli/conf.d", true), ("etc/xml/catalog.d", true), ("var/lib/texmf/web2c", true),
        ("etc/default/things", false), ("var/lib/postgresql", false),
    ])
    func configurationThatIsDataIsTheImages(directory: String, isData: Bool) throws {
        let fixture = try RelocationFixture()
        fixture.directory(try TreePath(parsing: directory.utf8))
        try fixture.text("usr/share/a.conf", "path = /\(directory)\n")
        let relocated = try fixture.relocate()
        let isSame = try fixture.string("usr/share/a.conf", of: relocated.tree) == "path = /\(directory)\n"
        #expect(isSame != isData)
    }

    @Test func gnuPGIsToldWhereItIs() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/bin/gpgconf", [0x7f], mode: 0o755)
        try fixture.file("usr/lib/gnupg/scdaemon", [0x7f], mode: 0o755)
        let relocated = try fixture.relocate()
        #expect(
            try fixture.string("usr/bin/gpgconf.ctl", of: relocated.tree)
                == "rootdir = \(relocated.storePath.path)/usr\nsysconfdir = /etc/gnupg\n")
        let found = relocated.tree.resolve("/usr/libexec/scdaemon".utf8)
        #expect(found == "usr/lib/gnupg/scdaemon")
    }
}
