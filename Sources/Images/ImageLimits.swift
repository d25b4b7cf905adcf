/// How large an image may be: what bounds the time, the memory and the room on disk that a hostile one takes.
///
/// The defaults are far above what is in use (images of 20 GB for graphics processors, 84,000 files, four times the size
/// of their archives). The program has an option for each; decision 0018 says how they were chosen.
public struct ImageLimits: Sendable, Equatable {
    /// Bytes of all files, zeros of sparse files included.
    public var size: Int
    /// Entries, of all layers.
    ///
    /// Names, link targets and attributes may have 256 bytes for each.
    public var files: Int
    /// Bytes of all files for each byte of the image, once there are more than ``alwaysAllowed``.
    public var ratio: Int

    /// Creates limits.
    public init(size: Int = 128 << 30, files: Int = 1_000_000, ratio: Int = 200) {
        self.size = size
        self.files = files
        self.ratio = ratio
    }

    /// Bytes at which no ratio is looked at: small images may be anything.
    static let alwaysAllowed = 256 << 20
    /// Bytes of names, link targets and attributes that each file may have, on average.
    static let metadataPerFile = 256
    /// The same for an image that may have few files.
    static let leastMetadata = 16 << 20
    /// Layers of an image; docker makes at most 127.
    static let layers = 1000
}

/// What is left of an image's limits, while it is opened or read.
final class ImageBudget {
    // A class: streams and sinks of one image share it.

    let limits: ImageLimits
    private let image: String
    /// Bytes of the image itself.
    private var stored: Int
    private var contents = 0
    private var streamed = 0
    private var entries = 0
    private var metadata = 0

    /// - Parameters:
    ///   - image: What errors call the image.
    ///   - stored: Bytes of the image itself, as far as they are known.
    init(_ limits: ImageLimits, image: String, stored: Int) {
        self.limits = limits
        self.image = image
        self.stored = stored
    }

    /// The image has more bytes of its own: a directory's are only known file by file.
    func add(stored count: Int) { stored = Self.sum(stored, count) }

    /// Counts an entry.
    func countEntry() throws {
        entries += 1
        guard entries <= limits.files else {
            throw ImageError.limit(
                image: image, what: "has more than \(limits.files) files", option: "--max-files NUMBER")
        }
    }

    /// Counts bytes that are kept in memory for an entry.
    func count(metadata count: Int) throws {
        metadata = Self.sum(metadata, count)
        let limit = max(ImageLimits.leastMetadata, Self.product(limits.files, ImageLimits.metadataPerFile))
        guard metadata <= limit else {
            throw ImageError.limit(
                image: image, what: "has names and attributes of more than \(limit) bytes",
                option: "--max-files NUMBER (it may have \(ImageLimits.metadataPerFile) bytes for each)")
        }
    }

    /// Throws if a file of this size will be too large.
    func check(contents count: Int) throws {
        let total = Self.sum(contents, count)
        guard total <= limits.size else {
            throw ImageError.limit(
                image: image, what: "unpacks to more than \(limits.size) bytes", option: "--max-size SIZE")
        }
        try checkRatio(total)
    }

    /// Counts bytes of files.
    func count(contents count: Int) throws {
        try check(contents: count)
        contents = Self.sum(contents, count)
    }

    /// Counts bytes that a compressed stream gives, whatever becomes of them.
    func count(streamed count: Int) throws {
        streamed = Self.sum(streamed, count)
        try checkRatio(streamed)
    }

    private func checkRatio(_ total: Int) throws {
        guard total > max(ImageLimits.alwaysAllowed, Self.product(stored, limits.ratio)) else { return }
        throw ImageError.limit(
            image: image,
            what: "unpacks to more than \(limits.ratio) times its \(stored) bytes, as no sensible image does",
            option: "--max-ratio NUMBER")
    }

    private static func sum(_ left: Int, _ right: Int) -> Int {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    private static func product(_ left: Int, _ right: Int) -> Int {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }
}
