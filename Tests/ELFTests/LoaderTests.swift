import ELF
import Foundation
import Testing

@Suite struct LoaderCacheTests {
    private func listed(_ cache: String) throws -> Set<String> {
        Set(
            try run("ldconfig", ["-p", "-C", cache]).split(separator: "\n").filter { $0.hasPrefix("\t") }.map(
                String.init))
    }

    /// The entries of this machine's cache that are for all its processors.
    private func real() throws -> [LoaderCache.FlaggedEntry] {
        let entries = try LoaderCache(parsing: try read("/etc/ld.so.cache")).entries
        #expect(entries.count > 50)
        return entries
    }

    @Test func rendersWhatLdconfigReads() throws {
        let fixture = try Fixture()
        let entries = try real().filter { $0.flags == 0x0303 && $0.hardware == 0 }
        let bytes = try LoaderCache.render(entries.map(\.entry).reversed(), machine: .x86_64)
        let mine = try listed(try fixture.write(bytes, to: "cache"))
        var seen: Set<[UInt8]> = []
        let expected = entries.reversed().filter { seen.insert($0.entry.soname).inserted }.map {
            "\t\(String(decoding: $0.entry.soname, as: UTF8.self)) (libc6,x86-64) => "
                + String(decoding: $0.entry.path, as: UTF8.self)
        }
        #expect(mine == Set(expected))
        #expect(mine.isSubset(of: try listed("/etc/ld.so.cache")))
    }

