import Activation
import Files
import StoreLayout
import Testing

/// The rules by themselves; `Scripts/compare-sysext` compares their outcome with systemd's.
@Suite struct ExtensionMatchTests {
    static let debian = "ID=debian\nVERSION_ID=12\n"

    /// The verdict on a directory with one extension-release.
    func match(
        _ release: String, on host: String = debian, name: String = "foo", file: String = "foo",
        systemd: Int = 257, isDirectory: Bool = true, change: (inout Tree) -> Void = { _ in }
    ) throws -> ExtensionMatch {
        var tree = Tree()
        tree.insert(.impliedDirectory, at: "usr")
        tree.insert(
            Tree.Node(kind: .file(ContentID(0)), mode: 0o644),
            at: ExtensionLayout.releases.appending("extension-release.\(file)".utf8))
        change(&tree)
        let version = SystemdVersion(systemd)
        return ExtensionMatch(
            ExtensionCandidate(
                name: ImageFileName(path: name, isDirectory: isDirectory, like: version)?.name,
                fileName: name,
                isDirectory: isDirectory, tree: tree, read: { _ in Array(release.utf8) }),
            on: ExtensionHost(
                release: try ReleaseFile(parsing: Array(host.utf8), like: version), architecture: "x86-64",
                version: version))
    }

    @Test func aRuleSaysWhatImageAndHostHave() throws {
        let refusal = try #require(try match("ID=debian\nVERSION_ID=13\n").refusal)
        #expect(refusal.rule == "VERSION_ID")
        #expect(refusal.image == "13")
        #expect(refusal.host == "12")
        #expect(refusal.hint?.contains("VERSION_ID=12") == true)
    }

    @Test func theFirstRefusalDecidesAndOthersAreStillShown() throws {
        let match = try match("ID=fedora\nARCHITECTURE=arm64\nSYSEXT_SCOPE=initrd\n")
        #expect(match.outcome == .ignored)
        let refusals = match.rules.filter { $0.verdict == .refuses }.map(\.rule)
        #expect(refusals == ["SYSEXT_SCOPE", "ARCHITECTURE", "ID", "VERSION_ID"])
    }

    @Test func anotherSpellingOfTheArchitectureIsNamed() throws {
        let refusal = try #require(try match("ID=_any\nARCHITECTURE=x86_64\n").refusal)
        #expect(refusal.reason.contains("spells"))
        #expect(refusal.hint == "write ARCHITECTURE=x86-64")
        #expect(try match("ID=_any\nARCHITECTURE=arm64\n").refusal?.hint == "take an image for x86-64")
    }

    @Test func whatAnyDecidesIsNotAsked() throws {
        let match = try match("ID=_any\nVERSION_ID=99\n")
        #expect(match.outcome == .merged)
        #expect(match.rules.first { $0.rule == "VERSION_ID" }?.verdict == .notAsked)
    }

    @Test func versionsOfSystemdDiffer() throws {
        let like = "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=12\n"
        #expect(try match("ID=debian\nVERSION_ID=12\n", on: like, systemd: 257).outcome == .merged)
        #expect(try match("ID=debian\nVERSION_ID=12\n", on: like, systemd: 256).outcome == .ignored)
        #expect(try match("ID=_any\n", name: "foo_1.2", systemd: 257).outcome == .merged)
        #expect(try match("ID=_any\n", name: "foo_1.2", systemd: 256).outcome == .ignored)
        #expect(try match("ID=_any\n", name: "foo.sysext", systemd: 255).outcome == .merged)
        #expect(try match("ID=_any\n", name: "foo.sysext", systemd: 254).outcome == .ignored)
        let versioned = "/var/lib/extensions/foo.v/foo-anything"
        #expect(try match("ID=_any\n", name: versioned, systemd: 256).outcome == .merged)
        #expect(try match("ID=_any\n", name: versioned, systemd: 255).outcome == .ignored)
    }

    @Test func aFileThatIsNoExtensionStopsTheMerge() throws {
        #expect(try match("ID=_any\n", name: "bar.raw", isDirectory: false).outcome == .blocks)
        #expect(try match("ID=_any\n", name: "bar").outcome == .ignored)
        #expect(try match("ID=_any\n", name: "foo.img", isDirectory: false).outcome == .ignored)
        #expect(try match("ID=_any\n", on: "VERSION_ID=1\n").outcome == .blocks)
        let hint = try match("ID=_any\n", name: "bar.raw", isDirectory: false).refusal?.hint
        #expect(hint?.contains("foo.raw") == true)
    }

    @Test func linksStayInTheImage() throws {
        let outside = try match("ID=_any\n", name: "bar") { tree in
            tree.insert(
                Tree.Node(kind: .symlink(target: Array("../../../../../../../usr/lib/x".utf8)), mode: 0o777),
                at: ExtensionLayout.releases.appending("extension-release.bar".utf8))
            tree.insert(Tree.Node(kind: .file(ContentID(0)), mode: 0o644), at: "usr/lib/x")
        }
        #expect(outside.outcome == .merged)
        let circle = try match("ID=_any\n", name: "bar") { tree in
            tree.insert(
                Tree.Node(kind: .symlink(target: Array("extension-release.bar".utf8)), mode: 0o777),
                at: ExtensionLayout.releases.appending("extension-release.bar".utf8))
        }
        #expect(circle.refusal?.reason.contains("circle") == true)
    }
}
