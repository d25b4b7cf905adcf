import Files
import Foundation
import Images
import StoreLayout
import Testing

@testable import Operations
@testable import Relocation

/// Packages of distributions become one store path.
@Suite struct PackageTests {
    private let fixture: WalkFixture

    init() throws { fixture = try WalkFixture() }

    private func importAll(
        _ packages: [String], name: String? = nil, root: String = "root", slim: Set<Slimming> = []
    ) throws -> Metadata {
        var options = ImportOptions(name: try name.map { try PackageName($0) })
        options.packages.slim = slim
        return try fixture.session(root).importImages(packages, options: options).metadata
    }

    private func read(_ path: String, of package: Metadata, root: String = "root") throws -> String {
        var place = fixture.directory.appending(path: "\(root)/store/\(package.storePath)/\(path)").path
        // Links into the store lead, seen from outside, nowhere.
        let prefix = StoreLayout.storeDirectory + "/"
        while let target = try? FileManager.default.destinationOfSymbolicLink(atPath: place),
            target.hasPrefix(prefix)
        {
            place = fixture.directory.appending(path: "\(root)/store/\(target.dropFirst(prefix.count))").path
        }
        return try String(contentsOfFile: place, encoding: .utf8)
    }

    private func exists(_ path: String, of package: Metadata) -> Bool {
        FileManager.default.fileExists(
            atPath: fixture.directory.appending(path: "root/store/\(package.storePath)/\(path)").path)
    }

