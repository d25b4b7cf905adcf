import Files
import Foundation
import StoreLayout
import Testing

@testable import Remotes

@Suite struct SysupdateDefinitionsTests {
    /// A host with files, removed with them.
    private final class Host {
        let path = FileManager.default.temporaryDirectory.path + "/sxs-sysupdate-tests-\(UUID())"

        init(_ files: [String: String]) throws {
            for (name, text) in files {
                let file = path + "/" + name
                let directory = (file as NSString).deletingLastPathComponent
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                try text.write(toFile: file, atomically: false, encoding: .utf8)
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private static func transfer(_ name: String, _ more: String = "", type: String = "regular-file") -> String
    {
        """
        [Transfer]
        \(more)
        [Source]
        Type=url-file
        Path=https://example.org/\(name)/
        MatchPattern=\(name)_@v_%a.raw \(name)_@v.raw.xz
        [Target]
        Type=\(type)
        Path=/var/lib/extensions.d
        MatchPattern=\(name)_@v.raw
        """
    }

    @Test func filesOfAllDirectoriesAndComponents() throws {
        let host = try Host([
            "usr/lib/sysupdate.d/a.transfer": Self.transfer("vendor"),
            "etc/sysupdate.d/a.transfer": Self.transfer("a"),
            "usr/lib/sysupdate.d/masked.transfer": Self.transfer("masked"),
            "etc/sysupdate.d/masked.transfer": "",
            "usr/lib/sysupdate.d/old.conf": Self.transfer("old"),
            "run/sysupdate.one.d/x.conf": Self.transfer("one"),
            "etc/sysupdate.two.d/x.transfer": Self.transfer("x"),
            "etc/sysupdate.two.d/y.transfer": Self.transfer("y"),
            "etc/sysupdate.d/a.transfer.d/10.conf": "[Transfer]\nVerify=no\n",
            "usr/lib/sysupdate.d/a.transfer.d/10.conf": "[Transfer]\nVerify=yes\n",
        ])
        let found = try SysupdateDefinitions(host: host.path).transfers()
        #expect(found.map(\.name) == ["a", "one", "two-x", "two-y"])
        #expect(found.map { $0.remote?.package } == ["a", "one", "x", "y"])
        #expect(found[0].remote?.isInsecure == true && found[1].remote?.isInsecure == false)
        #expect(found[0].remote?.patterns == ["a_@v_%a.raw", "a_@v.raw.xz"])
        #expect(found[0].remote?.location.text == "https://example.org/a")
        // The file that it makes is one that is read.
        let remote = try #require(found[0].remote)
        #expect(try RemoteDescription(parsing: Bytes(remote.text.utf8), name: "a", file: "a.conf") == remote)
    }

    @Test func whatIsNoRemoteSaysWhy() throws {
        let text = Self.transfer("x")
        let host = try Host([
            "a.transfer": Self.transfer("x", "Features=off on"),
            "b.transfer": Self.transfer("x", "RequisiteFeatures=on off"),
            "c.transfer": Self.transfer("x", type: "partition"),
            "d.transfer": text.replacing(".raw", with: ".efi"),
            "e.transfer": text.replacing("@v", with: "v"),
            "f.transfer": text.replacing("https:", with: "ftp:"),
            "g.transfer": text.replacing("url-file", with: "partition"), "h.transfer": "nonsense",
            "i.transfer": Self.transfer("x", "Features=on"), "j.transfer": text.replacing("x_@v", with: "@v"),
            "k.transfer": text.replacing("x_@v", with: "dir/x_@v"),
            "on.feature": "[Feature]\nEnabled=yes\n", "off.feature": "[Feature]\n",
        ])
        let found = try SysupdateDefinitions().transfers(in: host.path)
        let reasons = Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0.obstacle) })
        let words: [String: String?] = [
            "a": nil, "b": "feature off", "c": "operating system", "d": "no images", "e": "MatchPattern",
            "f": "Path=",
            "g": "Type=partition", "h": "Type=", "i": nil, "j": "says a name", "k": "MatchPattern",
        ]
        for (name, word) in words {
            let reason = try #require(reasons[name])
            #expect((reason == nil) == (word == nil), "\(name): \(reason ?? "taken")")
            if let word, let reason { #expect(reason.contains(word), "\(name): \(reason)") }
        }
    }

    @Test func specifiersStandForWhatTheHostIs() throws {
        let host = try Host([
            "etc/os-release": "ID=test\nVERSION_ID=\"1.2\"\nBUILD_ID='b'\n", "etc/machine-id": "0123\n",
        ])
        let specifiers = Specifiers(host: host.path, architecture: try Architecture(parsing: "arm64"))
        #expect(try specifiers.expand("%o-%w-%B-%W-%a-%m-%%-%T-100%") == "test-1.2-b--arm64-0123-%-/tmp-100%")
        #expect(try specifiers.expand("a%20b") == "a%20b")
        for letter in ["v", "H", "l", "b"] { #expect(try !specifiers.expand("%" + letter).isEmpty) }
        #expect(throws: SysupdateError.specifier("%Q", in: "x%Q")) { try specifiers.expand("x%Q") }
        #expect(throws: SysupdateError.self) { try Specifiers(host: host.path + "/none").expand("%w") }
    }

    @Test(arguments: [
        ("tool_@v.raw", "tool_1.2.raw", "1.2"), ("tool_@v.raw", "tool_1.2.raw.json", nil),
        ("tool_@v.raw", "tool_.raw", nil),
        ("tool-@v-42-x86-64.raw", "tool-3.3.0-42-x86-64.raw", "3.3.0"),
        ("tool-@v-42.raw", "tool-3.3.0-41.raw", nil),
        ("tool_@v_@h.raw", "tool_1_\(String(repeating: "a", count: 64)).raw", "1"),
        ("tool_@v_@h.raw", "tool_1_aa.raw", nil),
        ("tool_@v+@l-@d.raw", "tool_1+3-0.raw", "1"), ("tool_@v+@l-@d.raw", "tool_1+x-0.raw", nil),
        ("@@_@v", "@_1", "1"), ("tool_@v.raw", "other_1.raw", nil), ("tool_@v", "tool_1/2", nil),
    ])
    func patternsMatchAsTheirsDo(pattern: String, file: String, version: String?) throws {
        #expect(try #require(MatchPattern(parsing: pattern)).version(of: file) == version)
    }

    @Test(arguments: [
        "", "tool", "tool_@v@l", "tool_@v_@v", "tool_@x_@v", "tool_@v@", "dir/tool_@v", "to*l_@v", "tööl_@v",
    ])
    func whatIsNoPatternIsNone(text: String) { #expect(MatchPattern(parsing: text) == nil) }
}
