internal import Files
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
        static let package = "package"
        /// The same for one that wins over others.
        static let preferred = "preferred"
        /// A command that a launcher starts: its name and program.
        static let launch = "launch"
        /// A command that is a plain link: its name and program.
        static let link = "link"
        /// A path in `share`.
        static let data = "data"
        /// An extension that is merged over `/usr`: its name, version and location; before all packages.
        static let `extension` = "extension"
        /// What the host's own tools are to see.
        static let system = "system"
    }

    /// The text of the file.
    static func text(_ packages: [GenerationPackage], extensions: [GenerationExtension] = []) -> Bytes {
        var text: Bytes = []
        text.reserveCapacity(packages.count * 256)
        func append(_ word: String, _ first: String, _ second: String? = nil) {
            text.append(contentsOf: word.utf8)
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
        try readAll(in: directory).packages
    }

    /// Reads the file of a generation's directory, the extensions too.
    ///
    /// - Throws: As ``read(in:)``.
    static func readAll(
        in directory: Descriptor
    ) throws -> (packages: [GenerationPackage], extensions: [GenerationExtension]) {
        let name = StoreLayout.Name.generationPackages
        let text = try directory.open(beneath: name).readAll()
        guard let content = parse(text) else {
            throw StoreError.damagedDescription(
                path: directory.path(of: name), reason: "it is not what a generation writes")
        }
        return content
    }

    /// Reads what ``text(_:)`` wrote; `nil` for anything else.
    static func parse(
        _ text: Bytes
    ) -> (packages: [GenerationPackage], extensions: [GenerationExtension])? {
        // Every line is ended: a file that was cut off is not taken for a whole one.
        guard text.last == newline else { return nil }
        var lines = text.dropLast().split(separator: newline, omittingEmptySubsequences: false)[...]
        guard lines.popFirst()?.elementsEqual(heading.utf8) == true else { return nil }
        var packages: [GenerationPackage] = []
        var extensions: [GenerationExtension] = []
        for line in lines {
            guard let space = line.firstIndex(of: space) else { return nil }
            let word = String(decoding: line[..<space], as: UTF8.self)
            let fields = line[(space + 1)...].split(separator: tab, omittingEmptySubsequences: false).map {
                String(decoding: $0, as: UTF8.self)
            }
            if word == Word.extension {
                guard fields.count == 3, packages.isEmpty else { return nil }
                extensions.append(
                    GenerationExtension(fileName: fields[0], version: fields[1], location: fields[2]))
                continue
            }
            let isNew = word == Word.package || word == Word.preferred
            guard fields.count == (word == Word.launch || word == Word.link ? 2 : 1),
                isNew || !packages.isEmpty
            else { return nil }
            let last = packages.endIndex - 1
            switch word {
            case Word.package, Word.preferred:
                packages.append(
                    GenerationPackage(
                        baseName: fields[0], exposure: Exposure(), isPreferred: word == Word.preferred))
            case Word.launch, Word.link:
                packages[last].exposure.commands.append(
                    Exposure.Command(
                        name: fields[0], path: fields[1], needsLauncher: word == Word.launch))
            case Word.data: packages[last].exposure.data.append(fields[0])
            case Word.system: packages[last].exposure.system.append(fields[0])
            default: return nil
            }
        }
        return (packages, extensions)
    }
}
