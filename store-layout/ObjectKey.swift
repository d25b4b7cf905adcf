public import Files

/// What makes two files in the store one object: contents, final mode and extended attributes.
public struct ObjectKey: Hashable, Sendable {
    /// SHA-256 of the contents.
    public let digest: Digest
    /// Permission bits as they are in the store.
    public let mode: UInt16
    /// SHA-256 over the attributes; `nil` where there are none.
    public let attributes: Digest?

    /// Creates the key of a file.
    public init(digest: Digest, mode: UInt16, attributes: [ExtendedAttribute] = []) {
        self.digest = digest
        self.mode = mode
        if attributes.isEmpty {
            self.attributes = nil
        } else {
            var hasher = Hasher256()
            for attribute in attributes {
                // Lengths go before the bytes, so that no two lists run together.
                for part in [attribute.name, attribute.value] {
                    Array("\(part.count):".utf8).withUnsafeBytes { hasher.update($0) }
                    part.withUnsafeBytes { hasher.update($0) }
                }
            }
            self.attributes = hasher.finalize()
        }
    }

    /// The directory below `objects/`: two hexadecimal digits.
    public var directoryName: String {
        // A table: it is asked for with each file.
        Self.directoryNames[Int(digest.start >> 56)]
    }

    /// All of these directories' names.
    public static let directoryNames: [String] = (0..<256).map { value in
        (value < 16 ? "0" : "") + String(value, radix: 16)
    }

    /// Where the file is below `objects/`.
    ///
    /// - Parameter number: As in ``fileName(number:)``.
    public func path(number: Int = 0) -> String { directoryName + "/" + fileName(number: number) }

    /// The file's name there: `<digest>-<mode>`, with `-<attributes>` where there are some.
    ///
    /// - Parameter number: 0, or which of several objects of this key, made when a link count was full.
    public func fileName(number: Int = 0) -> String {
        let digits = Digest.byteCount * 2
        // At once: it is made for each file.
        var name = String(unsafeUninitializedCapacity: digits + 4) { buffer in
            digest.writeHex(to: UnsafeMutableRawBufferPointer(buffer))
            buffer[digits] = UInt8(ascii: "-")
            for place in 0..<3 {
                buffer[digits + 1 + place] = 0x30 + UInt8(truncatingIfNeeded: mode >> (6 - 3 * place) & 7)
            }
            return digits + 4
        }
        if let attributes { name += "-" + attributes.hex.prefix(16) }
        return number == 0 ? name : name + ".\(number)"
    }
}

extension ObjectKey {
    /// 64 bits that tell objects apart well enough to count them.
    public var fingerprint: UInt64 {
        Self.mix(digest.start, mode: mode, attributes: attributes?.start)
    }

    /// The ``fingerprint`` of the object that has a file name; `nil` for what is no object's name.
    public static func fingerprint(fileName: UnsafeRawBufferPointer) -> UInt64? {
        let hyphen = UInt8(ascii: "-")
        guard fileName.count >= 68, fileName[64] == hyphen, let digest = hexadecimal(fileName, at: 0) else {
            return nil
        }
        var mode: UInt16 = 0
        for byte in fileName[65..<68] {
            guard (0x30...0x37).contains(byte) else { return nil }
            mode = mode << 3 | UInt16(byte - 0x30)
        }
        guard fileName.count > 68, fileName[68] == hyphen else {
            return mix(digest, mode: mode, attributes: nil)
        }
        guard fileName.count >= 85, let attributes = hexadecimal(fileName, at: 69) else { return nil }
        return mix(digest, mode: mode, attributes: attributes)
    }

    private static func mix(_ digest: UInt64, mode: UInt16, attributes: UInt64?) -> UInt64 {
        digest &+ UInt64(mode) &* 0x9e37_79b9_7f4a_7c15 ^ (attributes ?? 0)
    }

    private static func hexadecimal(_ text: UnsafeRawBufferPointer, at start: Int) -> UInt64? {
        var value: UInt64 = 0
        for byte in text[start..<(start + 16)] {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x61 + 10)
            default: return nil
            }
        }
        return value
    }
}

extension Tree.Node {
    /// The permission bits this node has in the store: nothing there is writable.
    public var storedMode: UInt16 {
        if case .symlink = kind { return 0o777 }
        return mode & 0o555
    }
}

extension ExtendedAttribute {
    /// Whether the attribute is content: kept, and part of the hash.
    ///
    /// `user.*` are, except those that container tools leave behind (`user.overlay.*`, `user.containers.*`).
    /// Labels, capabilities, ACLs and signatures (`security.*`, `system.*`, `trusted.*`) belong to the host.
    public var counts: Bool {
        name.hasPrefix("user.") && !name.hasPrefix("user.overlay.") && !name.hasPrefix("user.containers.")
    }
}
