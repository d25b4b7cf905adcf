import Foundation
import Testing

/// `sxs report --trace`: what it shows, and that the command does not notice.
@Suite struct TraceTests {
    let machine: Machine

    init() throws { machine = try Machine() }

    /// What the trace says, as far as tests look.
    struct Report: Decodable {
        struct Path: Decodable, Equatable {
            let path: String
            let count: Int
            let exists: Bool
            let calls: [String]
            let programs: [String]
        }
        struct Package: Decodable {
            let name: String
            let touched: [Path]
            let expected: [Path]
        }
        let packages: [Package]
        let calls: Int
    }

    /// Programs that look for a file.
    ///
    /// Relocation moves the path of `whole`; that of `left` has no room for an alias; `threads` looks for it in a child
    /// that a thread of it made.
    private static let image = """
        mkdir -p $D/traced && cp -r $D/image/. $D/traced && cd $D/traced
        mkdir -p usr/lib/ab usr/share/thing && echo found > usr/lib/ab/file && echo found > usr/share/thing/file
        cat > $D/open.c <<'END'
        #include <fcntl.h>
        #include <pthread.h>
        #include <stdio.h>
        #include <sys/stat.h>
        #include <sys/wait.h>
        #include <unistd.h>
        static void *look(void *unused) {
            char text[64];
            snprintf(text, sizeof text, "%s/file", PLACE);
            int file = open(text, O_RDONLY);
            struct stat status;
            stat(PLACE, &status);
            puts(file >= 0 && read(file, text, 6) == 6 ? "found" : "nothing");
            fflush(stdout);
            return unused;
        }
        static void *fork_and_look(void *unused) {
            if (fork() == 0) { look(0); _exit(0); }
            wait(0);
            return unused;
        }
        int main(void) {
            pthread_t thread;
            if (!THREADS) return look(0) != 0;
            pthread_create(&thread, 0, fork_and_look, 0);
            return pthread_join(thread, 0);
        }
        END
        build() { gcc -O1 -static "-DPLACE=\\"$2\\"" -DTHREADS=$3 $D/open.c -o usr/bin/$1; }
        build whole /usr/share/thing 0 && build left /usr/lib/ab 0 && build threads /usr/lib/ab 1 || exit 97
        """

    private static let install = """
        $S install $D/traced --name box --version 1 --expose sh,cat,sleep,whole,left,threads > /dev/null || exit 98
        B=$HOME/.local/share/sxs/profiles/default/current/bin
        [ $(id -u) != 0 ] || B=/var/lib/sxs/profiles/default/current/bin
        T="$S report --trace --json --output $HOME/trace --"
        """

    private func use(_ script: String, as user: Machine.User) throws -> Outcome {
        let outcome = try machine.run(Self.install + "\n" + script, as: user, before: Self.image)
        try #require(outcome.status != 97 && outcome.status != 98, "\(outcome.errors)")
        return outcome
    }

    private func report() throws -> Report {
        let file = URL(fileURLWithPath: machine.directory + "/home/trace")
        return try JSONDecoder().decode(Report.self, from: Data(contentsOf: file))
    }

    @Test(arguments: Machine.User.allCases) func aMovedPathIsNotTouched(_ user: Machine.User) throws {
        let outcome = try use("$T whole", as: user)
        #expect(outcome.output == "found\n" && outcome.errors == "" && outcome.status == 0)
        let package = try #require(try report().packages.first)
        #expect(package.name == "box" && package.touched.isEmpty)
        #expect(try report().calls > 0)
    }

    @Test(arguments: Machine.User.allCases, ["left", "threads"])
    func aLeftPathIsShown(_ user: Machine.User, program: String) throws {
        let outcome = try use("$T \(program)", as: user)
        #expect(outcome.output == "nothing\n" && outcome.errors == "" && outcome.status == 0)
        let touched = try #require(try report().packages.first).touched
        #expect(touched.map(\.path) == ["/usr/lib/ab", "/usr/lib/ab/file"])
        #expect(touched.allSatisfy { $0.count == 1 && !$0.exists && $0.programs == ["usr/bin/\(program)"] })
    }

