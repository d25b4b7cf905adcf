private import Files
public import StoreLayout

/// What `%` and a letter stand for in sysupdate's files, on a host.
///
/// Source: sysupdate.d(5), "Specifiers"; systemd.unit(5).
public struct Specifiers: Sendable {
    /// Fields of os-release, by letter.
    private static let releaseFields: [Character: String] = [
        "A": "IMAGE_VERSION", "B": "BUILD_ID", "M": "IMAGE_ID", "o": "ID", "w": "VERSION_ID",
        "W": "VARIANT_ID",
    ]

    private let host: String
    /// The architecture, where it is not the host's.
    private let architecture: Architecture

    /// Looks at a host.
    ///
    /// - Parameters:
    ///   - host: Its root directory; `""` for this one.
    ///   - architecture: What `%a` stands for.
    public init(host: String = "", architecture: Architecture = .host) {
        self.host = host
        self.architecture = architecture
    }

    /// A text with what its specifiers stand for.
    ///
    /// - Throws: ``SysupdateError/specifier(_:in:)``.
    public func expand(_ text: String) throws(SysupdateError) -> String {
        var result = ""
        var rest = Substring(text)
        while let character = rest.popFirst() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            // A last one, and one before what is no letter, stand for themselves.
            guard let letter = rest.first, letter.isASCII, letter.isLetter || letter == "%" else {
                result.append(character)
                continue
            }
            rest.removeFirst()
            guard let value = value(letter) else { throw .specifier("%\(letter)", in: text) }
            result += value
        }
        return result
    }

    private func value(_ letter: Character) -> String? {
        if let field = Self.releaseFields[letter] { return release(field) }
        switch letter {
        case "%": return "%"
        case "a": return "\(architecture)"
        case "b": return line("/proc/sys/kernel/random/boot_id")?.replacing("-", with: "")
        case "H": return line("/proc/sys/kernel/hostname")
        case "l": return line("/proc/sys/kernel/hostname")?.split(separator: ".").first.map(String.init)
        case "m": return line(host + "/etc/machine-id")
        case "v": return line("/proc/sys/kernel/osrelease")
        case "T": return "/tmp"
        case "V": return "/var/tmp"
        default: return nil
        }
    }

    private func line(_ path: String) -> String? {
        guard let bytes = try? Descriptor.file(path).readAll(limit: 4096) else { return nil }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").first.map(String.init)
    }

    /// A field of os-release; empty where it has none, as in systemd.
    private func release(_ field: String) -> String? {
        for path in ["/etc/os-release", "/usr/lib/os-release"] {
            guard let bytes = try? Descriptor.file(host + path).readAll(limit: 1 << 20) else { continue }
            let values = ConfigurationFile(parsing: String(decoding: bytes, as: UTF8.self))
            var value = values.value(field, in: "") ?? ""
            for quote in ["\"", "'"] where value.hasPrefix(quote) && value.hasSuffix(quote) && value.count > 1
            {
                value = String(value.dropFirst().dropLast())
            }
            return value
        }
        return nil
    }
}
