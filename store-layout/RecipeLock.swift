private import Files

/// The digests of a recipe's packages: a file beside it, so that every machine builds the same bytes.
public struct RecipeLock: Sendable, Equatable {
    /// A package that a recipe's names came to.
    public struct Member: Sendable, Equatable {
        /// SHA-256 of its file, in hexadecimal.
        public var digest: String
        /// Its name.
        public var name: String
        /// Its whole version.
        public var version: String
        /// Its architecture, in the distribution's spelling.
        public var architecture: String
        /// Where its file is: a URL or an absolute path.
        public var location: String

        /// Describes a package.
        public init(digest: String, name: String, version: String, architecture: String, location: String) {
            self.digest = digest
            self.name = name
            self.version = version
            self.architecture = architecture
            self.location = location
        }

        /// What people call it.
        public var title: String { "\(name) \(version) \(architecture)" }
    }

    /// What its file's name ends in, after the recipe's.
    public static let suffix = ".lock"
    private static let heading = "sxs-lock 1"

    /// SHA-256 in hexadecimal by package, as the recipe has it.
    public var digests: [String: String]
    /// What the members were chosen for, as ``question(of:)`` says it; `nil` where there are no names.
    public var question: String?
    /// All packages that the recipe's names came to.
    public var members: [Member]

    /// Creates a lock.
    public init(_ digests: [String: String] = [:], question: String? = nil, members: [Member] = []) {
        self.digests = digests
        self.question = question
        self.members = members
    }

    /// All of a recipe that its choice of packages follows from, on one line; `nil` where it names none.
    public static func question(of recipe: Recipe) -> String? {
        guard !recipe.names.isEmpty else { return nil }
        var words = recipe.names
        if recipe.hasRecommended { words.append("recommends") }
        words += recipe.remotes.map { remote in
            switch remote {
            case .named(let name): "remote:" + name
            case .described(let text): "remote:" + Digest(hashing: text.utf8).hex.prefix(16)
            }
        }
        return words.joined(separator: " ")
    }

    /// Reads a lock's text.
    ///
    /// - Throws: ``RecipeError`` for the first line that is wrong.
    public init(parsing text: String, file: String) throws(RecipeError) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let remedy = "make it anew with 'sxs update-lock'"
        (digests, members) = ([:], [])
        guard lines.first == Self.heading[...] else {
            throw .line(1, file: file, problem: "is not '\(Self.heading)'", remedy: remedy)
        }
        for (index, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            let words = line.split(separator: " ").map(String.init)
            let digest = words.count > 1 ? Digest(hex: words[1])?.hex : nil
            if words[0] == "package", words.count >= 3, let digest {
                digests[line.split(separator: " ", maxSplits: 2).last.map(String.init) ?? ""] = digest
            } else if words[0] == "names", words.count >= 2, question == nil {
                question = words.dropFirst().joined(separator: " ")
            } else if words[0] == "member", words.count >= 6, let digest {
                // A path may have spaces.
                let location = line.split(separator: " ", maxSplits: 5).last.map(String.init) ?? ""
                members.append(
                    Member(
                        digest: digest, name: words[2], version: words[3], architecture: words[4],
                        location: location))
            } else {
                throw .line(
                    index + 1, file: file,
                    problem: """
                        is none of 'package DIGEST LOCATION', 'names NAME…' and 'member DIGEST NAME VERSION ARCHITECTURE LOCATION'
                        """, remedy: remedy)
            }
        }
    }

    /// Its text, sorted.
    public var text: String {
        var lines = [Self.heading]
        lines += digests.sorted { $0.key < $1.key }.map { "package \($0.value) \($0.key)" }
        if let question { lines.append("names " + question) }
        lines += members.sorted {
            ($0.name, $0.architecture, $0.digest) < ($1.name, $1.architecture, $1.digest)
        }.map { "member \($0.digest) \($0.name) \($0.version) \($0.architecture) \($0.location)" }
        return lines.joined(separator: "\n") + "\n"
    }
}
