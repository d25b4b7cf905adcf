private import Files
private import Glibc
public import StoreLayout

/// A system extension in one of the directories where systemd looks.
public struct SystemExtension: Sendable, Equatable {
    /// Its name, which is also its place in the stack.
    public let name: ExtensionName
    /// Its path on the host.
    public let path: String
    /// What it has at `/usr/store`.
    public let store: Store
    /// The store paths that a directory brings.
    public let storePaths: [String]

    /// What an extension has at `/usr/store` or `/usr/_`.
    public enum Store: Sendable, Equatable {
        /// Nothing there.
        case none
        /// A directory, or anything else that hides a link of a lower extension.
        case hides
        /// An image, which is not looked into.
        case unknown
    }
}

extension Host {
    /// The extensions that systemd would merge if they fit, in stacking order.
    ///
    /// Of two with one name the first is taken; one that is empty or leads to `/dev/null` masks others.
    public func systemExtensions() throws -> [SystemExtension] {
        var found: [String: SystemExtension] = [:]
        for directory in Anchor.searchPath {
            for entry in try names(in: directory) where !entry.hasPrefix(".") {
                let name = Self.extensionName(entry)
                guard found[name] == nil else { continue }
                let path = directory + "/" + entry
                found[name] = SystemExtension(
                    name: ExtensionName(name), path: path, store: try content(of: path),
                    storePaths: name == Anchor.name
                        ? [] : try names(in: path + StoreLayout.storeDirectory).filter(StorePath.isBaseName))
            }
        }
        return found.values.filter { !isMask($0.path) }.sorted { $0.name < $1.name }
    }

    /// Source: systemd-sysext(8), systemd.v(7).
    private static func extensionName(_ entry: String) -> String {
        var name = entry[...]
        for suffix in [".v", ".raw"] where name.hasSuffix(suffix) && name.utf8.count > suffix.utf8.count {
            name = name.dropLast(suffix.utf8.count)
        }
        return String(name)
    }

    private func content(of path: String) throws -> SystemExtension.Store {
        guard try directory(path) != nil, !path.hasSuffix(".v") else { return .unknown }
        for link in StoreLayout.hostLinks {
            guard let status = try status(path + link.path) else { continue }
            if status.st_mode & S_IFMT != S_IFLNK { return .hides }
            if try self.link(path + link.path) != link.target { return .hides }
        }
        return .none
    }

    private func isMask(_ path: String) -> Bool {
        if (try? link(path)) == "/dev/null" { return true }
        return (try? directory(path)?.list().isEmpty) == true
    }

    /// Makes `/usr/store` appear, or go, by merging extensions anew.
    ///
    /// `systemd-sysext refresh` takes the old merge away first: for a moment, files of all merged extensions are gone.
    /// Version 252 ends with status 0 also where the merge failed, so the status is not believed.
    ///
    /// - Returns: What it printed.
    public func mergeExtensions() throws -> String {
        let verb = try mergedNames() == nil ? "merge" : "refresh"
        return try ChildProcess.run(Anchor.program, [verb]).output
    }

    /// What came since the merge and would be merged now, and what is merged and would not be, the anchor aside.
    ///
    /// What was there before and is not merged did not fit the host, and still does not.
    public func pendingExtensions() throws -> (added: [String], gone: [String]) {
        let merged = Set(try mergedNames() ?? [])
        let there = try systemExtensions()
        let time = try status(Anchor.mergedNames).map(Self.changeTime)
        let added = try there.filter { found in
            guard !merged.contains(found.name.text) else { return false }
            guard let time, let changed = try status(found.path).map(Self.changeTime) else { return true }
            return changed >= time
        }
        let gone = merged.subtracting(there.map(\.name.text))
        let isOther = { (name: String) in name != Anchor.name }
        return (added.map(\.name.text).filter(isOther).sorted(), gone.filter(isOther).sorted())
    }

    /// In nanoseconds since the epoch.
    private static func changeTime(_ status: stat) -> Int {
        status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
    }
}
