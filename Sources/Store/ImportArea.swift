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

    private let temporary: Descriptor
    private var isDiscarded = false

    init(in temporary: Descriptor, objects: Descriptor, minimumFree: Int) throws {
        try temporary.checkFreeSpace(minimumFree)
        self.temporary = temporary
        (name, directory) = try Self.makeHeldDirectory(in: temporary)
        try directory.makeDirectory("staging", mode: 0o700, existing: false)
        staging = Staging(try directory.directory(beneath: "staging"))
        builder = TreeBuilder(staging: staging, objects: objects, minimumFree: minimumFree)
    }

    deinit {
        // What is left is swept by the next writer.
        try? discard()
    }

    /// Removes the directory and all that is in it; done once.
    public func discard() throws {
        guard !isDiscarded else { return }
        isDiscarded = true
        try temporary.removeTree(name)
    }

    /// Makes a directory with an unguessable name and takes its lock.
    static func makeHeldDirectory(in temporary: Descriptor) throws -> (String, Descriptor) {
        while true {
            let name =
                String(UInt64.random(in: .min ... .max), radix: 36)
                + String(UInt64.random(in: .min ... .max), radix: 36)
            try temporary.makeDirectory(name, mode: 0o700, existing: false)
            guard let directory = try? temporary.directory(beneath: name) else {
                // A writer swept it before it was locked.
                continue
            }
            try directory.lock()
            if let status = try temporary.status(of: name), status.st_ino == (try directory.status().st_ino) {
                return (name, directory)
            }
        }
    }

    /// Removes every directory below `tmp` that nobody holds.
    static func sweep(_ temporary: Descriptor) throws {
        for entry in try temporary.list() {
            guard entry.type == UInt8(DT_DIR) else {
                try temporary.unlink(entry.text)
                continue
            }
            guard let directory = try? temporary.directory(beneath: entry.text) else {
                // Its owner discarded it meanwhile.
                continue
            }
            if try directory.tryLock() { try temporary.removeTree(entry.text) }
        }
    }
}
