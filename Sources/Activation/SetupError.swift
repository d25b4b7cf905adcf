public import Files
private import Glibc
public import StoreLayout

/// Why a host cannot be set up, or set back.
///
/// What was there before still is, unless it is said.
public enum SetupError: Error, Equatable, CustomStringConvertible {
    /// Only root may.
    case needsRoot
    /// Another root than the system's was named.
    case otherRoot(String)
    /// No directory `/usr`.
    case noUsr(host: String)
    /// `/usr` cannot be written and nothing can be merged over it.
    case noWay(host: String, fileSystem: String?)
    /// The anchor was asked for without systemd-sysext.
    case noSystemExtensions(host: String)
    /// Links were asked for where `/usr` cannot be written.
    case readOnly(host: String)
    /// Something else is where the store is to be.
    case foreign(path: String, what: String)
    /// It was set up in another way.
    case otherMethod(SetupMethod)
    /// The record of what was made cannot be read.
    case damagedRecord(String)
    /// A module could not be put into the host's SELinux policy, or taken out.
    case policyModule(output: String)
    /// No further overlay can be laid over `/usr`.
    case tooDeep(Int)
    /// A running merge would have to be done again, and may come out differently.
    case mergeDiffers(added: [String], gone: [String])
    /// The merge did not make `/usr/store` exist.
    case mergeFailed(output: String, isRestored: Bool)
    /// The merge without the anchor failed.
    case unmergeFailed(output: String)
    /// A system call failed.
    case cannotMake(SystemError)
    /// Links of `/usr` that merged extensions cover.
    case covered(String)
    /// Links of `/usr` that merged extensions hide by directories of their own.
    case hidden(String)

    /// The sentence for people, and a hint.
    public var description: String {
        switch self {
        case .needsRoot:
            """
            setting up this system needs root: it changes /usr or /var/lib/extensions, and /etc
            hint: run it with sudo; without it, 'sxs install' works for you alone: programs then see \
            \(StoreLayout.storeDirectory) in a private namespace
            """
        case .otherRoot(let root):
            """
            a host leads to the system's store, \(StoreLayout.systemRoot), not to \(root)
            hint: leave out --root (and SXS_ROOT); 'sxs install --root DIR' needs no setup
            """
        case .noUsr(let host):
            """
            \(host) is no system's root directory: it has no directory \(StoreLayout.hostDirectory)
            hint: name the directory that holds the system's \(StoreLayout.hostDirectory) with --host DIR
            """
        case .noWay(let host, let fileSystem):
            """
            \(StoreLayout.storeDirectory) cannot be made on \(host): \(StoreLayout.hostDirectory) is read-only\
            \(fileSystem.map { " (\($0))" } ?? ""), and there is no \(Anchor.program) to lay anything over it
            hint: install systemd's system extensions (systemd 248 or newer), or make \(StoreLayout.hostDirectory) \
            writable once; without either, programs see \(StoreLayout.storeDirectory) in private namespaces
            """
        case .noSystemExtensions(let host):
            """
            the anchor needs systemd-sysext, and \(host) has no \(Anchor.program)
            hint: leave out '--method anchor', or install systemd 248 or newer
            """
        case .readOnly(let host):
            """
            links cannot be made on \(host): \(StoreLayout.hostDirectory) is read-only
            hint: leave out '--method links'
            """
        case .foreign(let path, let what):
            """
            there is something else at \(path): \(what)
            hint: sxs neither replaces nor hides what it did not make; move it away, then try again
            """
        case .otherMethod(let method):
            """
            this host is set up by \(method == .anchor ? "the anchor" : "links") already
            hint: 'sxs setup --undo' takes that back
            """
        case .damagedRecord(let path):
            """
            \(path) is damaged: what sxs made on this host cannot be told
            hint: 'sxs doctor' shows what is there; remove the record and run 'sxs setup' again to begin a new one
            """
        case .policyModule(let output):
            """
            the SELinux policy cannot be changed: \(output.split(separator: "\n").suffix(3).joined(separator: "; "))
            hint: 'semodule --list' and the lines above say what is wrong with the policy; run the command again then
            """
        case .tooDeep(let depth):
            """
            nothing can be merged over \(StoreLayout.hostDirectory): \(depth) overlays lie there over each other, \
            which is the kernel's limit
            hint: a container's or live system's overlays count too (composefs is one); set up the system below \
            them, with --host DIR, or use private namespaces, which bind mounts are enough for
            """
        case .mergeDiffers(let added, let gone):
            """
            extensions are merged, and to merge them again would change what is: \
            \((added.map { "\($0) comes in" } + gone.map { "\($0) goes" }).joined(separator: ", "))
            hint: 'sxs setup --refresh' does it all the same; otherwise it happens when the system starts next
            """
        case .mergeFailed(let output, let isRestored):
            """
            systemd-sysext did not bring \(StoreLayout.storeDirectory) into being\(Self.quoted(output))
            hint: \(isRestored
                ? "what sxs made is removed, and what was merged before is merged again"
                : "what sxs made is removed; 'systemd-sysext status' shows what is merged"); 'systemd-sysext merge' \
            must work without sxs first
            """
        case .unmergeFailed(let output):
            """
            systemd-sysext did not merge the remaining extensions without the anchor\(Self.quoted(output))
            hint: the anchor is removed; run 'systemd-sysext refresh' when the other extensions are mended
            """
        case .cannotMake(let error):
            """
            \(error.description.split(separator: "\n").first ?? "")
            hint: \(Self.hint(for: error.code))
            """
        case .hidden(let path):
            """
            merged extensions hide the links in \(StoreLayout.hostDirectory): they bring \(path) as a directory
            hint: systemd-sysext unmerge; sxs setup --undo; systemd-sysext merge; sxs setup: by the anchor then
            """
        case .covered(let path):
            """
            \(path) cannot be removed now: merged extensions cover \(StoreLayout.hostDirectory)
            hint: 'systemd-sysext unmerge', then the same again, then 'systemd-sysext merge'
            """
        }
    }

    private static func quoted(_ output: String) -> String {
        let lines = output.split(separator: "\n").suffix(5)
        return lines.isEmpty ? "" : ":\n" + lines.map { "  " + $0 }.joined(separator: "\n")
    }

    private static func hint(for code: Int32) -> String {
        switch code {
        case ENOSPC, EDQUOT:
            "the file system is full; what was made is removed; free some space and try again"
        case EROFS: "the file system is read-only; 'sxs setup' needs /etc and /var to be writable"
        case EACCES, EPERM: "run as root"
        default: "what was made is removed; mend that, and try again"
        }
    }
}
