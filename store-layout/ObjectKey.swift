public import Files

/// What makes two files in the store one object, which is one file with several names: contents, final mode and extended
/// attributes.
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
}

extension ObjectKey {
    /// 64 bits that tell objects apart well enough to count them.
    public var fingerprint: UInt64 {
        Self.mix(digest.start, mode: mode, attributes: attributes?.start)
    }

    /// The ``fingerprint`` of an object without attributes.
    ///
    /// - Parameter digest: ``Digest/start`` of its digest.
    public static func fingerprint(digest: UInt64, mode: UInt16) -> UInt64 {
        mix(digest, mode: mode, attributes: nil)
    }

    private static func mix(_ digest: UInt64, mode: UInt16, attributes: UInt64?) -> UInt64 {
        digest &+ UInt64(mode) &* 0x9e37_79b9_7f4a_7c15 ^ (attributes ?? 0)
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
