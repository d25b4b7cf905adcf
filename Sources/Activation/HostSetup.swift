internal import Files
private import Glibc
public import StoreLayout

/// Making and removing what `sxs setup` puts on a host, one item at a time.
public struct HostSetup {
    /// What is where an item is to be.
    public enum State: Equatable, Sendable {
        /// Nothing.
        case missing
        /// The item.
        case same
        /// What sxs made there before, untouched, and not what it makes now.
        case outdated
        /// Anything else, in words.
        case foreign(String)
    }

    /// The host.
    public let host: Host

    /// Begins the name of a file that is not in its place yet.
    static let unfinished = ".sxs-new."

    /// Creates a setup of a host.
    public init(_ host: Host) {
        self.host = host
    }

    /// All items of a method, directories that must be made before what is in them.
    public func items(_ method: SetupMethod) throws -> [HostItem] {
        var items = StoreLayout.profileLinks.map {
            HostItem(
                path: [StoreLayout.systemRoot, StoreLayout.Name.store, $0.name].joined(separator: "/"),
                kind: .link($0.target))
        }
        items += StoreLayout.hostFiles
        let hasManager = try Anchor.unitDirectories.contains { try host.directory($0) != nil }
        if hasManager { items += try StoreLayout.serviceItems + PreparationLayout.units(where: has) }
        if try has(PreparationLayout.transactional) { items.append(PreparationLayout.plugin) }
        if hasManager, try host.directory(VarlinkLayout.policyDirectory) != nil {
            let isWritable = try method == .links && host.facts().isUsrWritable
            items.append(
                VarlinkLayout.policy(
                    in: isWritable ? VarlinkLayout.policyDirectory : VarlinkLayout.ownPolicyDirectory))
        }
        switch method {
        case .links:
            items += StoreLayout.hostLinks.map { HostItem(path: $0.path, kind: .link($0.target)) }
        case .anchor:
            if let directory = try Anchor.unitDirectories.first(where: {
                try host.status($0 + "/" + Anchor.unit) != nil
            }) {
                items.append(
                    HostItem(
                        path: Anchor.wantedUnits + "/" + Anchor.unit,
                        kind: .link(directory + "/" + Anchor.unit)))
                items += StoreLayout.adoptionUnits
            }
            items.append(HostItem(path: Anchor.path, kind: .anchor))
        }
        // Directories in the root are the store's to make, those of the policy semodule's.
        return try withDirectories(items).filter {
            $0.kind != .directory || !$0.path.hasPrefix(StoreLayout.systemRoot + "/")
        } + [HostPolicy(host)?.item].compactMap { $0 }
    }

    /// Whether the host has a program that writes other versions of it.
    private func has(_ sign: PreparationLayout.Sign) throws -> Bool {
        guard try sign.programs.contains(where: { try host.status($0) != nil }) else { return false }
        return try sign.directories.isEmpty || sign.directories.contains { try host.status($0) != nil }
    }

    /// Whether the host has what changes an SELinux policy.
    public static var canChangePolicies: Bool { HostPolicy.isManageable }

    /// Directories that are not there go before what is in them.
    public func withDirectories(_ items: [HostItem]) throws -> [HostItem] {
        var known: Set<String> = []
        return try items.flatMap { item in
            var missing: [HostItem] = []
            var parent = Host.parent(of: item.path)
            while parent != "/", known.insert(parent).inserted {
                if try host.directory(parent) == nil {
                    missing.append(HostItem(path: parent, kind: .directory))
                }
                parent = Host.parent(of: parent)
            }
            return missing.reversed() + [item]
        }
    }

