import Files
import Foundation
import StoreLayout

@testable import Relocation

extension FuzzTarget {
    /// Files of an image that are changed when it is relocated, each at a place where its kind is told by the name.
    static let relocated: [FuzzTarget] = [
        FuzzTarget("bytecode") { try checkRelocating($0, at: "usr/lib/x.pyc", keepsSize: true) },
        FuzzTarget("jar") { bytes in
            try checkRelocating(bytes, at: "usr/share/java/x.jar", keepsSize: false)
            bytes.withUnsafeBytes { archive in
                guard let manifest = try? JarManifest(of: archive) else { return }
                _ = manifest.changing { _ in Array("/usr/store/x.jar".utf8) }
            }
        },
        FuzzTarget("script") { try checkRelocating($0, at: "usr/bin/x", keepsSize: false) },
        FuzzTarget("pkgconfig") { try checkRelocating($0, at: "usr/lib/pkgconfig/x.pc", keepsSize: false) },
        FuzzTarget("configuration") { text in
            var tree = Tree()
            tree.insert(Tree.Node(kind: .file(ContentID(0)), mode: 0o755), at: "usr/share/x/y")
            _ = ConfigurationText(of: tree).moved(text, to: "/usr/store/x")
        },
    ]

    /// Documents that sxs writes and reads again.
    static let documents: [FuzzTarget] = [
        FuzzTarget("report") { text in _ = try? JSONDecoder().decode(RelocationReport.self, from: Data(text))
        }
    ]
}

private func checkRelocating(_ bytes: Bytes, at path: TreePath, keepsSize: Bool) throws {
    // An ELF file is the concern of the target elf.
    guard !bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return }
    let after = try RewriterCheck(loader: []).relocate(bytes, at: path)
    guard keepsSize, let after else { return }
    try expect(after.count == bytes.count, "\(path) has \(after.count) bytes, and had \(bytes.count)")
}
