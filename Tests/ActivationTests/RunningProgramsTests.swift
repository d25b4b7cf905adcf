import Foundation
import Testing

@testable import Activation

/// What is found out about processes, whatever they do.
@Suite struct RunningProgramsTests {
    @Test func aPathThatIsTooLongToBeToldHidesNothingElse() throws {
        let base = "0123456789abcdfghijklmnpqrsvwxyz-held-1"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        // Works in a directory whose path takes more than a page, and has it open.
        process.arguments = [
            "-c",
            """
            import os, shutil, sys, tempfile
            top = tempfile.mkdtemp()
            os.chdir(top)
            for _ in range(40):
                os.mkdir("d" * 200)
                os.chdir("d" * 200)
            held = os.open(".", os.O_RDONLY)
            print("ready", flush=True)
            sys.stdin.read()
            os.chdir("/")
            shutil.rmtree(top)
            """,
        ]
        process.environment = ["HELD": "/usr/store/\(base)/usr/bin"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        defer {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
        }
        #expect(output.fileHandleForReading.availableData == Data("ready\n".utf8))
        let users = try RunningPrograms().users.filter { $0.process == process.processIdentifier }
        #expect(users.map(\.baseName) == [base])
        #expect(users.map(\.use) == ["names in its environment"])
    }
}
