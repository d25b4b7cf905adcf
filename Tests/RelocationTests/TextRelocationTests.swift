import Files
import Relocation
import StoreLayout
import Testing

@Suite struct TextRelocationTests {
    @Test func aShebangBecomesTheFullStorePath() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/bin/perl", [0x7f], mode: 0o755)
        fixture.link("bin", "usr/bin")
        try fixture.text("usr/bin/a", "#!/usr/bin/perl -w\nprint 1;\n")
        try fixture.text("usr/bin/b", "#! /bin/perl\n")
        let relocated = try fixture.relocate()
        let store = relocated.storePath.path
        #expect(
            try fixture.string("usr/bin/a", of: relocated.tree) == "#!\(store)/usr/bin/perl -w\nprint 1;\n")
        #expect(try fixture.string("usr/bin/b", of: relocated.tree) == "#! \(store)/usr/bin/perl\n")
        #expect(relocated.report.done[.shebang] == 2)
    }

    @Test(arguments: ["#!/bin/sh\n", "#!/usr/bin/env perl\n", "#!/usr/local/bin/perl\n"])
    func shebangsOfTheHostStay(script: String) throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/bin/sh", [1], mode: 0o755)
        try fixture.file("usr/bin/env", [1], mode: 0o755)
        try fixture.file("usr/local/bin/perl", [1], mode: 0o755)
        fixture.link("bin", "usr/bin")
        try fixture.text("usr/bin/a", script)
        let relocated = try fixture.relocate()
        #expect(try fixture.string("usr/bin/a", of: relocated.tree) == script)
    }

    @Test func anInterpreterThatTheImageLacksIsReported() throws {
        let fixture = try RelocationFixture()
        try fixture.text("usr/bin/a", "#!/usr/bin/tclsh\n")
        let file = try fixture.relocate().report.files.first
        #expect(file?.findings[.interpreter] == ["/usr/bin/tclsh"])
    }

    @Test func aFirstLineOverTheKernelsLimitIsLeftAndReported() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/bin/perl", [1], mode: 0o755)
        let script = "#!/usr/bin/perl " + String(repeating: "x", count: 235) + "\n"
        try fixture.text("usr/bin/a", script)
        let relocated = try fixture.relocate()
        #expect(try fixture.string("usr/bin/a", of: relocated.tree) == script)
        #expect(relocated.left("usr/bin/a").map(\.reason) == [.longShebang])
    }

    @Test func pathsInTextBecomeAliasesOfTheSameLength() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/emacs/28.2/lisp")
        let text = "(load \"/usr/share/emacs/28.2/lisp/x.el\") ; '/usr/share/emacs'\n"
        try fixture.text("usr/share/emacs/a.el", text)
        let relocated = try fixture.relocate()
        let result = try fixture.string("usr/share/emacs/a.el", of: relocated.tree)
        #expect(result.utf8.count == text.utf8.count)
        #expect(relocated.aliases.count == 1)
        #expect(result.hasSuffix("; '\(relocated.aliases[0].path)'\n"))
        #expect(relocated.aliases[0].target == "usr/share/emacs")
        #expect(result.contains("\(relocated.aliases[0].path)/28.2/lisp/x.el"))
    }

    /// The text, and whether the path in it is one.
    @Test(arguments: [
        ("x=/usr/share/thing/a", true), ("-L/usr/share/thing", true), ("file:///usr/share/thing", true),
        ("a:/usr/share/thing:b", true), ("(/usr/share/thing)", true), ("/usr/share/thing,", true),
        ("${p}/usr/share/thing", false), ("s/usr/share/thing", false), ("%s/usr/share/thing", false),
        ("/usr/share/thing%s", false), ("/usr/share/thingamajig", false), ("/usr/share/thing*", false),
        ("../usr/share/thing", false), ("http://host/usr/share/thing", false), ("/usr/share/nothing", false),
    ])
    func onlyWholePathsOfTheImageCount(text: String, isPath: Bool) throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/thing/a")
        try fixture.text("usr/lib/a", text)
        let relocated = try fixture.relocate()
        #expect(relocated.aliases.isEmpty != isPath)
        #expect((try fixture.string("usr/lib/a", of: relocated.tree) != text) == isPath)
    }

    @Test func noAliasIsShorterThanTwelveBytes() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/lib/ab")
        fixture.directory("usr/lib/abc")
        fixture.directory("usr/lib/abcd")
        try fixture.text("usr/lib/x", "/usr/lib/ab /usr/lib/abc /usr/lib/abcd /usr/lib/abc/\n")
        let relocated = try fixture.relocate()
        #expect(relocated.aliases.map(\.target).sorted() == ["usr/lib/abc", "usr/lib/abcd"])
        #expect(relocated.aliases.allSatisfy { $0.path.utf8.count >= 12 })
        #expect(relocated.left("usr/lib/x").map(\.path) == ["/usr/lib/ab"])
        #expect(relocated.left("usr/lib/x").map(\.reason) == [.tooShort])
    }

    @Test func scriptsGetTheLongPathWhereAnAliasHasNoRoom() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/bin/gs", [1], mode: 0o755)
        try fixture.text("usr/bin/a", "#!/bin/sh\nexec /usr/bin/gs \"$@\"\ncd /usr/bin\n")
        let relocated = try fixture.relocate()
        let result = try fixture.string("usr/bin/a", of: relocated.tree)
        #expect(result == "#!/bin/sh\nexec \(relocated.storePath.path)/usr/bin/gs \"$@\"\ncd /usr/bin\n")
    }

    @Test func formatsThatTakeAnyLengthGetTheStorePath() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/sbin/nginx", [1], mode: 0o755)
        try fixture.text(
            "usr/lib/systemd/system/nginx.service",
            "[Service]\nExecStart=/usr/sbin/nginx -g\nExecReload=/bin/sh -c /usr/sbin/others\n"
                + "ExecStop=-+/usr/sbin/nginx\nExecStopPost=@-/usr/sbin/nginx\nX=a-/usr/sbin/nginx\n")
        try fixture.text(
            "usr/share/pkgconfig/x.pc", "prefix=/usr\nlibdir=${prefix}/lib\nincludedir=/usr/share/pkgconfig\n"
        )
        let relocated = try fixture.relocate()
        let store = relocated.storePath.path
        #expect(
            try fixture.string("usr/lib/systemd/system/nginx.service", of: relocated.tree)
                == "[Service]\nExecStart=\(store)/usr/sbin/nginx -g\nExecReload=/bin/sh -c /usr/sbin/others\n"
                + "ExecStop=-+\(store)/usr/sbin/nginx\nExecStopPost=@-\(store)/usr/sbin/nginx\nX=a-/usr/sbin/nginx\n"
        )
        #expect(
            try fixture.string("usr/share/pkgconfig/x.pc", of: relocated.tree)
                == "prefix=\(store)/usr\nlibdir=${prefix}/lib\nincludedir=\(store)/usr/share/pkgconfig\n")
    }

    @Test func aPackageConfigFileWithNothingButAPrefixIsRewritten() throws {
        let fixture = try RelocationFixture()
        try fixture.text("usr/share/pkgconfig/x.pc", "prefix=/usr\nName: x\n")
        let relocated = try fixture.relocate()
        let result = try fixture.string("usr/share/pkgconfig/x.pc", of: relocated.tree)
        #expect(result == "prefix=\(relocated.storePath.path)/usr\nName: x\n")
    }

    @Test func compressedFilesAreCounted() throws {
        let fixture = try RelocationFixture()
        try fixture.file("usr/share/x/data.gz", [0x1f, 0x8b, 8, 0, 1, 2, 3])
        #expect(try fixture.relocate().left("usr/share/x/data.gz").map(\.reason) == [.compressed])
    }

    @Test func pythonBytecodeIsMarkedAndItsConstantsAreRewritten() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/lib/python3/dist-packages")
        let path = Array("/usr/lib/python3/dist-packages/m.py".utf8)
        // Header of Python 3.11: magic, flags, time, size; then a short interned ASCII string right before "z".
        let header: Bytes = [0xa7, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0, 1, 2, 3, 4, 9, 0, 0, 0]
        let bytes = header + [0xda, UInt8(path.count)] + path + Array("zzz/usr/lib/python3x".utf8)
        try fixture.file("usr/lib/python3/dist-packages/__pycache__/m.cpython-311.pyc", bytes)
        let relocated = try fixture.relocate()
        let result = try fixture.bytes(
            "usr/lib/python3/dist-packages/__pycache__/m.cpython-311.pyc", of: relocated.tree)
        #expect(result.count == bytes.count)
        #expect(Array(result[4..<8]) == [1, 0, 0, 0])
        #expect(Array(result[8..<18]) == Array(bytes[8..<18]))
        let alias = try #require(relocated.aliases.first)
        #expect(alias.target == "usr/lib/python3")
        #expect(Array(result[18...]) == Array("\(alias.path)/dist-packages/m.pyzzz/usr/lib/python3x".utf8))
    }

    @Test func documentationAndUnknownBinariesStay() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/thing/a")
        let text = "see /usr/share/thing/a\n"
        try fixture.text("usr/share/doc/x/README", text)
        try fixture.file("usr/lib/x.bin", [0, 1] + Array(text.utf8))
        let relocated = try fixture.relocate()
        #expect(try fixture.string("usr/share/doc/x/README", of: relocated.tree) == text)
        #expect(try fixture.bytes("usr/lib/x.bin", of: relocated.tree) == [0, 1] + Array(text.utf8))
        #expect(relocated.left("usr/lib/x.bin").map(\.reason) == [.format])
        #expect(relocated.left("usr/share/doc/x/README").isEmpty)
    }
}

