internal import Activation
internal import Files
internal import Images
internal import Store
internal import StoreLayout

/// Packages that were made of extensions.
struct AdoptedPackages {
    /// By the extension's path.
    var packages: [String: Metadata] = [:]
    /// What is shown of them, those stacked last at the end.
    var choices: [Member] = []
    /// Names of packages that win over others of the extensions, as they did by lying on top.
    var preferred: [String] = []
}

/// Programs of extensions as packages.
extension Session {
    /// Imports what is to be taken; what cannot be, though it could be read, stays merged.
    ///
    /// No profile changes.
    func take(_ found: inout [SurveyedExtension], of host: Host, into store: Store) throws -> AdoptedPackages
    {
        var taken = AdoptedPackages()
        let current = try store.currentGeneration(of: profile).map { try members(of: $0, in: store) } ?? []
        let order = found.indices.filter { found[$0].fate == .taken }.sorted {
            ExtensionName(found[$0].name) < ExtensionName(found[$1].name)
        }
        for index in order {
            // Two extensions may hold one package; both have to be there, as they were.
            if taken.choices.contains(where: { $0.name == found[index].packageName }) {
                found[index].packageName =
                    ImageNaming.packageName(found[index].name) ?? found[index].packageName
            }
            do {
                try take(found[index], of: host, into: store, beside: current, &taken)
                if let choice = taken.choices.last,
                    let old = current.first(where: { $0.name == choice.name }),
                    old.version != choice.version
                {
                    found[index].reasons = ["it takes the place of \(old.name) \(old.version) in the profile"]
                }
            } catch let error as SystemError {
                throw error
            } catch {
                guard found[index].entry != nil else { throw error }
                found[index].fate = .kept
                found[index].reasons = ["it cannot become a package: \("\(error)".firstLine)"]
            }
        }
        // What one of these hid goes with it, or is still hidden.
        let gone = Set(found.filter { [.taken, .quarantined].contains($0.fate) }.map(\.name))
        for index in found.indices where found[index].fate == .covered && !gone.contains(found[index].name) {
            found[index].fate = .left
            found[index].reasons = ["another of its name hides it"]
        }
        return taken
    }

    private func take(
        _ found: SurveyedExtension, of host: Host, into store: Store, beside current: [Member],
        _ taken: inout AdoptedPackages
    ) throws {
        guard let inside = found.image else { return }
        let path = host.outside(inside)
        let isDirectory = try host.directory(inside) != nil
        let image = try Image.open(ImageReference(path: path, format: isDirectory ? .directory : .squashFS))
        var options = ImportOptions()
        if !found.isExported {
            options.name = try PackageName(found.packageName)
            options.version = try PackageVersion(found.version ?? "0")
        }
        var accepted: (choice: Member, preferred: [String])?
        let others = taken
        let accept = { (package: Metadata) throws -> Void in
            let choice = try self.choice(package, exposure: package.exposure)
            let preferred = try self.preference(for: choice, beside: current, others, in: store)
            accepted = (choice, preferred)
        }
        let result = try importImage(image, from: path, options: options, into: store, accept: accept)
        // What the store had before was not asked about.
        if accepted == nil { try accept(result.metadata) }
        guard let accepted else { return }
        taken.packages[found.path] = result.metadata
        taken.choices.append(accepted.choice)
        taken.preferred = accepted.preferred
    }

    /// Which packages have to be preferred, so that one can be shown beside the others.
    ///
    /// - Throws: `StoreError.collision` where it shows what a package of the profile shows.
    private func preference(
        for choice: Member, beside current: [Member], _ taken: AdoptedPackages, in store: Store
    ) throws -> [String] {
        let choices = taken.choices + [choice]
        let check = { (preferred: [String]) throws -> Void in
            let members = Self.adding(choices, to: current, preferring: preferred)
            try store.checkGeneration(of: members.map(\.shown))
        }
        do {
            try check(taken.preferred)
            return taken.preferred
        } catch StoreError.collision(let path, let owners) {
            let ours = Set(choices.map(\.shown.baseName))
            guard owners.allSatisfy(ours.contains) else {
                throw StoreError.collision(path: path, owners: owners)
            }
            try check(taken.preferred + [choice.name])
            return taken.preferred + [choice.name]
        }
    }

    /// The members of a generation with others, and packages that win one after the other.
    static func adding(_ choices: [Member], to current: [Member], preferring names: [String])
        -> [Member]
    {
        names.reduce(adding(choices, to: current)) { preferring([$1], in: $0) }
    }
}
