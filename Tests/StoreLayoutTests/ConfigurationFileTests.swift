import Files
import StoreLayout
import Testing

@Suite struct ConfigurationFileTests {
    @Test func sectionsAssignmentsCommentsAndJoinedLines() {
        let file = ConfigurationFile(
            parsing:
                "# c\n; d\nstray\n[A]\nx = 1 \nx=2\nlist=a b\\\n  # between\n  c\nlist=\n list = d e\n[B]\nx=\n=v"
        )
        #expect(file.value("x", in: "A") == "2")
        #expect(file.words("list", in: "A") == ["d", "e"])
        #expect(file.value("x", in: "B") == nil)
        #expect(file.sections == ["A", "B"])
        #expect(file.ignoredLines == [3, 14])
        #expect(
            ConfigurationFile(parsing: "[A]\nlist=a b\\\n# between\n  c\\").words("list", in: "A") == [
                "a", "b", "c",
            ])
    }

    @Test(arguments: [("yes", true), ("On", true), ("0", false), ("f", false), ("maybe", nil), ("", nil)])
    func booleans(text: String, value: Bool?) { #expect(ConfigurationFile.boolean(text) == value) }
}

@Suite struct RemoteDescriptionTests {
    private func parse(_ text: String) throws(RemoteDescriptionError) -> RemoteDescription {
        try RemoteDescription(parsing: Bytes(text.utf8), name: "r", file: "r.conf")
    }

    @Test func whatIsWrittenIsRead() throws {
        var remote = RemoteDescription(name: "r", kind: .sysext, location: try RemoteLocation("https://h/a/"))
        #expect(remote.text == "[Remote]\nKind=sysext\nLocation=https://h/a\n")
        #expect(try parse(remote.text) == remote)
        remote.mirrors = [try RemoteLocation("http://m/a"), try RemoteLocation("/srv/a")]
        remote.isInsecure = true
        remote.priority = -3
        remote.keyring = "/k"
        remote.credentials = "/c"
        remote.timeout = 5
        remote.filter = "^a.*\\.raw$"
        #expect(try parse(remote.text) == remote)
    }

    @Test(arguments: [
        "Kind=sysext", "[Remote]\nKind=sysext", "[Remote]\nLocation=/a", "[Remote]\nKind=tape\nLocation=/a",
        "[Remote]\nKind=sysext\nLocation=a", "[Remote]\nKind=sysext\nLocation=/a\nPriority=high",
        "[Remote]\nKind=sysext\nLocation=/a\nInsecure=perhaps",
        "[Remote]\nKind=sysext\nLocation=/a\nKeyring=k",
        "[Remote]\nKind=sysext\nLocation=/a\nFilter=(",
        "[Remote]\nKind=sysext\nLocation=/a\nTimeout=0", "[Remote]\nKind=sysext\nLocation=/a\nVerfy=no",
        "[Other]\nKind=sysext", "[Remote]\nKind=sysext\nLocation=/a\nwhat",
        "[Remote]\nKind=sysext\nLocation=/a\0b",
    ])
    func whatIsWrongIsNamed(text: String) {
        let error = #expect(throws: RemoteDescriptionError.self) { try parse(text) }
        #expect(error.map { "\($0)".contains("\nhint: ") } == true)
    }

    @Test(arguments: [
        "ftp://h/a", "https://", "relative/a", "https://h/a?b", "https://h/a#b", "https://u:p@h/a",
        "https://h/a b",
        "https://h/a\nurl=x", "/a\nb", "", "file://h/a",
    ])
    func placesThatAreNone(text: String) {
        #expect(throws: RemoteDescriptionError.self) { try RemoteLocation(text) }
    }

    @Test func namesAreEscapedInURLs() throws {
        let place = try RemoteLocation("HTTPS://h:8080/a//")
        #expect(place.text == "https://h:8080/a")
        #expect(place.appending("k3s-1+k3s1~a#?%é.raw") == "https://h:8080/a/k3s-1+k3s1~a%23%3F%25%C3%A9.raw")
        #expect(try RemoteLocation("file:///srv/a/").appending("x y") == "/srv/a/x y")
    }
}
