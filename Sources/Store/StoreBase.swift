internal import Files
internal import Glibc
internal import StoreLayout

/// A store that another one lies over: its store paths are referred to instead of being copied.
public struct StoreBase: Sendable, Hashable {
    /// Its root, an absolute path.
    public let path: String
    /// The name of the entry in its ``StoreLayout/Name/automaticRoots`` that says what is needed of it; nobody can guess it.
    let registration: String
}

extension Store {
    private static let heading = "sxs-bases 1"

    /// The stores that this one lies over, in the order in which they were added.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)``, `SystemError`.
    public func bases() throws -> [StoreBase] {
        let name = StoreLayout.Name.bases
        guard try root.status(of: name) != nil else { return [] }
        let text = String(decoding: try root.open(beneath: name).readAll(limit: 1 << 20), as: UTF8.self)
        var lines = text.split(separator: "\n")[...]
        let damaged = StoreError.damagedDescription(
            path: root.path(of: name), reason: "it is not what 'sxs base' writes")
        guard lines.popFirst().map({ $0 == Self.heading }) == true, text.hasSuffix("\n") else {
            throw damaged
        }
        return try lines.map { line in
            let words = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard words.count == 3, words[0] == "base", words[1].allSatisfy(\.isASCII), !words[1].isEmpty,
                !words[1].contains("/"), !words[1].hasPrefix("."), words[2].hasPrefix("/")
            else { throw damaged }
            return StoreBase(path: String(words[2]), registration: String(words[1]))
        }
    }

    private func write(_ bases: [StoreBase]) throws {
        let lines = bases.map { "base\t\($0.registration)\t\($0.path)\n" }
        try root.replaceFile(
            StoreLayout.Name.bases, contents: (Self.heading + "\n" + lines.joined()).utf8,
            through: temporary(), isDurable: true)
    }

    /// Lays this store over another one.
    ///
    /// Store paths that were in a base which is gone, and are in this one, are found again.
    ///
    /// - Parameter path: The other one's root, an absolute path.
    /// - Returns: The base, and how many store paths were found again.
    /// - Throws: ``StoreError/badBase(path:reason:)``, or why the other one cannot be read.
    public func addBase(_ path: String) throws -> (base: StoreBase, found: Int) {
        try withWriterLock(command: "base add \(path)") {
            let base = try Store.open(root: path, forWriting: false)
            try checkBase(base)
            var all = try bases()
            let entry =
                all.first { $0.path == path }
                ?? StoreBase(
                    path: path,
                    registration: "layer" + Descriptor.temporaryName(for: "sxs").replacing(".", with: "-"))
            if !all.contains(entry) {
                all.append(entry)
                try write(all)
            }
            return (entry, try findAgain(in: entry, base))
        }
    }

    private func checkBase(_ base: Store) throws {
        let fail = { (reason: String) in StoreError.badBase(path: base.path, reason: reason) }
        guard base.path.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
            throw fail("its path has control characters")
        }
        let (own, other) = (try root.status(), try base.root.status())
        guard own.st_dev != other.st_dev || own.st_ino != other.st_ino else { throw fail("it is this store") }
        // What everybody can change nobody should run; root runs what root or nobody can change.
        for name in ["."] + StoreLayout.directories.map(\.name) {
            guard let status = try base.root.status(of: name), status.st_mode & S_IFMT == S_IFDIR else {
                continue
            }
            guard status.st_mode & 0o022 == 0 else {
                throw fail("others than its owner can write to \(base.root.path(of: name))")
            }
            guard [0, geteuid()].contains(status.st_uid) || geteuid() != 0 else {
                throw fail("it belongs to user \(status.st_uid), who could change what root runs")
            }
        }
        var pending = try base.bases()
        var seen: Set<String> = []
        while let next = pending.popLast() {
            guard seen.insert(next.path).inserted, let place = try? Descriptor.directory(next.path) else {
                continue
            }
            let status = try place.status()
            guard status.st_dev != own.st_dev || status.st_ino != own.st_ino else {
                throw fail("it lies itself over this store")
            }
            pending += (try? Store.open(root: next.path, forWriting: false).bases()) ?? []
        }
    }

    /// Ends lying over another store, from which nothing may be needed any more.
    ///
    /// - Throws: ``StoreError/unknownBase(_:store:)``, ``StoreError/baseInUse(_:packages:)``.
    public func removeBase(_ path: String) throws {
        try withWriterLock(command: "base remove \(path)") {
            let all = try bases()
            guard let base = all.first(where: { $0.path == path }) else {
                throw StoreError.unknownBase(path, store: self.path)
            }
            let used = try references(to: base)
            guard used.isEmpty else { throw StoreError.baseInUse(path, packages: used) }
            _ = registerRoots(in: base)
            try write(all.filter { $0 != base })
        }
    }
}

/// Whether a base knows what is needed of it.
public enum BaseRegistration: Sendable {
    /// It does: its garbage collection leaves that.
    case registered
    /// It need not, since nobody can remove anything there.
    case needless
    /// It does not, for this user may not say so there.
    case refused
}

extension Store {
    /// The heading of a file that says which store paths a layer needs.
    static let layerHeading = "sxs-layer 1"

    /// Tells a base which of its store paths this store needs.
    ///
    /// - Parameters:
    ///   - base: The base.
    ///   - coming: Base names of store paths that are about to be referred to.
    @discardableResult
    public func registerRoots(in base: StoreBase, adding coming: [String] = []) -> BaseRegistration {
        guard let place = try? Descriptor.directory(base.path) else { return .refused }
        if (try? place.isOnReadOnlyMount()) ?? false { return .needless }
        do {
            let directory = try place.directory(
                beneath: StoreLayout.Name.collectionRoots + "/" + StoreLayout.Name.automaticRoots)
            let names = Set(try references(to: base) + coming).sorted()
            guard !names.isEmpty else {
                try directory.unlink(base.registration)
                return .registered
            }
            var lines = [Self.layerHeading, "root \(path)"]
            if let machine = MachineIdentity.current() { lines.append("machine \(machine)") }
            lines += names.map { StoreLayout.storeDirectory + "/" + $0 }
            try directory.replaceFile(
                base.registration, contents: (lines.joined(separator: "\n") + "\n").utf8, isDurable: true)
            return .registered
        } catch {
            // Not this user's to write: the base may lose the store path, which is found then.
            return .refused
        }
    }

    /// Tells all bases anew what this store needs of them.
    func renewRegistrations() throws {
        for base in try bases() { registerRoots(in: base) }
    }
}
