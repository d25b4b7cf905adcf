import Foundation
import Testing

/// Images that leave the C library to the host: a program with private libraries, as an extension for /usr has them.
@Suite struct HostLoaderTests {
    /// A program that needs one library, which needs another, and opens a third by its name.
    private static func writeImage(in fixture: WalkFixture, options: String) throws {
        try fixture.run("mkdir", ["-p", "src"])
        for (name, text) in [
            ("inner.c", "int inner(void) { return 40; }"),
            ("outer.c", "int inner(void); int outer(void) { return inner() + 1; }"),
            ("plugin.c", "int extra(void) { return 1; }"),
            (
                "main.c",
                """
                #include <dlfcn.h>
                #include <stdio.h>
                int outer(void);
                int main(void) {
                    void *plugin = dlopen("libsxsplugin.so", RTLD_NOW);
                    if (!plugin) return puts(dlerror()), 1;
                    int (*extra)(void) = (int (*)(void))dlsym(plugin, "extra");
                    char line[64];
                    FILE *data = fopen("/usr/share/answer/data", "r");
                    if (!data || !fgets(line, sizeof line, data)) return 2;
                    printf("%s %d\\n", line, outer() + extra());
                }
                """
            ),
        ] { try fixture.write("src/\(name)", text, in: fixture.directory) }
        try fixture.write("usr/share/answer/data", "data")
        try fixture.run(
            "sh",
            [
                "-euc",
                """
                libraries=tree/usr/lib/x86_64-linux-gnu
                mkdir -p $libraries tree/usr/bin
                gcc -shared -fPIC -o $libraries/libsxsinner.so.1 -Wl,-soname,libsxsinner.so.1 src/inner.c
                gcc -shared -fPIC -o $libraries/libsxsouter.so.1 -Wl,-soname,libsxsouter.so.1 src/outer.c \
                    $libraries/libsxsinner.so.1
                gcc -shared -fPIC -o $libraries/libsxsplugin.so src/plugin.c
                gcc \(options) -o tree/usr/bin/answer src/main.c $libraries/libsxsouter.so.1 \
                    -Wl,-rpath-link,$libraries -ldl
                tar -C tree -cf answer-1.tar .
                """,
            ])
    }

    @Test(arguments: [
        "-pie -fPIE", "-no-pie", "-no-pie -s", "-pie -fPIE -Wl,-z,separate-code -Wl,--disable-new-dtags",
    ])
    func privateLibrariesAreFoundBesideTheHostsLoader(options: String) throws {
        let fixture = try WalkFixture()
        try Self.writeImage(in: fixture, options: options)
        let outcome = try ProgramTests.run(
            "sxs install ./answer-1.tar >/dev/null && sxs run answer", in: fixture)
        #expect(outcome.status == 0 && outcome.output == "data 42\n", "\(outcome)")

        let report = try ProgramTests.run("sxs report answer --json", in: fixture)
        #expect(report.output.contains("libc.so.6") && !report.output.contains("\"libsxsinner.so.1\""))
        #expect(try ProgramTests.run("sxs verify", in: fixture).status == 0)
    }

    @Test func aStaticProgramNeedsNothing() throws {
        let fixture = try WalkFixture()
        try Self.writeImage(in: fixture, options: "-pie -fPIE")
        try fixture.write(
            "src/static.c",
            """
            #include <stdio.h>
            int main(void) {
                char line[64];
                FILE *data = fopen("/usr/share/answer/data", "r");
                return !data || !fgets(line, sizeof line, data) || puts(line) < 0;
            }
            """, in: fixture.directory)
        for options in ["-static", "-static-pie"] {
            try fixture.run(
                "sh",
                [
                    "-euc",
                    """
                    rm -rf tree/usr/lib
                    gcc \(options) -o tree/usr/bin/answer src/static.c
                    tar -C tree -cf answer\(options)-1.tar .
                    """,
                ])
            let outcome = try ProgramTests.run(
                "sxs install ./answer\(options)-1.tar --name answer\(options) >/dev/null && sxs run answer\(options)"
                    + " --command answer && sxs remove answer\(options) >/dev/null", in: fixture)
            #expect(outcome.status == 0 && outcome.output == "data\n", "\(outcome)")
        }
    }
}
