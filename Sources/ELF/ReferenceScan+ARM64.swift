extension ReferenceScan {
    /// Follows `adr` and `adrp` with `add` and `ldr` on the same register, function by function in the order of the
    /// file, and from branches that leave a function.
    ///
    /// - Parameter isFixed: Whether addresses may be made of constants (`movz`, `movk`).
    /// - Returns: Whether all of the code was followed.
    ///
    /// Source: Arm Architecture Reference Manual for A-profile, C6.2 (ADR, ADRP, ADD (immediate), LDR (immediate),
    /// MOVZ, MOVK, B).
    mutating func scanARM64(_ spans: [CodeSpan], starts: [UInt64], isFixed: Bool) -> Bool {
        var targets = AddressSet()
        for code in spans {
            for offset in stride(from: Int((4 - code.address % 4) % 4), through: code.range.count - 4, by: 4)
            {
                let word = UInt32(
                    littleEndian: view.bytes.loadUnaligned(
                        fromByteOffset: code.range.lowerBound + offset, as: UInt32.self))
                guard let distance = Self.branchARM64(word) else { continue }
                targets.insert(code.address &+ UInt64(offset) &+ UInt64(bitPattern: distance))
            }
        }
        var walk = CodeWalk(
            starts: starts, targets: targets.sorted(), size: spans.reduce(0) { $0 + $1.range.count })
        for code in spans {
            let skipped = Int((4 - code.address % 4) % 4)
            walk.begin(at: code.address)
            walkARM64(code, from: skipped, to: code.range.count, &walk, isFixed: isFixed, isFirst: true)
        }
        follow(spans, &walk) { scan, code, start, end, walk in
            scan.walkARM64(code, from: start, to: end, &walk, isFixed: isFixed, isFirst: false)
        }
        return !walk.isOverfull
    }

    private mutating func walkARM64(
        _ code: CodeSpan, from start: Int, to end: Int, _ walk: inout CodeWalk, isFixed: Bool, isFirst: Bool
    ) {
        var constants = [UInt64](repeating: 0, count: isFixed ? 32 : 0)
        var offset = start
        // Instructions are little-endian on either byte order; addresses are modulo 2^64.
        while offset <= end - 4 {
            let word = UInt32(
                littleEndian: view.bytes.loadUnaligned(
                    fromByteOffset: code.range.lowerBound + offset, as: UInt32.self))
            let address = code.address &+ UInt64(offset)
            offset += 4
            walk.advance(to: address)
            let target = Int(word & 31)
            let source = Int(word >> 5 & 31)
            if word & 0x1f00_0000 == 0x1000_0000 {
                let low = word >> 29 & 3
                let high = word >> 5 & 0x7_ffff
                let distance = Int64(Int32(bitPattern: (high << 2 | low) << 11) >> 11)
                if word >> 31 == 0 {
                    take(address &+ UInt64(bitPattern: distance))
                    continue
                }
                let page = (address & ~0xfff) &+ UInt64(bitPattern: distance << 12)
                // A string may begin where a page does: then there is no add. Loads reach 64 KiB.
                take(page)
                walk.bases.overwrite(target, at: walk.number)
                if intervals.touches(page, 0x1_0000) {
                    walk.parts.insert(page, in: target, at: walk.number)
                } else {
                    walk.parts.overwrite(target, at: walk.number)
                }
            } else if word & 0xbf80_0000 == 0x9100_0000 {
                let size = UInt64(word >> 10 & 0xfff) << (word >> 22 & 1 == 1 ? 12 : 0)
                add(word >> 30 & 1 == 1 ? 0 &- size : size, to: source, in: target, &walk)
            } else if word & 0x3b00_0000 == 0x3900_0000 {
                let isVector = word >> 26 & 1 == 1
                if walk.parts.mayHold(source) {
                    let scale = isVector && word >> 23 & 1 == 1 ? 4 : word >> 30
                    for page in walk.parts(in: source) {
                        let sum = page &+ UInt64(word >> 10 & 0xfff) << UInt64(scale)
                        if intervals.contains(sum) { loads.insert(sum) }
                    }
                }
                // Stores and prefetches leave it alone.
                if !isVector, word >> 22 & 3 != 0, word >> 22 != 0x3e6 {
                    walk.parts.overwrite(target, at: walk.number)
                    walk.bases.overwrite(target, at: walk.number)
                }
            } else if isFixed, word & 0x5f80_0000 == 0x5280_0000 {
                let shift = UInt64(word >> 21 & 3) * 16
                let value = UInt64(word >> 5 & 0xffff) << shift
                // movz begins a constant, movk goes on.
                let kept = word & 0x2000_0000 == 0 ? 0 : constants[target] & ~(0xffff << shift)
                constants[target] = kept | value
                take(constants[target])
            } else if let distance = Self.branchARM64(word) {
                walk.branch(
                    from: address, to: address &+ UInt64(bitPattern: distance), isFollowed: isFirst)
                if word >> 26 == 5 { walk.stop() }
            } else if word >> 26 == 0x25 || word & 0xfeff_fc1f == 0xd63f_0000 {
                walk.call(before: address &+ 4, changing: 0x4007_ffff)  // bl, blr: registers 0 to 18 and 30
            } else if word & 0xfe00_0000 == 0xd600_0000 || word >> 21 == 0x6a1 {
                walk.stop()  // br, ret and their like; brk
            }
        }
    }

    private mutating func add(
        _ distance: UInt64, to source: Int, in target: Int, _ walk: inout CodeWalk
    ) {
        // Anchors: one address, and others as a distance from it. Calls keep registers 19 to 28.
        if walk.bases.mayHold(source) {
            for base in walk.bases(in: source, isKept: (19...28).contains(source)) { take(base &+ distance) }
        }
        var sums: [UInt64] = []
        if walk.parts.mayHold(source) { sums = walk.parts(in: source).map { $0 &+ distance } }
        walk.parts.overwrite(target, at: walk.number)
        walk.bases.overwrite(target, at: walk.number)
        for sum in sums {
            take(sum)
            if intervals.isNear(sum, 0x1000) {
                walk.bases.insert(sum, in: target, at: walk.number)
            }
        }
    }

    /// The distance that a branch leads to, unless it is a call.
    @inline(__always)
    private static func branchARM64(_ word: UInt32) -> Int64? {
        if word & 0xfc00_0000 == 0x1400_0000 {
            return Int64(Int32(bitPattern: word << 6) >> 6) << 2
        }
        if word & 0xff00_0000 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 {
            return Int64(Int32(bitPattern: word << 8) >> 13) << 2
        }
        if word & 0x7e00_0000 == 0x3600_0000 {
            return Int64(Int32(bitPattern: word << 13) >> 18) << 2
        }
        return nil
    }

    /// Looks at what comes after branches that left their function with a part of an address in a register.
    mutating func follow(
        _ spans: [CodeSpan], _ walk: inout CodeWalk,
        _ step: (inout ReferenceScan, CodeSpan, Int, Int, inout CodeWalk) -> Void
    ) {
        let departures = walk.takeDepartures()
        var index = 0
        while index < departures.count {
            let target = departures[index].target
            walk.begin(at: target)
            while index < departures.count, departures[index].target == target {
                walk.arrive(with: departures[index].value, in: departures[index].register)
                index += 1
            }
            guard
                let code = spans.first(where: {
                    target >= $0.address && target - $0.address < UInt64($0.range.count)
                })
            else { continue }
            let start = Int(target - code.address)
            step(&self, code, start, min(code.range.count, start + 4 * CodeWalk.followed), &walk)
        }
    }
}
