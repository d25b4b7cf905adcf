import Files
import Foundation
import Testing

@testable import Images

/// What is written is what was to be written, in the eyes of other programs too.
@Suite struct WriterTests {
    /// A tree as a directory has it, and what is in its files.
    private struct Source {
        var tree = Tree()
        var contents: [Bytes] = []

        init(_ sink: RecordingSink) {
            for (path, entry) in sink.entries.sorted(by: { $0.key < $1.key }) {
                switch entry {
                case .directory(let mode): tree.insert(Tree.Node(kind: .directory, mode: mode), at: path)
                case .symlink(let target):
                    tree.insert(Tree.Node(kind: .symlink(target: target), mode: 0o777), at: path)
                case .file(let mode, let bytes, let attributes):
                    let known = contents.firstIndex(of: bytes)
                    if known == nil { contents.append(bytes) }
                    let id = ContentID(known ?? contents.count - 1)
                    tree.insert(Tree.Node(kind: .file(id), mode: mode, attributes: attributes), at: path)
                }
            }
        }

        func content(_ id: ContentID) -> FileContents { .bytes(contents[id.number]) }
    }

    private let fixture: Fixture
    private let source: Source
    private let expected: RecordingSink

    init() throws {
        fixture = try Fixture()
        try fixture.makeTree()
        // Several blocks that compress, a whole block, and what a fragment holds.
        try fixture.run(
            """
            seq 200000 > tree/usr/lib/long; head -c 131072 tree/usr/lib/long > tree/usr/lib/block
            chmod 600 tree/usr/lib/block; mkdir -p tree/deep/er; chmod 500 tree/deep
            mkdir tree/many; (cd tree/many; seq 400 | xargs touch)
            """)
        expected = try fixture.read("tree")
        source = Source(expected)
    }

    private func write(
        _ name: String, _ compression: SquashFSWriter.Compression, level: Int? = nil, workers: Int = 2
    ) throws {
        let total = source.contents.reduce(0) { $0 + $1.count }
        let meter = Meter()
        try SquashFSWriter(compression: compression, level: level, workers: workers, time: 315_619_200).write(
            source.tree, to: "\(fixture.path)/\(name)", progress: meter, total: total,
            contents: source.content)
        #expect(meter.total == total && meter.done == total)
    }

    private final class Meter: Files.Progress {
        var total: Int?
        var done = 0
        func begin(_ title: String, total: Int?) { self.total = total }
        func advance(to bytes: Int) { done = bytes }
        func end() {}
    }

    @Test(arguments: SquashFSWriter.Compression.allCases)
    func anImageIsReadBack(_ compression: SquashFSWriter.Compression) throws {
        try write("image.raw", compression)
        #expect(try fixture.read("image.raw").entries == expected.entries)
        #expect(try fixture.run("stat -c %s image.raw | awk '{ print $1 % 4096 }'") == "0\n")
        // Attributes that ordinary users can set, for the tests are theirs, too.
        try fixture.run("unsquashfs -quiet -no-progress -dest other image.raw")
        let other = try fixture.read("other")
        #expect(other.entries == expected.entries)
        let listing = try fixture.run("unsquashfs -lln image.raw")
        let lines = listing.split(separator: "\n")
        #expect(lines.count == expected.entries.count)
        #expect(lines.allSatisfy { $0.contains(" 0/0 ") && $0.contains(" 1980-01-02 ") })
    }

    @Test func anyNumberOfWorkersWritesTheSame() throws {
        for workers in [1, 2, 3, 16] { try write("\(workers).raw", .zstd, level: 3, workers: workers) }
        try fixture.run("for n in 2 3 16; do cmp 1.raw $n.raw; done")
        try write("dearer.raw", .zstd, level: 19)
        try fixture.run("test $(stat -c %s dearer.raw) -lt $(stat -c %s 1.raw)")
    }

    @Test func aDirectoryIsReadBack() throws {
        try fixture.run("mkdir written")
        try DirectoryWriter(time: 315_619_200).write(
            source.tree, in: Descriptor.directory(fixture.path + "/written"), progress: NoProgress(),
            total: 1,
            contents: source.content)
        #expect(try fixture.read("written").entries == expected.entries)
        #expect(try fixture.run("find written -newermt 1980-01-03 -o ! -newermt 1980-01-01") == "")
    }

    @Test func aFileInTheWayStays() throws {
        try fixture.run("echo mine > image.raw")
        #expect(throws: SystemError.self) { try write("image.raw", .zstd) }
        #expect(try fixture.run("cat image.raw") == "mine\n")
    }

    @Test(arguments: ["echo other > file", ": > file", "seq 100000 > file"])
    func aFileThatIsNotWhatItShouldBeIsNotWritten(change: String) throws {
        try fixture.run("echo hello > file; \(change)")
        var tree = Tree()
        tree.insert(Tree.Node(kind: .file(ContentID(0)), mode: 0o644), at: "file")
        let digest = Digest(hashing: "hello\n".utf8)
        #expect(throws: ImageError.changed(path: fixture.path + "/file")) {
            try SquashFSWriter(compression: .zstd, level: nil, workers: 1, time: 0).write(
                tree, to: fixture.path + "/image.raw", progress: NoProgress(), total: 6,
                contents: { _ in .file(try Descriptor.file(fixture.path + "/file"), size: 6, digest: digest) }
            )
        }
    }

    @Test func aToolThatIsMissingOrFailsIsNamed() throws {
        #expect(throws: ExternalToolError.missing("no-such-tool", package: "tools")) {
            try ExternalTool("no-such-tool", package: "tools").run([])
        }
        #expect(
            throws: ExternalToolError.failed(
                "ls", output: "ls: cannot access '/none': No such file or directory\n")
        ) {
            try ExternalTool("ls", package: "coreutils").run(["/none"])
        }
        #expect(try ExternalTool("echo", package: "coreutils").run(["a b", ""]) == "a b \n")
    }

    @Test func namesInADirectoryAreSeenWithoutReading() throws {
        try write("image.raw", .zstd)
        for image in ["image.raw", "tree"] {
            let image = try fixture.open(image)
            #expect(try image.names(in: "usr")?.map(\.displayed) == ["bin", "lib", "share"])
            #expect(try image.names(in: "many")?.count == 400)
            #expect(try image.names(in: "usr/nothing") == nil)
            #expect(try image.names(in: "usr/bin/hello") == nil)
        }
    }
}
