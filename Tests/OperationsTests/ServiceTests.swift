import Files
import Foundation
import Operations
import StoreLayout
import Testing

/// What generations hold for the host's own tools.
///
/// `Scripts/test-services` has real hosts obey it.
@Suite struct ServiceTests {
    private let fixture: WalkFixture
    private let notes = Notes()

    private final class Notes {
        var texts: [String] = []
    }

    init() throws { fixture = try WalkFixture() }

    private func session(_ profile: String = "default") throws -> Session {
        try Session(
            root: fixture.directory.appending(path: "root").path, profile: ProfileName(profile),
            progress: NoProgress(), command: "test",
            note: { if !$0.hasPrefix("waiting") { notes.texts.append($0) } })
    }

    /// Writes an image with a service called like the package.
    private func image(_ name: String, unit: String? = nil) throws -> String {
        try fixture.run("rm", ["-rf", fixture.tree.path])
        try fixture.write("usr/bin/\(name)d", "#!/bin/sh\nexec sleep 1\n", mode: 0o755)
        let text =
            "[Service]\nUser=\(name)\nReadWritePaths=-/var/log/\(name) /var/log/journal /tmp\nExecStart=\(name)d --x\n[Install]\nWantedBy=multi-user.target\n"
        try fixture.write("usr/lib/systemd/system/\(unit ?? name).service", text)
        try fixture.link("usr/lib/systemd/system/\(name)-alias.service", to: "\(unit ?? name).service")
        try fixture.link("usr/lib/systemd/system/\(name)-masked.service", to: "/dev/null")
        try fixture.write("usr/lib/systemd/system/\(unit ?? name).service.d/a.conf", "[Service]\nNice=1\n")
        try fixture.write("usr/lib/systemd/system/foreign.service.d/a.conf", "[Service]\nNice=1\n")
        try fixture.write("usr/share/\(name)/modules/m", "x")
        try fixture.write("etc/\(name)/\(name).conf", "module /usr/share/\(name)/modules/m\n", mode: 0o640)
        try fixture.write("etc/\(name)/plain", "plain\n")
        try fixture.link("etc/\(name)/module", to: "/usr/share/\(name)/modules/m")
        try fixture.link("etc/\(name)/enabled", to: "plain")
        try fixture.write("etc/passwd", "\(name):x:77:77:The user,,,:/var/lib/\(name):/bin/sh\n")
        try fixture.run("mkdir", ["-p", "var/lib/\(name)", "etc/\(name)/conf.d"], in: fixture.tree)
        let image = fixture.directory.appending(path: "image-\(UUID().uuidString)")
        try fixture.run("cp", ["-a", fixture.tree.path, image.path])
        return "dir:" + image.path
    }

    private func options(_ name: String) throws -> ImportOptions {
        var options = ImportOptions()
        options.name = try PackageName(name)
        options.version = try PackageVersion("1")
        return options
    }

    private func shown(_ path: String, generation: Int = 1) throws -> String {
        let file = "root/profiles/default/generation-\(generation)/\(path)"
        return try String(contentsOf: fixture.directory.appending(path: file), encoding: .utf8)
    }

    private func target(_ path: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(
            atPath: fixture.directory.appending(path: "root/profiles/default/generation-1/" + path).path)
    }

    @Test func aGenerationHoldsWhatTheHostsToolsRead() throws {
        let change = try session().install([image("one")], options: options("one"))
        #expect(change.activation == nil)
        #expect(
            notes.texts == [
                "services are not started (one-alias.service and 1 more): only the system's store, /var/lib/sxs, has "
                    + "services"
            ])
        let package = try #require(try session().list().first)
        #expect(package.units == ["one-alias.service", "one.service"])
        let store = package.storePath

        let unit = try shown("lib/systemd/system/one.service")
        #expect(unit.contains("ExecStart=\(store)/usr/bin/oned --x\n"))
        let dropIn = try shown("lib/systemd/system/one.service.d/10-sxs.conf")
        #expect(dropIn.contains("RequiresMountsFor=/var/lib/sxs\nAfter=sxs-activate.service\n"))
        #expect(dropIn.contains("ConditionPathExists=!/run/sxs/stopping/%n\n"))
        #expect(
            dropIn.contains(":\(store)/usr/bin\"\n") && dropIn.contains("Environment=\"PATH=/usr/local/sbin:")
        )
        #expect(try shown("lib/systemd/system/one.service.d/a.conf").contains("Nice=1"))
        #expect(try target("lib/systemd/system/one-alias.service") == "one.service")
        for missing in ["one-masked.service", "foreign.service.d"] {
            #expect(throws: (any Error).self) { try target("lib/systemd/system/" + missing) }
            #expect(throws: (any Error).self) { try shown("lib/systemd/system/\(missing)/a.conf") }
        }

        #expect(try shown("lib/sysusers.d/sxs-one.conf").hasSuffix("\nu one - \"The user\" /var/lib/one\n"))
        #expect(
            try shown("lib/tmpfiles.d/sxs-one.conf").hasSuffix(
                "\nd /var/lib/one 0755 one one -\nd /var/log/one 0755 one one -\n"))

        let seen = "/var/lib/sxs/profiles/default/current/lib/packages/one"
        #expect(try shown("etc/one/one.conf") == "module \(seen)/usr/share/one/modules/m\n")
        #expect(try shown("etc/one/plain") == "plain\n")
        #expect(try target("etc/one/module") == seen + "/usr/share/one/modules/m")
        #expect(try target("etc/one/enabled") == "plain")
        #expect(try shown("lib/packages/one/usr/share/one/modules/m") == "x")
        #expect(throws: (any Error).self) { try shown("etc/passwd") }
    }

    @Test func namedCommandsComeWithoutServices() throws {
        var wanted = try options("one")
        wanted.expose = ["oned"]
        _ = try session().install([image("one")], options: wanted)
        #expect(notes.texts.isEmpty)
        #expect(throws: (any Error).self) { try shown("lib/systemd/system/one.service") }
    }

    @Test func twoUnitsOfOneNameAreRefusedBeforeAnythingChanges() throws {
        _ = try session().install([image("one")], options: options("one"))
        let before = try fixture.state()
        let second = try image("two", unit: "one")
        let error = #expect(throws: (any Error).self) {
            try session().install([second], options: options("two"))
        }
        #expect("\(try #require(error))".contains("lib/systemd/system/one.service"))
        #expect(try fixture.state() == before)
        _ = try session().install([second], options: options("two"), prefer: ["two"])
        #expect(try shown("lib/systemd/system/one.service", generation: 2).contains("User=two"))
        _ = try session().remove(["two"])
        #expect(try shown("lib/systemd/system/one.service", generation: 3).contains("User=one"))
    }

    @Test func nothingIsActivatedFromAnotherRoot() throws {
        _ = try session().install([image("one")], options: options("one"))
        #expect(throws: (any Error).self) { try session().activateServices() }
    }
}
