public import Files

/// What a host's SELinux policy is told of a root, so that restorecon(8) labels it as sxs does.
///
/// See `selinux.md`.
public enum SELinuxRules {
    /// The name of the policy module that setup installs.
    public static let moduleName = "sxs"

    /// Which policy a host has.
    ///
    /// Source: selinux_config(5).
    public static let configuration = "/etc/selinux/config"
    /// Where its modules are, with what is not the default.
    ///
    /// Source: semanage.conf(5).
    public static let managerConfiguration = "/etc/selinux/semanage.conf"
    /// Where modules are kept by default.
    public static let moduleStore = "/var/lib/selinux"
    /// Below a policy's own directory there: modules of semodule's default priority.
    public static let modules = "active/modules/400"
    /// Where a kernel that runs SELinux shows it.
    public static let fileSystem = "/sys/fs/selinux"
    /// Where semodule(8) may be.
    public static let managerPrograms = ["/usr/sbin/semodule", "/sbin/semodule"]
    /// Where restorecon(8) may be.
    public static let labelPrograms = ["/usr/sbin/restorecon", "/sbin/restorecon"]

    private static let begin = "# sxs: begin of"
    private static let end = "# sxs: end of"

    /// The policy's `file_contexts.subs` with a line for all that lies at the top of each store path of a root.
    ///
    /// Lines of other roots and of others stay. A path in the first column is looked up under that in the second.
    ///
    /// - Parameters:
    ///   - old: The file as it was.
    ///   - root: The root, as an absolute path without links.
    ///   - tops: Names at the top of each store path, by base name.
    public static func substitutions(_ old: Bytes, root: String, tops: [String: [String]]) -> Bytes {
        let (first, last) = ("\(begin) \(root)", "\(end) \(root)")
        var lines: [Bytes] = []
        var isOurs = false
        for line in old.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Bytes.init)
        {
            if line.elementsEqual(first.utf8) {
                isOurs = true
            } else if line.elementsEqual(last.utf8) {
                isOurs = false
            } else if !isOurs {
                lines.append(line)
            }
        }
        while lines.last?.isEmpty == true { lines.removeLast() }
        var own: [String] = []
        for (base, names) in tops.sorted(by: { $0.key < $1.key }) {
            for name in names.sorted() {
                own.append("\(root)/\(StoreLayout.Name.store)/\(base)/\(name) /\(name)")
            }
        }
        if !own.isEmpty { lines += ([first] + own + [last]).map { Bytes($0.utf8) } }
        return lines.flatMap { $0 + [UInt8(ascii: "\n")] }
    }

    /// A policy module in CIL, to be installed with `semodule --install FILE`, for all that is no store path.
    ///
    /// What an earlier version left is left alone: it shares inodes with files of store paths, which have the labels.
    public static func module(root: String) -> String {
        let escaped = root.map { ".+*?()[]{}^$|".contains($0) ? "\\\($0)" : String($0) }.joined()
        let usr = "(system_u object_r usr_t ((s0) (s0)))"
        let bin = "(system_u object_r bin_t ((s0) (s0)))"
        let shown = [
            StoreLayout.Name.aliases, StoreLayout.Name.profiles, StoreLayout.Name.shims,
            StoreLayout.Name.manifests,
        ]
        return
            ([
                "(filecon \"\(escaped)\" dir \(usr))",
                "(filecon \"\(escaped)/\(StoreLayout.Name.earlierObjects)(/.*)?\" any ())",
                "(filecon \"\(escaped)/\(StoreLayout.Name.store)\" dir \(usr))",
                "(filecon \"\(escaped)/\(StoreLayout.Name.store)/[^/]+\" dir \(usr))",
                "(filecon \"\(escaped)/\(StoreLayout.Name.programs)(/.*)?\" any \(bin))",
            ] + shown.map { "(filecon \"\(escaped)/\($0)(/.*)?\" any \(usr))" }).map { $0 + "\n" }.joined()
    }
}
