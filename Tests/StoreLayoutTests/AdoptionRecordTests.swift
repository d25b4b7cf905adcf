import Files
import StoreLayout
import Testing

/// The record of extensions that were moved, and the table of what has to be in `/usr`.
@Suite struct AdoptionRecordTests {
    static let digest = Digest(hashing: "x".utf8)
    static let record = AdoptionRecord(entries: [
        .init(
            fate: .kept, kind: .file, path: "/var/lib/extensions/a b.raw",
            original: "/var/lib/sxs/extensions/x",
            target: nil, digest: digest, name: "a b.raw"),
        .init(
            fate: .taken, kind: .link, path: "/etc/extensions/b.raw", original: nil,
            target: "../../opt/b.raw",
            digest: digest, name: "b"),
        .init(
            fate: .quarantined, kind: .directory, path: "/etc/extensions/c",
            original: "/var/lib/sxs/quarantine/c", target: nil, digest: digest, name: nil),
        .init(
            fate: .covered, kind: .file, path: "/var/lib/extensions/b.raw",
            original: "/var/lib/sxs/extensions/b",
            target: nil, digest: digest, name: nil),
    ])

    @Test func whatIsWrittenIsRead() {
        #expect(AdoptionRecord(parsing: Self.record.text) == Self.record)
        #expect(AdoptionRecord(parsing: AdoptionRecord().text) == AdoptionRecord())
    }

    @Test func aRecordThatIsCutIsRefused() {
        let text = Self.record.text
        for length in text.indices {
            guard let read = AdoptionRecord(parsing: Array(text[..<length])) else { continue }
            // Only whole lines are a record: of less.
            #expect(text[length - 1] == 0x0a)
            #expect(Self.record.entries.starts(with: read.entries))
        }
    }

    @Test(arguments: [
        "gone\tfile\t/a\t/b\t-\tDIGEST\t-", "covered\tsocket\t/a\t/b\t-\tDIGEST\t-",
        "covered\tfile\ta\t/b\t-\tDIGEST\t-", "covered\tfile\t/a/../b\t/b\t-\tDIGEST\t-",
        "covered\tfile\t/a\t/b/../c\t-\tDIGEST\t-", "covered\tfile\t/a\t-\t-\tDIGEST\t-",
        "covered\tfile\t/a\t/b\t-\t00\t-", "covered\tfile\t/a\t/b\t-\tDIGEST\tname",
        "kept\tfile\t/a\t/b\t-\tDIGEST\t-",
        "kept\tfile\t/a\t/b\t-\tDIGEST\t../x", "covered\tlink\t/a\t-\t-\tDIGEST\t-",
        "covered\tfile\t/a\t/b\t-\tDIGEST", "covered file /a /b - DIGEST -", "",
    ])
    func whatCouldLeadElsewhereIsRefused(line: String) {
        let text = "sxs-adopted 1\n" + line.replacing("DIGEST", with: Self.digest.hex) + "\n"
        #expect(AdoptionRecord(parsing: Array(text.utf8)) == nil)
    }

    @Test func anotherVersionIsRefused() {
        #expect(AdoptionRecord(parsing: Array("sxs-adopted 2\n".utf8)) == nil)
    }

    @Test func aLongNameIsCutAndStaysAnImage() {
        let name = String(repeating: "n", count: 250) + ".raw"
        let cut = AdoptionLayout.originalName(name, digest: Self.digest.hex)
        #expect(cut == Self.digest.hex + ".raw")
        #expect(AdoptionLayout.originalName("a.raw", digest: "00") == "00-a.raw")
    }

    @Test(arguments: [
        "usr/lib/udev/rules.d/60-x.rules", "usr/lib/modules/6.1/extra/x.ko", "usr/lib/firmware/a/b.bin",
        "usr/lib/systemd/system-generators/x", "usr/share/polkit-1/actions/x.policy",
        "usr/lib/dracut/modules.d/90x/setup.sh",
        "usr/share/selinux/packages/x.pp", "usr/share/dbus-1/system.d/x.conf", "usr/lib/sysctl.d/x.conf",
        "usr/lib/systemd/resolved.conf.d/x.conf",
    ])
    func whatTheHostReadsHasToBeInUsr(path: String) throws {
        let path = try TreePath(parsing: path.utf8)
        #expect(HostPart.part(at: path, hasOwnLibrary: false) != nil)
        #expect(HostPart.part(at: path, hasOwnLibrary: true) != nil)
    }

    @Test(arguments: [
        "usr/lib/x86_64-linux-gnu/libnss_x.so.2", "usr/lib64/libnss_x.so.2",
        "usr/lib/x86_64-linux-gnu/security/pam_x.so",
        "usr/lib64/security/pam_x.so", "usr/lib64/dri/x_dri.so",
        "usr/lib/x86_64-linux-gnu/gio/modules/libx.so",
    ])
    func modulesOfTheHostsProgramsHaveToBeInUsrUnlessTheyComeWithALibrary(path: String) throws {
        let path = try TreePath(parsing: path.utf8)
        #expect(HostPart.part(at: path, hasOwnLibrary: false) != nil)
        #expect(HostPart.part(at: path, hasOwnLibrary: true) == nil)
    }

    @Test(arguments: [
        "usr/bin/x", "usr/lib/x/module.so", "usr/lib/x86_64-linux-gnu/libx.so.1",
        "usr/share/applications/x.desktop",
        "usr/lib/systemd/system/x.service", "usr/lib/sysusers.d/x.conf", "usr/lib/tmpfiles.d/x.conf",
        "usr/share/dbus-1/services/x.service", "usr/lib/udevil/x",
    ])
    func theRestTheStoreServes(path: String) throws {
        #expect(HostPart.part(at: try TreePath(parsing: path.utf8), hasOwnLibrary: false) == nil)
    }
}
