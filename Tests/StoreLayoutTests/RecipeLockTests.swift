import Files
import Testing

@testable import StoreLayout

/// What locks of recipes say.
@Suite struct RecipeLockTests {
    @Test func aLockIsWhatWasWritten() throws {
        let digest = Digest(hashing: []).hex
        let lock = RecipeLock(["./b c.deb": digest, "./a.deb": digest])
        #expect(lock.text == "sxs-lock 1\npackage \(digest) ./a.deb\npackage \(digest) ./b c.deb\n")
        #expect(try RecipeLock(parsing: lock.text, file: "x") == lock)
        for text in ["", "sxs-lock 2\n", "sxs-lock 1\npackage 12 ./a.deb\n", "sxs-lock 1\nother\n"] {
            #expect(throws: RecipeError.self) { try RecipeLock(parsing: text, file: "x") }
        }
    }

    @Test func theQuestionIsAllThatAChoiceFollowsFrom() throws {
        var recipe = Recipe(
            name: try PackageName("tools"), version: try PackageVersion("1"),
            packages: ["jq", "zsh=5.9*", "./own.deb"])
        #expect(recipe.names == ["jq", "zsh=5.9*"] && recipe.files == ["./own.deb"])
        #expect(RecipeLock.question(of: recipe) == "jq zsh=5.9*")
        recipe.hasRecommended = true
        recipe.remotes = [.named("debian"), .described("[Remote]\nKind=debian\n")]
        let question = try #require(RecipeLock.question(of: recipe))
        #expect(question.hasPrefix("jq zsh=5.9* recommends remote:debian remote:"))
        recipe.remotes[1] = .described("[Remote]\nKind=rpm\n")
        #expect(RecipeLock.question(of: recipe) != question)
        #expect(
            RecipeLock.question(of: Recipe(name: recipe.name, version: recipe.version, packages: ["./a.deb"]))
                == nil)
    }

    @Test func aLockHasAllPackagesOfAChoice() throws {
        let digest = Digest(hashing: []).hex
        let members = ["libonig5", "jq"].map {
            RecipeLock.Member(
                digest: digest, name: $0, version: "1:6.9-1", architecture: "amd64",
                location: "/srv/my debs/\($0).deb")
        }
        let lock = RecipeLock(["./a.deb": digest], question: "jq remote:deb", members: members)
        #expect(
            lock.text == """
                sxs-lock 1
                package \(digest) ./a.deb
                names jq remote:deb
                member \(digest) jq 1:6.9-1 amd64 /srv/my debs/jq.deb
                member \(digest) libonig5 1:6.9-1 amd64 /srv/my debs/libonig5.deb

                """)
        let read = try RecipeLock(parsing: lock.text, file: "x")
        #expect(read.text == lock.text && read.members.count == 2 && read.question == "jq remote:deb")
        for line in ["member \(digest) jq 1 amd64", "names", "member 12 jq 1 amd64 /x", "names a\nnames b"] {
            #expect(throws: RecipeError.self) {
                try RecipeLock(parsing: "sxs-lock 1\n\(line)\n", file: "x")
            }
        }
    }
}
