internal import Files

/// Store paths that are named in a text.
///
/// The hash is what tells, whatever directory the text says they are in: `/usr/store`, a root's own `store/`, or another
/// place in which a namespace shows it.
public enum StorePathMention {
    /// Calls `body` with every path component that has the form of a store path's base name.
    public static func forEach(in text: UnsafeRawBufferPointer, _ body: (String) -> Void) {
        let hashLength = StorePath.hashLength
        var index = 0
        while index + hashLength + 2 < text.count {
            guard text[index] == UInt8(ascii: "/") else {
                index += 1
                continue
            }
            index += 1
            let hyphen = index + hashLength
            guard hyphen < text.count, text[hyphen] == UInt8(ascii: "-"),
                text[index..<hyphen].allSatisfy({ isHashByte[Int($0)] })
            else { continue }
            var end = hyphen + 1
            while end < text.count, isNameByte[Int(text[end])] { end += 1 }
            if end > hyphen + 1 { body(String(decoding: text[index..<end], as: UTF8.self)) }
            index = end
        }
    }

    /// The base names that a text has.
    public static func baseNames(in text: some Collection<UInt8>) -> [String] {
        var names: [String] = []
        Array(text).withUnsafeBytes { bytes in forEach(in: bytes) { names.append($0) } }
        return names
    }

    private static let isHashByte = (0..<256).map {
        Base32.isEncoded(String(UnicodeScalar(UInt8($0)))) && $0 < 128
    }

    /// What names and versions have.
    private static let isNameByte = (UInt8.min...UInt8.max).map { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || "._+-~^".utf8.contains(byte)
    }
}
