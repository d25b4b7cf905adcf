import ArgumentParser
import Testing

@testable import sxs

/// Command lines that are read without ArgumentParser mean what they mean to it.
@Suite struct PlainCommandTests {
    /// What ArgumentParser makes of the same words; `nil` where it refuses them, or they say more.
    private func parsed(_ words: [String]) -> (PlainCommand.Verb, SharedValues)? {
        guard let command = try? SXS.parseAsRoot(words) else { return nil }
        switch command {
        case let command as InstallCommand where isUsual(command):
            return (.install(command.packages), command.shared.values)
        case let command as ListCommand: return (.list, command.shared.values)
        case let command as RemoveCommand where isUsual(command.refresh, command.activation):
            return (.remove(command.names), command.shared.values)
        case let command as RollbackCommand where isUsual(command.refresh, command.activation):
            return (.rollback, command.shared.values)
        case let command as SwitchCommand where isUsual(command.refresh, command.activation):
            return (.switch(command.generation), command.shared.values)
        default: return nil
        }
    }

    private func isUsual(_ refresh: RefreshOptions, _ activation: ActivationOptions) -> Bool {
        !refresh.refresh && !activation.noActivate
    }

    /// Whether an installation says nothing that the plain one leaves out.
    private func isUsual(_ command: InstallCommand) -> Bool {
        let image = command.image
        return command.prefer.isEmpty && !command.anyHost && !command.distribution.recommends
            && !command.fetch.offline && !command.activation.noActivate && image.name == nil
            && image.packageVersion == nil && image.platform == nil && image.expose.isEmpty && !image.strict
            && image.minFree == nil && image.maxSize == nil && image.maxFiles == nil && image.maxRatio == nil
            && image.slim == nil && image.locale.isEmpty && !image.runScripts
    }

    @Test(arguments: [
        "install a", "install ./a.tar b@1=2 remote/c --json", "install a --root /r b --profile p",
        "install --root r a", "install install", "install help", "list", "list --json",
        "list --root /r --json",
        "remove a", "remove a b a --profile p --root r", "rollback", "rollback --root r", "switch 7",
        "switch --json 007 --root list", "rollback --json --profile default",
    ])
    func aPlainLineMeansWhatItMeansToTheParser(_ line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        let plain = try #require(PlainCommand(words))
        let (verb, shared) = try #require(parsed(words))
        #expect(plain.verb == verb)
        #expect(plain.shared == shared)
    }

    @Test(arguments: [
        "", "install", "install --json", "install -h", "install a --help", "install a --version 1",
        "install a -- b",
        "install a --strict", "install a --expose x", "install a --root", "install a --root --json",
        "install a --root=r", "install a --root r --root s", "install a --json --json", "install a -x",
        "list a", "remove", "remove --refresh a", "rollback 3", "rollback --no-activate", "switch",
        "switch x",
        "switch 1 2", "switch -1", "switch +1", "switch 99999999999999999999", "help", "help install",
        "--version list", "--help", "--root r list", "generations", "instal a", "run a",
    ])
    func everythingElseIsTheParsers(_ line: String) {
        #expect(PlainCommand(line.split(separator: " ").map(String.init)) == nil)
    }

    @Test func anEmptyWordIsTheParsers() {
        #expect(PlainCommand(["install", ""]) == nil)
        #expect(PlainCommand(["list", "--root", ""]) == nil)
    }

    @Test func theVersionIsTheParsersToo() throws {
        #expect(PlainCommand(["--version"])?.verb == .version)
        let error = try #require(throws: (any Error).self) { try SXS.parseAsRoot(["--version"]) }
        #expect(SXS.fullMessage(for: error) == SXS.version)
        #expect(SXS.exitCode(for: error) == .success)
    }
}
