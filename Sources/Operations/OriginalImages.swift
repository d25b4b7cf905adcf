internal import Files
private import Glibc
internal import Images
internal import Store

/// The images that packages were imported from: as far as they are still where they were, or as remotes offer them.
final class OriginalImages: RepairSource {
    // A class: it remembers the images that it has read.

    /// Where the images are.
    enum Place {
        /// Where they were at the import.
        case recorded
        /// In a remote that is configured, under the package's name and version.
        case remotes(OfferFinder)
    }

    var name: String {
        switch place {
        case .recorded: "the images of the import"
        case .remotes: "the remotes"
        }
    }

    private let place: Place
    private let session: Session
    private let store: Store
    private var images: [String: ImageRepairSource] = [:]
    /// What was found for a package, which a registry would be asked for again with each of its files.
    private var found: [String: ImageRepairSource?] = [:]
    private var failed: Set<String> = []

    init(_ place: Place, session: Session, store: Store) {
        (self.place, self.session, self.store) = (place, session, store)
    }

    func origin(of baseName: String) -> String { (try? image(of: baseName))?.name ?? name }

    func content(_ digest: Digest, of baseName: String) throws -> Descriptor? {
        try asking(baseName) { try $0.content(digest, of: baseName) }
    }

    func manifestFile(_ name: String, of baseName: String) throws -> Bytes? {
        try asking(baseName) { try $0.manifestFile(name, of: baseName) }
    }

    private func image(of baseName: String) throws -> ImageRepairSource? {
        if let known = found[baseName] { return known }
        let image = try find(baseName)
        found[baseName] = .some(image)
        return image
    }

    private func find(_ baseName: String) throws -> ImageRepairSource? {
        switch place {
        case .recorded:
            guard let location = try? store.location(of: baseName),
                let reference = try? ImageReference(parsing: location), access(reference.path, R_OK) == 0
            else { return nil }
            return image(location) {
                ImageRepairSource(location, isNamed: false, session: session, store: store)
            }
        case .remotes(let finder):
            guard let package = try store.package(baseName: baseName),
                let offer = try finder.offer(of: package.name, version: package.version, ignoresHost: true),
                let digest = offer.digest, package.sourceDigest ?? digest.hex == digest.hex
            else { return nil }
            return image(offer.location) {
                let (session, store) = (session, store)
                return ImageRepairSource(offer.location, isNamed: false, session: session, store: store) {
                    var options = $0
                    options.ignoresHost = true
                    return try session.open(offer, from: session.fetch([offer]), options: options)
                }
            }
        }
    }

    private func image(_ location: String, _ make: () -> ImageRepairSource) -> ImageRepairSource? {
        if let known = images[location] { return known }
        let image = make()
        images[location] = image
        return image
    }

    /// Asks the image of a package; one that cannot be read is told of once, and no reason not to ask another source.
    private func asking<Found>(
        _ baseName: String, _ body: (ImageRepairSource) throws -> Found?
    ) throws -> Found? {
        var location = baseName
        do {
            guard !failed.contains(baseName), let image = try image(of: baseName) else { return nil }
            location = String(image.name.dropFirst("image ".count))
            return failed.contains(location) ? nil : try body(image)
        } catch let error as SystemError where error.endsOthers(in: store.root.path) {
            throw error
        } catch {
            failed.insert(location)
            session.note(
                location == baseName
                    ? "\(name) are of no use for \(baseName): \("\(error)".firstLine)"
                    : "image \(location) is of no use: \("\(error)".firstLine)")
            return nil
        }
    }
}
