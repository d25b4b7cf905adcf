import Foundation
import StoreLayout
import Testing

/// The order in which systemd stacks extensions.
@Suite struct ExtensionNameTests {
    /// Names in order, each less than all that follow.
    static let ordered = [
        "~", "", "a~1", "a", "a-b", "a^b", "a.b", "aa", "ab", "emacs_28.2", "emacs_28.10", "emacs_28.10.1",
        "zz",
        "0ad", "7zip", "007zip-x", "20261121-x", "20261121130000-x", Anchor.name, "9999999999999999",
    ]

    @Test func namesAreInOneOrder() {
        for (index, first) in Self.ordered.enumerated() {
            for second in Self.ordered[(index + 1)...] {
                #expect(ExtensionName(first) < ExtensionName(second), "\(first) and \(second)")
                #expect(!(ExtensionName(second) < ExtensionName(first)), "\(second) and \(first)")
            }
        }
        #expect(
            !(ExtensionName("a_1") < ExtensionName("a 01")) && !(ExtensionName("a 01") < ExtensionName("a_1"))
        )
    }

    @Test func theOrderIsSystemds() {
        // Neighbours are enough: it is an order.
        for (first, second) in zip(Self.ordered, Self.ordered.dropFirst()) {
            #expect(Self.systemd(first, "lt", second), "\(first) and \(second)")
        }
        #expect(Self.systemd("a_1", "eq", "a 01"))
    }

    @Test func theAnchorIsLast() {
        let anchor = ExtensionName(Anchor.name)
        for name in ["emacs", "zz", "~", "ZZZ", "0ad", "20261121-x", "20261121235959-x", "emacs_30.1_x86-64"]
        {
            #expect(ExtensionName(name) < anchor, "\(name)")
        }
        #expect(anchor < ExtensionName("9" + Anchor.name))
    }

    /// What `systemd-analyze compare-versions` says.
    private static func systemd(_ first: String, _ relation: String, _ second: String) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/systemd-analyze")
        process.arguments = ["compare-versions", first, relation, second]
        do {
            try process.run()
        } catch {
            Issue.record("systemd-analyze cannot be run: \(error)")
            return false
        }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
