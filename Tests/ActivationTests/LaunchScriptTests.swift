import Activation
import Files
import Foundation
import StoreLayout
import Testing

/// Scripts that stand for launchers, run by the shells that hosts have.
@Suite struct LaunchScriptTests {
    private let directory: URL
    private let description: LaunchDescription

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "sxs-script-\(UUID().uuidString)")
        description = try LaunchDescription(
            baseName: "aaa-x-1",
            commands: [
                LaunchDescription.Command(
                    name: Bytes("it's".utf8), program: "usr/lib/a 'quoted' $name/show",
                    defaults: [
                        Bytes("NEW".utf8): Bytes("a 'b' $c\\n".utf8), Bytes("KNOWN".utf8): Bytes("x".utf8),
                    ])
            ],
            searchPath: ["usr/bin", "usr/a b"], dataPath: ["usr/share"], seeds: ["etc/ssl/certs"])
        let program = directory.appending(path: "store/aaa-x-1/usr/lib/a 'quoted' $name/show")
        try FileManager.default.createDirectory(
            at: program.deletingLastPathComponent(), withIntermediateDirectories: true)
        let text = """
            #!/bin/sh
            echo "$0"; printf '<%s>' "$@"; echo
            echo "$PATH"; echo "${XDG_DATA_DIRS-none}"; printf '%s\\n' "$NEW" "$KNOWN" "${EMPTY-unset}"
            exit 7
            """
        try makeScript(text, at: program.path)
    }

    /// What a shell makes of the script, with the store in the test's directory.
    private func run(_ shell: [String], environment: [String: String]) throws -> (
        lines: [String], errors: String, status: Int32
    ) {
        let script = try #require(description.script(for: Bytes("it's".utf8), extensionName: "box"))
        let text = String(decoding: script, as: UTF8.self).replacingOccurrences(
            of: StoreLayout.storeDirectory, with: directory.path + "/store")
        let file = directory.appending(path: "command")
        try text.write(to: file, atomically: false, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: shell[0])
        process.arguments = shell.dropFirst() + [file.path, "one", "two words", "*", ""]
        process.environment = environment
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        try process.run()
        let results = output.fileHandleForReading.readDataToEndOfFile()
        let messages = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            String(decoding: results, as: UTF8.self).components(separatedBy: "\n"),
            String(decoding: messages, as: UTF8.self), process.terminationStatus
        )
    }

    @Test(arguments: [["/bin/dash"], ["/bin/bash", "--posix"]])
    func aScriptDoesWhatALauncherDoes(shell: [String]) throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let store = directory.path + "/store/aaa-x-1"
        let outcome = try run(
            shell,
            environment: [
                "PATH": "/bin:\(store)/usr/bin:/usr/bin", "KNOWN": "mine", "EMPTY": "", "XDG_DATA_DIRS": "",
            ])
        #expect(outcome.errors == "")
        #expect(
            outcome.lines == [
                store + "/usr/lib/a 'quoted' $name/show", "<one><two words><*><>",
                // What is there already is not there twice.
                "/bin:\(store)/usr/bin:/usr/bin:\(store)/usr/a b",
                "/usr/local/share:/usr/share:\(store)/usr/share", "a 'b' $c\\n", "mine", "", "",
            ])
        #expect(outcome.status == 7)
    }

    @Test(arguments: [["/bin/dash"], ["/bin/bash", "--posix"]], [true, false])
    func whereTheStoreIsNotVisibleItSaysWhy(shell: [String], isHidden: Bool) throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.removeItem(at: directory.appending(path: "store"))
        if isHidden {
            try FileManager.default.createSymbolicLink(
                atPath: directory.path + "/store", withDestinationPath: "/nowhere")
        }
        let outcome = try run(shell, environment: ["PATH": "/bin:/usr/bin"])
        #expect(outcome.status == 127)
        #expect(outcome.lines == [""])
        #expect(outcome.errors.hasPrefix("it's: \(directory.path)/store/aaa-x-1 is not visible here\nhint: "))
        #expect(outcome.errors.contains("sxs import --extensions") == isHidden)
    }

    @Test func aCommandThatIsNotThereHasNoScript() {
        #expect(description.script(for: Bytes("other".utf8), extensionName: "box") == nil)
    }
}
