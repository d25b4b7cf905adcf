internal import Files

/// Which paths of an image stay the host's, whatever the image has.
enum PathRules {
    /// Left exactly as they are: every host has them, and programs expect the host's.
    private static let exact: Set<Bytes> = Set(
        [
            "/bin/sh", "/usr/bin/sh", "/usr/bin/env", "/bin/env", "/usr/lib/os-release",
            // Login shells, which useradd and systemd-sysusers write into the host's list of users.
            "/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false",
        ].map { Array($0.utf8) })

    /// Left with all below them: what the host's administrator, kernel or debugger puts there.
    private static let subtrees = [
        "/usr/local", "/usr/src", "/usr/lib/modules", "/lib/modules", "/usr/lib/firmware", "/lib/firmware",
        "/usr/lib/debug",
    ].map { Array($0.utf8) }

    /// Directories and files of `/etc` that are a program's data rather than a host's configuration.
    private static let data = [
        "/etc/alternatives", "/etc/emacs", "/etc/fonts", "/etc/groff", "/etc/lynx",
        "/etc/libreoffice/registry",
        "/etc/manpath.config",
        "/etc/matplotlibrc", "/etc/perl",
        "/etc/R", "/etc/php", "/etc/sgml", "/etc/texmf", "/etc/vim", "/etc/xml",
    ].map { Array($0.utf8) }

    /// Directories of `/var` that hold what packages made of their files when they were installed, not a host's
    /// state.
    private static let generated = ["/var/lib/ghc", "/var/lib/texmf"].map { Array($0.utf8) }

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
        if path.hasPrefix("/var/") { return !generated.contains { isWithin(path, $0) } }
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
        "lib/apk", "usr/lib/sysimage", "boot", "usr/lib/modules", "usr/lib/firmware", "usr/src",
        "usr/local/src",
    ]

    /// Whether a file's bytes stay as they are because of where it is.
    static func isUntouched(_ path: TreePath) -> Bool {
        if untouched.contains(where: { path.isWithin($0) }) { return true }
        guard path.isWithin("etc") || path.isWithin("var") else { return false }
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

    /// Marks before the path of a command in a unit, that no word begins with elsewhere.
    ///
    /// Source: systemd.service(5), "Special executable prefixes".
    private static let unitMarks = Array("-@+:!".utf8)

    static func ends(_ byte: UInt8) -> Bool { terminators[Int(byte)] }

    static func substitutes(_ byte: UInt8) -> Bool { substitutions[Int(byte)] }

    /// Whether a path may begin at `offset`.
    static func canBegin(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        guard offset > 0 else { return true }
        let before = bytes[offset - 1]
        if beginners[Int(before)] { return true }
        if offset >= 2, optionLetters.contains(before), bytes[offset - 2] == UInt8(ascii: "-") { return true }
        // ExecReload=+/usr/bin/x of a unit: after the `=` may stand marks.
        if Self.unitMarks.contains(before) {
            let word = bytes[max(0, offset - 4)..<offset].reversed().drop { Self.unitMarks.contains($0) }
            if word.first == UInt8(ascii: "=") { return true }
        }
        // file:///usr/share/x
        if before == UInt8(ascii: "/"), offset >= 7 {
            return UnsafeRawBufferPointer(rebasing: bytes[(offset - 7)..<offset]).elementsEqual(
                "file://".utf8)
        }
        return false
    }
}
