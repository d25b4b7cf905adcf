import Files
import Testing

@testable import Images

/// What an image may unpack to, and what is said of one that would be more.
@Suite struct LimitTests {
    private func read(_ name: String, in fixture: Fixture, limits: ImageLimits) throws -> RecordingSink {
        let sink = RecordingSink()
        try Image.open(ImageReference(path: "\(fixture.path)/\(name)"), limits: limits).read(
            into: sink, progress: NoProgress())
        return sink
    }

    /// The option that a refusal names.
    private func option(of name: String, in fixture: Fixture, limits: ImageLimits) -> String? {
        do {
            _ = try read(name, in: fixture, limits: limits)
            return nil
        } catch {
            let text = "\(error)"
            #expect(text.contains(name), "\(text)")
            return ["--max-size", "--max-files", "--max-ratio"].first { text.contains($0) }
        }
    }

    @Test(arguments: ["x.tar", "x.tar.gz", "x.tar.zst", "x.raw", "t"])
    func everyFormatHasTheSameLimits(name: String) throws {
        let fixture = try Fixture()
        try fixture.run(
            """
            mkdir t; for n in 1 2 3 4 5 6 7 8; do head -c 1000 /dev/zero > t/$n; done
            tar -C t -cf x.tar .; gzip -k x.tar; zstd -q x.tar
            mksquashfs t x.raw -quiet -no-progress -no-duplicates
            """)
        // Eight files; tar names their directory, too.
        #expect(try read(name, in: fixture, limits: ImageLimits(size: 8000, files: 9)).entries.count == 9)
        #expect(option(of: name, in: fixture, limits: ImageLimits(size: 7999)) == "--max-size")
        #expect(option(of: name, in: fixture, limits: ImageLimits(files: 7)) == "--max-files")
    }

    @Test func layersCountTogether() throws {
        let fixture = try Fixture()
        try fixture.run(
            "mkdir t; for n in 1 2 3; do head -c 1000 /dev/zero > t/f; tar -C t -cf $n.tar f; done")
        try fixture.makeLayout("x", layers: ["1.tar", "2.tar", "3.tar"], compression: "gzip")
        _ = try read("x", in: fixture, limits: ImageLimits(size: 3000, files: 3))
        #expect(option(of: "x", in: fixture, limits: ImageLimits(size: 2999)) == "--max-size")
        #expect(option(of: "x", in: fixture, limits: ImageLimits(files: 2)) == "--max-files")
    }

    @Test(arguments: ["hole.tar", "hole.tar.gz", "hole.raw", "hole.d"])
    func aHoleIsRefusedBeforeItIsRead(name: String) throws {
        let fixture = try Fixture()
        try fixture.run(
            """
            mkdir hole.d; truncate -s 1G hole.d/f
            case \(name) in
            *.tar*) tar -C hole.d --sparse --format=pax -cf hole.tar f; gzip -k hole.tar;;
            *.raw) mksquashfs hole.d hole.raw -quiet -no-progress -b 1M;;
            esac
            """)
        #expect(option(of: name, in: fixture, limits: ImageLimits()) == "--max-ratio")
        #expect(option(of: name, in: fixture, limits: ImageLimits(size: 1 << 29)) == "--max-size")
    }

    @Test func whatFollowsTheEndOfAnArchiveCounts() throws {
        let fixture = try Fixture()
        try fixture.run(
            "echo x > f; tar -cf x.tar f; { cat x.tar; head -c 300M /dev/zero; } | zstd -qc > x.tar.zst")
        #expect(option(of: "x.tar.zst", in: fixture, limits: ImageLimits()) == "--max-ratio")
        #expect(try read("x.tar.zst", in: fixture, limits: ImageLimits(ratio: 1 << 20)).names == ["f"])
    }

    @Test func smallImagesMayBeAnything() throws {
        let budget = ImageBudget(ImageLimits(), image: "x", stored: 1)
        try budget.count(contents: ImageLimits.alwaysAllowed)
        #expect(throws: ImageError.self) { try budget.count(contents: 1) }
        // What was refused is not counted.
        #expect(throws: ImageError.self) { try budget.check(contents: 1) }
        budget.add(stored: 2_000_000)
        try budget.count(contents: 1)
    }

    @Test func sumsAndProductsDoNotOverflow() throws {
        let budget = ImageBudget(
            ImageLimits(size: .max, files: .max, ratio: .max), image: "x", stored: .max)
        for _ in 0..<3 { try budget.check(contents: .max) }
        try budget.count(contents: .max)
        try budget.count(contents: .max)
        for _ in 0..<3 { try budget.count(metadata: .max) }
        for _ in 0..<3 { try budget.count(streamed: .max) }
        budget.add(stored: .max)
    }

    @Test func namesAndAttributesHaveRoomByFile() throws {
        let budget = ImageBudget(ImageLimits(files: 1 << 20), image: "x", stored: 1)
        try budget.count(metadata: 256 << 20)
        #expect(throws: ImageError.self) { try budget.count(metadata: 1) }
    }
}
