internal import Files
internal import StoreLayout

/// The table that says where contents are (``ObjectTable``): nothing that is wrong with it is a reason to fail.
extension Store {
    /// Makes the table anew where there is none, or not all of the store in it: it is from before there was any, its index
    /// was made anew, or a crash was before its last entries.
    func completeContents() throws {
        guard try !isContentsComplete() else { return }
        try withWriterLock(command: "finding out what the store has") {
            // Another may have made it meanwhile.
            guard try !isContentsComplete() else { return }
            try enterMissingObjectUses()
            makeContents()
        }
    }

    private func isContentsComplete() throws -> Bool {
        let last = try lastRow(before: .max)
        return last == 0 || (ObjectTable(in: root)?.lastRow ?? 0) >= last
    }

    /// The last row of the index before one; 0 where there is none.
    private func lastRow(before row: Int) throws -> Int {
        try database.query("SELECT coalesce(max(id), 0) FROM package WHERE id < ?", [.integer(row)]) {
            $0.integer(0)
        }.first ?? 0
    }

    /// Makes the table anew, of what the index has.
    func makeContents() {
        do {
            let temporary = try temporary()
            let (name, area) = try temporary.makeHeldDirectory()
            // Swept by the next writer if it cannot be removed now.
            defer { try? temporary.removeTree(name) }
            try makeContents(area)
        } catch {
            dropContents()
        }
    }

    private func makeContents(_ area: Descriptor) throws {
        try ObjectTable.made(in: area, lastRow: lastRow(before: .max)) { try forEachObjectUses($0) }
            .publish(from: area, in: root)
    }

    /// What there is to do for objects that a store path brings before everything is written out: a new table where there is
    /// none yet, or where they would not have room.
    ///
    /// - Parameters:
    ///   - fingerprints: In ascending order.
    ///   - row: The row in the index that it is going to have.
    ///   - area: Where a new file can be made.
    func prepareContents(_ fingerprints: [UInt64], of row: Int, in area: Descriptor) -> ObjectTable? {
        let table = ObjectTable(in: root)
        guard let last = try? lastRow(before: row), (table?.lastRow ?? 0) >= last,
            table?.hasRoom(for: fingerprints.count) != true
        else { return nil }
        return try? ObjectTable.made(of: table, fingerprints, row: row, in: area)
    }

    /// Enters objects that a store path has brought.
    ///
    /// - Parameters:
    ///   - fingerprints: In ascending order.
    ///   - row: Its row in the index.
    ///   - prepared: What ``prepareContents(_:of:in:)`` made in the area.
    func enterContents(
        _ fingerprints: [UInt64], of row: Int, in area: Descriptor, _ prepared: ObjectTable? = nil
    ) {
        do {
            if let prepared { return try prepared.publish(from: area, in: root) }
            if var table = ObjectTable(in: root, isWritten: true),
                try table.lastRow >= lastRow(before: row), table.hasRoom(for: fingerprints.count)
            {
                try table.enter(fingerprints, row: row)
            } else {
                // An attempt to prepare one may have left its file.
                try area.unlink(ObjectTable.newName)
                try makeContents(area)
            }
        } catch {
            dropContents()
        }
    }

    /// Removes the table: the next import makes it anew.
    func dropContents() { try? root.unlink(StoreLayout.Name.contents) }
}
