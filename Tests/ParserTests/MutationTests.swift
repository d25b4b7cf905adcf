import Files
import Foundation
import FuzzChecks
import Testing

/// Every parser that sees what others wrote, fed with good inputs that were damaged, the same ones in each run.
@Suite struct MutationTests {
    /// Inputs by target, made once.
    private static let seeds = Result<[String: [Bytes]], any Error>(catching: {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "sxs-seeds-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Scripts/hostile/seeds.py")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-B", script.path, directory.path]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        var result: [String: [Bytes]] = [:]
        for target in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
            let folder = directory.appending(path: target)
            result[target] = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
                Array(try Data(contentsOf: folder.appending(path: $0)))
            }
        }
        return result
    })

    /// Each target has seeds, and the good ones are taken.
    @Test func everyTargetHasSeeds() throws {
        let seeds = try Self.seeds.get()
        for target in FuzzTarget.all { #expect(seeds[target.name]?.isEmpty == false, "\(target.name)") }
        #expect(Set(seeds.keys) == Set(FuzzTarget.all.map(\.name)).union(["launcher"]))
    }

    @Test(.timeLimit(.minutes(5)), arguments: FuzzTarget.all)
    func damagedInputsAreSurvived(target: FuzzTarget) throws {
        let seeds = try #require(try Self.seeds.get()[target.name])
        for seed in seeds {
            #expect(throws: Never.self, "\(target.name): a seed") { try target.check(seed) }
        }
        var mutator = Mutator(seed: 4)
        for number in 0..<400 {
            let seed = seeds[number % seeds.count]
            let input = mutator.mutateAnything(seed, others: seeds)
            #expect(throws: Never.self, "\(target.name): mutation \(number)") { try target.check(input) }
        }
    }
}
