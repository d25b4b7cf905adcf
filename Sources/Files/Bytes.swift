private import CLinux
private import Glibc

/// Bytes of unknown encoding: a path, a name, a link target.
///
/// File names on Linux are bytes, not text; they become `String` only to be shown.
public typealias Bytes = [UInt8]

extension Collection where Element == UInt8 {
    /// The bytes as text for people: control characters and invalid UTF-8 become `\ooo`.
    public var displayed: String {
        let text = String(decoding: self, as: UTF8.self)
        // Nearly all, told without a look at what Unicode has to say.
        if allSatisfy({ (0x20..<0x7f).contains($0) }) { return text }
        let isPlain =
            text.utf8.elementsEqual(self)
            && text.unicodeScalars.allSatisfy {
                $0.value >= 0x20 && $0.value != 0x7f && !(0x80...0x9f).contains($0.value)
            }
        guard !isPlain else { return text }
        var result = ""
        for byte in self {
            if (0x20..<0x7f).contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "\\" + octal(UInt32(byte), width: 3)
            }
        }
        return result
    }

    /// Whether the bytes begin with the UTF-8 of `prefix`.
    public func hasPrefix(_ prefix: String) -> Bool {
        starts(with: prefix.utf8)
    }
}

extension UnsafeRawBufferPointer {
    /// The offset of the first occurrence of some bytes; `nil` where they are not there.
    public func firstOffset(of bytes: Bytes) -> Int? {
        guard let start = baseAddress, let found = sxs_memmem(start, count, bytes, bytes.count) else {
            return nil
        }
        return found - start
    }

    /// Whether the bytes are those of a text.
    public func equals(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { text in
            guard text.count == count else { return false }
            guard let start = baseAddress, let other = text.baseAddress else { return true }
            return memcmp(start, other, count) == 0
        }
    }
}

/// Octal digits of `value`, with leading zeros up to `width`.
public func octal(_ value: UInt32, width: Int = 1) -> String {
    let digits = String(value, radix: 8)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
