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
            Message.hash([Message($0, after: states, common: place)])[0].digest
        }
        #expect(digest == Digest(hashing: changed))
    }

    /// A staging area with some contents, and what removes it.
    private static func staging(_ sizes: [Int]) throws -> (Staging, [ContentID], remove: () -> Void) {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "sxs-digest-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let staging = Staging(try Descriptor.directory(directory.path))
        let ids = try sizes.map { size in
            let bytes = Array(Self.bytes.prefix(size))
            let file = try staging.reserveFile()
            try Data(bytes).write(to: directory.appending(path: Staging.fileName(file)))
            return staging.add(
                file, size: size, digest: Digest(hashing: bytes), scanner: PathScanner(), head: FileHead([]),
                hashStates: Self.hashed(bytes, pieces: 10_000).states)
        }
        return (staging, ids, { try? FileManager.default.removeItem(at: directory) })
    }

    @Test(arguments: [false, true])
    func aStagedFileMayBePatchedTwice(hashesBetween: Bool) throws {
        let (staging, ids, remove) = try Self.staging([Self.bytes.count])
        defer { remove() }
        var expected = Self.bytes
        for place in [3 * Self.step, 10, Self.step + 7] {
            expected.replaceSubrange(place..<place + 2, with: [0xaa, 0x55])
            try staging.patch(ids[0], with: [(place, [0xaa, 0x55])])
            if hashesBetween {
                try staging.hashPatched()
                #expect(staging[ids[0]].digest == Digest(hashing: expected), "patched at \(place)")
            }
        }
        try staging.hashPatched()
        #expect(staging[ids[0]].digest == Digest(hashing: expected))
        #expect(staging.patchedSize == 0)
    }

    @Test func whatIsPatchedIsHashedFromTheStepBeforeTheFirstChange() throws {
        let (staging, ids, remove) = try Self.staging([Self.bytes.count, 1, Self.step, 500])
        defer { remove() }
        try staging.patch(ids[0], with: [(2 * Self.step + 1, [1]), (3 * Self.step, [2])])
        #expect(staging.patchedSize == Self.bytes.count - 2 * Self.step)
        try staging.patch(ids[1], with: [(0, [0xff])])
        try staging.patch(ids[3], with: [(400, [3])])
        // What is replaced is hashed at once.
        try staging.replace(ids[3], with: [7, 8, 9])
        #expect(staging[ids[3]].digest == Digest(hashing: [7, 8, 9]))
        try staging.hashPatched()
        for id in ids {
            #expect(try staging[id].digest == Digest(hashing: staging.open(id).readAll()))
        }
        #expect(staging[ids[2]].digest == Digest(hashing: Self.bytes.prefix(Self.step)))
        #expect(staging[ids[2]].isRelocated == false)
        // What came is known all the same.
        for (id, size) in zip(ids, [Self.bytes.count, 1, Self.step, 500]) {
            let (itsSize, digest) = staging.original(id)
            #expect(itsSize == size && digest == Digest(hashing: Self.bytes.prefix(size)))
        }
    }
}
