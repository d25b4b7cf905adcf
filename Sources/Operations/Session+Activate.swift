public import Activation
internal import Files
private import Glibc
internal import Store
internal import StoreLayout

/// What activating a generation did on the host.
public struct ServiceActivation: Encodable, Sendable {
    /// What became of `/etc`.
    public internal(set) var configuration = HostConfigurationFiles.Outcome()
    /// Units that were stopped for good.
    public internal(set) var stopped: [String] = []
    /// Units that were stopped and started again.
    public internal(set) var restarted: [String] = []
    /// Units that were started.
    public internal(set) var started: [String] = []
    /// Units that are not shown because the host has one of that name.
    public internal(set) var hidden: [String] = []
    /// What went wrong, a sentence each; all else was done.
    public internal(set) var warnings: [String] = []

    /// Whether nothing was done or found.
    public var isEmpty: Bool {
        configuration == HostConfigurationFiles.Outcome() && stopped.isEmpty && restarted.isEmpty
            && started.isEmpty && hidden.isEmpty && warnings.isEmpty
    }
}

extension Session {
    /// Does for the active generation what a switch does: configuration, users, directories, services.
    ///
    /// - Parameter isBoot: Whether the system is starting: units are then left to its manager.
    /// - Throws: ``OperationError/notActivated(_:)`` where generations of this root are not activated.
    public func activateServices(isBoot: Bool = false) throws -> ServiceActivation {
        if let reason = reasonNotToActivate() { throw OperationError.notActivated(reason) }
        let store = try openStoreForWriting()
        return try asWriter(of: store) {
            if isBoot { try followHost(in: store) }
            return try applyServices(of: store.currentGeneration(of: profile), in: store, isBoot: isBoot)
        }
    }

    /// Why generations of this root and profile are not activated; `nil` where they are.
    func reasonNotToActivate() -> String? {
        guard root == StoreLayout.systemRoot else {
            return "only the system's store, \(StoreLayout.systemRoot), has services"
        }
        guard profile.text == StoreLayout.defaultProfile else {
            return "only the profile '\(StoreLayout.defaultProfile)' has services"
        }
        guard geteuid() == 0 else { return "only root starts services" }
        do {
            guard try HostSetup(Host("/")).record() != nil else {
                return "this host is not set up: as root, run 'sxs setup'"
            }
        } catch {
            return "what 'sxs setup' did cannot be told: \("\(error)".firstLine)"
        }
        return nil
    }

    /// What follows a switch on a host whose services this root gives; `nil` elsewhere, which is said.
    func afterSwitch(
        to generation: Generation, _ contents: GenerationContents, in store: Store
    ) throws -> ServiceActivation? {
        if let reason = isActivationWanted ? reasonNotToActivate() : "--no-activate" {
            guard contents.isForSystem else { return nil }
            let units = try contents.packages().flatMap(\.exposure.units)
            if let first = units.first {
                note(
                    "services are not started (\(first)\(units.count == 1 ? "" : " and \(units.count - 1) more")): "
                        + (isActivationWanted ? reason : "'sxs activate' does it"))
            }
            return nil
        }
        return try applyServices(of: generation, in: store, isBoot: false)
    }

    /// Stops all that generations brought to the host, and takes it out of `/etc`: before a setup is undone.
    ///
    /// Nothing starts it again until ``releaseServices()``.
    func withdrawServices() throws {
        if SystemManager.isRunning {
            let manager = SystemManager()
            try manager.stop(UnitChange(from: manager, to: nil).gone)
        }
        var files = try HostConfigurationFiles(Host("/"))
        for kept in try files.apply([:]).kept { note("\(kept.path) stays: \(kept.reason)") }
    }

    /// Has the manager forget units that are taken away: after a setup was undone.
    func releaseServices() throws {
        guard SystemManager.isRunning else { return }
        let manager = SystemManager()
        try manager.reload()
        try manager.letStart()
    }

