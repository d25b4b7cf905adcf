private import CScan

/// Which 32-bit absolute addresses in x86 code count.
enum AbsoluteAddresses {
    /// None: the program has no fixed address.
    case none
    /// Those after what looks like an instruction that takes one.
    case plausible
    /// All, but distances of calls and jumps.
    case anywhere
}

extension ReferenceScan {
    /// Looks at every byte position, as instructions cannot be told apart without decoding all of them.
    ///
    /// Source: Intel 64 and IA-32 Architectures SDM, volume 2, chapter 2 and appendix A.
    mutating func scanX86(_ code: CodeSpan, absolute: AbsoluteAddresses, relative: Bool) {
        guard view.isLittleEndian, code.range.count >= 5 else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: view.bytes[code.range])
        if relative { scanRelative(bytes, code.address) }
        if absolute != .none { scanAbsolute(bytes, isAnywhere: absolute == .anywhere) }
    }

    /// Looks for operands at a distance from the end of their instruction.
    private mutating func scanRelative(_ bytes: UnsafeRawBufferPointer, _ address: UInt64) {
        let start = bytes.bindMemory(to: UInt8.self).baseAddress
        intervals.withAddresses { wanted in
            // The operand's descriptor (ModRM) is at `index`, its distance in the four bytes after.
            var index = 0
            while true {
                index = sxs_next_relative(start, index, bytes.count, address, wanted)
                guard index < bytes.count else { return }
                let raw = UInt32(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: index + 1, as: UInt32.self))
                let target =
                    address &+ UInt64(index + 5) &+ UInt64(bitPattern: Int64(Int32(bitPattern: raw)))
                takeRelative(bytes, at: index + 1, target: target)
                index += 1
            }
        }
    }

    /// Looks for 32-bit addresses.
    private mutating func scanAbsolute(_ bytes: UnsafeRawBufferPointer, isAnywhere: Bool) {
        // None can be meant that is beyond them.
        guard intervals.base <= UInt64(UInt32.max) else { return }
        let start = bytes.bindMemory(to: UInt8.self).baseAddress
        intervals.withAddresses { wanted in
            var index = 1
            while true {
                index = sxs_next_absolute(start, index, bytes.count, wanted)
                guard index < bytes.count else { return }
                takeAbsolute(bytes, at: index, isAnywhere: isAnywhere)
                index += 1
            }
        }
    }

    @inline(__always)
    private mutating func takeAbsolute(_ bytes: UnsafeRawBufferPointer, at index: Int, isAnywhere: Bool) {
        let raw = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self))
        guard intervals.contains(UInt64(raw)) else { return }
        if isAnywhere {
            // Distances of calls and jumps are none.
            if bytes[index - 1] != 0xe8, bytes[index - 1] != 0xe9 { addresses.insert(UInt64(raw)) }
        } else if isAbsolutePlausible(bytes, at: index) {
            addresses.insert(UInt64(raw))
        }
    }

    /// Takes a distance-relative operand if the bytes before it are an instruction that has one.
    ///
    /// `target` is without the immediate operand, whose bytes come between the distance and the end.
    private mutating func takeRelative(_ bytes: UnsafeRawBufferPointer, at index: Int, target: UInt64) {
        guard index >= 2 else { return }
        let opcode = bytes[index - 2]
        if opcode == 0x8d {
            take(target)  // lea
            return
        }
        let before = index >= 3 ? bytes[index - 3] : 0
        if X86.isWithoutImmediate(opcode, variant: bytes[index - 1] >> 3 & 7) { takeLoad(target) }
        switch opcode {
        case 0x80, 0x83, 0xc0, 0xc1, 0xc6, 0x6b: takeLoad(target &+ 1)
        case 0x81, 0x69, 0xc7:
            takeLoad(target &+ 4)
            if before == 0x66 || (index >= 4 && bytes[index - 4] == 0x66) { takeLoad(target &+ 2) }
        case 0xf6: takeLoad(target &+ 1)
        case 0xf7: takeLoad(target &+ 4)
        default: break
        }
        guard let map = X86.opcodeMap(bytes, at: index - 2) else { return }
        switch map {
        case 1:
            switch opcode {
            case 0x80...0x8f: break  // jumps, which have no such operand
            case 0x70...0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4...0xc6: takeLoad(target &+ 1)
            default: takeLoad(target)
            }
        case 2: takeLoad(target)
        default: takeLoad(target &+ 1)
        }
    }

    /// Whether the bytes before `index` are an instruction that has a 32-bit address there.
    private func isAbsolutePlausible(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool {
        func byte(_ distance: Int) -> UInt8 { index >= distance ? bytes[index - distance] : 0 }
        func isMove(_ opcode: UInt8) -> Bool { opcode == 0xc7 || opcode == 0x81 || opcode == 0x69 }
        let one = byte(1)
        // mov $, %reg; push $; arithmetic with the accumulator; and moves to and from it.
        if (0xb8...0xbf).contains(one) || one == 0x68 || one & 0xc7 == 0x05 || (0xa0...0xa3).contains(one)
            || one == 0xa9
        {
            return true
        }
        // mov, arithmetic or imul with an immediate: ModRM, then SIB and 1 or 4 bytes of distance as it says.
        if isMove(byte(2)), one >= 0xc0 || (one < 0x40 && one & 7 != 4) { return true }
        if isMove(byte(3)), byte(2) & 0xc0 == 0x40 || byte(2) & 0xc7 == 0x04 { return true }
        if isMove(byte(4)), byte(3) & 0xc7 == 0x44 { return true }
        if isMove(byte(6)), byte(5) & 0xc0 == 0x80 || byte(5) & 0xc7 == 0x05 { return true }
        if isMove(byte(7)), byte(6) & 0xc7 == 0x84 || (byte(6) & 0xc7 == 0x04 && byte(5) & 7 == 5) {
            return true
        }
        // A memory operand at the address, alone or with registers.
        if one & 0xc0 == 0x80, one & 7 != 4 { return X86.takesMemory(bytes, at: index - 2) }
        let scaled = byte(2)
        if scaled & 0xc7 == 0x84 || (scaled & 0xc7 == 0x04 && one & 7 == 5) {
            return X86.takesMemory(bytes, at: index - 3)
        }
        return false
    }
}

