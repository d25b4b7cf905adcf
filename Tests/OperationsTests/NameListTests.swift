import Distributions
import Files
import Testing

@testable import Operations

@Suite struct NameListTests {
    private func list(_ packages: (name: String, version: String, summary: String?)...) -> NameList {
        NameList(
            NameList.text(
                of: packages.map {
                    AvailablePackage(name: $0.name, version: $0.version, summary: $0.summary, repository: 0)
                }))
    }

    private var some: NameList {
        list(
            ("emacs", "1:28.2+1-15", "GNU Emacs editor (metapackage)"),
            ("git", "1:2.39.5-0", "fast, scalable revision control"),
            ("jed", "1:0.99", "Editor for programmers"), ("Xaw", "1.0", nil),
            ("zile", "2.4", "very small Emacs-subset\teditor\nof 2.4"))
    }

    @Test func findsByNameAndSummaryInAnyCase() {
        #expect(some.search(["emacs"]).map(\.name) == ["emacs", "zile"])
        #expect(some.search(["emacs"]).map(\.rank) == [.name, .wordOfSummary])
        #expect(some.search(["editor"]).map(\.name) == ["emacs", "jed", "zile"])
        #expect(some.search(["xaw"]).map(\.name) == ["Xaw"])
        #expect(some.search(["editor", "programmers"]).map(\.name) == ["jed"])
        #expect(some.search(["itor"]).map(\.rank) == [.inSummary, .inSummary, .inSummary])
        #expect(some.search(["nowhere"]).isEmpty)
    }

    @Test func namesLikeAnotherAreFound() {
        #expect(some.names(like: "emacz") == ["emacs"])
        #expect(some.names(like: "zil") == ["zile"] && some.names(like: "zule") == ["zile"])
        #expect(some.names(like: "XaWx") == ["Xaw"])
        #expect(
            some.names(like: "giraffe").isEmpty && some.names(like: "").isEmpty
                && some.names(like: "gi").isEmpty)
        #expect(
            list(("libonig5", "6.9", nil), ("libonig-dev", "6.9", nil)).names(like: "libonig") == [
                "libonig5", "libonig-dev",
            ])
    }

    @Test func aVersionIsNoText() {
        #expect(some.search(["2.39"]).isEmpty)
        #expect(some.search(["2.4"]).map(\.name) == ["zile"])
    }

    @Test func aHitHasAllFields() throws {
        let hit = try #require(some.search(["git"]).first)
        #expect(hit.version == "2.39.5-0")
        #expect(hit.summary == "fast, scalable revision control")
        let other = try #require(some.search(["zile"]).first)
        #expect(other.summary == "very small Emacs-subset editor of 2.4")
        #expect(some.search(["xaw"]).first?.summary == nil)
    }

    @Test func withoutWordsThereAreAll() {
        #expect(some.search([]).map(\.name) == ["emacs", "git", "jed", "Xaw", "zile"])
        #expect(list().search([]).isEmpty && list().search(["x"]).isEmpty)
    }
}
