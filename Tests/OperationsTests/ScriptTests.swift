import Files
import Testing

@testable import Operations

/// What scripts of packages call is found without running them.
@Suite struct ScriptTests {
    private func programs(_ text: String) -> [String] {
        ScriptCalls(Array(text.utf8)).calls.compactMap(\.program)
    }

    private func words(_ text: String) -> [[String?]] {
        ScriptCalls(Array(text.utf8)).calls.map(\.words)
    }

    @Test func commandsAreFoundBehindKeywordsAndOperators() {
        let text = """
            #!/bin/sh
            set -e
            if [ "$1" = configure ] && ! test -e /x; then one a; else two | three || four; fi
            while five; do six & done # seven
            ( eight; nine )
            { /usr/sbin/ten "$(eleven)" `twelve`; } >/dev/null 2>&1 <thirteen
            """
        #expect(
            programs(text) == [
                "set", "[", "test", "one", "two", "three", "four", "five", "six", "eight", "nine", "ten",
            ])
    }

    @Test func patternsAndDocumentsAreNoCommands() {
        let text = """
            case "$1" in
                configure|reconfigure) one ;;
                (abort-upgrade \\
                | abort-remove) two
                    cat <<-'EOF' | three
                    four
            \tEOF
                    ;;
                in) case $2 in *) five;; esac ;;
                *) echo "six; seven" >&2; exit 1
            esac
            eight
            """
        #expect(programs(text) == ["one", "two", "cat", "three", "five", "echo", "exit", "eight"])
    }

    @Test func variablesAndLoopsAreFollowedAsFarAsTheyAreKnown() {
        let text = #"""
            dir=/usr/lib/x
            names="a
             b"
            for n in $names 'c d'; do
                for s in 1 2; do call $dir/"$n" ${s} "$unknown" ${n%x}; done
            done
            call $n
            """#
        #expect(
            words(text) == [
                ["call", "/usr/lib/x/a", "1", nil, nil], ["call", "/usr/lib/x/a", "2", nil, nil],
                ["call", "/usr/lib/x/b", "1", nil, nil], ["call", "/usr/lib/x/b", "2", nil, nil],
                ["call", "/usr/lib/x/c d", "1", nil, nil], ["call", "/usr/lib/x/c d", "2", nil, nil],
                ["call", nil],
            ])
    }

    @Test func functionsAreKnownByName() {
        let calls = ScriptCalls(Array("one() { two; }\nfunction three { four; }\none\nthree\n".utf8))
        #expect(calls.functions == ["one", "three"])
        #expect(calls.calls.compactMap(\.program) == ["two", "four", "one", "three"])
    }

    /// Texts that would take all memory, or days.
    @Test(.timeLimit(.minutes(1))) func timeAndMemoryAreBounded() {
        let doubled = "a=xx\n" + String(repeating: "a=$a$a\n", count: 60) + "call $a \"$a\" end\n"
        let calls = ScriptCalls(Array(doubled.utf8)).calls
        #expect(calls.map(\.words) == [["call", nil, nil, "end"]])
        let values = (0..<900).map { "v\($0)" }.joined(separator: " ")
        let many = "for i in \(values); do " + String(repeating: "x $i; y $i; ", count: 50_000) + "done\n"
        #expect(ScriptCalls(Array(many.utf8)).calls.count <= 50_000)
        let long = "'" + String(repeating: "x", count: 1 << 20 - 10)
        #expect(ScriptCalls(Array(long.utf8)).calls.count == 1)
    }

    @Test func whatOnlyUpgradesDoIsToldApart() {
        let programs = { (text: String) in
            ScriptCalls(Array(text.utf8)).programs.subtracting(["[", "dpkg", "test"]).sorted()
        }
        #expect(
            programs(
                "if [ \"$1\" = configure ] && dpkg --compare-versions \"$2\" lt-nl 1; then a; else b; fi; c")
                == ["b", "c"])
        #expect(programs("if dpkg --compare-versions \"$2\" lt 1; then a; fi") == ["a"])
        #expect(programs("if [ -n \"$2\" ]; then if b; then c; fi; elif d; then e; fi") == ["d", "e"])
        #expect(programs("if [ \"configure\" = \"$1\" -a \"x$2\" != \"x\" ]; then a; fi") == [])
        #expect(programs("[ -n \"$2\" ] && a && b; c") == ["c"])
        #expect(programs("if a || [ -n \"$2\" ]; then b; fi") == ["a", "b"])
        #expect(programs("if ! [ -n \"$2\" ]; then a; fi") == ["a"])
        #expect(programs("if [ -z \"$2\" ]; then a; fi") == ["a"])
        // In a function it is another argument.
        #expect(programs("f() { if [ -n \"$2\" ]; then a; fi; }\nf x y") == ["a", "f"])
    }

    @Test func functionsThatNothingCallsAreNotRun() {
        let programs = { (text: String) in ScriptCalls(Array(text.utf8)).programs.sorted() }
        #expect(programs("a() { b; }\nc() { { d; }; a; }\ne() { f; }\nc") == ["a", "b", "c", "d"])
        #expect(programs("a() { b; }\n$x") == ["b"])
        #expect(programs("a()\n{\n  b\n}\nfunction c { a; }\nd") == ["d"])
    }

    /// No text can make it trap or run for ever.
    @Test func anyTextIsTaken() {
        let text = Array(
            "case $x in a) for i in 1 2; do b \"${c:-$(d 'e)')}\" <<F; done;; esac\nF\ng() { h; }\n'i\\\n"
                .utf8)
        for start in text.indices {
            for end in stride(from: start, through: text.count, by: 3) {
                _ = ScriptCalls(Array(text[start..<end]))
            }
        }
        let deep = Array(String(repeating: "for i in 1 2 3 4 5 6 7 8 9; do ", count: 12).utf8)
        #expect(ScriptCalls(deep + Array("x $i".utf8)).calls.count <= 1000)
    }
}
