internal import Files
private import Glibc
private import StoreLayout

/// Makes this host known to others that share a root, before a program of it runs here: what it uses is not collected
/// there until it has said that it does not.
enum HostPresence {
    /// Notes that programs of a root run on this host, since its kernel was started; costs three small reads where that is
    /// known.
    ///
    /// Where the root is not this user's, nothing can be noted, and whoever owns it does it: see `sharing.md`.
    static func announce(in root: String) {
        guard let id = MachineIdentity.current(), let boot = MachineIdentity.currentBoot() else { return }
        let roots = root + "/" + StoreLayout.Name.collectionRoots
        let path = roots + "/" + StoreLayout.Name.hosts
        let beginning = HostReport.beginning(boot: boot)
        let text = (try? Descriptor.file(path + "/" + id))?.start(beginning.count)
        if text == beginning { return }
        // What cannot be noted keeps no program from running.
        try? note(id, boot, in: root)
    }

    private static func note(_ id: String, _ boot: String, in root: String) throws {
        let top = try Descriptor.directory(root)
        guard try top.status().st_uid == geteuid(), try !top.isOnReadOnlyMount() else { return }
        let roots = try top.directory(beneath: StoreLayout.Name.collectionRoots)
        try roots.makeDirectory(StoreLayout.Name.hosts)
        let directory = try roots.directory(beneath: StoreLayout.Name.hosts)
        try directory.setMode(0o755)
        let old =
            try directory.status(of: id) == nil
            ? HostReport(boot: nil)
            : HostReport(parsing: directory.open(beneath: id).readAll(limit: 16 << 20))
        // What ran before the kernel was started anew runs no more.
        let report = HostReport(boot: boot, name: old.name, uses: old.uses.filter { !$0.isProcess })
        try directory.replaceFile(
            id, contents: report.text, through: top.directory(beneath: StoreLayout.Name.temporary),
            isDurable: true)
    }
}

extension Descriptor {
    /// The first bytes of a file, or all where it has fewer.
    fileprivate func start(_ count: Int) -> Bytes {
        var buffer = Bytes(repeating: 0, count: count)
        let length = buffer.withUnsafeMutableBytes { (try? read(into: $0, at: 0)) ?? 0 }
        return Array(buffer.prefix(length))
    }
}
