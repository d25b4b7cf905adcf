import Distributions
import Files
import StoreLayout
import Testing

@Suite struct AptConfigurationTests {
    private func lines(_ text: String) throws -> AptConfiguration {
        try AptConfiguration(parsing: Bytes(text.utf8), file: "/a/sources.list", architecture: "amd64")
    }

    @Test func linesMayEndAsOnOtherSystems() throws {
        let found = try lines("# one\r\ndeb http://a/ stable main\r\ndeb http://b/ stable main # two\r\n")
        #expect(found.repositories.map(\.title) == ["http://a stable main", "http://b stable main"])
    }

    private func sources(_ text: String) throws -> AptConfiguration {
        try AptConfiguration(parsing: Bytes(text.utf8), file: "/a/b.sources", architecture: "amd64")
    }

    @Test func linesOfOneRepositoryEach() throws {
        let found = try lines(
            """
            # a comment
            deb [ arch=amd64,arm64 signed-by=/k.gpg ] https://a.example/debian/ bookworm main contrib # why
            deb-src https://a.example/debian bookworm main
            deb [arch=arm64] https://other.example/ bookworm main
            deb [trusted=yes check-valid-until=no] file:///srv/repo ./
            """
        ).repositories
        #expect(found.count == 2)
        #expect(found[0].places == [try RemoteLocation("https://a.example/debian")])
        #expect(found[0].suite == "bookworm")
        #expect(found[0].components == ["main", "contrib"])
        #expect(found[0].trust == .files(["/k.gpg"]))
        #expect(found[0].indexDirectory == "dists/bookworm")
        #expect(found[1].places == [try RemoteLocation("/srv/repo")])
        #expect(found[1].isFlat)
        #expect(found[1].trust == .anybody)
        #expect(!found[1].isDateChecked)
        #expect(found[1].indexDirectory == "")
    }

    @Test func paragraphsOfSeveral() throws {
        let found = try sources(
            """
            Types: deb deb-src
            URIs: http://a.example/debian
            Suites: bookworm bookworm-updates
            Components: main
            Signed-By:
             -----BEGIN PGP PUBLIC KEY BLOCK-----
             .
             abcd
             -----END PGP PUBLIC KEY BLOCK-----

            Types: deb
            URIs: http://b.example/$(ARCH)
            Suites: x
            Components: y
            Signed-By: 0123456789ABCDEF0123456789abcdef01234567!

            Types: deb
            URIs: http://c.example/
            Suites: x
            Components: y
            Enabled: no
            """
        ).repositories
        #expect(found.map(\.suite) == ["bookworm", "bookworm-updates", "x"])
        #expect(
            found[0].trust
                == .text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabcd\n-----END PGP PUBLIC KEY BLOCK-----\n")
        )
        #expect(found[2].places == [try RemoteLocation("http://b.example/amd64")])
        #expect(found[2].trust == .fingerprints(["0123456789ABCDEF0123456789ABCDEF01234567"]))
    }

    @Test func otherSchemesAreSaid() throws {
        let found = try lines("deb cdrom:[Debian]/ bookworm main\ndeb tor+http://a.example/ bookworm main\n")
        #expect(found.repositories.isEmpty)
        #expect(found.notes.count == 2)
    }

    @Test(arguments: [
        "rpm http://a/ b c", "deb http://a/ bookworm", "deb http://a/ ./ main",
        "deb [signed-by=/k http://a/ b c",
        "deb [arch] http://a/ b c", "deb http://user:secret@a.example/ b c",
    ])
    func whatIsNoneIsRefused(line: String) {
        #expect(throws: (any Error).self) { try lines(line) }
    }

    @Test func yumsRepositories() throws {
        let text = """
            [main]
            gpgcheck=1
            [base]
            name=Base
            baseurl=https://a.example/$releasever/$basearch/os https://b.example/${releasever}
            gpgkey=file:///etc/pki/key
            [off]
            baseurl=https://off.example/
            enabled=0
            [mirrors]
            metalink=https://m.example/
            [open]
            baseurl=https://open.example/
            gpgcheck=0
            """
        let found = try YumConfiguration(
            parsing: Bytes(text.utf8), file: "a.repo", variables: ["releasever": "40", "basearch": "x86_64"])
        #expect(found.repositories.count == 2)
        #expect(
            found.repositories[0].places.map(\.text) == [
                "https://a.example/40/x86_64/os", "https://b.example/40",
            ])
        #expect(found.repositories[0].trust == .files(["/etc/pki/key"]))
        #expect(found.repositories[1].trust == .anybody)
        #expect(found.notes.count == 1)
    }
}
