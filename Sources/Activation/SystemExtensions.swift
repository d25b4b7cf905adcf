private import Files
private import Glibc
public import StoreLayout

/// A system extension in one of the directories where systemd looks.
public struct SystemExtension: Sendable, Equatable {
    /// Its name, which is also its place in the stack.
    public let name: ExtensionName
    /// Its path on the host.
    public let path: String
}

extension Host {
    /// The extensions that systemd would merge if they fit, in stacking order.
    ///
    /// Of two with one name the first is taken; one that is empty or leads to `/dev/null` masks others. Links into
    /// nothing are passed over.
    public func systemExtensions() throws -> [SystemExtension] {
        var found: [String: SystemExtension] = [:]
        for directory in Anchor.searchPath {
            for entry in try names(in: directory) where !entry.hasPrefix(".") {
                let name = Self.extensionName(entry)
                guard found[name] == nil else { continue }
                found[name] = SystemExtension(name: ExtensionName(name), path: directory + "/" + entry)
            }
        }
        return try found.values.filter { try !isMask($0.path) && followed($0.path) != nil }.sorted {
            $0.name < $1.name
        }
    }

    /// Source: systemd-sysext(8), systemd.v(7).
    private static func extensionName(_ entry: String) -> String {
        var name = entry[...]
        for suffix in [".v", ".raw"] where name.hasSuffix(suffix) && name.utf8.count > suffix.utf8.count {
            name = name.dropLast(suffix.utf8.count)
        }
        return String(name)
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
    /// - Parameter fits: Whether systemd would merge an extension; `nil` where that is not known. Then what was there
    ///   before and is not merged is taken not to fit.
    public func pendingExtensions(
        fits: (SystemExtension) throws -> Bool?
    ) throws -> (added: [String], gone: [String]) {
        let merged = Set(try mergedNames() ?? [])
        let there = try systemExtensions()
        let time = try status(Anchor.mergedNames).map(Self.changeTime)
        let added = try there.filter { found in
            guard !merged.contains(found.name.text) else { return false }
            if let fits = try fits(found) { return fits }
            guard let time, let changed = try status(found.path).map(Self.changeTime) else { return true }
            return changed >= time
        }
        let staying = try there.filter { try !merged.contains($0.name.text) || fits($0) != false }
        let gone = merged.subtracting(staying.map(\.name.text))
        let isOther = { (name: String) in name != Anchor.name }
        return (added.map(\.name.text).filter(isOther).sorted(), gone.filter(isOther).sorted())
    }

    /// In nanoseconds since the epoch.
    private static func changeTime(_ status: stat) -> Int {
        status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
    }
}
