public import Files

/// A store path: `/usr/store/<hash>-<name>-<version>`.
///
/// The hash is the first 160 bits of the SHA-256 of ``Identity/text``, in Nix's base32 alphabet.
public struct StorePath: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Bits of the digest that the path shows.
    public static let hashBits = 160

    /// Characters of the hash part.
    public static let hashLength = 32

    /// What the hash names: everything that went into the path.
    public struct Identity: Hashable, Sendable {
        /// SHA-256 of the canonical listing of the tree before relocation.
        public let tree: Digest
        /// The package's name.
        public let name: PackageName
        /// The package's version.
        public let version: PackageVersion
        /// The architecture its programs are for.
        public let architecture: Architecture
        /// The version of the relocation recipe.
        public let recipe: Int
        /// SHA-256 of the texts of the user's hints that were applied, sorted.
        public let hints: [Digest]
        /// 0, or the number of times that aliases were named anew because another store path on the host had
        /// taken one.
        public let aliasSalt: Int

        /// Creates an identity.
        public init(
            tree: Digest, name: PackageName, version: PackageVersion, architecture: Architecture,
            recipe: Int = StoreLayout.recipeVersion, hints: [Digest] = [], aliasSalt: Int = 0
        ) {
            self.tree = tree
            self.name = name
            self.version = version
            self.architecture = architecture
            self.recipe = recipe
            self.hints = hints.sorted()
            self.aliasSalt = aliasSalt
        }

        /// The text that is hashed: labelled lines, each ended by a newline.
        public var text: String {
            // Put together as such: verification does it for each store path.
            var text = "sxs-store-path 1\ntree " + tree.description + "\nname " + name.text
            text += "\nversion " + version.text + "\narchitecture " + architecture.rawValue
            text += "\nrecipe " + String(recipe) + "\n"
            for hint in hints { text += "hint " + hint.description + "\n" }
            if aliasSalt != 0 { text += "alias-salt " + String(aliasSalt) + "\n" }
            return text
        }
    }

    /// `<hash>-<name>-<version>`.
    public let baseName: String

    /// The package's name.
    public let name: PackageName

    /// The package's version.
    public let version: PackageVersion

    /// Computes the path of an identity.
    public init(_ identity: Identity) {
        let digest = Digest(hashing: identity.text.utf8)
        let hash = Base32.encode(digest.bytes.prefix(Self.hashBits / 8))
        baseName = hash + "-" + identity.name.text + "-" + identity.version.text
        name = identity.name
        version = identity.version
    }

    /// Reads a base name with the name and version it is known to have; `nil` if they do not agree.
    public init?(baseName: String, name: PackageName, version: PackageVersion) {
        let hash = baseName.prefix(Self.hashLength)
        guard hash.utf8.count == Self.hashLength, Base32.isEncoded(hash),
            baseName == "\(hash)-\(name)-\(version)"
        else { return nil }
        self.baseName = baseName
        self.name = name
        self.version = version
    }

    /// Whether a text is a hash, a hyphen and more, as every base name is; its name and version are not told apart.
    public static func isBaseName(_ text: String) -> Bool {
        let hash = text.prefix(hashLength)
        return hash.utf8.count == hashLength && Base32.isEncoded(hash)
            && text.utf8.count > hashLength + 1 && text.utf8.dropFirst(hashLength).first == UInt8(ascii: "-")
    }

    /// The hash part: 32 characters.
    public var hash: String { String(baseName.prefix(Self.hashLength)) }

    /// The absolute path, the same on every host.
    public var path: String { StoreLayout.storeDirectory + "/" + baseName }

    /// The absolute path of something in the tree.
    public func path(of inner: TreePath) -> Bytes {
        inner.bytes.isEmpty ? Array(path.utf8) : Array(path.utf8) + [UInt8(ascii: "/")] + inner.bytes
    }

    /// The text for people.
    public var description: String { path }

    /// By name, then by version, both as text.
    public static func < (left: StorePath, right: StorePath) -> Bool {
        (left.name.text, left.version.text, left.baseName)
            < (right.name.text, right.version.text, right.baseName)
    }
}

/// Nix's base32: digits and letters without e, o, u and t, the last bits first.
///
/// Source: `printHash32` in Nix.
public enum Base32 {
    private static let alphabet = Array("0123456789abcdfghijklmnpqrsvwxyz".utf8)

    /// Encodes bytes, five bits a character.
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        let bytes = Array(bytes)
        let length = (bytes.count * 8 + 4) / 5
        var text: Bytes = []
        for position in (0..<length).reversed() {
            let bit = position * 5
            let low = UInt16(bytes[bit / 8]) >> UInt16(bit % 8)
            let high = bit / 8 + 1 < bytes.count ? UInt16(bytes[bit / 8 + 1]) << UInt16(8 - bit % 8) : 0
            text.append(alphabet[Int((low | high) & 31)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether all characters are of the alphabet.
    public static func isEncoded(_ text: some StringProtocol) -> Bool {
        text.utf8.allSatisfy(alphabet.contains)
    }
}
