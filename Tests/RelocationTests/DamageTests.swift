import ELF
import Files
import Foundation
import FuzzChecks
import Relocation
import StoreLayout
import Testing

/// Damaged ELF files: left as they are, named, and nothing else suffers.
@Suite struct DamageTests {
    /// What is wrong, and how to make it so in a 64-bit file.
    enum Damage: String, CaseIterable, Sendable {
        case segmentTableBeyondTheEnd, absurdSegmentCount, wrongHeaderSize, segmentBeyondTheEnd
        case segmentsOverlapInTheFile, segmentsOverlapInMemory, smallerInMemoryThanInTheFile
        case stringFourGibibytesAway, interpreterBeyondTheEnd, cutInHalf, onlyTheMagic

        func apply(to bytes: inout Bytes) throws {
            func put(_ value: UInt64, at offset: Int, width: Int = 8) {
                for index in 0..<width {
                    bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
                }
            }
            func word(at offset: Int) -> UInt64 {
                bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
            }
            let table = Int(word(at: 32))
            let headers = stride(from: table, to: table + 56 * Int(bytes[56]), by: 56)
            func header(_ type: UInt8, _ index: Int = 0) -> Int {
                headers.filter { bytes[$0] == type && bytes[$0 + 1] == 0 }[index]
            }
            let (load, dynamic, interpreter): (UInt8, UInt8, UInt8) = (1, 2, 3)
            switch self {
            case .segmentTableBeyondTheEnd: put(.max, at: 32)
            case .absurdSegmentCount: put(0xfffe, at: 56, width: 2)
            case .wrongHeaderSize: put(57, at: 54, width: 2)
            case .segmentBeyondTheEnd: put(1 << 40, at: header(load, 1) + 32)
            case .segmentsOverlapInTheFile: put(word(at: header(load, 1) + 8), at: header(load, 2) + 8)
            case .segmentsOverlapInMemory: put(word(at: header(load, 1) + 16), at: header(load, 2) + 16)
            case .smallerInMemoryThanInTheFile: put(1, at: header(load, 1) + 40)
            case .stringFourGibibytesAway:
                // The first entry is DT_NEEDED: its string's offset.
                let entries = Int(word(at: header(dynamic) + 8))
                #expect(word(at: entries) == 1)
                put(0xffff_fff0, at: entries + 8)
            case .interpreterBeyondTheEnd: put(1 << 32, at: header(interpreter) + 8)
            case .cutInHalf: bytes.removeLast(bytes.count / 2)
            case .onlyTheMagic: bytes = Array(bytes.prefix(4))
            }
        }
    }

    @Test(arguments: Damage.allCases)
    func itIsLeftAndNamedAndTheImportGoesOn(damage: Damage) throws {
        let fixture = try ELFRelocationTests.system()
        let original = Array(try Data(contentsOf: URL(fileURLWithPath: "/bin/cat")))
        var bytes = original
        try damage.apply(to: &bytes)
        try fixture.file("usr/bin/bad", bytes)
        try fixture.file("usr/bin/good", original)
        let relocated = try fixture.relocate()
        #expect(try fixture.bytes("usr/bin/bad", of: relocated.tree) == bytes)
        let file = try #require(relocated.report.files.first { $0.path == "usr/bin/bad" })
        #expect(file.left.map(\.reason) == [.damaged])
        #expect(file.done.isEmpty && file.severity == .severe)
        #expect(relocated.report.severeFiles.map(\.path) == ["usr/bin/bad"])
        #expect(try fixture.bytes("usr/bin/good", of: relocated.tree) != original)
    }

