import Files
import Foundation
import Images
import Operations
import Store
import StoreLayout
import Testing

/// From a store into an extension, and from there into another store.
@Suite struct ExportTests {
    private let fixture: WalkFixture

    init() throws {
        fixture = try WalkFixture()
        try fixture.writeHello()
        try fixture.write(
            "usr/share/applications/hello.desktop",
            "[Desktop Entry]\nName=Exec=/usr/bin/hello\nTryExec=/usr/bin/hello\nExec=/usr/bin/hello %F\n")
        try fixture.write("usr/share/icons/hicolor/hello.png", "x")
        try fixture.write(
            "usr/lib/systemd/system/hello.service",
            "[Service]\nExecStart=/usr/bin/hello\n[Install]\nWantedBy=multi-user.target other.target\nAlias=hi.service\n"
        )
        try fixture.write("usr/lib/systemd/system/hello@.service", "[Install]\nWantedBy=multi-user.target\n")
        try fixture.write("usr/lib/systemd/system/static.service", "[Service]\nExecStart=/usr/bin/hello\n")
        try fixture.link("usr/lib/systemd/system/hi.service", to: "hello.service")
        try fixture.write("usr/lib/systemd/user/hello.service", "[Install]\nWantedBy=default.target\n")
        _ = try fixture.session().importImage("dir:" + fixture.tree.path, options: fixture.options())
    }

