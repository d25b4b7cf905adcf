public import Files

extension Hint {
    /// The first line.
    public static let heading = "sxs-hints 1"

    /// What the names of hint files end in, outside the store.
    public static let fileSuffix = ".hints"

    /// Bytes that a hint may have.
    public static let longest = 16 << 10

    /// Lines that a hint may have, so that matching stays cheap.
    static let mostLines = 200

    /// The shortest path that `relative` may name: with `/usr/` before it, it has room for an alias of 12 bytes.
    public static let shortestRelative = 7

    /// The words that lines begin with.
    private enum Word: String, CaseIterable {
        case package, program, relative, environment, seed, namespace
        case keep = "no-alias"
    }

    /// Reads the text of a hint.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - name: What the hint is called.
    ///   - file: What messages call the text.
    /// - Throws: ``HintError`` for the first line that is wrong.
    public init(parsing text: Bytes, name: HintName, file: String) throws(HintError) {
        guard text.count <= Self.longest else { throw .tooLong(file: file) }
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count <= Self.mostLines else { throw .tooLong(file: file) }
        guard lines.first?.elementsEqual(Self.heading.utf8) == true else { throw .heading(file: file) }
        var reader = Reader(file: file)
        for (index, line) in lines.enumerated().dropFirst() { try reader.read(line, number: index + 1) }
        try reader.finishGroup()
        guard !reader.groups.isEmpty else { throw .empty(file: file) }
        self.init(name: name, packages: reader.packages, groups: reader.groups, text: text)
    }

    /// What was read so far.
    private struct Reader {
        let file: String
        var number = 1
        var packages: [PackageName] = []
        var groups: [Group] = []
        var group = Group()
        var groupLine = 0

        init(file: String) { self.file = file }

        private func wrong(_ problem: String, _ remedy: String) -> HintError {
            .line(number, file: file, problem: problem, remedy: remedy)
        }

