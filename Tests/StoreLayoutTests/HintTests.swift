import Files
import Foundation
import StoreLayout
import Testing

@Suite struct HintTests {
    private func parse(_ text: String) throws -> Hint {
        try Hint(parsing: Array(text.utf8), name: HintName("test"), file: "test.hints")
    }

    @Test(arguments: [
        ("git", "usr/bin/git", true), ("git", "usr/bin/git-add", false), ("git", "git", true),
        ("git-*", "usr/lib/git-core/git-add", true), ("git-*", "usr/git-core/x", false), ("*", "a/b", true),
        ("usr/bin/*", "usr/bin/git", true), ("usr/bin/*", "usr/bin/a/b", false),
        ("usr/bin/git", "bin/git", false),
        ("usr/*/git", "usr/lib/git", true), ("usr/*/git", "usr/lib/x/git", false), ("*a*b", "xaxxb", true),
        ("*a*b", "xaxxbx", false), ("a**b", "ab", true), ("*.so.*", "lib/x.so.1.2", true), ("", "a", nil),
        ("/usr/bin/git", "usr/bin/git", nil), ("../git", "git", nil), ("a//b", "a/b", nil),
    ])
    func aPatternMatchesNamesOrPaths(pattern: String, path: String, expected: Bool?) throws {
        #expect(PathPattern(pattern)?.matches(try TreePath(parsing: path.utf8)) == expected)
    }

    @Test func manyStarsTakeNoLongTime() throws {
        let pattern = try #require(PathPattern(String(repeating: "a*", count: 120) + "b"))
        let path = try TreePath(parsing: String(repeating: "a", count: 250).utf8)
        let clock = ContinuousClock()
        #expect(clock.measure { for _ in 0..<100 { _ = pattern.matches(path) } } < .seconds(10))
        #expect(!pattern.matches(path))
    }