extension IntervalSet {
    /// Passes the quick test to a loop in C.
    fileprivate func withAddresses(_ body: (UnsafePointer<sxs_addresses>) -> Void) {
        withBits { bits, shift in
            var addresses = sxs_addresses(base: base, span: span, shift: shift, bits: bits)
            body(&addresses)
        }
    }
}

/// What x86 opcodes take.
private enum X86 {
    /// Whether a one-byte opcode has a memory operand and no immediate.
    @inline(__always)
    static func isWithoutImmediate(_ opcode: UInt8) -> Bool {
        switch opcode {
        case 0x00...0x3f: opcode & 7 < 4
        case 0x63, 0x84...0x8b, 0xd0...0xd3, 0xd8...0xdf, 0xf6, 0xf7, 0xfe, 0xff: true
        default: false
        }
    }

    /// Whether a one-byte opcode, of the variant that the operand's descriptor tells, has a memory operand and no
    /// immediate.
    @inline(__always)
    static func isWithoutImmediate(_ opcode: UInt8, variant: UInt8) -> Bool {
        switch opcode {
        case 0xfe: variant < 2
        // Bytes of no instruction, but often the end of one and the beginning of the next.
        case 0xff: variant != 7
        default: isWithoutImmediate(opcode)
        }
    }

    /// Whether the opcode that ends at `index` has a memory operand.
    static func takesMemory(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool {
        guard index >= 0 else { return false }
        let opcode = bytes[index]
        switch opcode {
        case 0x8d, 0x80, 0x81, 0x83, 0xc0, 0xc1, 0xc6, 0xc7, 0x69, 0x6b: return true
        default: return isWithoutImmediate(opcode) || opcodeMap(bytes, at: index) != nil
        }
    }

    /// The map (1: 0f, 2: 0f38, 3: 0f3a) of a longer opcode that ends at `index`, by its prefixes.
    static func opcodeMap(_ bytes: UnsafeRawBufferPointer, at index: Int) -> UInt8? {
        func byte(_ distance: Int) -> UInt8 { index >= distance ? bytes[index - distance] : 0 }
        if byte(2) == 0x0f, byte(1) == 0x38 { return 2 }
        if byte(2) == 0x0f, byte(1) == 0x3a { return 3 }
        if byte(1) == 0x0f { return 1 }
        if byte(2) == 0xc5 { return 1 }  // VEX, two bytes
        if byte(3) == 0xc4, (1...3).contains(byte(2) & 0x1f) { return byte(2) & 0x1f }  // VEX, three bytes
        if byte(4) == 0x62, (1...3).contains(byte(3) & 7) { return byte(3) & 7 }  // EVEX
        return nil
    }
}
