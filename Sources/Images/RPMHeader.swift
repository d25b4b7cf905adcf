internal import Files

/// A header of an RPM package: values by tag.
///
/// Source: rpm's docs/manual/format_header.md and format_v4.md, rpmtag.h (rpm 4.18).
struct RPMHeader {
    /// Tags that matter here.
    enum Tag: UInt32 {
        case name = 1000, version, release, epoch, summary
        case license = 1014, architecture = 1022
        case preInstall = 1023, postInstall, preRemove, postRemove
        case oldFileNames = 1027, fileSizes = 1028, fileModes = 1030, fileFlags = 1037
        case sourcePackage = 1044, provideNames = 1047, requireNames = 1049, triggerScripts = 1065
        case preInstallProgram = 1085, postInstallProgram, preRemoveProgram, postRemoveProgram
        case fileDevices = 1095, fileInodes = 1096
        case directoryIndexes = 1116, baseNames, directoryNames
        case payloadFormat = 1124, payloadCompressor = 1125
        case preTransaction = 1151, postTransaction
        case longFileSizes = 5008, fileCapabilities = 5010
        case fileTriggerScripts = 5066, transactionFileTriggerScripts = 5076
        case payloadDigest = 5092, payloadDigestAlgorithm = 5093
    }

    private struct Entry {
        let type: UInt32
        let offset: Int
        let count: Int
    }

    private static let magic: Bytes = [0x8e, 0xad, 0xe8, 0x01]
    private static let introSize = 16
    private static let entrySize = 16
    /// Entries and bytes that rpm itself takes.
    private static let entryLimit = 0xffff
    private static let storeLimit = 256 << 20

    private var entries: [UInt32: Entry] = [:]
    private let store: ArraySlice<UInt8>
    private let image: String
    /// Its bytes, which have a digest.
    let bytes: Bytes
    /// Where it ends in the file.
    let end: Int

    /// Reads the header at an offset of a file.
    init(_ file: Descriptor, at offset: Int, size: Int, image: String) throws {
        let intro = try Self.read(file, offset..<(offset + Self.introSize), size: size, image: image)
        guard intro.starts(with: Self.magic) else {
            throw ImageError.damaged(image: image, detail: "what is at byte \(offset) is no header")
        }
        let count = Int(Self.number(intro[8..<12]))
        let length = Int(Self.number(intro[12..<16]))
        guard count <= Self.entryLimit, length <= Self.storeLimit else {
            throw ImageError.excessive(
                image: image, what: "a header of \(count) entries and \(length) bytes",
                limit: Self.storeLimit)
        }
        let start = Self.introSize + count * Self.entrySize
        end = offset + start + length
        bytes = try Self.read(file, offset..<end, size: size, image: image)
        store = bytes[start...]
        self.image = image
        for index in 0..<count {
            let entry = bytes[(Self.introSize + index * Self.entrySize)...].prefix(Self.entrySize)
            let fields = (0..<4).map {
                Self.number(entry[(entry.startIndex + $0 * 4)..<(entry.startIndex + $0 * 4 + 4)])
            }
            guard fields[2] < UInt32(length) || fields[3] == 0, fields[3] <= UInt32(length) else {
                // The entry of the immutable region counts from its end, and says nothing of the package.
                guard fields[0] < 100 else {
                    throw ImageError.damaged(
                        image: image, detail: "the value of tag \(fields[0]) is outside the header")
                }
                continue
            }
            entries[fields[0]] = Entry(type: fields[1], offset: Int(fields[2]), count: Int(fields[3]))
        }
    }

    private static func read(
        _ file: Descriptor, _ range: Range<Int>, size: Int, image: String
    ) throws -> Bytes {
        guard range.upperBound <= size else {
            throw ImageError.truncated(
                image: image,
                detail: "it ends at byte \(size), inside a header that ends at \(range.upperBound)")
        }
        let stream = FileStream(file, range: range, image: image)
        var bytes: Bytes = []
        while let chunk = try stream.next() { bytes.append(contentsOf: chunk) }
        return bytes
    }

    private static func number(_ bytes: some Collection<UInt8>) -> UInt32 {
        bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The numbers of a tag; empty where it is not there or has none.
    func numbers(_ tag: Tag) throws -> [UInt64] {
        guard let entry = entries[tag.rawValue] else { return [] }
        let width: Int
        switch entry.type {
        case 1, 2: width = 1
        case 3: width = 2
        case 4: width = 4
        case 5: width = 8
        default: throw damaged(tag)
        }
        guard entry.count * width <= store.count - entry.offset else { throw damaged(tag) }
        let start = store.startIndex + entry.offset
        return (0..<entry.count).map { index in
            store[(start + index * width)..<(start + (index + 1) * width)].reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    /// The texts of a tag; empty where it is not there.
    func texts(_ tag: Tag) throws -> [Bytes] { try texts(number: tag.rawValue) }

    /// The texts of a tag of the signature, whose numbers mean other things.
    func texts(number: UInt32) throws -> [Bytes] {
        guard let entry = entries[number] else { return [] }
        guard [6, 8, 9].contains(entry.type) else { throw damaged(number) }
        var rest = store.dropFirst(entry.offset)
        var result: [Bytes] = []
        result.reserveCapacity(min(entry.count, Self.entryLimit))
        for _ in 0..<entry.count {
            guard let end = rest.firstIndex(of: 0) else { throw damaged(number) }
            result.append(Bytes(rest[..<end]))
            rest = rest[(end + 1)...]
        }
        return result
    }

    /// The first text of a tag.
    func text(_ tag: Tag) throws -> String? { try texts(tag).first.map { $0.displayed } }

    private func damaged(_ tag: Tag) -> ImageError { damaged(tag.rawValue) }

    private func damaged(_ number: UInt32) -> ImageError {
        .damaged(image: image, detail: "the value of tag \(number) in its header is not valid")
    }
}
