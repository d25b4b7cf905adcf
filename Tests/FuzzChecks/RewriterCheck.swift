import ELF
public import Files
import Foundation
public import Relocation
import StoreLayout

/// What relocation may not do to an ELF file, whatever is in it.
public enum RewriterFault: Error, Equatable {
    /// The file has another size.
    case size(before: Int, after: Int)
    /// A byte changed that is in no alias and in no path that cannot exist.
    case unexplained(offset: Int)
    /// The file is reported as damaged, and changed.
    case damagedButChanged
    /// The report counts no change.
    case unreported
}

/// Relocates an image with one odd ELF file again and again, and looks at what became of its bytes.
public final class RewriterCheck {
    private let directory: URL
    /// A good loader, so that interpreters and caches are rewritten.
    private let loader: Prepared

    /// A file's bytes and what staging keeps of them.
    private struct Prepared {
        let bytes: Bytes
        let digest: Digest
        let scanner: PathScanner

        init(_ bytes: Bytes) {
            self.bytes = bytes
            digest = Digest(hashing: bytes)
            var scanner = PathScanner()
            bytes.withUnsafeBytes { scanner.update($0) }
            scanner.finish()
            self.scanner = scanner
        }
    }

    /// Creates the check.
    ///
    /// - Parameter loader: The bytes of a loader that sound files beside the odd one use.
    public init(loader: Bytes) throws {
        self.loader = Prepared(loader)
        let memory = "/dev/shm"
        let parent =
            FileManager.default.isWritableFile(atPath: memory)
            ? URL(fileURLWithPath: memory) : FileManager.default.temporaryDirectory
        directory = parent.appending(path: "sxs-rewriter-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// The odd file's place in the image.
    private static let place: TreePath = "usr/bin/odd"

    /// Relocates an image that has these bytes as a program.
    ///
    /// - Returns: The file's entry in the report; `nil` where nothing happened to it.
    /// - Throws: ``RewriterFault``, or what the relocator throws.
    @discardableResult
    public func check(_ bytes: Bytes) throws -> RelocationReport.File? {
        var file: RelocationReport.File?
        try relocate(bytes, at: Self.place) { after, relocated in
            file = relocated.report.files.first { $0.path == "\(Self.place)" }
            try Self.compare(bytes, after, file: file, aliases: relocated.aliases)
        }
        return file
    }

    /// Relocates an image that has these bytes at a path: what became of them, `nil` where the file is gone.
    public func relocate(_ bytes: Bytes, at path: TreePath) throws -> Bytes? {
        var result: Bytes?
        try relocate(bytes, at: path) { after, _ in result = after }
        return result
    }

    private func relocate(
        _ bytes: Bytes, at path: TreePath, look: (Bytes, RelocatedTree) throws -> Void
    ) throws {
        let staging = Staging(try Descriptor.directory(directory.path))
        defer {
            for number in staging.contents.indices {
                let name = Staging.fileName(number)
                try? FileManager.default.removeItem(at: directory.appending(path: name))
            }
        }
        var tree = Tree()
        for path in [
            "usr/share/locale/de", "usr/lib/x86_64-linux-gnu/private", "usr/lib/locale", "usr/share/misc",
            "usr/lib/aarch64-linux-gnu", "usr/share/zoneinfo",
        ] as [TreePath] { tree.insert(.impliedDirectory, at: path) }
        for name in ["bin", "lib", "lib64"] as [TreePath] {
            tree.insert(
                Tree.Node(kind: .symlink(target: Array("usr/".utf8) + name.bytes), mode: 0o777), at: name)
        }
        let name = "ld-linux-x86-64.so.2"
        // Reading the loader takes longer than all else: only for those that may ask for one.
        let asks = Data(bytes).range(of: Data("/ld-".utf8)) != nil
        if asks { try add(loader, at: TreePath(parsing: "usr/lib64/\(name)".utf8), to: &tree, staging) }
        for other in ["ld-linux.so.2", "ld-linux-aarch64.so.1", "ld-linux-riscv64-lp64d.so.1"] {
            let target = Array("../lib64/\(name)".utf8)
            tree.insert(
                Tree.Node(kind: .symlink(target: target), mode: 0o777),
                at: try TreePath(parsing: "usr/lib/\(other)".utf8))
        }
        try add(Prepared(bytes), at: path, to: &tree, staging)
        let identity = StorePath.Identity(
            tree: Digest(hashing: []), name: try PackageName("odd"), version: try PackageVersion("1"),
            architecture: .any)
        let relocated = try Relocator.relocate(
            tree, staging: staging, to: StorePath(identity), progress: NoProgress(), isTaken: { _ in false })
        guard case .file(let id) = relocated.tree[path]?.kind else { return }
        try look(staging.open(id).readAll(limit: .max), relocated)
    }

    private func add(_ file: Prepared, at path: TreePath, to tree: inout Tree, _ staging: Staging) throws {
        let number = try staging.reserveFile()
        let url = directory.appending(path: Staging.fileName(number))
        try Data(file.bytes).write(to: url)
        let id = staging.add(
            number, size: file.bytes.count, digest: file.digest, scanner: file.scanner,
            head: FileHead(file.bytes))
        tree.insert(Tree.Node(kind: .file(id), mode: 0o755), at: path)
    }

    private static func compare(
        _ before: Bytes, _ after: Bytes, file: RelocationReport.File?, aliases: [Alias]
    ) throws {
        if file?.done[.searchPath] != nil {
            // Another loader than the image's: the file has a new segment behind its end.
            guard after.count >= before.count,
                (try? after.withUnsafeBytes { try ELFFile(parsing: $0) }) != nil
            else {
                throw RewriterFault.size(before: before.count, after: after.count)
            }
            return
        }
        guard before.count == after.count else {
            throw RewriterFault.size(before: before.count, after: after.count)
        }
        guard before != after else { return }
        guard let file, !file.done.isEmpty else { throw RewriterFault.unreported }
        guard !file.left.contains(where: { $0.reason == .damaged }) else {
            throw RewriterFault.damagedButChanged
        }
        var explained = 0
        for offset in before.indices where offset >= explained && before[offset] != after[offset] {
            guard let end = endOfReplacement(around: offset, in: after, aliases: aliases) else {
                throw RewriterFault.unexplained(offset: offset)
            }
            explained = end
        }
    }

    /// The end of the alias, or of the path that cannot exist, that the byte at `offset` is in.
    private static func endOfReplacement(around offset: Int, in bytes: Bytes, aliases: [Alias]) -> Int? {
        for alias in aliases {
            for text in [alias.path, "_/" + alias.name] {
                let pattern = Array(text.utf8)
                for start in max(0, offset - pattern.count + 1)...offset
                where start + pattern.count <= bytes.count
                    && bytes[start..<start + pattern.count].elementsEqual(pattern)
                {
                    return start + pattern.count
                }
            }
        }
        // `/usr/_/----/`, or `/` and control characters.
        let start = max(0, offset - 64)
        for first in (start...offset).reversed() where bytes[first] == UInt8(ascii: "/") {
            let rest = bytes[first...]
            let prefix = rest.starts(with: "\(StoreLayout.aliasDirectory)/-".utf8) ? 7 : 1
            let filler = rest.dropFirst(prefix).prefix { $0 == (prefix == 7 ? UInt8(ascii: "-") : 1) }
            let end = filler.endIndex
            if !filler.isEmpty, end < bytes.count, bytes[end] == UInt8(ascii: "/"), end >= offset {
                return end + 1
            }
        }
        return nil
    }
}
