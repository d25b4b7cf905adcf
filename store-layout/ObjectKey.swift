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
    public var directoryName: String { String(digest.hex.prefix(2)) }

    /// The file's name there: `<digest>-<mode>`, with `-<attributes>` where there are some.
    ///
    /// - Parameter number: 0, or which of several objects of this key, made when a link count was full.
    public func fileName(number: Int = 0) -> String {
        var name = digest.hex + "-" + octal(UInt32(mode), width: 3)
        if let attributes { name += "-" + attributes.hex.prefix(16) }
        return number == 0 ? name : name + ".\(number)"
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
