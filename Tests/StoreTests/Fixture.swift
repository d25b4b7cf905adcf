import Files
import Glibc
import Store
import StoreLayout
import Testing

/// A temporary directory, removed with all that is in it.
final class Fixture {
    let path: String
    var root: String { path + "/root" }

    init() throws {
        var template = Array("/tmp/sxs-store-tests.XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        path = String(cString: made)
    }

    deinit {
        try? Descriptor.directory("/tmp").removeTree(String(path.dropFirst(5)))
    }

    /// SQL that gives an index the tables of generations that it had before all packages of one were in one row.
    static let earlierGenerations = """
        DROP VIEW generation_package; \
        CREATE TABLE generation_package (profile TEXT NOT NULL, number INTEGER NOT NULL, \
        position INTEGER NOT NULL, base_name TEXT NOT NULL, PRIMARY KEY (profile, number, position), \
        FOREIGN KEY (profile, number) REFERENCES generation (profile, number) ON DELETE CASCADE) \
        STRICT, WITHOUT ROWID; \
        INSERT INTO generation_package SELECT profile, number, key, value \
        FROM generation_list, json_each(base_names); \
        DROP TABLE generation_list; \
        CREATE INDEX generation_package_by_name ON generation_package (base_name);
        """

    func store() throws -> Store { try Store.open(root: root, forWriting: true) }

    /// Runs a program; its output and exit status.
    static func run(_ arguments: [String], output: String) throws -> (status: Int32, text: String) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        var pid: pid_t = 0
        try #require(posix_spawnp(&pid, arguments[0], &actions, nil, &argv, environ) == 0, "\(arguments)")
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let text = try Descriptor.file(output).readAll()
        return (status, String(decoding: text, as: UTF8.self))
    }
}

extension TreeBuilder {
    func file(
        _ path: TreePath, _ text: String, mode: UInt16 = 0o644, attributes: [ExtendedAttribute] = []
    ) throws {
        try beginFile(path, mode: mode, attributes: attributes, size: nil)
        try Array(text.utf8).withUnsafeBytes { try append($0) }
        try endFile()
    }
}

extension Store {
    /// Imports what `fill` builds, without relocation.
    @discardableResult
    func add(
        _ name: String, version: String = "1", exposure: Exposure = Exposure(), aliases: [AliasRecord] = [],
        label: Labeller? = nil, _ fill: (TreeBuilder) throws -> Void
    ) throws -> Metadata {
        let area = try makeImport()
        defer { try? area.discard() }
        try fill(area.builder)
        return try add(
            area, name, version: version, exposure: exposure, aliases: aliases, label: label)
    }

    func add(
        _ area: ImportArea, _ name: String, version: String = "1", exposure: Exposure = Exposure(),
        aliases: [AliasRecord] = [], label: Labeller? = nil
    ) throws -> Metadata {
        try area.builder.finish()
        let listing = TreeListing.render(area.builder.tree) {
            (area.staging[$0].size, area.staging[$0].digest)
        }
        let identity = StorePath.Identity(
            tree: Digest(hashing: listing), name: try PackageName(name), version: try PackageVersion(version),
            architecture: .any)
        let storePath = StorePath(identity)
        return try register(
            area, tree: area.builder.tree, storePath: storePath,
            metadata: Metadata(
                storePath: storePath, identity: identity, source: "test:\(name)", exposure: exposure,
                aliases: aliases),
            sourceListing: SourceListing(listing), report: { Array("{}\n".utf8) }, label: label)
    }

    func status(_ path: String) throws -> stat? { try root.status(of: path) }
}

var mainProfile: ProfileName { get throws { try ProfileName("default") } }

/// A generator whose numbers are the same in each run.
struct RepeatableNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        // Source: splitmix64, Steele, Lea and Flood, 2014.
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
