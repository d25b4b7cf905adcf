private import Glibc
internal import Store
internal import StoreLayout

/// What `sxs index rebuild` did.
public struct IndexReport: Encodable, Sendable {
    /// Something on disk that is not in the index.
    public struct LeftOut: Encodable, Sendable {
        /// Its path, in the state directory.
        public let path: String
        /// Why.
        public let reason: String
    }

    /// Store paths in the index.
    public let packages: Int
    /// Generations in the index.
    public let generations: Int
    /// What is on disk and could not be taken into it.
    public let leftOut: [LeftOut]
}

extension Session {
    /// Makes the index anew from manifests and profiles, whatever became of it.
    ///
    /// Others who read it meanwhile find the old one or the new one.
    public func rebuildIndex() throws -> IndexReport {
        if geteuid() == 0 { umask(0o022) }
        let result = try Store.rebuildIndex(
            root: root, command: command, onWait: { note("waiting for \($0) to finish with the store") })
        return IndexReport(
            packages: result.packageCount, generations: result.generationCount,
            leftOut: result.leftOut.map { IndexReport.LeftOut(path: $0.path, reason: $0.reason) })
    }
}
