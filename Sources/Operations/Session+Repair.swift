internal import Activation
internal import Files
private import FoundationEssentials
private import Glibc
internal import Images
internal import Store
internal import StoreLayout

/// What is wanted of a repair.
public struct RepairOptions: Sendable {
    /// Images to take contents from, besides those that packages were imported from.
    public var images: [String] = []
    /// Roots of other stores on this machine.
    public var stores: [String] = []
    /// Whether it is only found out what would be done.
    public var isDryRun = false

    /// Takes what is there.
    public init() {}
}

/// What a repair came to.
public struct RepairReport: Encodable, Sendable {
    /// Something at a path.
    public struct Item: Encodable, Sendable, Equatable {
        /// The path, in the state directory; of a source that was of no use, its name.
        public let path: String
        /// What was done, or why it is lost.
        public let what: String
    }

    /// Whether nothing was changed.
    public let isDryRun: Bool
    /// What was put right, or would be.
    public let repaired: [Item]
    /// What is lost.
    public let lost: [Item]
}

extension Session {
    /// Compares packages with what was recorded at import, and puts right what can be; without names also generations,
    /// launchers and what belongs to nobody.
    ///
    /// - Parameters:
    ///   - names: Packages or store paths; all of the store where there are none.
    ///   - options: Where to take contents from.
    /// - Throws: ``OperationError/unknownPackage(_:remotes:)``, or where a source cannot be opened, before anything is
    ///   changed.
    public func repair(_ names: [String], options: RepairOptions) throws -> RepairReport {
        // Not made where there is none.
        do {
            _ = try openStore()
        } catch StoreError.noIndex {
            // Made again from the files by whoever writes.
        }
        let store = try openStoreForWriting()
        let packages =
            names.isEmpty ? try store.packages() : try names.flatMap { try self.packages($0, in: store) }
        var sources: [any RepairSource] = try options.stores.map { try OtherStore(root: $0) }
        // A user's store may have what the system's has.
        if root != StoreLayout.systemRoot, !options.stores.contains(StoreLayout.systemRoot),
            let system = try? OtherStore(root: StoreLayout.systemRoot)
        {
            sources.append(system)
        }
        var named: [ImageRepairSource] = []
        for image in options.images {
            // One that is no image is said to be none before anything is done.
            _ = try open(image, options: ImportOptions())
            named.append(ImageRepairSource(image, isNamed: true, session: self, store: store))
        }
        sources += named as [any RepairSource]
        sources.append(OriginalImages(.recorded, session: self, store: store))
        do {
            let finder = try OfferFinder(self, architecture: nil)
            if !finder.names.isEmpty {
                sources.append(OriginalImages(.remotes(finder), session: self, store: store))
            }
        } catch {
            // A remote's file that says nothing of use is no reason not to repair from what is here.
            note("no remote is asked: \("\(error)".firstLine)")
        }
        var isTold = false
        var result = try store.repair(
            packages, from: sources, isDryRun: options.isDryRun, command: command,
            onWait: { holder in
                if !isTold { note("waiting for \(holder) to finish with the store") }
                isTold = true
            }, progress: progress)
        var items: [RepairReport.Item] = []
        if names.isEmpty {
            result.merge(try repairProfiles(options, in: store))
            items = try repairProgram(options, in: store)
        }
        return RepairReport(
            isDryRun: options.isDryRun,
            repaired: result.repaired.map { RepairReport.Item(path: $0.path, what: $0.what) } + items,
            lost: result.lost.map { RepairReport.Item(path: $0.path, what: $0.what) }
                + (result.lost.isEmpty ? [] : named).compactMap { image in
                    image.mismatch.map { RepairReport.Item(path: image.name, what: "\($0)".firstLine) }
                })
    }

    private func repairProfiles(_ options: RepairOptions, in store: Store) throws -> RepairResult {
        try store.repairProfiles(
            isDryRun: options.isDryRun, command: command,
            launchDescription: { base, exposure in
                try launchDescription(of: store.metadata(of: base), exposure: exposure).text
            },
            isReadable: { text, base in
                (try? LaunchDescription(parsing: text, file: base))?.baseName == base
            })
    }

    /// Puts the program back that launchers lead to.
    private func repairProgram(_ options: RepairOptions, in store: Store) throws -> [RepairReport.Item] {
        let path = StoreLayout.Name.programs + "/" + StoreLayout.Name.program
        guard try !isProgramWhole(in: store),
            try !store.root.directory(beneath: StoreLayout.Name.shims).list().isEmpty
        else { return [] }
        if !options.isDryRun {
            try asWriter(of: store) {
                try store.root.unlink(path)
                try installProgram(in: store)
            }
        }
        return [RepairReport.Item(path: path, what: "this program")]
    }

    /// Metadata as JSON, for who checks it.
    func encode(_ metadata: Metadata) throws -> Bytes { Array(try JSONEncoder().encode(metadata)) }
}
