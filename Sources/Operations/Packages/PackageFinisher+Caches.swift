internal import Activation
internal import Files
private import Glibc
internal import Images
internal import Store
internal import StoreLayout

/// A cache that a program of the packages themselves makes.
struct CacheBuild {
    /// What people call it.
    let name: String
    let program: TreePath
    var arguments: [String] = []
    /// A directory to whose names the program finds links in its output.
    var input: TreePath?
    /// A name for what it prints.
    var output: String?
    var environment: [String] = []
    /// Where a file of its output goes; `nil` for one that is not wanted.
    let place: (TreePath) -> TreePath?
    /// What becomes of a file's bytes: the order of lines may be that of a directory.
    var edit: (Bytes) -> Bytes = { $0 }
}

extension PackageFinisher {
    /// The caches that programs would not find their parts without, where the packages have the program that makes them.
    ///
    /// Caches of icons and of the applications' types are made for whole generations (`desktop.md`), fonts' by users.
    mutating func cacheBuilds() -> [CacheBuild] {
        var builds: [CacheBuild] = []
        let schemas: TreePath = "usr/share/glib-2.0/schemas"
        if tree[schemas] != nil, tree[schemas.appending("gschemas.compiled".utf8)] == nil {
            add(
                "GLib's schemas",
                [Self.glib("glib-compile-schemas"), ["usr/bin/glib-compile-schemas"]].flatMap { $0 },
                &builds
            ) {
                CacheBuild(name: $0, program: $1, arguments: ["--targetdir=/out", "/\(schemas)"]) {
                    schemas.appending(path: $0)
                }
            }
        }
        for modules in find("usr/lib*/gio/modules") + find("usr/lib/*/gio/modules") {
            let programs =
                Self.glib("gio-querymodules") + ["usr/bin/gio-querymodules", "usr/bin/gio-querymodules-64"]
            add("GIO's modules", programs, &builds) {
                CacheBuild(
                    name: $0, program: $1, arguments: ["/out"], input: modules,
                    place: { $0 == "giomodule.cache" ? modules.appending($0.bytes) : nil }, edit: Self.sorted)
            }
        }
        for version in find("usr/lib*/gdk-pixbuf-2.0/*") + find("usr/lib/*/gdk-pixbuf-2.0/*") {
            let cache = version.appending("loaders.cache".utf8)
            let loaders = libraries(in: version.appending("loaders".utf8))
            guard !loaders.isEmpty, tree[cache] == nil else { continue }
            let programs = [
                "usr/lib/*/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders", "usr/bin/gdk-pixbuf-query-loaders",
                "usr/bin/gdk-pixbuf-query-loaders-64",
            ]
            add("loaders of pictures", programs, &builds) {
                CacheBuild(name: $0, program: $1, arguments: loaders, output: "cache") { _ in cache }
            }
        }
        for version in find("usr/lib*/gtk-3.0/3.0.0") + find("usr/lib/*/gtk-3.0/3.0.0") {
            let cache = version.appending("immodules.cache".utf8)
            let methods = libraries(in: version.appending("immodules".utf8))
            guard !methods.isEmpty, tree[cache] == nil else { continue }
            let programs = [
                "usr/lib/*/libgtk-3-0/gtk-query-immodules-3.0",
                "usr/lib/*/libgtk-3-0t64/gtk-query-immodules-3.0",
                "usr/bin/gtk-query-immodules-3.0", "usr/bin/gtk-query-immodules-3.0-64",
            ]
            add("GTK's input methods", programs, &builds) {
                CacheBuild(name: $0, program: $1, arguments: methods, output: "cache") { _ in cache }
            }
        }
        let types: TreePath = "usr/share/mime"
        if tree[types.appending("packages".utf8)] != nil, tree[types.appending("mime.cache".utf8)] == nil {
            add("types of files", ["usr/bin/update-mime-database"], &builds) {
                CacheBuild(name: $0, program: $1, arguments: ["/out"], input: types) {
                    types.appending(path: $0)
                }
            }
        }
        builds += pythonBuilds() + converterBuilds() + localeBuilds() + appletBuilds()
        return builds
    }

