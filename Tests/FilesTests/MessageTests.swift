import Files
import Testing

/// Messages that are hashed together have the digests that each has by itself.
///
/// Where the processor cannot, together is one after the other, and these tests say little.
@Suite struct MessageTests {
    private static let step = ResumableHasher.step
    private static let bytes = (0..<step * 9 / 2).map { UInt8(truncatingIfNeeded: $0 &* 167 ^ $0 >> 7) }

    /// Hashes the first bytes, so many for each message, together and each by itself.
    private static func compare(_ sizes: [Int], keepsStates: Bool = false) {
        bytes.withUnsafeBytes { buffer in
            let messages = sizes.enumerated().map { number, size in
                // They begin at different places, so that no two are the same.
                Message(
                    UnsafeRawBufferPointer(rebasing: buffer[(number % 61)...].prefix(size)),
                    keepsStates: keepsStates)
            }
            let together = Message.hash(messages)
            let alone = Message.hash(messages, together: false)
            for (number, size) in sizes.enumerated() {
                #expect(together[number].digest == alone[number].digest, "message \(number) of \(size) bytes")
                #expect(alone[number].digest == Digest(hashing: buffer[(number % 61)...].prefix(size)))
                #expect(together[number].states.map(digest) == alone[number].states.map(digest))
            }
        }
    }

    /// Tells states apart: what comes of them with nothing more.
    private static func digest(_ state: Hasher256) -> Digest {
        var state = state
        return state.finalize()
    }

    /// Every length around the places where what is put behind a message takes another block.
    @Test func everyLengthUpToSomeBlocks() { Self.compare(Array(0...400)) }

    /// Lanes are left, taken again and idle in any order.
    @Test(arguments: [1, 4, 5, 6, 15, 16, 17, 33, 100])
    func anyNumberOfMessages(count: Int) {
        Self.compare((0..<count).map { $0 * $0 * 7919 % 20_000 })
        Self.compare(Array(repeating: 5_000, count: count))
    }

    @Test(arguments: [0, 1, 16])
    func oneIsMuchLongerThanTheOthers(others: Int) {
        Self.compare([Self.step * 4] + Array(repeating: 100, count: others), keepsStates: true)
    }

    @Test func statesAreThoseOfEachStep() {
        let sizes = [
            0, 1, Self.step - 1, Self.step, Self.step + 1, 2 * Self.step, 3 * Self.step + 63, 4 * Self.step,
        ]
        Self.compare(sizes, keepsStates: true)
        Self.compare(sizes + sizes + sizes, keepsStates: true)
        Self.compare(sizes + [10, 20, 30], keepsStates: true)
    }

    /// Messages that begin as others did, among such that do not.
    @Test func whatFollowsSomeStepsIsHashedTogether() {
        Self.bytes.withUnsafeBytes { buffer in
            let states = Message.hash([Message(buffer, keepsStates: true)])[0].states
            #expect(states.count == 4)
            for common in [0, Self.step - 1, Self.step, 3 * Self.step + 7, buffer.count] {
                let rest = (1...7).map {
                    UnsafeRawBufferPointer(rebasing: buffer[..<(buffer.count - $0 * 1000)])
                }
                let hashes = Message.hash(
                    rest.map { Message($0, after: states, common: common) } + [Message(buffer)])
                for (bytes, hash) in zip(rest + [buffer], hashes) {
                    #expect(hash.digest == Digest(hashing: bytes))
                }
            }
        }
    }
}
