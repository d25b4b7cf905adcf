internal import ArgumentParser

/// An amount of bytes, as people write it: `500M`, `2GiB`.
struct ByteCount: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        let units: [(String, Int)] = [
            ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40), ("kb", 1000),
            ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000), ("k", 1000),
            ("m", 1_000_000),
            ("g", 1_000_000_000), ("t", 1_000_000_000_000), ("b", 1), ("", 1),
        ]
        let text = argument.lowercased()
        guard let unit = units.first(where: { text.hasSuffix($0.0) }),
            let number = Int(text.dropLast(unit.0.count)), number >= 0
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.1)
        guard !overflow else { return nil }
        self.bytes = bytes
    }
}

/// A length of time, as people write it: `30d`, `2w`, `12h`.
struct TimeSpan: ExpressibleByArgument {
    let seconds: Int

    init?(argument: String) {
        let units: [(Character, Int)] = [
            ("s", 1), ("m", 60), ("h", 3600), ("d", 86400), ("w", 7 * 86400), ("y", 365 * 86400),
        ]
        guard let unit = units.first(where: { $0.0 == argument.last }),
            let number = Int(argument.dropLast()), number >= 0
        else { return nil }
        let (seconds, overflow) = number.multipliedReportingOverflow(by: unit.1)
        guard !overflow else { return nil }
        self.seconds = seconds
    }
}
