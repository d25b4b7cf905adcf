import Files
import StoreLayout
import Testing

@testable import Operations

/// What recipes say.
@Suite struct RecipeReaderTests {
    private static let least = "name: a\nversion: 1\npackages: ./a.deb\n"

    private static let whole = #"""
        # Two programs.
        name: tools
        version: 1.10
        description: jq and zsh
        packages:
          - ./jq.deb
          - https://example.org/zsh_5%3a9.deb
          - ./my own.deb
          - zsh=5.9*
        recommends: yes
        remotes:
          - debian
          - kind: debian
            location: https://example.org/debian
            suites: [stable, stable-updates]
            insecure: no
        wanted: [jq, zsh]
        expose: jq
        slim: [doc]
        locales: [de_DE.UTF-8]
        drop: [usr/share/zsh/help, usr/bin/rzsh]
        hints: [./zsh.hints]
        environment: {ZDOTDIR: "{store-path}/etc/zsh", EMPTY: ""}
        files:
          usr/share/tools/rc:
            text: |
              set -o vi
              # no comment
            mode: 0600
          usr/bin/j: {link: jq}
          usr/bin/k: {source: ./k, mode: 755}
        """#

    private func read(_ text: String) throws -> Recipe {
        try RecipeReader(file: "x.yaml").recipe(Array(text.utf8))
    }

    @Test func aRecipeIsRead() throws {
        let recipe = try read(Self.whole)
        #expect(recipe.name.text == "tools" && recipe.version.text == "1.10")
        #expect(recipe.description == "jq and zsh" && recipe.hasRecommended)
        #expect(
            recipe.packages == ["./jq.deb", "https://example.org/zsh_5%3a9.deb", "./my own.deb", "zsh=5.9*"])
        #expect(
            recipe.remotes == [
                .named("debian"),
                .described(
                    """
                    [Remote]
                    Insecure=no
                    Kind=debian
                    Location=https://example.org/debian
                    Suites=stable stable-updates

                    """),
            ])
        #expect(recipe.wanted == ["jq", "zsh"] && recipe.expose == ["jq"] && recipe.slim == ["doc"])
        #expect(recipe.locales == ["de_DE.UTF-8"] && recipe.hints == ["./zsh.hints"])
        #expect(recipe.drops.map(\.text) == ["usr/share/zsh/help", "usr/bin/rzsh"])
        #expect(recipe.environment == ["ZDOTDIR": "{store-path}/etc/zsh", "EMPTY": ""])
        #expect(
            recipe.additions == [
                Recipe.Addition(path: "usr/bin/j", content: .link("jq")),
                Recipe.Addition(path: "usr/bin/k", content: .source("./k"), mode: 0o755),
                Recipe.Addition(
                    path: "usr/share/tools/rc", content: .text("set -o vi\n# no comment\n"), mode: 0o600),
            ])
    }

    @Test func whatIsNotSaidIsLeftToChoose() throws {
        let recipe = try read(Self.least)
        #expect(
            recipe
                == Recipe(
                    name: try PackageName("a"), version: try PackageVersion("1"), packages: ["./a.deb"]))
        #expect(!recipe.hasRecommended && recipe.remotes.isEmpty && recipe.additions.isEmpty)
    }

    @Test(arguments: [
        ("nmae: x", "line 4 of x.yaml has the unknown key 'nmae'"), ("nmae: x", "known are name, version,"),
        ("drop: /usr/x", "no path in a tree"),
        ("wanted:\n  - a\n  - ''", "line 6 of x.yaml has an empty word"),
        ("files: {../x: {text: y}}", "no path in a tree"), ("files: {x: {text: y, link: z}}", "not once"),
        ("files: {x: {text: y, mode: 888}}", "the mode '888'"),
        ("files: {x: {text: y, mode: 7}}", "the mode '7'"),
        ("files: {x: {mode: 755}}", "not once"), ("files: {x: {link: y, mode: 755}}", "a mode to a link"),
        ("files: {x: {txt: y}}", "unknown key 'txt'"), ("files: [x]", "has a list for 'files'"),
        ("files: {x: y}", "has a word for 'x', which takes a mapping"),
        ("wanted: jq zsh", "write a list: [jq, zsh]"), ("wanted: {jq: zsh}", "has a mapping for 'wanted'"),
        ("wanted: [[jq]]", "has a list for 'wanted'"), ("slim:", "has nothing for 'slim'"),
        ("slim: [doc,\n  docs]", "line 5 of x.yaml has 'docs' for 'slim'"),
        (
            "environment: {A B: c}",
            "line 4 of x.yaml has an environment that cannot be: 'A B=c' sets no variable"
        ),
        ("environment: {LD_PRELOAD: c}", "LD_PRELOAD would be obeyed"),
        ("description: [a, b]", "has a list for 'description', which takes one word"),
        ("description: |\n  a\n  b", "a line break"), ("environment: {A: \"b\\0\"}", "a control character"),
        ("recommends: maybe", "neither yes nor no"), ("recommends: [yes]", "has a list for 'recommends'"),
        ("remote: a\nremotes: [b]", "line 5 of x.yaml has both"), ("remotes: a", "has a word for 'remotes'"),
        ("remotes: [a, a]", "is there already"), ("remote: {kind: debian}", "has no 'location'"),
        ("remote: {kind: debian, location: /x, suite: y}", "unknown key 'suite'"),
        ("remote: {kind: debian, location: /x, suites: a b}", "write a list: [a, b]"),
        ("remote: {kind: debian, location: '/x\\'}", "'\\' at the end of 'location'"),
        ("name: b", "has the key 'name', which is in line 1 already"), ("slim: *a", "has the alias '*a'"),
        ("slim: [doc", "is not YAML"), ("<<: {slim: doc}", "unknown key '<<'"),
        ("---\nname: b", "a second document"),
    ])
    func whatMeansNothingIsRefused(addition: String, reason: String) {
        let error = #expect(throws: RecipeError.self) { try read(Self.least + addition + "\n") }
        let shown = error.map { "\($0)" } ?? ""
        #expect(shown.contains(reason) && shown.contains("x.yaml") && shown.contains("\nhint: "), "\(shown)")
    }

    @Test(arguments: [
        ("", "x.yaml has nothing in it"), ("- name\n", "is a list, and a recipe is a mapping"),
        ("name: a/b\nversion: 1\npackages: jq", "line 1 of x.yaml has the name 'a/b'"),
        ("name: a\nversion: '1 0'\npackages: jq", "line 2 of x.yaml has the version '1 0'"),
        ("name: a\nversion: 1\npackages: jq zsh", "write a list: [jq, zsh]"),
        ("[[[[[[[[[[[[[[[[[[", "in one another"), ("\0", "is not YAML"),
    ])
    func whatIsNoRecipeIsRefused(text: String, reason: String) {
        let error = #expect(throws: RecipeError.self) { try read(text) }
        let shown = error.map { "\($0)" } ?? ""
        #expect(shown.contains(reason) && shown.contains("\nhint: "), "\(shown)")
    }

    @Test(arguments: ["name", "version", "packages"])
    func whatEveryRecipeNeedsIsNamed(key: String) {
        let lines = Self.least.split(separator: "\n").filter { !$0.hasPrefix(key) }
        #expect(throws: RecipeError.missing(key, file: "x.yaml")) {
            try read(lines.joined(separator: "\n"))
        }
    }
}
