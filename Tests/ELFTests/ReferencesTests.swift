import ELF
import Foundation
import Testing

@Suite struct ReferencesTests {
    /// Refers to "/usr/share/sxslocale" and to its tail "sxslocale", from code.
    static let inCode = """
        #include <stdio.h>
        int use(const char *s) __attribute__((noinline));
        int use(const char *s) { return puts(s); }
        int entry(int n) { return n > 1 ? use("/usr/share/sxslocale") : use("sxslocale"); }
        """
    /// The same from data.
    static let inData = """
        #include <stdio.h>
        const char *const table[] = { "/usr/share/sxslocale", "sxslocale" };
        int entry(int n) { return puts(table[n & 1]); }
        """
    static let main = "\nint main(int n, char **a) { return entry(n); }\n"

    /// Addresses referred to inside "/usr/share/sxslocale", as distances from its beginning.
    private func distances(_ bytes: [UInt8]) throws -> (taken: [UInt64], isComplete: Bool) {
        try ELFFile.withFile(parsing: bytes) { file in
            let found = offsets(of: "/usr/share/sxslocale\0", in: bytes).filter {
                file.region(atFileOffset: $0) == .data
            }
            #expect(found.count == 1)
            #expect(
                offsets(of: "\0sxslocale\0", in: bytes).allSatisfy { file.region(atFileOffset: $0) != .data })
            let address = try #require(file.address(ofFileOffset: found[0]))
            let references = file.references(into: [address..<address + 20])
            return (references.addresses.map { $0 - address }, references.isComplete)
        }
    }

    @Test(
        arguments: [
            ["-fPIE", "-pie"], ["-no-pie", "-fno-pie"], ["-static", "-no-pie", "-fno-pie"],
            ["-static-pie", "-fPIE"],
            ["-shared", "-fPIC"], ["-fPIE", "-pie", "-s"], ["-fPIE", "-pie", "-Wl,-z,pack-relative-relocs"],
            ["-no-pie", "-fno-pie", "-mcmodel=large"],
        ], [true, false])
    func findsTheTailOfAMergedString(options: [String], isInCode: Bool) throws {
        let fixture = try Fixture()
        let source = (isInCode ? Self.inCode : Self.inData) + (options.contains("-shared") ? "" : Self.main)
        let bytes = try fixture.compile(source, ["-O2", "-Wl,-O2"] + options)
        let (taken, isComplete) = try distances(bytes)
        #expect(taken == [0, 11])
        #expect(isComplete)
    }

    @Test(
        arguments: [
            ["--target=aarch64-linux-gnu", "-fno-pie", "-no-pie"],
            ["--target=aarch64-linux-gnu", "-fPIE", "-pie"],
            ["--target=riscv64-linux-gnu", "-fno-pie", "-no-pie"],
            ["--target=riscv64-linux-gnu", "-fPIE", "-pie"],
            // Addresses made of constants.
            ["--target=riscv64-linux-gnu", "-fno-pie", "-no-pie", "-mcmodel=medlow"],
            ["--target=aarch64-linux-gnu", "-fno-pie", "-no-pie", "-mcmodel=large"],
        ], [true, false])
    func findsTheTailInProgramsForOtherMachines(options: [String], isInCode: Bool) throws {
        let fixture = try Fixture()
        let source =
            (isInCode ? Self.inCode : Self.inData)
            .replacingOccurrences(of: "#include <stdio.h>", with: "int puts(const char *s);")
            + "\nvolatile char sink; int puts(const char *s) { while (*s) sink = *s++; return 0; }"
            + "\nvoid _start(void) { entry(sink); }"
        let bytes = try fixture.compile(
            source,
            ["-O2", "-nostdlib", "-ffreestanding", "-fuse-ld=lld", "-Wl,-O2"] + options, compiler: "clang")
        let (taken, isComplete) = try distances(bytes)
        #expect(taken == [0, 11])
        #expect(isComplete)
    }

    @Test func findsTheTailInProgramsForI386() throws {
        let fixture = try Fixture()
        let source =
            Self.inCode.replacingOccurrences(of: "#include <stdio.h>", with: "int puts(const char *s);")
            + "\nvolatile char sink; int puts(const char *s) { while (*s) sink = *s++; return 0; }"
            + "\nvoid _start(void) { entry(sink); }"
        let options = ["-m32", "-O2", "-nostdlib", "-ffreestanding", "-Wl,-O2"]
        let fixed = try distances(try fixture.compile(source, options + ["-no-pie", "-fno-pie"]))
        #expect(fixed.taken == [0, 11])
        #expect(fixed.isComplete)
        let moving = try distances(try fixture.compile(source, options + ["-pie", "-fPIE"]))
        #expect(moving.taken == [0, 11])
        #expect(moving.isComplete)
    }

    /// Compilers put what is unlikely into a part of its own, which has the address's upper part in a register.
    @Test func findsTheTailWhereAPartOfAFunctionIsElsewhere() throws {
        let fixture = try Fixture()
        // The page is taken in the function, and the tail's address made of it after the jump.
        let source = #"""
            asm(".section .text.unlikely,\"ax\"\n"
                "elsewhere: .cfi_startproc\n add x0, x19, :lo12:.Ltail\n ret\n .cfi_endproc\n"
                ".text\n .globl _start\n"
                "_start: .cfi_startproc\n adrp x19, .Lhead\n add x0, x19, :lo12:.Lhead\n"
                " cbz x1, 1f\n ret\n"
                "1: b elsewhere\n .cfi_endproc\n"
                ".section .rodata\n"
                ".Lhead: .ascii \"/usr/share/\"\n .Ltail: .asciz \"sxslocale\"\n");
            """#
        let bytes = try fixture.compile(
            source,
            [
                "--target=aarch64-linux-gnu", "-nostdlib", "-fuse-ld=lld", "-fPIE", "-pie",
                "-Wl,--eh-frame-hdr",
            ],
            compiler: "clang")
        let (taken, isComplete) = try distances(bytes)
        #expect(taken == [0, 11])
        #expect(isComplete)
    }

    /// LLVM makes a table of 32-bit distances of such a function.
    @Test(arguments: ["x86_64", "riscv64"])
    func findsTheTailInATableOfDistances(machine: String) throws {
        let fixture = try Fixture()
        let source = """
            const char *name(int n) {
                switch (n) {
                case 0: return "/usr/share/sxslocale";
                case 1: return "one";
                case 2: return "sxslocale";
                case 3: return "three";
                case 4: return "four";
                }
                return 0;
            }
            """
        let bytes = try fixture.compile(
            source,
            [
                "--target=\(machine)-linux-gnu", "-O2", "-fPIC", "-shared", "-nostdlib", "-fuse-ld=lld",
                "-Wl,-O2",
            ],
            compiler: "clang")
        let (taken, isComplete) = try distances(bytes)
        #expect(taken == [0, 11])
        #expect(isComplete)
    }

    /// Such numbers lead from an address that code takes into the string behind them.
    @Test func daysOfMonthsAreNoTableOfDistances() throws {
        let fixture = try Fixture()
        let source = #"""
            #include <stdio.h>
            extern const int days[5];
            extern const char head[];
            __asm__(".section .rodata\n.balign 32\n.long 0,0\ndays: .long 31,31,30,31,30\n"
                "head: .asciz \"/usr/share/sxslocale\"\n.balign 8\n.text\n");
            int main(int n, char **a) { return puts(head) + days[n]; }
            """#
        let bytes = try fixture.compile(
            source, ["-O2", "-fPIE", "-pie", "-fno-asynchronous-unwind-tables"])
        var unsigned = bytes
        // As Debian strips it: nothing says which compiler it was.
        for offset in offsets(of: "GCC: (", in: bytes) { unsigned[offset] = 0x58 }
        #expect(unsigned != bytes)
        let (taken, isComplete) = try distances(unsigned)
        #expect(taken == [0])
        #expect(isComplete)
    }

    @Test func tellsReadingFromTakingAnAddress() throws {
        let fixture = try Fixture()
        let source = """
            char text[] __attribute__((aligned(16))) = "/usr/share/a-long-constant-that-is-copied";
            void copy(char *to) { __builtin_memcpy(to, text, 32); }
            """
        let bytes = try fixture.compile(
            source, ["-O2", "-shared", "-fPIC", "-fvisibility=hidden"])
        try ELFFile.withFile(parsing: bytes) { file in
            let offset = try #require(offsets(of: "/usr/share/a-long", in: bytes).first)
            let address = try #require(file.address(ofFileOffset: offset))
            let references = file.references(into: [address..<address + 40])
            #expect(references.loads == [address, address + 16])
            #expect(!references.addresses.contains(address + 16))
            #expect(references.all.contains(address + 16))
        }
    }

    @Test func agreesWithTheDisassembler() throws {
        for path in ["/usr/bin/git", "/usr/bin/bash", "/usr/lib/x86_64-linux-gnu/libc.so.6"]
        where FileManager.default.fileExists(atPath: path) {
            let bytes = try read(path)
            try ELFFile.withFile(parsing: bytes) { file in
                let data = try #require(file.sections.first { $0.name == ".rodata" })
                let range = data.address..<data.address + data.size
                let found = file.references(into: [range])
                let (taken, all) = (Set(found.addresses), Set(found.all))
                var seen = 0
                for line in try run("objdump", ["-d", "--no-show-raw-insn", "-j", ".text", path]).split(
                    separator: "\n") where line.contains("(%rip)")
                {
                    guard let hash = line.lastIndex(of: "#") else { continue }
                    let text = line[line.index(after: hash)...].drop { $0 == " " }.prefix { $0.isHexDigit }
                    guard let address = UInt64(text, radix: 16), range.contains(address) else { continue }
                    let isTaken = line.contains("lea ")
                    #expect((isTaken ? taken : all).contains(address), "\(path): \(line)")
                    seen += 1
                }
                #expect(seen > 1000)
            }
        }
    }

    @Test func findsNothingOutsideTheIntervals() throws {
        let bytes = try read("/usr/bin/bash")
        try ELFFile.withFile(parsing: bytes) { file in
            #expect(file.references(into: []) == References.none)
            let intervals = stride(from: UInt64(0xe0000), to: 0x100000, by: 512).map { $0..<$0 + 64 }
            let all = file.references(into: intervals).all
            #expect(!all.isEmpty)
            #expect(all.allSatisfy { address in intervals.contains { $0.contains(address) } })
            #expect(all == Array(Set(all)).sorted())
            let whole = file.references(into: [0xe0000..<0x100000]).all
            #expect(all == whole.filter { address in intervals.contains { $0.contains(address) } })
        }
    }
}

extension References {
    fileprivate static var none: References {
        References(addresses: [], loads: [], isComplete: true)
    }
}
