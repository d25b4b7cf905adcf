import Foundation
import Testing

/// The program as people use it: installed by it, started through its launchers, `sxs run` and `sxs shell`.
@Suite struct CommandTests {
    let machine: Machine

    init() throws { machine = try Machine() }

    /// Installs, then runs a script in which `$B` is where the commands are.
    private func use(_ script: String, as user: Machine.User, before: String = "") throws -> Outcome {
        try machine.run(
            """
            \(Machine.install) > /dev/null || exit 98
            B=$HOME/.local/share/sxs/profiles/default/current/bin
            [ $(id -u) != 0 ] || B=/var/lib/sxs/profiles/default/current/bin
            \(script)
            """, as: user, before: before)
    }

    @Test(arguments: Machine.User.allCases) func exitStatusAndSignalsPassThrough(_ user: Machine.User) throws
    {
        let outcome = try use(
            """
            for command in "$B/sh" "$S run box --command sh --" "$S shell -- sh"; do
                $command -c 'exit 7'; echo $?
                $command -c 'kill -TERM $$'; echo $?
                $command -c 'exec sleep 30' & sleep 0.5; kill -TERM $!; wait $!; echo $?
                # A program that writes to nobody dies, unless it was told to ignore that.
                $command -c 'kill -PIPE $$; echo ignored'; echo $?
            done 2>/dev/null
            """, as: user)
        #expect(outcome.lines == Array(repeating: ["7", "143", "143", "141"], count: 3).flatMap { $0 })
    }

    @Test(arguments: Machine.User.allCases) func directoryInputAndEnvironmentAreKept(_ user: Machine.User)
        throws
    {
        let outcome = try use(
            """
            mkdir "$HOME/a dir" && cd "$HOME/a dir"
            export ODD='a  b' EMPTY=
            for command in "$B/" "$S run box --command "; do
                case $command in *run*) end=' --' ;; *) end= ;; esac
                ${command}pwd$end
                seq 100000 | ${command}cat$end | md5sum
                env | grep -v -e ^PATH= -e ^_= | sort > ../outside
                ${command}env$end | grep -v -e ^PATH= -e ^_= | sort | cmp - ../outside && echo same
            done
            seq 100000 | md5sum
            """, as: user)
        #expect(outcome.errors == "")
        let sum = try #require(outcome.lines.last)
        let half = [machine.directory + "/home/a dir", sum, "same"]
        #expect(outcome.lines == half + half + [sum])
    }

    @Test func whatIsNotThereIsExplainedWithTheShellsStatus() throws {
        let outcome = try use("$S shell -- no-such-program", as: .ordinary)
        #expect(outcome.status == 127)
        #expect(outcome.errors.contains("cannot run no-such-program: no such file or directory"))
        #expect(!outcome.errors.contains("damaged"))
        let package = try use("$S run no-such-package", as: .ordinary)
        #expect(package.status == 1)
        #expect(package.errors.contains("no package 'no-such-package'"))
    }

    @Test(arguments: Machine.User.allCases) func aHintSetsWhatItsProgramsGet(_ user: Machine.User) throws {
        let outcome = try machine.run(
            """
            printf '%s\\n' 'sxs-hints 1' 'program env' 'environment BOX_HOME={store-path}/usr' \\
                'program cat' 'namespace never' > $HOME/box.hints
            $S hint add $HOME/box.hints > /dev/null && \(Machine.install) > /dev/null || exit 98
            B=$HOME/.local/share/sxs/profiles/default/current/bin
            [ $(id -u) != 0 ] || B=/var/lib/sxs/profiles/default/current/bin
            $B/env | grep -c '^BOX_HOME=/usr/store/[0-9a-z]*-box-1/usr$'
            BOX_HOME=mine $B/env | grep '^BOX_HOME'
            $S run box --command env | grep -c '^BOX_HOME=/usr/store/'
            $B/sh -c 'echo "${BOX_HOME-none}"'
            $B/cat /dev/null; echo $?
            $S shell -- $B/cat /dev/null; echo $?
            """, as: user)
        #expect(outcome.lines == ["1", "BOX_HOME=mine", "1", "none", "126", "0"])
        #expect(outcome.errors.contains("its hint says 'namespace never'"))
        #expect(outcome.errors.contains("\nhint: as root, make /usr/store a link to "))
    }

