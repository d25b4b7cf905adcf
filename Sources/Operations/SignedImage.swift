internal import Files
private import Glibc
internal import Images
internal import StoreLayout

/// A disk image whose file system the kernel checks block by block (dm-verity), with a signature of its root hash.
///
/// Written by the host's systemd-repart.
///
/// Source: Discoverable Disk Image, UAPI.3; repart.d(5).
struct SignedImage {
    /// Bytes of a block and of its hashes as systemd before 253 has it; later ones need less room with 4096.
    private static let blockSize = 512
    /// Hashes in a block: SHA-256.
    private static let hashesPerBlock = blockSize / Digest.byteCount

    private let tool = ExternalTool("systemd-repart", package: "systemd")
    private let signing: ExportOptions.Signing
    private let architecture: Architecture
    private let seed: String

    /// Checks that what is needed is there.
    ///
    /// - Parameters:
    ///   - signing: The key and its certificate.
    ///   - architecture: That of the programs, which partitions are marked with.
    ///   - seed: An identifier from which those of the partitions follow.
    /// - Throws: ``ExternalToolError``, `SystemError`.
    init(_ signing: ExportOptions.Signing, architecture: Architecture, seed: String) throws {
        guard tool.isInstalled else { throw ExternalToolError.missing(tool.name, package: tool.package) }
        for file in [signing.key, signing.certificate] { _ = try Descriptor.file(file) }
        self.signing = signing
        self.architecture = architecture
        self.seed = seed
    }

    /// Puts a file system's image into a disk image that takes its place.
    ///
    /// - Parameter path: The file system's image; with `.data` and `.repart` after it, names for what is removed again.
    func wrap(_ path: String) throws {
        let (data, definitions) = (path + ".data", path + ".repart")
        guard rename(path, data) == 0 else { throw SystemError("rename", path) }
        defer {
            // What cannot be removed is hidden from systemd; the error, if any, is the one to report.
            unlink(data)
            for (name, _) in partitions(data) { unlink(definitions + "/" + name) }
            rmdir(definitions)
        }
        let size = Int(try Descriptor.file(data).status().st_size)
        guard mkdir(definitions, 0o700) == 0 else { throw SystemError("create directory", definitions) }
        let place = try Descriptor.directory(definitions)
        for (name, lines) in partitions(data, hashSize: Self.hashSize(of: size)) {
            try place.replaceFile(name, contents: ("[Partition]\n" + lines).utf8)
        }
        try tool.run([
            "--empty=create", "--size=auto", "--dry-run=no", "--no-pager", "--definitions=" + definitions,
            "--seed=" + seed, "--private-key=" + signing.key, "--certificate=" + signing.certificate, path,
        ])
    }

    private func partitions(_ data: String, hashSize: Int = 0) -> [(name: String, lines: String)] {
        let type = architecture == .any ? "root" : "root-\(architecture)"
        return [
            ("10.conf", "Type=\(type)\nCopyBlocks=\(data)\nVerity=data\nVerityMatchKey=root\n"),
            (
                "20.conf",
                "Type=\(type)-verity\nVerity=hash\nVerityMatchKey=root\nSizeMinBytes=\(hashSize)\nSizeMaxBytes=\(hashSize)\n"
            ),
            ("30.conf", "Type=\(type)-verity-sig\nVerity=signature\nVerityMatchKey=root\n"),
        ]
    }

    /// Bytes of the tree of hashes, with its header, in whole units of 64 KiB.
    private static func hashSize(of size: Int) -> Int {
        var blocks = (size + blockSize - 1) / blockSize
        var hashBlocks = 1
        while blocks > 1 {
            blocks = (blocks + hashesPerBlock - 1) / hashesPerBlock
            hashBlocks += blocks
        }
        let unit = 64 << 10
        return (hashBlocks * blockSize + unit - 1) / unit * unit
    }
}