    private func options(_ output: String = "out/hello", format: ExportFormat = .dir) throws -> ExportOptions
    {
        try FileManager.default.createDirectory(
            at: fixture.directory.appending(path: "out"), withIntermediateDirectories: true)
        var options = ExportOptions()
        options.format = format
        options.output = fixture.directory.appending(path: output).path
        return options
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: fixture.directory.appending(path: path), encoding: .utf8)
    }

    @Test func anExtensionHoldsWhatHostsLookFor() throws {
        let result = try fixture.session().export("hello", options: options())
        #expect(result.commands == ["hello", "hi"] && result.units == ["hello.service"])
        let base = result.storePath.split(separator: "/").last.map(String.init) ?? ""
        let files = try fixture.run("find", ["out/hello", "-type", "f", "-o", "-type", "l"]).split(
            separator: "\n")
        let outside = files.map { $0.dropFirst("out/hello/usr/".count) }.filter {
            !$0.hasPrefix("store/") && !$0.hasPrefix("_/")
        }
        .sorted()
        #expect(
            outside == [
                "bin/hello", "bin/hi", "lib/extension-release.d/extension-release.hello",
                "lib/systemd/system/hello.service", "lib/systemd/system/hello@.service",
                "lib/systemd/system/hi.service",
                "lib/systemd/system/multi-user.target.d/10-hello-hello.service.conf",
                "lib/systemd/system/other.target.d/10-hello-hello.service.conf",
                "lib/systemd/system/static.service", "lib/systemd/user/hello.service",
                "share/applications/hello.desktop", "share/icons/hicolor/hello.png",
                "share/sxs/manifests/\(base)/metadata.json", "share/sxs/manifests/\(base)/report.json",
                "share/sxs/manifests/\(base)/source.mtree", "share/sxs/manifests/\(base)/tree.mtree",
            ])
        #expect(
            try text("out/hello/usr/lib/systemd/system/other.target.d/10-hello-hello.service.conf")
                == "[Unit]\nUpholds=hello.service\n")
        #expect(
            try text("out/hello/usr/lib/extension-release.d/extension-release.hello")
                == "ID=_any\nSYSEXT_VERSION_ID=\"1\"\nEXTENSION_RELOAD_MANAGER=1\n")
        // Entries of desktops start the command, not the program; other lines are as the store has them.
        let entry = try text("out/hello/usr/share/applications/hello.desktop")
        #expect(entry.hasSuffix("\nTryExec=/usr/bin/hello\nExec=/usr/bin/hello %F\n"))
        #expect(
            try text("out/hello/usr/lib/systemd/system/hello.service").contains(
                "ExecStart=\(result.storePath)/usr/bin/hello\n"))
        // Icons are links to the store path, which lead somewhere in the extension.
        #expect(try text("out/hello/usr/share/icons/hicolor/hello.png") == "x")
        try fixture.run(
            "diff", ["-r", "--no-dereference", "out/hello/usr/store/\(base)", "root/store/\(base)"])
    }

    @Test func usersDirectoriesAndConfigurationAreMadeByTheHostsTools() throws {
        try fixture.write(
            "usr/lib/systemd/system/once.service",
            "[Service]\nType=oneshot\nUser=hello\nExecStart=/usr/bin/hello\n[Install]\nWantedBy=multi-user.target\n"
        )
        try fixture.write("usr/lib/tmpfiles.d/hello.conf", "d /run/hello\n")
        try fixture.write("etc/hello/text", "/usr/share/greeting/text\n", mode: 0o600)
        try fixture.link("etc/hello/link", to: "/usr/share/greeting/text")
        try fixture.write("etc/passwd", "hello:x:1:1:::\n")
        try fixture.run("mkdir", ["-p", "var/lib/hello", "etc/hello/conf.d"], in: fixture.tree)
        _ = try fixture.session().importImage(
            "dir:" + fixture.tree.path, options: fixture.options("hello", "2"))
        _ = try fixture.session().export("hello@2", options: options())
        let top = "out/hello/usr/"
        #expect(try text(top + "lib/tmpfiles.d/hello.conf") == "d /run/hello\n")
        #expect(try text(top + "lib/sysusers.d/sxs-hello.conf").hasSuffix("\nu hello - \"\" -\n"))
        #expect(
            try text(top + "lib/tmpfiles.d/sxs-hello.conf").hasSuffix(
                "\nd /var/lib/hello 0755 hello hello -\n"))
        #expect(
            try text(top + "lib/tmpfiles.d/10-hello.conf") == """
                # Made by sxs.
                d /etc/hello 0755 root root -
                d /etc/hello/conf.d 0755 root root -
                L /etc/hello/link - - - - /usr/share/hello/package/usr/share/greeting/text
                C /etc/hello/text 0600 root root - /usr/share/hello/etc/hello/text

                """)
        #expect(
            try text(top + "share/hello/etc/hello/text")
                == "/usr/share/hello/package/usr/share/greeting/text\n")
        #expect(try text(top + "share/hello/package/usr/share/greeting/text") == "hello\n")
        #expect(
            try text(top + "lib/systemd/system/multi-user.target.d/10-hello-once.service.conf")
                == "[Unit]\nWants=once.service\n")
    }

    @Test func commandsGoWhereTheyAreWanted() throws {
        var options = try options()
        options.commandDirectory = "usr/extensions/bin"
        options.expose = ["hi"]
        #expect(try fixture.session().export("hello", options: options).commands == ["hi"])
        try fixture.run("test", ["-x", "out/hello/usr/extensions/bin/hi"])
        try fixture.run("test", ["!", "-e", "out/hello/usr/bin"])
        for directory in ["usr", "opt/bin", "usr/store/x", "usr/_", "usr/local/bin", "usr/sbin"] as [TreePath]
        {
            options.commandDirectory = directory
            options.isForced = true
            #expect(throws: ExportError.self) { try fixture.session().export("hello", options: options) }
        }
    }

    @Test(arguments: [ExportFormat.dir, .sysext]) func anExtensionComesBackTheSame(_ format: ExportFormat)
        throws
    {
        let name = format == .dir ? "hello" : "hello.raw"
        let result = try fixture.session().export("hello", options: options("out/\(name)", format: format))
        let session = try fixture.session("second")
        let back = try session.importImage(result.path, options: ImportOptions())
        #expect(
            !back.wasKnown && StoreLayout.storeDirectory + "/" + back.metadata.storePath == result.storePath)
        #expect(try session.importImage(result.path, options: ImportOptions()).wasKnown)
        #expect(try session.verify([]).allSatisfy(\.problems.isEmpty))
        try fixture.run("diff", ["-r", "--no-dereference", "root/store", "second/store"])
        try fixture.run(
            "diff",
            ["-r", "--exclude=metadata.json", "root/manifests", "second/manifests"])
        _ = try session.install(["hello"])
        let again = try session.export("hello", options: options("out/\(name)", format: format).forced)
        #expect(again.size == result.size && again.path == result.path)
        #expect(throws: ExportError.exists(result.path)) {
            try session.export("hello", options: options("out/\(name)", format: format))
        }
        // Its name and version are part of its store path.
        #expect(throws: ExportError.named(result.path, storePath: result.storePath)) {
            try fixture.session("third").importImage(result.path, options: fixture.options("other"))
        }
        #expect(
            try fixture.session("third").importImage(result.path, options: fixture.options()).wasKnown
                == false)
    }

    @Test(arguments: [
        ("echo x | tee -a usr/store/*/usr/share/greeting/text", "files of"),
        ("rm usr/store/*/usr/share/greeting/text", "files of"),
        ("cp usr/lib/extension-release.d/* usr/store/*/usr/share/greeting", "files of"),
        ("chmod a-x usr/store/*/usr/bin/hello", "files of"),
        ("ln -sf elsewhere usr/store/*/usr/bin/hi", "files of"),
        ("echo x | tee -a usr/share/sxs/manifests/*/tree.mtree", "files of"),
        ("echo x | tee -a usr/share/sxs/manifests/*/source.mtree", "the listing of the image"),
        ("rm usr/share/sxs/manifests/*/source.mtree", "source.mtree is missing"),
        ("echo x | tee usr/share/sxs/manifests/*/metadata.json", "metadata.json cannot be read"),
        (
            "sed -i 's/\"version\" : \"1\"/\"version\" : \"2\"/' usr/share/sxs/manifests/*/metadata.json",
            "the description"
        ),
        ("cp -r usr/share/sxs/manifests/* usr/share/sxs/manifests/other", "holds 2 packages"),
        ("mv usr/share/sxs/manifests/* usr/share/sxs/manifests/other", "the description"),
    ])
    func whatIsNotTheListedPackageIsRefused(change: String, reason: String) throws {
        let result = try fixture.session().export("hello", options: options())
        try fixture.run("sh", ["-euc", "cd out/hello && chmod -R u+w . && \(change)"])
        do {
            _ = try fixture.session("second").importImage(result.path, options: ImportOptions())
            Issue.record("\(change) is not noticed")
        } catch ExportError.damagedExtension(_, let found) {
            #expect(found.contains(reason), "\(change): \(found)")
        }
        #expect(try fixture.session("second").pathInfo([]).isEmpty)
    }

    @Test(arguments: ["policy/contexts/files/file_contexts", "policy", "."])
    func everythingInAnImageHasThePolicysLabel(policy: String) throws {
        try fixture.write(
            "policy/contexts/files/file_contexts",
            """
            /.* default_t
            / -d root_t
            /usr(/.*)? usr_t
            /usr/bin(/.*)? bin_t
            /usr/share/greeting(/.*)? <<none>>

            """, in: fixture.directory)
        try fixture.write("etc/selinux/config", "SELINUXTYPE=own\n", in: fixture.directory)
        try fixture.run("ln", ["-sfn", "../../policy", "etc/selinux/own"])
        var options = try options("out/hello.raw", format: .sysext)
        options.policy = fixture.directory.appending(path: policy).path
        let result = try fixture.session().export("hello", options: options)
        let sink = LabelSink()
        try Image.open(ImageReference(parsing: result.path), platform: nil).read(
            into: sink, progress: NoProgress())
        let store = "usr/store/\(result.storePath.split(separator: "/").last ?? "")"
        #expect(sink.labels[""] == "root_t\0" && sink.labels[store] == "usr_t\0")
        #expect(sink.labels["usr/bin"] == "bin_t\0" && sink.labels["usr/bin/hello"] == "bin_t\0")
        #expect(sink.labels[store + "/usr/bin/hello"] == "bin_t\0")
        #expect(sink.labels[store + "/usr/share/greeting/text"] == "")
        #expect(sink.labels["usr/lib/extension-release.d/extension-release.hello"] == "usr_t\0")
        #expect(
            sink.labels.allSatisfy { ($0.value == "") == $0.key.hasPrefix(store + "/usr/share/greeting") })
        // Labels are no part of the package.
        let back = try fixture.session("second").importImage(result.path, options: ImportOptions())
        #expect(StoreLayout.storeDirectory + "/" + back.metadata.storePath == result.storePath)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: result.path))
        options.workers = 3
        _ = try fixture.session().export("hello", options: options.forced)
        #expect(try Data(contentsOf: URL(fileURLWithPath: result.path)) == bytes)
    }

    @Test func aPolicyThatIsNoneIsRefused() throws {
        var options = try options("out/hello.raw", format: .sysext)
        try fixture.write("empty", "", in: fixture.directory)
        for policy in ["empty", "missing", "out"] {
            options.policy = fixture.directory.appending(path: policy).path
            #expect(throws: (any Error).self) { try fixture.session().export("hello", options: options) }
        }
        #expect(try fixture.run("ls", ["-A", "out"]) == "")
    }

    @Test(arguments: [
        "printf 'hellO\\n' > $f", "chmod u+w ${f%/*}; rm $f", "chmod u+w ${f%/*}; ln -sf hi $f",
    ])
    func aDamagedPackageIsNotExported(damage: String) throws {
        try fixture.run(
            "sh", ["-euc", "f=$(echo root/store/*/usr/bin/hello); chmod u+w $f; \(damage)"])
        for format in [ExportFormat.dir, .sysext] {
            let output = format == .dir ? "out/hello" : "out/hello.raw"
            #expect(throws: ExportError.damagedPackage("hello")) {
                try fixture.session().export("hello", options: options(output, format: format))
            }
        }
        #expect(try fixture.run("ls", ["-A", "out"]) == "")
    }
}

/// Notes the labels of an image's files and directories; what links have, `Scripts/compare-labels` reads.
private final class LabelSink: TreeSink {
    /// By path; empty for none.
    private(set) var labels: [String: String] = [:]

    private func note(_ path: TreePath, _ attributes: [ExtendedAttribute]) {
        let label = attributes.first { $0.name == ExtendedAttribute.labelName }?.value ?? []
        labels[path == .root ? "" : "\(path)"] = String(decoding: label, as: UTF8.self)
    }

    func directory(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute]) {
        note(path, attributes)
    }
    func beginFile(_ path: TreePath, mode: UInt16, attributes: [ExtendedAttribute], size: Int?) {
        note(path, attributes)
    }
    func symlink(_ path: TreePath, target: Bytes) {}
    func hardLink(_ path: TreePath, to target: TreePath) {}
    func append(_ bytes: UnsafeRawBufferPointer) {}
    func appendHole(_ count: Int) {}
    func endFile() {}
    func remove(_ path: TreePath) {}
    func removeChildren(of path: TreePath) {}
    func omit(_ omission: Omission, at path: TreePath) {}
}

extension ExportOptions {
    fileprivate var forced: ExportOptions {
        var options = self
        options.isForced = true
        return options
    }
}
