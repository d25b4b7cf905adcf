// What libFuzzer calls: each input is read, edited, and relocated as a program of an image. Built by Scripts/fuzz only.

import Files
import Foundation
import FuzzChecks

/// Made once: a loader of this machine makes the relocator rewrite interpreters and caches too.
private nonisolated(unsafe) let rewriter: RewriterCheck = {
    guard let path = ProcessInfo.processInfo.environment["SXS_FUZZ_LOADER"],
        let loader = try? Data(contentsOf: URL(fileURLWithPath: path)),
        let check = try? RewriterCheck(loader: Array(loader))
    else { fatalError("SXS_FUZZ_LOADER names no loader") }
    return check
}()

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The package manager calls a program's main like this; libFuzzer's own has no place then.
@_cdecl("elf_fuzz_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var count = count
    var arguments = arguments
    return withUnsafeMutablePointer(to: &arguments) { runDriver(&count, $0, testOneInput) }
}

private func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    checkReading(bytes)
    guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return 0 }
    do {
        try checkEditing(bytes)
        try rewriter.check(Array(bytes))
    } catch {
        fatalError("\(error)")
    }
    return 0
}
