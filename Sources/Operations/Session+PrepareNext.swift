internal import Activation
internal import Files
internal import Remotes
internal import StoreLayout

extension Session {
    /// How often it is looked again whether yet another version was written meanwhile.
    private static let mostRounds = 5

    /// Makes ready what fits the version of this host that starts next.
    ///
    /// Deployments of ostree are asked for by its program, partitions of systemd-sysupdate by their labels.
    ///
    /// - Returns: What was prepared; `nil` where what starts next is what runs.
    /// - Throws: ``NextVersionError``, and what ``prepare(host:)`` throws.
    public func prepareNext() throws -> HostPreparation? {
        if var directory = try NextVersion.deployment() {
            for _ in 0..<Self.mostRounds {
                let preparation = try prepare(host: directory)
                // What is written while this goes on is told to nobody else.
                guard let next = try NextVersion.deployment() else { return nil }
                if next == directory { return preparation }
                directory = next
            }
            return try prepare(host: directory)
        }
        guard let (device, isUsr) = try newestPartition() else { return nil }
        return try NextVersion.mounting(device, isUsr: isUsr) { root in
            let explainer = try ExtensionExplainer(root: root, progress: progress)
            return explainer.record == Self.hostRecord() ? nil : try prepare(host: root)
        }
    }

    /// The partition with the newest version of the host, as systemd-sysupdate names them.
    private func newestPartition() throws -> (device: String, isUsr: Bool)? {
        let labels: [String]
        do {
            labels = try Descriptor.directory(PreparationLayout.partitions).list().map(\.text)
        } catch is SystemError {
            return nil
        }
        let all = try SysupdateDefinitions().partitions()
        let version = { (label: String, partitions: SysupdateDefinitions.Partitions) in
            partitions.patterns.lazy.compactMap { $0.version(of: label) }.first.flatMap {
                try? PackageVersion($0)
            }
        }
        let others = all.filter { $0.kind == .other }
        var newest: (version: PackageVersion, device: String, isUsr: Bool)?
        // A version may be any text: what another transfer calls so is that one's.
        for label in labels where !others.contains(where: { version(label, $0) != nil }) {
            for system in all where system.kind != .other {
                guard let found = version(label, system), newest.map({ $0.version < found }) ?? true else {
                    continue
                }
                newest = (found, PreparationLayout.partitions + "/" + label, system.kind == .usr)
            }
        }
        return newest.map { ($0.device, $0.isUsr) }
    }
}
