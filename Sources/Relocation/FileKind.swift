internal import Files

/// What a file is to relocation: which bytes around a path mean what, and whether its length may change.
enum FileKind {
    /// An ELF program, library or object.
    case elf
    /// Text that begins with `#!`, and modules of the languages of such.
    case script
    /// Text of a format whose reader takes paths of any length.
    case paths
    /// A pkg-config file: like ``paths``, and `prefix=/usr` is one.
    case packageConfig
    /// Ruby's own configuration (`rbconfig.rb`): text in which `"/usr"` is the prefix of everything.
    case rubyConfig
    /// Other text: lengths stay, since offsets into it may be kept elsewhere (`.elc`, Info).
    case text
    /// Python bytecode (`.pyc`).
    case pythonBytecode
    /// Emacs's dumped heap (`.pdmp`): strings lie anywhere, each ended by NUL.
    case heap
    /// gconv's cache: NUL-terminated strings with offsets.
    case strings
    /// GHC's cache of its packages: strings without an end, each after its length.
    case blob
    /// Binary that begins with `#!`: OCaml's bytecode programs, zipped Python programs.
    case binaryScript
    /// Compressed: not opened.
    case compressed
    /// A self-checking or matched-against file that must stay as it is.
    case sealed
    /// Binary of a format sxs does not know.
    case unknown

    private static let pathSuffixes = [
        ".desktop", ".service", ".socket", ".timer", ".path", ".mount", ".automount", ".target", ".slice",
    ]

    private static let moduleSuffixes = [".rb", ".pl", ".pm"]

    private static let compressedMagic: [Bytes] = [
        [0x1f, 0x8b], [0xfd, 0x37, 0x7a, 0x58, 0x5a], [0x28, 0xb5, 0x2f, 0xfd], [0x42, 0x5a, 0x68],
        [0x50, 0x4b, 0x03, 0x04], [0x04, 0x22, 0x4d, 0x18],
    ]

    /// Whether a file's first bytes are those of a compressed format or archive.
    static func isCompressed(_ head: some Collection<UInt8>) -> Bool {
        compressedMagic.contains { head.starts(with: $0) }
    }

    /// Bytes looked at to tell text from binary, as diff(1) and grep(1) do.
    private static let sampleSize = 8192

    /// Tells a file's kind from its name and first bytes.
    init(path: TreePath, bytes: UnsafeRawBufferPointer) {
        let name = path.name
        func ends(with suffix: String) -> Bool {
            name.count > suffix.utf8.count && name.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
        }
        if bytes.count >= 4, bytes.prefix(4).elementsEqual([0x7f, 0x45, 0x4c, 0x46]) {
            self = ends(with: ".ko") || ends(with: ".hmac") ? .sealed : .elf
        } else if ends(with: ".mgc") || ends(with: ".mo") || ends(with: ".gmo") || ends(with: ".hmac") {
            self = .sealed
        } else if Self.isCompressed(bytes) {
            self = .compressed
        } else if ends(with: ".pyc"), bytes.count >= 16, bytes[2] == 0x0d, bytes[3] == 0x0a {
            self = .pythonBytecode
        } else if ends(with: ".pdmp") {
            self = .heap
        } else if name.elementsEqual("gconv-modules.cache".utf8) {
            self = .strings
        } else if name.elementsEqual("package.cache".utf8) {
            self = .blob
        } else if UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.sampleSize)).firstOffset(of: [0]) != nil
        {
            self = bytes.starts(with: [0x23, 0x21]) ? .binaryScript : .unknown
        } else if bytes.starts(with: [0x23, 0x21]) {
            self = .script
        } else if ends(with: ".pc") {
            self = .packageConfig
        } else if name.elementsEqual("rbconfig.rb".utf8) {
            self = .rubyConfig
        } else if Self.moduleSuffixes.contains(where: ends) {
            self = .script
        } else if Self.pathSuffixes.contains(where: ends) {
            self = .paths
        } else {
            self = .text
        }
    }
}
