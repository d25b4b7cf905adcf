internal import Files

/// How well a package fits what somebody looks for; the lowest is best.
enum SearchRank: Int, Comparable {
    case name, beginsName, wordOfName, inName, command, wordOfSummary, inSummary

    static func < (left: SearchRank, right: SearchRank) -> Bool { left.rawValue < right.rawValue }

    /// Ranks a package by the worst of all words, each of which has to be found; `nil` where one is not.
    ///
    /// - Parameter words: In lower case.
    init?(of words: [String], name: String, summary: String?, commands: [String]) {
        let (words, name, summary) = (
            words.map { Bytes($0.utf8) }, Bytes(name.lowercased().utf8),
            Bytes((summary ?? "").lowercased().utf8)
        )
        let rank = name.withUnsafeBytes { name in
            summary.withUnsafeBytes { summary in
                SearchRank(
                    of: words, name: name, summary: summary,
                    commands: commands.map { Bytes($0.lowercased().utf8) })
            }
        }
        guard let rank else { return nil }
        self = rank
    }

    /// The same of texts that are in lower case already.
    init?(
        of words: [Bytes], name: UnsafeRawBufferPointer, summary: UnsafeRawBufferPointer,
        commands: [Bytes] = []
    ) {
        var worst = SearchRank.name
        for word in words {
            let rank: SearchRank
            switch Self.place(of: word, in: name) {
            case .all: rank = .name
            case .beginning: rank = .beginsName
            case .word: rank = .wordOfName
            case .inside: rank = .inName
            case nil where commands.contains(word): rank = .command
            case nil:
                switch Self.place(of: word, in: summary) {
                case .all, .word: rank = .wordOfSummary
                case .beginning(let isWord): rank = isWord ? .wordOfSummary : .inSummary
                case .inside: rank = .inSummary
                case nil: return nil
                }
            }
            worst = max(worst, rank)
        }
        self = worst
    }

    private enum Place { case all, beginning(isWord: Bool), word, inside }

    /// The best place of a word in a text; `nil` where it is not there.
    private static func place(of word: Bytes, in text: UnsafeRawBufferPointer) -> Place? {
        if text.count == word.count, text.elementsEqual(word) { return .all }
        var place: Place?
        var (start, isFirst) = (0, false)
        while start < text.count,
            let found = UnsafeRawBufferPointer(rebasing: text[start...]).firstOffset(of: word)
        {
            let (begin, end) = (start + found, start + found + word.count)
            let isWord =
                (begin == 0 || !isOfWord(text[begin - 1])) && (end == text.count || !isOfWord(text[end]))
            if begin == 0 { isFirst = true }
            if isWord {
                place = .word
                break
            }
            place = .inside
            start = begin + 1
        }
        guard isFirst, let place else { return place }
        if case .word = place { return .beginning(isWord: true) }
        return .beginning(isWord: false)
    }

    /// Whether a byte is of a letter or a digit; all of those beyond ASCII count as such.
    private static func isOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), 0x80...:
            true
        default: false
        }
    }
}
