import StoreLayout
import Testing

@Suite struct ExportedNameTests {
    @Test(arguments: ["git", "emacs-nox", "python3.12", "0ad", "20261121-tools", "zz"])
    func aNameThatSystemdFindsIsTaken(text: String) throws {
        let name = try ExportedName(text)
        #expect(name.releaseName == "extension-release." + text)
        #expect(
            name.isFound(in: text) && name.isFound(in: text + "_1_x86-64") && name.isFound(in: text + "+3"))
        #expect(!name.isFound(in: text + "-1") && !name.isFound(in: "x" + text))
    }

    @Test(arguments: ["", "g++", "a_b", ".a", "-a", "a/b", "a b", "ä", String(repeating: "a", count: 65)])
    func charactersThatSystemdCutsAtAreRefused(text: String) {
        #expect(throws: ExportedNameError.characters(text)) { try ExportedName(text) }
    }

    @Test func endingsAndLateNamesAreRefused() {
        #expect(throws: ExportedNameError.suffix("a.raw", suffix: ".raw")) { try ExportedName("a.raw") }
        #expect(throws: ExportedNameError.suffix("a.v", suffix: ".v")) { try ExportedName("a.v") }
        for text in ["9999999999999999-a", Anchor.name, Anchor.name + "-1"] {
            #expect(throws: ExportedNameError.late(text)) { try ExportedName(text) }
        }
    }

    @Test(arguments: [
        ("1.6-2.1+deb12u3", Architecture.x86_64, "x_1.6-2.1.deb12u3_x86-64"),
        ("1_2~rc1^3", .arm64, "x_1.2-rc1-3_arm64"), ("7", .any, "x_7"),
    ])
    func aVersionIsWrittenAsSystemdTakesIt(version: String, architecture: Architecture, expected: String)
        throws
    {
        let name = try ExportedName("x").versioned(PackageVersion(version), for: architecture)
        #expect(name == expected)
        #expect(try ExportedName("x").isFound(in: name))
    }

    @Test func theReleaseSaysWhichHostsItIsFor() throws {
        let version = try PackageVersion("1~2")
        #expect(
            ExtensionRelease.any.text(for: .x86_64, version: version, reloads: false)
                == "ID=_any\nARCHITECTURE=x86-64\nSYSEXT_VERSION_ID=\"1~2\"\n")
        #expect(
            try ExtensionRelease(id: "debian", versionID: "13", level: "1.0").text(
                for: .any, version: version, reloads: true)
                == "ID=debian\nVERSION_ID=13\nSYSEXT_LEVEL=1.0\nSYSEXT_VERSION_ID=\"1~2\"\nEXTENSION_RELOAD_MANAGER=1\n"
        )
        #expect(throws: ExtensionReleaseError.needsID) {
            try ExtensionRelease(id: nil, versionID: "13", level: nil)
        }
        #expect(throws: ExtensionReleaseError.needsID) {
            try ExtensionRelease(id: "_any", versionID: nil, level: "1")
        }
        for id in ["", "Debian", "a b", "a\nID=_any"] {
            #expect(throws: ExtensionReleaseError.value("ID", id)) {
                try ExtensionRelease(id: id, versionID: nil, level: nil)
            }
        }
    }
}
