public import Files
internal import Glibc
internal import StoreLayout

/// The listings in a directory of manifests: each whole, or as what it has that another listing does not.
///
/// Nearly every line of a tree's two listings is the same but for its mode, and so is that of two versions of a package.
/// The source listing's difference is from the listing beside it, as if its owner could write to all files; where that has
/// it all, as where nothing was relocated, there is no file of it. The listing's is
/// from a third file, a whole listing:
/// another name of that of the store path it was taken from, which stays when that one goes. A difference is
/// made only where the file system has fewer blocks to give for it, so that small listings are whole.
public enum ListingFiles {
    /// What a file takes at least, and in steps, on most file systems, in bytes.
    private static let blockSize = 4096

    private static func blocks(_ size: Int) -> Int { (size + blockSize - 1) / blockSize }

    // MARK: - Reading

    /// Reads a listing; `nil` where it is not there in any form.
    ///
    /// - Parameters:
    ///   - name: `StoreLayout.Name.listing` or `sourceListing`.
    ///   - manifest: The directory.
    ///   - listing: The text of the listing that a source listing may be a difference from, for who has it already.
    ///   - digest: The digest of a source listing, in hexadecimal, by which it is known whether it has to be in a file;
    ///     `nil` if the caller compares it with what is read.
    /// - Throws: ``StoreError/damagedDescription(path:reason:)`` for a difference that cannot be applied, `SystemError`.
    public static func read(
        _ name: String, in manifest: Descriptor, listing: Bytes? = nil, digest: String? = nil
    ) throws -> Bytes? {
        let isSource = name == StoreLayout.Name.sourceListing
        // A repair puts a whole one beside a difference before it removes that. Source listings are hardly ever whole.
        let isWhole = try !isSource || manifest.status(of: name) != nil
        if isWhole, let text = try readWholeFile(name, in: manifest) { return text }
        let differenceName = name + StoreLayout.Name.differenceSuffix
        guard try manifest.status(of: differenceName) != nil else {
            guard isSource, let listing = try listing ?? read(StoreLayout.Name.listing, in: manifest) else {
                return nil
            }
            let text = writable(listing)
            return digest.map { Digest(hashing: text).hex == $0 } ?? true ? text : nil
        }
        let baseName = isSource ? StoreLayout.Name.listing : StoreLayout.Name.listingBase
        let base =
            try isSource
            ? listing ?? read(baseName, in: manifest)
            : manifest.status(of: baseName).map { _ in
                try manifest.open(beneath: baseName).readAll(limit: .max)
            }
        guard let base else {
            throw StoreError.damagedDescription(
                path: manifest.path(of: differenceName),
                reason: "\(baseName) is missing, which it is based on")
        }
        let difference = try manifest.open(beneath: differenceName).readAll(limit: .max)
        do {
            return try Difference.applied(difference, to: isSource ? writable(base) : base)
        } catch {
            throw StoreError.damagedDescription(
                path: manifest.path(of: differenceName), reason: "\(error)")
        }
    }

    private static func readWholeFile(_ name: String, in manifest: Descriptor) throws -> Bytes? {
        do {
            return try manifest.open(beneath: name).readAll(limit: .max)
        } catch let error as SystemError where error.code == ENOENT {
            return nil
        }
    }

    /// Reads a listing that has to be there.
    ///
    /// - Throws: As ``read(_:in:listing:digest:)``; ``StoreError/damagedDescription(path:reason:)`` where it is not there.
    public static func readPresent(
        _ name: String, in manifest: Descriptor, listing: Bytes? = nil, digest: String? = nil
    ) throws -> Bytes {
        if let text = try read(name, in: manifest, listing: listing, digest: digest) { return text }
        throw StoreError.damagedDescription(path: manifest.path(of: name), reason: "it is missing")
    }

    /// The listing of a tree, without all of it in memory.
    ///
    /// - Parameter spilling: Where a file can be made.
    static func text(in manifest: Descriptor, spilling directory: Descriptor) throws -> SpilledText {
        let name = StoreLayout.Name.listing
        if try manifest.status(of: name) != nil { return SpilledText(of: try manifest.open(beneath: name)) }
        let (held, place) = try directory.makeHeldDirectory()
        defer { try? directory.removeTree(held) }
        let text = SpilledText(in: place, as: name)
        try readPresent(name, in: manifest).withUnsafeBytes(text.append)
        return text
    }