    @Test func severalGiveOneStorePathInAnyOrder() throws {
        let one = try fixture.deb(
            "one", files: ["bin/one": "#!/bin/sh\n", "usr/share/doc/one/copyright": "free"],
            control: "Source: both (7)")
        let two = try fixture.deb("two", files: ["usr/bin/two": "#!/bin/sh\n", "lib/two": "x"])
        let first = try importAll([one, two], name: "tools")
        let second = try importAll([two, one], name: "tools", root: "other")
        #expect(first.tree == second.tree)
        // The version is the first one's, which is the same here.
        #expect(first.storePath == second.storePath)
        #expect(first.version == "1.0-1")
        #expect(first.exposure.commands.map(\.path) == ["usr/bin/one", "usr/bin/two"])
        #expect(first.packages?.map(\.name) == ["one", "two"])
        #expect(first.packages?.map(\.source) == ["both", "two"])
        #expect(first.packages?.first?.summary == "the package one")
        // The merge of /usr is a link.
        #expect(try read("lib/two", of: first) == "x")
        #expect(try read("usr/lib/two", of: first) == "x")
        let link = fixture.directory.appending(path: "root/store/\(first.storePath)/bin").path
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "usr/bin")
    }

    @Test func theNamedPackageGivesVersionAndCommands() throws {
        let library = try fixture.deb("a-library", version: "9", files: ["usr/bin/helper": "#!/bin/sh\n"])
        let program = try fixture.deb(
            "program", version: "2:3.1-4", files: ["usr/bin/program": "#!/bin/sh\n"])
        let metadata = try importAll([library, program], name: "program")
        #expect(metadata.version == "3.1-4")
        #expect(metadata.exposure.commands.map(\.name) == ["program"])
        #expect(metadata.summary == "the package program")
    }

    @Test func filesThatDifferAreRefusedAndEqualOnesShared() throws {
        let one = try fixture.deb("one", files: ["usr/bin/x": "#!/bin/sh\n", "usr/share/same": "same"])
        let two = try fixture.deb("two", files: ["usr/share/same": "same", "usr/share/other": "2"])
        _ = try importAll([one, two], name: "fine")
        for files in [["usr/share/same": "other"], ["usr/share/same": "->other"], ["usr/share/same/x": ""]] {
            let three = try fixture.deb("three", files: files)
            let error = #expect(throws: (any Error).self) { try importAll([one, three], name: "bad") }
            let text = error.map { "\($0)" } ?? ""
            #expect(text.contains("one 1.0-1") || text.contains("usr/share/same"), "\(text)")
        }
        let message = #expect(throws: PackageError.self) {
            try importAll([one, fixture.deb("three", files: ["usr/share/same": "other"])], name: "bad")
        }
        #expect(
            message
                == .conflict(path: "usr/share/same", first: "one 1.0-1 (all)", second: "three 1.0-1 (all)"))
        let replacing = try fixture.deb(
            "zebra", files: ["usr/share/same": "zebra's"], control: "Replaces: one (<< 2), other")
        let replaced = try importAll([one, replacing], name: "replaced")
        #expect(try read("usr/share/same", of: replaced) == "zebra's")
        let before = try fixture.deb("ant", files: ["usr/share/same": "ant's"], control: "Replaces: one")
        #expect(try read("usr/share/same", of: importAll([one, before], name: "before")) == "ant's")
    }

    @Test func aPackageOfTwoVersionsAndOfTwoFormatsIsRefused() throws {
        let one = try fixture.deb("one", files: ["usr/bin/x": "#!/bin/sh\n"])
        let newer = try fixture.deb("one", version: "2", files: ["usr/bin/x": "#!/bin/sh\n"])
        #expect(throws: PackageError.twice(name: "one", versions: ["1.0-1", "2"])) {
            try importAll([one, newer])
        }
        let other = try fixture.pacman("other", files: ["usr/bin/y": "#!/bin/sh\n"])
        #expect(throws: PackageError.self) { try importAll([one, other]) }
        // The same file twice is one.
        #expect(try importAll([one, one]).packages?.count == 1)
    }

    @Test func alternativesAndDiversionsAreDone() throws {
        let vi = { (name: String, priority: Int) in
            try fixture.deb(
                name,
                files: [
                    "usr/bin/\(name)": "#!/bin/sh\necho \(name)\n", "usr/share/man/man1/\(name).1": name,
                ],
                scripts: [
                    "postinst": """
                    #!/bin/sh
                    set -e
                    if [ "$1" = "configure" ]; then
                        for i in vi view; do
                            update-alternatives --install /usr/bin/$i $i /usr/bin/\(name) \(priority) \\
                                --slave /usr/share/man/man1/$i.1 $i.1 /usr/share/man/man1/\(name).1 \\
                                --slave /usr/share/man/man1/x.1 x.1 /usr/share/man/man1/none.1
                        done
                        update-alternatives --install /usr/bin/gone gone /usr/bin/gone-\(name) 1
                        frobnicate --all
                    fi
                    """
                ])
        }
        let diverting = try fixture.deb(
            "diverting", files: ["usr/bin/tiny": "#!/bin/sh\necho new\n"],
            scripts: [
                "preinst": """
                #!/bin/sh
                dpkg-divert --package diverting --add --rename --divert /bin/tiny.old /bin/tiny
                """
            ])
        let metadata = try importAll([vi("tiny", 10), vi("huge", 50), diverting], name: "editors")
        #expect(try read("usr/bin/vi", of: metadata) == "#!/bin/sh\necho huge\n")
        #expect(try read("usr/share/man/man1/view.1", of: metadata) == "huge")
        #expect(!exists("usr/bin/gone", of: metadata))
        #expect(!exists("usr/share/man/man1/x.1", of: metadata))
        #expect(try read("usr/bin/tiny", of: metadata) == "#!/bin/sh\necho new\n")
        #expect(try read("usr/bin/tiny.old", of: metadata) == "#!/bin/sh\necho tiny\n")
        let finishing = try #require(metadata.finishing)
        #expect(finishing.alternatives["/usr/bin/vi"] == "/usr/bin/huge")
        #expect(finishing.diversions == ["bin/tiny": "bin/tiny.old"])
        #expect(finishing.scripts.map(\.programs) == [["frobnicate"], ["frobnicate"]])
    }

    @Test func manualsAreListedAndDocumentationIsLeftOut() throws {
        let manual = """
            INFO-DIR-SECTION Editors
            START-INFO-DIR-ENTRY
            * One: (one).   The first.
            END-INFO-DIR-ENTRY

            """
        let one = try fixture.deb(
            "one",
            files: [
                "usr/bin/one": "#!/bin/sh\n", "usr/share/info/one.info": manual,
                "usr/share/doc/one/copyright": "free", "usr/share/doc/one/README": "long",
                "usr/include/one.h": "h", "usr/share/locale/de/LC_MESSAGES/one.mo": "mo",
                "usr/share/locale/en_GB/LC_MESSAGES/one.mo": "mo", "usr/lib/one/x.a": "a",
            ])
        let whole = try importAll([one])
        #expect(try read("usr/share/info/dir", of: whole).contains("Editors\n* One: (one).   The first.\n"))
        let slim = try importAll([one], slim: [.documentation, .development, .locales])
        for path in [
            "usr/share/doc/one/README", "usr/include", "usr/share/locale/de", "usr/lib/one/x.a",
            "usr/share/info",
        ] {
            #expect(exists(path, of: whole) && !exists(path, of: slim), "\(path)")
        }
        for path in [
            "usr/bin/one", "usr/share/doc/one/copyright", "usr/share/locale/en_GB/LC_MESSAGES/one.mo",
        ] {
            #expect(exists(path, of: slim), "\(path)")
        }
        let slimming = try #require(slim.finishing?.slimming)
        #expect(slimming.sizeBefore > slimming.sizeAfter && slimming.count == 5)
    }

    @Test func slimmingLeavesWhatSomethingNeeds() throws {
        let one = try fixture.deb(
            "one",
            files: [
                "usr/bin/one":
                    "#!/bin/sh\n# /usr/share/doc/one/comment\n. /usr/share/doc/one/functions\necho $d/usr/share/doc/one/x\n",
                "usr/share/doc/one/functions": "cat /usr/share/doc/one/never\n",
                "usr/share/doc/one/comment": "x", "usr/share/doc/one/never": "x", "usr/share/doc/one/x": "x",
                "usr/bin/two": "#!/usr/share/doc/one/run\n", "usr/share/doc/one/run": "#!/bin/sh\n",
                "usr/share/doc/one/copyright": "free",
                // A link to a link, to a directory, and through one.
                "usr/share/one/help": "->../doc/one/first", "usr/share/doc/one/first": "->second",
                "usr/share/doc/one/second": "x", "usr/share/one/all": "->/usr/share/doc/one/html",
                "usr/share/doc/one/html/deep/a": "a", "usr/share/doc/one/html/b": "b",
                "usr/share/one/words.txt": "/usr/share/doc/one/words\n", "usr/share/doc/one/words": "x",
                "usr/share/man/man1/one.1": "x",
            ])
        let slim = try importAll([one], slim: [.documentation])
        for path in ["functions", "run", "first", "second", "html/deep/a", "html/b", "copyright"] {
            #expect(exists("usr/share/doc/one/\(path)", of: slim), "\(path) is gone")
        }
        for path in ["comment", "never", "x", "words"] {
            #expect(!exists("usr/share/doc/one/\(path)", of: slim), "\(path) is there")
        }
        let slimming = try #require(slim.finishing?.slimming)
        #expect(slimming.count == 5 && slimming.kept == 6 && slimming.readers == nil)
        #expect(slimming.text.contains("5 files left out, 6 kept that something needs"))
    }

    @Test func whatProgramsNameAndProgramsThemselvesAreNotSlimmed() throws {
        // Two strings of a program: a path and nothing else, and one in a sentence.
        let source = try fixture.deb("empty", files: ["usr/share/empty/x": "x"])
        let top = fixture.directory.appending(path: "compiled")
        try fixture.write(
            "one.c",
            """
            #include <stdio.h>
            int main(void) {
                puts("/usr/share/doc/one/opened");
                puts("see /usr/share/doc/one/mentioned");
                return 0;
            }
            """, in: top)
        try fixture.run("mkdir", ["-p", top.appending(path: "tree/usr/bin").path])
        try fixture.run(
            "gcc", ["-o", top.appending(path: "tree/usr/bin/one").path, top.appending(path: "one.c").path])
        try fixture.run("mkdir", ["-p", top.appending(path: "tree/usr/share/doc/one").path])
        try fixture.run(
            "cp",
            [
                top.appending(path: "tree/usr/bin/one").path,
                top.appending(path: "tree/usr/share/doc/one/example").path,
            ])
        for name in ["opened", "mentioned"] {
            try fixture.write("tree/usr/share/doc/one/\(name)", "x", in: top)
        }
        try fixture.write(
            "tree/DEBIAN/control",
            "Package: one\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: one\n",
            in: top)
        let package = fixture.directory.appending(path: "one.deb").path
        try fixture.run(
            "dpkg-deb", ["--root-owner-group", "--build", top.appending(path: "tree").path, package])
        let slim = try importAll([package, source], name: "one", slim: [.documentation])
        #expect(exists("usr/share/doc/one/opened", of: slim) && exists("usr/share/doc/one/example", of: slim))
        #expect(!exists("usr/share/doc/one/mentioned", of: slim))
        #expect(slim.finishing?.slimming?.count == 1 && slim.finishing?.slimming?.kept == 1)
    }

    @Test(arguments: [
        ("usr/lib/gcc/x86_64-linux-gnu/12/cc1", ["usr/include/one.h"]),
        ("usr/bin/x86_64-linux-gnu-ld.bfd", ["usr/lib/one/x.a"]),
        ("usr/bin/clang-14", ["usr/include/one.h"]), ("usr/bin/pkgconf", ["usr/lib/pkgconfig/one.pc"]),
        ("usr/bin/cmake", ["usr/lib/pkgconfig/one.pc", "usr/lib/cmake/one/one.cmake"]),
        ("usr/bin/one", []),
    ])
    func filesForBuildingStayWithTheProgramsThatReadThem(program: String, kept: [String]) throws {
        let files = [
            "usr/include/one.h", "usr/lib/one/x.a", "usr/lib/pkgconfig/one.pc", "usr/lib/cmake/one/one.cmake",
            "usr/share/aclocal/one.m4",
        ]
        let contents = Dictionary(uniqueKeysWithValues: files.map { ($0, $0) })
        let package = try fixture.deb(
            "one", files: contents.merging([program: "#!/bin/sh\n", "usr/bin/show": "#!/bin/sh\n"]) { $1 })
        let slim = try importAll([package], slim: [.development])
        #expect(files.filter { exists($0, of: slim) }.sorted() == kept.sorted())
        let slimming = try #require(slim.finishing?.slimming)
        #expect(slimming.count == files.count - kept.count && slimming.kept ?? 0 == kept.count)
        #expect((slimming.readers == nil) == kept.isEmpty)
    }

    @Test func whatRelocationMissesAndSlimmingTookIsAnError() throws {
        var report = RelocationReport()
        var file = RelocationReport.File(path: "usr/bin/one")
        file.findings = [.library: ["libone.so.1"], .interpreter: ["/usr/share/doc/one/run"]]
        report.files = [file]
        try Session.checkSlimming(["usr/share/doc/one/README"], report, kinds: ["doc"])
        for path: TreePath in ["usr/share/doc/one/run", "usr/include/libone.so.1"] {
            let error = #expect(throws: PackageError.self) {
                try Session.checkSlimming([path], report, kinds: ["doc"])
            }
            #expect(error?.description.contains("which slimming would take away\nhint: ") == true)
        }
    }

    @Test(arguments: ["none", "gzip", "xz", "zstd"])
    func everyCompressionOfDebianIsRead(compression: String) throws {
        let package = try fixture.deb("one", files: ["usr/bin/one": "#!/bin/sh\n"], compression: compression)
        #expect(try importAll([package]).exposure.commands.map(\.name) == ["one"])
    }

    @Test(arguments: ["w6.gzdio", "w6.xzdio", "w3.zstdio", "w9.bzdio", "w5.lzdio", "w.ufdio"])
    func rpmPackagesAreReadWithAllTheySay(compression: String) throws {
        let package = try fixture.rpm(
            "one",
            spec: """
                %description
                x
                %install
                mkdir -p %{buildroot}/usr/bin %{buildroot}/etc %{buildroot}/usr/share/one %{buildroot}/var/log
                printf '#!/bin/sh\\necho one\\n' > %{buildroot}/usr/bin/one
                ln %{buildroot}/usr/bin/one %{buildroot}/usr/bin/uno
                ln -s one %{buildroot}/usr/bin/eins
                echo a=b > %{buildroot}/etc/one.conf
                touch %{buildroot}/usr/share/one/empty %{buildroot}/var/log/one.log
                ln %{buildroot}/usr/share/one/empty %{buildroot}/usr/share/one/void
                %files
                %attr(0755,root,root) %caps(cap_net_raw=ep) /usr/bin/one
                %attr(0755,root,root) /usr/bin/uno
                /usr/bin/eins
                %config(noreplace) /etc/one.conf
                %dir /usr/share/one
                /usr/share/one/empty
                /usr/share/one/void
                %ghost /var/log/one.log
                %post
                alternatives --install /usr/bin/alt alt /usr/bin/one 5
                /sbin/ldconfig
                frobnicate
                """, compression: compression)
        let metadata = try importAll([package])
        #expect(metadata.name == "one" && metadata.version == "2.0-3")
        #expect(
            metadata.packages == [
                PackageRecord(
                    format: "rpm", name: "one", version: "1:2.0-3", architecture: "noarch", source: "one",
                    summary: "the package one", license: "MIT",
                    digest: try Digest(hashing: Data(contentsOf: URL(fileURLWithPath: package))).hex)
            ])
        #expect(metadata.exposure.commands.map(\.name) == ["alt", "eins", "one", "uno"])
        #expect(try read("usr/bin/alt", of: metadata) == "#!/bin/sh\necho one\n")
        #expect(try read("usr/bin/uno", of: metadata) == "#!/bin/sh\necho one\n")
        #expect(try read("usr/share/one/void", of: metadata) == "")
        #expect(!exists("var/log/one.log", of: metadata))
        #expect(metadata.omissions["file capability"] == 1)
        #expect(metadata.finishing?.scripts.map(\.programs) == [["frobnicate"]])
    }

    @Test func packagesOfArchAndAlpineAreRead() throws {
        let arch = try importAll([
            fixture.pacman(
                "one", files: ["usr/bin/one": "#!/bin/sh\n", "etc/one.conf": "x"],
                install: "post_install() {\n  frobnicate\n}\n")
        ])
        #expect(arch.name == "one" && arch.version == "3.0-2")
        #expect(arch.packages?.first?.license == "MIT AND custom:x")
        #expect(arch.finishing?.scripts.first?.programs == ["frobnicate"])
        #expect(!exists(".PKGINFO", of: arch) && exists("etc/one.conf", of: arch))
        let alpine = try importAll([
            fixture.apk("two", files: ["bin/two": "#!/bin/sh\n", "lib/two/x": "x", "usr/lib/y": "y"])
        ])
        #expect(alpine.packages?.first?.format == "apk" && alpine.version == "4.0-r5")
        #expect(alpine.packages?.first?.source == "two-src")
        #expect(alpine.exposure.commands.map(\.path) == ["usr/bin/two"])
        #expect(try read("usr/lib/two/x", of: alpine) == "x" && !exists(".SIGN.RSA.test.rsa.pub", of: alpine))
    }

    @Test func digestsThatWereSaidAreCompared() throws {
        let package = try fixture.deb("one", files: ["usr/bin/one": "#!/bin/sh\n"])
        let right = try Digest(hashing: Data(contentsOf: URL(fileURLWithPath: package)))
        let reference = { try PackageReference(ImageReference(parsing: package), digest: $0) }
        let session = try fixture.session()
        let options = ImportOptions()
        let importOne = { (digest: Digest?) in
            try session.importImage(
                session.open(packages: [reference(digest)], options: options), from: package,
                options: options,
                into: session.openStoreForWriting())
        }
        let result = try importOne(right)
        #expect(result.metadata.packages?.first?.digest == right.hex)
        #expect(throws: ImageError.self) {
            try importOne(Digest(hashing: []))
        }
        #expect(try importOne(nil).wasKnown)
    }

    @Test func packagesAreInstalledExportedAndVerified() throws {
        let package = try fixture.deb(
            "one",
            files: [
                "usr/bin/one": "#!/bin/sh\n",
                "lib/systemd/system/one.service": "[Service]\nExecStart=/usr/bin/one\n",
            ])
        let change = try fixture.session().install([package])
        #expect(change.commands == ["one"])
        #expect(try fixture.session().verify([]).allSatisfy(\.problems.isEmpty))
        let exported = fixture.directory.appending(path: "exported/one").path
        try fixture.run("mkdir", ["exported"])
        var options = ExportOptions()
        options.format = .dir
        options.output = exported
        _ = try fixture.session().export("one", options: options)
        #expect(
            FileManager.default.fileExists(atPath: exported + "/usr/lib/systemd/system/one.service"))
    }
}
