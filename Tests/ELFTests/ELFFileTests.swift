import ELF
import Foundation
import Testing

@Suite struct ELFFileTests {
    /// About 100 programs and libraries of this machine.
    static func realFiles() throws -> [String] {
        var files: [String] = []
        for directory in ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/sbin"] {
            let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            let found = names.map { directory + "/" + $0 }.filter { path in
                guard let handle = FileHandle(forReadingAtPath: path) else { return false }
                defer { try? handle.close() }
                return (try? handle.read(upToCount: 4)) == Data(ELFFile.magic)
            }
            files += stride(from: 0, to: found.count, by: max(1, found.count / 35)).map { found[$0] }
        }
        return files
    }

    private static func value(_ line: Substring) -> String? {
        guard let open = line.lastIndex(of: "["), let close = line.lastIndex(of: "]"), open < close else {
            return nil
        }
        return String(line[line.index(after: open)..<close])
    }

    @Test func readsWhatReadelfReads() throws {
        let files = try Self.realFiles()
        #expect(files.count >= 60)
        var needed = 0
        for path in files {
            var expected: [String: [String]] = [:]
            var sections: [String] = []
            for line in try run("readelf", ["-dlSW", path]).split(separator: "\n") {
                for tag in ["NEEDED", "SONAME", "RPATH", "RUNPATH"] where line.contains("(\(tag))") {
                    expected[tag, default: []].append(try #require(Self.value(line)))
                }
                if line.contains("Requesting program interpreter: "), let end = line.lastIndex(of: "]") {
                    let text = line[..<end].split(separator: " ").last.map(String.init) ?? ""
                    expected["INTERP"] = [text]
                }
                let trimmed = line.drop { $0 == " " }
                if trimmed.hasPrefix("["), let close = trimmed.firstIndex(of: "]"),
                    let number = Int(
                        trimmed[trimmed.index(after: trimmed.startIndex)..<close].drop { $0 == " " })
                {
                    let rest = trimmed[trimmed.index(after: close)...].dropFirst()
                    sections.append(number == 0 ? "" : String(rest.prefix { $0 != " " }))
                }
            }
            let bytes = try read(path)
            try ELFFile.withFile(parsing: bytes) { file in
                let name = Comment(rawValue: path)
                #expect(file.damage == nil, name)
                #expect(file.machine == .x86_64, name)
                #expect(file.dynamic?.needed.map(\.text) ?? [] == expected["NEEDED"] ?? [], name)
                #expect(file.dynamic?.soname?.text == expected["SONAME"]?.first, name)
                #expect(file.dynamic?.rpath?.text == expected["RPATH"]?.first, name)
                #expect(file.dynamic?.runpath?.text == expected["RUNPATH"]?.first, name)
                #expect(file.interpreter?.text == expected["INTERP"]?.first, name)
                #expect(file.sections.map(\.name) == sections, name)
                for string in (file.dynamic?.needed ?? []) + [file.interpreter].compactMap({ $0 }) {
                    #expect(
                        bytes[string.offset..<string.offset + string.bytes.count].elementsEqual(string.bytes))
                    #expect(bytes[string.offset + string.room - 1] == 0)
                    needed += 1
                }
                if let interpreter = file.interpreter {
                    #expect(file.region(atFileOffset: interpreter.offset) == .interpreter)
                }
            }
        }
        #expect(needed > 100)
    }

    static let source = """
        #include <stdio.h>
        char writable[] = "/usr/share/writable";
        int main(void) { puts("/usr/share/constant"); puts(writable); return 0; }
        """

    @Test(arguments: [true, false])
    func tellsDataFromCode(hasSections: Bool) throws {
        let fixture = try Fixture()
        var bytes = try fixture.compile(Self.source, ["-O2", "-g", "-Wl,-rpath,/usr/share/runpath"])
        if !hasSections {
            for index in Array(40..<48) + Array(58..<64) { bytes[index] = 0 }
        }
        try ELFFile.withFile(parsing: bytes) { file in
            #expect(file.sections.isEmpty == !hasSections)
            #expect(!file.hasDamagedSections)
            for text in ["/usr/share/constant\0", "/usr/share/writable\0"] {
                let offset = try #require(offsets(of: text, in: bytes).first)
                #expect(file.region(atFileOffset: offset) == .data)
                let address = try #require(file.address(ofFileOffset: offset))
                #expect(file.fileOffset(ofAddress: address) == offset)
            }
            let runpath = try #require(file.dynamic?.runpath)
            #expect(runpath.text == "/usr/share/runpath")
            #expect(file.region(atFileOffset: runpath.offset) == .symbols)
            #expect(file.region(atFileOffset: 0) == .headers)
            #expect(file.region(atFileOffset: 63) == .headers)
            #expect(file.region(atFileOffset: 64 + 55) == .headers)
            #expect(file.region(atFileOffset: bytes.count) == .unloaded)
            #expect(file.region(atFileOffset: -1) == .unloaded)
            #expect(file.isPIE && !file.isStaticPIE && !file.hasStringBlobs)
            if hasSections {
                let text = try #require(file.sections.first { $0.name == ".text" })
                #expect(file.region(atFileOffset: text.fileRange.lowerBound) == .code)
                let debug = try #require(file.sections.first { $0.name == ".debug_info" })
                #expect(file.region(atFileOffset: debug.fileRange.lowerBound) == .debug)
            } else {
                let code = try #require(file.segments.first { $0.type == Segment.load && $0.isExecutable })
                #expect(file.region(atFileOffset: code.fileRange.lowerBound) == .code)
            }
        }
    }

    @Test func knowsStaticProgramsAtAnyAddress() throws {
        let fixture = try Fixture()
        let bytes = try fixture.compile("int main(void) { return 0; }", ["-static-pie"])
        try ELFFile.withFile(parsing: bytes) { #expect($0.isStaticPIE && $0.isPIE && $0.interpreter == nil) }
        let fixed = try fixture.compile("int main(void) { return 0; }", ["-static"])
        try ELFFile.withFile(parsing: fixed) {
            #expect(!$0.isPIE && $0.type == .executable && $0.dynamic == nil)
        }
    }

    @Test(arguments: [
        ("aarch64-linux-gnu", Machine.arm64, true, true), ("aarch64_be-linux-gnu", .arm64, true, false),
        ("i686-linux-gnu", .x86, false, true), ("armv7-linux-gnueabihf", .arm, false, true),
    ])
    func readsHeadersOfOtherMachines(target: String, machine: Machine, is64Bit: Bool, isLittle: Bool) throws {
        let fixture = try Fixture()
        let bytes = try fixture.compile(
            "int f(void) { return 1; }", ["--target=\(target)", "-c"], compiler: "clang")
        try ELFFile.withFile(parsing: bytes) { file in
            #expect(file.machine == machine)
            #expect(file.is64Bit == is64Bit)
            #expect(file.isLittleEndian == isLittle)
            #expect(file.type == .relocatable)
            #expect(file.sections.contains { $0.name == ".text" && $0.isExecutable })
        }
    }

    @Test func recognisesGoAndRustByTheirSections() throws {
        let fixture = try Fixture()
        let go = try fixture.compile(
            "__attribute__((section(\".go.buildinfo\"))) int x = 1; int main(void) { return x; }", [])
        try ELFFile.withFile(parsing: go) { #expect($0.isGo && !$0.isRust && $0.hasStringBlobs) }
        let rust = try fixture.compile(
            "const char *volatile s = \"/rustc/abc/library\"; int main(void) { return *s; }", [])
        try ELFFile.withFile(parsing: rust) { #expect(!$0.isGo && $0.isRust && $0.hasStringBlobs) }
    }

    @Test func ignoresASectionTableBeyondTheEnd() throws {
        let fixture = try Fixture()
        var bytes = try fixture.compile(Self.source, [])
        bytes[46] = 0x7f
        try ELFFile.withFile(parsing: bytes) { file in
            #expect(file.hasDamagedSections)
            #expect(file.sections.isEmpty)
            #expect(file.dynamic?.needed.map(\.text) == ["libc.so.6"])
        }
    }

    @Test func namesTheFieldThatIsWrong() throws {
        #expect(throws: ELFError.notELF) { try ELFFile.withFile(parsing: Array("#!/bin/sh".utf8)) { _ in } }
        var bytes = [UInt8](repeating: 0, count: 64)
        bytes.replaceSubrange(0..<6, with: ELFFile.magic + [7, 1])
        let error = #expect(throws: ELFError.self) { try ELFFile.withFile(parsing: bytes) { _ in } }
        #expect(
            error?.description == """
                the ELF field class at byte 4 is 7, which has no meaning
                hint: the file is damaged or cut short; fetch the image again
                """)
    }

    /// Everything that reads the file.
    static func exercise(_ bytes: [UInt8]) -> Bool {
        let result: Void? = try? ELFFile.withFile(parsing: bytes) { file in
            _ = file.hasStringBlobs
            for offset in stride(from: 0, to: bytes.count, by: 97) {
                _ = file.region(atFileOffset: offset)
                _ = file.address(ofFileOffset: offset)
            }
            _ = file.references(into: [
                0x2000..<0x2100, 0x402000..<0x402800, 0xffff_ffff_ffff_0000..<UInt64.max,
            ])
            _ = LoaderStrings(file)
        }
        return result != nil
    }

    @Test func survivesBeingCutAtEveryByte() throws {
        let fixture = try Fixture()
        let bytes = try fixture.compile(
            Self.source, ["-Os", "-s", "-Wl,-z,noseparate-code", "-Wl,-z,norelro"])
        let segmentTableEnd = 64 + 56 * Int(bytes[56])
        for count in 0..<min(bytes.count, 6000) {
            #expect(
                Self.exercise(Array(bytes.prefix(count))) == (count >= segmentTableEnd), "cut at \(count)")
        }
        for count in (bytes.count - 64 * Int(bytes[60]))..<bytes.count {
            try ELFFile.withFile(parsing: Array(bytes.prefix(count))) { #expect($0.hasDamagedSections) }
        }
    }

    @Test(arguments: [["-Os", "-s"], ["-Os", "-no-pie"], ["-Os", "-shared", "-fPIC"]])
    func survivesMutations(options: [String]) throws {
        let fixture = try Fixture()
        let original = try fixture.compile(
            Self.source.replacingOccurrences(of: "main", with: options.contains("-shared") ? "f" : "main"),
            options + ["-Wl,-z,noseparate-code"])
        let tableStart = Int(original[40]) | Int(original[41]) << 8
        var random = SeededGenerator(state: 42)
        var parsed = 0
        for _ in 0..<700 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let place: Int
                switch Int.random(in: 0..<4, using: &random) {
                case 0: place = Int.random(in: 16..<64, using: &random)
                case 1: place = Int.random(in: 64..<64 + 56 * 12, using: &random)
                case 2: place = Int.random(in: tableStart..<bytes.count, using: &random)
                default: place = Int.random(in: 0..<bytes.count, using: &random)
                }
                bytes[place] =
                    [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &random)]
                    .randomElement(using: &random) ?? 0
            }
            if Self.exercise(bytes) { parsed += 1 }
        }
        #expect(parsed > 100)
    }

    @Test func staysLinearWhenEverySectionIsTheWholeFile() throws {
        // 20,000 executable sections that all are the whole file: 26 GB if each were read.
        let count = 20_000
        var bytes = [UInt8](repeating: 0, count: 64 + 64 * count)
        func put(_ value: Int, at offset: Int, _ size: Int) {
            for index in 0..<size { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
        }
        bytes.replaceSubrange(0..<7, with: ELFFile.magic + [2, 1, 1])
        put(3, at: 16, 2)
        put(62, at: 18, 2)
        put(64, at: 40, 8)
        put(64, at: 58, 2)
        put(count, at: 60, 2)
        for index in 1..<count {
            let header = 64 + 64 * index
            put([1, 4, 2, 9][index % 4], at: header + 4, 4)
            put(6, at: header + 8, 8)
            put(bytes.count, at: header + 32, 8)
        }
        let start = ContinuousClock.now
        #expect(Self.exercise(bytes))
        #expect(ContinuousClock.now - start < .seconds(10))
    }
}

/// SplitMix64: the same numbers every time.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