    @Test func commandsOfTheGenerationBeforeStartAfterARollback() throws {
        let outcome = try machine.run(
            """
            $S install $D/image --name box --version 1 --expose sh > /dev/null
            $S install box --expose cat > /dev/null
            B=$HOME/.local/share/sxs/profiles/default/current/bin
            echo text | $B/cat; ls $B
            $S rollback > /dev/null && $B/sh -c 'echo started'; ls $B
            """, as: .ordinary)
        #expect(outcome.errors == "")
        #expect(outcome.lines == ["text", "cat", "started", "sh"])
    }

    @Test func theSystemsStoreIsForEveryUserWhateverTheUmask() throws {
        let outcome = try machine.run(
            """
            /var/lib/sxs/profiles/default/current/bin/sh -c 'echo started'
            $S list --root /var/lib/sxs
            """, as: .ordinary, before: "umask 077; \(Machine.install)")
        #expect(outcome.lines.first == "started")
        #expect(outcome.lines.dropFirst().first?.hasPrefix("box") == true)
    }

    @Test func theUsersStoreAndTheSystemsAppearTogether() throws {
        let outcome = try machine.run(
            """
            $S install $D/image --name mine --version 2 --expose sh > /dev/null || exit 98
            own=$HOME/.local/share/sxs/profiles/default/current/bin/sh
            system=/var/lib/sxs/profiles/default/current/bin/sh
            $own -c 'ls /usr/store' | cut -d- -f2-
            $own -c "$system -c 'echo nested'"
            $system -c "$own -c 'echo nested'"
            ln -s /usr/store/elsewhere $HOME/.local/share/sxs/aliases/clash
            $own -c 'echo started'
            """, as: .ordinary,
            before: "\(Machine.install) && ln -s /usr/store/here /var/lib/sxs/aliases/clash.new")
        #expect(outcome.lines.prefix(4).sorted() == ["box-1", "mine-2", "nested", "nested"])
        #expect(outcome.lines.last == "started")
        let clash = try machine.run(
            """
            ln -s /usr/store/elsewhere $HOME/.local/share/sxs/aliases/both
            exec $HOME/.local/share/sxs/profiles/default/current/bin/sh -c 'echo started'
            """, as: .ordinary,
            before: "\(Machine.install) && ln -s /usr/store/here /var/lib/sxs/aliases/both")
        #expect(clash.status == 126)
        #expect(clash.output == "")
        #expect(clash.errors.contains("alias 'both' stands for"))
        #expect(clash.errors.contains("hint: "))
    }

    @Test(arguments: Machine.User.allCases) func seedsAreShownByLaunchersAndShells(_ user: Machine.User)
        throws
    {
        let outcome = try use(
            """
            $B/cat /etc/ssl/certs/file; $S shell -- cat /etc/ssl/certs/file; $S run box --command cat -- /etc/ssl/certs/file
            ls -A /etc
            """, as: user, before: "mount -t tmpfs -o mode=755 none /etc")
        #expect(outcome.lines == ["a seed", "a seed", "a seed"])
        #expect(outcome.errors == "")
    }

    @Test func aShellOnATerminalHasIt() throws {
        let outcome = try use(
            """
            (sleep 1; printf 'test -t 0 && echo term""inal\\n'; sleep 1; printf 'cat\\n'; sleep 1; printf '\\003'
            sleep 1; printf 'echo status-$?\\n'; sleep 1; printf 'exit 5\\n'; sleep 1) |
                script --quiet --return --command "env SHELL=/bin/bash $S shell" /dev/null
            """, as: .ordinary)
        #expect(outcome.status == 5)
        #expect(outcome.output.contains("terminal\r\n"))
        // Ctrl-C ended the program in the foreground, not the shell.
        #expect(outcome.output.contains("status-130\r\n"))
    }
}
