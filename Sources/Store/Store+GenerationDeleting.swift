internal import Files
internal import Glibc
public import StoreLayout

extension Store {
    /// Deletes generations of a profile.
    ///
    /// Those that were made from one that goes are from then on said to be made from that one's parent, so that a
    /// rollback always leads somewhere.
    ///
    /// - Throws: ``StoreError/unknownGeneration(profile:number:)`` or
    ///   ``StoreError/generationIsActive(profile:number:)``, before anything is changed.
    public func deleteGenerations(_ numbers: [Int], of profile: ProfileName) throws {
        try withWriterLock(command: "deletion of generations of \(profile)") {
            let all = Set(try generations(of: profile).map(\.number))
            let active = try currentNumber(of: profile)
            for number in numbers {
                guard all.contains(number) else {
                    throw StoreError.unknownGeneration(profile: profile.text, number: number)
                }
                guard number != active else {
                    throw StoreError.generationIsActive(profile: profile.text, number: number)
                }
            }
            let temporary = try temporary()
            let (name, area) = try temporary.makeHeldDirectory()
            // Swept by the next writer if it cannot be removed now.
            defer { try? temporary.removeTree(name) }
            try moveGenerations(numbers, of: profile, to: area)
            try area.removeContents()
        }
    }

    /// Takes generations out of the index, then out of their profile.
    ///
    /// What a crash leaves between the two, the next writer removes.
    func moveGenerations(_ numbers: [Int], of profile: ProfileName, to area: Descriptor) throws {
        guard !numbers.isEmpty else { return }
        let gone = Set(numbers)
        let all = try generations(of: profile)
        let parents = Dictionary(uniqueKeysWithValues: all.map { ($0.number, $0.parent) })
        var moved: [(number: Int, parent: Int?)] = []
        for generation in all where !gone.contains(generation.number) {
            guard var parent = generation.parent, gone.contains(parent) else { continue }
            // A parent is always older, so this ends.
            while gone.contains(parent), let next = parents[parent] ?? nil, next < parent { parent = next }
            moved.append((generation.number, gone.contains(parent) ? nil : parent))
        }
        let directory = try root.directory(beneath: "\(StoreLayout.Name.profiles)/\(profile)")
        try setParents(moved, in: directory, area)
        try database.transaction {
            let key = DatabaseValue.text(profile.text)
            for (number, parent) in moved {
                try database.run(
                    "UPDATE generation SET parent = ? WHERE profile = ? AND number = ?",
                    [.optional(parent), key, .integer(number)])
            }
            try unregister(gone, of: profile)
        }
        for number in gone {
            let name = "\(StoreLayout.Name.generationPrefix)\(number)"
            guard try directory.status(of: name) != nil else { continue }
            try directory.rename(name, to: area, as: "\(profile)-\(name)")
        }
        // Before its store paths go.
        try directory.synchronize()
        try database.transaction { try forget(gone, of: profile) }
    }

    /// Changes the one thing of generations that is ever changed, by putting new files in the old ones' places.
    private func setParents(
        _ parents: [(number: Int, parent: Int?)], in profile: Descriptor, _ area: Descriptor
    ) throws {
        guard !parents.isEmpty else { return }
        let name = StoreLayout.Name.generationDescription
        let made = { (number: Int) in "description-\(number)" }
        let place = { (number: Int) in
            try profile.directory(beneath: "\(StoreLayout.Name.generationPrefix)\(number)")
        }
        for (number, parent) in parents {
            var description = try JSON.decode(GenerationDescription.self, from: name, in: place(number))
            description.parent = parent
            let text = description.json()
            let file = try area.open(beneath: made(number), flags: O_WRONLY | O_CREAT | O_EXCL)
            try text.withUnsafeBytes { try file.write($0) }
            try file.setMode(0o444)
        }
        // Before and after the new names: these may get to the disk before what the files hold, and the index before them.
        try root.synchronizeFileSystem()
        for (number, _) in parents { try area.rename(made(number), to: place(number), as: name) }
        try root.synchronizeFileSystem()
    }
}
