internal import Store
internal import StoreLayout

/// What `sxs doctor` looks at of the stores that a root lies over.
struct LayerExamination {
    let root: String

    func findings() throws -> [Finding] {
        let store: Store
        do {
            store = try Store.open(root: root, forWriting: false)
        } catch StoreError.noStore, StoreError.noIndex {
            // Said elsewhere, or no store yet.
            return []
        }
        let lost = try store.lostReferences()
        let bases = try store.bases().compactMap { base -> Finding? in
            do {
                _ = try Store.open(root: base.path, forWriting: false)
                return nil
            } catch {
                return Finding(
                    .warning, "base-missing", "\(base.path), which \(root) lies over, cannot be read",
                    why: "\(error)".firstLine,
                    hint: "mount it again; or 'sxs base remove \(base.path)' once nothing of it is needed")
            }
        }
        return try bases
            + lost.map { baseName, place in
                let source = try store.package(baseName: baseName)?.source ?? baseName
                return Finding(
                    .error, "tree-lost", "\(baseName) is in another store, and \(place) is not there",
                    why: "its programs do not start",
                    hint:
                        "mount that store again, or bring the package into this one: sxs import \(source) --root \(root)"
                )
            }
    }
}
