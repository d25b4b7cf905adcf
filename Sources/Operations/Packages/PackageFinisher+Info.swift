internal import Files
internal import Images
internal import Store

/// What install-info does: the directory of manuals that Info shows first.
extension PackageFinisher {
    private static let manuals: TreePath = "usr/share/info"
    /// Bytes of a manual that are looked at: entries stand before the first node.
    private static let headSize = 64 << 10

    /// Writes `usr/share/info/dir`, with the entries of all manuals by their sections.
    ///
    /// Source: Texinfo manual 6.8, "Installing Info Directory Files".
    mutating func writeInfoDirectory() throws {
        let directory = Self.manuals.appending("dir".utf8)
        guard tree[Self.manuals]?.kind == .directory, tree[directory] == nil else { return }
        var sections: [String: Set<String>] = [:]
        for name in tree.names(in: Self.manuals) {
            guard let text = try manual(Self.manuals.appending(name)) else { continue }
            for (section, entry) in Self.entries(text) { sections[section, default: []].insert(entry) }
        }
        guard !sections.isEmpty else { return }
        var text = """
            This is the file .../info/dir, which contains the
            topmost node of the Info hierarchy, called (dir)Top.
            \u{1f}
            File: dir,\tNode: Top,\tThis is the top of the INFO tree

            * Menu:

            """
        for (section, entries) in sections.sorted(by: { $0.key < $1.key }) {
            text += "\n\(section)\n" + entries.sorted().joined(separator: "\n") + "\n"
        }
        try write(Array(text.utf8), to: directory)
        made("manuals", sections.values.reduce(0) { $0 + $1.count })
    }

    /// The beginning of a manual; `nil` for another file.
    private func manual(_ path: TreePath) throws -> String? {
        let name = path.name
        let isCompressed = name.suffix(3).elementsEqual(".gz".utf8)
        let plain = isCompressed ? name.dropLast(3) : name[...]
        guard plain.suffix(5).elementsEqual(".info".utf8), case .file(let id) = tree[path]?.kind else {
            return nil
        }
        let file = try area.staging.open(id)
        var bytes = Bytes(repeating: 0, count: Self.headSize)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
        bytes.removeLast(bytes.count - count)
        if isCompressed {
            guard let inflater = Inflater(.gzip) else { return nil }
            var output = Bytes(repeating: 0, count: Self.headSize)
            let length = bytes.withUnsafeBytes { input in
                inflater.input = input
                return output.withUnsafeMutableBytes { inflater.inflate(into: $0).count }
            }
            bytes = Bytes(output.prefix(length))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Entries of a manual, with the section that each belongs to.
    private static func entries(_ text: String) -> [(section: String, entry: String)] {
        var sections: [String] = []
        var found: [(String, String)] = []
        var entry: [Substring]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("INFO-DIR-SECTION ") {
                // Several before one block belong to it all.
                if entry == nil, found.isEmpty || sections.isEmpty { sections = [] }
                sections.append(String(line.dropFirst("INFO-DIR-SECTION ".count)))
            } else if line.hasPrefix("START-INFO-DIR-ENTRY") {
                entry = []
            } else if line.hasPrefix("END-INFO-DIR-ENTRY"), let lines = entry {
                var whole = ""
                for line in lines where !line.isEmpty {
                    if line.hasPrefix("*"), !whole.isEmpty {
                        found += (sections.isEmpty ? ["Miscellaneous"] : sections).map { ($0, whole) }
                        whole = ""
                    }
                    whole += (whole.isEmpty ? "" : "\n") + line
                }
                if !whole.isEmpty {
                    found += (sections.isEmpty ? ["Miscellaneous"] : sections).map { ($0, whole) }
                }
                entry = nil
                sections = []
            } else {
                entry?.append(line)
            }
        }
        return found
    }
}
