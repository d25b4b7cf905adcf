internal import Files

/// Which paths of an image stay the host's, whatever the image has.
enum PathRules {
    /// Left exactly as they are: every host has them, and programs expect the host's.
    private static let exact: Set<Bytes> = Set(
        ["/bin/sh", "/usr/bin/sh", "/usr/bin/env", "/bin/env", "/usr/lib/os-release"].map { Array($0.utf8) })

    /// Left with all below them: what the host's administrator, kernel or debugger puts there.
    private static let subtrees = [
        "/usr/local", "/usr/src", "/usr/lib/modules", "/lib/modules", "/usr/lib/firmware", "/lib/firmware",
        "/usr/lib/debug",
    ].map { Array($0.utf8) }

    /// Directories and files of `/etc` that are a program's data rather than a host's configuration.
    private static let data = [
        "/etc/alternatives", "/etc/emacs", "/etc/fonts", "/etc/groff", "/etc/manpath.config", "/etc/perl",
        "/etc/vim",
    ].map { Array($0.utf8) }

    /// Families of such directories, by the beginning of their names.
    private static let dataPrefixes = ["/etc/ImageMagick-"].map { Array($0.utf8) }

    /// Links into `/etc` that mean the host, although the image has a target of its own.
    private static let hostConfiguration = [
        "/etc/ssl/certs", "/etc/ssl/private", "/etc/pki", "/etc/resolv.conf", "/etc/hosts", "/etc/hostname",
        "/etc/passwd", "/etc/group", "/etc/localtime", "/etc/machine-id", "/etc/nsswitch.conf", "/etc/mtab",
    ].map { Array($0.utf8) }

    /// Whether an absolute path in a file means the host.
    static func isHost(_ path: some Collection<UInt8>) -> Bool {
        if path.hasPrefix("/etc/") {
            return !data.contains { isWithin(path, $0) } && !dataPrefixes.contains { path.starts(with: $0) }
        }
        return exact.contains(Array(path)) || subtrees.contains { isWithin(path, $0) }
    }

    /// Whether a symbolic link's absolute target means the host.
    static func isHostTarget(_ path: some Collection<UInt8>) -> Bool {
        if path.hasPrefix("/etc/") { return hostConfiguration.contains { isWithin(path, $0) } }
        return exact.contains(Array(path)) || subtrees.contains { isWithin(path, $0) }
    }

    /// Directories whose files no program reads paths from, or that describe rather than configure: their bytes
    /// stay as the image had them.
    private static let untouched: [TreePath] = [
        "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian",
        "usr/share/bug", "usr/share/doc-base", "usr/share/common-licenses", "usr/include", "usr/lib/debug",
        "var",
        "lib/apk", "usr/lib/sysimage", "boot", "usr/lib/modules", "usr/lib/firmware", "usr/src",
        "usr/local/src",
    ]

    /// Whether a file's bytes stay as they are because of where it is.
    static func isUntouched(_ path: TreePath) -> Bool {
        if untouched.contains(where: { path.isWithin($0) }) { return true }
        guard path.isWithin("etc") else { return false }
        return isHost([UInt8(ascii: "/")] + path.bytes)
    }

    static func isWithin(_ path: some Collection<UInt8>, _ ancestor: Bytes) -> Bool {
        guard path.starts(with: ancestor) else { return false }
        let rest = path.dropFirst(ancestor.count)
        return rest.isEmpty || rest.first == UInt8(ascii: "/")
    }
}

/// What bytes say at the borders of a path in a file.
enum PathBorders {
    /// Bytes that may stand before a path in text or a C string: white space, control characters and
    /// punctuation that begins a word.
    ///
    /// After others (`s/usr/x`, `${prefix}/usr`, `%s/usr`) it is the tail of something.
    private static let beginners: [Bool] = (0..<256).map { value in
        value <= 0x20 || "\"'`=:;,(<>[{|&!^".utf8.contains(UInt8(value))
    }

    /// Bytes that end a path and leave its last component whole.
    private static let terminators: [Bool] = (0..<256).map { value in
        value <= 0x20 || value == 0x7f || "\"'`:;,()<>[]}|&\\".utf8.contains(UInt8(value))
    }

    /// Bytes that end a path in the middle of a component: patterns and substitutions.
    private static let substitutions: [Bool] = (0..<256).map { "%$*?{".utf8.contains(UInt8($0)) }

    /// Option letters after a `-` that a path may follow at once, as in `-L/usr/lib/x`.
    private static let optionLetters = Array("LIBR".utf8)

    static func ends(_ byte: UInt8) -> Bool { terminators[Int(byte)] }

    static func substitutes(_ byte: UInt8) -> Bool { substitutions[Int(byte)] }

    /// Whether a path may begin at `offset`.
    static func canBegin(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        guard offset > 0 else { return true }
        let before = bytes[offset - 1]
        if beginners[Int(before)] { return true }
        if offset >= 2, optionLetters.contains(before), bytes[offset - 2] == UInt8(ascii: "-") { return true }
        // file:///usr/share/x
        if before == UInt8(ascii: "/"), offset >= 7 {
            return UnsafeRawBufferPointer(rebasing: bytes[(offset - 7)..<offset]).elementsEqual(
                "file://".utf8)
        }
        return false
    }
}
