import Files
import Foundation
import Operations
import StoreLayout
import Testing

/// A temporary directory with a small tree, images of it in every format, and roots.
final class WalkFixture {
    let directory: URL
    var tree: URL { directory.appending(path: "tree") }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "sxs-walk-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: tree, withIntermediateDirectories: true)
    }

    deinit {
        // Directories of store paths are not writable, which stops others than root.
        _ = try? run("chmod", ["-R", "u+w", directory.path])
        try? FileManager.default.removeItem(at: directory)
    }

    @discardableResult
    func run(_ program: String, _ arguments: [String], in place: URL? = nil) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.currentDirectoryURL = place ?? directory
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        struct Failed: Error { let program: String, output: String }
        guard process.terminationStatus == 0 else { throw Failed(program: program, output: output) }
        return output
    }

    func write(_ path: String, _ text: String, mode: Int = 0o644, in place: URL? = nil) throws {
        let file = (place ?? tree).appending(path: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    }

    func link(_ path: String, to target: String) throws {
        let file = tree.appending(path: path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        // A tree may be written twice, as the next version.
        try run("rm", ["-f", file.path])
        try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: target)
    }

    /// A program that says hello, with data it names, a hard link, an odd name and an empty directory.
    func writeHello(greeting: String = "hello") throws {
        try write("usr/bin/hello", "#!/bin/sh\ncat /usr/share/greeting/text\n", mode: 0o755)
        try write("usr/share/greeting/text", "\(greeting)\n")
        try write("usr/share/greeting/odd name ü", "x")
        try write("usr/share/greeting/private", "x", mode: 0o600)
        try link("usr/bin/hi", to: "/usr/bin/hello")
        try run("ln", ["-f", "usr/share/greeting/text", "usr/share/greeting/same"], in: tree)
        try run("mkdir", ["-p", "usr/share/greeting/empty"], in: tree)
    }

    @discardableResult
    func tar(_ name: String, options: [String] = []) throws -> String {
        let path = directory.appending(path: name).path
        try run("tar", ["--owner=0", "--group=0", "-C", tree.path] + options + ["-cf", path, "."])
        return path
    }

    func squashFS(_ name: String, compressor: String = "zstd") throws -> String {
        let path = directory.appending(path: name).path
        try run("mksquashfs", [tree.path, path, "-comp", compressor, "-all-root", "-quiet", "-no-progress"])
        return path
    }

    /// An OCI image archive whose layers are tars that exist.
    func ociArchive(
        _ name: String, layers: [String], labels: [String: String] = [:], architecture: String = "amd64"
    ) throws -> String {
        let layout = directory.appending(path: "layout-\(UUID().uuidString)")
        let blobs = layout.appending(path: "blobs/sha256")
        try FileManager.default.createDirectory(at: blobs, withIntermediateDirectories: true)
        func blob(_ data: Data, _ type: String) throws -> [String: Any] {
            let digest = Digest(hashing: data).hex
            try data.write(to: blobs.appending(path: digest))
            return ["mediaType": type, "digest": "sha256:\(digest)", "size": data.count]
        }
        let json = { (value: Any) in try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys])
        }
        let contents = try layers.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
        let config = try blob(
            json([
                "architecture": architecture, "os": "linux", "config": ["Labels": labels],
                "rootfs": [
                    "type": "layers", "diff_ids": contents.map { "sha256:" + Digest(hashing: $0).hex },
                ],
            ]), "application/vnd.oci.image.config.v1+json")
        let manifest = try blob(
            json([
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config,
                "layers": try contents.map { try blob($0, "application/vnd.oci.image.layer.v1.tar") },
            ]), "application/vnd.oci.image.manifest.v1+json")
        try json(["schemaVersion": 2, "manifests": [manifest]]).write(
            to: layout.appending(path: "index.json"))
        try json(["imageLayoutVersion": "1.0.0"]).write(to: layout.appending(path: "oci-layout"))
        let path = directory.appending(path: name).path
        try run("tar", ["-C", layout.path, "-cf", path, "oci-layout", "index.json", "blobs"])
        return path
    }

    func session(_ root: String = "root", profile: String = "default") throws -> Session {
        try Session(
            root: directory.appending(path: root).path, profile: ProfileName(profile), progress: NoProgress(),
            command: "test", note: { _ in })
    }

    func options(_ name: String = "hello", _ version: String = "1", expose: [String] = []) throws
        -> ImportOptions
    {
        ImportOptions(name: try PackageName(name), version: try PackageVersion(version), expose: expose)
    }

    /// Everything below a root that others see, as a listing: names, types, modes, contents, links.
    func state(_ root: String = "root") throws -> String {
        try run(
            "sh",
            [
                "-c",
                "find . -path ./tmp -prune -o -path ./lock -prune -o -name 'index.sqlite*' -prune -o -printf '%p %y %m %l\\n' | sort; cat profiles/*/current/generation.json 2>/dev/null || true",
            ],
            in: directory.appending(path: root))
    }
}
