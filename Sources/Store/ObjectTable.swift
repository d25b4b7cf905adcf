internal import Files
internal import Glibc
internal import StoreLayout

/// Which store path has which object: a hash table in a file.
///
/// Whoever finds an entry compares: the store path may be gone, and what it has may be another object with the same
/// fingerprint. So nothing depends on the file; where it is missing, it is made from the index.
///
/// The file has a header of 64 bytes (``magic``, the number of places, those in use, the last row that was entered) and a
/// place of 16 bytes for each object: its fingerprint and the row of a store path that has it, numbers with the lowest byte
/// first; a row of 0 marks an empty place. An object's place is the first empty one from that on which the first bits of its
/// fingerprint name.
struct ObjectTable {
    private static let magic = Bytes("sxs contents 1\n\0".utf8)
    private static let headerSize = 64
    private static let width = 16
    /// Places that are read or written at once.
    private static let windowLength = 256
    private static let leastCapacity = 1 << 8

    private let file: Descriptor
    /// Places, a power of two.
    private let capacity: Int
    private var used: Int
    /// Store paths up to this row of the index are in the table, with all that they have and others before them had not.
    private(set) var lastRow: Int

    /// Opens the table of a store; `nil` where there is none, or none that can be read.
    init?(in root: Descriptor, isWritten: Bool = false) {
        let name = StoreLayout.Name.contents
        var header = Bytes(repeating: 0, count: Self.headerSize)
        // A pipe would be waited for.
        guard let status = try? root.status(of: name), status.st_mode & S_IFMT == S_IFREG,
            let file = try? root.open(beneath: name, flags: isWritten ? O_RDWR : O_RDONLY),
            let count = try? header.withUnsafeMutableBytes({ try file.read(into: $0, at: 0) }),
            count == Self.headerSize, header.starts(with: Self.magic)
        else { return nil }
        let capacity = header.withUnsafeBytes { Self.number($0, at: 16) }
        let used = header.withUnsafeBytes { Self.number($0, at: 24) }
        lastRow = header.withUnsafeBytes { Self.number($0, at: 32) }
        guard capacity >= Self.leastCapacity, capacity <= 1 << 40, capacity & (capacity - 1) == 0,
            used <= capacity, Int(status.st_size) == Self.size(capacity)
        else { return nil }
        (self.file, self.capacity, self.used) = (file, capacity, used)
    }

    private static func size(_ capacity: Int) -> Int { headerSize + capacity * width }