    /// Section headers are for linkers and debuggers: programs that lost them run, and are relocated.
    @Test func aProgramWithoutSectionHeadersIsRelocated() throws {
        let fixture = try ELFRelocationTests.system()
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "/bin/cat")))
        bytes.replaceSubrange(40..<48, with: Bytes(repeating: 0xff, count: 8))
        try fixture.file("usr/bin/a", bytes)
        let relocated = try fixture.relocate()
        #expect(relocated.report.files.first { $0.path == "usr/bin/a" }?.done[.interpreter] == 1)
        #expect(relocated.left("usr/bin/a").allSatisfy { $0.reason != .damaged })
    }

    /// Links that lead round in circles, one of them on the way to the interpreter and to paths in text.
    @Test func loopsOfLinksLeadNowhere() throws {
        let fixture = try ELFRelocationTests.system()
        fixture.link("usr/share/a", "b")
        fixture.link("usr/share/b", "/usr/share/a")
        fixture.link("usr/share/self", "self/x")
        fixture.link("usr/share/round", "../share/round/../round")
        try fixture.text(
            "usr/bin/script", "#!/usr/share/a/sh\ncat /usr/share/a/x /usr/share/self /usr/share/round\n")
        let text = try fixture.string("usr/bin/script", of: fixture.tree)
        let relocated = try fixture.relocate()
        #expect(try fixture.string("usr/bin/script", of: relocated.tree) == text)
        let file = relocated.report.files.first { $0.path == "usr/bin/script" }
        #expect(file?.findings[.interpreter] == ["/usr/share/a/sh"])
    }

    /// Twenty thousand sections that all claim the whole file, and as many directories as there are symbols: what
    /// takes their product of time takes minutes.
    @Test(.timeLimit(.minutes(5))) func whatIsVeryOftenTheSameIsReadOnce() throws {
        let fixture = try ELFRelocationTests.system()
        let count = 20_000
        let options = fixture.directory.appending(path: "options")
        let directories = String(repeating: "/lib:/usr/lib:", count: count / 2) + "/usr/lib"
        try "-Wl,--enable-new-dtags,-rpath,\(directories)\n".write(
            to: options, atomically: true, encoding: .utf8)
        let source = (0..<count).map { "int name\($0);" }.joined(separator: "\n")
        try fixture.compile(source, to: "usr/lib/liblong.so", ["-shared", "@\(options.path)"])
        var bytes = try fixture.bytes("usr/lib/liblong.so", of: fixture.tree)

        func append(_ value: UInt64, _ width: Int) {
            for index in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
        }
        while bytes.count % 8 != 0 { bytes.append(0) }
        let (table, size) = (bytes.count, UInt64(bytes.count))
        for _ in 0..<count {
            // Version needs, loaded, at the file's beginning.
            append(0, 4)
            append(0x6fff_fffe, 4)
            for value in [2, 0, 0, size] as [UInt64] { append(value, 8) }
            for _ in 0..<2 { append(0, 4) }
            for value in [4, 0] as [UInt64] { append(value, 8) }
        }
        bytes.replaceSubrange(40..<48, with: (0..<8).map { UInt8(truncatingIfNeeded: table >> (8 * $0)) })
        bytes.replaceSubrange(60..<62, with: [UInt8(count & 0xff), UInt8(count >> 8)])
        bytes.replaceSubrange(62..<64, with: [0, 0])
        try fixture.file("usr/lib/liblong.so", bytes)
        try ELFFile.withFile(parsing: bytes) { #expect($0.sections.count == count && !$0.hasDamagedSections) }
        let relocated = try fixture.relocate()
        #expect(try fixture.bytes("usr/lib/liblong.so", of: relocated.tree).count == bytes.count)
    }

    /// Files of every architecture that is here, small enough to be damaged thousands of times.
    static let victims: [String] = [
        "/bin/true", "/lib/x86_64-linux-gnu/libutil.so.1", "/lib/x86_64-linux-gnu/libdl.so.2",
        "/usr/lib/x86_64-linux-gnu/crt1.o", "/lib/ld-musl-x86_64.so.1",
        "/usr/aarch64-linux-gnu/lib/libutil.so.1", "/usr/riscv64-linux-gnu/lib/libutil.so.1",
        "/usr/i686-linux-gnu/lib/libutil.so.1", "/usr/arm-linux-gnueabihf/lib/libutil.so.1",
    ].filter { FileManager.default.fileExists(atPath: $0) }

    @Test(arguments: victims)
    func readingSurvivesMutations(path: String) throws {
        let original = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        // A musl loader has 30 times the bytes of a small library.
        let count = max(50, min(300, 4_000_000 / original.count))
        var mutator = Mutator(seed: 1)
        for _ in 0..<count {
            mutator.mutate(original).withUnsafeBytes { checkReading($0) }
        }
    }

    /// No byte changes but for an alias, a reported one, and damaged files stay.
    @Test(arguments: victims.filter { !$0.hasSuffix(".o") })
    func relocationSurvivesMutations(path: String) throws {
        let original = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let check = try RewriterCheck(
            loader: Array(try Data(contentsOf: URL(fileURLWithPath: ELFRelocationTests.loader))))
        var mutator = Mutator(seed: 2)
        for number in 0..<40 {
            #expect(throws: Never.self, "mutation \(number) of \(path)") {
                try check.check(number == 0 ? original : mutator.mutate(original))
            }
        }
    }

    /// What the editor makes of a damaged file can be read and edited again.
    @Test(arguments: victims.filter { !$0.hasSuffix(".o") })
    func editingSurvivesMutations(path: String) throws {
        let original = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        var mutator = Mutator(seed: 3)
        for number in 0..<150 {
            #expect(throws: Never.self, "mutation \(number) of \(path)") {
                try mutator.mutate(original).withUnsafeBytes { try checkEditing($0) }
            }
        }
    }

    /// The checks themselves: sound programs are rewritten, and nothing is called damaged.
    @Test func theCheckSeesChanges() throws {
        let check = try RewriterCheck(
            loader: Array(try Data(contentsOf: URL(fileURLWithPath: ELFRelocationTests.loader))))
        let file = try check.check(Array(try Data(contentsOf: URL(fileURLWithPath: "/bin/cat"))))
        #expect(file?.done[.interpreter] == 1)
        #expect(file?.left.contains { $0.reason == .damaged } == false)
        let program = try Data(contentsOf: URL(fileURLWithPath: "/bin/cat"))
        #expect(try program.withUnsafeBytes { try checkEditing($0) })
    }
}
