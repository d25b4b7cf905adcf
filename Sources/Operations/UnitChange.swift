internal import Activation

/// How the units that the manager has differ from those of the active generation.
struct UnitChange {
    /// Running units that are not in the generation any more.
    var gone: [String] = []
    /// Running units that are defined otherwise, and may be stopped.
    var changed: [String] = []
    /// Whether the manager has to read its units anew.
    var isReloadNeeded = false
    /// Units of ours that ran before anything was done.
    private var running: Set<String> = []
    /// Units that are to run, with the targets that start them.
    private var due: [String: [String]] = [:]

    init() {}

    /// Compares.
    ///
    /// - Parameter generator: The active generation's units; `nil` for none.
    init(from manager: SystemManager, to generator: UnitGenerator?) throws {
        let loaded = try manager.loaded()
        let before = UnitGenerator.definitions(loaded)
        let units = generator?.units ?? [:]
        let after = UnitGenerator.definitions(generator?.entries ?? [:])
        isReloadNeeded = loaded != generator?.entries ?? [:]
        let lost = before.keys.filter { after[$0] == nil }
        let different = before.keys.filter { name in
            after[name].map { $0 != before[name] } ?? false && units[name]?.staysRunning == false
        }
        let isOurs = { (state: SystemManager.State) in state.isActive && state.isGenerated }
        let known = try manager.states(Set(after.keys).union(before.keys).sorted())
        running = Set(known.filter { $0.isActive && $0.isGenerated }.map(\.name))
        gone = try manager.states(lost).filter(isOurs).map(\.name).sorted()
        changed = try manager.states(different).filter(isOurs).map(\.name).sorted()
        // What ends by itself is started once, when it comes.
        for (name, unit) in units where unit.isUpheld || before[name] == nil { due[name] = unit.targets }
    }

    /// Units to be started: those that were stopped to be changed, and those that a target wants which is reached.
    func wanted(_ manager: SystemManager) throws -> [String] {
        let reached = Set(
            try manager.states(Set(due.values.flatMap(\.self)).sorted()).filter(\.isActive).map(\.name))
        let upheld = due.filter { !reached.isDisjoint(with: $0.value) }.keys
        // By now targets may have begun to start them.
        let resting = try manager.states(upheld.filter { !running.contains($0) }.sorted()).filter(
            \.isGenerated
        )
        .map(\.name)
        return Set(resting).union(changed).sorted()
    }
}
