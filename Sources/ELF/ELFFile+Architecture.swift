extension ELFFile {
    /// The name of the architecture that a file's first bytes tell, in systemd's spelling; `nil` if they are no
    /// ELF file's or name a machine without such a name.
    ///
    /// - Parameter head: At least 20 bytes.
    public static func architectureName(ofHead head: [UInt8]) -> String? {
        guard head.count >= 20, head.starts(with: magic) else { return nil }
        let isLittleEndian = head[5] == 1
        let (low, high) = isLittleEndian ? (head[18], head[19]) : (head[19], head[18])
        switch Machine(UInt16(high) << 8 | UInt16(low)) {
        case .x86_64: return "x86-64"
        case .x86: return "x86"
        case .arm64: return "arm64"
        case .arm: return "arm"
        case .riscv: return head[4] == 2 ? "riscv64" : nil
        case .ppc64: return isLittleEndian ? "ppc64-le" : nil
        case .s390: return head[4] == 2 ? "s390x" : nil
        case .loongarch: return head[4] == 2 ? "loongarch64" : nil
        case .other: return nil
        }
    }
}
