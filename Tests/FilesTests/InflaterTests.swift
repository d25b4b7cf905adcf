import Files
import Testing

/// What zlib deflates, ISA-L takes apart again, in whatever pieces it comes and goes.
@Suite struct InflaterTests {
    /// Text with repetitions near and far, runs, and what cannot be made smaller.
    private static func sample(_ seed: UInt64) -> Bytes {
        var generator = Generator(state: seed)
        var result: Bytes = []
        while result.count < 200_000 {
            switch generator.next() % 4 {
            case 0:
                result += (0..<generator.next() % 3000).map { _ in
                    UInt8(truncatingIfNeeded: generator.next() >> 32)
                }
            case 1:
                result += Bytes(
                    repeating: UInt8(truncatingIfNeeded: generator.next()),
                    count: Int(generator.next() % 5000))
            case 2 where !result.isEmpty:
                let start = Int(generator.next() % UInt64(result.count))
                result += result[start..<min(result.count, start + Int(generator.next() % 4000))]
            default: result += "a line of text number \(generator.next() % 1000)\n".utf8
            }
        }
        return result
    }

    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 11
        }
    }

    /// What comes out, and how it ended; input and output in pieces of these sizes.
    private func inflated(_ bytes: Bytes, input: Int, output: Int) throws -> (
        bytes: Bytes, outcome: Inflater.Outcome?
    ) {
        let inflater = try #require(Inflater(.raw))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: output, alignment: 16)
        defer { buffer.deallocate() }
        return bytes.withUnsafeBytes { bytes in
            var result: Bytes = []
            var rest = bytes[...]
            while true {
                if inflater.needsInput {
                    guard !rest.isEmpty else { return (result, nil) }
                    inflater.input = UnsafeRawBufferPointer(rebasing: rest.prefix(input))
                    rest = rest.dropFirst(input)
                }
                let (count, outcome) = inflater.inflate(into: buffer)
                result += UnsafeRawBufferPointer(rebasing: buffer[..<count])
                if outcome != .some { return (result, outcome) }
            }
        }
    }

    @Test(arguments: [
        (1, 1 << 18), (7, 1000), (4096, 1), (1 << 18, 1 << 18), (1 << 18, 13), (65_537, 65_537),
    ])
    func piecesDoNotMatter(input: Int, output: Int) throws {
        for seed in 1...3 as ClosedRange<UInt64> {
            let sample = Self.sample(seed)
            let deflated = try #require(Deflate.deflated(sample))
            let found = try inflated(deflated, input: input, output: output)
            #expect(found.bytes == sample && found.outcome == .end)
        }
    }

    @Test func whatIsCutHasNoEndAndWhatIsChangedDoesNoHarm() throws {
        let sample = Self.sample(4)
        let deflated = try #require(Deflate.deflated(sample))
        for count in [0, 1, 2, 100, deflated.count / 2, deflated.count - 1] {
            let found = try inflated(Bytes(deflated.prefix(count)), input: 1000, output: 5000)
            #expect(found.outcome == nil && sample.starts(with: found.bytes))
        }
        var generator = Generator(state: 5)
        for _ in 0..<300 {
            var changed = deflated
            for _ in 0...generator.next() % 3 {
                changed[Int(generator.next() % UInt64(changed.count))] ^= UInt8(1 << (generator.next() % 8))
            }
            // Ends, one way or another.
            _ = try inflated(
                changed, input: 1 + Int(generator.next() % 9000), output: 1 + Int(generator.next() % 9000))
        }
    }
}