        mutating func read(_ line: ArraySlice<UInt8>, number: Int) throws(HintError) {
            self.number = number
            guard let text = String(validating: line, as: UTF8.self),
                text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f })
            else {
                throw wrong(
                    "it has bytes that are no text",
                    "write UTF-8, without tabs and other control characters; lines end in a newline alone")
            }
            guard !text.isEmpty, !text.hasPrefix("#") else { return }
            let space = text.firstIndex(of: " ") ?? text.endIndex
            guard let word = Word(rawValue: String(text[..<space])) else {
                throw wrong(
                    "'\(text[..<space])' is no word of a hint",
                    "a line begins with one of \(Word.allCases.map(\.rawValue).joined(separator: ", ")), or '#'"
                )
            }
            let rest = String(text[space...].drop { $0 == " " })
            guard !rest.isEmpty, rest.last != " " else {
                throw wrong(
                    rest.isEmpty ? "nothing follows '\(word.rawValue)'" : "it ends in a space",
                    "write one space between the words, and none at the end")
            }
            try read(word, rest)
        }

        private mutating func read(_ word: Word, _ rest: String) throws(HintError) {
            switch word {
            case .package: return try readPackage(rest)
            case .program: return try readProgram(rest)
            default: break
            }
            guard !group.programs.isEmpty else {
                throw wrong("it does not say for which programs", "put a line 'program NAME' before it")
            }
            switch word {
            case .package, .program: break
            case .relative: group.relative.append(try relative(rest))
            case .keep: group.kept.append(try kept(rest))
            case .environment: group.environment.append(try variable(rest))
            case .seed: group.seeds.append(try seed(rest))
            case .namespace:
                guard let use = NamespaceUse(rawValue: rest), group.namespace == nil else {
                    throw wrong(
                        "'\(rest)' is not what a namespace can be, or the programs have it already",
                        "write \(NamespaceUse.allCases.map { "'\($0.rawValue)'" }.joined(separator: " or ")), once"
                    )
                }
                group.namespace = use
            }
        }

        private mutating func readPackage(_ text: String) throws(HintError) {
            guard let name = try? PackageName(text), groups.isEmpty, group.programs.isEmpty else {
                throw wrong(
                    "'\(text)' is no name of a package, or stands after a program",
                    "write one package a line, before the first program")
            }
            packages.append(name)
        }

        private mutating func readProgram(_ text: String) throws(HintError) {
            guard let pattern = PathPattern(text) else {
                throw wrong(
                    "'\(text)' names no program",
                    "write a command's name, or a path such as usr/bin/git; '*' stands for anything but '/'")
            }
            if group.hasRules { try finishGroup() }
            if group.programs.isEmpty { groupLine = number }
            group.programs.append(pattern)
        }

        /// Ends the rules for the programs that were named last.
        mutating func finishGroup() throws(HintError) {
            guard !group.programs.isEmpty else { return }
            guard group.hasRules else {
                number = groupLine
                throw wrong("nothing is said of the program", "write rules after it, or take the line out")
            }
            groups.append(group)
            group = Group()
        }

        private func relative(_ text: String) throws(HintError) -> TreePath {
            guard let path = try? TreePath(parsing: text.utf8), path.bytes.elementsEqual(text.utf8),
                path.bytes.count >= Hint.shortestRelative
            else {
                throw wrong(
                    "'\(text)' is no path that a program can join to /usr/",
                    "write it as it stands in the program, such as share/git-core; it has at least "
                        + "\(Hint.shortestRelative) bytes, the room an alias needs")
            }
            return path
        }

        private func kept(_ text: String) throws(HintError) -> Kept {
            let parts = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            let files = parts.count == 3 && parts[1] == "in" ? PathPattern(parts[2]) : nil
            guard parts.count == 1 || files != nil else {
                throw wrong(
                    "'\(text)' cannot be understood", "write 'no-alias PATH' or 'no-alias PATH in FILE'")
            }
            if parts[0] == "*" { return Kept(path: nil, files: files) }
            let inner = parts[0].utf8.dropFirst()
            guard parts[0].hasPrefix("/"), let path = try? TreePath(parsing: inner), !inner.isEmpty,
                path.bytes.elementsEqual(inner)
            else {
                throw wrong(
                    "'\(parts[0])' is no absolute path",
                    "write it as it stands in the file, such as /usr/share/x, or '*' for every path")
            }
            return Kept(path: parts[0], files: files)
        }

        private func variable(_ text: String) throws(HintError) -> Variable {
            let equals = text.firstIndex(of: "=") ?? text.endIndex
            let name = String(text[..<equals])
            guard equals != text.endIndex, HintLimits.isVariable(name) else {
                throw wrong(
                    "'\(text)' sets no variable",
                    "write NAME=VALUE; names have letters, digits and '_', and begin with no digit")
            }
            guard !HintLimits.isRefused(variable: name) else {
                throw wrong(
                    "\(name) would be obeyed by every program that the program starts, the host's too",
                    "leave it out: paths that need it are for aliases, see 'relative' and 'seed'")
            }
            guard !group.environment.contains(where: { $0.name == name }) else {
                throw wrong("\(name) is set twice", "take one of the lines out")
            }
            return Variable(name: name, value: String(text[text.index(after: equals)...]))
        }

        private func seed(_ text: String) throws(HintError) -> PathPattern {
            guard let pattern = PathPattern(text), let path = try? TreePath(parsing: text.utf8),
                path.components.count >= 2, path.isWithin("etc") || path.isWithin("usr")
            else {
                throw wrong(
                    "'\(text)' is no path below etc or usr",
                    "write it without a leading slash, as etc/ssl/certs; '*' stands for anything but '/'")
            }
            guard !HintLimits.isRefused(seed: pattern, path) else {
                throw wrong(
                    "/\(text) says what the host's own programs may do or load",
                    "leave it out: it is the host's to give")
            }
            return pattern
        }
    }
}

