public import Files
internal import Glibc
public import StoreLayout

extension Store {
    /// All profiles that have a generation, sorted.
    public func profiles() throws -> [ProfileName] {
        try database.query("SELECT DISTINCT profile FROM generation ORDER BY profile") { $0.text(0) }
            .compactMap { try? ProfileName($0) }
    }

    /// All generations of a profile, oldest first.
    public func generations(of profile: ProfileName) throws -> [Generation] {
        let all = try registeredGenerations(of: profile)
        return try lostGeneration(of: profile, last: all.last?.number) == nil ? all : all.dropLast()
    }

    /// The last generation of a profile, if it is in the index and a loss of power kept its directory off the disk.
    ///
    /// Nobody was told of it: the profile is switched to it when both are on the disk.
    func lostGeneration(of profile: ProfileName, last number: Int?) throws -> Int? {
        guard let number else { return nil }
        let place = "\(StoreLayout.Name.profiles)/\(profile)/"
        guard try root.status(of: place + "\(StoreLayout.Name.generationPrefix)\(number)") == nil,
            try currentNumber(of: profile) != number
        else { return nil }
        return number
    }

    /// All generations of a profile that the index has, oldest first.
    func registeredGenerations(of profile: ProfileName) throws -> [Generation] {
        let sql =
            "SELECT number, parent, created, command FROM generation WHERE profile = ? ORDER BY number"
        return try database.query(sql, [.text(profile.text)]) { row in
            Generation(
                profile: profile, number: row.integer(0), parent: row.optionalInteger(1),
                created: row.integer(2), command: row.text(3))
        }
    }

    /// Base names of the packages of a profile's generations that the index has, by number, in their order.
    func registeredPackages(of profile: ProfileName) throws -> [Int: [String]] {
        var packages: [Int: [String]] = [:]
        let sql =
            "SELECT number, base_name FROM generation_package WHERE profile = ? ORDER BY number, position"
        for (number, name) in try database.query(sql, [.text(profile.text)], { ($0.integer(0), $0.text(1)) })
        {
            packages[number, default: []].append(name)
        }
        return packages
    }

    /// One generation of a profile; `nil` if there is none of that number.
    public func generation(_ number: Int, of profile: ProfileName) throws -> Generation? {
        let key: [DatabaseValue] = [.text(profile.text), .integer(number)]
        let sql = "SELECT parent, created, command FROM generation WHERE profile = ? AND number = ?"
        return try database.query(sql, key) { row in
            Generation(
                profile: profile, number: number, parent: row.optionalInteger(0), created: row.integer(1),
                command: row.text(2))
        }.first
    }

    /// The generation that a profile shows; `nil` before the first.
    public func currentGeneration(of profile: ProfileName) throws -> Generation? {
        guard let number = try currentNumber(of: profile) else { return nil }
        guard let generation = try generation(number, of: profile) else {
            throw StoreError.unknownGeneration(profile: profile.text, number: number)
        }
        return generation
    }

    /// What a generation shows.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)``, `SystemError`.
    public func contents(of generation: Generation) throws -> GenerationContents {
        try reading(generation) { try GenerationListing.contents(in: $0) }
    }

    /// The packages of a generation with what was shown of them, to make the next one from.
    public func packages(of generation: Generation) throws -> [GenerationPackage] {
        try contents(of: generation).packages()
    }

    /// The extensions that are merged over `/usr` while a generation is the active one, sorted by name.
    public func extensions(of generation: Generation) throws -> [GenerationExtension] {
        try contents(of: generation).extensions
    }

    /// Base names of a generation's packages, in the order they were given.
    public func packageNames(of generation: Generation) throws -> [String] {
        let sql =
            "SELECT base_name FROM generation_package WHERE profile = ? AND number = ? ORDER BY position"
        return try database.query(sql, [.text(generation.profile.text), .integer(generation.number)]) {
            $0.text(0)
        }
    }

    /// What the os-release of the host that a generation was made on said; empty where that is not known.
    public func hostRelease(of generation: Generation) throws -> [String: String] {
        let description = try description(of: generation)
        return description.hostRelease ?? description.host.map { ["PRETTY_NAME": $0] } ?? [:]
    }

    /// Of a generation that was prepared for another host: what the os-release said of the one it was prepared on.
    public func preparedOn(_ generation: Generation) throws -> [String: String]? {
        try description(of: generation).preparedOn
    }

    private func description(of generation: Generation) throws -> GenerationDescription {
        try reading(generation) {
            try JSON.decode(
                GenerationDescription.self, from: StoreLayout.Name.generationDescription, in: $0)
        }
    }

    /// Reads a generation's directory, again where it was replaced meanwhile: who only reads has no lock.
    private func reading<Result>(
        _ generation: Generation, _ body: (Descriptor) throws -> Result
    ) throws -> Result {
        var directory = try generationDirectory(generation.number, of: generation.profile)
        while true {
            do {
                return try body(directory)
            } catch let error as SystemError where error.code == ENOENT {
                let now = try generationDirectory(generation.number, of: generation.profile)
                guard try Inode(now.status()) != Inode(directory.status()) else { throw error }
                directory = now
            }
        }
    }

