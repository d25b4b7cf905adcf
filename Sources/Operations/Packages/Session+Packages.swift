internal import Files
internal import Images
internal import Relocation
internal import Store
internal import StoreLayout

/// Packages of distributions: one or many files that become one store path.
extension Session {
    /// Opens packages as one image, which ``importImage(_:from:options:into:lease:accept:)`` takes.
    func open(packages: [PackageReference], options: ImportOptions) throws -> Image {
        OpenFiles.allow(packages.count * 2)
        return try Image.open(packages: packages, limits: options.limits)
    }

    /// What messages and metadata call packages.
    static func source(of packages: [PackageReference]) -> String {
        guard let first = packages.first else { return "" }
        let others = packages.count - 1
        return first.image.description
            + (others == 0 ? "" : " and \(others) \(others == 1 ? "other" : "others")")
    }

    /// Opens several images, which have to be packages.
    func open(_ sources: [String], options: ImportOptions) throws -> Image {
        guard sources.count != 1 else { return try open(sources[0], options: options) }
        return try open(
            packages: sources.map { PackageReference(try ImageReference(parsing: $0)) }, options: options)
    }

    /// Imports an image, or several packages of a distribution as one store path; no profile changes.
    ///
    /// - Parameters:
    ///   - sources: An image, or packages in any order. Name and version are those of the first, unless the options say a
    ///     name; where that is the name of a package among them, the version is that one's, and its commands are shown.
    ///   - options: What is said about them.
    /// - Throws: An error before anything of it is in the store.
    public func importImages(_ sources: [String], options: ImportOptions) throws -> ImportResult {
        // Before the store, which is made where there is none.
        let image = try open(sources, options: options)
        let source =
            sources.count == 1
            ? sources[0]
            : Self.source(of: try sources.map { PackageReference(try ImageReference(parsing: $0)) })
        return try importImage(image, from: source, options: options, into: openStoreForWriting())
    }

    /// What the index calls the packages of an image, with all that the tree follows from besides.
    static func key(of packages: [PackageFile], options: ImportOptions) -> Digest {
        let main = mainPackage(of: packages, options: options)
        return key(ofDigests: packages.map(\.digest), main: main?.name, options: options)
    }

    /// What the index calls packages of which only the digests are known.
    ///
    /// - Parameter main: The package that name and version are taken from.
    static func key(ofDigests digests: [Digest], main: String?, options: ImportOptions) -> Digest {
        let lines =
            options.packages.key + digests.map { "package \($0.hex)" }.sorted()
            + ["main \(main ?? "")"]
        return Digest(hashing: (lines.joined(separator: "\n") + "\n").utf8)
    }

    /// The package that name and version are taken from.
    static func mainPackage(of packages: [PackageFile], options: ImportOptions) -> PackageFacts? {
        let wanted = options.name?.text ?? options.packages.wanted.first
        return packages.first { $0.facts.name == wanted }?.facts ?? packages.first?.facts
    }

    /// What the packages of an image say about it.
    static func facts(of image: Image, _ packages: [PackageFile], options: ImportOptions) -> ImageFacts {
        var facts = image.facts
        guard let main = mainPackage(of: packages, options: options) else { return facts }
        facts.name = ImageNaming.packageName(main.name)
        facts.version = ImageNaming.packageVersion(main.version)
        facts.summary = options.packages.summary ?? main.summary
        facts.digest = key(of: packages, options: options)
        return facts
    }

    /// Reads packages into a tree, and does what their scripts would.
    func unpack(
        _ image: Image, _ packages: [PackageFile], options: ImportOptions, into area: ImportArea
    ) throws -> UnpackedPackages {
        let ordered = try PackageMerge.order(packages)
        let scripts = ordered.map { MaintainerScripts($0.facts) }
        let merge = PackageMerge(area.builder, ordered, scripts)
        try image.read(ordered, into: merge, progress: progress) { merge.begin($0) }
        var finisher = PackageFinisher(
            ordered, scripts, options: options.packages, in: area, note: note)
        var finishing = try finisher.finish()
        if options.packages.runsScripts {
            try finisher.runScripts(of: packages)
            finishing = finisher.record
        }
        let records = ordered.map { package in
            let facts = package.facts
            return PackageRecord(
                format: facts.format.rawValue, name: facts.name, version: facts.version,
                architecture: facts.architecture, source: facts.source, summary: facts.summary,
                license: facts.license, digest: package.digest.hex)
        }
        let owned = zip(ordered, merge.files).map { package, files in
            ImagePackage(
                name: package.facts.name, source: package.facts.source, version: package.facts.version,
                summary: package.facts.summary, files: { files })
        }
        return UnpackedPackages(
            packages: owned, records: records, finishing: finishing, slimmed: finisher.slimmed)
    }

    /// Says in a line what nobody did of what the packages' scripts do.
    func noteScripts(_ finishing: FinishingRecord, of name: String) {
        guard !finishing.scripts.isEmpty else { return }
        let byPackage = Dictionary(grouping: finishing.scripts, by: \.package)
        let shown = byPackage.keys.sorted().prefix(Self.shownPackages).map { package in
            "\(package): \(Set(byPackage[package]?.flatMap(\.programs) ?? []).sorted().joined(separator: " "))"
        }
        let rest = byPackage.count - shown.count
        let what = shown.joined(separator: "; ") + (rest > 0 ? "; and of \(rest) more" : "")
        note(
            """
            \(name): scripts of \(byPackage.count) \(byPackage.count == 1 ? "package" : "packages") call more than is done \
            without running them (\(what)); 'sxs path-info \(name)' has all
            """)
    }

    /// Throws if a program needs what slimming took: what ``SlimmingPlan`` found is compared with what relocation did.
    static func checkSlimming(
        _ slimmed: [TreePath], _ report: RelocationReport, kinds: [String]
    ) throws(PackageError) {
        guard !slimmed.isEmpty else { return }
        for file in report.files {
            for needed in file.findings.values.joined() {
                // A library by its name, an interpreter by its path.
                let path = needed.drop { $0 == "/" }
                let isTaken = slimmed.contains {
                    $0.bytes.elementsEqual(path.utf8) || $0.name.elementsEqual(path.utf8)
                }
                if isTaken { throw .slimmed(needed, file: file.path, kinds: kinds) }
            }
        }
    }

    /// Packages that a note names.
    private static var shownPackages: Int { 3 }
}

/// What is known of packages after they were read.
struct UnpackedPackages {
    /// With the files of each.
    let packages: [ImagePackage]
    let records: [PackageRecord]
    let finishing: FinishingRecord
    /// Files and links that slimming took.
    let slimmed: [TreePath]
}