    /// Where distributions have GLib's tools.
    private static func glib(_ name: String) -> [String] {
        ["usr/lib/*/glib-2.0/\(name)", "usr/lib/glib-2.0/\(name)", "usr/libexec/glib-2.0/\(name)"]
    }

    /// Bytes with their lines sorted, comments first.
    private static func sorted(_ bytes: Bytes) -> Bytes {
        let lines = bytes.split(separator: 0x0a).map { Bytes($0) }
        let isComment = { (line: Bytes) in line.first == UInt8(ascii: "#") }
        let rest = lines.filter { !isComment($0) }.sorted { $0.lexicographicallyPrecedes($1) }
        return Bytes((lines.filter(isComment) + rest).map { $0 + [0x0a] }.joined())
    }

    /// Adds a build by the first of some programs that there is.
    private mutating func add(
        _ name: String, _ programs: [String], _ builds: inout [CacheBuild],
        _ build: (String, TreePath) -> CacheBuild
    ) {
        guard let program = firstFound(programs) else {
            return missing(name, "no package has '\(programs[0].split(separator: "/").last ?? "")'")
        }
        builds.append(build(name, program))
    }

    private func firstFound(_ patterns: [String]) -> TreePath? {
        patterns.lazy.compactMap { find($0).first }.first
    }

    /// Paths of the tree that fit a pattern with `*` in its components, sorted; links count as what they lead to.
    func find(_ pattern: String) -> [TreePath] {
        var found: [TreePath] = [.root]
        for component in pattern.split(separator: "/") {
            found = found.flatMap { directory -> [TreePath] in
                guard let star = component.firstIndex(of: "*") else {
                    return [directory.appending(component.utf8)].filter { tree[$0] != nil }
                }
                let (head, tail) = (component[..<star].utf8, component[component.index(after: star)...].utf8)
                return tree.names(in: directory).filter {
                    $0.count >= head.count + tail.count && $0.starts(with: head)
                        && $0.suffix(tail.count).elementsEqual(tail)
                }.map { directory.appending($0) }
            }
        }
        // "usr/lib64" may be a link to "usr/lib".
        return found.filter { tree.resolve($0.bytes) == $0 || isFileBehind($0) }
    }

    private func isFileBehind(_ path: TreePath) -> Bool {
        guard let place = tree.resolve(path.bytes), case .file = tree[place]?.kind else { return false }
        return path.parent.map { tree.resolve($0.bytes) == $0 } ?? false
    }

    private func libraries(in directory: TreePath) -> [String] {
        tree.names(in: directory).filter { $0.suffix(3).elementsEqual(".so".utf8) }.compactMap {
            String(validating: directory.appending($0).bytes, as: UTF8.self).map { "/" + $0 }
        }
    }

    /// Python's modules, compiled: valid without a look at the source, whose time is not kept.
    private func pythonBuilds() -> [CacheBuild] {
        find("usr/bin/python3.*").compactMap { program in
            let version = String(decoding: program.name.dropFirst("python".utf8.count), as: UTF8.self)
            guard version.dropFirst(2).allSatisfy(\.isNumber), case .file = tree[program]?.kind else {
                return nil
            }
            let own = find("usr/lib*/python\(version)")
            // Other distributions compile them when they build the package.
            guard !own.contains(where: { !tree.names(in: $0.appending("__pycache__".utf8)).isEmpty }) else {
                return nil
            }
            let directories = own + find("usr/lib/python3/dist-packages")
            guard !own.isEmpty else { return nil }
            return CacheBuild(
                name: "Python's modules", program: program,
                arguments: [
                    "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-x",
                    "lib2to3/tests|/test/|/tests/data|/bad",
                ] + directories.map { "/\($0)" },
                environment: ["PYTHONPYCACHEPREFIX=/out"],
                place: { path in
                    guard let directory = path.parent else { return nil }
                    return directory.appending("__pycache__".utf8).appending(path.name)
                })
        }
    }

