/// Where the loaded segments are, in the file and in memory.
struct AddressMap: Sendable {
    private let byAddress: [Segment]
    private let byOffset: [Segment]

    init(_ segments: [Segment]) {
        let loaded = segments.filter { $0.type == Segment.load && !$0.fileRange.isEmpty }
        byAddress = loaded.sorted { $0.address < $1.address }
        byOffset = loaded.sorted { $0.fileRange.lowerBound < $1.fileRange.lowerBound }
    }

    /// The offset of the byte that is mapped at `address`.
    ///
    /// - Complexity: Logarithmic in the number of segments.
    func fileOffset(ofAddress address: UInt64) -> Int? {
        let index = firstIndex(of: byAddress) { $0.address > address }
        guard index > 0 else { return nil }
        let segment = byAddress[index - 1]
        let distance = address - segment.address
        guard distance < UInt64(segment.fileRange.count) else { return nil }
        return segment.fileRange.lowerBound + Int(distance)
    }

    /// The address that the byte at `offset` is mapped at.
    ///
    /// - Complexity: Logarithmic in the number of segments.
    func address(ofFileOffset offset: Int) -> UInt64? {
        let index = firstIndex(of: byOffset) { $0.fileRange.lowerBound > offset }
        guard index > 0 else { return nil }
        let segment = byOffset[index - 1]
        guard segment.fileRange.contains(offset) else { return nil }
        let (address, overflow) = segment.address.addingReportingOverflow(
            UInt64(offset - segment.fileRange.lowerBound))
        return overflow ? nil : address
    }
}

/// The index of the first element for which `isPast` holds, in a list where it holds from there on.
///
/// - Complexity: Logarithmic.
@inline(__always)
func firstIndex<Element>(of list: [Element], where isPast: (Element) -> Bool) -> Int {
    var low = 0
    var high = list.count
    while low < high {
        let middle = low + (high - low) / 2
        if isPast(list[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
}
