extension ReferenceScan {
    /// Looks for 32-bit distances from the global offset table, which position-independent x86 code adds to a
    /// register that holds the table's address.
    ///
    /// Instructions are not told apart: every four bytes count as a distance, but those of calls and jumps. That
    /// makes references too many.
    ///
    /// Source: System V ABI, Intel386 Architecture Processor Supplement, 1.1, "Position-Independent Function Prologue"
    /// and R_386_GOTOFF.
    mutating func scanTableDistances(_ code: CodeSpan, table: UInt64) {
        guard view.isLittleEndian, code.range.count >= 4 else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: view.bytes[code.range])
        let intervals = intervals
        let base = UInt32(truncatingIfNeeded: table)
        for index in 0...bytes.count - 4 {
            let raw = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self))
            let address = UInt64(base &+ raw)
            guard intervals.contains(address) else { continue }
            let before = index >= 1 ? bytes[index - 1] : 0
            let second = index >= 2 ? bytes[index - 2] : 0
            // After a descriptor (ModRM) that says so, the byte before is not an opcode but scale and registers.
            let isCall = (before == 0xe8 || before == 0xe9) && second & 0xc7 != 0x84
            let isJump = second == 0x0f && before & 0xf0 == 0x80
            if !isCall, !isJump { addresses.insert(address) }
        }
    }
}

extension ELFFile {
    /// The address of the global offset table that x86 code counts from: what the loader is told, or else the
    /// beginning of the section that linkers put the symbol at.
    var offsetTable: UInt64? {
        func address(_ name: String) -> UInt64? { sections.first { $0.name == name }?.address }
        return dynamic?.offsetTable ?? address(".got.plt") ?? address(".got")
    }
}