    @Test func ordersAsLdconfigDoes() throws {
        let entries = try real().filter { $0.flags == 0x0303 && $0.hardware == 0 }.map(\.entry)
        let rendered = try LoaderCache.render(entries.shuffled(), machine: .x86_64)
        let order = LoaderNameOrder(.x86_64)
        let names = try LoaderCache(parsing: rendered).entries.map(\.entry.soname)
        let theirs = entries.map(\.soname)
        #expect(names.count == Set(theirs).count)
        for (left, right) in zip(theirs, theirs.dropFirst()) { #expect(order.compare(left, right) >= 0) }
        for (left, right) in zip(names, names.dropFirst()) { #expect(order.compare(left, right) >= 0) }
    }

    @Test func everyLibraryIsFoundByHalving() throws {
        let entries = try real().filter { $0.flags == 0x0303 && $0.hardware == 0 }.map(\.entry)
        let cache = try LoaderCache(parsing: try LoaderCache.render(entries, machine: .x86_64))
        for entry in entries {
            let first = entries.first { $0.soname == entry.soname }
            #expect(cache.path(of: entry.soname, machine: .x86_64) == first?.path)
        }
        #expect(cache.path(of: Array("libabsent.so.1".utf8), machine: .x86_64) == nil)
        #expect(cache.path(of: entries[0].soname, machine: .arm64) == nil)
    }

    @Test func comparesRunsOfDigitsAsNumbers() {
        let order = LoaderNameOrder(.x86_64)
        func compare(_ left: String, _ right: String) -> Int {
            order.compare(Array(left.utf8), Array(right.utf8)).signum()
        }
        #expect(compare("libfoo.so.9", "libfoo.so.10") == -1)
        #expect(compare("libfoo.so.1", "libfoo.so.1") == 0)
        #expect(compare("libfoo.so.01", "libfoo.so.1") == 0)
        #expect(compare("libfoo.so", "libfoo.so.1") == -1)
        #expect(compare("libfoo1", "libfoo-") == 1)
        #expect(compare("libfoo-", "libfoo1") == -1)
        #expect(compare("lib99999999999999999999", "lib1") != 0)
        #expect(LoaderNameOrder(.x86_64).compare([0xc3], [0x41]) < 0)
        #expect(LoaderNameOrder(.arm64).compare([0xc3], [0x41]) > 0)
    }

    @Test func theRealLoaderFindsLibrariesWithIt() throws {
        let fixture = try Fixture()
        try FileManager.default.createDirectory(
            atPath: fixture.path("odd place"), withIntermediateDirectories: true)
        var entries: [LoaderCache.Entry] = []
        var options: [String] = []
        var calls = ""
        var declarations = ""
        for number in [1, 2, 9, 10, 11, 100] {
            let soname = "libsxs-test.so.\(number)"
            let name = "odd place/file\(number)"
            _ = try fixture.compile(
                "int f\(number)(void) { return \(number); }", ["-shared", "-fPIC", "-Wl,-soname,\(soname)"],
                as: name)
            entries.append(
                LoaderCache.Entry(soname: Array(soname.utf8), path: Array(fixture.path(name).utf8)))
            options.append(fixture.path(name))
            declarations += "int f\(number)(void);"
            calls += "+f\(number)()"
        }
        let source = declarations + "int main(void) { return \(calls) == 133 ? 0 : 1; }"
        try fixture.write(source, to: "main.c")
        try run("gcc", ["-o", fixture.path("main"), fixture.path("main.c")] + options)
        #expect(throws: ToolFailure.self) { try run(fixture.path("main"), []) }
        for entry in try real() where entry.flags == 0x0303 && entry.hardware == 0 {
            entries.append(entry.entry)
        }
        let cache = try fixture.write(try LoaderCache.render(entries, machine: .x86_64), to: "cache")
        try run(
            "bwrap", ["--dev-bind", "/", "/", "--ro-bind", cache, "/etc/ld.so.cache", fixture.path("main")])
    }

    /// Libraries for several levels of the processor: the loader takes the best, as with ldconfig's own cache.
    @Test func theRealLoaderTakesTheBestLibraryForTheProcessor() throws {
        let fixture = try Fixture()
        // The level that nobody has comes first, then those that are better and worse.
        let levels = ["x86-64-v4", "x86-64-v3", "x86-64-v2", "nobody"]
        var entries: [LoaderCache.Entry] = []
        for level in levels.map(Optional.init) + [nil] {
            let name = "libsxslevel-\(level ?? "all").so"
            _ = try fixture.compile(
                "const char *level(void) { return \"\(level ?? "all")\"; }",
                ["-shared", "-fPIC", "-Wl,-soname,libsxslevel.so.1"], as: name)
            entries.append(
                LoaderCache.Entry(
                    soname: Array("libsxslevel.so.1".utf8), path: Array(fixture.path(name).utf8),
                    capability: level.map { Array($0.utf8) }))
        }
        _ = try fixture.compile(
            "int puts(const char *); const char *level(void); int main(void) { return puts(level()) < 0; }",
            ["-Wl,--no-as-needed", fixture.path("libsxslevel-all.so")], as: "main")
        let help = try run("/lib64/ld-linux-x86-64.so.2", ["--help"])
        let best = levels.first { help.contains("\($0) (supported") } ?? "all"
        let libc = try LoaderCache(parsing: try read("/etc/ld.so.cache")).entries.map(\.entry)
            .filter { $0.soname == Array("libc.so.6".utf8) }
        func started(_ entries: [LoaderCache.Entry]) throws -> String {
            let cache = try fixture.write(
                try LoaderCache.render(entries + libc.prefix(1), machine: .x86_64), to: "cache")
            let listing = try listed(cache)
            for level in entries.compactMap(\.capability) {
                let text = "(libc6,x86-64, hwcap: \"\(String(decoding: level, as: UTF8.self))\")"
                #expect(listing.contains { $0.contains(text) })
            }
            return try run(
                "bwrap",
                ["--dev-bind", "/", "/", "--ro-bind", cache, "/etc/ld.so.cache", fixture.path("main")])
        }
        #expect(try started(entries) == best + "\n")
        #expect(try started(entries.reversed()) == best + "\n")
        #expect(
            try started(entries.filter { $0.capability.map { $0 == Array("nobody".utf8) } ?? true })
                == "all\n")
    }

    @Test func theFirstOfANameWinsAndBytesDependOnEntriesOnly() throws {
        func entry(_ soname: String, _ path: String) -> LoaderCache.Entry {
            LoaderCache.Entry(soname: Array(soname.utf8), path: Array(path.utf8))
        }
        let entries = [
            entry("liba.so.1", "/x/liba.so.1"), entry("libb.so", "/x/other"), entry("liba.so.1", "/y/a"),
        ]
        let little = try LoaderCache.render(entries, machine: .arm64)
        let cache = try LoaderCache(parsing: little)
        #expect(cache.entries.map(\.entry) == [entries[1], entries[0]])
        #expect(cache.entries.allSatisfy { $0.flags == 0x0a03 })
        #expect(
            little.count == 48 + 2 * 24 + "/x/liba.so.1".count + 1 + "/x/other".count + 1 + "libb.so".count
                + 1)
        let big = try LoaderCache.render(entries, machine: .s390, isLittleEndian: false)
        #expect(big != little)
        #expect(try LoaderCache(parsing: big).entries.map(\.entry) == cache.entries.map(\.entry))
        #expect(try LoaderCache(parsing: try LoaderCache.render([], machine: .x86)).entries.isEmpty)
    }

