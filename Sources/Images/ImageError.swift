internal import Files
internal import StoreLayout

/// Why an image cannot be read.
public enum ImageError: Error, Equatable, CustomStringConvertible {
    /// It ends before it should.
    case truncated(image: String, detail: String)
    /// Bytes are not what the format says.
    case damaged(image: String, detail: String)
    /// A blob does not have the digest it is known by.
    case digestMismatch(image: String, blob: String, expected: String, actual: String)
    /// A blob does not have the size it is known by.
    case sizeMismatch(image: String, blob: String, expected: Int, actual: Int)
    /// A part that the image refers to is not in it.
    case missing(image: String, part: String)
    /// An entry is refused, with the sentence that says why.
    case entry(image: String, reason: String)
    /// Something known that this program does not read.
    case unsupported(image: String, what: String, hint: String)
    /// No manifest is for the platform that is wanted.
    case noPlatform(image: String, wanted: String, available: [String])
    /// Several images fit.
    case ambiguous(image: String, choices: [String])
    /// No image has the name that was asked for.
    case noReference(image: String, wanted: String, available: [String])
    /// It is larger than any sensible image.
    case excessive(image: String, what: String, limit: Int)
    /// It is larger than it may be, which the user can allow.
    case limit(image: String, what: String, option: String)
    /// A file changed while it was read.
    case changed(path: String)
    /// There is nothing at the path, or no image.
    case notAnImage(path: String, reason: String)

    /// The first of what may be very many.
    private static func list(_ texts: [String]) -> String {
        let most = 20
        let others = texts.count > most ? ", and \(texts.count - most) others" : ""
        return texts.prefix(most).joined(separator: ", ") + others
    }

    /// What is wrong with the image, why, and what to do.
    public var description: String {
        switch self {
        case .truncated(let image, let detail):
            """
            \(image) is truncated: \(detail)
            hint: the download or copy is incomplete; fetch it again
            """
        case .damaged(let image, let detail):
            """
            \(image) is damaged: \(detail)
            hint: fetch the image again, or ask who made it
            """
        case .digestMismatch(let image, let blob, let expected, let actual):
            """
            \(blob) of \(image) has the digest \(actual), not \(expected)
            hint: the image is damaged or was tampered with; fetch it again
            """
        case .sizeMismatch(let image, let blob, let expected, let actual):
            """
            \(blob) of \(image) has \(actual) bytes, not \(expected)
            hint: the image is damaged or was tampered with; fetch it again
            """
        case .missing(let image, let part):
            """
            \(image) has no \(part)
            hint: the image is incomplete; copy it with all its blobs, for example with 'skopeo copy'
            """
        case .entry(let image, let reason): "\(image): \(reason)"
        case .unsupported(let image, let what, let hint):
            """
            \(image) \(what)
            hint: \(hint)
            """
        case .noPlatform(let image, let wanted, let available):
            """
            \(image) has nothing for \(wanted); it has \(Self.list(available))
            hint: choose one with --platform
            """
        case .ambiguous(let image, let choices):
            """
            \(image) holds several images: \(Self.list(choices))
            hint: append one of the names to the reference, after a ':'
            """
        case .noReference(let image, let wanted, let available):
            """
            \(image) has no image '\(wanted.utf8.shown)'; it has \(Self.list(available))
            hint: append one of these names to the reference, after a ':'
            """
        case .excessive(let image, let what, let limit):
            """
            \(image) has \(what), past the limit of \(limit)
            hint: the image is broken or hostile; do not use it
            """
        case .limit(let image, let what, let option):
            """
            \(image) \(what)
            hint: it may be hostile; if you trust it, allow more with \(option)
            """
        case .changed(let path):
            """
            \(path) changed while it was read
            hint: wait until whatever writes there is done, and try again
            """
        case .notAnImage(let path, let reason):
            """
            \(path) is no image: \(reason)
            hint: give an OCI or docker archive, a tar archive, a SquashFS .raw image or a directory
            """
        }
    }
}

extension Collection<UInt8> {
    /// The bytes as text for people, the first of what may be very many.
    var shown: String {
        let most = 200
        return count > most ? prefix(most).displayed + "…" : displayed
    }
}
