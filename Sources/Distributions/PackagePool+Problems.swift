internal import CSolv

extension PackagePool {
    /// Why there is none, in sentences.
    func problems(of solver: UnsafeMutablePointer<Solver>) -> [String] {
        var result: [String] = []
        var rules = Queue()
        queue_init(&rules)
        defer { queue_free(&rules) }
        for problem in 1...max(1, Int(solver_problem_count(solver))) {
            queue_empty(&rules)
            solver_findallproblemrules(solver, Id(problem), &rules)
            for index in 0..<Int(rules.count) {
                for text in sentences(of: rules.elements[index], solver) where !result.contains(text) {
                    result.append(text)
                }
            }
        }
        return result
    }

    private func sentences(of rule: Id, _ solver: UnsafeMutablePointer<Solver>) -> [String] {
        var infos = Queue()
        queue_init(&infos)
        defer { queue_free(&infos) }
        solver_allruleinfos(solver, rule, &infos)
        return stride(from: 0, to: Int(infos.count), by: 4).compactMap { at in
            let type = SolverRuleinfo(UInt32(bitPattern: infos.elements[at]))
            let (source, target, dependency) = (
                infos.elements[at + 1], infos.elements[at + 2], infos.elements[at + 3]
            )
            let title = { (id: Id) in String(cString: pool_solvid2str(self.pool, id)) }
            let text = { String(cString: pool_dep2str(self.pool, dependency)) }
            switch type {
            case SOLVER_RULE_PKG_NOT_INSTALLABLE:
                return "\(title(source)) is for another architecture"
            case SOLVER_RULE_PKG_NOTHING_PROVIDES_DEP:
                return "\(title(source)) needs \(text()), which no repository has"
            case SOLVER_RULE_PKG_REQUIRES:
                let found = providers(of: dependency).map(title)
                let list = found.count > 3 ? found.prefix(3) + ["…"] : found[...]
                return "\(title(source)) needs \(text()), which \(list.joined(separator: ", ")) has"
            case SOLVER_RULE_PKG_CONFLICTS:
                return "\(title(source)) excludes \(text()), which \(title(target)) is"
            case SOLVER_RULE_PKG_SELF_CONFLICT:
                return "\(title(source)) excludes \(text()), which it is itself"
            case SOLVER_RULE_PKG_SAME_NAME:
                return "there can be only one of \(title(source)) and \(title(target))"
            case SOLVER_RULE_PKG_OBSOLETES, SOLVER_RULE_PKG_IMPLICIT_OBSOLETES,
                SOLVER_RULE_PKG_INSTALLED_OBSOLETES:
                return "\(title(source)) takes the place of \(text()), which \(title(target)) is"
            case SOLVER_RULE_JOB_NOTHING_PROVIDES_DEP, SOLVER_RULE_JOB_UNKNOWN_PACKAGE:
                return "no repository has \(text())"
            default: return nil
            }
        }
    }
}
