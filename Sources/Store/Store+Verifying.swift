public import Files
internal import Glibc
internal import StoreLayout

/// Something in a store path that is not as it was registered.
public struct Problem: Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Kind: String, Sendable, CaseIterable {
        /// The listing or metadata are not those that were registered.
        case manifest = "the manifest was changed"
        /// It is not there.
        case missing = "missing"
        /// It is there, and should not be.
        case extra = "not part of the package"
        /// It is a file, link or directory, and should be another of these.
        case type = "of another type"
        /// Its permission bits.
        case mode = "other permissions"
        /// Its contents.
        case content = "other contents"
        /// Where it leads.
        case target = "leads elsewhere"
        /// Its extended attributes.
        case attributes = "other extended attributes"
        /// An alias that is missing or leads elsewhere.
        case alias = "the alias is missing or leads elsewhere"
        /// It cannot be read.
        case unreadable = "cannot be read"
        /// Another user may not read it: no damage, but not compared.
        case shut = "may be read by its owner only"
    }

    /// The path it concerns, in the tree; of an alias its name.
    public let path: String
    /// What is wrong.
    public let kind: Kind

    /// Describes a problem.
    public init(path: String, kind: Kind) {
        self.path = path
        self.kind = kind
    }

    /// What is wrong, for people.
    public var description: String { "\(path): \(kind.rawValue)" }
}

extension Store {
    /// Reads all of a registered store path and compares it with its listing.
    ///
    /// - Returns: What is wrong, by path; nothing if all is well.
    public func verify(_ package: Package, progress: any Progress = NoProgress()) throws -> [Problem] {
        let manifest = try manifest(of: package.baseName)
        guard try manifest.status(of: StoreLayout.Name.listing) != nil else {
            return [Problem(path: StoreLayout.Name.listing, kind: .missing)]
        }
        let listing = try manifest.open(beneath: StoreLayout.Name.listing).readAll(limit: .max)
        guard Digest(hashing: listing).hex == package.listingDigest else {
            return [Problem(path: StoreLayout.Name.listing, kind: .manifest)]
        }
        var problems: [Problem] = []
        if let metadata = try? metadata(of: package.baseName), metadata.storePath == package.baseName,
            metadata.listingDigest == package.listingDigest,
            metadata.identity.map({ StorePath($0).baseName }) == package.baseName
        {
            problems += try verifyAliases(metadata)
        } else {
            problems.append(Problem(path: StoreLayout.Name.metadata, kind: .manifest))
        }
        if let place = try reference(package.baseName), try !isTreeThere(package.baseName) {
            return problems + [Problem(path: place, kind: .missing)]
        }
        let name = StoreLayout.Name.store + "/" + package.baseName
        guard let status = try root.status(of: name), [S_IFDIR, S_IFLNK].contains(status.st_mode & S_IFMT)
        else { return problems + [Problem(path: ".", kind: .missing)] }
        progress.begin("verifying \(package.name)", total: package.size)
        defer { progress.end() }
        var verification = TreeVerification(
            top: try openTree(package.baseName), entries: try TreeListing.parse(listing))
        try verification.run(progress)
        return problems + verification.problems
    }

    private func verifyAliases(_ metadata: Metadata) throws -> [Problem] {
        let aliases = try root.directory(beneath: StoreLayout.Name.aliases)
        return metadata.aliases.compactMap { alias in
            // A file in the place of a link cannot be read as one: that is a problem too.
            let target = try? aliases.readSymlink(alias.name)
            let isRight = target == Self.target(of: alias, in: metadata.storePath)
            return isRight ? nil : Problem(path: alias.name, kind: .alias)
        }
    }
}