    /// Names and versions of a generation's packages, in their order; `nil` for those that are not registered.
    public func names(
        of packages: [GenerationPackage], in generation: Generation
    ) throws -> [(name: String, version: String)?] {
        let sql = """
            SELECT base_name, name, version FROM generation_package CROSS JOIN package USING (base_name)
            WHERE profile = ? AND number = ?
            """
        let key: [DatabaseValue] = [.text(generation.profile.text), .integer(generation.number)]
        var names: [(name: String, version: String)?] = Array(repeating: nil, count: packages.count)
        // The index has the same order; what is another one has by its name.
        var others: [String: (name: String, version: String)] = [:]
        var place = 0
        try database.forEach(sql, key) { row in
            let package = (name: row.text(1), version: row.text(2))
            if place < packages.count, row.bytes(0).equals(packages[place].baseName) {
                names[place] = package
            } else {
                others[row.text(0)] = package
            }
            place += 1
        }
        guard !others.isEmpty else { return names }
        return zip(packages, names).map { $1 ?? others[$0.baseName] }
    }

    /// Names and versions of packages, in the order of their base names; `nil` for those that are not registered.
    public func names(of baseNames: [String]) throws -> [(name: String, version: String)?] {
        guard !baseNames.isEmpty else { return [] }
        // One statement for all: to begin and end one takes as long as three lookups.
        let sql = """
            SELECT json_each.key, name, version FROM json_each(?) CROSS JOIN package ON base_name = json_each.value
            """
        var names: [(name: String, version: String)?] = Array(repeating: nil, count: baseNames.count)
        try database.forEach(sql, [.text(Self.jsonList(baseNames))]) { row in
            names[row.integer(0)] = (row.text(1), row.text(2))
        }
        return names
    }

    /// The directory of a generation.
    public func generationDirectory(_ number: Int, of profile: ProfileName) throws -> Descriptor {
        let name = "\(StoreLayout.Name.profiles)/\(profile)/\(StoreLayout.Name.generationPrefix)\(number)"
        guard try root.status(of: name) != nil else {
            throw StoreError.unknownGeneration(profile: profile.text, number: number)
        }
        return try root.directory(beneath: name)
    }

    func currentNumber(of profile: ProfileName) throws -> Int? {
        let link = "\(StoreLayout.Name.profiles)/\(profile)/\(StoreLayout.Name.current)"
        guard let target = try root.readSymlink(link) else { return nil }
        guard let number = Self.generationNumber(String(decoding: target, as: UTF8.self)) else {
            throw StoreError.damagedDescription(
                path: root.path(of: link), reason: "it leads to '\(target.displayed)', which is no generation"
            )
        }
        return number
    }

    static func generationNumber(_ name: String) -> Int? {
        guard name.hasPrefix(StoreLayout.Name.generationPrefix) else { return nil }
        return Int(name.dropFirst(StoreLayout.Name.generationPrefix.count)).flatMap { $0 > 0 ? $0 : nil }
    }

    /// Switches a profile to one of its generations, in one step: there is no moment without a generation.
    ///
    /// A stub gets its links first.
    public func activate(_ number: Int, in profile: ProfileName) throws {
        try withWriterLock(command: "switch of \(profile) to \(number)") {
            guard try generation(number, of: profile) != nil else {
                throw StoreError.unknownGeneration(profile: profile.text, number: number)
            }
            if try isStub(generationDirectory(number, of: profile)) {
                try restoreLinks(of: number, in: profile)
            }
            let directory = try root.directory(beneath: "\(StoreLayout.Name.profiles)/\(profile)")
            let target = "\(StoreLayout.Name.generationPrefix)\(number)"
            let previous = try directory.readSymlink(StoreLayout.Name.current)
            try directory.replaceSymlink(
                StoreLayout.Name.current, target: target.utf8, through: temporary())
            do {
                try directory.synchronize()
            } catch {
                do {
                    try switchBack(to: previous, in: directory)
                } catch let second {
                    throw StoreError.cannotSwitchBack(
                        profile: profile.text, number: number, reason: "\(error)".sentence,
                        second: "\(second)".sentence)
                }
                throw error
            }
            // For `waitForReaders`; where it cannot be done, nobody waits.
            if let previous {
                try? directory.directory(beneath: String(decoding: previous, as: UTF8.self)).setMode(0o755)
            }
            // The next writer takes the mark away, where it says nothing new.
            try? directory.unlink(StoreLayout.Name.pending)
        }
    }

    /// Undoes a switch that may not be on the disk.
    private func switchBack(to target: Bytes?, in profile: Descriptor) throws {
        if let target {
            try profile.replaceSymlink(StoreLayout.Name.current, target: target, through: temporary())
        } else {
            try profile.unlink(StoreLayout.Name.current)
        }
    }
}

extension String {
    /// An error's sentence, without its hint.
    fileprivate var sentence: String { split(separator: "\n").first.map(String.init) ?? self }
}
