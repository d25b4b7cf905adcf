internal import Files
private import Glibc
internal import Images
internal import Store
internal import StoreLayout

/// What became of an extension in one of systemd's directories.
public struct Adoption: Encodable, Sendable {
    /// The extension's file or directory.
    public let path: String
    /// The absolute store path that it holds; `nil` where it could not be taken over.
    public let storePath: String?
    /// Whether the store had it before.
    public let wasKnown: Bool
    /// Why it could not be taken over.
    public let problem: String?
}

extension Session {
    /// Takes over what exported extensions in systemd's directories hold; all others are passed over.
    ///
    /// One that cannot be taken over does not keep the others from it.
    public func adoptExtensions() throws -> [Adoption] {
        let store = try openStoreForWriting()
        return try Self.extensionFiles().compactMap { path in
            do {
                let image = try Image.open(ImageReference(parsing: path))
                guard let base = try image.names(in: ExtensionLayout.manifests)?.first else { return nil }
                let name = String(decoding: base, as: UTF8.self)
                let storePath = StoreLayout.storeDirectory + "/" + name
                // Not read again each time that something changes there.
                if try store.package(baseName: name) != nil {
                    return Adoption(path: path, storePath: storePath, wasKnown: true, problem: nil)
                }
                let result = try importImage(image, from: path, options: ImportOptions(), into: store)
                return Adoption(path: path, storePath: storePath, wasKnown: result.wasKnown, problem: nil)
            } catch let error as SystemError where error.code == ENOENT {
                // A link to what the active generation does not have, for instance.
                return nil
            } catch let error as ImageError {
                // Disk images with partitions, for instance, are none that sxs makes.
                guard case .notAnImage = error else {
                    return Adoption(path: path, storePath: nil, wasKnown: false, problem: "\(error)")
                }
                note("passed over \(path): sxs does not read images of its kind")
                return nil
            } catch {
                return Adoption(path: path, storePath: nil, wasKnown: false, problem: "\(error)")
            }
        }
    }

    /// Everything that systemd may merge, versions that it would not choose among them.
    private static func extensionFiles() throws -> [String] {
        var files: [String] = []
        for directory in Anchor.searchPath {
            for name in try names(in: directory) {
                let path = directory + "/" + name
                guard name.hasSuffix(ExtensionLayout.versionsSuffix) else {
                    files.append(path)
                    continue
                }
                files += try names(in: path).map { path + "/" + $0 }
            }
        }
        return files
    }

    private static func names(in directory: String) throws -> [String] {
        do {
            return try Descriptor.directory(directory).list().compactMap {
                String(validating: $0.name, as: UTF8.self)
            }.filter { !$0.hasPrefix(".") }
        } catch let error as SystemError where [ENOENT, ENOTDIR].contains(error.code) {
            return []
        }
    }

    /// Makes the package of an extension part of the store, as it is.
    func register(_ exported: ExportedPackage, _ area: ImportArea, from source: String, in store: Store)
        throws
        -> Metadata
    {
        var metadata = exported.metadata
        metadata.source = source
        do {
            return try asWriter(of: store) {
                try store.register(
                    area, tree: exported.tree, storePath: exported.storePath, metadata: metadata,
                    sourceListing: SourceListing(exported.sourceListing), report: { exported.report },
                    location: Self.location(of: source),
                    label: labeller(for: exported.storePath, tree: exported.tree, in: store))
            }
        } catch StoreError.aliasClash(let name, let owner) {
            throw ExportError.aliasTaken(exported.storePath.path, alias: name, owner: owner)
        }
    }
}
