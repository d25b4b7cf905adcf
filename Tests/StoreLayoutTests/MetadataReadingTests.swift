import Files
import Foundation
import StoreLayout
import Testing

/// Metadata that are read in the form in which they are written are those that the decoder reads.
@Suite struct MetadataReadingTests {
    private static let metadata: Metadata = {
        let identity = StorePath.Identity(
            tree: Digest(hashing: "tree".utf8), name: name("emacs"), version: version("29.1+1"),
            architecture: .x86_64)
        var metadata = Metadata(
            storePath: StorePath(identity), identity: identity, source: "oci:/srv/ümlaut/emacs",
            sourceDigest: "sha256:00", summary: "An editor, and more (gtk+ version)",
            entrypoint: ["/usr/bin/emacs", "-nw", ""],
            exposure: Exposure(
                commands: [
                    Exposure.Command(name: "emacs", path: "usr/bin/emacs", needsLauncher: true),
                    Exposure.Command(name: "ctags", path: "usr/bin/ctags", needsLauncher: false),
                ], data: ["usr/share/man/man1/emacs.1.gz"], system: ["usr/lib/systemd/user/emacs.service"]),
            aliases: [AliasRecord(name: "a0b1", target: "usr/share/emacs")],
            launch: LaunchFacts(searchPath: ["usr/libexec"], dataPath: ["usr/share"], seeds: ["/etc/emacs"]),
            omissions: ["device": 3, "special": 1], hints: [HintRecord(name: "emacs", digest: "ab")])
        (metadata.size, metadata.fileCount, metadata.listingDigest) = (123_456_789_012, 10_078, "cd")
        return metadata
    }()

    private static func name(_ text: String) -> PackageName {
        guard let name = try? PackageName(text) else { preconditionFailure("a name") }
        return name
    }

    private static func version(_ text: String) -> PackageVersion {
        guard let version = try? PackageVersion(text) else { preconditionFailure("a version") }
        return version
    }

    /// As the store writes it.
    private static func written(_ metadata: Metadata, isPretty: Bool = true) throws -> Bytes {
        struct Registered: Encodable {
            struct Registration: Encodable {
                let location = "oci:/x"
                let number = 7
                let registered = "2026-11-23T13:05:03Z"
                let sources = [["digest": "ef"], [:]]
            }

            let metadata: Metadata
            enum CodingKeys: CodingKey { case registration }

            func encode(to encoder: any Encoder) throws {
                try metadata.encode(to: encoder)
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(Registration(), forKey: .registration)
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if isPretty { encoder.outputFormatting.insert(.prettyPrinted) }
        return try Bytes(encoder.encode(Registered(metadata: metadata))) + [0x0a]
    }

    private static func decoded(_ text: Bytes) -> Metadata? {
        try? JSONDecoder().decode(Metadata.self, from: Data(text))
    }

    @Test(arguments: [false, true]) func whatIsWrittenIsRead(isPretty: Bool) throws {
        #expect(Metadata(written: try Self.written(Self.metadata, isPretty: isPretty)) == Self.metadata)
        var bare = Self.metadata
        (bare.sourceDigest, bare.summary, bare.hints, bare.launch.dataPath) = (nil, nil, nil, nil)
        (bare.entrypoint, bare.aliases, bare.omissions) = ([], [], [:])
        (bare.exposure, bare.launch, bare.size) = (Exposure(), LaunchFacts(), 0)
        #expect(Metadata(written: try Self.written(bare, isPretty: isPretty)) == bare)
    }

    /// What few packages have, and text with escapes, is for the decoder.
    @Test func theRestIsLeftToTheDecoder() throws {
        var other = Self.metadata
        other.summary = "an \"editor\""
        #expect(Metadata(written: try Self.written(other)) == nil)
        other = Self.metadata
        other.packages = []
        #expect(Metadata(written: try Self.written(other)) == nil)
        other = Self.metadata
        other.launch.rules = [LaunchRule(programs: ["a"], environment: [:], namespace: nil)]
        #expect(Metadata(written: try Self.written(other)) == nil)
        #expect(Self.decoded(try Self.written(other)) == other)
    }

    /// Whatever one byte is instead of what it was, or is not there: what is read is what the decoder reads.
    @Test func damagedMetadataAreNotReadAsOthers() throws {
        let text = try Self.written(Self.metadata, isPretty: false)
        var readCount = 0
        for place in text.indices {
            var other = text
            other.remove(at: place)
            try Self.check(other, &readCount)
            for byte in [UInt8(ascii: "\""), UInt8(ascii: "}"), UInt8(ascii: "0"), 0xc3, 0] {
                other = text
                other[place] = byte
                try Self.check(other, &readCount)
            }
        }
        // Most are in a text, and may be others.
        #expect(readCount > text.count)
        for count in text.indices {
            #expect(Metadata(written: Array(text[..<count])) == nil || count == text.count - 1)
        }
    }

    private static func check(_ text: Bytes, _ readCount: inout Int) throws {
        guard let read = Metadata(written: text) else { return }
        readCount += 1
        #expect(read == decoded(text), "\(String(decoding: text, as: UTF8.self))")
    }

    /// Numbers, words and ends as the decoder has them.
    @Test(arguments: [
        "\"recipe\":1": [
            "01", "-1", "1.0", "1e2", "999999999999999999", "9999999999999999999", "- 1", "", "1 ",
        ],
        "\"needsLauncher\":true": ["tru", "truex", "false", "null", "1", "\"true\""],
        "\"seeds\":[\"/etc/emacs\"]": ["[,]", "[\"a\",]", "[ ]", "[\"a\" \"b\"]", "[[[]]]", "{}", "null"],
        "\"registration\":{": [
            "{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]],", "{\"name\":{\"name\":1},",
        ],
    ])
    func valuesAreReadAsTheDecoderDoes(member: String, values: [String]) throws {
        let text = String(decoding: try Self.written(Self.metadata, isPretty: false), as: UTF8.self)
        let key = try #require(member.firstIndex(of: ":"))
        #expect(text.contains(member))
        for value in values {
            let other = Bytes(text.replacing(member, with: member[...key] + value).utf8)
            if let read = Metadata(written: other) { #expect(read == Self.decoded(other), "\(value)") }
        }
    }
}