    private static func number(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int {
        Int(clamping: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
    }

    /// Whether no store path has any object.
    var isEmpty: Bool { used == 0 }

    private func home(of fingerprint: UInt64) -> Int {
        Int(fingerprint >> UInt64(64 - capacity.trailingZeroBitCount))
    }

    // MARK: - Looking

    /// Places that are read at once to look for one: nearly always it is among them.
    private static let runLength = 4

    /// The row of a store path that may have an object; `nil` where none has.
    ///
    /// Any number of threads may ask.
    func row(of fingerprint: UInt64) throws -> Int? {
        var place = home(of: fingerprint)
        let size = Self.runLength * Self.width
        return try withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { run in
            // Every place is looked at once, at most: a damaged table may have no empty one.
            var looked = 0
            while looked < capacity {
                let length = min(Self.runLength, capacity - place)
                let part = UnsafeMutableRawBufferPointer(rebasing: run[..<(length * Self.width)])
                guard try file.read(into: part, at: Self.size(place)) == part.count else { return nil }
                for index in 0..<length {
                    let entry = Entry(UnsafeRawBufferPointer(part), at: index)
                    if entry.row == 0 { return nil }
                    if entry.fingerprint == fingerprint { return Int(entry.row) }
                }
                looked += length
                place = (place + length) % capacity
            }
            return nil
        }
    }

    /// What is in a place.
    private struct Entry {
        var fingerprint: UInt64
        var row: UInt32

        init(fingerprint: UInt64, row: UInt32) { (self.fingerprint, self.row) = (fingerprint, row) }

        init(_ bytes: UnsafeRawBufferPointer, at index: Int) {
            let start = index * ObjectTable.width
            fingerprint = UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self))
            row = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt32.self))
        }

        func store(to bytes: UnsafeMutableRawBufferPointer, at index: Int) {
            let start = index * ObjectTable.width
            bytes.storeBytes(of: fingerprint.littleEndian, toByteOffset: start, as: UInt64.self)
            bytes.storeBytes(of: UInt64(row).littleEndian, toByteOffset: start + 8, as: UInt64.self)
        }
    }

    // MARK: - Writing

    /// Some places, read when they are first used and written when others are.
    private struct Window {
        let file: Descriptor
        let capacity: Int
        private let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: windowLength * width, alignment: 16)
        private var start = -1
        private var isChanged = false

        init(_ file: Descriptor, capacity: Int) { (self.file, self.capacity) = (file, capacity) }

        func deallocate() { bytes.deallocate() }

        /// Makes the place be among those in memory; its index there.
        private mutating func move(to place: Int) throws -> Int {
            let wanted = place / windowLength * windowLength
            if wanted != start {
                try flush()
                guard try file.read(into: bytes, at: size(wanted)) == bytes.count else {
                    throw SystemError("read", file.path, code: EIO)
                }
                start = wanted
            }
            return place - wanted
        }

        mutating func flush() throws {
            guard isChanged else { return }
            try file.write(UnsafeRawBufferPointer(bytes), at: size(start))
            isChanged = false
        }

        /// Puts an entry into the first place from its own on that is empty, or has the same fingerprint.
        ///
        /// - Returns: Whether the place was empty.
        mutating func put(_ entry: Entry, from home: Int) throws -> Bool {
            for step in 0..<capacity {
                let index = try move(to: (home + step) % capacity)
                let found = Entry(UnsafeRawBufferPointer(bytes), at: index)
                guard found.row == 0 || found.fingerprint == entry.fingerprint else { continue }
                entry.store(to: bytes, at: index)
                isChanged = true
                return found.row == 0
            }
            return false
        }
    }

    /// Enters objects that a store path has, in place of what was known of them.
    ///
    /// - Parameter fingerprints: In ascending order.
    private mutating func put(_ fingerprints: [UInt64], row: UInt32) throws {
        var window = Window(file, capacity: capacity)
        defer { window.deallocate() }
        for fingerprint in fingerprints
        where try window.put(Entry(fingerprint: fingerprint, row: row), from: home(of: fingerprint)) {
            used += 1
        }
        try window.flush()
        // Last: a row that is not named is entered by the next import.
        lastRow = max(lastRow, Int(row))
        try writeHeader()
    }

    private func writeHeader() throws {
        var header = Self.magic + Bytes(repeating: 0, count: Self.headerSize - Self.magic.count)
        header.withUnsafeMutableBytes {
            $0.storeBytes(of: UInt64(capacity).littleEndian, toByteOffset: 16, as: UInt64.self)
            $0.storeBytes(of: UInt64(used).littleEndian, toByteOffset: 24, as: UInt64.self)
            $0.storeBytes(of: UInt64(lastRow).littleEndian, toByteOffset: 32, as: UInt64.self)
        }
        try file.write(header, at: 0)
    }

    /// An empty table in a new file, which gets its header with the first entries.
    private init(_ file: Descriptor, for count: Int, lastRow: Int) throws {
        var capacity = Self.leastCapacity
        // Three quarters of the places at most.
        while capacity * 3 < count * 4 { capacity *= 2 }
        (self.file, self.capacity, used, self.lastRow) = (file, capacity, 0, lastRow)
        try file.setSize(Self.size(capacity))
    }

    /// A larger table in a new file, with what this one has.
    private func grown(for count: Int, in file: Descriptor) throws -> ObjectTable {
        var next = try ObjectTable(file, for: count, lastRow: lastRow)
        var window = Window(next.file, capacity: next.capacity)
        defer { window.deallocate() }
        var bytes = Bytes(repeating: 0, count: Self.windowLength * Self.width)
        for start in stride(from: 0, to: capacity, by: Self.windowLength) {
            let size = try bytes.withUnsafeMutableBytes { try self.file.read(into: $0, at: Self.size(start)) }
            guard size == bytes.count else { throw SystemError("read", self.file.path, code: EIO) }
            for index in 0..<Self.windowLength {
                let entry = bytes.withUnsafeBytes { Entry($0, at: index) }
                guard entry.row != 0 else { continue }
                if try window.put(entry, from: next.home(of: entry.fingerprint)) { next.used += 1 }
            }
        }
        try window.flush()
        return next
    }

    /// Whether there is room for more objects.
    func hasRoom(for count: Int) -> Bool { (used + count) * 4 <= capacity * 3 }

    /// Enters objects that a store path has, for which there is room.
    ///
    /// - Parameter fingerprints: In ascending order.
    mutating func enter(_ fingerprints: [UInt64], row: Int) throws {
        guard let row = UInt32(exactly: row) else { return }
        try put(fingerprints, row: row)
    }

    /// A table in a new file, which has what another one has, and the objects of a store path.
    ///
    /// Others read the old file for as long as they have it open.
    ///
    /// - Parameters:
    ///   - old: The other one; `nil` for a store that has nothing else.
    ///   - fingerprints: In ascending order.
    ///   - area: Where the file is made, in the store's file system.
    static func made(
        of old: ObjectTable?, _ fingerprints: [UInt64], row: Int, in area: Descriptor
    ) throws -> ObjectTable {
        let count = (old?.used ?? 0) + fingerprints.count
        let file = try newFile(in: area)
        var table = try old?.grown(for: count, in: file) ?? ObjectTable(file, for: count, lastRow: 0)
        try table.enter(fingerprints, row: row)
        return table
    }

    /// A table in a new file.
    ///
    /// - Parameters:
    ///   - area: Where the file is made, in the store's file system.
    ///   - lastRow: The last row of the index.
    ///   - lists: Gives, of each store path, its row and the objects it has.
    static func made(
        in area: Descriptor, lastRow: Int,
        of lists: (_ body: (Int, UnsafeRawBufferPointer) -> Void) throws -> Void
    ) throws -> ObjectTable {
        // In memory at first: store paths come one after the other, and each has objects all over the table.
        var entries: [UInt64: UInt32] = [:]
        try lists { row, uses in
            guard let row = UInt32(exactly: row) else { return }
            // The first keeps it: later ones have listings that are made from its own.
            ObjectUses.forEach(in: uses) { use in
                if entries[use.fingerprint] == nil { entries[use.fingerprint] = row }
            }
        }
        var table = try ObjectTable(newFile(in: area), for: entries.count, lastRow: lastRow)
        var window = Window(table.file, capacity: table.capacity)
        defer { window.deallocate() }
        for (fingerprint, row) in entries.sorted(by: { $0.key < $1.key })
        where try window.put(Entry(fingerprint: fingerprint, row: row), from: table.home(of: fingerprint)) {
            table.used += 1
        }
        try window.flush()
        try table.writeHeader()
        // With holes in it after a loss of power, it would be believed to know all there is.
        try table.file.synchronize()
        return table
    }

    static let newName = "new-contents"

    private static func newFile(in area: Descriptor) throws -> Descriptor {
        let file = try area.open(beneath: newName, flags: O_RDWR | O_CREAT | O_EXCL)
        try file.setMode(0o644)
        return file
    }

    /// Gives the new file its name, when it is written out.
    func publish(from area: Descriptor, in root: Descriptor) throws {
        try area.rename(Self.newName, to: root, as: StoreLayout.Name.contents)
    }
}
