internal import Images

/// The order in which scripts of packages are run: what a package needs comes before it.
enum ScriptOrder {
    /// Sorts packages; where they need each other in a circle, the one that comes first stays first.
    static func sorted(_ packages: [PackageFile]) -> [PackageFile] {
        var providers: [String: [Int]] = [:]
        for (index, package) in packages.enumerated() {
            for name in package.facts.provides.union([package.facts.name]) {
                providers[name, default: []].append(index)
            }
        }
        var result: [PackageFile] = []
        var seen: Set<Int> = []
        // No recursion: a chain of packages may be as long as somebody likes.
        for start in packages.indices where !seen.contains(start) {
            seen.insert(start)
            var waiting = [(index: start, needs: needs(of: packages[start], providers)[...])]
            while let last = waiting.indices.last {
                if let next = waiting[last].needs.popFirst() {
                    guard seen.insert(next).inserted else { continue }
                    waiting.append((next, needs(of: packages[next], providers)[...]))
                } else {
                    result.append(packages[waiting.removeLast().index])
                }
            }
        }
        return result
    }

    private static func needs(of package: PackageFile, _ providers: [String: [Int]]) -> [Int] {
        package.facts.requires.flatMap { names in
            names.sorted().flatMap { providers[$0] ?? [] }
        }
    }
}
