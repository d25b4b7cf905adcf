internal import Files
public import StoreLayout

extension Store {
    /// The remotes that an index from before they were files has; none once it was opened for writing.
    public func earlierRemotes() throws -> [RemoteDescription] { try Self.remotes(of: database) }

    private static func remotes(of database: Database) throws -> [RemoteDescription] {
        guard try database.hasTable("remote") else { return [] }
        return try database.query("SELECT name, location FROM remote ORDER BY name") { row in
            // There was one kind.
            RemoteDescription(name: row.text(0), kind: .directory, location: .path(row.text(1)))
        }
    }

    /// Writes the remotes of an earlier index into files, which are on the disk when this returns.
    ///
    /// A crash before the table is gone does it again, with the same result.
    static func writeRemotes(of database: Database, in root: Descriptor) throws {
        let remotes = try remotes(of: database)
        guard !remotes.isEmpty else { return }
        let directory = try root.directory(beneath: RemoteLayout.remotes)
        for remote in remotes {
            try directory.replaceFile(
                remote.name + RemoteLayout.suffix, contents: remote.text.utf8,
                through: root.directory(beneath: StoreLayout.Name.temporary), isDurable: true)
        }
        try directory.synchronize()
        try root.synchronize()
    }
}
