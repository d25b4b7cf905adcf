public import Files
internal import Glibc
public import StoreLayout

/// Generations, launchers and what belongs to nobody, put right.
extension Store {
    /// Makes what is missing of generations and launchers again, and removes aliases that belong to nobody.
    ///
    /// - Parameters:
    ///   - isDryRun: Whether nothing is to be changed.
    ///   - command: What others that wait are told.
    ///   - launchDescription: The text of the file that launchers of a package obey, for all commands that generations
    ///     show of it; `nil` where it cannot be made. Asked where the one there is is missing or cannot be read.
    ///   - isReadable: Whether such a text can be read.
    public func repairProfiles(
        isDryRun: Bool, command: String, launchDescription: (String, Exposure) throws -> Bytes?,
        isReadable: (Bytes, String) -> Bool
    ) throws -> RepairResult {
        try withWriterLock(command: command) {
            var result = RepairResult()
            var shown: [String: Exposure] = [:]
            for profile in try profiles() {
                for generation in try generations(of: profile) {
                    do {
                        try repair(generation, isDryRun, &shown, &result)
                    } catch {
                        let path =
                            "\(StoreLayout.Name.profiles)/\(profile)/\(StoreLayout.Name.generationPrefix)\(generation.number)"
                        try result.lose(path, error)
                    }
                }
                try repairSwitch(of: profile, isDryRun, &result)
            }
            for (base, exposure) in shown.sorted(by: { $0.key < $1.key }) {
                try repairLaunchers(of: base, exposure, isDryRun, &result, launchDescription, isReadable)
            }
            try removeStrays(isDryRun, &result)
            if !isDryRun { try root.synchronizeFileSystem() }
            return result
        }
    }

