import Activation
import Files
import Foundation
import StoreLayout
import Testing

/// What packages put into `/etc`, in a root directory of its own.
@Suite final class ConfigurationTests {
    private let top: URL

    init() throws {
        top = FileManager.default.temporaryDirectory.appending(path: "sxs-etc-\(UUID().uuidString)")
        for path in ["etc", "var/lib/sxs"] {
            try FileManager.default.createDirectory(
                at: top.appending(path: path), withIntermediateDirectories: true)
        }
    }

    deinit { try? FileManager.default.removeItem(at: top) }

    private typealias Wanted = [TreePath: HostConfigurationFiles.Wanted]

    private func apply(_ wanted: Wanted) throws -> HostConfigurationFiles.Outcome {
        var files = try HostConfigurationFiles(Activation.Host(top.path))
        return try files.apply(wanted)
    }

    private func write(_ path: String, _ text: String) throws {
        try text.write(to: top.appending(path: path), atomically: false, encoding: .utf8)
    }

    private func text(_ path: String) -> String? {
        try? String(contentsOf: top.appending(path: path), encoding: .utf8)
    }

    /// Names, types, modes, targets and contents below `etc`.
    private func state() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: top.path + "/etc").sorted().map { name in
            let path = top.path + "/etc/" + name
            if let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) {
                return "\(name) -> \(target)"
            }
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? 0
            return "\(name) \(String(mode, radix: 8)) \(text("etc/" + name) ?? "")"
        }
    }

    private static func wanted(_ version: String) -> Wanted {
        [
            "a": .directory(mode: 0o755), "a/empty": .directory(mode: 0o750),
            "a/conf": .file(Array("conf \(version)".utf8), mode: 0o640),
            "a/other": .file(Array("other".utf8), mode: 0o644), "a/link": .link(Array("conf".utf8)),
        ]
    }

    @Test func whatIsWantedComesAndGoes() throws {
        let made = try apply(Self.wanted("1"))
        #expect(made.made == ["/etc/a", "/etc/a/conf", "/etc/a/empty", "/etc/a/link", "/etc/a/other"])
        #expect(
            try state() == [
                "a 755 ", "a/conf 640 conf 1", "a/empty 750 ", "a/link -> conf", "a/other 644 other",
            ])
        #expect(
            try apply(Self.wanted("1")) == HostConfigurationFiles.Outcome(), "done twice, nothing is done")
        let upgraded = try apply(Self.wanted("2"))
        #expect(upgraded.replaced == ["/etc/a/conf"] && upgraded.made.isEmpty)
        #expect(text("etc/a/conf") == "conf 2")
        #expect(try apply([:]).removed.count == 5)
        #expect(try state() == [])
        #expect(text("var/lib/sxs/etc") == nil)
    }

    @Test func whatWasChangedStaysAndIsNamedOnce() throws {
        _ = try apply(Self.wanted("1"))
        try write("etc/a/conf", "mine")
        #expect(try apply(Self.wanted("1")) == HostConfigurationFiles.Outcome())
        let upgraded = try apply(Self.wanted("2"))
        #expect(upgraded.kept.map(\.path) == ["/etc/a/conf"] && upgraded.replaced.isEmpty)
        #expect(try apply(Self.wanted("2")) == HostConfigurationFiles.Outcome())
        #expect(try HostConfigurationFiles(Activation.Host(top.path)).changed() == ["/etc/a/conf"])
        let removed = try apply([:])
        #expect(removed.kept.map(\.path) == ["/etc/a/conf", "/etc/a"])
        #expect(try state() == ["a 755 ", "a/conf \(try mode("etc/a/conf")) mine"])
    }

    private func mode(_ path: String) throws -> String {
        let attributes = try FileManager.default.attributesOfItem(atPath: top.path + "/" + path)
        return String(attributes[.posixPermissions] as? Int ?? 0, radix: 8)
    }

    @Test func whatTheHostHasIsNeverTouched() throws {
        try FileManager.default.createDirectory(
            at: top.appending(path: "etc/a"), withIntermediateDirectories: true)
        try write("etc/a/conf", "host's")
        let made = try apply(Self.wanted("1"))
        #expect(made.kept.map(\.path) == ["/etc/a/conf"])
        #expect(try apply(Self.wanted("2")).kept.isEmpty)
        _ = try apply([:])
        #expect(text("etc/a/conf") == "host's")
        #expect(text("etc/a/other") == nil)
    }

    @Test func nothingIsMadeThroughALink() throws {
        try FileManager.default.createDirectory(
            at: top.appending(path: "elsewhere"), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: top.path + "/etc/a", withDestinationPath: "/elsewhere")
        let made = try apply(Self.wanted("1"))
        #expect(made.made.isEmpty && made.kept.contains { $0.path == "/etc/a/conf" })
        #expect(try FileManager.default.contentsOfDirectory(atPath: top.path + "/elsewhere") == [])
        #expect(try apply([:]).removed.isEmpty)
    }

    @Test func whatTheAdministratorRemovedStaysAway() throws {
        _ = try apply(Self.wanted("1"))
        try FileManager.default.removeItem(at: top.appending(path: "etc/a/other"))
        #expect(try apply(Self.wanted("2")).made.isEmpty)
        #expect(text("etc/a/other") == nil)
        // Until the package goes.
        _ = try apply([:])
        _ = try apply(Self.wanted("2"))
        #expect(text("etc/a/other") == "other")
    }

    @Test func whatACrashLeftIsCompleted() throws {
        _ = try apply(Self.wanted("1"))
        // As if the machine had stopped after the record was written.
        let record = try #require(text("var/lib/sxs/etc"))
        try write(
            "var/lib/sxs/etc",
            record.replacingOccurrences(of: "file /etc/a/other", with: "making file /etc/a/other"))
        try FileManager.default.removeItem(at: top.appending(path: "etc/a/other"))
        #expect(try apply(Self.wanted("1")).made == ["/etc/a/other"])
        #expect(text("var/lib/sxs/etc") == record)
        // As if it had stopped before the record of an upgrade was.
        try write("etc/a/conf", "conf 2")
        #expect(try apply(Self.wanted("2")) == HostConfigurationFiles.Outcome())
        #expect(try apply(Self.wanted("3")).replaced == ["/etc/a/conf"])
    }

    @Test func aDamagedRecordIsNamed() throws {
        try write("var/lib/sxs/etc", "sxs-etc 1\nfile /usr/bin/x 00\n")
        #expect(throws: SetupError.self) { try self.apply(Self.wanted("1")) }
        #expect(try state() == [])
    }
}
