import Foundation
import Testing

/// The house has floors; an import goes down or stays where the table says so.
@Suite struct ImportTests {
    /// What each target may import of ours.
    ///
    /// C targets and what each wraps alone are named, too.
    static let allowed: [String: Set<String>] = [
        "Files": ["CLinux", "CCrypto", "CDigest", "CISAL", "CZlib", "CZstd"],
        "ELF": ["CScan"],
        "YAML": ["CYAML"],
        "StoreLayout": ["Files"],
        "Images": ["Files", "StoreLayout", "CArchive", "CSquashFS"],
        "Relocation": ["Files", "ELF", "StoreLayout"],
        "Store": ["Files", "StoreLayout", "CSQLite"],
        "Activation": ["Files", "StoreLayout", "CLinux"],
        "Labels": ["Files", "StoreLayout", "CSELinux"],
        "Remotes": ["Files", "StoreLayout", "CSodium"],
        "Varlink": ["Files"],
        "Service": ["Files", "StoreLayout", "Operations", "Varlink"],
        "Distributions": ["Files", "StoreLayout", "CSolv"],
        "Operations": [
            "Files", "ELF", "StoreLayout", "Images", "Relocation", "Store", "Activation", "Labels",
            "Remotes", "Distributions", "YAML",
        ],
        "sxs": [
            "Files", "StoreLayout", "Operations", "Service", "Images", "Relocation", "Activation",
            "Remotes", "CLauncher",
            "ArgumentParser",
        ],
    ]

    /// What comes with the toolchain.
    static let system: Set<String> = ["Glibc", "FoundationEssentials", "Synchronization"]

    static let top = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func folder(of target: String) -> URL {
        target == "StoreLayout"
            ? top.appending(path: "store-layout") : top.appending(path: "Sources/\(target)")
    }

    static func sources(of target: String) throws -> [URL] {
        let files = FileManager.default.enumerator(at: folder(of: target), includingPropertiesForKeys: nil)
        return (files?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
    }

    static func imports(in source: URL) throws -> [String] {
        try String(contentsOf: source, encoding: .utf8).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let index = words.firstIndex(of: "import"), index <= 2, index + 1 < words.count,
                words[..<index].allSatisfy({
                    $0.first == "@"
                        || ["public", "internal", "private", "package", "fileprivate"].contains($0)
                })
            else { return nil }
            return String(words[index + 1])
        }
    }

    @Test(arguments: allowed.keys.sorted())
    func noImportPointsUp(target: String) throws {
        let sources = try Self.sources(of: target)
        #expect(!sources.isEmpty)
        let permitted = Self.allowed[target, default: []].union(Self.system)
        for source in sources {
            for name in try Self.imports(in: source) {
                #expect(permitted.contains(name), "\(source.lastPathComponent) of \(target) imports \(name)")
            }
        }
    }

    @Test func everyTargetIsInTheTable() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Self.top.appending(path: "Sources").path)
        let swift = folders.filter { name in ((try? Self.sources(of: name)) ?? []).isEmpty == false }
        #expect(Set(swift).union(["StoreLayout"]) == Set(Self.allowed.keys))
    }

    @Test func theTableHasNoCircle() {
        var seen: Set<String> = []
        func visit(_ target: String, path: [String]) {
            #expect(!path.contains(target), "\(path) comes back to \(target)")
            guard !path.contains(target), seen.insert(target).inserted else { return }
            for next in Self.allowed[target] ?? [] { visit(next, path: path + [target]) }
        }
        for target in Self.allowed.keys { visit(target, path: []) }
    }

    @Test func noPathNameOfTheContractStandsElsewhere() throws {
        let names = ["\"/usr/store", "\"/usr/_", "\"/var/lib/sxs", "\"index.sqlite\"", "\"generation-"]
        for target in Self.allowed.keys where target != "StoreLayout" {
            for source in try Self.sources(of: target) {
                let text = try String(contentsOf: source, encoding: .utf8)
                for name in names where text.contains(name) {
                    Issue.record("\(source.lastPathComponent) of \(target) holds \(name)")
                }
            }
        }
    }
}
