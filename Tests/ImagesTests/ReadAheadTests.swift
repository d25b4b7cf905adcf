import Files
import Testing

@testable import Images

/// Bytes that are made as they are asked for, and then perhaps an error.
private final class MadeStream: ByteStream {
    struct Broken: Error {}

    private let chunk: Int
    private var rest: Int
    private let breaks: Bool
    private var made: Bytes = []
    private var value: UInt8 = 0

    init(_ count: Int, chunk: Int, breaks: Bool = false) {
        (rest, self.chunk, self.breaks) = (count, chunk, breaks)
    }

    static func bytes(_ count: Int) -> Bytes { (0..<count).map { UInt8(truncatingIfNeeded: $0 % 251) } }

    func next() throws -> UnsafeRawBufferPointer? {
        guard rest > 0 else {
            if breaks { throw Broken() }
            return nil
        }
        let count = min(chunk, rest)
        rest -= count
        made = (0..<count).map { _ in
            defer { value = value == 250 ? 0 : value + 1 }
            return value
        }
        // Valid until the next call, as streams have it.
        return made.withUnsafeBytes { UnsafeRawBufferPointer($0) }
    }

    func skip(_ count: Int) throws -> Bool { false }
}

/// Streams that a thread of their own reads.
@Suite struct ReadAheadTests {
    private func all(_ stream: any ByteStream) throws -> Bytes {
        var bytes: Bytes = []
        while let part = try stream.next() { bytes.append(contentsOf: part) }
        return bytes
    }

    @Test(arguments: [0, 1, 262_143, 262_144, 262_145, 5_000_000], [1000, 262_144, 1_000_000])
    func bytesAreTheSameInTheSameOrder(count: Int, chunk: Int) throws {
        for hasher in [nil, MessageHasher()] {
            let stream = ReadAheadStream(MadeStream(count, chunk: chunk), beside: hasher)
            #expect(try all(stream) == MadeStream.bytes(count))
            #expect(try stream.next() == nil)
            #expect(try stream.digest() == Digest(hashing: MadeStream.bytes(count)))
        }
    }

    @Test func anErrorComesAfterTheBytesBeforeIt() throws {
        let stream = ReadAheadStream(
            MadeStream(700_000, chunk: 100_000, breaks: true), beside: MessageHasher())
        var count = 0
        #expect(throws: MadeStream.Broken.self) {
            while let part = try stream.next() { count += part.count }
        }
        // What fills no chunk when the error comes is not given: it would be of no use to anyone.
        #expect(count == 524_288)
    }

    @Test func nobodyWaitsForWhatNobodyWants() throws {
        let stream = ReadAheadStream(MadeStream(.max, chunk: 65_536), beside: MessageHasher())
        #expect(try stream.next()?.count == 262_144)
        stream.stop()
        #expect(try stream.next() == nil)
        // Released without having been read.
        _ = ReadAheadStream(MadeStream(.max, chunk: 65_536), beside: MessageHasher())
    }
}
