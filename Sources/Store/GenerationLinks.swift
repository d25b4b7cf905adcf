internal import Files
internal import Glibc
internal import StoreLayout

/// Makes what a generation shows in a directory that nobody sees yet.
struct GenerationLinks {
    /// What is to be there.
    let plan: GenerationPlan
    /// A generation to share links with, and by package whether it shows the same of it.
    let parent: (directory: Descriptor, shows: [Bool])?
    /// By package, whether the generation shows the same of it whose `bin` and `share` the directory has; `nil` where it
    /// is empty.
    let taken: [Bool]?

    /// Makes directories, links and files.
    ///
    /// - Parameters:
    ///   - top: The generation's directory.
    ///   - isComplete: Whether all is made, or only what a stub lacks.
    ///   - putFile: Makes a file of the plan in its directory.
    func make(
        in top: Descriptor, isComplete: Bool, putFile: (TreePath, Descriptor) throws -> Void
    ) throws {
        // Those that were taken over.
        var there: Set<TreePath> = taken == nil ? [] : [GenerationPlan.commands, GenerationPlan.data]
        let isWanted = { (path: TreePath) in isComplete || GenerationPlan.isDerived(path) }
        for path in plan.directories where isWanted(path) {
            let isThere = there.contains(path)
            if !isThere { try top.makeDirectory(path.bytes, mode: 0o755) }
            let directory = try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
            try directory.setMode(0o755)
            var missing = plan.links[path] ?? []
            if isThere { missing = try keepLinks(missing, in: directory, path, &there) }
            try makeLinks(missing, in: directory, path)
            for file in plan.files[path] ?? [] { try putFile(file, directory) }
            // As one that is made now: fontconfig and others keep what they know of a directory by its time.
            if isThere { try directory.touch() }
        }
        // A cache that is older than its directory counts as outdated (GTK's of icons).
        for path in plan.files.keys where isWanted(path) {
            try top.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY).setTimes(
                StoreLayout.modificationTime)
        }
    }

    /// Takes everything out of a directory that was taken over but links that are to be there, and directories.
    ///
    /// - Returns: The links that are missing.
    private func keepLinks(
        _ links: [GenerationPlan.Link], in directory: Descriptor, _ path: TreePath,
        _ there: inout Set<TreePath>
    ) throws -> [GenerationPlan.Link] {
        guard let taken else { return links }
        var wanted: [String: Int] = [:]
        wanted.reserveCapacity(links.count)
        for (index, link) in links.enumerated() where taken[link.package] && !link.isContested {
            wanted[link.name] = index
        }
        var isKept = [Bool](repeating: false, count: links.count)
        for entry in try directory.listOnce() {
            if entry.type == UInt8(DT_DIR) {
                let child = path.appending(entry.name)
                if plan.hasDirectory(child) {
                    there.insert(child)
                } else {
                    try directory.removeTree(entry.name)
                }
            } else if entry.type == UInt8(DT_LNK), let name = String(validating: entry.name, as: UTF8.self),
                let index = wanted[name]
            {
                isKept[index] = true
            } else {
                // Files among it, which belong to all packages of one generation.
                try directory.removeTree(entry.name)
            }
        }
        return links.indices.filter { !isKept[$0] }.map { links[$0] }
    }

    private func makeLinks(
        _ links: [GenerationPlan.Link], in directory: Descriptor, _ path: TreePath
    ) throws {
        guard !links.isEmpty else { return }
        // Absent where the parent shows nothing there, or a link.
        let old = parent.flatMap {
            try? $0.directory.open(beneath: path.bytes, flags: O_RDONLY | O_DIRECTORY)
        }
        var files: Set<Bytes> = []
        try old?.forEachEntry { name, type, _ in
            if type != UInt8(DT_LNK), type != UInt8(DT_DIR) { files.insert(Bytes(name)) }
        }
        for link in links {
            if let parent, let old, parent.shows[link.package], !link.isContested,
                // A file was written for all packages of the parent.
                files.isEmpty || !files.contains(Bytes(link.name.utf8)),
                // Refused where a link has all the names it can have (EMLINK), is somebody else's, lies where
                // the parent has a directory, or the file system has no hard links of symbolic links.
                (try? old.link(link.name, to: directory, as: link.name)) != nil
            {
                continue
            }
            try directory.makeSymlink(link.name, target: plan.target(of: link))
        }
    }
}
