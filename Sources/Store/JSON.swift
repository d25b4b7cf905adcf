internal import Files
internal import FoundationEssentials
internal import StoreLayout

/// The JSON of files in a store: sorted keys, so that equal values are equal bytes.
enum JSON {
    static func encode(_ value: some Encodable) throws -> Bytes {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return try Bytes(encoder.encode(value)) + [UInt8(ascii: "\n")]
    }

    /// Reads a file of `directory`.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)``, `SystemError`.
    static func decode<Value: Decodable>(
        _ type: Value.Type, from name: String, in directory: Descriptor
    ) throws -> Value {
        try read(name, in: directory) { try decode(type, $0) }
    }

    /// Reads the metadata of a manifest.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)``, `SystemError`.
    static func metadata(in manifest: Descriptor) throws -> Metadata {
        try read(StoreLayout.Name.metadata, in: manifest, metadata)
    }

    /// Reads metadata.
    ///
    /// - Throws: `DecodingError`.
    static func metadata(_ text: Bytes) throws -> Metadata {
        try Metadata(written: text) ?? decode(Metadata.self, text)
    }

    private static func read<Value>(
        _ name: String, in directory: Descriptor, _ parse: (Bytes) throws -> Value
    ) throws -> Value {
        let bytes = try directory.open(beneath: name).readAll()
        do {
            return try parse(bytes)
        } catch let error as DecodingError {
            throw StoreError.damagedDescription(path: directory.path(of: name), reason: reason(error))
        }
    }

    /// Reads a value.
    ///
    /// - Throws: `DecodingError`.
    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: Bytes) throws -> Value {
        try JSONDecoder().decode(type, from: Data(bytes))
    }

    private static func reason(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "there is no '\(key.stringValue)'"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "it is no JSON of this kind"
                : "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' is not what it should be"
        @unknown default: "it is no JSON of this kind"
        }
    }
}