    /// Reads a listing of which nobody knows whether it is whole: whether it is there, and its text if it can be read.
    static func readWhole(
        _ name: String, in manifest: Descriptor, listing: Bytes? = nil, digest: String? = nil
    ) throws -> (isThere: Bool, text: Bytes?) {
        do {
            let text = try read(name, in: manifest, listing: listing, digest: digest)
            return (text != nil, text)
        } catch is StoreError {
            return (true, nil)
        }
    }

    /// A listing in which the owner may write whatever he may read: most of the modes that files come with.
    private static func writable(_ listing: Bytes) -> Bytes {
        var result = listing
        result.withUnsafeMutableBytes(makeWritable)
        return result
    }

    /// The same, given to `write` in pieces.
    private static func writable(
        _ listing: UnsafeRawBufferPointer, _ write: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let newline = UInt8(ascii: "\n")
        var start = 0
        while start < listing.count {
            // Whole lines: no field is in two pieces.
            var end = min(start + pieceSize, listing.count)
            while end < listing.count, listing[end - 1] != newline { end += 1 }
            var piece = Bytes(listing[start..<end])
            piece.withUnsafeMutableBytes(makeWritable)
            try piece.withUnsafeBytes(write)
            start = end
        }
    }

    private static let pieceSize = 64 << 10

    private static func makeWritable(_ text: UnsafeMutableRawBufferPointer) {
        // Nothing else has these bytes: a space in a path, a target or an attribute is escaped.
        let field = Bytes(" mode=0".utf8)
        var place = 0
        while let found = UnsafeRawBufferPointer(rebasing: text[place...]).firstOffset(of: field) {
            place += found + field.count
            guard place < text.count else { return }
            if [UInt8(ascii: "4"), UInt8(ascii: "5")].contains(text[place]) { text[place] += 2 }
        }
    }

    /// Whether the source listing of a digest, in hexadecimal, is what a listing says by itself.
    static func isSourceListing(_ digest: String, of listing: Bytes) -> Bool {
        Digest(hashing: writable(listing)).hex == digest
    }

    // MARK: - Writing

    /// Gives a text in pieces.
    typealias Writing = (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void

    /// Writes both listings of a store path into its new directory.
    ///
    /// A listing has 160 bytes for each file: neither is ever in memory as a whole.
    ///
    /// - Parameters:
    ///   - listing: The listing of the relocated tree.
    ///   - source: That of the tree as it came.
    ///   - manifest: The directory.
    ///   - earlier: That of an earlier version of the same package, if there is one.
    /// - Returns: The digest of the listing.
    @discardableResult
    static func write(
        _ listing: Writing, source: Writing, in manifest: Descriptor, earlier: Descriptor?
    ) throws -> Digest {
        let name = StoreLayout.Name.listing
        let file = try manifest.open(beneath: name, flags: O_RDWR | O_CREAT | O_EXCL)
        var hasher = Hasher256()
        try listing { piece in
            hasher.update(piece)
            try file.write(piece)
        }
        try file.setMode(0o444)
        let text = try MappedFile(file, isBrief: true)
        let isDifference =
            try earlier.map { try writeDifference(of: text.bytes, from: $0, in: manifest) } ?? false
        if isDifference { try manifest.unlink(name) }
        let owned = SpilledText(in: manifest, as: "owned")
        try writable(text.bytes, owned.append)
        try owned.withBytes { owned in
            guard let source = try spilled(source, unless: owned, in: manifest) else { return }
            try source.withBytes { source in
                try write(source: source, text.bytes, isDifference: isDifference, owned, in: manifest)
            }
        }
        return hasher.finalize()
    }

    /// A text that is not the expected one; `nil` where it is.
    private static func spilled(
        _ writing: Writing, unless expected: UnsafeRawBufferPointer, in directory: Descriptor
    ) throws -> SpilledText? {
        // Bytes that are as expected, and what there is from the first piece on that is not.
        var same = 0
        var other: SpilledText?
        func begin() throws -> SpilledText {
            let text = SpilledText(in: directory, as: "source")
            try text.append(UnsafeRawBufferPointer(rebasing: expected[..<same]))
            other = text
            return text
        }
        try writing { piece in
            if other == nil,
                isEqual(piece, UnsafeRawBufferPointer(rebasing: expected[same...].prefix(piece.count)))
            {
                same += piece.count
            } else {
                try (other ?? begin()).append(piece)
            }
        }
        return try other ?? (same == expected.count ? nil : begin())
    }

    private static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count, let start = left.baseAddress, let other = right.baseAddress else {
            return left.isEmpty && right.isEmpty
        }
        return memcmp(start, other, left.count) == 0
    }

