import Files
import StoreLayout
import Testing

/// The record of what was made on a host.
@Suite struct SetupRecordTests {
    static let record = SetupRecord(
        method: .anchor,
        entries: [
            .directory("/etc/fish"), .file("/etc/fish/a", Digest(hashing: "x".utf8)),
            .link("/usr/store", target: "/var/lib/sxs/store"),
            .policyModule("/var/lib/selinux/x/active/modules/400/sxs", Digest(hashing: "y".utf8)),
            .anchor(Anchor.path),
        ])

    @Test func whatIsWrittenIsRead() {
        #expect(SetupRecord(parsing: Self.record.text) == Self.record)
        #expect(SetupRecord(parsing: SetupRecord(method: .links).text) == SetupRecord(method: .links))
    }

    @Test func aRecordThatIsCutIsRefused() {
        let text = Self.record.text
        for length in text.indices {
            guard let read = SetupRecord(parsing: Array(text[..<length])) else { continue }
            // Only whole lines are a record: of less.
            #expect(text[length - 1] == 0x0a)
            #expect(Self.record.entries.starts(with: read.entries))
        }
    }

    @Test(arguments: [
        "sxs-setup 2\nmethod anchor\n", "sxs-setup 1\n", "sxs-setup 1\nmethod other\n",
        "sxs-setup 1\nmethod links\ndirectory etc\n", "sxs-setup 1\nmethod links\ndirectory /etc/../usr\n",
        "sxs-setup 1\nmethod links\ndirectory /\n", "sxs-setup 1\nmethod links\ndirectory /a//b\n",
        "sxs-setup 1\nmethod links\nlink /usr/store\n", "sxs-setup 1\nmethod links\nfile /a 00\n",
        "sxs-setup 1\nmethod links\nsocket /a\n", "sxs-setup 1\nmethod links\ndirectory /a b\n",
    ])
    func whatCouldLeadElsewhereIsRefused(text: String) {
        #expect(SetupRecord(parsing: Array(text.utf8)) == nil)
    }

    @Test func everyFileOfAHostIsThere() {
        for item in StoreLayout.hostFiles {
            guard case .file(let contents) = item.kind else {
                Issue.record("\(item.path) is no file")
                continue
            }
            #expect(contents.starts(with: "# Made by 'sxs setup'".utf8), "\(item.path)")
            #expect(contents.last == UInt8(ascii: "\n"))
        }
        #expect(Set(StoreLayout.hostFiles.map(\.path)).count == 4)
        for path in StoreLayout.searchPathFiles { #expect(!path.contains("tmpfiles")) }
    }
}