    @Test func everyFileOfTheBuiltInSetIsReadAndNamed() throws {
        let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "store-layout/hints")
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
        #expect(files == Hint.builtIn.map { $0.name.text + ".hints" })
        for (file, hint) in zip(files, Hint.builtIn) {
            #expect(hint.text == Array(try Data(contentsOf: directory.appending(path: file))))
        }
        #expect(Hint.builtIn.first { $0.name.text == "git" }?.groups.first?.relative.first == "lib/git-core")
    }

    @Test func everyWordIsUnderstood() throws {
        let hint = try parse(
            """
            sxs-hints 1
            # A comment, and a line that is empty.

            package tools
            package editor
            program ed
            program usr/lib/ed/*
            relative share/ed
            no-alias /usr/share/ed/a b
            """.replacingOccurrences(of: "a b", with: "x") + """

                no-alias * in *.dat
                no-alias /usr/lib/ed in usr/lib/ed/core
                environment EDHOME={store-path}/usr/share/ed  and = more
                environment EMPTY=
                seed etc/ed
                namespace never
                program sed
                namespace always

                """)
        #expect(hint.packages.map(\.text) == ["tools", "editor"])
        #expect(hint.groups.count == 2)
        let group = hint.groups[0]
        #expect(group.programs.map(\.text) == ["ed", "usr/lib/ed/*"])
        #expect(group.relative == ["share/ed"])
        #expect(group.kept.map(\.path) == ["/usr/share/ed/x", nil, "/usr/lib/ed"])
        #expect(group.kept.map { $0.files?.text } == [nil, "*.dat", "usr/lib/ed/core"])
        #expect(group.environment.map(\.name) == ["EDHOME", "EMPTY"])
        #expect(group.environment[0].value == "{store-path}/usr/share/ed  and = more")
        #expect(group.seeds.map(\.text) == ["etc/ed"])
        #expect(group.namespace == .never)
        #expect(hint.groups[1].namespace == .always)
        for (package, path, expected) in [
            ("tools", "usr/bin/sed", true), ("tools", "usr/bin/vi", false), ("other", "usr/bin/ed", false),
            ("tools", "usr/lib/ed/core", true), ("tools", "usr/share/ed/core", false),
        ] {
            var tree = Tree()
            let file = Tree.Node(kind: .file(ContentID(0)), mode: 0o755)
            tree.insert(file, at: try TreePath(parsing: path.utf8))
            #expect(
                hint.applies(to: try PackageName(package), with: TreeFiles(tree)) == expected,
                "\(package) \(path)")
        }
    }

    /// Lines after `program ed`, and what the message names.
    static let wrong = [
        ("programm x", "'programm'"), ("relative", "nothing follows"), ("relative ", "nothing follows"),
        ("relative share/ed ", "ends in a space"), ("relative /usr/share", "'/usr/share'"),
        ("relative ../share/ed", "'../share/ed'"), ("relative lib", "'lib'"), ("no-alias usr/x", "'usr/x'"),
        ("no-alias /", "'/'"), ("no-alias /usr/../etc", "'/usr/../etc'"), ("no-alias /usr//x", "'/usr//x'"),
        ("no-alias /usr/x at y", "'/usr/x at y'"), ("no-alias /usr/x in /y", "'/usr/x in /y'"),
        ("environment A", "'A'"), ("environment =x", "'=x'"), ("environment A-B=x", "'A-B=x'"),
        ("environment 1A=x", "'1A=x'"), ("environment LD_PRELOAD=/x.so", "LD_PRELOAD"),
        ("environment LD_LIBRARY_PATH=/x", "LD_LIBRARY_PATH"), ("environment PYTHONHOME=/x", "PYTHONHOME"),
        ("environment PYTHONPATH=/x", "PYTHONPATH"), ("environment PERL5LIB=/x", "PERL5LIB"),
        ("environment GCONV_PATH=/x", "GCONV_PATH"), ("environment LOCPATH=/x", "LOCPATH"),
        ("environment PATH=/x", "PATH"), ("environment A=1\nenvironment A=2", "A is set twice"),
        ("seed /etc/x", "'/etc/x'"), ("seed etc", "'etc'"), ("seed var/x", "'var/x'"),
        ("seed usr", "'usr'"), ("seed usr/bin/sudo", "/usr/bin/sudo"), ("seed usr/bin/su*", "/usr/bin/su*"),
        ("seed etc/*", "/etc/*"), ("seed usr/*/x", "/usr/*/x"), ("seed usr/store", "/usr/store"),
        ("seed etc/pam.d/*", "/etc/pam.d/*"), ("seed etc/pam*", "/etc/pam*"), ("seed *tc/x", "'*tc/x'"),
        ("seed usr/lib/systemd/system", "/usr/lib/systemd/system"), ("seed etc/shado*/x", "/etc/shado*/x"),
        ("seed etc/../usr", "'etc/../usr'"), ("seed etc/ld.so.preload", "/etc/ld.so.preload"),
        ("seed etc/passwd", "/etc/passwd"), ("seed etc/pam.d/sudo", "/etc/pam.d/sudo"),
        ("namespace sometimes", "'sometimes'"), ("namespace always\nnamespace never", "'never'"),
        ("package x", "'x'"), ("program /usr/bin/ed", "'/usr/bin/ed'"),
        ("namespace auto\nprogram x", "nothing is said"),
        (" relative share/ed", "''"), ("relative share/ed\r", "no text"), ("relative\tshare/ed", "no text"),
        ("environment A=\u{0}", "no text"),
    ]

    @Test(arguments: wrong) func aWrongLineIsNamedByItsNumber(line: String, subject: String) throws {
        let lines = line.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let number = subject == "nothing is said" ? 4 : 2 + lines.count
        let error = #expect(throws: HintError.self) {
            try parse("sxs-hints 1\nprogram ed\n" + line + "\n")
        }
        let text = "\(try #require(error))"
        #expect(text.hasPrefix("line \(number) of test.hints: "), "\(text)")
        #expect(text.contains(subject), "\(text)")
        #expect(text.contains("\nhint: "), "\(text)")
    }

    @Test func whatIsNoHintIsRefused() throws {
        for text in ["", "\n", "sxs-hints 2\nprogram a\nseed etc/a\n", "sxs-hints 1x", "#!/bin/sh\n"] {
            #expect(throws: HintError.heading(file: "test.hints")) { try parse(text) }
        }
        #expect(throws: HintError.empty(file: "test.hints")) {
            try parse("sxs-hints 1\npackage a\n# nothing\n")
        }
        #expect(throws: HintError.self) { try parse("sxs-hints 1\nseed etc/a\n") }
        let line = "program x\nseed etc/a\n"
        for long in [String(repeating: line, count: 101), line + "#" + String(repeating: "x", count: 17000)] {
            #expect(throws: HintError.tooLong(file: "test.hints")) { try parse("sxs-hints 1\n" + long) }
        }
        #expect(throws: HintError.self) {
            try Hint(
                parsing: Array("sxs-hints 1\nprogram \u{fc}\n".utf8.dropLast(2)), name: HintName("x"),
                file: "x")
        }
        for name in ["", ".x", "a/b", "..", "a b", String(repeating: "a", count: 65)] {
            #expect(throws: HintError.name(name)) { try HintName(name) }
        }
    }

    @Test func hintsArePartOfTheHash() throws {
        let base = { (hints: [Digest]) in
            StorePath.Identity(
                tree: Digest(hashing: []), name: try PackageName("a"), version: try PackageVersion("1"),
                architecture: .any, hints: hints, aliasSalt: 1)
        }
        let (one, two) = (Digest(hashing: [1]), Digest(hashing: [2]))
        #expect(try base([one, two]) == base([two, one]))
        #expect(Set([[], [one], [two], [one, two]].map { try! StorePath(base($0)).hash }).count == 4)
        #expect(try base([one]).text.hasSuffix("recipe 1\nhint sha256:\(one.hex)\nalias-salt 1\n"))
    }

    /// Looking at the directories that a pattern names finds what looking at all paths does.
    @Test(arguments: [
        "git", "g*", "*", "usr/bin/git", "usr/bin/*", "usr/*/git", "*/bin/g*t", "usr/bin", "usr/*", "lib/x",
        "usr/bin/git/x",
        "usr/share/*/*", "b*n/none",
    ])
    func patternsFindTheSameInATree(text: String) throws {
        var tree = Tree()
        for path in ["usr/bin/git", "usr/bin/got", "usr/share/git/doc", "usr/lib/x/git", "bin"] as [TreePath]
        {
            tree.insert(Tree.Node(kind: .symlink(target: [0x78]), mode: 0o777), at: path)
        }
        let pattern = try #require(PathPattern(text))
        let expected = tree.nodes.contains { $0.value.kind != .directory && pattern.matches($0.key) }
        #expect(pattern.hasMatch(in: TreeFiles(tree)) == expected)
    }
}
