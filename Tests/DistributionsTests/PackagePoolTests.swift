import Distributions
import Files
import StoreLayout
import Testing

@Suite struct PackagePoolTests {
    /// A paragraph of a `Packages` file.
    static func paragraph(_ name: String, _ version: String = "1", _ fields: String...) -> String {
        let digest = Digest(hashing: (name + version).utf8).hex
        return """
            Package: \(name)
            Version: \(version)
            Architecture: amd64
            Filename: pool/\(name)_\(version).deb
            Size: \(name.utf8.count * 100)
            SHA256: \(digest)
            Description: \(name) of tests
            \(fields.joined(separator: "\n"))

            """.replacing("\n\n\n", with: "\n\n")
    }

    static func pool(_ paragraphs: String...) throws -> PackagePool {
        let pool = PackagePool(kind: .debian, architecture: .x86_64)
        try pool.add([Bytes(paragraphs.joined(separator: "\n").utf8)], title: "tests")
        return pool
    }

    private func names(_ resolution: Resolution) -> [String] { resolution.packages.map(\.name).sorted() }

    @Test func whatIsNeededComesAlongInOrder() throws {
        let pool = try Self.pool(
            Self.paragraph("app", "2", "Depends: lib (>= 1)", "Recommends: nice"), Self.paragraph("lib"),
            Self.paragraph("nice"), Self.paragraph("other"))
        let plain = try pool.resolve([PackageWish(name: "app")], hasRecommended: false)
        #expect(plain.packages.map(\.name) == ["lib", "app"])
        #expect(plain.packages.map(\.size) == [300, 300])
        #expect(plain.packages[0].path == "pool/lib_1.deb")
        #expect(plain.packages[0].reason == .requirement(of: "app", dependency: "lib >= 1"))
        #expect(plain.packages[1].reason == .wanted)
        let more = try pool.resolve([PackageWish(name: "app")], hasRecommended: true)
        #expect(names(more) == ["app", "lib", "nice"])
        // What was asked before leaves nothing.
        #expect(try pool.resolve([PackageWish(name: "app")], hasRecommended: false) == plain)
    }

    /// An index may say any number, and those of all packages are added.
    @Test func sizesCanBeAdded() throws {
        let huge = "18446744073709551615"
        let text = [
            Self.paragraph("app", "1", "Depends: lib", "Installed-Size: \(huge)"),
            Self.paragraph("lib", "1", "Installed-Size: \(huge)"),
        ].joined(separator: "\n").replacing("Size: 300\n", with: "Size: \(huge)\n")
        let packages = try Self.pool(text).resolve([PackageWish(name: "app")], hasRecommended: false).packages
        #expect(packages.count == 2 && packages.allSatisfy { $0.size > 1 << 40 })
        #expect(packages.reduce(0) { $0 + $1.size } > 0)
        #expect(packages.reduce(0) { $0 + $1.installedSize } >= 0)
    }

