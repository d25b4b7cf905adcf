internal import Files

/// File formats that a magic number tells, and that are no tar archive.
enum DiskFormat: Equatable {
    case squashFS
    case gpt, erofs, ext4, btrfs, xfs, iso, qcow, elf, zip, deb, rpm

    /// Where each magic number stands.
    private static let magics: [(format: DiskFormat, offset: Int, magic: Bytes)] = [
        (.squashFS, 0, Bytes("hsqs".utf8)),
        (.gpt, 512, Bytes("EFI PART".utf8)), (.gpt, 4096, Bytes("EFI PART".utf8)),
        (.erofs, 1024, [0xe2, 0xe1, 0xf5, 0xe0]), (.ext4, 1080, [0x53, 0xef]),
        (.btrfs, 0x10040, Bytes("_BHRfS_M".utf8)), (.xfs, 0, Bytes("XFSB".utf8)),
        (.iso, 0x8001, Bytes("CD001".utf8)), (.qcow, 0, [0x51, 0x46, 0x49, 0xfb]),
        (.elf, 0, [0x7f, 0x45, 0x4c, 0x46]), (.zip, 0, [0x50, 0x4b, 3, 4]),
        (.deb, 0, Bytes("!<arch>\n".utf8)), (.rpm, 0, [0xed, 0xab, 0xee, 0xdb]),
    ]

    /// Looks at a file's magic numbers; `nil` for none of these formats.
    init?(of file: Descriptor) throws {
        let head = try ArchiveOpening.head(of: file, count: 0x10048)
        // A tar archive may have any bytes in its first member, also those of a disk.
        guard !TarHeader(block: Bytes(head.prefix(TarHeader.blockSize))).isValid else { return nil }
        let found = Self.magics.first { format, offset, magic in
            // Two bytes in the middle are no proof in compressed data, which has a magic number of its own.
            if format == .ext4, !head.prefix(512).allSatisfy({ $0 == 0 }) { return false }
            return head.dropFirst(offset).starts(with: magic)
        }
        guard let found else { return nil }
        self = found.format
    }

    /// What errors call it.
    var name: String {
        switch self {
        case .squashFS: "a SquashFS image"
        case .gpt: "a disk image with a partition table (GPT)"
        case .erofs: "an EROFS image"
        case .ext4: "an ext2, ext3 or ext4 image"
        case .btrfs: "a Btrfs image"
        case .xfs: "an XFS image"
        case .iso: "an ISO 9660 image"
        case .qcow: "a QEMU disk image (qcow)"
        case .elf: "an ELF program"
        case .zip: "a zip archive"
        case .deb: "a Debian package"
        case .rpm: "an RPM package"
        }
    }

    /// What to do about it.
    var hint: String {
        switch self {
        case .gpt: "unpack it with 'systemd-dissect --copy-from IMAGE / DIR' and give the directory"
        case .qcow: "convert it with 'qemu-img convert -O raw', unpack it and give the directory"
        case .elf: "put the program into a directory as usr/bin/NAME and give the directory"
        case .deb, .rpm: "give it as it is: it is no image of a file system"
        case .zip: "unpack it and give the directory"
        default: "mount it and give the directory, or pack that with mksquashfs"
        }
    }
}
