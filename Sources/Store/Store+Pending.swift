internal import Files
internal import Glibc
internal import StoreLayout

/// A generation is *pending* from before it is in its place until a profile was switched to it.
extension Store {
    /// Says that a generation is about to come into its place.
    func markPending(_ generation: String, in profile: Descriptor) throws {
        try profile.replaceSymlink(
            StoreLayout.Name.pending, target: generation.utf8, through: temporary())
    }

    /// Takes back generations that a crash kept from becoming the active one: nobody was told of them.
    func sweepPending() throws {
        let profiles = try root.directory(beneath: StoreLayout.Name.profiles)
        for entry in try profiles.list() {
            guard let profile = try? ProfileName(entry.text) else { continue }
            let directory = try profiles.directory(beneath: entry.text)
            guard let target = try directory.readSymlink(StoreLayout.Name.pending) else { continue }
            let name = String(decoding: target, as: UTF8.self)
            if let number = Self.generationNumber(name), try currentNumber(of: profile) != number {
                try database.transaction {
                    try database.run(
                        "DELETE FROM generation WHERE profile = ? AND number = ?",
                        [.text(profile.text), .integer(number)])
                }
                if try directory.status(of: name) != nil {
                    let temporary = try temporary()
                    let (area, held) = try ImportArea.makeHeldDirectory(in: temporary)
                    defer { withExtendedLifetime(held) {} }
                    try directory.rename(name, to: held, as: name)
                    try temporary.removeTree(area)
                }
            }
            try directory.unlink(StoreLayout.Name.pending)
        }
    }
}
