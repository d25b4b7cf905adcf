import Testing

@testable import StoreLayout

@Suite struct HostReportTests {
    private static let path = "6lhg18n4gpk4s3vwpxrp05z9wrdwgrfh-empty-1"

    @Test func aReportIsReadAsItWasWritten() {
        let report = HostReport(
            boot: "f00", number: 7, name: "Debian GNU/Linux 12 (bookworm)",
            uses: [
                .init(isProcess: true, what: "process 1 (a b), which runs it", baseName: Self.path),
                .init(isProcess: false, what: "/etc/x", baseName: Self.path),
            ])
        #expect(HostReport(parsing: report.text) == report)
        #expect(report.text.starts(with: HostReport.beginning(boot: "f00")))
        #expect(!report.text.starts(with: HostReport.beginning(boot: "f0")))
    }

    @Test func aNameCannotBreakALine() {
        let report = HostReport(
            boot: nil, name: "a\nnumber 9\tb",
            uses: [.init(isProcess: false, what: "x\nprocess y", baseName: Self.path)])
        let read = HostReport(parsing: report.text)
        #expect(read.number == 0)
        #expect(read.boot == nil)
        #expect(read.name == "a number 9 b")
        #expect(read.uses.map(\.isProcess) == [false])
    }

    @Test func ofAnythingElseStorePathsAreTakenForRunning() {
        let read = HostReport(parsing: Array("sxs-host 2\nfile /etc/x\t/usr/store/\(Self.path)\n".utf8))
        #expect(read.uses == [.init(isProcess: true, what: "something", baseName: Self.path)])
        #expect(read.number == 0)
        #expect(HostReport(parsing: []) == HostReport(boot: nil))
    }

    @Test(arguments: [
        ("3d1219c7c4c5404aaa1f6d2a48adfda4\n", true), ("3d1219c7c4c5404aaa1f6d2a48adfda4", true),
        ("uninitialized\n", false), ("", false), ("3D1219C7C4C5404AAA1F6D2A48ADFDA4\n", false),
        ("00000000000000000000000000000000\n", false), ("3d1219c7c4c5404aaa1f6d2a48adfda\n", false),
        ("../../../../../../../../../../etc\n", false),
    ])
    func aMachineIDIs32Digits(text: String, isOne: Bool) {
        #expect((MachineIdentity.parse(Array(text.utf8)) != nil) == isOne)
    }
}
