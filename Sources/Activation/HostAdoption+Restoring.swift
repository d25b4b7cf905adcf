internal import Files
private import Glibc
public import StoreLayout

/// The way back: each entry exactly where it was.
extension HostAdoption {
    /// Gives an entry back; one that is back already is fine.
    ///
    /// - Returns: Why it cannot be, in words; `nil` if it is as it was.
    public func restore(_ entry: AdoptionRecord.Entry) throws -> String? {
        try makeDirectory(Host.parent(of: entry.path))
        let directory = try parent(of: entry.path)
        let name = Host.name(of: entry.path)
        try directory.unlink(AdoptionLayout.unfinishedPrefix + name)
        let left: String?
        if entry.kind == .link {
            left = try restoreLink(entry, in: directory, name)
        } else {
            left = try restoreOriginal(entry, in: directory, name)
        }
        guard left == nil else { return left }
        if let link = entry.link, link != name, try isOurs(entry, link: link) { try directory.unlink(link) }
        if entry.fate == .quarantined { try forget(reasonFor: entry) }
        try directory.synchronize()
        return nil
    }

    private func restoreLink(
        _ entry: AdoptionRecord.Entry, in directory: Descriptor, _ name: String
    ) throws -> String? {
        let there = try host.link(entry.path)
        if there != entry.target {
            let isReplaced = try isOurs(entry)
            if !isReplaced, try directory.status(of: name) != nil { return "something else is there now" }
            try placeLink(name, to: entry.target, in: directory)
        }
        try forget(entry)
        return nil
    }

    /// Removes the further name of a link's image, which is where it was all the time.
    public func forget(_ entry: AdoptionRecord.Entry) throws {
        guard entry.kind == .link, let original = entry.original, try host.status(original) != nil else {
            return
        }
        try parent(of: original).unlink(Host.name(of: original))
    }

    private func restoreOriginal(
        _ entry: AdoptionRecord.Entry, in directory: Descriptor, _ name: String
    ) throws -> String? {
        guard let original = entry.original else { return nil }
        let status = try directory.status(of: name)
        let isReplaced = try isOurs(entry)
        guard let there = try host.status(original),
            !(there.st_mode.isLink && status?.st_mode.isLink == false)
        else {
            // It was never moved, or is back; of a link that was to take its place nothing is to stay.
            if let place = try host.directory(Host.parent(of: original)),
                try place.status(of: Host.name(of: original))?.st_mode.isLink == true
            {
                try place.unlink(Host.name(of: original))
            }
            return status != nil && !isReplaced ? nil : "\(original) is gone"
        }
        let (place, newName) = (try parent(of: original), Host.name(of: original))
        defer { try? place.synchronize() }
        guard let status else {
            try place.rename(newName, to: directory, asNew: name)
            return nil
        }
        if status.st_ino == there.st_ino, status.st_dev == there.st_dev {
            if entry.kind == .file { try place.unlink(newName) }
            return nil
        }
        guard isReplaced else { return "something else is there now" }
        if entry.kind == .file {
            try place.rename(newName, to: directory, as: name)
        } else {
            do {
                try place.exchange(newName, with: name, in: directory)
                try place.unlink(newName)
            } catch let error as SystemError where [EINVAL, ENOSYS].contains(error.code) {
                try directory.unlink(name)
                try place.rename(newName, to: directory, asNew: name)
            }
        }
        return nil
    }

    private func forget(reasonFor entry: AdoptionRecord.Entry) throws {
        guard let directory = try host.directory(AdoptionLayout.quarantine) else { return }
        let name = Host.name(of: Self.reasonPath(of: entry))
        try directory.unlink(name)
        try directory.unlink(HostSetup.unfinished + name)
    }
}
