internal import Files
internal import StoreLayout

/// An earlier generation, as far as one that is being made can use its links.
struct EarlierGeneration {
    /// Its number.
    let number: Int
    /// Its directory.
    let directory: Descriptor
    /// Its packages that the one being made lacks, or of which that shows something else.
    let gone: [GenerationPackage]
    /// Base names of packages of the one being made that it lacks, or of which it shows something else.
    private let new: Set<String>

    /// Compares a generation with one that is being made.
    ///
    /// - Throws: ``StoreError/damagedDescription(path:reason:)``.
    init(
        _ number: Int, in directory: Descriptor, showing contents: GenerationContents,
        comparedWith made: GenerationContents
    ) throws {
        self.number = number
        self.directory = directory
        let changes = try made.changes(from: contents)
        gone = changes.gone
        new = Set(changes.new.map(\.baseName))
    }

    /// Whether it has a package of the one being made, and shows the same of it.
    func has(_ package: GenerationPackage) -> Bool { !new.contains(package.baseName) }
}
