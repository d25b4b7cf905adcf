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
        var packages: [Int: [String]] = [:]
        let sql =
            "SELECT number, base_name FROM generation_package WHERE profile = ? ORDER BY number, position"
        for (number, name) in try database.query(sql, [.text(profile.text)], { ($0.integer(0), $0.text(1)) })
        {
            packages[number, default: []].append(name)
        }
        let generations =
            "SELECT number, parent, created, command FROM generation WHERE profile = ? ORDER BY number"
        return try database.query(generations, [.text(profile.text)]) { row in
            Generation(
                profile: profile, number: row.integer(0), parent: row.optionalInteger(1),
                created: row.integer(2), command: row.text(3), packages: packages[row.integer(0)] ?? [])
        }
    }

    /// One generation of a profile; `nil` if there is none of that number.
    public func generation(_ number: Int, of profile: ProfileName) throws -> Generation? {
        let key: [DatabaseValue] = [.text(profile.text), .integer(number)]
        let names =
            "SELECT base_name FROM generation_package WHERE profile = ? AND number = ? ORDER BY position"
        let sql = "SELECT parent, created, command FROM generation WHERE profile = ? AND number = ?"
        let packages = try database.query(names, key) { $0.text(0) }
        return try database.query(sql, key) { row in
            Generation(
                profile: profile, number: number, parent: row.optionalInteger(0), created: row.integer(1),
                command: row.text(2), packages: packages)
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

    /// The packages of a generation with what was shown of them, to make the next one from.
    public func packages(of generation: Generation) throws -> [GenerationPackage] {
        let directory = try generationDirectory(generation.number, of: generation.profile)
        let name = StoreLayout.Name.generationDescription
        return try JSON.decode(GenerationDescription.self, from: name, in: directory).packages.map {
            GenerationPackage(baseName: $0.storePath, exposure: $0.exposure, isPreferred: $0.isPreferred)
        }
    }

    /// The directory of a generation.
    public func generationDirectory(_ number: Int, of profile: ProfileName) throws -> Descriptor {
        let name = "\(StoreLayout.Name.profiles)/\(profile)/\(StoreLayout.Name.generationPrefix)\(number)"
        guard try root.status(of: name) != nil else {
            throw StoreError.unknownGeneration(profile: profile.text, number: number)
        }
        return try root.directory(beneath: name)
    }

    private func currentNumber(of profile: ProfileName) throws -> Int? {
        let link = "\(StoreLayout.Name.profiles)/\(profile)/\(StoreLayout.Name.current)"
        guard let target = try root.readSymlink(link) else { return nil }
        guard let number = Self.generationNumber(String(decoding: target, as: UTF8.self)) else {
            throw StoreError.damagedDescription(
                path: root.path(of: link), reason: "it leads to '\(target.displayed)', which is no generation")
        }
        return number
    }

    static func generationNumber(_ name: String) -> Int? {
        guard name.hasPrefix(StoreLayout.Name.generationPrefix) else { return nil }
        return Int(name.dropFirst(StoreLayout.Name.generationPrefix.count)).flatMap { $0 > 0 ? $0 : nil }
    }

    /// Makes the next generation of a profile, and does not switch to it.
    ///
    /// - Parameters:
    ///   - profile: The profile.
    ///   - packages: Its packages, all registered.
    ///   - parent: The generation it is made from.
    ///   - command: The command that makes it.
    /// - Throws: ``StoreError/collision(path:owners:)`` and others, before anything is changed.
    public func makeGeneration(
        profile: ProfileName, packages: [GenerationPackage], parent: Int?, command: String
    ) throws -> Generation {
        try withWriterLock(command: command) {
            for package in packages where try self.package(baseName: package.baseName) == nil {
                throw StoreError.unknownPackage(package.baseName)
            }
            let plan = try GenerationPlan(packages)
            let profiles = try root.directory(beneath: StoreLayout.Name.profiles)
            if try profiles.status(of: profile.text) == nil {
                try profiles.makeDirectory(profile.text)
                try profiles.directory(beneath: profile.text).setMode(0o755)
            }
            let directory = try profiles.directory(beneath: profile.text)
            let generation = Generation(
                profile: profile, number: try nextNumber(of: profile, in: directory), parent: parent,
                created: Timestamp.now, command: command, packages: packages.map(\.baseName))

            let temporary = try temporary()
            let (name, area) = try ImportArea.makeHeldDirectory(in: temporary)
            // Swept by the next writer if it cannot be removed now.
            defer { try? temporary.removeTree(name) }
            try makeLaunchers(plan)
            try area.makeDirectory("generation", mode: 0o755, existing: false)
            try build(plan, generation, packages, in: try area.directory(beneath: "generation"))
            try root.synchronizeFileSystem()
            let newName = "\(StoreLayout.Name.generationPrefix)\(generation.number)"
            try area.rename("generation", to: directory, as: newName)
            do {
                try directory.synchronize()
                try database.transaction { try insert(generation) }
            } catch {
                // The reason for undoing is what is reported; what stays is adopted by the next writer.
                try? directory.rename(newName, to: area, as: "generation")
                throw error
            }
            return generation
        }
    }

    /// Switches a profile to one of its generations, in one step: there is no moment without a generation.
    public func activate(_ number: Int, in profile: ProfileName) throws {
        try withWriterLock(command: "switch of \(profile) to \(number)") {
            guard try generation(number, of: profile) != nil else {
                throw StoreError.unknownGeneration(profile: profile.text, number: number)
            }
            _ = try generationDirectory(number, of: profile)
            let directory = try root.directory(beneath: "\(StoreLayout.Name.profiles)/\(profile)")
            let target = "\(StoreLayout.Name.generationPrefix)\(number)"
            try directory.replaceSymlink(StoreLayout.Name.current, target: target.utf8)
            try directory.synchronize()
        }
    }

    /// One more than every number that was given out; enters generations that a crash kept out of the index.
    private func nextNumber(of profile: ProfileName, in directory: Descriptor) throws -> Int {
        let sql = "SELECT number FROM generation WHERE profile = ?"
        var known = Set(try database.query(sql, [.text(profile.text)]) { $0.integer(0) })
        for entry in try directory.list() {
            guard let number = Self.generationNumber(entry.text), known.insert(number).inserted else {
                continue
            }
            try adopt(number, of: profile, in: directory)
        }
        return (known.max() ?? 0) + 1
    }

    /// Enters the generation of a directory into the index.
    func adopt(_ number: Int, of profile: ProfileName, in directory: Descriptor) throws {
        let name = "\(StoreLayout.Name.generationPrefix)\(number)"
        let place = try directory.directory(beneath: name)
        let description = try JSON.decode(
            GenerationDescription.self, from: StoreLayout.Name.generationDescription, in: place)
        let generation = Generation(
            profile: profile, number: number, parent: description.parent,
            created: Timestamp.seconds(description.created) ?? 0, command: description.command,
            packages: description.packages.map(\.storePath))
        try database.transaction { try insert(generation) }
    }

    private func insert(_ generation: Generation) throws {
        let profile = DatabaseValue.text(generation.profile.text)
        try database.run(
            "INSERT INTO generation (profile, number, parent, created, command) VALUES (?, ?, ?, ?, ?)",
            [
                profile, .integer(generation.number), .optional(generation.parent),
                .integer(generation.created), .text(generation.command),
            ])
        for (position, name) in generation.packages.enumerated() {
            try database.run(
                "INSERT INTO generation_package (profile, number, position, base_name) VALUES (?, ?, ?, ?)",
                [profile, .integer(generation.number), .integer(position), .text(name)])
        }
    }

    // MARK: - Files of a generation

    /// Makes the launchers that a plan needs, where they are not there yet.
    private func makeLaunchers(_ plan: GenerationPlan) throws {
        guard !plan.launchers.isEmpty else { return }
        let shims = try root.directory(beneath: StoreLayout.Name.shims)
        let program = "../../\(StoreLayout.Name.programs)/\(StoreLayout.Name.program)"
        for (package, commands) in plan.launchers {
            if try shims.status(of: package.baseName) == nil {
                try shims.makeDirectory(package.baseName)
                try shims.directory(beneath: package.baseName).setMode(0o755)
            }
            let directory = try shims.directory(beneath: package.baseName)
            let there = Set(try directory.list().map(\.text))
            let name = StoreLayout.Name.launchDescription
            if let text = package.launchDescription {
                if try !there.contains(name) || directory.open(beneath: name).readAll() != text {
                    try directory.replaceFile(name, contents: text)
                }
            } else if !there.contains(name) {
                throw StoreError.damagedDescription(path: directory.path(of: name), reason: "it is missing")
            }
            for command in commands where !there.contains(command) {
                try directory.makeSymlink(command, target: program.utf8)
            }
        }
    }

    private func build(
        _ plan: GenerationPlan, _ generation: Generation, _ packages: [GenerationPackage],
        in directory: Descriptor
    ) throws {
        try directory.setMode(0o755)
        for name in ["bin", "share"] { try directory.makeDirectory(name, mode: 0o755, existing: false) }
        let programs = try directory.directory(beneath: "bin")
        try programs.setMode(0o755)
        for (name, target) in plan.commands { try programs.makeSymlink(name, target: target) }
        try directory.directory(beneath: "share").setMode(0o755)
        for path in plan.directories {
            if path != "share" { try directory.makeDirectory(path.bytes, mode: 0o755) }
            let place = try directory.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            try place.setMode(0o755)
            for (name, target) in plan.links[path] ?? [] { try place.makeSymlink(name, target: target) }
        }
        let description = GenerationDescription(
            formatVersion: StoreLayout.formatVersion, profile: generation.profile.text,
            number: generation.number, parent: generation.parent, created: Timestamp.text(generation.created),
            command: generation.command, host: Self.hostName(),
            packages: packages.map {
                .init(storePath: $0.baseName, exposure: $0.exposure, isPreferred: $0.isPreferred)
            })
        let name = StoreLayout.Name.generationDescription
        let file = try directory.open(beneath: name, flags: O_WRONLY | O_CREAT | O_EXCL)
        try JSON.encode(description).withUnsafeBytes { try file.write($0) }
        try file.setMode(0o444)
    }

    /// What the host's distribution calls itself; `nil` if it does not say.
    private static func hostName() -> String? {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            // A host without the file is no error: nobody needs it.
            guard let bytes = try? Descriptor.file(path).readAll(limit: 64 << 10) else { continue }
            for line in bytes.split(separator: 0x0a) where line.hasPrefix("PRETTY_NAME=") {
                let value = line.dropFirst("PRETTY_NAME=".utf8.count).filter { $0 != 0x22 && $0 != 0x27 }
                return value.displayed
            }
        }
        return nil
    }
}
