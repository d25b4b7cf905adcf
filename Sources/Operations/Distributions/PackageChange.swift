internal import Store
internal import StoreLayout

/// What became of a distribution's package between two store paths of one name.
public struct PackageChange: Encodable, Sendable {
    /// Its name.
    public let name: String
    /// The version before; `nil` for one that came in.
    public let from: String?
    /// The version after; `nil` for one that went out.
    public let to: String?

    /// The text for people.
    public var text: String {
        guard let from else { return "+ \(name) \(to ?? "")" }
        guard let to else { return "- \(name) \(from)" }
        return "~ \(name) \(from) -> \(to)" + (from == to ? " (other contents)" : "")
    }

    /// What differs, sorted by name.
    static func between(_ before: [PackageRecord], _ after: [PackageRecord]) -> [PackageChange] {
        let byName = { (records: [PackageRecord]) in
            Dictionary(
                records.map { ("\($0.name)\n\($0.architecture)", $0) }, uniquingKeysWith: { _, last in last })
        }
        let (old, new) = (byName(before), byName(after))
        return Set(old.keys).union(new.keys).sorted().compactMap { key in
            guard old[key]?.digest != new[key]?.digest, let name = (new[key] ?? old[key])?.name else {
                return nil
            }
            return PackageChange(name: name, from: old[key]?.version, to: new[key]?.version)
        }
    }
}

extension Session {
    /// The packages that a store path was made from; none of one that was an image, or that is gone.
    func records(of package: InstalledPackage, in store: Store) throws -> [PackageRecord] {
        let baseName = String(package.storePath.dropFirst(StoreLayout.storeDirectory.utf8.count + 1))
        guard !package.isExtension, try store.package(baseName: baseName) != nil else { return [] }
        return try store.metadata(of: baseName).packages ?? []
    }
}