    @Test func theFirstAlternativeThatCanBeIsTaken() throws {
        let pool = try Self.pool(
            Self.paragraph("app", "1", "Depends: big | middle | small"), Self.paragraph("small"),
            Self.paragraph("big", "1", "Depends: much | more, lib"), Self.paragraph("much"),
            Self.paragraph("more"),
            Self.paragraph("lib"), Self.paragraph("middle"),
            Self.paragraph("other", "1", "Depends: never | middle | small, absent | small"),
            Self.paragraph("never", "1", "Conflicts: small"))
        #expect(
            names(try pool.resolve([PackageWish(name: "app")], hasRecommended: false))
                == ["app", "big", "lib", "much"])
        let other = names(try pool.resolve([PackageWish(name: "other")], hasRecommended: false))
        #expect(other.contains("small") && !other.contains("never"), "\(other)")
    }

    @Test func whatIsLeftOutCountsAsThere() throws {
        let pool = try Self.pool(
            Self.paragraph("app", "1", "Depends: tool (>= 2), absent (>= 3), virtual"),
            Self.paragraph("tool", "2.5", "Provides: virtual", "Depends: much"), Self.paragraph("much"))
        let found = try pool.resolve(
            [PackageWish(name: "app")], hasRecommended: false, leavingOut: ["tool", "absent", "unused"])
        #expect(names(found) == ["app"])
        #expect(found.leftOut == ["absent", "tool"])
        let both = try pool.resolve(
            [PackageWish(name: "tool")], hasRecommended: false, leavingOut: ["tool", "absent"])
        #expect(names(both) == ["much", "tool"])
    }

    @Test func companionsGoWithAllWhereTheyAre() throws {
        let pool = try Self.pool(Self.paragraph("app"), Self.paragraph("shell"))
        let found = try pool.resolve(
            [PackageWish(name: "app")], hasRecommended: false, companions: ["shell", "absent"])
        #expect(names(found) == ["app", "shell"])
        #expect(found.packages.first { $0.name == "shell" }?.reason == .essential)
    }

    @Test func noSolutionIsExplained() throws {
        let pool = try Self.pool(
            Self.paragraph("app", "1", "Depends: fire, water"),
            Self.paragraph("fire", "1", "Conflicts: water"),
            Self.paragraph("water"), Self.paragraph("poor", "1", "Depends: absent (>= 2)"))
        let error = #expect(throws: DistributionError.self) {
            try pool.resolve([PackageWish(name: "app")], hasRecommended: false)
        }
        #expect(error?.description.contains("fire-1.amd64 excludes water, which water-1.amd64 is") == true)
        let other = #expect(throws: DistributionError.self) {
            try pool.resolve([PackageWish(name: "poor")], hasRecommended: false)
        }
        #expect(
            other?.description.contains("poor-1.amd64 needs absent >= 2, which no repository has") == true)
        #expect(throws: DistributionError.noPackage("wate", similar: ["water"])) {
            try pool.resolve([PackageWish(name: "wate")], hasRecommended: false)
        }
    }

    @Test func aCycleIsNoProblem() throws {
        let pool = try Self.pool(
            Self.paragraph("a", "1", "Depends: b"), Self.paragraph("b", "1", "Depends: c"),
            Self.paragraph("c", "1", "Pre-Depends: a"))
        #expect(names(try pool.resolve([PackageWish(name: "a")], hasRecommended: false)) == ["a", "b", "c"])
    }

    @Test func versionsAreThoseOfDebian() throws {
        let pool = try Self.pool(
            Self.paragraph("app", "1:1.0"), Self.paragraph("app", "9.0"), Self.paragraph("app", "1:1.0~rc1"))
        #expect(pool.packages(named: "app").map(\.version) == ["1:1.0", "1:1.0~rc1", "9.0"])
        let version = { (wanted: String?) in
            try pool.resolve([PackageWish(name: "app", version: wanted)], hasRecommended: false).packages[0]
                .version
        }
        #expect(try version(nil) == "1:1.0")
        #expect(try version("1.0~rc1") == "1:1.0~rc1")
        #expect(try version("9*") == "9.0")
        #expect(throws: DistributionError.self) { try version("2") }
        #expect(pool.order("1:1", "2") > 0)
        #expect(pool.order("1.0~rc1", "1.0") < 0)
    }

    @Test func theCacheHasAllThatIsAsked() throws {
        let pool = try Self.pool(
            Self.paragraph("app", "1", "Depends: lib"), Self.paragraph("lib"), Self.paragraph("apple"))
        let other = PackagePool(kind: .debian, architecture: .x86_64)
        let cache = try pool.cache(of: 0)
        #expect(other.add(cache: cache, title: "tests") == 0)
        #expect(other.search("app").map(\.name) == ["app", "apple"])
        #expect(other.search("app")[0].summary == "app of tests")
        #expect(
            try other.resolve([PackageWish(name: "app")], hasRecommended: false)
                == pool.resolve([PackageWish(name: "app")], hasRecommended: false))
        let damaged = PackagePool(kind: .debian, architecture: .x86_64)
        #expect(damaged.add(cache: Array(cache.prefix(cache.count / 2)), title: "tests") == nil)
        #expect(damaged.count == 0)
    }

    @Test func whatCannotBeVerifiedOrIsElsewhereIsRefused() throws {
        let plain = Self.paragraph("app")
        let withoutDigest = plain.split(separator: "\n").filter { !$0.hasPrefix("SHA256") }.joined(
            separator: "\n")
        for text in [withoutDigest, plain.replacing("pool/", with: "../../")] {
            let pool = try Self.pool(text + "\n")
            #expect(throws: DistributionError.self) {
                try pool.resolve([PackageWish(name: "app")], hasRecommended: false)
            }
        }
    }

    @Test func anXMLBombIsRefused() {
        var entities = "<!ENTITY e0 \"\(String(repeating: "x", count: 64))\">"
        for number in 1..<12 {
            entities += "<!ENTITY e\(number) \"\(String(repeating: "&e\(number - 1);", count: 16))\">"
        }
        let text =
            "<?xml version=\"1.0\"?><!DOCTYPE d [\(entities)]><metadata><package>&e11;</package></metadata>"
        #expect(throws: DistributionError.self) {
            try PackagePool(kind: .rpm, architecture: .x86_64).add([Bytes(text.utf8)], title: "bomb")
        }
        #expect(throws: DistributionError.self) {
            try RepositoryMetadata(parsing: Bytes(text.utf8), type: "primary", repository: "bomb")
        }
    }
}
