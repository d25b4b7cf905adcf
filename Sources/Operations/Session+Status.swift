internal import Activation
internal import Files
internal import Store
internal import StoreLayout

/// What a store is, in a few words.
public struct StoreStatus: Encodable, Sendable {
    /// A profile.
    public struct Profile: Encodable, Sendable {
        /// Its name.
        public let name: String
        /// The active generation; `nil` where none is.
        public let generation: Int?
        /// How many packages that has.
        public let packages: Int
    }

    /// The state directory.
    public let root: String
    /// Whether this host is set up for it.
    public let isSetUp: Bool
    /// Bytes that are free on its file system.
    public let free: Int
    /// Its profiles that have a generation.
    public let profiles: [Profile]
}

extension Session {
    /// What the store is.
    public func status() throws -> StoreStatus {
        let store = try openStore()
        return StoreStatus(
            root: root, isSetUp: root == StoreLayout.systemRoot && StoreView(root: root).isVisible(),
            free: try store.root.freeSpace(),
            profiles: try store.profiles().map { profile in
                let current = try store.currentGeneration(of: profile)
                return StoreStatus.Profile(
                    name: profile.text, generation: current?.number,
                    packages: try current.map { try store.packageNames(of: $0).count } ?? 0)
            })
    }
}
