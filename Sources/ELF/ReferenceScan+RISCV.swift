extension ReferenceScan {
    /// Follows `auipc` with `addi` and loads on the same register, function by function in the order of the file,
    /// and from branches that leave a function.
    ///
    /// - Parameter isFixed: Whether addresses may be made by `lui`.
    /// - Returns: Whether all of the code was followed.
    ///
    /// Source: The RISC-V Instruction Set Manual, volume I, 20240411, chapters 2 and 28 (compressed instructions);
    /// RISC-V ABIs Specification 1.0, "Global-pointer Relaxation".
    mutating func scanRISCV(_ spans: [CodeSpan], starts: [UInt64], isFixed: Bool) -> Bool {
        guard view.isLittleEndian else { return false }
        let pointers = globalPointers(spans)
        var walk = CodeWalk(
            starts: starts, targets: branchTargets(spans), size: spans.reduce(0) { $0 + $1.range.count })
        for code in spans {
            let skipped = Int(code.address % 2)
            walk.begin(at: code.address)
            walkRISCV(
                code, from: skipped, to: code.range.count, &walk, pointers, isFixed: isFixed, isFirst: true)
        }
        follow(spans, &walk) { scan, code, start, end, walk in
            scan.walkRISCV(code, from: start, to: end, &walk, pointers, isFixed: isFixed, isFirst: false)
        }
        return !walk.isOverfull
    }

    /// What programs set the register `gp` to, once, where they start: linkers shorten `auipc` and `addi` to a
    /// distance from it.
    private func globalPointers(_ spans: [CodeSpan]) -> [UInt64] {
        var found: Set<UInt64> = []
        for code in spans {
            var offset = Int(code.address % 2)
            while offset <= code.range.count - 8 {
                let place = code.range.lowerBound + offset
                let word = UInt32(
                    littleEndian: view.bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
                offset += 2
                guard word & 0xfff == 0x197 else { continue }
                let next = UInt32(
                    littleEndian: view.bytes.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self))
                guard next & 0xf_ffff == 0x1_8193 else { continue }
                let address = code.address &+ UInt64(offset - 2)
                found.insert(address &+ RISCV.extended(word & 0xffff_f000) &+ RISCV.immediate(next))
                // A program has one; data that look alike must not make many.
                if found.count > 16 { return found.sorted() }
            }
        }
        return found.sorted()
    }

    /// Where branches lead, and perhaps more: instructions are not told apart.
    private func branchTargets(_ spans: [CodeSpan]) -> [UInt64] {
        var targets = AddressSet()
        for code in spans {
            for offset in stride(from: Int(code.address % 2), through: code.range.count - 4, by: 2) {
                let word = UInt32(
                    littleEndian: view.bytes.loadUnaligned(
                        fromByteOffset: code.range.lowerBound + offset, as: UInt32.self))
                let address = code.address &+ UInt64(offset)
                switch (word & 3, word >> 13 & 7) {
                case (1, 5): targets.insert(address &+ RISCV.compressedJump(word & 0xffff))
                case (1, 6), (1, 7): targets.insert(address &+ RISCV.compressedBranch(word & 0xffff))
                case (3, _):
                    if word & 0xfff == 0x6f { targets.insert(address &+ RISCV.jump(word)) }
                    if word & 0x7f == 0x63 { targets.insert(address &+ RISCV.branch(word)) }
                default: break
                }
            }
        }
        return targets.sorted()
    }

    private mutating func walkRISCV(
        _ code: CodeSpan, from start: Int, to end: Int, _ walk: inout CodeWalk, _ pointers: [UInt64],
        isFixed: Bool, isFirst: Bool
    ) {
        var offset = start
        while offset <= end - 2 {
            let place = code.range.lowerBound + offset
            let address = code.address &+ UInt64(offset)
            walk.advance(to: address)
            let half = UInt32(
                UInt16(littleEndian: view.bytes.loadUnaligned(fromByteOffset: place, as: UInt16.self)))
            if half & 3 != 3 {
                offset += 2
                stepCompressed(half, address, &walk, isFixed: isFixed, isFirst: isFirst)
                continue
            }
            guard offset <= end - 4 else { return }
            // What reaches into the next function is no instruction.
            if walk.end &- address == 2 {
                offset += 2
                continue
            }
            offset += 4
            let word = UInt32(
                littleEndian: view.bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
            let target = Int(word >> 7 & 31)
            let source = Int(word >> 15 & 31)
            switch word & 0x7f {
            case 0x17: setPart(address &+ RISCV.extended(word & 0xffff_f000), in: target, &walk)
            case 0x37:
                if isFixed {
                    setPart(RISCV.extended(word & 0xffff_f000), in: target, &walk)
                } else {
                    overwrite(target, &walk)
                }
            case 0x13, 0x1b:
                guard word & 0x7000 == 0 else {
                    overwrite(target, &walk)
                    break
                }
                let immediate = RISCV.immediate(word)
                if source == 3 { for pointer in pointers { take(pointer &+ immediate) } }
                add(immediate, to: source, in: target, &walk)
            case 0x03, 0x07:
                let immediate = RISCV.immediate(word)
                if source == 3 { for pointer in pointers { takeLoad(pointer &+ immediate) } }
                if walk.parts.mayHold(source) {
                    for part in walk.parts(in: source) { takeLoad(part &+ immediate) }
                }
                if word & 0x7f == 0x03 { overwrite(target, &walk) }
            case 0x6f:
                if target == 0 {
                    walk.branch(from: address, to: address &+ RISCV.jump(word), isFollowed: isFirst)
                }
                jump(linking: target, before: address &+ 4, &walk)
            case 0x67: jump(linking: target, before: address &+ 4, &walk)
            case 0x63: walk.branch(from: address, to: address &+ RISCV.branch(word), isFollowed: isFirst)
            default: break
            }
        }
    }

    private mutating func stepCompressed(
        _ half: UInt32, _ address: UInt64, _ walk: inout CodeWalk, isFixed: Bool, isFirst: Bool
    ) {
        let register = Int(half >> 7 & 31)
        switch (half & 3, half >> 13) {
        case (1, 0):  // c.addi
            let immediate = RISCV.extended((half >> 12 & 1) << 5 | half >> 2 & 31, bits: 6)
            // Assemblers do not shorten what has a relocation: mostly this counts something.
            add(immediate, to: register, in: register, &walk, isShort: true)
        case (1, 3):  // c.lui
            guard isFixed, register != 2 else { return overwrite(register, &walk) }
            let high = RISCV.extended((half >> 12 & 1) << 5 | half >> 2 & 31, bits: 6)
            setPart(high << 12, in: register, &walk)
        case (1, 5):
            walk.branch(from: address, to: address &+ RISCV.compressedJump(half), isFollowed: isFirst)
            walk.stop()
        case (1, 6), (1, 7):
            walk.branch(from: address, to: address &+ RISCV.compressedBranch(half), isFollowed: isFirst)
        case (0, 0): overwrite(Int(half >> 2 & 7) + 8, &walk)  // c.addi4spn
        case (0, 1), (0, 2), (0, 3):  // c.fld, c.lw, c.ld
            defer { if half >> 13 != 1 { overwrite(Int(half >> 2 & 7) + 8, &walk) } }
            let source = Int(half >> 7 & 7) + 8
            guard walk.parts.mayHold(source) else { break }
            let isWord = half >> 13 == 2
            let low = isWord ? (half >> 6 & 1) << 2 | (half >> 5 & 1) << 6 : (half >> 5 & 3) << 6
            let distance = UInt64((half >> 10 & 7) << 3 | low)
            for part in walk.parts(in: source) { takeLoad(part &+ distance) }
        case (1, 2): overwrite(register, &walk)  // c.li
        case (2, 2), (2, 3): overwrite(register, &walk)  // c.lwsp, c.ldsp
        case (2, 4):  // c.jr, c.jalr, c.ebreak; c.mv, c.add
            if half >> 2 & 31 == 0 {
                jump(linking: Int(half >> 12 & 1), before: address &+ 2, &walk)
            } else if half >> 12 & 1 == 0 {
                overwrite(register, &walk)
            }  // c.add: of an index, perhaps, to the upper part that a load has the lower one of.
        default: break
        }
    }

    /// Notes a jump, or, where it puts the address after it into a register, a call.
    private func jump(linking register: Int, before next: UInt64, _ walk: inout CodeWalk) {
        // Calls change ra, t0 to t6 and a0 to a7.
        if register == 0 { walk.stop() } else { walk.call(before: next, changing: 0xf003_fce2) }
    }

    private mutating func setPart(_ part: UInt64, in register: Int, _ walk: inout CodeWalk) {
        overwrite(register, &walk)
        // Distances are signed and have 12 bits.
        if intervals.isNear(part, 0x801) { walk.parts.insert(part, in: register, at: walk.number) }
    }

    @inline(__always)
    private func overwrite(_ register: Int, _ walk: inout CodeWalk) {
        walk.parts.overwrite(register, at: walk.number)
        walk.bases.overwrite(register, at: walk.number)
    }

    private mutating func add(
        _ immediate: UInt64, to source: Int, in target: Int, _ walk: inout CodeWalk, isShort: Bool = false
    ) {
        // Calls keep s0 to s11.
        if walk.bases.mayHold(source) {
            let isKept = !isShort && (source == 8 || source == 9 || (18...27).contains(source))
            for base in walk.bases(in: source, isKept: isKept) { take(base &+ immediate) }
        }
        var sums: [UInt64] = []
        if walk.parts.mayHold(source) {
            let parts = isShort ? walk.certainParts(in: source) : walk.parts(in: source)
            sums = parts.map { $0 &+ immediate }
        }
        overwrite(target, &walk)
        for sum in sums {
            take(sum)
            if intervals.isNear(sum, 0x801) {
                walk.bases.insert(sum, in: target, at: walk.number)
            }
        }
    }
}

/// Numbers in RISC-V instructions, as distances modulo 2^64.
private enum RISCV {
    static func extended(_ value: UInt32, bits: UInt32 = 32) -> UInt64 {
        UInt64(bitPattern: Int64(Int32(bitPattern: value << (32 - bits)) >> Int32(32 - bits)))
    }

    /// The 12 bits of `addi` and loads.
    static func immediate(_ word: UInt32) -> UInt64 { extended(word >> 20, bits: 12) }

    /// The 20 bits of `jal`.
    static func jump(_ word: UInt32) -> UInt64 {
        let high = (word >> 31) << 20 | (word >> 12 & 0xff) << 12
        return extended(high | (word >> 20 & 1) << 11 | (word >> 21 & 0x3ff) << 1, bits: 21)
    }

    /// The 12 bits of `beq` and its like.
    static func branch(_ word: UInt32) -> UInt64 {
        let high = (word >> 31) << 12 | (word >> 7 & 1) << 11
        return extended(high | (word >> 25 & 0x3f) << 5 | (word >> 8 & 15) << 1, bits: 13)
    }

    static func compressedJump(_ half: UInt32) -> UInt64 {
        let high = (half >> 12 & 1) << 11 | (half >> 8 & 1) << 10 | (half >> 9 & 3) << 8
        let middle = (half >> 6 & 1) << 7 | (half >> 7 & 1) << 6 | (half >> 2 & 1) << 5
        return extended(high | middle | (half >> 11 & 1) << 4 | (half >> 3 & 7) << 1, bits: 12)
    }

    static func compressedBranch(_ half: UInt32) -> UInt64 {
        let high = (half >> 12 & 1) << 8 | (half >> 5 & 3) << 6 | (half >> 2 & 1) << 5
        return extended(high | (half >> 10 & 3) << 3 | (half >> 3 & 3) << 1, bits: 9)
    }
}
