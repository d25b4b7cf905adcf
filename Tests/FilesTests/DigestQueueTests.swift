import Files
import Testing

/// What passes through a queue has the digest that it has by itself, whoever hashed which part of it beside what.
///
/// Where the processor cannot hash messages together, each chunk is hashed as it passes, and these tests say little.
@Suite struct DigestQueueTests {
    private static let chunkSize = 4096
    private static let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 109 ^ $0 >> 9) }

    /// Repeatable numbers.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 16 ^ state << 40
        }
    }

    /// Tells states apart: what comes of them with nothing more.
    private static func digest(_ state: Hasher256) -> Digest {
        var state = state
        return state.finalize()
    }

    /// Lets bytes pass in chunks, of so many bytes each.
    private static func pass(
        _ bytes: ArraySlice<UInt8>, through queue: DigestQueue, size: Int, between: () -> Void = {}
    ) throws {
        var rest = bytes
        while !rest.isEmpty {
            let chunk = try #require(queue.take())
            let part = Array(rest.prefix(size))
            #expect(part.withUnsafeBytes { chunk.append($0) } == part.count)
            queue.pass(chunk)
            queue.put(chunk)
            rest = rest.dropFirst(size)
            between()
        }
    }

    @Test(arguments: [1, 63, 64, 65, 4095, 4096])
    func nobodyHashesAnythingBesideIt(size: Int) throws {
        for hasher in [nil, MessageHasher()] {
            let queue = DigestQueue.beside(hasher, chunkSize: Self.chunkSize, chunkCount: 3)
            try Self.pass(Self.bytes[..<50_000], through: queue, size: size)
            #expect(queue.digest() == Digest(hashing: Self.bytes[..<50_000]))
        }
    }

    /// Chunks that end within a block can only be hashed alone, and all that follows them.
    @Test(arguments: [64, 4032, 4096, 100, 4095])
    func messagesKeepItCompany(size: Int) throws {
        var numbers = Numbers(state: UInt64(size))
        let hasher = MessageHasher()
        let queue = DigestQueue.beside(hasher, chunkSize: Self.chunkSize, chunkCount: 5)
        try Self.pass(Self.bytes[..<300_000], through: queue, size: size) {
            guard Int.random(in: 0..<3, using: &numbers) == 0 else { return }
            let sizes = (0..<Int.random(in: 1...6, using: &numbers)).map { _ in
                Int.random(in: 0...5000, using: &numbers)
            }
            Self.bytes.withUnsafeBytes { buffer in
                let messages = sizes.map { Message(UnsafeRawBufferPointer(rebasing: buffer[..<$0])) }
                for (hash, size) in zip(hasher.hash(messages), sizes) {
                    #expect(hash.digest == Digest(hashing: Self.bytes[..<size]))
                }
            }
        }
        #expect(queue.digest() == Digest(hashing: Self.bytes[..<300_000]))
    }

    /// More queues than there are places beside a message.
    @Test func severalQueuesAtOnce() throws {
        let hasher = MessageHasher()
        let queues = (0..<6).map { _ in DigestQueue.beside(hasher, chunkSize: Self.chunkSize, chunkCount: 4) }
        for step in 0..<20 {
            for (number, queue) in queues.enumerated() {
                let part = Self.bytes[(step * 4096)..<(step * 4096 + 4096)]
                try Self.pass(part, through: queue, size: 1024 * (number % 3 + 1))
            }
            Self.bytes.withUnsafeBytes { buffer in
                let digest = hasher.hash([Message(UnsafeRawBufferPointer(rebasing: buffer[..<(step * 999)]))]
                )[0].digest
                #expect(digest == Digest(hashing: Self.bytes[..<(step * 999)]))
            }
        }
        for queue in queues { #expect(queue.digest() == Digest(hashing: Self.bytes[..<(20 * 4096)])) }
    }

    /// Threads hash while another one lets bytes pass, and chunks are fewer than what waits.
    @Test func threadsHashMeanwhile() throws {
        let hasher = MessageHasher()
        let queue = DigestQueue.beside(hasher, chunkSize: Self.chunkSize, chunkCount: 3)
        let tasks = (1...3).map { number in
            BackgroundTask { () -> Bool in
                (0..<60).allSatisfy { round in
                    let size = (round * 7919 + number * 100_003) % 70_000
                    return Self.bytes.withUnsafeBytes { buffer in
                        let messages = [size, size / 3, 17].map {
                            Message(UnsafeRawBufferPointer(rebasing: buffer[..<$0]))
                        }
                        return hasher.hash(messages)[0].digest == Digest(hashing: Self.bytes[..<size])
                    }
                }
            }
        }
        try Self.pass(Self.bytes[...], through: queue, size: Self.chunkSize)
        #expect(queue.digest() == Digest(hashing: Self.bytes))
        for task in tasks { #expect(try task.value()) }
    }

    /// A computation that goes on piece by piece, beside a queue, has the states that it has alone.
    @Test(arguments: [64, 1000, 65_536, 200_000])
    func computationGoesOnBesideIt(size: Int) throws {
        let hasher = MessageHasher()
        let queue = DigestQueue.beside(hasher, chunkSize: Self.chunkSize, chunkCount: 8)
        var (beside, alone) = (ResumableHasher(), ResumableHasher())
        var rest = Self.bytes[..<500_001]
        while !rest.isEmpty {
            try Self.pass(Self.bytes[..<8192], through: queue, size: Self.chunkSize)
            Array(rest.prefix(size)).withUnsafeBytes {
                beside.update($0, beside: hasher)
                alone.update($0)
            }
            rest = rest.dropFirst(size)
        }
        #expect(beside.states.map(Self.digest) == alone.states.map(Self.digest))
        #expect(beside.states.count == 500_001 / ResumableHasher.step)
        #expect(beside.finalize() == Digest(hashing: Self.bytes[..<500_001]))
    }

    /// Messages that are gone on with a while at a time, as others come.
    @Test func messagesAreDoneOneByOne() throws {
        guard Message.canBeTogether else { return }
        let hasher = MessageHasher()
        let queue = DigestQueue.beside(hasher, chunkSize: 1 << 16, chunkCount: 8)
        let sizes = [900_000, 1, 0, 65_536, 700_001, 64, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 128, 999_999]
        let large = Self.bytes + Self.bytes + Self.bytes
        try large.withUnsafeBytes { buffer in
            var waiting: [(size: Int, message: PendingMessage)] = []
            var done = 0
            for size in sizes + [large.count] {
                let message = Message(UnsafeRawBufferPointer(rebasing: buffer[..<size]), keepsStates: true)
                waiting.append((size, PendingMessage(message)))
                try Self.pass(Self.bytes[..<65_536], through: queue, size: 1 << 16)
                repeat {
                    let before = waiting.reduce(0) { $0 + $1.message.count }
                    hasher.advance(waiting.map(\.message))
                    // Of each, what fills no block may be left.
                    let left = waiting.reduce(0) { $0 + $1.message.count }
                    #expect(left <= max(before - 2 << 20, 64 * waiting.count))
                    waiting.removeAll { size, message in
                        guard let hash = message.hash else { return false }
                        #expect(hash.digest == Digest(hashing: large[..<size]))
                        var alone = ResumableHasher()
                        alone.update(UnsafeRawBufferPointer(rebasing: buffer[..<size]))
                        #expect(hash.states.map(Self.digest) == alone.states.map(Self.digest))
                        done += 1
                        return true
                    }
                } while waiting.count > 4
            }
            while !waiting.isEmpty {
                hasher.advance(waiting.map(\.message))
                waiting.removeAll { size, message in
                    guard let hash = message.hash else { return false }
                    #expect(hash.digest == Digest(hashing: large[..<size]))
                    done += 1
                    return true
                }
            }
            #expect(done == sizes.count + 1)
        }
        #expect(
            queue.digest() == Digest(hashing: Array(repeating: Self.bytes[..<65_536], count: 13).joined()))
    }

    /// A while that ends where a step does, and within one.
    @Test(arguments: [1, 2, 3, 4, 5]) func statesAreKeptOnceWhereAWhileEnds(count: Int) throws {
        guard Message.canBeTogether else { return }
        let bytes = Self.bytes + Self.bytes + Self.bytes
        var alone = ResumableHasher()
        bytes.withUnsafeBytes { buffer in
            alone.update(buffer)
            let messages = (0..<count).map { _ in PendingMessage(Message(buffer, keepsStates: true)) }
            while case let rest = messages.filter({ $0.hash == nil }), !rest.isEmpty {
                MessageHasher().advance(rest)
            }
            for message in messages {
                #expect(message.hash?.states.map(Self.digest) == alone.states.map(Self.digest))
                #expect(message.hash?.digest == Digest(hashing: bytes))
            }
        }
    }

    @Test func whoWaitsForAChunkLearnsThatItIsOver() throws {
        for hasher in [nil, MessageHasher()] {
            let queue = DigestQueue.beside(hasher, chunkSize: Self.chunkSize, chunkCount: 2)
            let held = [queue.take(), queue.take()]
            let task = BackgroundTask { queue.take() == nil }
            queue.close()
            #expect(try task.value())
            #expect(held.allSatisfy { $0 != nil })
        }
    }

    @Test func muchThatWaitsIsSaid() throws {
        guard Message.canBeTogether else { return }
        let hasher = MessageHasher()
        let queue = DigestQueue.beside(hasher, chunkSize: 64, chunkCount: 4)
        #expect(!hasher.isPressed)
        try Self.pass(Self.bytes[..<256], through: queue, size: 64)
        #expect(hasher.isPressed)
        Self.bytes.withUnsafeBytes { _ = hasher.hash([Message($0)]) }
        #expect(!hasher.isPressed)
        #expect(queue.digest() == Digest(hashing: Self.bytes[..<256]))
    }
}