    /// Each step's failure is a warning: the generation is active, and the next activation tries again.
    private func applyServices(of generation: Generation?, in store: Store, isBoot: Bool) throws
        -> ServiceActivation
    {
        var result = ServiceActivation()
        func attempt(_ step: () throws -> Void) {
            do { try step() } catch { result.warnings.append("\(error)") }
        }
        let manager = SystemManager()
        let isRunning = SystemManager.isRunning
        var change = UnitChange()
        if isRunning {
            attempt {
                let new = try UnitGenerator.current(.system)
                result.hidden = new?.hidden ?? []
                change = try UnitChange(from: manager, to: new)
                guard !isBoot else { return }
                result.stopped = change.gone
                try manager.stop(change.gone + change.changed)
            }
        }
        attempt { result.configuration = try applyConfiguration(of: generation, in: store) }
        if let generation {
            attempt { try manager.makeUsers(files(ServiceLayout.users, of: generation, in: store)) }
            attempt {
                try manager.makeDirectories(files(ServiceLayout.temporaryFiles, of: generation, in: store))
            }
        }
        if isRunning {
            if change.isReloadNeeded { attempt { try manager.reload() } }
            attempt { try manager.letStart() }
            attempt { try manager.forget(change.gone) }
            // While the system starts, targets start what they want.
            guard !isBoot else { return result }
            attempt {
                let wanted = try change.wanted(manager)
                var failed: [SystemManager.State] = []
                do {
                    try manager.start(wanted, isWaiting: true)
                } catch {
                    failed = try manager.states(wanted).filter { $0.isFailed || !$0.isActive }
                    if failed.isEmpty { throw error }
                }
                result.warnings += failed.map {
                    "\($0.name) did not start: 'systemctl status \($0.name)' says why"
                }
                // What a condition keeps from running did not fail either.
                let running = try manager.states(wanted).filter { $0.isActive && !$0.isFailed }.map(\.name)
                result.restarted = running.filter(change.changed.contains)
                result.started = running.filter { !change.changed.contains($0) }
            }
        }
        return result
    }

    /// Absolute paths of a generation's files in a directory.
    private func files(_ directory: TreePath, of generation: Generation, in store: Store) throws -> [String] {
        let place = try store.generationDirectory(generation.number, of: profile)
        guard try place.status(of: directory.bytes) != nil else { return [] }
        return try place.open(beneath: directory.bytes, flags: O_RDONLY | O_DIRECTORY).list().map {
            "\(place.path)/\(directory)/\($0.text)"
        }
    }

    /// Puts a generation's configuration into `/etc`.
    private func applyConfiguration(
        of generation: Generation?, in store: Store
    ) throws -> HostConfigurationFiles.Outcome {
        var files = try HostConfigurationFiles(Host("/"))
        return try files.apply(generation.map { try configuration(of: $0, in: store) } ?? [:])
    }

    /// What a generation has for `/etc`, by path below it.
    private func configuration(
        of generation: Generation, in store: Store
    ) throws -> [TreePath: HostConfigurationFiles.Wanted] {
        var wanted: [TreePath: HostConfigurationFiles.Wanted] = [:]
        let place = try store.generationDirectory(generation.number, of: profile)
        let packages = try store.packages(of: generation)
        let etc = ServiceLayout.configuration
        // The one that wins comes last.
        for package in packages.filter({ !$0.isPreferred }) + packages.filter(\.isPreferred) {
            let top = try store.tree(of: package.baseName)
            for text in package.exposure.system {
                let path = try TreePath(parsing: text.utf8)
                guard path.isWithin(etc) else { continue }
                let inner = { (path: TreePath) in
                    try TreePath(parsing: path.bytes.dropFirst(etc.bytes.count + 1))
                }
                let mode = { (path: TreePath) -> UInt32 in
                    (try top.status(of: path.bytes)?.st_mode ?? 0o644) & 0o777
                }
                var above = text.hasSuffix(ServiceLayout.directoryMark) ? path : path.parent
                while let directory = above, directory != etc, directory != .root {
                    wanted[try inner(directory)] = .directory(mode: try mode(directory) | 0o700)
                    above = directory.parent
                }
                if text.hasSuffix(ServiceLayout.directoryMark) { continue }
                guard let status = try place.status(of: path.bytes) else { continue }
                let isDerived = status.st_mode & S_IFMT == S_IFREG
                let stored = try top.status(of: path.bytes)
                if isDerived || stored.map({ $0.st_mode & S_IFMT == S_IFREG }) == true {
                    let file = try (isDerived ? place : top).open(beneath: path.bytes)
                    wanted[try inner(path)] = .file(
                        try file.readAll(limit: HostConfigurationFiles.longest),
                        mode: try mode(path) | 0o200)
                } else {
                    let target = try place.readSymlink(path.bytes)
                    // The record has spaces between words.
                    guard target.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { continue }
                    wanted[try inner(path)] = .link(target)
                }
            }
        }
        return wanted
    }
}
