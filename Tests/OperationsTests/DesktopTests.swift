import Files
import Foundation
import Operations
import StoreLayout
import Testing

/// What generations show to desktops, with images that bring a shell and scripts in place of the real builders.
///
/// `Scripts/test-desktop` does the same with the real ones.
@Suite struct DesktopTests {
    private let fixture: WalkFixture
    private let notes = Notes()

    private final class Notes {
        var texts: [String] = []
    }

    init() throws { fixture = try WalkFixture() }

    /// Writes an image of a package with an entry, a service, a schema and a builder.
    private func image(_ name: String, builder: String?) throws -> String {
        try fixture.run("rm", ["-rf", fixture.tree.path])
        try fixture.write("usr/bin/\(name)", "#!/usr/bin/busybox sh\necho \(name)\n", mode: 0o755)
        try fixture.write("usr/lib/helper", "#!/usr/bin/busybox sh\n", mode: 0o755)
        try fixture.run("cp", ["/bin/busybox", fixture.tree.path + "/usr/bin/busybox"])
        try fixture.write(
            "usr/share/applications/org.\(name).desktop",
            "[Desktop Entry]\nExec=\(name) %F\nTryExec=/usr/lib/helper\nDBusActivatable=true\n")
        try fixture.write(
            "usr/share/dbus-1/services/a.\(name).service",
            "[D-BUS Service]\nExec=/usr/lib/helper --run\nSystemdService=a.service\n")
        try fixture.write("usr/share/glib-2.0/schemas/\(name).gschema.xml", "\(name)\n")
        try fixture.write("usr/share/glib-2.0/schemas/gschemas.compiled", "old")
        if let builder {
            let text = "#!/usr/bin/busybox sh\n\(builder)\n"
            try fixture.write("usr/bin/glib-compile-schemas", text, mode: 0o755)
        }
        let image = fixture.directory.appending(path: "image-\(UUID().uuidString)")
        try fixture.run("cp", ["-a", fixture.tree.path, image.path])
        return "dir:" + image.path
    }

    private func session() throws -> Session {
        try Session(
            root: fixture.directory.appending(path: "root").path, profile: ProfileName("default"),
            progress: NoProgress(), command: "test",
            // A process that another test starts may hold on to the lock for a moment.
            note: { if !$0.hasPrefix("waiting") { notes.texts.append($0) } })
    }

    private func install(_ name: String, builder: String?) throws {
        var options = ImportOptions()
        options.name = try PackageName(name)
        options.version = try PackageVersion("1")
        _ = try session().install([image(name, builder: builder)], options: options, prefer: [name])
    }

    private func shown(_ path: String, generation: Int) throws -> String {
        let file = "root/profiles/default/generation-\(generation)/share/\(path)"
        return try String(contentsOf: fixture.directory.appending(path: file), encoding: .utf8)
    }

    /// The image's busybox by its whole path: an alias in its place would have another applet's name.
    private static let busybox = "${0%/*}/busybox"
    private static let joining = "\(busybox) cat /in/* > /out/gschemas.compiled"

    @Test func entriesStartProgramsThroughLaunchers() throws {
        try install("one", builder: nil)
        let root = fixture.directory.appending(path: "root").path
        let text = try shown("applications/org.one.desktop", generation: 1)
        #expect(text.contains("Exec=\(root)/profiles/default/current/bin/one %F\n"))
        #expect(text.contains("TryExec=\(root)/libexec/sxs\n") || text.contains("/bin/helper\n"))
        #expect(text.contains("DBusActivatable=false\n"), "the bus knows no service of that name")
        let service = try shown("dbus-1/services/a.one.service", generation: 1)
        #expect(service.contains("Exec=\(root)/libexec/sxs run --root \(root) /usr/store/"))
        #expect(service.contains("--command usr/lib/helper -- --run\n") && !service.contains("Systemd"))
    }

    @Test func cachesAreMadeOfAllPackagesAndKept() throws {
        try install("one", builder: Self.joining)
        #expect(try shown("glib-2.0/schemas/gschemas.compiled", generation: 1) == "one\n")
        try install("two", builder: nil)
        #expect(try shown("glib-2.0/schemas/gschemas.compiled", generation: 2) == "one\ntwo\n")
        _ = try session().rollback()
        #expect(notes.texts.isEmpty, "\(notes.texts)")
        // The same packages again: the file is that of before, and no program ran.
        _ = try session().remove(["one"])
        try install("one", builder: Self.joining)
        let number = { (generation: Int) in
            try FileManager.default.attributesOfItem(
                atPath: fixture.directory.appending(
                    path:
                        "root/profiles/default/generation-\(generation)/share/glib-2.0/schemas/gschemas.compiled"
                ).path)[.systemFileNumber] as? Int
        }
        #expect(try number(1) == number(4))
    }

    @Test func aPackageWithoutABuilderIsInstalledAndSaysSo() throws {
        try install("one", builder: nil)
        #expect(notes.texts.count == 1)
        #expect(notes.texts.first?.contains("no package has 'glib-compile-schemas'") == true)
        #expect(throws: (any Error).self, "the image's own is not shown") {
            try shown("glib-2.0/schemas/gschemas.compiled", generation: 1)
        }
    }

    @Test(arguments: [
        ("echo broken; exit 3", "exit status 3: broken"), ("exit 0", "wrote none"),
        ("${0%/*}/busybox ln -sf /in/one.gschema.xml /out/gschemas.compiled", "wrote none"),
        ("kill -9 $$; exec /usr/bin/missing", "exit status 127"),
    ])
    func aBuilderThatFailsIsNamed(builder: String, reason: String) throws {
        try install("one", builder: builder)
        let note = try #require(notes.texts.first)
        #expect(note.contains("-one-1/usr/bin/glib-compile-schemas") && note.contains(reason), "\(note)")
        #expect(try shown("applications/org.one.desktop", generation: 1).contains("Exec="))
        #expect(throws: (any Error).self) {
            try shown("glib-2.0/schemas/gschemas.compiled", generation: 1)
        }
    }
}
