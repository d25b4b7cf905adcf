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
        forEachName { name, folded in
            let length = folded.count - wanted.count
            if length > 0, folded.starts(with: wanted) {
                found.append((Self.mostChanges + length, String(decoding: name, as: UTF8.self)))
            } else if abs(length) <= allowed {
                let changes = Self.changes(from: wanted, to: folded)
                if changes <= allowed {
                    found.append((changes, String(decoding: name, as: UTF8.self)))
                }
            }
        }
        return found.sorted { ($0.changes, $0.name) < ($1.changes, $1.name) }.prefix(Self.mostSimilar).map(
            \.name)
    }

    /// How many letters have to be put in, taken out or replaced.
    ///
    /// - Complexity: O(*n* · *m*) for the lengths.
    private static func changes(from first: Bytes, to second: UnsafeRawBufferPointer) -> Int {
        var row = Array(0...second.count)
        for (index, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in second.enumerated() {
                let changed = min(row[column], row[column + 1]) + 1
                (diagonal, row[column + 1]) = (
                    row[column + 1], min(changed, diagonal + (letter == other ? 0 : 1))
                )
            }
            // It only grows.
            if row.allSatisfy({ $0 > mostChanges }) { break }
        }
        return row[second.count]
    }
}