    @Test func readsTheOldFormatAloneAndBeforeTheNewOne() throws {
        let soname = Array("liba.so".utf8)
        let path = Array("/x/liba.so".utf8)
        func number(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        let old = Array("ld.so-1.7.0\0".utf8) + number(1) + number(3) + number(3) + number(0)
        let alone = try LoaderCache(parsing: old + path + [0])
        #expect(alone.entries.map(\.entry) == [LoaderCache.Entry(soname: soname, path: path)])
        let new = try LoaderCache.render([LoaderCache.Entry(soname: soname, path: path)], machine: .x86_64)
        let padding = [UInt8](repeating: 0, count: (8 - old.count % 8) % 8)
        let both = try LoaderCache(parsing: old + padding + new)
        #expect(both.entries.map(\.entry) == alone.entries.map(\.entry))
        #expect(both.entries.map(\.flags) == [0x0303])
    }

    @Test func survivesCutsAndMutations() throws {
        let entries = try real().prefix(20).map(\.entry)
        let bytes = try LoaderCache.render(entries, machine: .x86_64)
        for count in 0..<bytes.count {
            #expect(throws: ELFError.self) { try LoaderCache(parsing: Array(bytes.prefix(count))) }
        }
        var random = SeededGenerator(state: 7)
        var refused = 0
        for _ in 0..<2000 {
            var damaged = bytes
            damaged[Int.random(in: 20..<bytes.count, using: &random)] = UInt8.random(
                in: 0...255, using: &random)
            do { _ = try LoaderCache(parsing: damaged).path(of: entries[3].soname, machine: .x86_64) } catch {
                refused += 1
            }
        }
        #expect(refused > 10)
    }

    @Test func refusesWhatNoCacheCanHave() {
        let bad = [
            ([UInt8](), Array("/x".utf8)), ([0x61, 0], Array("/x".utf8)),
            ([0x61], [UInt8](repeating: 0x61, count: 5000)),
        ]
        for (soname, path) in bad {
            #expect(throws: ELFError.self) {
                try LoaderCache.render([LoaderCache.Entry(soname: soname, path: path)], machine: .x86_64)
            }
        }
        #expect(throws: ELFError.cacheMachine(.other(8))) { try LoaderCache.render([], machine: .other(8)) }
    }
}

@Suite struct LoaderStringsTests {
    @Test func findsThePathsOfThisMachinesLoader() throws {
        let bytes = try read("/lib64/ld-linux-x86-64.so.2")
        try ELFFile.withFile(parsing: bytes) { file in
            let strings = try #require(LoaderStrings(file))
            #expect(strings.library == .glibc)
            #expect(strings.sites.filter { $0.kind == .cache }.map(\.text) == ["/etc/ld.so.cache"])
            #expect(strings.sites.filter { $0.kind == .preload }.map(\.text) == ["/etc/ld.so.preload"])
            // The loader's own account of the directories it searches last.
            let help = try run("/lib64/ld-linux-x86-64.so.2", ["--list-diagnostics"])
            let expected = help.split(separator: "\n").filter { $0.hasPrefix("path.system_dirs[") }.compactMap
            {
                $0.split(separator: "\"").last.map(String.init)
            }
            #expect(expected.count >= 2)
            let found = strings.sites.filter { $0.kind == .systemDirectory }.map(\.text)
            #expect(found.count % expected.count == 0)
            #expect(Set(found) == Set(expected))
            for site in strings.sites {
                #expect(bytes[site.offset..<site.offset + site.length].elementsEqual(site.bytes))
                #expect(bytes[site.offset + site.length] == 0)
            }
        }
    }

    private static let fedora = """
        const char directories[] = "/lib64/\\0/usr/lib64/";
        const char *cache(int n) { return n ? "/etc/ld.so.cache" : "/etc/ld.so.preload"; }
        const char *usage(void) { return "Do not use /etc/ld.so.cache"; }
        const char *other = "/dev/\\0/proc/";
        """

    @Test func findsDirectoriesOfOtherDistributions() throws {
        let fixture = try Fixture()
        let bytes = try fixture.compile(
            Self.fedora, ["-O2", "-shared", "-fPIC", "-nostdlib", "-Wl,-soname,ld-linux-x86-64.so.2"])
        try ELFFile.withFile(parsing: bytes) { file in
            let strings = try #require(LoaderStrings(file))
            #expect(
                strings.sites.filter { $0.kind == .systemDirectory }.map(\.text) == [
                    "/lib64/", "/usr/lib64/",
                ])
            #expect(strings.sites.filter { $0.kind == .cache }.count == 1)
            #expect(strings.sites.filter { $0.kind == .preload }.count == 1)
        }
    }

    @Test(arguments: ["libc.musl-x86_64.so.1", "libc.so", ""], ["", "%.*s"])
    func findsThePathsOfMusl(soname: String, prefix: String) throws {
        let fixture = try Fixture()
        let source = """
            const char *file = "\(prefix)/etc/ld-musl-x86_64.path";
            const char *list = "/lib:/usr/local/lib:/usr/lib";
            """
        let name = soname.isEmpty ? [] : ["-Wl,-soname,\(soname)"]
        let bytes = try fixture.compile(source, ["-O2", "-shared", "-fPIC", "-nostdlib"] + name)
        try ELFFile.withFile(parsing: bytes) { file in
            let strings = try #require(LoaderStrings(file))
            #expect(strings.library == .musl)
            #expect(strings.sites.first { $0.kind == .pathFile }?.text == prefix + "/etc/ld-musl-x86_64.path")
            #expect(strings.sites.first { $0.kind == .defaultPath }?.text == "/lib:/usr/local/lib:/usr/lib")
        }
    }

    @Test(arguments: [
        "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/env", "/usr/lib/x86_64-linux-gnu/libm.so.6",
    ])
    func otherFilesAreNoLoaders(path: String) throws {
        try ELFFile.withFile(parsing: try read(path)) { #expect(LoaderStrings($0) == nil) }
    }
}
