/// A list in parts of a fixed length: to let it grow copies nothing, and of two that were one only the parts are copied in
/// which they differ.
///
/// An image's files are many: a plain array takes three times its elements while it grows, and twice them when one is
/// changed.
struct SegmentedArray<Element: Sendable>: Sendable {
    /// A power of two.
    private static var length: Int { 1 << shift }
    private static var shift: Int { 10 }

    private var segments: [[Element]] = []

    /// How many elements there are.
    private(set) var count = 0

    mutating func append(_ element: Element) {
        if count & (Self.length - 1) == 0 {
            var segment: [Element] = []
            // A small one takes no more than it needs.
            if count > 0 { segment.reserveCapacity(Self.length) }
            segments.append(segment)
        }
        segments[count >> Self.shift].append(element)
        count += 1
    }

    subscript(index: Int) -> Element {
        _read { yield segments[index >> Self.shift][index & (Self.length - 1)] }
        _modify { yield &segments[index >> Self.shift][index & (Self.length - 1)] }
    }
}
