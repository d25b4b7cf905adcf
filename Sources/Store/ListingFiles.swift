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
        // A repair puts a whole one beside a difference before it removes that.
        if try manifest.status(of: name) != nil {
            return try manifest.open(beneath: name).readAll(limit: .max)
        }
        let differenceName = name + StoreLayout.Name.differenceSuffix
        let isSource = name == StoreLayout.Name.sourceListing
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

    /// Reads a listing that has to be there.
    ///
    /// - Throws: As ``read(_:in:listing:digest:)``; ``StoreError/damagedDescription(path:reason:)`` where it is not there.
    public static func readPresent(
        _ name: String, in manifest: Descriptor, listing: Bytes? = nil, digest: String? = nil
    ) throws -> Bytes {
        if let text = try read(name, in: manifest, listing: listing, digest: digest) { return text }
        throw StoreError.damagedDescription(path: manifest.path(of: name), reason: "it is missing")
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
        // Nothing else has these bytes: a space in a path, a target or an attribute is escaped.
        let field = Bytes(" mode=0".utf8)
        var result = listing
        result.withUnsafeMutableBytes { text in
            var place = 0
            while let found = UnsafeRawBufferPointer(rebasing: text[place...]).firstOffset(of: field) {
                place += found + field.count
                guard place < text.count else { return }
                if [UInt8(ascii: "4"), UInt8(ascii: "5")].contains(text[place]) { text[place] += 2 }
            }
        }
        return result
    }

    /// Whether the source listing of a digest, in hexadecimal, is what a listing says by itself.
    static func isSourceListing(_ digest: String, of listing: Bytes) -> Bool {
        Digest(hashing: writable(listing)).hex == digest
    }

    // MARK: - Writing

    /// Writes both listings of a store path into its new directory.
    ///
    /// - Parameters:
    ///   - listing: The listing of the relocated tree.
    ///   - source: That of the tree as it came.
    ///   - manifest: The directory.
    ///   - earlier: That of an earlier version of the same package, if there is one.
    static func write(
        _ listing: Bytes, source: Bytes, in manifest: Descriptor, earlier: Descriptor?
    ) throws {
        let isDifference =
            try earlier.map { try writeDifference(of: listing, from: $0, in: manifest) } ?? false
        if !isDifference { try write(StoreLayout.Name.listing, listing, in: manifest) }
        let owned = writable(listing)
        // The listing says it all.
        if source == owned { return }
        if source == listing, !isDifference {
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
        of listing: Bytes, from earlier: Descriptor, in manifest: Descriptor
    ) throws -> Bool {
        guard blocks(listing.count) > 1 else { return false }
        let base = StoreLayout.Name.listingBase
        let isBased = try earlier.status(of: base) != nil
        let name = isBased ? base : StoreLayout.Name.listing
        // An earlier version's damage is no reason to refuse this one. A quarter: the whole one may be kept for this one
        // alone, some day, and lines that have nothing in common make a third.
        guard let text = try? earlier.open(beneath: name).readAll(limit: .max),
            let difference = Difference.made(of: listing, from: text),
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
        let file = try manifest.open(beneath: name, flags: O_WRONLY | O_CREAT | O_EXCL)
        try contents.withUnsafeBytes { try file.write($0) }
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
