import Files
import Testing

@testable import Operations

@Suite struct StartTextTests {
    private func rewritten(
        _ text: String, isService: Bool = false, isActivatable: Bool = true,
        into started: [String] = ["/p/bin/app"]
    ) -> String {
        let text = StartText(
            isService: isService, isActivatable: isActivatable,
            start: { word in
                let known = ["app", "/usr/store/x/usr/bin/app", "/usr/store/x/usr/lib/my app"]
                return known.contains(String(decoding: word, as: UTF8.self))
                    ? started.map { Array($0.utf8) } : nil
            }
        ).rewritten(Array(text.utf8))
        return String(decoding: text, as: UTF8.self)
    }

    @Test(arguments: [
        ("Exec=app", "Exec=/p/bin/app"),
        ("Exec = app %F", "Exec = /p/bin/app %F"),
        ("Exec=/usr/store/x/usr/bin/app --class \"a b\" %u", "Exec=/p/bin/app --class \"a b\" %u"),
        ("Exec=\"/usr/store/x/usr/bin/app\" %f", "Exec=/p/bin/app %f"),
        ("Exec=\"/usr/store/x/usr/lib/my app\" -x", "Exec=/p/bin/app -x"),
        ("Exec=/usr/store/x/usr/lib/my\\\\ app", "Exec=/p/bin/app"),
        ("Exec=/usr/store/x/usr/lib/my\\sapp", "Exec=/usr/store/x/usr/lib/my\\sapp"),
        ("Exec=env A=1 B=\"2 3\" app %U", "Exec=env A=1 B=\"2 3\" /p/bin/app %U"),
        ("Exec=/usr/store/x/usr/bin/env A=1 app", "Exec=env A=1 /p/bin/app"),
        ("Exec=env -u A app", "Exec=env -u A app"),
        ("Exec=other app", "Exec=other app"),
        ("Exec=", "Exec="),
        ("Exec=%f app", "Exec=%f app"),
        ("Exec=\"app", "Exec=\"app"),
        ("Exec=app\\\\", "Exec=app\\\\"),
        ("Exec=app; rm -rf /", "Exec=app; rm -rf /"),
        ("Exec=app ; $(rm) `rm` \\", "Exec=app ; $(rm) `rm` \\"),
        ("Exec=app ; $(rm) `rm` %f", "Exec=/p/bin/app ; $(rm) `rm` %f"),
        ("TryExec=app", "TryExec=/p/bin/app"),
        ("TryExec=other", "TryExec=other"),
        ("# Exec=app", "# Exec=app"),
        ("Exec[de]=app", "Exec[de]=app"),
        ("Name=app", "Name=app"),
        ("DBusActivatable=true", "DBusActivatable=true"),
    ])
    func onlyTheProgramChanges(line: String, expected: String) {
        for (before, after) in [
            ("", ""), ("[Desktop Entry]\n", "\nTerminal=false\n"), ("\u{0}\n\n", "\n=\n"),
        ] {
            #expect(rewritten(before + line + after) == before + expected + after)
        }
    }

    @Test func everyActionIsRewritten() {
        let text = "[Desktop Entry]\nExec=app\n\n[Desktop Action new]\nExec=app --new\n"
        #expect(
            rewritten(text)
                == "[Desktop Entry]\nExec=/p/bin/app\n\n[Desktop Action new]\nExec=/p/bin/app --new\n")
    }

    @Test func whatStartsItIsQuoted() {
        let hostile = ["/p q/$(x)`y`\"z\\%f;'/a", "run"]
        #expect(
            rewritten("Exec=app %f", into: hostile)
                == "Exec=\"/p q/\\\\$(x)\\\\`y\\\\`\\\\\"z\\\\\\\\%%f;'/a\" run %f")
        // A line's end in a path begins no line of its own.
        #expect(rewritten("Exec=app", into: ["/p\nTerminal=true"]) == "Exec=\"/p\\nTerminal=true\"")
        #expect(rewritten("TryExec=app", into: ["/p\nExec=x", "run"]) == "TryExec=/p\\nExec=x")
    }

    @Test func theBusStartsServicesItself() {
        let text = "[D-BUS Service]\nName=a.b\nExec=app --service\nSystemdService=app.service\n"
        #expect(
            rewritten(text, isService: true)
                == "[D-BUS Service]\nName=a.b\nExec=/p/bin/app --service\n")
        #expect(
            rewritten("Exec=app", isService: true, into: ["/100%/app"]) == "Exec=\"/100%/app\"",
            "no field codes there")
    }

    @Test func anEntryWithoutItsServiceIsNotStartedByTheBus() {
        #expect(rewritten("DBusActivatable=true\n", isActivatable: false) == "DBusActivatable=false\n")
    }

    @Test func everyCutOfALineIsRead() {
        let line = Array("Exec=\"/usr/store/x/usr/lib/my app\" \\s\\\\ 'a' \"b\\\\\"c\" %f".utf8)
        for count in 0...line.count {
            let text = StartText(isService: false, start: { _ in nil }).rewritten(Array(line.prefix(count)))
            #expect(text == Array(line.prefix(count)))
        }
    }
}
