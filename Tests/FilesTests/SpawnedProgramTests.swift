import Files
import Testing

@Suite struct SpawnedProgramTests {
    private func shell(_ script: String, input: String = "", environment: [String] = []) throws
        -> SpawnedProgram
    {
        try SpawnedProgram("/bin/sh", ["-c", script], environment: environment, input: Bytes(input.utf8))
    }

    @Test func inputOutputMessagesAndEnvironment() throws {
        let program = try shell("cat; echo $A; echo problem >&2; exit 7", input: "in ", environment: ["A=b"])
        let result = try program.finish()
        #expect(result.status == 7)
        #expect(String(decoding: result.output, as: UTF8.self) == "in b\n")
        #expect(String(decoding: result.messages, as: UTF8.self) == "problem\n")
    }

    @Test func whatIsPreferredComesFirst() throws {
        // Both are there before anything is read.
        let program = try shell("echo head >&3; echo body; sleep 0.2")
        var seen: [Int] = []
        try SpawnedProgram.read([program.extra, program.output, program.messages]) { index, _ in
            seen.append(index)
        }
        #expect(seen == [0, 1] && program.wait() == 0)
    }

    @Test func whatIsPrintedPastALimitIsDropped() throws {
        let result = try shell("head -c 300000 /dev/zero").finish(limit: 1000)
        #expect(result.output.count == 1000 && result.status == 0)
    }

    @Test func programsOfSeveralThreadsDoNotKeepEachOthersPipesOpen() throws {
        try inParallel(Array(0..<32), threads: 8) { number in
            let slow = try shell("exec sleep 5")
            let result = try shell("echo \(number)").finish()
            #expect(result.output == Bytes("\(number)\n".utf8))
            slow.stop()
            #expect(slow.wait() == 0)
        }
    }

    @Test func whatCannotBeStartedIsAnError() {
        #expect(throws: SystemError.self) { try SpawnedProgram("/nonexistent", [], environment: []) }
        #expect(SpawnedProgram.find("sh") != nil && SpawnedProgram.find("no such program") == nil)
    }
}