    /// Character sets of glibc.
    private func converterBuilds() -> [CacheBuild] {
        (find("usr/lib*/gconv") + find("usr/lib/*/gconv")).compactMap { directory in
            let cache = directory.appending("gconv-modules.cache".utf8)
            guard tree[cache] == nil, tree[directory.appending("gconv-modules".utf8)] != nil,
                let program = ["usr/sbin/iconvconfig*", "usr/bin/iconvconfig*"].lazy.compactMap({
                    find($0).first
                })
                .first
            else { return nil }
            return CacheBuild(
                name: "character sets", program: program,
                arguments: ["-o", "/out/cache", "--nostdlib", "/\(directory)"]
            ) { _ in cache }
        }
    }

    /// Locales that were asked for.
    private mutating func localeBuilds() -> [CacheBuild] {
        options.locales.sorted().compactMap { locale in
            guard let program = find("usr/bin/localedef").first, tree["usr/share/i18n/locales"] != nil else {
                missing(
                    "the locale \(locale)",
                    "no package has 'localedef' and its sources (Debian's are in 'locales')")
                return nil
            }
            let (name, charset) = locale.split(at: ".")
            let input = name.split(separator: "@").first.map(String.init) ?? name
            let directory: TreePath = "usr/lib/locale"
            return CacheBuild(
                name: "the locale \(locale)", program: program,
                arguments: [
                    "--no-archive", "-i", locale.contains("@") ? name : input, "-f", charset ?? "UTF-8",
                    "/out/\(locale)",
                ],
                place: { directory.appending(path: $0) })
        }
    }

    /// Names of busybox, where nothing else has them.
    private func appletBuilds() -> [CacheBuild] {
        guard packages.first?.facts.format == .apk, let program = find("usr/bin/busybox").first else {
            return []
        }
        return [
            CacheBuild(
                name: "names of busybox", program: program, arguments: ["--list-full"], output: "names",
                place: { $0 })
        ]
    }

    // MARK: Making

    /// Lets the program make a cache; a failure is noted, and leaves the cache out.
    mutating func make(_ build: CacheBuild, in root: ClosureRoot) throws {
        let written: Descriptor
        do {
            written = try root.run(
                build.program, build.arguments, input: build.input, output: build.output,
                environment: build.environment)
        } catch let error as ShutInError {
            let reason = error.description.split(separator: "\n").prefix(3).joined(separator: " / ")
            missing(build.name, "\(build.program): \(reason)")
            return note("without \(build.name): \(build.program): \(reason)")
        }
        if build.name == "names of busybox" { return try linkApplets(written, to: build.program) }
        var count = 0
        var pending: [TreePath] = [.root]
        while let directory = pending.popLast() {
            let place =
                directory.bytes.isEmpty
                ? written : try written.open(beneath: directory.bytes, flags: O_RDONLY | O_DIRECTORY)
            for entry in try place.list().sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
                let path = try TreePath(parsing: directory.appending(entry.name).bytes)
                guard let status = try place.status(of: entry.name) else { continue }
                switch status.st_mode & S_IFMT {
                case S_IFDIR: pending.append(path)
                case S_IFREG:
                    // What a package brings is what the package means.
                    guard let target = build.place(path), tree[target] == nil else { continue }
                    try write(build.edit(place.open(beneath: entry.name).readAll()), to: target)
                    count += 1
                case S_IFLNK:
                    guard let target = build.place(path), tree[target] == nil,
                        let text = try place.readSymlink(entry.text), text.first != UInt8(ascii: "/")
                    else { continue }
                    try link(target, to: text)
                    count += 1
                default: break
                }
            }
        }
        if count == 0 { missing(build.name, "\(build.program) wrote nothing") }
        made(build.name, count)
    }

    private mutating func linkApplets(_ written: Descriptor, to program: TreePath) throws {
        var count = 0
        for line in try written.open(beneath: "names").readAll().split(separator: 0x0a) {
            guard let place = place(Bytes(line)), tree[place] == nil,
                place.parent.flatMap({ tree[$0] }) != nil
            else { continue }
            try link(place, to: [UInt8(ascii: "/")] + program.bytes)
            count += 1
        }
        made("names of busybox", count)
    }
}

extension String {
    /// What is before and after the first occurrence of a character.
    fileprivate func split(at character: Character) -> (String, String?) {
        guard let index = firstIndex(of: character) else { return (self, nil) }
        return (String(self[..<index]), String(self[self.index(after: index)...]))
    }
}
