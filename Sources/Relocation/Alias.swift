public import Files
internal import StoreLayout

/// A short symbolic link that stands, byte for byte as long, for a path inside a relocated file.
public struct Alias: Hashable, Sendable {
    /// Its name in the alias directory.
    public let name: String

    /// What it stands for, in the tree.
    public let target: TreePath

    /// The absolute path that files hold.
    public var path: String { StoreLayout.aliasDirectory + "/" + name }
}

/// Names aliases: a pure function of the store path and the paths they stand for.
struct AliasNames {
    /// A path to be named: what files hold, and where it leads.
    struct Request: Hashable, Comparable {
        /// Bytes there are, `/usr/_/` included.
        let length: Int
        /// Where it leads.
        let target: TreePath
        /// Letters and digits that the name has to end with: other strings of the file are stored there.
        var ending: Bytes = []

        static func < (left: Request, right: Request) -> Bool {
            if left.target != right.target { return left.target < right.target }
            if left.length != right.length { return left.length < right.length }
            return left.ending.lexicographicallyPrecedes(right.ending)
        }
    }

    private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// Whether a name may have this byte.
    static func isDigit(_ byte: UInt8) -> Bool { digits.contains(byte) }

    /// The fewest characters of a name that are not told by others: 24 bits.
    static let fewestFreeCharacters = 4

    /// Characters from which on a name shows whose it is.
    private static let longEnoughForOwner = 16

    /// Names every request.
    ///
    /// Two that would get one name are told apart by a counter, in sorted order.
    static func assign(_ requests: Set<Request>, storePath: StorePath) -> [Request: String] {
        var result: [Request: String] = [:]
        var taken: Set<String> = []
        for request in requests.sorted() {
            var attempt = 0
            while true {
                let name = name(request, storePath: storePath, attempt: attempt)
                if taken.insert(name).inserted {
                    result[request] = name
                    break
                }
                attempt += 1
            }
        }
        return result
    }

    /// The name of a request, after `attempt` names that others have.
    static func name(_ request: Request, storePath: StorePath, attempt: Int) -> String {
        let length = request.length - StoreLayout.aliasDirectory.utf8.count - 1
        precondition(length - request.ending.count >= fewestFreeCharacters)
        let free = length - request.ending.count
        var text: Bytes = free >= longEnoughForOwner ? Array(storePath.hash.utf8.prefix(8)) : []
        var block = 0
        while text.count < free {
            let seed = "sxs-alias 1\n\(storePath.baseName)\n\(length) \(attempt) \(block)\n"
            let digest = Digest(hashing: Array(seed.utf8) + request.target.bytes)
            // 8 bytes give 10 base62 digits with no bias worth naming.
            for start in stride(from: 0, to: Digest.byteCount, by: 8) {
                var value = digest.bytes[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                for _ in 0..<10 where text.count < free {
                    text.append(digits[Int(value % 62)])
                    value /= 62
                }
            }
            block += 1
        }
        return String(decoding: text + request.ending, as: UTF8.self)
    }
}