    /// strace sees the same calls; what the program itself does is between its execve and its end.
    @Test func straceSeesTheSame() throws {
        let outcome = try use(
            """
            $T sh -c "$B/left; cd /usr/lib; $B/cat ab/file ./ab//file" > /dev/null 2>&1
            strace -f -qq -e trace=%file -o $D/home/strace \
                sh -c "$B/left; cd /usr/lib; $B/cat ab/file ./ab//file" > /dev/null 2>&1
            grep -v execve $D/home/strace > $D/home/calls
            grep -cE '"(/usr/lib/ab/file|ab/file|./ab//file)"' $D/home/calls; grep -cE '"/usr/lib/ab"' $D/home/calls
            """, as: .superuser)
        let touched = try #require(try report().packages.first).touched
        let counts = Dictionary(uniqueKeysWithValues: touched.map { ($0.path, $0.count) })
        let seen = outcome.lines.compactMap { Int($0) }
        #expect(seen == [3, 1])
        #expect(counts == ["/usr/lib/ab/file": seen.first, "/usr/lib/ab": seen.last])
    }

    @Test(arguments: Machine.User.allCases) func theCommandDoesNotNotice(_ user: Machine.User) throws {
        let outcome = try use(
            """
            $T sh -c 'exit 7'; echo $?
            $T sh -c 'kill -TERM $$'; echo $?
            $T sh -c 'kill -PIPE $$; echo ignored'; echo $?
            $T no-such-program; echo $?
            $T /etc/passwd; echo $?
            seq 100000 | $T cat | md5sum; seq 100000 | md5sum
            cd / && $T sh -c 'pwd; cat' < /dev/null
            # A signal that is sent to sxs is for the command, which may do something about it.
            timeout --preserve-status -s TERM 1 $T sh -c 'trap "echo caught; exit 5" TERM; while :; do sleep 0.1; done'
            echo $?
            """, as: user)
        let sum = outcome.lines.dropFirst(5).first ?? ""
        #expect(
            outcome.lines == ["7", "143", "141", "127", "126", sum, sum, "/", "caught", "5"],
            "\(outcome.errors)")
        #expect(sum.hasSuffix(" -") || sum.hasSuffix("-"))
    }

    /// As a terminal does, the signal goes to the whole group: the command decides, and the report is written.
    @Test func anInterruptIsTheCommands() throws {
        let outcome = try use(
            """
            env --default-signal=INT setsid --wait sh -c 'echo $$ > $HOME/group; trap : INT; '"$T"' sh -c "trap \\"echo caught; exit 5\\" INT; echo started; while :; do sleep 0.1; done"; echo $?' > $HOME/out &
            until grep -q started $HOME/out; do sleep 0.1; done
            /bin/kill -INT -- -$(cat $HOME/group); wait; cat $HOME/out
            """, as: .superuser)
        #expect(outcome.lines == ["started", "caught", "5"], "\(outcome.errors)")
        #expect(try report().calls > 0)
    }

    /// What a command leaves running goes on as if nobody had looked, and nobody waits for it.
    @Test(arguments: Machine.User.allCases) func whatIsLeftRunningGoesOn(_ user: Machine.User) throws {
        let outcome = try use(
            """
            $T sh -c '(sleep 2; cat /usr/lib/ab/file; cat /proc/version; echo end) > $HOME/later 2>&1 & exit 3' | cat
            test -s $HOME/later && echo "it waited"
            i=0; until grep -q end $HOME/later || [ $i = 100 ]; do sleep 0.1; i=$((i + 1)); done
            grep -c 'No such file' $HOME/later; grep -c '^Linux' $HOME/later
            """, as: user)
        #expect(outcome.lines == ["1", "1"], "\(outcome.errors)")
    }

    @Test func textGoesToStandardError() throws {
        let outcome = try use("$S report --trace -- left; $S report --trace -- true", as: .ordinary)
        #expect(outcome.output == "nothing\n")
        #expect(
            outcome.errors.contains("trace: box 1: 2 paths of the host that its image has\n"),
            "\(outcome.errors)")
        #expect(outcome.errors.contains("missing  1  /usr/lib/ab/file  open"), "\(outcome.errors)")
        #expect(outcome.errors.hasSuffix("trace: no program of the store ran\n"), "\(outcome.errors)")
    }

    @Test(arguments: [
        "report --trace", "report", "report box --trace -- true", "report box -- true",
        "report --trace --file a -- true",
        "report box --output x", "report box --limit -1",
    ])
    func commandLinesWithoutSenseAreRefused(_ line: String) throws {
        let outcome = try machine.run("$S \(line)", as: .ordinary)
        #expect(outcome.status == 64 && outcome.output.isEmpty)
    }

    @Test func aFileThatCannotBeWrittenIsToldBeforeTheCommandRuns() throws {
        let outcome = try use("$S report --trace --output /nowhere/x -- sh -c 'echo ran'", as: .ordinary)
        #expect(outcome.status == 1 && outcome.output.isEmpty)
        #expect(outcome.errors.contains("/nowhere/x"))
    }
}
