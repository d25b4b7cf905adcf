private import CZstd

/// What a text has that another one, its base, does not: as small as a few lines are where only these differ.
///
/// It is one frame of Zstandard that refers to the base as to what came before it. `zstd -d --patch-from=BASE` reads it.
///
/// Source: RFC 8878; zstd.h, `ZSTD_CCtx_refPrefix`; zstd(1), `--patch-from`.
public enum Difference {
    /// Why a difference cannot be applied.
    public enum Failure: Error, Equatable, CustomStringConvertible {
        /// It is no frame of Zstandard, or one that was cut.
        case noFrame
        /// It says that so many bytes come of it, which no difference from this base would.
        case tooLong(UInt64)
        /// It is damaged, or of another base.
        case damaged(String)

        /// What is wrong, without a full stop.
        public var description: String {
            switch self {
            case .noFrame: "it is no difference"
            case .tooLong(let count): "it says that \(count) bytes come of it"
            case .damaged(let reason): "it is damaged, or of another base: \(reason)"
            }
        }
    }

    /// The most bytes that may come of a difference from a base of so many: what is longer is kept as it is.
    static func limit(base count: Int) -> Int { count * 4 + 65536 }

    /// Level 1: others take longer, and make no less of listings.
    private static let level: Int32 = 1

    /// The difference of a text from a base, the same for equal bytes.
    ///
    /// - Returns: The difference; `nil` where the text is too long for the base, or without memory.
    /// - Complexity: Linear in both; it takes about as much memory as both.
    public static func made(of text: UnsafeRawBufferPointer, from base: UnsafeRawBufferPointer) -> Bytes? {
        guard text.count <= limit(base: base.count), let context = ZSTD_createCCtx() else { return nil }
        defer { ZSTD_freeCCtx(context) }
        // All of the base has to be in reach, also from the text's end.
        let window = max(17, Int.bitWidth - (text.count + base.count).leadingZeroBitCount)
        for (parameter, value) in [
            (ZSTD_c_compressionLevel, level), (ZSTD_c_windowLog, Int32(window)),
            (ZSTD_c_enableLongDistanceMatching, 1), (ZSTD_c_checksumFlag, 1),
        ] where ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)) != 0 { return nil }
        guard ZSTD_isError(ZSTD_CCtx_refPrefix(context, base.baseAddress, base.count)) == 0 else {
            return nil
        }
        var isMade = false
        // Not filled before: most of the room is never touched.
        let result = Bytes(unsafeUninitializedCapacity: ZSTD_compressBound(text.count)) { output, count in
            let size = ZSTD_compress2(
                context, output.baseAddress, output.count, text.baseAddress, text.count)
            isMade = ZSTD_isError(size) == 0
            count = isMade ? size : 0
        }
        return isMade ? result : nil
    }

    /// The difference of a text from a base in memory.
    public static func made(of text: Bytes, from base: Bytes) -> Bytes? {
        text.withUnsafeBytes { text in base.withUnsafeBytes { made(of: text, from: $0) } }
    }

    /// The text that a difference was made of.
    ///
    /// - Throws: ``Failure`` for what ``made(of:from:)`` did not make from this base. What takes more memory than such a
    ///   text is refused before.
    public static func applied(_ difference: Bytes, to base: Bytes) throws(Failure) -> Bytes {
        let size = ZSTD_getFrameContentSize(difference, difference.count)
        // The two highest numbers stand for an unknown size and for no frame: neither is made here.
        guard size < UInt64.max - 1 else { throw .noFrame }
        guard let count = Int(exactly: size), count <= limit(base: base.count) else { throw .tooLong(size) }
        guard let context = ZSTD_createDCtx() else { throw .damaged("no memory") }
        defer { ZSTD_freeDCtx(context) }
        var outcome = 0
        let result = base.withUnsafeBytes { base in
            Bytes(unsafeUninitializedCapacity: count) { output, filled in
                outcome = ZSTD_DCtx_refPrefix(context, base.baseAddress, base.count)
                guard ZSTD_isError(outcome) == 0 else { return }
                outcome = difference.withUnsafeBytes { input in
                    ZSTD_decompressDCtx(
                        context, output.baseAddress, output.count, input.baseAddress, input.count)
                }
                filled = ZSTD_isError(outcome) == 0 ? outcome : 0
            }
        }
        guard ZSTD_isError(outcome) == 0 else {
            throw .damaged(String(cString: ZSTD_getErrorName(outcome)))
        }
        guard result.count == count else { throw .damaged("\(result.count) of \(count) bytes") }
        return result
    }
}
