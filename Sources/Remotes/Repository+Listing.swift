internal import Files
private import FoundationEssentials
internal import Glibc
internal import StoreLayout

extension Repository {
    /// What writing the listing came to.
    public struct Outcome: Sendable {
        /// What the listing names.
        public let index: RepositoryIndex
        /// Who signed it, in words.
        public let signers: [String]
        /// The last day on which it is good; `nil` for ever.
        public let bestBefore: String?
    }

    /// What is known of a file that did not change since.
    private struct Known: Codable {
        var size: Int
        var changed: Int
        var package: RepositoryIndex.Package
    }

    /// Writes the listing, and signs it.
    ///
    /// - Parameters:
    ///   - time: Now, in seconds since the epoch.
    ///   - removed: Given what there is, names files that go.
    ///   - look: Finds out about an image that is not known yet.
    /// - Throws: ``RepositoryError``, ``MinisignError``, `SystemError`, and what `look` throws; the listing that was there
    ///   is there then.
    public func index(
        time: Int, removing removed: ([RepositoryIndex.Package]) throws -> [String] = { _ in [] },
        _ look: (_ file: String) throws -> Facts
    ) throws -> Outcome {
        // Before anything is changed.
        let key = try description.key.map { try SigningKey(file: $0) }
        var known = try examine(images(), look)
        let gone = try removed(Self.sorted(known.values.map(\.package)))
        for file in gone { known[file] = nil }
        let found = try collections().filter { !gone.contains($0.file) }
        let packages = try Self.sorted(known.values.map(\.package))
        let previous = try Self.index(in: own, of: path)
        for entry in found {
            let names = packages.map(\.name)
            guard let missing = entry.collection.packages.first(where: { !names.contains($0) }) else {
                continue
            }
            throw RepositoryError.brokenCollection(entry.collection.name, missing: missing)
        }
        // Servers tell versions of a file by its time in seconds, and readers take no older listing than they saw.
        // Also where the index was lost.
        let numbers = try own.list().map(\.text).filter { $0.hasPrefix(Self.listingPrefix) }.compactMap {
            Int($0.dropFirst(Self.listingPrefix.count))
        }
        let index = RepositoryIndex(
            serial: max(previous.serial, numbers.max() ?? 0) + 1, updated: max(time, previous.updated + 1),
            title: description.title,
            packages: packages,
            collections: Dictionary(
                uniqueKeysWithValues: found.map { entry in
                    (
                        entry.collection.name,
                        RepositoryIndex.Collection(
                            summary: entry.collection.summary, packages: entry.collection.packages)
                    )
                }))
        var outcome: Outcome?
        try remove(gone) {
            outcome = try write(
                index, found.map { ($0.file, Digest(hashing: $0.bytes).hex) }, key)
            // It saves time and nothing else; the listing stands.
            try? replace(Self.known, in: own, with: RepositoryIndex.text(known))
        }
        guard let outcome else { preconditionFailure("the listing is written at once") }
        return outcome
    }

    /// The files beside an image that say what hosts it is for.
    static func companions(of file: String) -> (record: String, manifest: String) {
        var stem = file
        if let suffix = RemoteLayout.imageSuffixes.first(where: { file.hasSuffix($0) }) {
            stem.removeLast(suffix.count)
        }
        return (file + RemoteLayout.jsonSuffix, stem + RemoteLayout.manifestSuffix)
    }

    private static func sorted(_ packages: [RepositoryIndex.Package]) throws -> [RepositoryIndex.Package] {
        try packages.sorted { left, right in
            guard left.name == right.name else { return left.name < right.name }
            guard left.version == right.version else {
                return try PackageVersion(right.version) < PackageVersion(left.version)
            }
            return left.file < right.file
        }
    }

    private func examine(
        _ names: [String], _ look: (_ file: String) throws -> Facts
    ) throws -> [String: Known] {
        let known = try knownFiles()
        var result: [String: Known] = [:]
        for name in names {
            guard let status = try directory.status(of: name), status.st_mode & S_IFMT == S_IFREG else {
                throw RepositoryError.noFile(path(of: name))
            }
            let changed = status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
            if let there = known[name], there.size == Int(status.st_size), there.changed == changed {
                result[name] = there
                continue
            }
            let facts = try look(name)
            result[name] = Known(
                size: Int(status.st_size), changed: changed,
                package: RepositoryIndex.Package(
                    name: facts.name, version: facts.version,
                    architecture: facts.architecture == .any ? nil : "\(facts.architecture)", file: name,
                    size: Int(status.st_size), digest: try Digest(hashing: directory.open(beneath: name)),
                    summary: facts.summary,
                    commands: facts.commands, release: facts.release))
        }
        return result
    }

    private func knownFiles() throws -> [String: Known] {
        guard try own.status(of: Self.known) != nil else { return [:] }
        let bytes = try own.open(beneath: Self.known).readAll()
        // It saves time and nothing else.
        return (try? JSONDecoder().decode([String: Known].self, from: Data(bytes))) ?? [:]
    }

