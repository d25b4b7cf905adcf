import Activation
import Files
import Foundation
import Operations
import StoreLayout
import Testing

/// Extensions of a host in a directory: what becomes of which, and the way back.
@Suite struct AdoptTests {
    let fixture: WalkFixture
    var root: URL { fixture.directory.appending(path: "host") }

    init() throws {
        fixture = try WalkFixture()
        try fixture.write("etc/os-release", "ID=debian\nVERSION_ID=12\n", in: root)
        try fixture.write(
            "usr/lib/systemd/system/there.service", "[Unit]\nDescription=The host's\n", in: root)
    }

    /// Makes a directory extension of files, some of them programs.
    private func add(
        _ name: String, in directory: String = "var/lib/extensions", release: String = "ID=_any\n",
        programs: [String] = ["usr/bin/it"], files: [String: String] = [:]
    ) throws {
        let top = root.appending(path: "\(directory)/\(name)")
        try fixture.write("usr/lib/extension-release.d/extension-release.\(name)", release, in: top)
        for path in programs { try fixture.write(path, "#!/bin/sh\necho \(name)\n", mode: 0o755, in: top) }
        for (path, text) in files { try fixture.write(path, text, in: top) }
    }

    private func adopt(_ names: [String] = [], isDryRun: Bool = false) throws -> AdoptionReport {
        try fixture.session().adopt(Host(root.path), names: names, isDryRun: isDryRun)
    }

    /// What would become of the only extension there is, and why.
    private func judge() throws -> (fate: ExtensionFate, reason: String) {
        let found = try adopt(isDryRun: true).extensions
        let only = try #require(found.first)
        #expect(found.count == 1)
        return (only.fate, only.reasons.joined(separator: "; "))
    }

    private func state() throws -> String {
        try fixture.run(
            "sh", ["-c", "find etc/extensions var/lib/extensions -printf '%p %y %m %l\\n' | sort"], in: root)
    }

    private func session() throws -> Session {
        try Session(
            root: root.path + "/var/lib/sxs", profile: ProfileName("default"), progress: NoProgress(),
            command: "test", note: { _ in })
    }

    @Test func aProgramIsTaken() throws {
        try add("tool", release: "ID=_any\nSYSEXT_VERSION_ID=2.5\n")
        let found = try adopt(isDryRun: true).extensions
        #expect(found.first?.fate == .taken && found.first?.version == "2.5")
    }

    @Test(arguments: [
        "usr/lib/udev/rules.d/1.rules", "usr/lib/firmware/f", "usr/share/polkit-1/rules.d/x.rules",
    ])
    func whatTheHostReadsIsKept(path: String) throws {
        try add("tool", files: [path: "x"])
        let (fate, reason) = try judge()
        #expect(fate == .kept && reason.hasPrefix(path))
    }

    @Test func unitsAreKeptOnlyWhereTheyReplaceTheHosts() throws {
        try add("tool", files: ["usr/lib/systemd/system/new.service": "[Unit]\n"])
        #expect(try judge().fate == .taken)
        try add("tool", files: ["usr/lib/systemd/system/there.service": "[Unit]\nDescription=The host's\n"])
        #expect(try judge().fate == .taken, "the same contents replace nothing")
        try add("tool", files: ["usr/lib/systemd/system/there.service": "[Unit]\nDescription=Another\n"])
        let (fate, reason) = try judge()
        #expect(fate == .kept && reason.contains("there.service: it takes the place of the host's unit"))
    }

    @Test func whatHasNoCommandIsKept() throws {
        try add("data", programs: [], files: ["usr/share/data/x": "x"])
        let (fate, reason) = try judge()
        #expect(fate == .kept && reason.contains("no command"))
    }

    @Test func setIDProgramsAreKept() throws {
        try add("tool")
        let program = root.appending(path: "var/lib/extensions/tool/usr/bin/it").path
        try fixture.run("chmod", ["4755", program])
        let (fate, reason) = try judge()
        #expect(fate == .kept && reason.contains("usr/bin/it: it runs with more rights"))
    }

