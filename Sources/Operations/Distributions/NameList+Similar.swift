internal import Files

extension NameList {
    /// Changes of a letter that make a name another one that is still like it; in a short name half as many.
    private static let mostChanges = 2
    /// Letters of a short name.
    private static let short = 4
    /// Names that are told.
    private static let mostSimilar = 5

    /// Names that somebody may have meant who wrote another: those that differ by a letter or two, or begin with it, the most
    /// similar first.
    func names(like text: String) -> [String] {
        let wanted = Bytes(text.lowercased().utf8)
        guard wanted.count > Self.mostChanges else { return [] }
        let allowed = wanted.count > Self.short ? Self.mostChanges : Self.mostChanges / 2
        var found: [(changes: Int, name: String)] = []
        var (folded, row): (Bytes, [Int]) = ([], [])
        forEachName { name in
            let length = name.count - wanted.count
            guard length >= -allowed else { return }
            folded.removeAll(keepingCapacity: true)
            for letter in name { folded.append((0x41...0x5a).contains(letter) ? letter | 0x20 : letter) }
            let changes: Int
            if length > 0, folded.starts(with: wanted) {
                changes = Self.mostChanges + length
            } else {
                guard length <= allowed else { return }
                changes = Self.changes(from: wanted, to: folded, &row)
                guard changes <= allowed else { return }
            }
            found.append((changes, String(decoding: name, as: UTF8.self)))
        }
        return found.sorted { ($0.changes, $0.name) < ($1.changes, $1.name) }.prefix(Self.mostSimilar).map(
            \.name)
    }

    /// How many letters have to be put in, taken out or replaced.
    ///
    /// - Parameter row: Room for the computation, used again for each name.
    /// - Complexity: O(*n* · *m*) for the lengths.
    private static func changes(from first: Bytes, to second: Bytes, _ row: inout [Int]) -> Int {
        row.removeAll(keepingCapacity: true)
        row.append(contentsOf: 0...second.count)
        for index in first.indices {
            var (diagonal, least) = (row[0], index + 1)
            row[0] = index + 1
            for column in second.indices {
                let replaced = diagonal + (first[index] == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, min(row[column], diagonal) + 1)
                least = min(least, row[column + 1])
            }
            // It only grows.
            if least > mostChanges { return least }
        }
        return row[second.count]
    }
}
