extension ReferenceScan {
    /// Instructions after which an address in a register is no longer believed.
    ///
    /// Compilers put the two halves next to each other or, out of a loop, some hundreds of instructions apart.
    private static let window = 4096

    /// Follows `adr` and `adrp` with `add` and `ldr` on the same register, in the order of the file.
    ///
    /// A register keeps its page when others write to it, as the code between may be on another path: that makes
    /// a reference too many at worst.
    ///
    /// Source: Arm Architecture Reference Manual for A-profile, C6.2 (ADR, ADRP, ADD (immediate), LDR (immediate)).
    mutating func scanARM64(_ code: CodeSpan) {
        let skipped = Int((4 - code.address % 4) % 4)
        var pages = [UInt64](repeating: 0, count: 32)
        var pagesSeen = [Int](repeating: .min / 2, count: 32)
        var bases = pages
        var basesSeen = pagesSeen
        var number = 0
        var offset = code.range.lowerBound + skipped
        // Instructions are little-endian on either byte order; addresses are modulo 2^64.
        while offset <= code.range.upperBound - 4 {
            let word = UInt32(littleEndian: view.bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            let address = code.address &+ UInt64(offset - code.range.lowerBound)
            offset += 4
            number += 1
            let target = Int(word & 31)
            let source = Int(word >> 5 & 31)
            if word & 0x1f00_0000 == 0x1000_0000 {
                let low = word >> 29 & 3
                let high = word >> 5 & 0x7_ffff
                let distance = Int64(Int32(bitPattern: (high << 2 | low) << 11) >> 11)
                if word >> 31 == 1 {
                    pages[target] = (address & ~0xfff) &+ UInt64(bitPattern: distance << 12)
                    pagesSeen[target] = number
                    // A string may begin where a page does: then there is no add.
                    take(pages[target])
                } else {
                    take(address &+ UInt64(bitPattern: distance))
                }
                continue
            }
            if word & 0xff80_0000 == 0x9100_0000 {
                let immediate = UInt64(word >> 10 & 0xfff) << (word >> 22 & 1 == 1 ? 12 : 0)
                if number - pagesSeen[source] <= Self.window {
                    let sum = pages[source] &+ immediate
                    take(sum)
                    bases[target] = sum
                    basesSeen[target] = number
                }
                // Anchors: one address, and others as a distance from it.
                if source != target, number - basesSeen[source] <= Self.window {
                    take(bases[source] &+ immediate)
                }
                continue
            }
            if word & 0x3b00_0000 == 0x3900_0000, number - pagesSeen[source] <= Self.window {
                let isVector = word >> 26 & 1 == 1
                let scale = isVector && word >> 23 & 1 == 1 ? 4 : word >> 30
                let sum = pages[source] &+ UInt64(word >> 10 & 0xfff) << UInt64(scale)
                if intervals.contains(sum) { loads.insert(sum) }
            }
        }
    }
}
