private import Activation
internal import Files
private import Glibc

/// A cache that is one file, or one directory, for all packages of a generation, and how it is made.
struct DesktopCache {
    /// A file of the input: its path there, and the absolute path of what it is a link to.
    typealias Input = (name: String, target: String)

    /// What messages call it.
    let name: String
    /// Programs that make it, the preferred first.
    let programs: [String]
    /// Their arguments.
    let arguments: [String]
    /// What it is made from.
    let inputs: [Input]
    /// Where the generation has it.
    let place: TreePath
    /// The file that is taken of the output; `nil` for all.
    let file: String?
    /// Whether it is told that no program can make it: desktops find icons without a cache, and terminals have no use
    /// for the types that an application opens.
    let isNeeded: Bool

    /// Settings that programs have, for GLib.
    static func schemas(_ inputs: [Input]) -> DesktopCache {
        DesktopCache(
            name: "cache of settings schemas", programs: ["glib-compile-schemas"],
            arguments: ["--targetdir=/out", "/in"], inputs: inputs, place: "share/glib-2.0/schemas",
            file: "gschemas.compiled", isNeeded: true)
    }

    /// Types of files: a whole directory, because programs ask each for its own.
    static func types(_ inputs: [Input]) -> DesktopCache {
        DesktopCache(
            name: "database of file types", programs: ["update-mime-database"], arguments: ["/out"],
            inputs: inputs, place: "share/mime", file: nil, isNeeded: true)
    }

    /// Which application opens which type.
    static func applications(_ inputs: [Input]) -> DesktopCache {
        DesktopCache(
            name: "cache of the applications' file types", programs: ["update-desktop-database"],
            arguments: ["/out"], inputs: inputs, place: "share/applications", file: "mimeinfo.cache",
            isNeeded: false)
    }

    /// The icons of a theme.
    static func icons(_ theme: String, _ inputs: [Input]) -> DesktopCache {
        DesktopCache(
            name: "cache of the icons of '\(theme)'",
            programs: ["gtk-update-icon-cache", "gtk4-update-icon-cache"],
            arguments: ["--force", "--ignore-theme-index", "--index-only", "--quiet", "/out"], inputs: inputs,
            place: ("share/icons" as TreePath).appending(theme.utf8), file: "icon-theme.cache",
            isNeeded: false)
    }

    /// Why a program did not make it.
    struct Failure: Error {
        let reason: String
    }

    /// Whether a file of the output is the cache, or of it.
    func isWanted(_ path: TreePath) -> Bool {
        file.map { path.bytes.elementsEqual($0.utf8) } ?? true
    }

    /// The digest of all that the output follows from: store paths never change.
    func key(madeBy program: String) -> Digest {
        var lines = ["sxs-derived 1", "program \(program)"]
        lines += arguments.map { "argument \($0)" }
        lines += inputs.map { "input \($0.name)\t\($0.target)" }
        return Digest(hashing: (lines.joined(separator: "\n") + "\n").utf8)
    }

    /// Lets a program make it.
    ///
    /// - Parameters:
    ///   - program: The program, below `/usr/store`.
    ///   - root: The root that has it.
    ///   - work: An empty directory.
    /// - Returns: The directory of its output.
    /// - Throws: ``Failure``, or `SystemError` where the input cannot be written.
    func make(_ program: String, root: String, in work: Descriptor) throws -> Descriptor {
        try work.makeDirectory("in", mode: 0o755, existing: false)
        try work.makeDirectory("root", mode: 0o755, existing: false)
        let top = try work.directory(beneath: "in")
        try top.setMode(0o755)
        for input in inputs {
            let path = try TreePath(parsing: input.name.utf8)
            var place = top
            for component in path.components.dropLast() {
                if try place.status(of: component) == nil {
                    try place.makeDirectory(component, mode: 0o755)
                    try place.open(beneath: component, flags: O_RDONLY | O_DIRECTORY).setMode(0o755)
                }
                place = try place.open(beneath: component, flags: O_RDONLY | O_DIRECTORY)
            }
            try place.makeSymlink(path.name, target: Array(input.target.utf8))
        }
        do {
            return try ShutInProgram(program: program, arguments: arguments, root: root).run(
                input: work.path + "/in", place: work.path + "/root")
        } catch {
            throw Failure(reason: error.description)
        }
    }
}
