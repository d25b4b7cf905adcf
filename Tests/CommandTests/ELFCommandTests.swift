import Foundation
import Testing

/// `sxs elf` beside patchelf: the same answers, the same exit statuses, and files as they ought to be afterwards.
@Suite struct ELFCommandTests {
    let machine: Machine

    init() throws {
        machine = try Machine()
        let outcome = try machine.run(
            """
            cd $D && mkdir bin && cp -L /bin/true /bin/bash /lib/x86_64-linux-gnu/libm.so.6 /bin/busybox bin
            echo 'int main(void) { return 0; }' > main.c && gcc -o bin/main main.c
            echo 'int one(void) { return 1; }' > one.c && gcc -shared -o libone.so -Wl,-soname,libone.so one.c
            echo 'extern int one(void); int main(void) { return one(); }' > two.c
            gcc -o bin/two two.c libone.so -Wl,-rpath,/nowhere:$D:relative:/lib/x86_64-linux-gnu
            """, as: .superuser)
        try #require(outcome.status == 0, "\(outcome.errors)")
    }

    /// Runs a script with both tools as `$E` for each of some options as `$O`, with fresh files in the same place.
    ///
    /// - Returns: What was printed for each of the options by sxs, and by patchelf.
    private func both(_ script: String, for options: [String]) throws -> [(
        option: String, ours: [String], theirs: [String]
    )] {
        let blocks = options.map {
            "echo '=='; rm -rf $D/work; cp -a $D/bin $D/work; cd $D/work; O='\($0)'; \(script)"
        }
        let outcomes = try ["$S elf", "patchelf"].map { tool in
            try machine.run("E=\"\(tool)\"; \(blocks.joined(separator: "\n"))", as: .superuser).output
                .split(separator: "==\n").map { $0.split(separator: "\n").map(String.init) }
        }
        try #require(outcomes.allSatisfy { $0.count == options.count })
        return options.indices.map { (options[$0], outcomes[0][$0], outcomes[1][$0]) }
    }

    @Test func answersArePatchelfs() throws {
        let questions = [
            "--print-interpreter", "--print-rpath", "--print-needed", "--print-soname",
            "--print-interpreter --print-needed --print-rpath",
        ]
        let answers = try both(
            "for file in *; do $E $O $file 2> /dev/null; echo $file $?; done; $E $O true two", for: questions)
        for (option, ours, theirs) in answers {
            #expect(ours == theirs, "\(option)")
            #expect(ours.contains("two 0"))
            #expect(ours.contains("busybox 0") == (option == "--print-soname"))
        }
    }

    @Test func changesArePatchelfs() throws {
        let changes = [
            "--set-interpreter /a/loader/with/a/name/that/is/longer/than/before.so",
            "--set-interpreter /short",
            "--interpreter @../value", "--set-rpath /x:/y", "--set-rpath @../value", "--add-rpath /more",
            "--force-rpath --set-rpath /x", "--force-rpath --add-rpath /x", "--remove-rpath",
            "--shrink-rpath",
            "--shrink-rpath --allowed-rpath-prefixes /lib:/usr",
            "--add-needed libm.so.6 --add-needed liba.so",
            "--remove-needed libone.so", "--replace-needed libone.so libtwo.so", "--no-default-lib",
            "--set-soname new.so", "--page-size 65536 --set-rpath /somewhere/else/far/away", "--set-rpath -x",
        ]
        let results = try both(
            """
            printf '/value/of/a/file' > ../value
            for file in main two; do
                $E $O $file; echo $?
                readelf -dlW $file | grep -E 'NEEDED|PATH|SONAME|FLAGS_1|interpreter:' | sed 's/.*(/(/'
            done
            """, for: changes)
        for (option, ours, theirs) in results {
            #expect(ours == theirs, "\(option)")
            #expect(ours.filter { $0 == "0" }.count == 2, "\(option)")
        }
    }

    @Test func mistakesAreExplainedAndChangeNothing() throws {
        let mistakes = [
            "", "--set-rpath", "--replace-needed a main", "--output x --set-rpath /x main two", "nowhere",
            "../main.c",
            "--set-rpath /x --add-rpath /y main", "--set-rpath @nowhere main", "--page-size 0 main",
            "--no-such-option main", "--set-interpreter /x busybox", "--set-rpath /x busybox",
            "--print-interpreter libm.so.6", "/dev",
        ]
        let results = try both(
            """
            md5sum * > ../before; $E $O 2> ../errors; echo $?; md5sum * | cmp - ../before && ls -A | wc -l
            case $E in */sxs*) grep -c -e '^sxs: ' -e '^hint: ' ../errors ;; *) echo 2 ;; esac
            """, for: mistakes)
        for (option, ours, theirs) in results {
            #expect(ours == ["1", "6", "2"] && theirs == ours, "\(option): \(ours), \(theirs)")
        }
    }

    @Test func modeOwnerAndLinksStay() throws {
        let outcome = try machine.run(
            """
            cd $D/bin; chown 7:8 two; chmod 6751 two; ln two hard; ln -s two soft; md5sum < hard > ../before
            umask 077; $S elf --set-rpath /somewhere/longer/than/what/was/there/before/this soft || exit
            stat -c '%a %u %g' two; readlink soft; md5sum < hard | cmp - ../before; $S elf --print-rpath two
            $S elf --set-rpath /x --output ../new two; stat -c %a ../new; $S elf --print-rpath ../new two
            $S elf --set-rpath /x --output /dev/stdout two | cmp - ../new && $S elf --json ../new | grep -c '"/x"'
            ls -A | wc -l
            """, as: .superuser)
        let path = "/somewhere/longer/than/what/was/there/before/this"
        #expect(outcome.lines == ["6751 7 8", "two", path, "700", "/x", path, "1", "8"], "\(outcome.errors)")
    }

    @Test func nothingIsLeftWhereTheDirectoryCannotBeWritten() throws {
        let outcome = try machine.run(
            "cd $D/bin; $S elf --set-rpath /a/longer/path/than/there/was/before/in/it two; echo $?; ls -A | wc -l",
            as: .ordinary, before: "chmod 755 $D/bin; chmod 666 $D/bin/*")
        #expect(outcome.lines == ["1", "6"])
        #expect(outcome.errors.contains("cannot create"))
    }

    @Test func theStackIsAskedForAndChanged() throws {
        let outcome = try machine.run(
            """
            cd $D/bin; for option in --print --set --print --clear --print; do $S elf $option-execstack main || exit; done
            $S elf --add-debug-tag libm.so.6; readelf -d libm.so.6 | grep -c DEBUG; ./main; echo $?
            """, as: .superuser)
        #expect(outcome.lines == ["execstack: -", "execstack: X", "execstack: -", "1", "0"])
    }
}
