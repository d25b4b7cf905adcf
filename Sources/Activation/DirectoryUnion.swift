private import CLinux
internal import Files
private import Glibc
private import StoreLayout

/// Several directories shown as one on an empty directory, read-only; of entries of one name the first is shown.
struct DirectoryUnion {
    /// The directories, opened in the namespace they are to be mounted in.
    let sources: [Descriptor]

    /// What ``StoreLayout/Name/shown`` tells of them.
    let identities: String

    /// Shows them on the directory `path`.
    func mount(on path: String, _ method: StoreView.Method) throws {
        if sources.count == 1 {
            try sources[0].bind(on: path)
            return makeReadOnly(path, nosuid: true)
        }
        if method != .binds {
            do {
                return try overlay(on: path)
            } catch let error as NamespaceError {
                guard method == .automatic else { throw error }
            }
        }
        try bindEntries(on: path)
    }

    private func overlay(on path: String) throws {
        let memory = try mountMemory(on: path)
        var layers: [String] = []
        for (number, source) in sources.enumerated() {
            // Numbers for names: no path needs escaping, and the list stays short.
            layers.append("\(number)")
            try memory.makeDirectory("\(number)")
            try source.bind(on: "\(path)/\(number)")
        }
        try memory.makeDirectory("shown")
        try memory.directory(beneath: "shown").makeSymlink(StoreLayout.Name.shown, target: identities.utf8)
        try memory.enter()
        try Activation.mount(
            "an overlay of \(sources.map(\.path).joined(separator: " and "))", from: "overlay", on: path,
            type: "overlay", flags: SXS_MS_RDONLY | SXS_MS_NOSUID | sources.reduce(0) { $0 | $1.mountFlags },
            data: "lowerdir=" + (layers + ["shown"]).joined(separator: ":"))
    }

    private func bindEntries(on path: String) throws {
        let memory = try mountMemory(on: path)
        try memory.makeSymlink(StoreLayout.Name.shown, target: identities.utf8)
        for source in sources {
            try DirectoryCover.bind(try Descriptor.reading(source).list(), of: source, in: memory, at: path)
        }
        makeReadOnly(path, nosuid: true)
    }
}