    /// What is where an item is to be.
    public func state(of item: HostItem, _ record: SetupRecord?) throws -> State {
        guard let status = try host.status(item.path) else { return .missing }
        let made = record?.entries.last { $0.path == item.path }
        switch item.kind {
        case .directory: return try host.directory(item.path) == nil ? .foreign("no directory") : .same
        case .file(let contents):
            guard let there = try host.contents(item.path) else { return .foreign("no regular file") }
            if there == contents { return .same }
            return made == .file(item.path, Digest(hashing: there))
                ? .outdated : .foreign("a file that sxs did not write, or that was changed")
        case .link(let target):
            guard let there = try host.link(item.path) else {
                return .foreign(status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "no link")
            }
            // Whoever enabled the unit before: it is enabled.
            if there == target || item.path.hasPrefix(Anchor.wantedUnits) { return .same }
            return made == .link(item.path, target: there) ? .outdated : .foreign("a link to \(there)")
        case .policyModule:
            // Kept as the manager has it, compressed: what was installed is known from the record alone.
            guard case .policyModule = made else {
                return .foreign("a policy module that sxs did not install")
            }
            return made == SetupRecord.Entry(item) ? .same : .outdated
        case .anchor:
            return try isUntouchedAnchor() ? .same : .foreign("a directory that is not as sxs makes it")
        }
    }

    /// Whether the anchor holds what it should and nothing else.
    private func isUntouchedAnchor() throws -> Bool {
        var expected: [String: Set<String>] = [:]
        for entry in Anchor.entries {
            let path = Anchor.path + "/" + entry.path
            expected[Host.parent(of: path), default: []].insert(Host.name(of: path))
            switch entry.kind {
            case .file(let contents): guard try host.contents(path) == contents else { return false }
            case .link(let target): guard try host.link(path) == target else { return false }
            case .directory, .anchor, .policyModule:
                guard try host.directory(path) != nil else { return false }
            }
        }
        return try expected.allSatisfy { try host.names(in: $0.key).allSatisfy($0.value.contains) }
    }

