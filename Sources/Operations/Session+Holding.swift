internal import Files
internal import Store
internal import StoreLayout

/// A package of a profile that upgrades leave alone.
public struct HeldPackage: Encodable, Sendable {
    /// Its name.
    public let name: String
    /// The version that it stays at, whoever names it; `nil` for one that is only passed over.
    public let version: String?
}

extension Session {
    /// How a package is kept from upgrades.
    enum Holding: Equatable {
        /// An upgrade of all passes over it; one that names it does not.
        case held
        /// It stays at a version.
        case pinned(String)

        var isPinned: Bool { self != .held }
    }

    /// What is kept of the packages that the profile has now.
    func holdings(in store: Store) throws -> [String: Holding] {
        let kept = try holdings()
        guard !kept.isEmpty, let generation = try store.currentGeneration(of: profile) else { return [:] }
        let names = Set(try members(of: generation, in: store).map(\.name))
        return kept.filter { names.contains($0.key) }
    }

    /// Bytes that the list of what is kept may have.
    private static let longestPins = 1 << 20

    /// What is kept in the profile, by name.
    func holdings() throws -> [String: Holding] {
        let root = try Descriptor.directory(root)
        let path = [StoreLayout.Name.profiles, profile.text, RemoteLayout.pins].joined(separator: "/")
        guard try root.status(of: path) != nil else { return [:] }
        let bytes = try root.open(beneath: path).readAll(limit: Self.longestPins)
        var result: [String: Holding] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard let name = words.first else { continue }
            result[name] = words.count > 1 ? .pinned(words[1]) : .held
        }
        return result
    }

    /// Pins packages of the profile to the version they have.
    ///
    /// - Returns: All that are pinned, by name.
    /// - Throws: ``OperationError/notInstalled(_:profile:)``.
    public func pin(_ names: [String]) throws -> [HeldPackage] {
        try keep(names) { .pinned($0.version) }.filter { $0.version != nil }
    }

    /// Has upgrades of all packages pass over some of the profile.
    ///
    /// - Returns: All that are held, by name.
    /// - Throws: ``OperationError/notInstalled(_:profile:)``.
    public func hold(_ names: [String]) throws -> [HeldPackage] {
        try keep(names) { _ in .held }.filter { $0.version == nil }
    }

    /// Lets packages be upgraded again, whether they were pinned or held.
    ///
    /// - Returns: All that are still kept, by name.
    public func release(_ names: [String]) throws -> [HeldPackage] {
        try change(in: openStoreForWriting()) { kept in
            for name in names { kept[name] = nil }
        }
    }

    private func keep(_ names: [String], as holding: (Member) -> Holding) throws -> [HeldPackage] {
        guard !names.isEmpty else { return Self.sorted(try holdings()) }
        let store = try openStoreForWriting()
        let members =
            try store.currentGeneration(of: profile).map { try self.members(of: $0, in: store) } ?? []
        let wanted = try names.map { name in
            guard let member = members.first(where: { $0.name == name }) else {
                throw OperationError.notInstalled(name, profile: profile.text)
            }
            return member
        }
        return try change(in: store) { kept in
            for member in wanted { kept[member.name] = holding(member) }
        }
    }

    private static func sorted(_ kept: [String: Holding]) -> [HeldPackage] {
        kept.sorted { $0.key < $1.key }.map { name, holding in
            if case .pinned(let version) = holding { return HeldPackage(name: name, version: version) }
            return HeldPackage(name: name, version: nil)
        }
    }

    private func change(
        in store: Store, _ edit: (inout [String: Holding]) -> Void
    ) throws -> [HeldPackage] {
        try asWriter(of: store) {
            let before = try holdings()
            var after = before
            edit(&after)
            let result = Self.sorted(after)
            guard after != before else { return result }
            let root = try Descriptor.directory(root)
            let text = result.map { [$0.name, $0.version].compactMap { $0 }.joined(separator: " ") + "\n" }
            try root.directory(beneath: StoreLayout.Name.profiles + "/" + profile.text).replaceFile(
                RemoteLayout.pins, contents: text.joined().utf8,
                through: root.directory(beneath: StoreLayout.Name.temporary), isDurable: true)
            return result
        }
    }

    /// A request for a package that is pinned asks for the version that it is pinned to.
    ///
    /// - Throws: ``OperationError/pinned(_:version:)`` where it asks for another.
    func pinned(_ wanted: Wanted, _ kept: [String: Holding]) throws -> Wanted {
        guard case .package(let name, let version, _, let text) = wanted,
            case .pinned(let pin)? = kept[name]
        else { return wanted }
        guard version == nil || version == pin else { throw OperationError.pinned(name, version: pin) }
        // It is in the store, whatever remotes have.
        return .package(name, version: pin, remote: nil, text: text)
    }
}
