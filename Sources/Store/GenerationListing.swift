internal import Files
internal import Glibc
internal import StoreLayout

/// The file `packages` of a generation: its packages, and what is shown of each.
///
/// Lines rather than JSON: every verb reads it, and a hundred packages must cost next to nothing. A line is a word, a
/// space, and fields between tabs; no name or path that a generation shows has a tab or a line's end in it.
enum GenerationListing {
    private static let heading = "sxs-packages 1"
    private static let newline = UInt8(ascii: "\n")
    private static let tab = UInt8(ascii: "\t")
    private static let space = UInt8(ascii: " ")

    /// The words that lines begin with.
    private enum Word {
        /// A package, by its store path's base name; the lines up to the next belong to it.
        static let package: StaticString = "package"
        /// The same for one that wins over others.
        static let preferred: StaticString = "preferred"
        /// A command that a launcher starts: its name and program.
        static let launch: StaticString = "launch"
        /// A command that is a plain link: its name and program.
        static let link: StaticString = "link"
        /// A path in `share`.
        static let data: StaticString = "data"
        /// An extension that is merged over `/usr`: its name, version and location; before all packages.
        static let `extension`: StaticString = "extension"
        /// What the host's own tools are to see.
        static let system: StaticString = "system"
    }

    /// The text of the file.
    static func text(_ packages: [GenerationPackage], extensions: [GenerationExtension] = []) -> Bytes {
        var text: Bytes = []
        text.reserveCapacity(packages.count * 256)
        func append(_ word: StaticString, _ first: String, _ second: String? = nil) {
            word.withUTF8Buffer { text.append(contentsOf: $0) }
            text.append(space)
            text.append(contentsOf: first.utf8)
            if let second {
                text.append(tab)
                text.append(contentsOf: second.utf8)
            }
            text.append(newline)
        }
        text.append(contentsOf: heading.utf8)
        text.append(newline)
        for found in extensions {
            append(Word.extension, found.fileName, found.version + "\t" + found.location)
        }
        for package in packages {
            append(package.isPreferred ? Word.preferred : Word.package, package.baseName)
            for command in package.exposure.commands {
                append(command.needsLauncher ? Word.launch : Word.link, command.name, command.path)
            }
            for path in package.exposure.data { append(Word.data, path) }
            for path in package.exposure.system { append(Word.system, path) }
        }
        return text
    }

    /// Reads the file of a generation's directory.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)``, `SystemError`.
    static func read(in directory: Descriptor) throws -> [GenerationPackage] {
        try contents(in: directory).packages()
    }

    /// Opens the file of a generation's directory, of which only what is asked for is read then.
    ///
    /// - Throws: As ``read(in:)``.
    static func contents(in directory: Descriptor) throws -> GenerationContents {
        let name = StoreLayout.Name.generationPackages
        let path = directory.path(of: name)
        guard let contents = GenerationContents(try directory.open(beneath: name).readAll(), path: path)
        else {
            throw damaged(path)
        }
        return contents
    }

    /// The error for a file that is not what ``text(_:extensions:)`` wrote.
    static func damaged(_ path: String) -> StoreError {
        .damagedDescription(path: path, reason: "it is not what a generation writes")
    }

    /// Reads what ``text(_:extensions:)`` wrote; `nil` for anything else.
    static func parse(
        _ text: Bytes
    ) -> (packages: [GenerationPackage], extensions: [GenerationExtension])? {
        text.withUnsafeBytes { text in
            guard let start = start(of: text) else { return nil }
            return parse(lines: UnsafeRawBufferPointer(rebasing: text[start...]))
        }
    }

    /// Where the lines after the heading begin; `nil` where there is none, or not every line is ended: a file that was
    /// cut off is not taken for a whole one.
    static func start(of text: UnsafeRawBufferPointer) -> Int? {
        let count = heading.utf8.count
        guard text.last == newline, text.count > count, text.prefix(count).elementsEqual(heading.utf8),
            text[count] == newline
        else { return nil }
        return count + 1
    }

    /// Whether a package begins at a place where a line does.
    static func isPackage(_ text: UnsafeRawBufferPointer, at place: Int) -> Bool {
        text.hasWord(Word.package, at: place) || text.hasWord(Word.preferred, at: place)
    }

