import Files
import Testing

@testable import StoreLayout

/// What recipes and their locks say.
@Suite struct RecipeTests {
    private static let whole = """
        # Two programs.
        [Recipe]
        Name=tools
        Version=1.7
        Description=jq and zsh
        Package=./jq.deb https://example.org/zsh_5%3a9.deb
        Package=./libc6.deb
        Wanted=jq zsh
        Slim=doc
        Drop=usr/share/zsh/help usr/bin/rzsh
        Hint=./zsh.hints

        [Environment]
        ZDOTDIR=/etc/zsh

        [File usr/share/tools/rc]
        Text=set -o vi
        Mode=0600

        [File usr/bin/j]
        Link=jq
        """

    @Test func aRecipeIsRead() throws {
        let recipe = try Recipe(parsing: Self.whole, file: "x")
        #expect(recipe.name.text == "tools" && recipe.version.text == "1.7")
        #expect(recipe.packages == ["./jq.deb", "https://example.org/zsh_5%3a9.deb", "./libc6.deb"])
        #expect(recipe.wanted == ["jq", "zsh"] && recipe.slim == ["doc"] && recipe.hints == ["./zsh.hints"])
        #expect(recipe.drops.map(\.text) == ["usr/share/zsh/help", "usr/bin/rzsh"])
        #expect(
            recipe.additions == [
                Recipe.Addition(path: "usr/bin/j", content: .link("jq"), mode: 0o644),
                Recipe.Addition(
                    path: "usr/share/tools/rc", content: .text("set -o vi\n"), mode: 0o600),
            ])
        #expect(recipe.environment.map(\.name) == ["ZDOTDIR"])
    }

    @Test(arguments: [
        ("Nmae=x", "unknown key 'Nmae'"), ("words", "neither"), ("Drop=/usr/x", "no path in a tree"),
        ("[File ../x]\nText=y", "no path in a tree"), ("[File x]\nText=y\nLink=z", "not once"),
        ("[File x]\nText=y\nMode=888", "Mode"), ("[Other]\nx=y", "means nothing"),
        ("[File x]\nMode=755", "not once"),
    ])
    func whatMeansNothingIsRefused(addition: String, reason: String) {
        let text = "[Recipe]\nName=a\nVersion=1\nPackage=./a.deb\n" + addition
        let error = #expect(throws: RecipeError.self) { try Recipe(parsing: text, file: "x.recipe") }
        let shown = error.map { "\($0)" } ?? ""
        #expect(shown.contains(reason) && shown.contains("x.recipe") && shown.contains("hint:"), "\(shown)")
    }

    @Test(arguments: ["Name", "Version", "Package"])
    func whatEveryRecipeNeedsIsNamed(key: String) {
        let lines = ["Name=a", "Version=1", "Package=./a.deb"].filter { !$0.hasPrefix(key) }
        #expect(throws: RecipeError.missing(key, file: "x")) {
            try Recipe(parsing: "[Recipe]\n" + lines.joined(separator: "\n"), file: "x")
        }
    }

    @Test func aLockIsWhatWasWritten() throws {
        let digest = Digest(hashing: []).hex
        let lock = RecipeLock(["./b c.deb": digest, "./a.deb": digest])
        #expect(lock.text == "sxs-lock 1\npackage \(digest) ./a.deb\npackage \(digest) ./b c.deb\n")
        #expect(try RecipeLock(parsing: lock.text, file: "x") == lock)
        for text in ["", "sxs-lock 2\n", "sxs-lock 1\npackage 12 ./a.deb\n", "sxs-lock 1\nother\n"] {
            #expect(throws: RecipeError.self) { try RecipeLock(parsing: text, file: "x") }
        }
    }

    @Test func namesAreOfARemoteAndItsTextIsKept() throws {
        let text = """
            [Recipe]
            Name=tools
            Version=1
            Package=jq zsh=5.9* ./own.deb
            Recommends=yes
            [Remote]
            Kind=debian
            Location=https://example.org/debian
            Suites=stable
            """
        let recipe = try Recipe(parsing: text, file: "x")
        #expect(recipe.names == ["jq", "zsh=5.9*"] && recipe.files == ["./own.deb"])
        #expect(recipe.hasRecommended && recipe.remote == nil)
        #expect(
            recipe.remoteText
                == "[Remote]\nKind=debian\nLocation=https://example.org/debian\nSuites=stable\n")
        let question = try #require(RecipeLock.question(of: recipe))
        #expect(question.hasPrefix("jq zsh=5.9* recommends remote:"))
        let other = try Recipe(
            parsing: text.replacing("Suites=stable", with: "Suites=testing"), file: "x")
        #expect(RecipeLock.question(of: other) != question)
        #expect(throws: RecipeError.twoRemotes("deb", file: "x")) {
            try Recipe(parsing: text.replacing("Recommends=yes", with: "Remote=deb"), file: "x")
        }
        #expect(throws: RecipeError.answer("Recommends", "maybe", file: "x")) {
            try Recipe(parsing: text.replacing("=yes", with: "=maybe"), file: "x")
        }
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
