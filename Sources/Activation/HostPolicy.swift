internal import Files
private import Glibc
internal import StoreLayout

/// The SELinux policy that a host runs with, as far as modules are put into it.
///
/// Source: selinux_config(5), semanage.conf(5), semodule(8).
struct HostPolicy {
    /// Its name, such as `targeted`.
    let type: String
    /// Where its modules are kept, on the host.
    private let modules: String
    private let host: Host

    /// Finds a host's policy; `nil` where SELinux is off, or the policy is not managed by semodule.
    init?(_ host: Host) throws {
        guard !host.isThisSystem || Self.isRunning else { return nil }
        let fields = try Self.fields(of: SELinuxRules.configuration, on: host)
        guard let mode = fields["SELINUX"], mode != "disabled", let type = fields["SELINUXTYPE"],
            !type.isEmpty, !type.contains("/"), type != ".."
        else { return nil }
        let store =
            try Self.fields(of: SELinuxRules.managerConfiguration, on: host)["store-root"]
            ?? SELinuxRules.moduleStore
        modules = "\(store)/\(type)/\(SELinuxRules.modules)"
        guard try host.directory(Host.parent(of: modules)) != nil else { return nil }
        self.type = type
        self.host = host
    }

    /// The module that setup installs, with where the policy keeps it.
    var item: HostItem {
        HostItem(
            path: modules + "/" + SELinuxRules.moduleName,
            kind: .policyModule(Array(SELinuxRules.module(root: StoreLayout.systemRoot).utf8)))
    }

    /// Whether this system's kernel has a policy.
    private static var isRunning: Bool {
        MountStack()?.mount(at: SELinuxRules.fileSystem)?.type == "selinuxfs"
    }

    /// Lines of `KEY=value`, as both files have them.
    private static func fields(of path: String, on host: Host) throws -> [String: String] {
        let text = String(decoding: try host.contents(path) ?? [], as: UTF8.self)
        let pairs = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line in
            line.firstIndex(of: "=").map { equals in
                (
                    String(line[..<equals].filter { !$0.isWhitespace }),
                    String(line[line.index(after: equals)...].filter { !$0.isWhitespace })
                )
            }
        }
        return Dictionary(pairs) { _, last in last }
    }

    // MARK: - Changing it

    /// Installs a module.
    ///
    /// - Parameters:
    ///   - text: The module, in CIL.
    ///   - place: A directory for the file that semodule reads; the module gets the file's name.
    /// - Throws: ``SetupError/policyModule(output:)``.
    func install(_ text: Bytes, by place: Descriptor) throws {
        let file = SELinuxRules.moduleName + ".cil"
        try place.replaceFile(file, contents: text)
        // Swept by the next writer if it cannot be removed now.
        defer { try? place.unlink(file) }
        try semodule(["--install", place.path(of: file)])
        guard host.isThisSystem, let restorecon = Self.program(SELinuxRules.labelPrograms) else { return }
        // What setup made got the label of the directory that it is in.
        _ = try ChildProcess.run(restorecon, ["-R", StoreLayout.systemRoot])
    }

    /// Removes the module.
    func remove() throws { try semodule(["--remove", SELinuxRules.moduleName]) }

    /// Whether the tool is there that changes a policy.
    static var isManageable: Bool { program(SELinuxRules.managerPrograms) != nil }

    private func semodule(_ arguments: [String]) throws {
        guard let program = Self.program(SELinuxRules.managerPrograms) else {
            throw SetupError.policyModule(output: "there is no semodule")
        }
        // The running kernel is to load the policy only where it is its own.
        let place = host.isThisSystem ? [] : ["--path", host.path, "--noreload"]
        let result = try ChildProcess.run(program, place + ["--store", type] + arguments)
        guard result.status == 0 else { throw SetupError.policyModule(output: result.output) }
    }

    private static func program(_ paths: [String]) -> String? { paths.first { access($0, X_OK) == 0 } }
}
