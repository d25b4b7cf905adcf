internal import Files
private import Glibc

/// Part of an open file.
struct FileRange {
    let file: Descriptor
    let range: Range<Int>
}

/// Where an OCI layout or `docker save` keeps its files: a directory, or an archive that was indexed.
protocol BlobSource: AnyObject {
    /// What errors call it.
    var image: String { get }

    /// The file at `path`; `nil` where there is none.
    func find(_ path: String) throws -> FileRange?
}

extension BlobSource {
    /// Bytes a JSON document of an image may have.
    private var documentLimit: Int { 16 << 20 }

    /// All bytes of the small file at `path`.
    func document(_ path: String) throws -> Bytes {
        guard let found = try find(path) else {
            throw ImageError.missing(image: image, part: path.utf8.shown)
        }
        guard found.range.count <= documentLimit else {
            throw ImageError.excessive(
                image: image, what: "\(found.range.count) bytes in \(path.utf8.shown)", limit: documentLimit)
        }
        let stream = FileStream(found.file, range: found.range, image: image)
        var bytes: Bytes = []
        while let chunk = try stream.next() { bytes.append(contentsOf: chunk) }
        return bytes
    }
}

/// The files of a directory.
final class DirectoryBlobs: BlobSource {
    let image: String
    private let directory: Descriptor

    init(_ directory: Descriptor) {
        self.directory = directory
        image = directory.path
    }

    func find(_ path: String) throws -> FileRange? {
        guard try directory.status(of: path) != nil else { return nil }
        // Not to wait for the other end of a named pipe.
        let file = try directory.open(beneath: path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ImageError.damaged(image: image, detail: "\(path.utf8.shown) is no file")
        }
        return FileRange(file: file, range: 0..<Int(status.st_size))
    }
}

/// The files of an uncompressed tar archive, found by one pass over its headers.
final class ArchiveBlobs: BlobSource {
    /// Members an archive of blobs may have.
    private static let memberLimit = 100_000
    /// Links that may be followed in one look-up.
    private static let linkLimit = 8

    private enum Member {
        case file(Range<Int>)
        /// A link's target, as a path in the archive.
        case link(String)
    }

    let image: String
    private let file: Descriptor
    private var members: [String: Member] = [:]

    init(_ file: Descriptor, size: Int, image: String) throws {
        self.file = file
        self.image = image
        let reader = TarReader(FileStream(file, range: 0..<size, image: image), image: image)
        while let entry = try reader.next() {
            guard members.count < Self.memberLimit else {
                throw ImageError.excessive(image: image, what: "too many blobs", limit: Self.memberLimit)
            }
            let path = Self.normalized(String(decoding: entry.path, as: UTF8.self), from: "")
            switch entry.kind {
            case .file where entry.map == nil:
                members[path] = .file(entry.dataOffset..<entry.dataOffset + entry.storedSize)
            case .symlink:
                let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
                members[path] = .link(
                    Self.normalized(String(decoding: entry.target, as: UTF8.self), from: parent))
            case .hardLink:
                members[path] = .link(
                    Self.normalized(String(decoding: entry.target, as: UTF8.self), from: ""))
            default: break
            }
        }
    }

    func find(_ path: String) throws -> FileRange? {
        var path = Self.normalized(path, from: "")
        for _ in 0...Self.linkLimit {
            switch members[path] {
            case .none: return nil
            case .file(let range): return FileRange(file: file, range: range)
            case .link(let target): path = target
            }
        }
        throw ImageError.damaged(image: image, detail: "links at \(path.utf8.displayed) go round in a circle")
    }

    /// A path without `.`, `..` and doubled slashes.
    ///
    /// It is only a key here, never opened.
    private static func normalized(_ path: String, from directory: String) -> String {
        var result: [Substring] = path.hasPrefix("/") ? [] : directory.split(separator: "/")
        for component in path.split(separator: "/") {
            if component == "." { continue }
            if component == ".." {
                _ = result.popLast()
            } else {
                result.append(component)
            }
        }
        return result.joined(separator: "/")
    }
}
