import ELF
import Foundation
import Testing

/// A temporary directory and the compilers of this machine; removed with the value.
final class Fixture {
    let directory: String

    init() throws {
        directory = NSTemporaryDirectory() + "/sxs-elf-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)  // nothing to do about it
    }

    func path(_ name: String) -> String { directory + "/" + name }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    /// Compiles C and returns the result's bytes.
    func compile(_ source: String, _ options: [String], compiler: String = "gcc", as name: String = "out")
        throws
        -> [UInt8]
    {
        try write(source, to: name + ".c")
        try run(compiler, options + ["-o", path(name), path(name + ".c")])
        return try read(path(name))
    }
}

func read(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

struct ToolFailure: Error, CustomStringConvertible {
    var description: String
}

/// Runs a tool and returns its output.
@discardableResult
func run(_ tool: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [tool] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(
        ["LC_ALL": "C", "PATH": "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin:/opt/swift/usr/bin"]
    ) { $1 }
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw ToolFailure(
            description: "\(tool) \(arguments.joined(separator: " ")): \(process.terminationStatus)")
    }
    return String(decoding: data, as: UTF8.self)
}

/// Offsets of `text` in `bytes`.
func offsets(of text: String, in bytes: [UInt8]) -> [Int] {
    let pattern = Array(text.utf8)
    guard bytes.count >= pattern.count else { return [] }
    return (0...bytes.count - pattern.count).filter {
        bytes[$0] == pattern[0] && bytes[$0..<$0 + pattern.count].elementsEqual(pattern)
    }
}
