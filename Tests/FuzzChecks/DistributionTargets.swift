import Distributions
import Files
import StoreLayout

extension FuzzTarget {
    /// What repositories of distributions say, and what the host's package manager is told.
    static let distributions: [FuzzTarget] = [
        FuzzTarget("archive-release") { text in
            guard let release = try? ArchiveRelease(parsing: text, file: "Release") else { return }
            for component in release.components {
                guard let (file, _) = release.entry(component + "/binary-amd64/Packages") else { continue }
                try expect(!file.path.split(separator: "/").contains(".."), "\(file.path) leads out")
            }
        },
        FuzzTarget("apt-sources") { try checkApt($0, file: "x.sources") },
        FuzzTarget("apt-lines") { try checkApt($0, file: "x.list") },
        FuzzTarget("yum-repositories") { text in
            let found = try? YumConfiguration(
                parsing: text, file: "x.repo", variables: ["basearch": "x86_64", "releasever": "1"])
            for repository in found?.repositories ?? [] { _ = repository.title }
        },
        FuzzTarget("apt-packages") { text in
            let pool = PackagePool(kind: .debian, architecture: .x86_64)
            guard (try? pool.add([text], title: "x")) != nil else { return }
            for package in pool.search("").prefix(3) {
                let wish = PackageWish(name: package.name)
                guard let found = try? pool.resolve([wish], hasRecommended: true, leavingOut: ["more"]) else {
                    continue
                }
                for package in found.packages {
                    try expect(
                        !package.path.hasPrefix("/") && !package.path.split(separator: "/").contains(".."),
                        "\(package.path) leads out")
                }
            }
            // What is kept is read again.
            let cache = try pool.cache(of: 0)
            let other = PackagePool(kind: .debian, architecture: .x86_64)
            try expect(other.add(cache: cache, title: "x") == 0, "what was kept cannot be read")
            try expect(other.search("").count == pool.search("").count, "what was kept has other packages")
        },
    ]
}

private func checkApt(_ text: Bytes, file: String) throws {
    guard let found = try? AptConfiguration(parsing: text, file: file, architecture: "amd64") else { return }
    for repository in found.repositories {
        try expect(!repository.places.isEmpty, "a repository is nowhere")
        _ = (repository.title, repository.indexDirectory)
    }
}
