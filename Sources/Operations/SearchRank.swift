/// How well a package fits what somebody looks for; the lowest is best.
enum SearchRank: Int, Comparable {
    case name, beginsName, wordOfName, inName, command, wordOfSummary, inSummary

    static func < (left: SearchRank, right: SearchRank) -> Bool { left.rawValue < right.rawValue }

    /// Ranks a package by the worst of all words, each of which has to be found; `nil` where one is not.
    ///
    /// - Parameter words: In lower case.
    init?(of words: [String], name: String, summary: String?, commands: [String]) {
        let name = name.lowercased()
        let summary = summary?.lowercased() ?? ""
        var worst = SearchRank.name
        for word in words {
            let ranks: [(SearchRank, Bool)] = [
                (.name, name == word), (.beginsName, name.hasPrefix(word)),
                (.wordOfName, Self.words(name).contains(word)), (.inName, name.contains(word)),
                (.command, commands.contains { $0.lowercased() == word }),
                (.wordOfSummary, Self.words(summary).contains(word)), (.inSummary, summary.contains(word)),
            ]
            guard let rank = ranks.first(where: \.1)?.0 else { return nil }
            worst = max(worst, rank)
        }
        self = worst
    }

    private static func words(_ text: String) -> [String] {
        text.split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }
}
