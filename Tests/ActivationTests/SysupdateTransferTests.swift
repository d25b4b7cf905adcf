import Activation
import Testing

/// Transfers of systemd-sysupdate, as far as they bring extensions.
@Suite struct SysupdateTransferTests {
    private func transfer(_ target: String, source: String = "Path=https://x/") -> SysupdateTransfer? {
        SysupdateTransfer(
            file: "/etc/sysupdate.d/x.transfer",
            text: "# made by hand\n[Source]\n\(source)\n\n[Target]\n\(target)\n")
    }

    @Test func directoriesOfExtensionsAreFound() throws {
        let found = try #require(
            transfer("Type=regular-file\n Path = /var/lib/extensions/ \nMatchPattern=a_@v.raw b_@v_%a.raw"))
        #expect(found.path == "/var/lib/extensions" && found.currentLink == nil)
        #expect(found.patterns == ["a_@v.raw", "b_@v_%a.raw"])
    }

    @Test func soAreOthersByTheLinkThatTheyMake() {
        let link = transfer("Path=/opt/extensions\nCurrentSymlink=/etc/extensions/a.raw")
        #expect(link?.currentLink == "/etc/extensions/a.raw" && link?.path == "/opt/extensions")
        #expect(transfer("Path=/opt/extensions\nCurrentSymlink=a.raw") == nil)
        #expect(
            transfer("Path=/var/lib/sysext-store\nCurrentSymlink=a.raw")?.currentLink
                == "/var/lib/sysext-store/a.raw")
    }

    @Test(arguments: [
        "Path=/var/lib/machines", "Path=%T/x\nCurrentSymlink=/etc/extensions/x.raw",
        "Type=partition\nPath=auto",
        "Path=/extensions\nPathRelativeTo=boot\nCurrentSymlink=/etc/extensions/x.raw", "",
    ])
    func whatBringsNoExtensionsIsPassedOver(target: String) {
        #expect(transfer(target, source: "Path=/var/lib/extensions") == nil)
    }

    @Test(arguments: [
        ("a-1.2.x86-64.raw", true), ("a-.x86-64.raw", true), ("b-1.raw", false), ("a-1.raw", false),
        ("a-1.x86-64.raw.xz", false),
    ])
    func versionsAreToldByTheirNames(name: String, isOne: Bool) {
        let found = transfer("Path=/var/lib/extensions\nMatchPattern=a-@v.x86-64.raw")
        #expect(found?.matches(name) == isOne)
        #expect(
            transfer("Path=/var/lib/extensions\nMatchPattern=a-@v.%a.raw")?.matches("a-1.x86-64.raw") == true)
    }
}
