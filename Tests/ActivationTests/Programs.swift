import Foundation

/// Copies a program by cp(1): were it written here, a child of any other suite could inherit the descriptor open
/// for writing and make the program busy for execve(2).
func copyProgram(_ source: String, to target: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/cp")
    process.arguments = ["--preserve=mode", source, target]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CocoaError(.fileWriteUnknown) }
}

/// Makes a script that can be run at once.
func makeScript(_ text: String, at target: String) throws {
    let written = target + ".text"
    try text.write(toFile: written, atomically: false, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: written)
    try copyProgram(written, to: target)
    try FileManager.default.removeItem(atPath: written)
}
