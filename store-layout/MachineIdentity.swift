private import Files

/// Which host this is.
public enum MachineIdentity {
    /// The machine ID, 32 hexadecimal digits; `nil` for a host that has none, as many containers.
    ///
    /// Source: machine-id(5).
    public static func current() -> String? {
        // A lazy sequence would read the first one twice.
        for path in HostLayout.machineIdentities {
            if let id = (try? Descriptor.file(path).readAll(limit: 256)).flatMap({ parse($0) }) { return id }
        }
        return nil
    }

    /// The ID in the text of a file; `nil` where it is none, such as `uninitialized`.
    static func parse(_ text: some Collection<UInt8>) -> String? {
        let line = text.prefix { $0 != 0x0a }
        guard isValid(line), line.contains(where: { $0 != UInt8(ascii: "0") }) else { return nil }
        return String(decoding: Array(line), as: UTF8.self)
    }

    /// Whether a name is one that a machine ID has.
    public static func isValid(_ name: some Collection<UInt8>) -> Bool {
        name.count == 32 && name.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// What tells this start of the kernel from others; `nil` where `/proc` does not say.
    public static func currentBoot() -> String? {
        guard let text = try? Descriptor.file(HostLayout.bootIdentity).readAll(limit: 256) else { return nil }
        let line = text.prefix { $0 > 0x20 && $0 < 0x7f }
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }
}
