import Testing

@testable import ELF

/// The loops over code look at many places at once: none may be missed, wherever it is.
@Suite struct ScanTests {
    private static let start: UInt64 = 0x40_1000
    /// Two strings far apart, and one before the code.
    private static let strings: [Range<UInt64>] = [
        0x1000..<0x1014, 0x40_8000..<0x40_800d, 0x4f_fff0..<0x50_0000,
    ]

    private func addresses(_ code: [UInt8], _ absolute: AbsoluteAddresses) -> [UInt64] {
        code.withUnsafeBytes { bytes in
            let view = ByteView(bytes: bytes, isLittleEndian: true, is64Bit: true)
            var scan = ReferenceScan(IntervalSet(Self.strings), view)
            scan.scanX86(
                CodeSpan(range: 0..<code.count, address: Self.start), absolute: absolute, relative: true)
            return scan.addresses.sorted()
        }
    }

    private func bytes(_ value: UInt64) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    @Test(
        arguments: strings.flatMap { [$0.lowerBound, $0.lowerBound + 5, $0.upperBound - 1, $0.upperBound] })
    func everyPlaceIsLookedAt(target: UInt64) {
        let isWanted = Self.strings.contains { $0.contains(target) }
        for place in 0..<80 {
            for rest in [0, 1, 3, 15, 16, 17, 31, 32, 33, 70] {
                let before = [UInt8](repeating: 0x90, count: place)
                let after = [UInt8](repeating: 0x90, count: rest)
                // lea target(%rip), %rax
                let next = Self.start + UInt64(place) + 7
                let relative = before + [0x48, 0x8d, 0x05] + bytes(target &- next) + after
                #expect(
                    addresses(relative, .none) == (isWanted ? [target] : []), "at \(place), \(rest) after")
                // push $target
                let absolute = before + [0x68] + bytes(target) + after
                #expect(
                    addresses(absolute, .plausible) == (isWanted ? [target] : []),
                    "at \(place), \(rest) after")
            }
        }
    }

    /// Instructions side by side, several in each block of places.
    @Test(arguments: 0..<16)
    func noneIsMissedBesideAnother(shift: Int) {
        let targets = (0..<300).map { UInt64(0x40_8000 - 20 + $0 % 50) }
        let wanted = Set(targets).filter { address in Self.strings.contains { $0.contains(address) } }
            .sorted()
        var relative = [UInt8](repeating: 0x90, count: shift)
        var absolute = relative
        for target in targets {
            let next = Self.start + UInt64(relative.count) + 7
            relative += [0x48, 0x8d, 0x3d] + bytes(target &- next)
            absolute += [0x68] + bytes(target)
        }
        #expect(addresses(relative, .none) == wanted)
        #expect(addresses(absolute, .plausible) == wanted)
    }

    /// Few addresses in much space, and many in little, come out alike: sorted, and each once.
    @Test(arguments: [1, 7, 1 << 20])
    func addressesAreSorted(distance: UInt64) {
        var set = AddressSet()
        let list = (0..<100_000).map { UInt64.max - 1 - ($0 &* 7919 % 50_021) * distance }
        for address in list { set.insert(address) }
        #expect(set.sorted() == Set(list).sorted())
        #expect(AddressSet().sorted() == [])
    }
}
