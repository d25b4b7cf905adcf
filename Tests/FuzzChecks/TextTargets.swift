import Files
import Foundation
import StoreLayout
import Varlink

@testable import Activation
@testable import Images
@testable import Operations
@testable import Store

extension FuzzTarget {
    /// Texts of images and hosts.
    ///
    /// What sxs writes itself is the same after it was read.
    static let texts: [FuzzTarget] = [
        FuzzTarget("release") { text in
            for version in [SystemdVersion.newest, SystemdVersion(252)] {
                guard let file = try? ReleaseFile(parsing: text, like: version) else { continue }
                _ = (file["ID"], file["VERSION_ID"], file["SYSEXT_LEVEL"])
            }
        },
        FuzzTarget("transfer") { text in
            let (first, rest) = halves(text)
            let transfer = SysupdateTransfer(
                file: "/etc/x.transfer", text: String(decoding: rest, as: UTF8.self))
            _ = transfer?.matches(String(decoding: first, as: UTF8.self))
        },
        FuzzTarget("hint") { text in
            guard let hint = try? Hint(parsing: text, name: HintName("x"), file: "x") else { return }
            _ = try Hint(parsing: text, name: HintName("x"), file: "y")
            _ = hint.digest
        },
        FuzzTarget("recipe") { text in
            guard let recipe = try? RecipeReader(file: "x").recipe(text) else { return }
            try expect(!recipe.packages.isEmpty, "a recipe without packages")
            _ = RecipeLock.question(of: recipe)
            for case .described(let text) in recipe.remotes {
                _ = try? RemoteDescription(parsing: Bytes(text.utf8), name: "x", file: "x")
            }
        },
        FuzzTarget("unit") { text in
            let unit = UnitText(text)
            for key in ["ExecStart", "User", "WantedBy", "Alias", "Type"] {
                for section in ["Service", "Unit", "Install"] {
                    _ = (
                        unit.values(key, in: section), unit.words(key, in: section),
                        unit.flag(key, in: section)
                    )
                }
            }
            let same = UnitText.rewritten(text) { _ in nil }
            try expect(same == text, "a unit changed though nothing was found")
            _ = UnitText.rewritten(text) { _ in "/usr/store/x/usr/bin/x" }
        },
        FuzzTarget("start") { text in
            for isService in [false, true] {
                let none = StartText(isService: isService, start: { _ in nil }).rewritten(text)
                try expect(none.count <= text.count, "a text grew though nothing was found")
                _ = StartText(isService: isService, start: { [$0, Array("a b\"\\".utf8)] }).rewritten(text)
            }
        },
        FuzzTarget("generation") { text in
            guard let found = GenerationListing.parse(text) else { return }
            let again = GenerationListing.text(found.packages, extensions: found.extensions)
            guard let twice = GenerationListing.parse(again) else {
                throw FuzzFault("its own text is refused")
            }
            try expect(
                GenerationListing.text(twice.packages, extensions: twice.extensions) == again,
                "it is another text the second time")
        },
        FuzzTarget("launch") { text in
            guard let launch = try? LaunchDescription(parsing: text, file: "x") else { return }
            let again = try LaunchDescription(parsing: launch.text, file: "y")
            try expect(again.text == launch.text, "it is another text the second time")
        },
        FuzzTarget("mounts") { text in
            let table = MountTable(parsing: text)
            _ = (
                table.hasMounts(below: Array("/usr".utf8)), MountStack(parsing: text).overlayDepth(at: "/usr")
            )
        },
        FuzzTarget("records") { text in
            if let record = SetupRecord(parsing: text) {
                try expect(SetupRecord(parsing: record.text)?.text == record.text, "another setup record")
            }
            if let record = AdoptionRecord(parsing: text) {
                try expect(
                    AdoptionRecord(parsing: record.text)?.text == record.text, "another adoption record")
            }
            if let record = ConfigurationRecord(parsing: text) {
                try expect(
                    ConfigurationRecord(parsing: record.text)?.text == record.text,
                    "another configuration record")
            }
        },
        FuzzTarget("names") { text in
            let name = String(decoding: text, as: UTF8.self)
            for naming in [ImageNaming(fileName: name), ImageNaming(reference: name)] {
                if let name = naming.name { _ = try PackageName(name) }
                if let version = naming.version { _ = try PackageVersion(version) }
            }
            if let path = try? TreePath(parsing: text) {
                try expect(try TreePath(parsing: path.bytes) == path, "another path the second time")
            }
            _ = try? ImageReference(parsing: name)
            _ = text.displayed
        },
        FuzzTarget("varlink") { text in
            guard let call = VarlinkCall(parsing: text) else { return }
            try expect(!call.interface.isEmpty && !call.method.contains("."), "a name in the wrong parts")
            struct Parameters: Decodable {
                let packages: [String]?
                let profile: String?
                let generation: Int?
                let refresh: Bool?
            }
            guard let parameters = try? call.parameters(Parameters.self) else { return }
            for text in parameters.packages ?? [] {
                guard let package = NamedPackage(parsing: text) else { continue }
                try expect(
                    !package.name.contains("/") && package.name != "..",
                    "a path was taken for a package's name")
            }
        },
        FuzzTarget("settings") { text in
            var settings = Settings()
            guard (try? settings.read(text, file: "/x")) != nil else { return }
            for setting in Setting.all {
                let value = settings.value(of: setting)
                guard let text = try? settings.text(setting) else { continue }
                try expect(text == value.text, "another value")
                if setting.kind == .size {
                    try expect(try settings.number(setting) ?? 0 >= 0, "a size below zero")
                }
            }
        },
        FuzzTarget("packages", check: checkPackages),
        FuzzTarget("metadata") { text in
            let decoded = try? JSONDecoder().decode(Metadata.self, from: Data(text))
            guard let read = Metadata(written: text) else { return }
            try expect(read == decoded, "other metadata than the decoder's")
        },
    ]
}

/// What is in front of the first NUL, and what is behind it.
private func halves(_ bytes: Bytes) -> (Bytes, Bytes) {
    guard let middle = bytes.firstIndex(of: 0) else { return (bytes, bytes) }
    return (Bytes(bytes[..<middle]), Bytes(bytes[(middle + 1)...]))
}

/// The database of dpkg and of apk, and what is shown of an image that has it; behind a NUL, a package's files.
@Sendable private func checkPackages(_ text: Bytes) throws {
    let (database, list) = halves(text)
    var tree = Tree()
    for path in ["usr/bin/hello", "usr/share/man/man1/hello.1", "usr/bin/a"] as [TreePath] {
        tree.insert(Tree.Node(kind: .file(ContentID(0)), mode: 0o755), at: path)
    }
    for path: TreePath in ["var/lib/dpkg/status", "lib/apk/db/installed"] {
        let packages = try PackageDatabase.packages(in: tree) { asked in
            if asked == path { return database }
            return asked.isWithin("var/lib/dpkg/info") ? list : nil
        }
        let finder = ExposureFinder(
            tree: tree, packages: packages, isWholeSystem: true, needsSetup: false, entrypoint: ["hello"])
        for name in ["hello", packages?.first?.name ?? "a"] {
            let exposure = try finder.exposure(for: name, wanted: [])
            for command in exposure.commands {
                try expect(
                    tree.resolve(command.path.utf8) != nil, "the command \(command.name) leads nowhere")
            }
        }
    }
}
