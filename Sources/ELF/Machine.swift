/// The processor an ELF file is for (`e_machine`).
///
/// Source: `include/uapi/linux/elf-em.h`, Linux 6.12.
public enum Machine: Hashable, Sendable, CustomStringConvertible {
    /// AMD64 and x32.
    case x86_64
    /// i386.
    case x86
    /// AArch64.
    case arm64
    /// 32-bit ARM.
    case arm
    /// RISC-V, 32- and 64-bit.
    case riscv
    /// 64-bit PowerPC, either byte order.
    case ppc64
    /// IBM Z, 31- and 64-bit.
    case s390
    /// LoongArch.
    case loongarch
    /// Any other, by its number.
    case other(UInt16)

    /// Reads the field's value.
    public init(_ number: UInt16) {
        self =
            switch number {
            case 62: .x86_64
            case 3: .x86
            case 183: .arm64
            case 40: .arm
            case 243: .riscv
            case 21: .ppc64
            case 22: .s390
            case 258: .loongarch
            default: .other(number)
            }
    }

    /// The machine's name, in systemd's spelling.
    public var description: String {
        switch self {
        case .x86_64: "x86-64"
        case .x86: "x86"
        case .arm64: "arm64"
        case .arm: "arm"
        case .riscv: "riscv"
        case .ppc64: "ppc64"
        case .s390: "s390"
        case .loongarch: "loongarch"
        case .other(let number): "machine \(number)"
        }
    }
}
