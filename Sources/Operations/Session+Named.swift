internal import Images
internal import Store
internal import StoreLayout

/// A package that is asked for by its name alone, so that no file of the host can be meant.
public struct NamedPackage: Sendable, Equatable {
    /// The remote that is to have it; `nil` for the store, and the first remote that has it.
    public let remote: String?
    /// Its name.
    public let name: String
    /// Its version; `nil` for the newest.
    public let version: String?
    /// What was asked for.
    public let text: String

    /// Reads `NAME`, `NAME@VERSION`, or either after `REMOTE/`; `nil` for anything else, also every path.
    public init?(parsing text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), let last = parts.last else { return nil }
        let words = last.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(words.count), (try? PackageName(words[0])) != nil,
            words.count == 1 || (try? PackageVersion(words[1])) != nil,
            parts.count == 1 || (try? PackageName(parts[0])) != nil
        else { return nil }
        remote = parts.count == 2 ? parts[0] : nil
        name = words[0]
        version = words.count == 2 ? words[1] : nil
        self.text = text
    }
}

extension Session {
    /// What is wanted of an import for which nothing is said.
    ///
    /// - Throws: `SettingError`.
    public func usualImport() throws -> ImportOptions {
        let usual = ImageLimits()
        return ImportOptions(
            isStrict: try settings.isOn(.isStrict), minimumFree: try settings.number(.minimumFree) ?? 0,
            limits: ImageLimits(
                size: try settings.number(.imageSize) ?? usual.size,
                files: try settings.number(.imageFiles) ?? usual.files,
                ratio: try settings.number(.imageRatio) ?? usual.ratio))
    }

    /// Adds packages to the profile by their names, and makes the result the active generation.
    ///
    /// - Throws: An error before the profile changes.
    public func install(_ packages: [NamedPackage]) throws -> GenerationChange {
        let store = try openStoreForWriting()
        return try install(
            packages.map {
                (.package($0.name, version: $0.version, remote: $0.remote, text: $0.text), [])
            }, options: usualImport(), OfferFinder(self, architecture: nil), into: store)
    }
}
