// What libFuzzer calls: each input goes to the target that SXS_FUZZ_TARGET names. Built by Scripts/fuzz only.

import Files
import Foundation
import FuzzChecks

private let environment = ProcessInfo.processInfo.environment

/// ELF files are read, edited, and relocated as a program of an image; a loader of this machine makes the relocator
/// rewrite interpreters and caches too.
private func elfTarget() -> FuzzTarget {
    guard let path = environment["SXS_FUZZ_LOADER"],
        let loader = try? Data(contentsOf: URL(fileURLWithPath: path)),
        let rewriter = try? RewriterCheck(loader: Array(loader))
    else { fatalError("SXS_FUZZ_LOADER names no loader") }
    nonisolated(unsafe) let check = rewriter
    return FuzzTarget("elf") { input in
        try input.withUnsafeBytes { bytes in
            checkReading(bytes)
            guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return }
            try checkEditing(bytes)
            try check.check(input)
        }
    }
}

/// Made once.
private let target: FuzzTarget = {
    let name = environment["SXS_FUZZ_TARGET"] ?? ""
    if name == "elf" { return elfTarget() }
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        fatalError("SXS_FUZZ_TARGET is none of elf, \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
    }
    return target
}()

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The package manager calls a program's main like this; libFuzzer's own has no place then.
@_cdecl("sxs_fuzz_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var count = count
    var arguments = arguments
    return withUnsafeMutablePointer(to: &arguments) { runDriver(&count, $0, testOneInput) }
}

private func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try target.check(Bytes(UnsafeRawBufferPointer(start: start, count: count)))
    } catch {
        fatalError("\(error)")
    }
    return 0
}