    @Test func whatBlocksAMergeIsBadAndWhatIsPassedOverIsLeft() throws {
        try add("tool", files: ["usr/lib/os-release": "ID=x\n"])
        #expect(try judge().fate == .quarantined)
        try fixture.run("rm", ["-r", root.path + "/var/lib/extensions/tool"])
        try add("tool", release: "ID=other\n")
        let (fate, reason) = try judge()
        #expect(fate == .left && reason.contains("ID: it is for another system"))
        try fixture.run("rm", ["-r", root.path + "/var/lib/extensions/tool"])
        try fixture.write("var/lib/extensions/tool.raw", "no image at all", in: root)
        #expect(try judge().fate == .quarantined)
    }

    @Test func twoCommandsOfOneNameGoByTheStack() throws {
        try add("a", programs: ["usr/bin/it", "usr/bin/only-a"])
        try add("b", programs: ["usr/bin/it", "usr/bin/only-b"])
        let report = try adopt()
        #expect(report.extensions.allSatisfy { $0.fate == .taken })
        let bin = root.path + "/var/lib/sxs/profiles/default/current/bin"
        #expect(try fixture.run("ls", [bin]) == "it\nonly-a\nonly-b\n")
        #expect(try fixture.run("readlink", [bin + "/it"]).contains("-b-0"))
    }

    @Test func aCommandOfTheProfileIsNotTakenFromIt() throws {
        try fixture.writeHello()
        _ = try session().install([try fixture.tar("hello.tar")], options: try fixture.options())
        try add("greeter", programs: ["usr/bin/hello"])
        let report = try adopt()
        #expect(report.extensions.first?.fate == .kept)
        #expect(report.extensions.first?.reasons.first?.contains("cannot become a package") == true)
        #expect(try session().list().map(\.name) == ["hello", "greeter"])
        // The last with the first: both go, and what was there is there.
        #expect(try session().remove(["greeter"]).mergeChanges.map(\.kind) == [.goes])
        #expect(try session().list().map(\.name) == ["hello"])
    }

    @Test func allThatWasMovedIsGivenBack() throws {
        try add("tool")
        try add("kept", files: ["usr/lib/udev/rules.d/1.rules": "x"])
        try add("bad", files: ["usr/lib/os-release": "ID=x\n"])
        try add("linked", in: "opt/extensions")
        try FileManager.default.createDirectory(
            atPath: root.path + "/etc/extensions", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: root.path + "/etc/extensions/linked", withDestinationPath: "/opt/extensions/linked")
        let before = try state()
        let report = try adopt()
        #expect(report.extensions.map(\.fate) == [.taken, .taken, .kept, .quarantined])
        #expect(try state() != before)
        #expect(try session().list().map(\.name) == ["linked", "tool", "kept"])
        #expect(try session().generations().count == 1)
        // A second run finds nothing to do.
        #expect(try adopt().change == nil)
        let undone = try fixture.session().undoAdoption(Host(root.path), removesPackages: true)
        #expect(undone.left.isEmpty && undone.restored.count == 4)
        #expect(try state() == before)
        #expect(try session().list().isEmpty)
        #expect(try fixture.session().undoAdoption(Host(root.path)).restored.isEmpty)
    }

    @Test func oneIsTakenWhereItIsNamed() throws {
        try add("a")
        try add("b", programs: ["usr/bin/other"])
        #expect(try adopt(["b"]).extensions.map(\.name) == ["b"])
        #expect(try session().list().map(\.name) == ["b"])
        #expect(throws: AdoptionError.unknown("c", known: ["a"])) { try adopt(["c"]) }
        #expect(try adopt().extensions.map(\.name) == ["a"])
    }

    @Test func anotherProfileIsRefused() throws {
        #expect(throws: AdoptionError.otherProfile("mine")) {
            try fixture.session(profile: "mine").adopt(Host(root.path))
        }
    }
}