    private func repair(
        _ generation: Generation, _ isDryRun: Bool, _ shown: inout [String: Exposure],
        _ result: inout RepairResult
    ) throws {
        let place =
            "\(StoreLayout.Name.profiles)/\(generation.profile)/\(StoreLayout.Name.generationPrefix)\(generation.number)"
        let directory = try generationDirectory(generation.number, of: generation.profile)
        let file = StoreLayout.Name.generationDescription
        if (try? JSON.decode(GenerationDescription.self, from: file, in: directory)) == nil {
            let description = GenerationDescription(
                formatVersion: StoreLayout.formatVersion, profile: generation.profile.text,
                number: generation.number, parent: generation.parent,
                created: Timestamp.text(generation.created), command: generation.command, host: nil,
                hostRelease: nil)
            result.note(place + "/" + file, "from the index, which does not know on which host it was made")
            if !isDryRun {
                try directory.replaceFile(
                    file, contents: description.json(), mode: 0o444, through: temporary(),
                    isDurable: true)
            }
        }
        let packages = try GenerationListing.read(in: directory)
        for package in packages {
            let launched = package.exposure.commands.filter(\.needsLauncher)
            guard !launched.isEmpty else { continue }
            var exposure = shown[package.baseName] ?? Exposure()
            exposure.commands += launched.filter { command in
                !exposure.commands.contains { $0.name == command.name }
            }
            shown[package.baseName] = exposure
        }
        let plan = try GenerationPlan(packages)
        let isStub = try isStub(directory)
        // Nobody switches to one that is a stub, which would give it links.
        let isActive = (try? currentNumber(of: generation.profile)) == generation.number
        let directories = plan.directories.filter { !isStub || isActive || !GenerationPlan.isDerived($0) }
        for path in directories where try directory.status(of: path.bytes) == nil {
            result.note("\(place)/\(path)", "made again: a directory")
            guard !isDryRun else { continue }
            try directory.makeDirectory(path.bytes, mode: 0o755)
            try directory.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY).setMode(0o755)
        }
        for path in directories {
            let inner = try? directory.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            for link in plan.links[path] ?? [] {
                let there = try inner?.status(of: link.name)
                // A file there was written for all packages of the generation: it is more than the link.
                if let there, there.st_mode & S_IFMT != S_IFLNK { continue }
                if let inner, there != nil,
                    try isSound(link, plan.target(of: link), in: inner, at: path, packages)
                {
                    continue
                }
                result.note("\(place)/\(path.appending(link.name.utf8))", "made again: a link")
                guard !isDryRun, let inner else { continue }
                try inner.replaceSymlink(link.name, target: plan.target(of: link), through: temporary())
            }
        }
        guard isStub, isActive else { return }
        result.note("\(place)/\(StoreLayout.Name.stubMark)", "removed: the active generation is no stub")
        if !isDryRun { try directory.unlink(StoreLayout.Name.stubMark) }
    }

    /// Whether a link is as it was made, or one that the generation has in its place.
    private func isSound(
        _ link: GenerationPlan.Link, _ wanted: Bytes, in directory: Descriptor, at path: TreePath,
        _ packages: [GenerationPackage]
    ) throws -> Bool {
        guard let target = try directory.readSymlink(link.name) else { return false }
        if target == wanted { return true }
        // Configuration leads elsewhere where its package said so, but never into a store path that is not shown.
        let names = StorePathMention.baseNames(in: target)
        return path.isWithin(ServiceLayout.configuration)
            && names.allSatisfy { name in
                packages.contains { $0.baseName == name }
            }
    }

    /// Makes the switch of a profile again, where it is clear what it showed.
    private func repairSwitch(
        of profile: ProfileName, _ isDryRun: Bool, _ result: inout RepairResult
    ) throws {
        let place = "\(StoreLayout.Name.profiles)/\(profile)"
        let path = place + "/" + StoreLayout.Name.current
        let numbers = try generations(of: profile).map(\.number)
        if let number = try? currentNumber(of: profile), numbers.contains(number) { return }
        guard numbers.count == 1 else {
            let all = numbers.map(String.init).joined(separator: ", ")
            return result.lose(
                path, "which generation was active is nowhere else; choose one of \(all) with 'sxs switch'")
        }
        result.note(path, "generation \(numbers[0]), the only one there is")
        guard !isDryRun else { return }
        try root.directory(beneath: place).replaceSymlink(
            StoreLayout.Name.current, target: "\(StoreLayout.Name.generationPrefix)\(numbers[0])".utf8,
            through: temporary())
    }

    // MARK: - Launchers

    private func repairLaunchers(
        of base: String, _ exposure: Exposure, _ isDryRun: Bool, _ result: inout RepairResult,
        _ description: (String, Exposure) throws -> Bytes?, _ isReadable: (Bytes, String) -> Bool
    ) throws {
        let place = StoreLayout.Name.shims + "/" + base
        if try root.status(of: place) == nil {
            result.note(place, "made again: a directory")
            if isDryRun { return }
            try root.makeDirectory(place, mode: 0o755)
            try root.directory(beneath: place).setMode(0o755)
        }
        let directory = try root.directory(beneath: place)
        let name = StoreLayout.Name.launchDescription
        let text = try? directory.open(beneath: name).readAll()
        if !(text.map { isReadable($0, base) } ?? false) {
            do {
                if let text = try description(base, exposure) {
                    result.note(place + "/" + name, "from the package's metadata")
                    if !isDryRun {
                        try directory.replaceFile(name, contents: text, through: temporary(), isDurable: true)
                    }
                }
            } catch {
                try result.lose(place + "/" + name, error)
            }
        }
        let program = Array("../../\(StoreLayout.Name.programs)/\(StoreLayout.Name.program)".utf8)
        for command in exposure.commands.map(\.name)
        where (try? directory.readSymlink(command)) != program {
            result.note(place + "/" + command, "made again: a link")
            if !isDryRun { try directory.replaceSymlink(command, target: program, through: temporary()) }
        }
    }

    // MARK: - What belongs to nobody

    private func removeStrays(_ isDryRun: Bool, _ result: inout RepairResult) throws {
        let aliases = try root.directory(beneath: StoreLayout.Name.aliases)
        for entry in try aliases.list() {
            guard try aliasOwner(entry.text) == nil, entry.type == UInt8(DT_LNK) else { continue }
            let target = try aliases.readSymlink(entry.name)
            // One of a manifest that is left goes with it; what leads elsewhere is not an alias of sxs.
            guard let owner = StorePathMention.baseNames(in: target).first,
                try root.status(of: StoreLayout.Name.manifests + "/" + owner) == nil
            else { continue }
            result.note(StoreLayout.Name.aliases + "/" + entry.text, "removed: the alias of nothing")
            if !isDryRun { try aliases.unlink(entry.text) }
        }
    }
}
