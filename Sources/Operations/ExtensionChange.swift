internal import Store
internal import StoreLayout

/// What of a merged extension changes when extensions are merged next.
public struct ExtensionChange: Encodable, Sendable, Equatable {
    /// What happens.
    public enum Kind: String, Encodable, Sendable {
        case comes
        case goes
        case changes
    }

    /// The extension's name.
    public let name: String
    /// What happens to it.
    public let kind: Kind

    /// For people, to go after the name.
    public var words: String {
        switch kind {
        case .comes: "comes in"
        case .goes: "goes"
        case .changes: "changes"
        }
    }

    static func between(_ before: [GenerationExtension], _ after: [GenerationExtension]) -> [ExtensionChange]
    {
        let names = Set((before + after).map(\.name)).sorted()
        return names.compactMap { name in
            let (old, new) = (before.first { $0.name == name }, after.first { $0.name == name })
            guard old != new else { return nil }
            return ExtensionChange(name: name, kind: old == nil ? .comes : new == nil ? .goes : .changes)
        }
    }
}

extension GenerationExtension {
    /// The name that systemd gives it.
    var name: String {
        let suffix = ExtensionLayout.imageSuffix
        return fileName.hasSuffix(suffix) ? String(fileName.dropLast(suffix.count)) : fileName
    }
}
