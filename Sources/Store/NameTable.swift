internal import Files
internal import Glibc

/// Names, each with a number, from 0 in the order in which they came.
///
/// A hash table over one buffer: a garbage collection looks up hundreds of thousands of names, and a `String` for each
/// would take longer than all the rest.
struct NameTable {
    private var bytes: Bytes = []
    /// Where each name ends in ``bytes``.
    private var ends: [Int] = []
    /// The number after that of a name; 0 marks an empty place.
    private var places = [UInt32](repeating: 0, count: 1 << 10)
    /// Whoever names things does not know which of them meet.
    private let seed = UInt64.random(in: .min ... .max)

    /// How many names there are.
    var count: Int { ends.count }

    /// The name of a number.
    subscript(number: Int) -> String {
        String(decoding: bytes[range(number)], as: UTF8.self)
    }

    /// The number of a name; `nil` for one that is not there.
    func number(of name: UnsafeRawBufferPointer) -> Int? {
        let found = places[place(of: name)]
        return found == 0 ? nil : Int(found) - 1
    }

    /// The number of a name; `nil` for one that is not there.
    func number(of name: String) -> Int? {
        var name = name
        return name.withUTF8 { number(of: UnsafeRawBufferPointer($0)) }
    }

    /// Adds a name unless it is there; `true` if it was not.
    @discardableResult
    mutating func insert(_ name: UnsafeRawBufferPointer) -> Bool {
        let place = place(of: name)
        guard places[place] == 0 else { return false }
        bytes.append(contentsOf: name)
        ends.append(bytes.count)
        places[place] = UInt32(ends.count)
        if ends.count * 2 >= places.count { grow() }
        return true
    }

    /// Some numbers, in the order of the bytes of their names.
    func sorted(_ numbers: [Int]) -> [Int] {
        bytes.withUnsafeBytes { bytes in
            numbers.sorted { left, right in
                let (one, other) = (bytes[range(left)], bytes[range(right)])
                let (first, second) = (
                    UnsafeRawBufferPointer(rebasing: one), UnsafeRawBufferPointer(rebasing: other)
                )
                guard let firstAddress = first.baseAddress, let secondAddress = second.baseAddress else {
                    return first.count < second.count
                }
                let order = memcmp(firstAddress, secondAddress, min(first.count, second.count))
                return order != 0 ? order < 0 : first.count < second.count
            }
        }
    }

    private func range(_ number: Int) -> Range<Int> {
        (number == 0 ? 0 : ends[number - 1])..<ends[number]
    }

    /// Where a name is, or would be.
    private func place(of name: UnsafeRawBufferPointer) -> Int {
        var place = Int(truncatingIfNeeded: hash(name)) & (places.count - 1)
        while places[place] != 0, !isEqual(name, Int(places[place]) - 1) {
            place = (place + 1) & (places.count - 1)
        }
        return place
    }

    private func isEqual(_ name: UnsafeRawBufferPointer, _ number: Int) -> Bool {
        let range = range(number)
        guard range.count == name.count, let address = name.baseAddress else {
            return range.count == name.count
        }
        return bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return name.isEmpty }
            return memcmp(start + range.lowerBound, address, name.count) == 0
        }
    }

    /// Eight bytes at a time are mixed in.
    private func hash(_ name: UnsafeRawBufferPointer) -> UInt64 {
        var hash = seed
        func mix(_ word: UInt64) {
            let product = (hash ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
            hash = product.high ^ product.low &+ word
        }
        var offset = 0
        while offset + 8 <= name.count {
            mix(name.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest = UInt64(name.count)
        for byte in name[offset...] { rest = rest << 8 | UInt64(byte) }
        mix(rest)
        return hash
    }

    private mutating func grow() {
        places = [UInt32](repeating: 0, count: places.count * 4)
        for number in ends.indices {
            let place = bytes.withUnsafeBytes { bytes -> Int in
                self.place(of: UnsafeRawBufferPointer(rebasing: bytes[range(number)]))
            }
            places[place] = UInt32(number + 1)
        }
    }
}
