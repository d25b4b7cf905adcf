internal import Files
internal import StoreLayout

extension Relocator {
    /// Decides what is done with one file, but for the paths in it that hints keep.
    func plan(_ id: ContentID, following hints: [Hint.Group], at path: TreePath) throws -> Plan {
        let kept = hints.lazy.filter { !$0.kept.isEmpty }.flatMap { group in
            group.kept.filter { $0.files?.matches(path) ?? group.isMeant(path) }
        }
        guard let first = kept.first else { return try plan(id, at: path) }
        guard first.path != nil, !kept.contains(where: { $0.path == nil }) else {
            var plan = Plan(file: RelocationReport.File(path: path.description))
            plan.leave("(whole file)", .hint)
            return plan
        }
        var relocator = self
        relocator.paths.kept = kept.compactMap { $0.path.map { Array($0.utf8) } }
        return try relocator.plan(id, at: path)
    }
}