    /// The base name of the package that a line begins; `nil` for other lines.
    static func package(_ line: UnsafeRawBufferPointer) -> String? {
        guard isPackage(line, at: 0), let space = line.firstIndex(of: space) else { return nil }
        return String(decoding: line[(space + 1)...], as: UTF8.self)
    }

    /// Whether a line says what the host's own tools are to see.
    static func isSystem(_ line: UnsafeRawBufferPointer) -> Bool { line.hasWord(Word.system, at: 0) }

    /// The command that a line shows; `nil` for other lines.
    static func command(_ line: UnsafeRawBufferPointer) -> String? {
        guard line.hasWord(Word.launch, at: 0) || line.hasWord(Word.link, at: 0),
            let space = line.firstIndex(of: space), let tab = line.firstIndex(of: tab), space < tab
        else { return nil }
        return String(decoding: line[(space + 1)..<tab], as: UTF8.self)
    }

    /// Reads lines that follow the heading, or the lines of some of the packages; `nil` for what nobody wrote.
    static func parse(
        lines text: UnsafeRawBufferPointer
    ) -> (packages: [GenerationPackage], extensions: [GenerationExtension])? {
        var packages: [GenerationPackage] = []
        var extensions: [GenerationExtension] = []
        var isWhole = true
        text.forEachLine { line in
            isWhole = add(line, to: &packages, &extensions)
            return isWhole
        }
        return isWhole ? (packages, extensions) : nil
    }

    /// Reads one line, which belongs to the last package unless it begins another; false for what nobody wrote.
    private static func add(
        _ line: UnsafeRawBufferPointer, to packages: inout [GenerationPackage],
        _ extensions: inout [GenerationExtension]
    ) -> Bool {
        guard let space = line.firstIndex(of: space) else { return false }
        let text = { (bytes: Slice<UnsafeRawBufferPointer>) in String(decoding: bytes, as: UTF8.self) }
        let rest = line[(space + 1)...]
        let begins = { (word: StaticString) in line.hasWord(word, at: 0) }
        let tab = rest.firstIndex(of: tab)
        if begins(Word.extension) {
            guard let tab, let second = rest[(tab + 1)...].firstIndex(of: Self.tab), packages.isEmpty,
                !rest[(second + 1)...].contains(Self.tab)
            else { return false }
            extensions.append(
                GenerationExtension(
                    fileName: text(rest[..<tab]), version: text(rest[(tab + 1)..<second]),
                    location: text(rest[(second + 1)...])))
            return true
        }
        if begins(Word.package) || begins(Word.preferred) {
            guard tab == nil else { return false }
            packages.append(
                GenerationPackage(
                    baseName: text(rest), exposure: Exposure(), isPreferred: begins(Word.preferred)))
            return true
        }
        let last = packages.endIndex - 1
        guard last >= 0 else { return false }
        if begins(Word.launch) || begins(Word.link) {
            guard let tab, !rest[(tab + 1)...].contains(Self.tab) else { return false }
            packages[last].exposure.commands.append(
                Exposure.Command(
                    name: text(rest[..<tab]), path: text(rest[(tab + 1)...]),
                    needsLauncher: begins(Word.launch)))
            return true
        }
        guard tab == nil else { return false }
        if begins(Word.data) {
            packages[last].exposure.data.append(text(rest))
        } else if begins(Word.system) {
            packages[last].exposure.system.append(text(rest))
        } else {
            return false
        }
        return true
    }
}

extension UnsafeRawBufferPointer {
    /// Whether a line that begins at a place begins with a word and a space.
    fileprivate func hasWord(_ word: StaticString, at place: Int) -> Bool {
        let length = word.utf8CodeUnitCount
        guard count - place > length, self[place + length] == UInt8(ascii: " "), let base = baseAddress else {
            return false
        }
        return memcmp(base + place, word.utf8Start, length) == 0
    }

    /// Looks at every line, without its end, until `body` has seen enough.
    func forEachLine(_ body: (UnsafeRawBufferPointer) -> Bool) {
        guard let base = baseAddress else { return }
        var start = 0
        while start < count {
            let end = memchr(base + start, 0x0a, count - start).map {
                base.distance(to: UnsafeRawPointer($0))
            }
            guard body(UnsafeRawBufferPointer(rebasing: self[start..<(end ?? count)])) else { return }
            start = (end ?? count) + 1
        }
    }
}
