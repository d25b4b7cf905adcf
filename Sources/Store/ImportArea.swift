public import Files
internal import Glibc
internal import StoreLayout

/// Unfinished work on one image: a directory below `tmp`, held by a lock and swept by the next writer when its
/// holder has died.
public final class ImportArea {
    /// The directory's name below `tmp`.
    public let name: String
    /// The directory.
    public let directory: Descriptor
    /// Contents of the image's files.
    public let staging: Staging
    /// Takes in the image.
    public let builder: TreeBuilder

    /// Whether contents that the store has are taken from there.
    let isSharing: Bool

    private let temporary: Descriptor
    private var isDiscarded = false

    init(
        in temporary: Descriptor, isSharing: Bool, finder: ObjectFinder?, minimumFree: Int
    ) throws {
        try temporary.checkFreeSpace(minimumFree)
        (self.temporary, self.isSharing) = (temporary, isSharing)
        (name, directory) = try temporary.makeHeldDirectory()
        try directory.makeDirectory("staging", mode: 0o700, existing: false)
        staging = Staging(try directory.directory(beneath: "staging"))
        try staging.makeTree()
        builder = TreeBuilder(staging: staging, finder: finder, minimumFree: minimumFree)
    }

    deinit {
        // What is left is swept by the next writer.
        try? discard()
    }

    /// Removes the directory and all that is in it; done once.
    public func discard() throws {
        guard !isDiscarded else { return }
        isDiscarded = true
        // After an error, threads may still make files in it.
        builder.abandon()
        try temporary.removeTree(name)
    }

    /// Removes everything below `tmp` that nobody holds.
    static func sweep(_ temporary: Descriptor) throws {
        for entry in try temporary.list() where entry.type != UInt8(DT_DIR) {
            try temporary.unlink(entry.text)
        }
        try temporary.sweepHeldDirectories()
    }
}
