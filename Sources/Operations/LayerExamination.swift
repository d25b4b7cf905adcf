internal import Files
internal import Store
internal import StoreLayout

/// What `sxs doctor` looks at of the stores that a root lies over.
struct LayerExamination {
    let root: String

    func findings() throws -> [Finding] {
        // Without bases nothing can be lost; and what is wrong with the index is found elsewhere, without SQLite's help.
        guard (try? Descriptor.directory(root).status(of: StoreLayout.Name.bases)) ?? nil != nil else {
            return []
        }
        do {
            return try findings(of: Store.open(root: root, forWriting: false))
        } catch StoreError.noStore {
            return []
        } catch {
            // Of the system's store it is said in more detail.
            guard root != StoreLayout.systemRoot else { return [] }
            return [
                Finding(
                    .error, "store-unreadable", "the store at \(root) cannot be read",
                    why: "\(error)".firstLine, hint: "\(error)".lastHint)
            ]
        }
    }

    private func findings(of store: Store) throws -> [Finding] {
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

extension String {
    /// What an error's description says is to be done.
    fileprivate var lastHint: String {
        split(separator: "\n").last { $0.hasPrefix("hint: ") }.map { String($0.dropFirst("hint: ".count)) }
            ?? "see 'sxs verify'"
    }
}
