import Files
import StoreLayout
import Testing

/// What of an image reaches the host's units, users and `/etc`, and the record of it.
@Suite struct ServiceLayoutTests {
    @Test(arguments: [
        ("usr/lib/systemd/system/a.service", "lib/systemd/system/a.service"),
        ("lib/systemd/system/a.service.d/b.conf", "lib/systemd/system/a.service.d/b.conf"),
        ("usr/lib/systemd/user/a.socket", "lib/systemd/user/a.socket"),
        ("usr/lib/sysusers.d/a.conf", "lib/sysusers.d/a.conf"),
        ("usr/lib/tmpfiles.d/a.conf", "lib/tmpfiles.d/a.conf"), ("etc/a/b", "etc/a/b"),
    ])
    func filesHavePlacesInGenerations(path: String, place: String) throws {
        #expect(try ServiceLayout.place(of: TreePath(parsing: path.utf8))?.description == place)
    }

    @Test(arguments: [
        "etc", "var/lib/a", "usr/lib/systemd/system", "usr/lib/systemd/a", "usr/bin/a", "etcetera",
    ])
    func nothingElseHas(path: String) throws {
        #expect(try ServiceLayout.place(of: TreePath(parsing: path.utf8)) == nil)
    }

    @Test(arguments: [
        "etc/nginx/nginx.conf", "etc/redis/redis.conf", "etc/default/nginx", "etc/logrotate.d/nginx",
        "etc/wgetrc", "etc/passwdqc.conf", "etc/systemd-like/a",
    ])
    func configurationOfProgramsIsCarried(path: String) throws {
        #expect(try HostConfiguration.isCarried(TreePath(parsing: path.utf8)))
    }

    @Test(arguments: [
        "etc", "etc/passwd", "etc/shadow", "etc/fstab", "etc/os-release", "etc/ld.so.conf.d/a.conf",
        "etc/ld.so.preload", "etc/alternatives/vi", "etc/ssl/certs/a.pem", "etc/pam.d/sshd",
        "etc/sudoers.d/a", "etc/init.d/nginx", "etc/cron.daily/a", "etc/systemd/system/a.service",
        "etc/udev/rules.d/a", "etc/profile.d/a.sh", "etc/apt/sources.list", "etc/emacs/site-start.el",
        "etc/ImageMagick-6/policy.xml", "etc/a b", "usr/share/a", "var/lib/a",
    ])
    func whatIsTheHostsIsNot(path: String) throws {
        #expect(try !HostConfiguration.isCarried(TreePath(parsing: path.utf8)))
    }

    @Test func everyRuleHasAReasonAndPathsOfItsOwn() {
        var seen: Set<TreePath> = []
        for rule in HostConfiguration.rules {
            #expect(!rule.reason.isEmpty && !rule.paths.isEmpty)
            for path in rule.paths {
                #expect(path.isWithin("etc") && seen.insert(path).inserted, "\(path)")
            }
        }
    }

    static let record = ConfigurationRecord([
        "/etc/a": .init(.directory("/etc/a")),
        "/etc/a/b": .init(.file("/etc/a/b", Digest(hashing: "x".utf8)), isUnfinished: true),
        "/etc/a/c": .init(.link("/etc/a/c", target: "../b")), "/etc/d": .init(nil),
    ])

    @Test func whatIsWrittenIsRead() {
        #expect(ConfigurationRecord(parsing: Self.record.text) == Self.record)
        #expect(ConfigurationRecord(parsing: ConfigurationRecord().text) == ConfigurationRecord())
        let text = String(decoding: Self.record.text, as: UTF8.self)
        #expect(text.hasPrefix("sxs-etc 1\ndirectory /etc/a\nmaking file /etc/a/b "))
        #expect(text.hasSuffix("\nlink /etc/a/c ../b\nhost /etc/d\n"))
    }

    @Test(arguments: [
        "", "sxs-etc 2\n", "sxs-etc 1", "sxs-etc 1\nfile /usr/a \(String(repeating: "0", count: 64))\n",
        "sxs-etc 1\ndirectory /etc/../usr\n", "sxs-etc 1\nanchor /etc/a\n", "sxs-etc 1\nfile /etc/a 00\n",
        "sxs-etc 1\nmaking host /etc/a\n", "sxs-etc 1\nhost /etc/a\nhost /etc/a\n", "sxs-etc 1\nhost /etc\n",
        "sxs-etc 1\ndirectory /etc/a b\n",
    ])
    func aRecordThatCouldLeadElsewhereIsRefused(text: String) {
        #expect(ConfigurationRecord(parsing: Array(text.utf8)) == nil)
    }

    @Test func theUnitComesBeforeAllThatItIsFor() {
        let unit = ServiceLayout.activation
        #expect(unit.contains("ExecStart=/var/lib/sxs/libexec/sxs activate --boot\n"))
        #expect(unit.contains("Before=sysinit.target") && unit.contains("DefaultDependencies=no"))
        let paths = StoreLayout.serviceItems.map(\.path)
        #expect(paths.contains("/etc/systemd/system-generators/sxs-generator"))
        #expect(paths.contains("/etc/systemd/system/sysinit.target.wants/sxs-activate.service"))
    }
}
