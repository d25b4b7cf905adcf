import Files
import Glibc
import Testing

/// Texts that are kept as what they have that another one does not.
@Suite struct DifferenceTests {
    /// Lines that no compressor makes much shorter, some of them others than in the base.
    static func text(changing step: Int? = nil, lines: Int = 3000) -> Bytes {
        Bytes(
            (0..<lines).map { line in
                let isChanged = step.map { line % $0 == 0 } ?? false
                let digest = Digest(hashing: "\(line) \(isChanged)".utf8).hex
                return "./usr/share/file-\(line) type=file mode=0444 sha256digest=\(digest)\n"
            }.joined().utf8)
    }

    static let base = text()

    @Test(arguments: [text(changing: 20), text(changing: 1), base, [], text(changing: 7, lines: 9000)])
    func whatWasMadeGivesTheText(text: Bytes) throws {
        let difference = try #require(Difference.made(of: text, from: Self.base))
        #expect(try Difference.applied(difference, to: Self.base) == text)
        #expect(Difference.made(of: text, from: Self.base) == difference)
    }

    @Test func aDifferenceIsAsLongAsWhatDiffers() throws {
        let difference = try #require(Difference.made(of: Self.text(changing: 20), from: Self.base))
        // 150 digests of 32 bytes each.
        #expect(difference.count < 150 * 48, "\(difference.count) bytes")
    }

    @Test func anEmptyBaseIsOne() throws {
        let text = Self.text(lines: 100)
        let difference = try #require(Difference.made(of: text, from: []))
        #expect(try Difference.applied(difference, to: []) == text)
    }

    @Test func whatIsMuchLongerThanTheBaseIsNotMade() {
        #expect(Difference.made(of: Self.text(lines: 5000), from: Self.text(lines: 10)) == nil)
    }

    @Test func whatWouldFillTheMemoryIsRefusedBefore() throws {
        // 16 MB of nothing in a few hundred bytes.
        let long = Bytes(repeating: 0, count: 16 << 20)
        let difference = try #require(Difference.made(of: long, from: long))
        #expect(difference.count < 10_000)
        #expect(throws: Difference.Failure.tooLong(16 << 20)) {
            try Difference.applied(difference, to: Self.text(lines: 10))
        }
    }

    @Test func anotherBaseIsTold() throws {
        let difference = try #require(Difference.made(of: Self.text(changing: 20), from: Self.base))
        #expect(throws: Difference.Failure.self) {
            try Difference.applied(difference, to: Self.text(changing: 3))
        }
    }

    @Test func noCutAndNoChangedByteGivesAnotherText() throws {
        let text = Self.text(changing: 20)
        let difference = try #require(Difference.made(of: text, from: Self.base))
        for count in stride(from: 0, to: difference.count, by: 61) {
            #expect(throws: Difference.Failure.self, "\(count) bytes") {
                try Difference.applied(Bytes(difference.prefix(count)), to: Self.base)
            }
        }
        for place in stride(from: 0, to: difference.count, by: 61) {
            var damaged = difference
            damaged[place] ^= 0x21
            // A bit that means nothing may change nothing.
            let found = try? Difference.applied(damaged, to: Self.base)
            #expect(found == nil || found == text, "byte \(place)")
        }
    }
}