    /// Writes a source listing that the other one does not say by itself.
    private static func write(
        source: UnsafeRawBufferPointer, _ listing: UnsafeRawBufferPointer, isDifference: Bool,
        _ owned: UnsafeRawBufferPointer, in manifest: Descriptor
    ) throws {
        if !isDifference, isEqual(source, listing) {
            // Nothing was relocated, of an image without the right to write: one file.
            try manifest.link(
                StoreLayout.Name.listing, to: manifest, as: StoreLayout.Name.sourceListing)
        } else if blocks(source.count) > 1,
            let difference = Difference.made(of: source, from: owned),
            blocks(difference.count) < blocks(source.count)
        {
            let name = StoreLayout.Name.sourceListing + StoreLayout.Name.differenceSuffix
            try write(name, difference, in: manifest)
        } else {
            try write(StoreLayout.Name.sourceListing, source, in: manifest)
        }
    }

    /// Writes a listing as a difference from the one that an earlier version has whole; whether that is of use.
    private static func writeDifference(
        of listing: UnsafeRawBufferPointer, from earlier: Descriptor, in manifest: Descriptor
    ) throws -> Bool {
        guard blocks(listing.count) > 1 else { return false }
        let base = StoreLayout.Name.listingBase
        let isBased = try earlier.status(of: base) != nil
        let name = isBased ? base : StoreLayout.Name.listing
        // An earlier version's damage is no reason to refuse this one. A quarter: the whole one may be kept for this one
        // alone, some day, and lines that have nothing in common make a third.
        guard let text = try? MappedFile(earlier.open(beneath: name)),
            let difference = withExtendedLifetime(text, { Difference.made(of: listing, from: text.bytes) }),
            blocks(difference.count) * 4 <= blocks(listing.count)
        else { return false }
        // A file has only so many names.
        guard (try? earlier.link(name, to: manifest, as: base)) != nil else { return false }
        try write(
            StoreLayout.Name.listing + StoreLayout.Name.differenceSuffix, difference, in: manifest)
        return true
    }

    /// Gives a file that an earlier version has with the same contents another name; whether it has.
    static func linkEqual(
        _ name: String, _ contents: Bytes, from earlier: Descriptor?, to manifest: Descriptor
    ) -> Bool {
        // Damage, a long file or too many names: then it is written.
        guard let earlier, let other = try? earlier.open(beneath: name).readAll(limit: contents.count),
            other == contents
        else { return false }
        return (try? earlier.link(name, to: manifest, as: name)) != nil
    }

    /// Writes a file that nobody will write to again.
    static func write(_ name: String, _ contents: Bytes, in manifest: Descriptor) throws {
        try contents.withUnsafeBytes { try write(name, $0, in: manifest) }
    }

    private static func write(
        _ name: String, _ contents: UnsafeRawBufferPointer, in manifest: Descriptor
    ) throws {
        let file = try manifest.open(beneath: name, flags: O_WRONLY | O_CREAT | O_EXCL)
        try file.write(contents)
        try file.setMode(0o444)
    }

    /// Removes a listing in any form.
    static func remove(_ name: String, in manifest: Descriptor) throws {
        for form in [name, name + StoreLayout.Name.differenceSuffix] { try manifest.unlink(form) }
    }

    /// Removes the difference that a whole listing has taken the place of.
    static func removeDifference(_ name: String, in manifest: Descriptor) throws {
        var names = [name + StoreLayout.Name.differenceSuffix]
        if name == StoreLayout.Name.listing { names.append(StoreLayout.Name.listingBase) }
        for name in names where try manifest.status(of: name) != nil { try manifest.unlink(name) }
    }
}
