import ELF

/// Reads bytes as an ELF file and as a loader cache, and asks for all there is to be told.
///
/// For tests and for libFuzzer: whatever the bytes are, it returns. What is checked besides traps when it is wrong,
/// as a sanitizer would.
public func checkReading(_ bytes: UnsafeRawBufferPointer) {
    checkCache(Array(bytes))
    _ = ELFFile.isELF(bytes)
    _ = ELFFile.architectureName(ofHead: Array(bytes.prefix(64)))
    guard let elf = try? ELFFile(parsing: bytes) else { return }
    _ = try? elf.checkLayout()
    for range in elf.segments.map(\.fileRange) + elf.sections.map(\.fileRange) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a range past the end")
    }
    let strings =
        [elf.interpreter] + (elf.dynamic.map { $0.needed + [$0.soname, $0.rpath, $0.runpath] } ?? [])
    for string in strings.compactMap({ $0 }) {
        precondition(
            string.offset >= 0 && string.offset + string.room <= bytes.count, "a string past the end")
        precondition(bytes[string.offset..<string.offset + string.bytes.count].elementsEqual(string.bytes))
    }
    _ = (elf.isPIE, elf.isStaticPIE, elf.isGo, elf.isRust, elf.hasStringBlobs, elf.hasDamagedSections)
    for site in LoaderStrings(elf)?.sites ?? [] {
        precondition(bytes[site.offset..<site.offset + site.length].elementsEqual(site.bytes))
    }
    var intervals: [Range<UInt64>] = []
    for offset in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 64)) {
        _ = elf.region(atFileOffset: offset)
        guard let address = elf.address(ofFileOffset: offset) else { continue }
        _ = elf.fileOffset(ofAddress: address)
        let (end, overflow) = address.addingReportingOverflow(32)
        if !overflow { intervals.append(address..<end) }
    }
    for offset in [-1, bytes.count, .max] {
        _ = elf.region(atFileOffset: offset)
        _ = elf.address(ofFileOffset: offset)
    }
    _ = elf.dynamicNameOffsets(in: 0..<bytes.count)
    for address in elf.references(into: intervals).all {
        precondition(intervals.contains { $0.contains(address) }, "a reference that was not asked for")
    }
}

private func checkCache(_ bytes: [UInt8]) {
    guard let cache = try? LoaderCache(parsing: bytes) else { return }
    for entry in cache.entries.prefix(16) { _ = cache.path(of: entry.entry.soname, machine: .x86_64) }
}
