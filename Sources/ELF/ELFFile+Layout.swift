extension ELFFile {
    /// Checks that the loaded parts can be what a linker made: within the file, and none over another.
    ///
    /// Reading such a file is safe without it. Rewriting is not: of a byte that is mapped twice, not all references
    /// are found, and a file that was cut short has lost who knows what.
    ///
    /// - Throws: ``ELFError``, naming the first part that is wrong; also what ``damage`` is.
    public func checkLayout() throws(ELFError) {
        if let damage { throw damage }
        let loaded = segments.filter { $0.type == Segment.load }
        for segment in loaded {
            guard UInt64(segment.fileRange.count) == segment.fileSize else {
                throw .outside(
                    structure: "loaded segment", offset: segment.offset, size: segment.fileSize,
                    fileSize: view.bytes.count)
            }
            guard segment.memorySize >= segment.fileSize,
                !segment.address.addingReportingOverflow(segment.memorySize).overflow
            else {
                throw .field(
                    name: "p_memsz", value: segment.memorySize, offset: Int(clamping: segment.offset))
            }
        }
        // Two that share bytes of the file, or of memory.
        let byOffset = loaded.map(\.fileRange).filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
        for (before, after) in zip(byOffset, byOffset.dropFirst()) where after.lowerBound < before.upperBound
        {
            throw .overlap(structure: "loaded segment", offset: UInt64(after.lowerBound))
        }
        let byAddress = loaded.filter { $0.memorySize > 0 }.sorted { $0.address < $1.address }
        for (before, after) in zip(byAddress, byAddress.dropFirst())
        where after.address < before.address + before.memorySize {
            throw .overlap(structure: "loaded segment", offset: after.offset)
        }
    }
}
