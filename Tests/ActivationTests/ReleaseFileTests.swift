import Activation
import Files
import Testing

/// Release files are read as systemd reads them; `Scripts/compare-sysext` asks systemd itself.
@Suite struct ReleaseFileTests {
    func parse(_ text: String, like version: SystemdVersion = .newest) throws -> ReleaseFile {
        try ReleaseFile(parsing: Array(text.utf8), like: version)
    }

    @Test(arguments: [
        ("ID=debian\n", "debian"), ("ID=debian", "debian"), (" ID = debian \r\n", "debian"),
        ("ID=\"deb\" ian\n", "debian"), ("ID='deb'\"ian\"\n", "debian"), ("ID=deb\\\nian\n", "debian"),
        ("ID=\"deb\\\nian\"\n", "debian"), ("ID=\"deb", "deb"), ("ID='deb\nian", "deb\nian"),
        ("ID=\"a\\$b\\c\"", "a$b\\c"), ("ID=a\\$b", "a$b"), ("ID=fedora\nID=debian\n", "debian"),
        ("ID=debian # note\n", "debian # note"), ("#ID=a\n;ID=b\nID=c\n", "c"),
    ])
    func valuesAreReadAsSystemdReadsThem(text: String, value: String) throws {
        #expect(try parse(text)["ID"] == value)
    }

    @Test(arguments: ["ID=\n", "ID=\"\"\n", "id=debian\n", "ID\n", "# ID=debian", "ID=a\nID=\n", ""])
    func emptyValuesCountAsNone(text: String) throws {
        #expect(try parse(text)["ID"] == nil)
    }

    @Test func linesWithoutASignAreNumbered() throws {
        let file = try parse("ID=a\nnonsense\n\nNAME='two\nlines'\nmore")
        #expect(file.ignoredLines == [2, 6])
        #expect(file.fields == ["ID": "a", "NAME": "two\nlines"])
    }

    @Test func commentsWentOnAfterABackslashBeforeVersion254() throws {
        let text = "# note \\\nID=debian\n"
        #expect(try parse(text, like: SystemdVersion(253))["ID"] == nil)
        #expect(try parse(text, like: SystemdVersion(254))["ID"] == "debian")
    }

    @Test(arguments: [
        ([0x49, 0x44, 0x3d, 0x61, 0], ReleaseFileError.nulByte),
        ([0x0a, 0x49, 0x44, 0x3d, 0xff, 0x0a], .notText(line: 2)),
        ([0xff, 0x3d, 0x61], .notText(line: 1)), ([0x41, 0x3d, 0xef, 0xbf, 0xbf], .notText(line: 1)),
        ([0x41, 0x3d, 0xed, 0xa0, 0x80], .notText(line: 1)),
    ])
    func bytesThatAreNoTextAreRefused(bytes: [UInt8], error: ReleaseFileError) {
        #expect(throws: error) { try ReleaseFile(parsing: bytes) }
    }

    @Test func filesPastTheLimitAreRefused() {
        let bytes = [UInt8](repeating: 0x23, count: ReleaseFile.longest + 1)
        #expect(throws: ReleaseFileError.tooLarge(bytes.count)) { try ReleaseFile(parsing: bytes) }
    }

    @Test func everyPrefixOfAFileIsReadWithoutATrap() throws {
        let text = Array("# c \\\nID=\"a\\$\\\nb\" 'x'\\\n\r =\nA=\\".utf8)
        for count in 0...text.count {
            for version in [SystemdVersion(252), .newest] {
                _ = try ReleaseFile(parsing: Array(text.prefix(count)), like: version)
            }
        }
    }
}
