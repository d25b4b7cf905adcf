extension PackageVersion: Comparable {
    /// The order of the UAPI version format: numbers by value, letters by code, `~` before everything, `^` after.
    ///
    /// Source: UAPI.10 Version Format Specification, as `strverscmp_improved` in systemd.
    public static func < (left: PackageVersion, right: PackageVersion) -> Bool {
        compare(Array(left.text.utf8), Array(right.text.utf8)) < 0
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    private static func isSignificant(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLetter(byte) || "~-^.".utf8.contains(byte)
    }

    private static func compare(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var (a, b) = (left[...], right[...])
        while true {
            a = a.drop { !isSignificant($0) }
            b = b.drop { !isSignificant($0) }
            for separator in "~".utf8 {
                // A pre-release sorts before the end of the text.
                switch (a.first == separator, b.first == separator) {
                case (true, false): return -1
                case (false, true): return 1
                case (true, true): (a, b) = (a.dropFirst(), b.dropFirst())
                case (false, false): break
                }
            }
            if a.isEmpty || b.isEmpty { return a.isEmpty ? (b.isEmpty ? 0 : -1) : 1 }
            var isSkipped = false
            for separator in "-^.".utf8 {
                switch (a.first == separator, b.first == separator) {
                case (true, false): return -1
                case (false, true): return 1
                case (true, true):
                    (a, b) = (a.dropFirst(), b.dropFirst())
                    isSkipped = true
                case (false, false): break
                }
                if isSkipped { break }
            }
            if isSkipped { continue }
            if let first = a.first, let second = b.first, isDigit(first) || isDigit(second) {
                let (runA, runB) = (a.prefix(while: isDigit), b.prefix(while: isDigit))
                if runA.isEmpty != runB.isEmpty { return runA.isEmpty ? -1 : 1 }
                let (numberA, numberB) = (runA.drop { $0 == 0x30 }, runB.drop { $0 == 0x30 })
                if numberA.count != numberB.count { return numberA.count < numberB.count ? -1 : 1 }
                if !numberA.elementsEqual(numberB) {
                    return numberA.lexicographicallyPrecedes(numberB) ? -1 : 1
                }
                (a, b) = (a.dropFirst(runA.count), b.dropFirst(runB.count))
            } else {
                let (runA, runB) = (a.prefix(while: isLetter), b.prefix(while: isLetter))
                if !runA.elementsEqual(runB) { return runA.lexicographicallyPrecedes(runB) ? -1 : 1 }
                (a, b) = (a.dropFirst(runA.count), b.dropFirst(runB.count))
            }
        }
    }
}
