internal import ArgumentParser
internal import StoreLayout

/// An amount of bytes, as people write it: `500M`, `2GiB`.
struct ByteCount: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        guard let bytes = Quantity.bytes(argument) else { return nil }
        self.bytes = bytes
    }
}

/// A length of time, as people write it: `30d`, `2w`, `12h`.
struct TimeSpan: ExpressibleByArgument {
    let seconds: Int

    init?(argument: String) {
        guard let seconds = Quantity.seconds(argument) else { return nil }
        self.seconds = seconds
    }
}
