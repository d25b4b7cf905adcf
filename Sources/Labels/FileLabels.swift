private import CSELinux
public import Files
private import Glibc

/// The labels that an SELinux policy gives to files, by path.
///
/// Read by libselinux, as restorecon(8) does: `file_contexts`, with `.homedirs`, `.local`, `.subs` and `.subs_dist`
/// beside it. Neither the kernel nor the host needs to know SELinux.
public final class FileLabels {
    // A class: it owns the library's handle.

    private let handle: OpaquePointer

    /// The policy's file.
    public let path: String

    /// Whether the kernel of this host runs SELinux with a policy.
    public static var isEnabled: Bool { is_selinux_enabled() == 1 }

    /// What is at a path.
    public enum Kind: Sendable {
        case directory, file, symlink

        /// What a file's mode says; all that is neither directory nor link is taken for a regular file.
        public init(mode: UInt32) {
            self =
                switch mode & S_IFMT {
                case S_IFDIR: .directory
                case S_IFLNK: .symlink
                default: .file
                }
        }

        fileprivate var mode: Int32 {
            switch self {
            case .directory: Int32(S_IFDIR)
            case .file: Int32(S_IFREG)
            case .symlink: Int32(S_IFLNK)
            }
        }
    }

    /// Reads a policy's file of contexts.
    ///
    /// - Parameter path: The path of `file_contexts`.
    /// - Throws: ``LabelError``.
    public init(fileContexts path: String) throws {
        sxs_selinux_silence()
        // libselinux takes an empty or damaged list for one that labels nothing.
        let file = try Descriptor.file(path)
        guard try file.status().st_mode & S_IFMT == S_IFREG, try file.status().st_size > 0 else {
            throw LabelError.badPolicy(path, reason: "it is empty, or no regular file")
        }
        let handle = path.withCString { text in
            var option = selinux_opt(type: Int32(SELABEL_OPT_PATH), value: text)
            return selabel_open(UInt32(SELABEL_CTX_FILE), &option, 1)
        }
        guard let handle else {
            throw LabelError.badPolicy(path, reason: String(cString: strerror(errno)).lowercased())
        }
        self.handle = handle
        self.path = path
    }

    deinit { selabel_close(handle) }

    /// The label of a path, as the attribute's value without its NUL; `nil` where the policy leaves the label alone.
    ///
    /// - Parameters:
    ///   - path: An absolute path.
    ///   - kind: What is there.
    public func label(of path: Bytes, kind: Kind) throws -> Bytes? {
        var context: UnsafeMutablePointer<CChar>?
        let result = (path + [0]).withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                selabel_lookup_raw(handle, &context, $0.baseAddress.unsafelyUnwrapped, kind.mode)
            }
        }
        guard result == 0, let context else {
            if errno == ENOENT { return nil }
            throw SystemError("find the label of", path.displayed)
        }
        defer { freecon(context) }
        return Bytes(UnsafeRawBufferPointer(start: context, count: strlen(context)))
    }
}

/// Why a policy gives no labels.
public enum LabelError: Error, Equatable, CustomStringConvertible {
    /// The file of contexts cannot be read.
    case badPolicy(String, reason: String)
    /// The host has no policy.
    case noPolicy(String)

    /// What is wrong, why, and what to do.
    public var description: String {
        switch self {
        case .badPolicy(let path, let reason):
            """
            \(path) cannot be read as a list of file contexts: \(reason)
            hint: reinstall the policy, or name its file_contexts with --policy FILE
            """
        case .noPolicy(let path):
            """
            \(path) does not say which SELinux policy is used, or that policy has no file_contexts
            hint: install a policy, or name its file_contexts with --policy FILE
            """
        }
    }
}
