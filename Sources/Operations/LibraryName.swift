internal import ELF
internal import Files
internal import StoreLayout

/// The name of a shared library: `libssl.so.3`, `libpython3.11.so.1.0`, `libbfd-2.40-system.so`.
struct LibraryName {
    /// The version in it; `nil` for none.
    let version: PackageVersion?

    /// Reads a file's name; `nil` if it is no library's.
    init?(_ name: Bytes) {
        guard name.hasPrefix("lib") || name.hasPrefix("ld-"),
            let text = String(validating: name, as: UTF8.self), let range = Self.suffix(of: text)
        else { return nil }
        let after = text[range.upperBound...].drop { $0 == "." }
        let before = text[..<range.lowerBound]
        // "libbfd-2.40-system.so": the first part that begins with a digit.
        let inside = before.split(separator: "-").dropFirst().first { $0.first?.isNumber ?? false }
        let version =
            after.isEmpty ? inside.map(String.init) : after.first?.isNumber == true ? String(after) : nil
        self.version = version.flatMap { try? PackageVersion($0) }
    }

    /// Where `.so` stands at the end or before a `.`.
    private static func suffix(of text: String) -> Range<String.Index>? {
        let suffix = ".so"
        var start = text.startIndex
        while start < text.endIndex {
            if text[start...].hasPrefix(suffix) {
                let end = text.index(start, offsetBy: suffix.count)
                if end == text.endIndex || text[end] == "." { return start..<end }
            }
            start = text.index(after: start)
        }
        return nil
    }

    /// The symbol versions that a library defines; none for what is no ELF file.
    static func versionDefinitions(of bytes: Bytes) -> Set<String> {
        // A linker script, or a damaged file: it defines nothing.
        (try? ELFFile.withFile(parsing: bytes) { Set($0.versionDefinitions) }) ?? []
    }
}
