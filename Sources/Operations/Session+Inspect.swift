internal import Files
private import FoundationEssentials
internal import Relocation
internal import Store
public import StoreLayout

/// What `verify` found in one package.
public struct Verification: Encodable, Sendable {
    /// The package's name.
    public let name: String
    /// Its version.
    public let version: String
    /// Its absolute store path.
    public let storePath: String
    /// What is wrong, a sentence each; empty where nothing is.
    public let problems: [String]
}

extension Session {
    /// What the store knows of packages: of one name, or of all.
    public func pathInfo(_ names: [String]) throws -> [Metadata] {
        let store = try openStore()
        let found = names.isEmpty ? try store.packages() : try names.flatMap { try packages($0, in: store) }
        return try found.compactMap { package in
            try unlessCollected(package, in: store) { try store.metadata(of: package.baseName) }
        }
    }

    /// Reads all files of packages and compares them with what was recorded at import.
    ///
    /// - Parameter names: Packages; all of the store where there are none.
    public func verify(_ names: [String]) throws -> [Verification] {
        let store = try openStore()
        let packages =
            names.isEmpty ? try store.packages() : try names.flatMap { try self.packages($0, in: store) }
        let results = try store.verify(packages, progress: progress)
        return try zip(packages, results).compactMap { package, result in
            let problems = try unlessCollected(package, in: store) {
                let found = try result.get()
                for (kind, word) in [
                    (Problem.Kind.shut, "not compared"), (.bytecode, "not part of the package"),
                ] {
                    let harmless = found.filter { $0.kind == kind }
                    guard let first = harmless.first else { continue }
                    let others = harmless.count == 1 ? "" : ", and \(harmless.count - 1) more"
                    note("\(package.name): \(word): \(first)\(others)")
                }
                return found.filter(\.kind.isDamage).map { "\($0)" }
            }
            // What is missing of it is missing because it goes.
            guard let problems else { return nil }
            let isThere = try problems.isEmpty || store.package(baseName: package.baseName) != nil
            guard isThere else { return nil }
            return Verification(
                name: package.name, version: package.version,
                storePath: StoreLayout.storeDirectory + "/" + package.baseName, problems: problems)
        }
    }

    /// What `body` finds out of a package; `nil` if garbage collection took the package away meanwhile.
    private func unlessCollected<Result>(
        _ package: Package, in store: Store, _ body: () throws -> Result
    ) throws -> Result? {
        do {
            return try body()
        } catch {
            // It is out of the index before anything of it is touched.
            guard try store.package(baseName: package.baseName) == nil else { throw error }
            return nil
        }
    }

    /// What relocation did to a package.
    public func report(_ name: String) throws -> PackageReport {
        let store = try openStore()
        let package = try store.metadata(of: installedOrNewest(name, in: store).baseName)
        return PackageReport(package, try relocationReport(of: package, in: store))
    }

    /// What relocation did to one file of a package.
    ///
    /// - Parameter file: The file, as a path in the image, with or without a `/` before it.
    public func report(_ name: String, file: String) throws -> PackageReport.File {
        let report = try report(name)
        let path = String(file.drop { $0 == "/" })
        guard let found = report.files.first(where: { $0.path == path }) else {
            throw OperationError.notReported(path, package: report.name)
        }
        return found
    }

    /// What relocation noted when a package was imported.
    func relocationReport(of package: Metadata, in store: Store) throws -> RelocationReport {
        let file = try store.manifest(of: package.storePath).open(beneath: StoreLayout.Name.report)
        let bytes = try file.readAll(limit: .max)
        do {
            return try JSONDecoder().decode(RelocationReport.self, from: Data(bytes))
        } catch is DecodingError {
            throw OperationError.badReport(file.path, package: package.name)
        }
    }

    /// The package of a name in the active generation, else the newest in the store.
    func installedOrNewest(_ text: String, in store: Store) throws -> Package {
        guard case .package(let name, let version) = PackageRequest(parsing: text) else {
            // A store path.
            let base = text.split(separator: "/").last.map(String.init) ?? text
            if let package = try store.package(baseName: base) { return package }
            throw OperationError.unknownPackage(text, remotes: [])
        }
        if version == nil, let generation = try store.currentGeneration(of: profile) {
            let installed = try store.packageNames(of: generation).compactMap {
                try store.package(baseName: $0)
            }
            if let package = installed.first(where: { $0.name == name }) { return package }
        }
        if let package = try newest(name, version: version, in: store) ?? store.package(baseName: name) {
            return package
        }
        throw OperationError.unknownPackage(text, remotes: [])
    }

    func packages(_ text: String, in store: Store) throws -> [Package] {
        if case .package(let name, nil) = PackageRequest(parsing: text) {
            let found = try store.packages(named: name)
            if !found.isEmpty { return found }
        }
        return [try installedOrNewest(text, in: store)]
    }
}
