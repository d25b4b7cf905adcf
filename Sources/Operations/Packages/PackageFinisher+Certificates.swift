internal import Files

/// What update-ca-certificates does: a bundle of all certificates, a link to each, and links by their subjects.
extension PackageFinisher {
    private static let source: TreePath = "usr/share/ca-certificates"
    private static let target: TreePath = "etc/ssl/certs"
    private static let bundle = "ca-certificates.crt"

    private var certificates: [TreePath] {
        tree.sortedPaths.filter { path in
            guard path.isWithin(Self.source), case .file = tree[path]?.kind else { return false }
            return path.bytes.suffix(4).elementsEqual(".crt".utf8)
        }
    }

    /// Writes the links, and gives what makes those by subject.
    mutating func certificateBuilds() -> [CacheBuild] {
        guard !certificates.isEmpty, tree[Self.target.appending(Self.bundle.utf8)] == nil else { return [] }
        for path in certificates {
            let name = Bytes(path.name.dropLast(4).map { $0 == 0x20 ? UInt8(ascii: "_") : $0 })
            let link = Self.target.appending(name + Bytes(".pem".utf8))
            guard tree[link] == nil else { continue }
            // A name that is too long is no certificate's.
            try? self.link(link, to: [UInt8(ascii: "/")] + path.bytes)
        }
        guard let program = find("usr/bin/openssl").first else { return [] }
        let target = Self.target
        return [
            CacheBuild(
                name: "certificates by subject", program: program, arguments: ["rehash", "/out"],
                input: target,
                // Links by subject lead to names beside them; those that were there lead elsewhere.
                place: { path in
                    path.bytes.suffix(4).elementsEqual(".pem".utf8) ? nil : target.appending(path: path)
                })
        ]
    }

    /// Writes the bundle.
    mutating func bundleCertificates() throws {
        let bundle = Self.target.appending(Self.bundle.utf8)
        let certificates = certificates
        guard !certificates.isEmpty, tree[bundle] == nil else { return }
        var text: Bytes = []
        var names: Bytes = []
        for path in certificates {
            text += try read(path) ?? []
            if text.last != 0x0a { text.append(0x0a) }
            names += path.bytes.dropFirst(Self.source.bytes.count + 1) + [0x0a]
        }
        try write(text, to: bundle)
        if tree["etc/ca-certificates.conf"] == nil { try write(names, to: "etc/ca-certificates.conf") }
        made("certificates", certificates.count)
    }
}
