import Files
import Foundation
import Testing

/// Digests of files that change from some byte on.
@Suite struct ResumableHasherTests {
    private static let step = ResumableHasher.step
    /// Three steps and a half.
    private static let bytes = (0..<step * 7 / 2).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }

    /// Bytes, hashed in pieces that end anywhere.
    private static func hashed(_ bytes: Bytes, pieces: Int) -> ResumableHasher {
        var hasher = ResumableHasher()
        bytes.withUnsafeBytes { buffer in
            for start in stride(from: 0, to: buffer.count, by: pieces) {
                let piece = buffer[start..<min(start + pieces, buffer.count)]
                hasher.update(UnsafeRawBufferPointer(rebasing: piece))
            }
        }
        return hasher
    }

    @Test(arguments: [777, 1 << 16, 1 << 18])
    func piecesDoNotMatter(pieces: Int) {
        var hasher = Self.hashed(Self.bytes, pieces: pieces)
        #expect(hasher.states.count == 3)
        #expect(hasher.finalize() == Digest(hashing: Self.bytes))
    }

    @Test(arguments: [0, 1, step - 1, step, step + 1, 2 * step, 3 * step, 3 * step + 5])
    func aChangeIsHashedFromTheStepBeforeIt(place: Int) {
        let states = Self.hashed(Self.bytes, pieces: 10_000).states
        var changed = Self.bytes
        changed[place] ^= 0xff
        changed += [1, 2, 3]
        let digest = changed.withUnsafeBytes {
            ResumableHasher.digest(of: $0, after: states, common: place)
        }
        #expect(digest == Digest(hashing: changed))
    }

    @Test func aStagedFileMayBePatchedTwice() throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "sxs-digest-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let staging = Staging(try Descriptor.directory(directory.path))
        try Data(Self.bytes).write(to: directory.appending(path: staging.fileName(of: staging.nextID)))
        let id = staging.add(
            size: Self.bytes.count, digest: Digest(hashing: Self.bytes), scanner: PathScanner(), head: [],
            hashStates: Self.hashed(Self.bytes, pieces: 10_000).states)
        var expected = Self.bytes
        for place in [10, 3 * Self.step, Self.step + 7] {
            expected.replaceSubrange(place..<place + 2, with: [0xaa, 0x55])
            try staging.patch(id, with: [(place, [0xaa, 0x55])])
            #expect(staging[id].digest == Digest(hashing: expected), "patched at \(place)")
        }
    }
}