/// What no hint may do.
///
/// A hint is for its programs; what it sets reaches the programs these start as well.
enum HintLimits {
    /// Variables that make programs of the host load or find other things.
    private static let variables: Set<String> = [
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "IFS", "ENV", "BASH_ENV", "TMPDIR", "CDPATH", "PWD",
        "GCONV_PATH", "LOCPATH", "NLSPATH", "GETCONF_DIR", "GLIBC_TUNABLES", "HOSTALIASES", "RES_OPTIONS",
        "MALLOC_TRACE", "TZDIR", "TERMINFO", "TERMINFO_DIRS", "MANPATH", "INFOPATH",
        "PERLLIB", "PERL5DB", "PERL5OPT", "RUBYLIB", "RUBYOPT", "GEM_HOME", "GEM_PATH", "NODE_PATH",
        "NODE_OPTIONS", "CLASSPATH", "JAVA_HOME", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS",
        "TCLLIBPATH", "TCL_LIBRARY", "TK_LIBRARY", "GUILE_LOAD_PATH", "GOROOT", "PKG_CONFIG_PATH",
        "PKG_CONFIG_LIBDIR", "COMPILER_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH",
        "GCC_EXEC_PREFIX", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "XDG_DATA_DIRS", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR",
        "GIO_MODULE_DIR", "GIO_EXTRA_MODULES", "GSETTINGS_SCHEMA_DIR", "GDK_PIXBUF_MODULE_FILE",
        "GDK_PIXBUF_MODULEDIR", "GTK_PATH", "GTK_EXE_PREFIX", "GTK_DATA_PREFIX", "GTK_MODULES",
        "GTK_IM_MODULE_FILE", "GI_TYPELIB_PATH", "GST_PLUGIN_PATH", "GST_PLUGIN_SYSTEM_PATH",
        "QT_PLUGIN_PATH",
        "QML_IMPORT_PATH", "QML2_IMPORT_PATH", "FONTCONFIG_FILE", "FONTCONFIG_PATH", "LIBGL_DRIVERS_PATH",
        "ALSA_CONFIG_DIR", "ALSA_PLUGIN_DIR", "DBUS_SESSION_BUS_ADDRESS", "SASL_PATH", "KRB5_CONFIG",
    ]

    /// Beginnings of families of such variables.
    private static let variablePrefixes = ["LD_", "DYLD_", "PYTHON", "PERL5LIB", "LUA_", "SXS_", "GIT_"]

    /// What decides on users and rights, is read by every program, or is nobody's but the host's.
    private static let seeds: [TreePath] = [
        "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid", "etc/sudoers",
        "etc/sudoers.d", "etc/sudo.conf", "etc/doas.conf", "etc/pam.d", "etc/pam.conf", "etc/security",
        "etc/polkit-1", "etc/nsswitch.conf", "etc/resolv.conf", "etc/hosts", "etc/host.conf", "etc/gai.conf",
        "etc/profile", "etc/profile.d", "etc/bash.bashrc", "etc/bashrc", "etc/zsh", "etc/environment",
        "etc/crontab", "etc/ssh", "etc/systemd", "etc/dbus-1", "etc/alternatives", "etc/fstab", "etc/mtab",
        "etc/localtime", "etc/machine-id", "etc/shells", "etc/locale.conf", "etc/default",
        "usr/local", "usr/store", "usr/_", "usr/lib/os-release", "usr/lib/extension-release.d",
        "usr/lib/modules", "usr/lib/systemd", "usr/lib/pam.d", "usr/lib/security", "usr/lib/sysusers.d",
        "usr/lib/tmpfiles.d", "usr/lib/udev", "usr/lib/environment.d", "usr/share/dbus-1",
        "usr/share/polkit-1",
        "usr/bin/sh", "usr/bin/sudo", "usr/bin/su", "usr/bin/env",
    ]

    static func isVariable(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"): true
            default: false
            }
        }
    }

    static func isRefused(variable name: String) -> Bool {
        variables.contains(name) || variablePrefixes.contains { name.hasPrefix($0) }
    }

    /// Whether a seed is, or with its stars may be, something that is refused.
    static func isRefused(seed pattern: PathPattern, _ path: TreePath) -> Bool {
        let loaders = ["etc/ld.so.", "etc/ld-"].map { Array($0.utf8) }
        if loaders.contains(where: { path.bytes.starts(with: $0) }) { return true }
        let depth = path.components.count
        return seeds.contains { refused in
            let components = refused.components
            let start = { (path: TreePath, count: Int) in
                path.components.prefix(count).reduce(TreePath.root) { $0.appending($1) }
            }
            // It is in what is refused, or has it in it.
            return PathPattern("\(start(path, components.count))")?.matches(refused) == true
                || pattern.matches(start(refused, depth))
        }
    }
}
