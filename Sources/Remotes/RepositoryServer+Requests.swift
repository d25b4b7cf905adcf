internal import Files
internal import Glibc

/// How HTTP writes what is asked and said.
///
/// Source: RFC 9110, RFC 9112.
extension RepositoryServer {
    /// What a client asked for.
    struct Request {
        let method: String
        let target: String
        let fields: [String: String]
    }

    /// Reads a request; `nil` for what is none, or does not come in time.
    static func request(from connection: Descriptor) -> Request? {
        var bytes: Bytes = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
        defer { buffer.deallocate() }
        let began = time(nil)
        // However slowly it comes: not longer, in all, than one part of it may take.
        while bytes.count < longestRequest, time(nil) - began <= patience {
            guard let count = try? connection.read(into: buffer), count > 0 else { return nil }
            bytes += buffer[..<count]
            guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
            let plain = text.replacing("\r\n", with: "\n")
            guard let end = plain.firstRange(of: "\n\n") else { continue }
            let lines = plain[..<end.lowerBound].split(separator: "\n")
            let words = lines.first?.split(separator: " ") ?? []
            guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { return nil }
            var fields: [String: String] = [:]
            for line in lines.dropFirst() {
                guard let colon = line.firstIndex(of: ":") else { return nil }
                let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
                fields[line[..<colon].lowercased()] = String(value)
            }
            return Request(method: String(words[0]), target: String(words[1]), fields: fields)
        }
        return nil
    }

    /// The file of a request's target: one in the directory itself.
    static func fileName(of target: String) -> String? {
        var bytes: Bytes = []
        var rest = target.utf8.prefix { $0 != UInt8(ascii: "?") }[...]
        guard rest.popFirst() == UInt8(ascii: "/") else { return nil }
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else { return nil }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        guard let name = String(validating: bytes, as: UTF8.self), !name.isEmpty, !name.hasPrefix("."),
            !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0)
        else { return nil }
        return name
    }

    /// The bytes that a `Range` names: empty for none that there are, `nil` for several ranges and what is none.
    static func range(_ text: String, size: Int) -> Range<Int>? {
        guard text.hasPrefix("bytes=") else { return nil }
        let parts = text.dropFirst("bytes=".count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            return nil
        }
        switch (parts[0].isEmpty, parts[1].isEmpty) {
        case (true, true): return nil
        case (true, false):
            guard let count = Int(parts[1]) else { return nil }
            return max(0, size - count)..<size
        default:
            guard let first = Int(parts[0]) else { return nil }
            guard first < size else { return 0..<0 }
            guard !parts[1].isEmpty else { return first..<size }
            guard let last = Int(parts[1]), last >= first else { return nil }
            return first..<min(last, size - 1) + 1
        }
    }

    /// A time as HTTP has it.
    ///
    /// Source: RFC 9110, 5.6.7.
    static func date(_ seconds: Int) -> String {
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let time = CivilTime(seconds)
        return
            "\(days[time.weekday]), \(CivilTime.padded(time.day)) \(months[time.month - 1]) \(time.year) \(time.clock) GMT"
    }
}
