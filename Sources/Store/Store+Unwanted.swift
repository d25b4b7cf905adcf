internal import Files
internal import Glibc
internal import StoreLayout

/// Generations of which a crash left the directory: those that were being deleted, and *pending* ones, as a generation
/// is from before it is in its place until a profile was switched to it.
extension Store {
    /// Says that a generation is about to come into its place.
    func markPending(_ generation: String, in profile: Descriptor) throws {
        try profile.replaceSymlink(
            StoreLayout.Name.pending, target: generation.utf8, through: temporary())
    }

    /// Takes generations out of the index, and notes that their directories are to go; part of a transaction.
    func unregister(_ generations: some Sequence<Int>, of profile: ProfileName) throws {
        for number in generations {
            let key: [DatabaseValue] = [.text(profile.text), .integer(number)]
            try database.run("DELETE FROM generation WHERE profile = ? AND number = ?", key)
            try database.run("INSERT OR IGNORE INTO deleted_generation (profile, number) VALUES (?, ?)", key)
        }
    }

    /// Takes the notes back of generations whose directories are gone; part of a transaction.
    func forget(_ generations: some Sequence<Int>, of profile: ProfileName) throws {
        for number in generations {
            try database.run(
                "DELETE FROM deleted_generation WHERE profile = ? AND number = ?",
                [.text(profile.text), .integer(number)])
        }
    }

    /// Removes what interrupted commands left of generations.
    func sweepGenerations() throws {
        try unregisterPending()
        let gone = try database.query("SELECT profile, number FROM deleted_generation") {
            (profile: $0.text(0), number: $0.integer(1))
        }
        guard !gone.isEmpty else { return }
        let temporary = try temporary()
        // Straight into `tmp`, where nobody else removes anything now: there may be no inode for a directory of its own.
        var moved: [String] = []
        for (profile, number) in gone {
            let directory = try root.directory(beneath: "\(StoreLayout.Name.profiles)/\(profile)")
            let generation = "\(StoreLayout.Name.generationPrefix)\(number)"
            guard try directory.status(of: generation) != nil else { continue }
            let name = String(UInt64.random(in: .min ... .max), radix: 36) + "-" + generation
            try directory.rename(generation, to: temporary, as: name)
            moved.append(name)
            try directory.synchronize()
        }
        try database.transaction { try database.run("DELETE FROM deleted_generation") }
        for name in moved { try temporary.removeTree(name) }
    }

    /// Takes generations back that a crash kept from becoming the active one: nobody was told of them.
    private func unregisterPending() throws {
        let last = try lastGenerations()
        let profiles = try root.directory(beneath: StoreLayout.Name.profiles)
        for entry in try profiles.list() {
            guard let profile = try? ProfileName(entry.text) else { continue }
            let directory = try profiles.directory(beneath: entry.text)
            if let number = try lostGeneration(of: profile, last: last[profile.text]) {
                try database.transaction { try unregister([number], of: profile) }
            }
            guard let target = try directory.readSymlink(StoreLayout.Name.pending) else { continue }
            let name = String(decoding: target, as: UTF8.self)
            if let number = Self.generationNumber(name), try currentNumber(of: profile) != number {
                try database.transaction { try unregister([number], of: profile) }
            }
            try directory.unlink(StoreLayout.Name.pending)
        }
    }

    /// The highest number of each profile's generations.
    private func lastGenerations() throws -> [String: Int] {
        let sql = "SELECT profile, max(number) FROM generation GROUP BY profile"
        return Dictionary(uniqueKeysWithValues: try database.query(sql) { ($0.text(0), $0.integer(1)) })
    }
}
