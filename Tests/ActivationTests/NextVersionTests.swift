import Files
import Testing

@testable import Activation

@Suite struct NextVersionTests {
    private static let first = String(repeating: "a", count: 64)
    private static let second = String(repeating: "0", count: 64)

    @Test(arguments: [
        // As ostree 2022.7 and 2024.8 print it.
        (
            "  fedora \(first).0 (staged)\n    Version: 42\n    origin refspec: x\n* fedora \(second).0\n",
            first + ".0"
        ),
        ("  fedora \(first).3 (pending)\n* fedora \(second).0\n", first + ".3"),
        ("  fedora \(first).0\n    origin: none\n", first + ".0"),
    ])
    func theFirstDeploymentStartsNext(text: String, name: String) throws {
        #expect(try NextVersion.deployment(in: text) == "fedora/deploy/" + name)
    }

    @Test func oneThatRunsIsNoOther() throws {
        let text = "* fedora \(Self.first).0\n    Version: 42\n  fedora \(Self.second).0 (rollback)\n"
        #expect(try NextVersion.deployment(in: text) == nil)
    }

    @Test(arguments: [
        "", "No deployments.\n", "  fedora abc.0\n", "  ../x \(first).0\n", "  fedora \(first).x\n",
        "fedora \(first).0\n",
    ])
    func whatIsNoListIsAnError(text: String) {
        let error = #expect(throws: NextVersionError.self) { try NextVersion.deployment(in: text) }
        #expect(error?.description.contains("hint: ") == true)
    }
}
