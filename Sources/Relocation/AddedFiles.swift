internal import Files
internal import StoreLayout

/// Programs that read where they are installed from a file beside them, which the package then gets.
///
/// Their own paths are joined from pieces too short for an alias: "/usr/bin" and "/gpg-agent".
private let addedFiles: [(program: TreePath, path: TreePath, text: String)] = [
    // Source: `unix_rootdir` in GnuPG's `common/homedir.c`, 2.2.33 and newer. The configuration stays the host's.
    (
        "usr/bin/gpgconf", "usr/bin/gpgconf.ctl",
        "rootdir = {store-path}/usr\nsysconfdir = /etc/gnupg\n"
    )
]

/// Directories that such a program then looks for under another name: it gets links to what is in the first.
private let addedDirectories: [(program: TreePath, from: TreePath, to: TreePath)] = [
    ("usr/bin/gpgconf", "usr/lib/gnupg", "usr/libexec"),
    // Source: `determine_config_directory_paths` in fish's `src/env.cpp`, 3.6.
    ("usr/bin/fish", "etc/fish", "usr/etc/fish"),
]

extension Relocator {
    /// Whether all that is above a path is a directory, or nothing yet.
    private func canHold(_ path: TreePath, _ tree: Tree) -> Bool {
        var parent = path.parent
        while let directory = parent {
            if let node = tree[directory], node.kind != .directory { return false }
            parent = directory.parent
        }
        return true
    }

    /// Adds the files by which programs find what belongs to them; one that the image has stays as it is.
    func addFiles(to tree: inout Tree) throws {
        for added in addedFiles
        where tree[added.program] != nil && tree[added.path] == nil && canHold(added.path, tree) {
            let text = added.text.replacing("{store-path}", with: storePath.path)
            let content = try staging.make(Array(text.utf8))
            tree.insert(Tree.Node(kind: .file(content), mode: 0o644), at: added.path)
        }
        for added in addedDirectories where tree[added.program] != nil {
            let climb = Array(String(repeating: "../", count: added.to.components.count).utf8)
            for name in tree.names(in: added.from) {
                let path = added.to.appending(name)
                guard tree[path] == nil, canHold(path, tree) else { continue }
                let target = climb + added.from.bytes + [UInt8(ascii: "/")] + name
                tree.insert(Tree.Node(kind: .symlink(target: target), mode: 0o777), at: path)
            }
        }
    }
}