    private func write(
        _ index: RepositoryIndex, _ collections: [(String, String)], _ key: SigningKey?
    ) throws -> Outcome {
        var listed = collections
        for package in index.packages {
            listed.append((package.file, package.digest))
            // Nothing is said of what was not looked into.
            guard !package.release.isEmpty else { continue }
            let record = ImageRecord(image_name: package.file, sysext: package.release)
            let manifest = try ImageManifest(package).compressed()
            let names = Self.companions(of: package.file)
            for (name, bytes) in [
                (names.record, try RepositoryIndex.text(record)), (names.manifest, manifest),
            ]
            where try directory.status(of: name) == nil || directory.open(beneath: name).readAll() != bytes {
                try replace(name, in: directory, with: bytes)
            }
            // Not the record: the sysupdate of systemd 257 takes `hello-1.raw.json` for `hello-1.raw`.
            listed.append((names.manifest, Digest(hashing: manifest).hex))
        }
        let text = try index.text()
        listed.append((RemoteLayout.index, Digest(hashing: text).hex))
        let bestBefore = description.validDays.map {
            CivilTime(index.updated + $0 * 86400).date
        }
        if let bestBefore {
            // An empty file, so that the line is as all others are.
            let name = RemoteLayout.bestBefore + bestBefore
            listed.append((name, Digest(hashing: []).hex))
            if try directory.status(of: name) == nil { try replace(name, in: directory, with: []) }
        }
        // By bytes, whatever the host's language.
        listed.sort { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
        let sums = Bytes(listed.map { "\($0.1)  \($0.0)\n" }.joined().utf8)
        let (signatures, signers) = try sign(sums, key, index)
        try publish(
            [(RemoteLayout.index, text), (RemoteLayout.checksums, sums)]
                + signatures.map { (RemoteLayout.checksums + $0.suffix, $0.bytes) },
            number: index.serial, time: index.updated)
        for name in try directory.list().map(\.text) where name.hasPrefix(RemoteLayout.bestBefore) {
            if name != bestBefore.map({ RemoteLayout.bestBefore + $0 }) { try directory.unlink(name) }
        }
        return Outcome(index: index, signers: signers, bestBefore: bestBefore)
    }

    /// Puts files in the place of those that were published, in one step.
    private func publish(_ files: [(name: String, bytes: Bytes)], number: Int, time: Int) throws {
        let previous = try own.readSymlink(Self.current).map { String(decoding: $0, as: UTF8.self) }
        let name = Self.listingPrefix + "\(number)"
        try withArea { area, _ in
            try area.makeDirectory("listing", mode: 0o755)
            let listing = try area.directory(beneath: "listing")
            for file in files {
                try listing.replaceFile(file.name, contents: file.bytes, isDurable: true)
                try listing.setTimes(time, of: file.name)
            }
            try listing.setMode(0o755)
            try listing.synchronize()
            // What a crash left before the switch.
            if try own.status(of: name) != nil { try own.removeTree(name) }
            try area.rename("listing", to: own, asNew: name)
            let inListing = { (file: String) in
                Bytes([RepositoryDescription.directory, Self.current, file].joined(separator: "/").utf8)
            }
            // A link that leads nowhere yet harms nobody; a new listing without the link to its signature would.
            func link() throws {
                for file in files where try !isLink(file.name, to: inListing(file.name)) {
                    try directory.replaceSymlink(file.name, target: inListing(file.name), through: area)
                }
            }
            // Of a directory that was no repository yet, the listing is another's until there is one of ours.
            if previous != nil { try link() }
            try own.synchronize()
            // The names of all that it lists are on the disk before it is.
            try directory.synchronize()
            try own.replaceSymlink(Self.current, target: name.utf8, through: area)
            try link()
        }
        try own.synchronize()
        let names = files.map(\.name)
        for suffix in RemoteLayout.signatureSuffixes + [RemoteLayout.minisignSuffix] {
            // A signature that is none of ours is over another listing.
            let signature = RemoteLayout.checksums + suffix
            if !names.contains(signature) { try directory.unlink(signature) }
        }
        try directory.synchronize()
        // The last one stays for whoever is reading it.
        for entry in try own.list().map(\.text)
        where entry.hasPrefix(Self.listingPrefix) && entry != name && entry != previous {
            try own.removeTree(entry)
        }
    }

    private func isLink(_ name: String, to target: Bytes) throws -> Bool {
        guard let status = try directory.status(of: name), status.st_mode & S_IFMT == S_IFLNK else {
            return false
        }
        return try directory.readSymlink(name) == target
    }

    private func sign(
        _ sums: Bytes, _ key: SigningKey?, _ index: RepositoryIndex
    ) throws -> (files: [(suffix: String, bytes: Bytes)], signers: [String]) {
        var files: [(suffix: String, bytes: Bytes)] = []
        var signers: [String] = []
        if let key {
            let signature = key.sign(
                sums, file: RemoteLayout.checksums, time: index.updated, serial: index.serial)
            files.append((RemoteLayout.minisignSuffix, Bytes(signature.text.utf8)))
            signers.append("the key \(key.verifying.name)")
        }
        if let name = description.openPGPKey {
            let signature = try withArea { area, path in
                try area.replaceFile(RemoteLayout.checksums, contents: sums)
                return try OpenPGPSigner(key: name).sign(path + "/" + RemoteLayout.checksums)
            }
            files.append((RemoteLayout.signatureSuffixes[0], signature))
            signers.append("GnuPG's key \(name)")
        }
        return (files, signers)
    }
}