    /// Makes an item in one step: whoever looks finds what was there, or all of it.
    public func make(_ item: HostItem) throws {
        if case .policyModule(let text) = item.kind {
            let place = try parent(of: StoreLayout.systemRoot + "/" + StoreLayout.Name.temporary + "/file")
            return try policy().install(text, by: place)
        }
        let parent = try parent(of: item.path)
        let name = Host.name(of: item.path)
        let temporary = Self.unfinished + name
        switch item.kind {
        case .directory: try parent.makeDirectory(name)
        case .file(let contents):
            try parent.unlink(temporary)
            let file = try parent.open(
                beneath: temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
            do {
                try file.write(contents, at: 0)
                try file.setMode(0o644)
                try file.synchronize()
                try parent.rename(temporary, to: parent, as: name)
            } catch {
                // The first error is the one to report; left there, it would keep its directory from being taken back.
                try? parent.unlink(temporary)
                throw error
            }
        case .link(let target):
            try parent.unlink(temporary)
            try parent.makeSymlink(temporary, target: target.utf8)
            try parent.rename(temporary, to: parent, as: name)
        case .policyModule: break
        case .anchor:
            try removeUnfinishedAnchor(in: parent)
            try parent.makeDirectory(Anchor.unfinishedName)
            let anchor = try parent.directory(beneath: Anchor.unfinishedName)
            for entry in Anchor.entries {
                switch entry.kind {
                case .directory, .anchor, .policyModule: try anchor.makeDirectory(entry.path)
                case .link(let target): try anchor.makeSymlink(entry.path, target: target.utf8)
                case .file(let contents):
                    let file = try anchor.open(
                        beneath: entry.path, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
                    try file.write(contents, at: 0)
                }
            }
            // Whole also after a crash: an extension without its description makes every merge fail.
            try parent.synchronizeFileSystem()
            try parent.rename(Anchor.unfinishedName, to: parent, as: name)
        }
        try parent.synchronize()
    }

    /// Removes what was made, if it is as it was made.
    ///
    /// - Returns: Why it stays, in words; `nil` if it is gone.
    public func remove(_ entry: SetupRecord.Entry) throws -> String? {
        guard let parent = try host.directory(Host.parent(of: entry.path)) else { return nil }
        let name = Host.name(of: entry.path)
        if case .policyModule = entry { return try removeModule(name, in: parent) }
        if case .anchor = entry { try removeUnfinishedAnchor(in: parent) }
        try parent.unlink(Self.unfinished + name)
        guard let status = try parent.status(of: name) else { return nil }
        switch entry {
        case .directory:
            guard status.st_mode & S_IFMT == S_IFDIR else { return "it is no directory any more" }
            guard try parent.directory(beneath: name).list().isEmpty else { return "it is not empty" }
            try parent.removeDirectory(name)
        case .file(_, let digest):
            guard let there = try host.contents(entry.path), Digest(hashing: there) == digest else {
                return "it was changed"
            }
            try parent.unlink(name)
        case .link(_, let target):
            guard try host.link(entry.path) == target else { return "it was changed" }
            try parent.unlink(name)
        case .policyModule: break
        case .anchor:
            guard try isUntouchedAnchor() else { return "it was changed" }
            // At once, for a merge that is going on.
            try parent.rename(name, to: parent, as: Anchor.unfinishedName)
            try removeUnfinishedAnchor(in: parent)
        }
        try parent.synchronize()
        return nil
    }

    private func removeModule(_ name: String, in modules: Descriptor) throws -> String? {
        guard try modules.status(of: name) != nil else { return nil }
        do {
            try policy().remove()
            return nil
        } catch let error as SetupError {
            // The rest goes nevertheless: a rule for paths that are not there does no harm.
            return "\(error)".split(separator: "\n").first.map(String.init)
        }
    }

    private func policy() throws -> HostPolicy {
        guard let policy = try HostPolicy(host) else {
            throw SetupError.policyModule(output: "the host has no SELinux policy any more")
        }
        return policy
    }

    /// Removes what a crash, or ``remove(_:)``, left of an anchor: only what it can hold, and whatever is missing.
    private func removeUnfinishedAnchor(in parent: Descriptor) throws {
        guard try parent.status(of: Anchor.unfinishedName) != nil else { return }
        for entry in Anchor.entries.reversed() + [("", .directory)] {
            let path = Anchor.unfinishedName + (entry.path.isEmpty ? "" : "/" + entry.path)
            guard try parent.status(of: path) != nil else { continue }
            if case .directory = entry.kind {
                try parent.removeDirectory(path)
            } else {
                try parent.unlink(path)
            }
        }
    }

    /// Removes the root, the record last: until then the next undo goes on.
    public func removeRoot() throws {
        guard let root = try host.directory(StoreLayout.systemRoot),
            let parent = try host.directory(Host.parent(of: StoreLayout.systemRoot))
        else { return }
        let last = [StoreLayout.Name.format, StoreLayout.Name.setup]
        for entry in try root.list() where !last.contains(entry.text) { try root.removeTree(entry.text) }
        // What has a format is a store, which a setup in between would use.
        try root.unlink(StoreLayout.Name.format)
        // At once: an empty root would not be known to be ours.
        let name = Host.name(of: StoreLayout.systemRoot)
        try parent.rename(name, to: parent, as: Self.unfinished + name)
        try removeRemains()
    }

    /// Removes what an undo left that was interrupted in its last step.
    public func removeRemains() throws {
        try host.directory(StoreLayout.systemRoot)?.removeRemains()
        let name = Self.unfinished + Host.name(of: StoreLayout.systemRoot)
        guard let parent = try host.directory(Host.parent(of: StoreLayout.systemRoot)),
            try parent.status(of: name) != nil
        else { return }
        try parent.unlink(name + "/" + StoreLayout.Name.setup)
        try parent.removeDirectory(name)
    }

    /// The record of what was made; `nil` where there is none.
    public func record() throws -> SetupRecord? {
        let path = StoreLayout.systemRoot + "/" + StoreLayout.Name.setup
        guard let text = try host.contents(path) else { return nil }
        guard let record = SetupRecord(parsing: text) else {
            throw SetupError.damagedRecord(host.outside(path))
        }
        return record
    }

    /// Writes the record, or removes it.
    public func write(_ record: SetupRecord?) throws {
        let item = HostItem(
            path: StoreLayout.systemRoot + "/" + StoreLayout.Name.setup, kind: .file(record?.text ?? []))
        guard record == nil else { return try make(item) }
        let root = try parent(of: item.path)
        try root.unlink(StoreLayout.Name.setup)
        try root.unlink(Self.unfinished + StoreLayout.Name.setup)
        try root.synchronize()
    }

    private func parent(of path: String) throws -> Descriptor {
        let parent = Host.parent(of: path)
        guard let directory = try host.directory(parent) else {
            throw SystemError("open directory", host.outside(parent), code: ENOTDIR)
        }
        return directory
    }
}
