import Files
import Foundation
import Images
import Store
import StoreLayout

extension FuzzTarget {
    /// Images: read by the sink that imports use, in memory; what comes out is a listing that can be read back.
    static let images: [FuzzTarget] = [
        FuzzTarget("tar") { try checkImage($0, format: .tar) },
        FuzzTarget("squashfs") { try checkImage($0, format: .squashFS) },
        FuzzTarget("docker") { try checkImage($0, format: .dockerArchive) },
        FuzzTarget("oci") { try checkImage(OCIText.archive(of: $0), format: .ociArchive) },
        FuzzTarget("image") { try checkImage($0, format: .sniffed) },
        FuzzTarget("listing") { text in
            guard let entries = try? TreeListing.parse(text) else { return }
            for entry in entries { _ = try TreePath(parsing: entry.path.bytes) }
        },
    ]
}

/// Where images and their contents are while they are read.
private let place: (directory: String, staging: String) = {
    let memory = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
    let directory = "\(memory)/sxs-images-\(getpid())"
    try? FileManager.default.createDirectory(
        atPath: directory + "/staging", withIntermediateDirectories: true)
    // In C, for no deinit runs when a test or a fuzzer ends.
    atexit {
        try? FileManager.default.removeItem(atPath: place.directory)
    }
    return (directory, directory + "/staging")
}()

private func checkImage(_ bytes: Bytes, format: ImageReference.Format) throws {
    // Tests run on several threads.
    let name = UUID().uuidString
    let path = "\(place.directory)/\(name).image"
    let stagingPath = "\(place.staging)/\(name)"
    guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else {
        throw FuzzFault("\(path) cannot be written")
    }
    try FileManager.default.createDirectory(atPath: stagingPath, withIntermediateDirectories: true)
    defer {
        try? FileManager.default.removeItem(atPath: path)
        try? FileManager.default.removeItem(atPath: stagingPath)
    }
    let staging = Staging(try Descriptor.directory(stagingPath))
    let builder = TreeBuilder(staging: staging, finder: nil)
    do {
        let image = try Image.open(
            ImageReference(path: path, format: format), temporaryDirectory: place.directory,
            limits: ImageLimits(size: 8 << 20, files: 1000))
        try image.read(into: builder, progress: NoProgress())
    } catch {
        // An image is refused with a sentence and a hint that a terminal can show.
        let text = "\(error)"
        try expect(text.contains("\nhint: "), "no hint: \(text)")
        try expect(
            text.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 && $0.value != 0x7f },
            "control characters: \(text)")
        return
    }
    let listing = TreeListing.render(builder.tree) { (staging[$0].size, staging[$0].digest) }
    let entries = try TreeListing.parse(listing)
    try expect(entries.count == builder.tree.nodes.count, "a listing of other entries")
    for entry in entries {
        if let parent = entry.path.parent {
            try expect(builder.tree[parent]?.kind == .directory, "\(entry.path) lies in no directory")
        }
    }
}

/// An OCI archive whose documents are a text: `index.json`, manifest and configuration, with a NUL between.
///
/// No mutation finds a digest: `@0` to `@2` stand for those of manifest, configuration and layer, `#0` to `#2` for their
/// sizes.
private enum OCIText {
    static func archive(of text: Bytes) -> Bytes {
        let layer = tar([("usr/x", Array("text\n".utf8))])
        var documents = text.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        while documents.count < 3 { documents.append("{}") }
        var blobs: [Bytes] = [[], [], layer]
        // The last first: each names those after it.
        for number in [1, 0] {
            blobs[number] = Array(filled(documents[number + 1], with: blobs).utf8)
        }
        let files = blobs.map { ("blobs/sha256/\(Digest(hashing: $0).hex)", $0) }
        return tar(
            [
                ("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)),
                ("index.json", Array(filled(documents[0], with: blobs).utf8)),
            ] + files)
    }

    private static func filled(_ text: String, with blobs: [Bytes]) -> String {
        var text = text
        for (number, blob) in blobs.enumerated() {
            text = text.replacingOccurrences(of: "@\(number)", with: "\(Digest(hashing: blob))")
                .replacingOccurrences(of: "#\(number)", with: "\(blob.count)")
        }
        return text
    }

    private static func tar(_ files: [(String, Bytes)]) -> Bytes {
        var result: Bytes = []
        for (name, data) in files {
            var header = Bytes(repeating: 0, count: 512)
            func put(_ text: String, at offset: Int) {
                header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
            }
            put(name, at: 0)
            put("0000644", at: 100)
            let size = String(data.count, radix: 8)
            put(String(repeating: "0", count: 11 - size.count) + size, at: 124)
            put("ustar\u{0}00", at: 257)
            header[156] = UInt8(ascii: "0")
            put("        ", at: 148)
            let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
            put(String(repeating: "0", count: 6 - sum.count) + sum + "\u{0} ", at: 148)
            result += header + data + Bytes(repeating: 0, count: (512 - data.count % 512) % 512)
        }
        return result + Bytes(repeating: 0, count: 1024)
    }
}