@Suite struct LinkRelocationTests {
    /// A link at usr/bin/x, its target, and what it becomes below the store path; `nil` where it stays.
    @Test(
        arguments: [
            ("/usr/bin/y", "/usr/bin/y"), ("/etc/alternatives/y", "/etc/alternatives/y"), ("y", nil),
            ("../../../usr/bin/y", "/usr/bin/y"), ("../../usr/bin/y", nil), ("/nowhere", nil),
            ("/usr/bin/env", nil),
            ("/etc/ssl/certs", nil), ("/usr/local/bin/y", nil),
        ] as [(String, String?)])
    func absoluteLinksIntoTheImageBecomeStorePaths(target: String, expected: String?) throws {
        let fixture = try RelocationFixture()
        for path: TreePath in ["usr/bin/y", "usr/bin/env", "etc/ssl/certs/a", "usr/local/bin/y"] {
            try fixture.file(path, [1])
        }
        fixture.link("etc/alternatives/y", "/usr/bin/y")
        fixture.link("usr/bin/x", target)
        let relocated = try fixture.relocate()
        let result = expected.map { relocated.storePath.path + $0 } ?? target
        #expect(relocated.tree["usr/bin/x"]?.kind == .symlink(target: Array(result.utf8)))
    }
}

@Suite struct AliasTests {
    @Test func namesAreTheSameEveryTimeAndShowWhoseTheyAre() throws {
        let make = {
            let fixture = try RelocationFixture()
            fixture.directory("usr/share/a-rather-long-name")
            try fixture.text("usr/lib/x", "/usr/share/a-rather-long-name\n")
            return try fixture.relocate()
        }
        let (first, second) = (try make(), try make())
        #expect(first.aliases == second.aliases)
        #expect(first.aliases[0].name.hasPrefix(first.storePath.hash.prefix(8)))
        #expect(first.aliases[0].name.utf8.allSatisfy { (0x30...0x7a).contains($0) })
    }

    @Test func everyAliasIsAlsoInTheTreeAsARelativeLink() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/thing/a")
        try fixture.text("usr/lib/x", "/usr/share/thing/a\n")
        let relocated = try fixture.relocate()
        let path = StoreLayout.Tree.aliases.appending(relocated.aliases[0].name.utf8)
        #expect(relocated.tree.resolve(path.bytes) == "usr/share/thing")
    }

    @Test func aTakenAliasStopsBeforeAnythingIsWritten() throws {
        let fixture = try RelocationFixture()
        fixture.directory("usr/share/thing/a")
        try fixture.text("usr/lib/x", "/usr/share/thing/a\n")
        #expect(throws: AliasTaken.self) { try fixture.relocate(isTaken: { _ in true }) }
        let again = try fixture.relocate()
        #expect(try fixture.string("usr/lib/x", of: again.tree).hasPrefix(again.aliases[0].path))
    }
}
