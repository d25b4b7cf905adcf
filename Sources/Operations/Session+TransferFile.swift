internal import Files
internal import Remotes
internal import StoreLayout

extension Session {
    /// A transfer file by which systemd-sysupdate installs a package of a repository.
    ///
    /// - Parameter url: Where the repository is served.
    ///
    /// Source: sysupdate.d(5).
    public func transferFile(of name: String, in path: String, url: String) throws -> String {
        let (description, index) = try Repository.read(Session.absolutePath(path))
        let packages = index.packages.filter { $0.name == name }
        guard !packages.isEmpty else { throw RepositoryError.unknown(name, in: path) }
        let location = try RemoteLocation(url)
        guard case .url = location else { throw RemoteDescriptionError.location(url) }
        if description.openPGPKey == nil {
            note(
                """
                systemd-sysupdate knows signatures of OpenPGP only, and there is none: the file says Verify=no
                hint: 'sxs repo set \(path) --openpgp-key KEY' signs for it, too
                """)
        }
        if let package = packages.first(where: { $0.version.contains { "~^".contains($0) } }) {
            note(
                "systemd-sysupdate before 258 passes over versions with '~' or '^', such as \(name) \(package.version)"
            )
        }
        let patterns = try filePatterns(of: packages, in: path)
        let targets = Set(patterns.map { $0.pattern.dropLast($0.compression.count) }).sorted(by: >)
        return """
            [Transfer]
            Verify=\(description.openPGPKey == nil ? "no" : "yes")

            [Source]
            Type=url-file
            Path=\(location.text.replacing("%", with: "%%"))/
            MatchPattern=\(patterns.map(\.pattern).joined(separator: " "))

            [Target]
            Type=regular-file
            Path=\(AdoptionLayout.imageStore)
            MatchPattern=\(targets.joined(separator: " "))
            CurrentSymlink=\(Anchor.directory)/\(name)\(ExtensionLayout.imageSuffix)
            Mode=0644
            InstancesMax=2
            """
    }

    /// Patterns of the forms of file names that images of a package have.
    private func filePatterns(
        of packages: [RepositoryIndex.Package], in path: String
    ) throws -> [(pattern: String, compression: String)] {
        var found: [String: String] = [:]
        let isForArchitectures = packages.contains { $0.architecture != nil }
        for package in packages {
            let start = "\(package.name)-\(package.version)"
            let middle = package.architecture.map { ".\($0)" } ?? ""
            let suffix = RemoteLayout.imageSuffixes.first { package.file == start + middle + $0 }
            // `@v.raw` would find images of every architecture.
            guard let suffix, package.architecture != nil || !isForArchitectures else {
                note("systemd-sysupdate will not find \(package.file), which is named otherwise than most")
                continue
            }
            let pattern = "\(package.name)-@v" + (package.architecture == nil ? "" : ".%a") + suffix
            found[pattern] = String(suffix.dropFirst(ExtensionLayout.imageSuffix.count))
        }
        guard !found.isEmpty else { throw RepositoryError.unknown(packages.first?.name ?? "", in: path) }
        return found.sorted { $0.key > $1.key }.map { ($0.key, $0.value) }
    }
}
