import ELF
import Files
import Foundation
import Relocation
import StoreLayout

/// A small image in a temporary directory, relocated and read back.
final class RelocationFixture {
    let directory: URL
    var tree = Tree()
    let staging: Staging

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(
            path: "sxs-relocation-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        staging = Staging(try Descriptor.directory(directory.path))
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func file(_ path: TreePath, _ bytes: Bytes, mode: UInt16 = 0o644) throws {
        let file = try staging.reserveFile()
        try Data(bytes).write(to: directory.appending(path: Staging.fileName(file)))
        var scanner = PathScanner()
        bytes.withUnsafeBytes { scanner.update($0) }
        scanner.finish()
        let added = staging.add(
            file, size: bytes.count, digest: Digest(hashing: bytes), scanner: scanner,
            head: FileHead(bytes))
        tree.insert(Tree.Node(kind: .file(added), mode: mode), at: path)
    }

    func text(_ path: TreePath, _ text: String) throws {
        try file(path, Array(text.utf8))
    }

    func link(_ path: TreePath, _ target: String) {
        tree.insert(Tree.Node(kind: .symlink(target: Array(target.utf8)), mode: 0o777), at: path)
    }

    func directory(_ path: TreePath) {
        tree.insert(.impliedDirectory, at: path)
    }

    /// Copies a file of this machine.
    func copy(_ source: String, to path: TreePath) throws {
        try file(path, Array(try Data(contentsOf: URL(fileURLWithPath: source))), mode: 0o755)
    }

    /// Compiles C source and adds the result.
    func compile(_ source: String, to path: TreePath, _ options: [String], compiler: String = "gcc") throws {
        let file = directory.appending(path: "c-\(UUID().uuidString).c")
        let output = directory.appending(path: "o-\(UUID().uuidString)")
        try source.write(to: file, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [compiler, "-O2", "-o", output.path, file.path] + options
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
        try self.copy(output.path, to: path)
    }

    var identity: StorePath.Identity {
        get throws {
            let listing = TreeListing.render(tree) { (staging[$0].size, staging[$0].digest) }
            return StorePath.Identity(
                tree: Digest(hashing: listing), name: try PackageName("test"),
                version: try PackageVersion("1"),
                architecture: .any)
        }
    }

    func relocate(
        hints: [Hint] = Hint.builtIn, isTaken: (Alias) throws -> Bool = { _ in false }
    ) throws -> RelocatedTree {
        try Relocator.relocate(
            tree, staging: staging, to: StorePath(try identity), progress: NoProgress(), hints: hints,
            isTaken: isTaken)
    }

    /// The bytes at a path of a tree, as they are now.
    func bytes(_ path: TreePath, of tree: Tree) throws -> Bytes {
        guard case .file(let id) = tree[path]?.kind else { throw CocoaError(.fileNoSuchFile) }
        return try staging.open(id).readAll()
    }

    func string(_ path: TreePath, of tree: Tree) throws -> String {
        String(decoding: try bytes(path, of: tree), as: UTF8.self)
    }
}

extension RelocatedTree {
    /// What the alias that stands at `path` leads to; `nil` where none does.
    func target(ofAliasIn text: some StringProtocol) -> String? {
        aliases.first { text.hasPrefix($0.path) }.map { "\($0.target)" }
    }

    func left(_ path: String) -> [RelocationReport.Left] {
        report.files.first { $0.path == path }?.left ?? []
    }
}
