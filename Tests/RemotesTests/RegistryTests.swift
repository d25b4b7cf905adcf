import Files
import Foundation
import Testing

@testable import Remotes

@Suite struct RegistryTests {
    @Test func challengesAreTakenApart() {
        let text = #" realm="https://a/t?x=1,2", service=reg ,scope="repository:a/b:pull,push""#
        let found = Registry.parameters(text[...])
        #expect(
            found == ["realm": "https://a/t?x=1,2", "service": "reg", "scope": "repository:a/b:pull,push"])
        #expect(Registry.parameters("").isEmpty)
        #expect(Registry.parameters(#"realm="open"#[...]) == ["realm": "open"])
    }

    @Test func helpersAreAskedForTheirRegistriesBeforeAndForAllOthersAfterWhatIsWritten() {
        let text = """
            {"auths": {"a.example": {"auth": "QQ=="}, "b.example": {"auth": "Qg=="}, "https://index.docker.io/v1/": {}},
            "credHelpers": {"a.example": "one", "c.example": "none"}, "credsStore": "two"}
            """
        let credentials = RegistryCredentials(parsing: [Bytes(text.utf8)])
        let ask = { (registry: String) in
            credentials.authorization(registry: registry, repository: "x/y") { helper, server in
                helper == "none" ? nil : "\(helper) \(server)"
            }
        }
        #expect(ask("a.example") == "one a.example")
        #expect(ask("b.example") == "Basic Qg==")
        #expect(ask("c.example") == "two c.example")
        #expect(ask("registry-1.docker.io") == "two https://index.docker.io/v1/")
    }

    @Test func aHelperIsToldTheRegistryAndItsAnswerIsRead() throws {
        let directory = FileManager.default.temporaryDirectory.path + "/sxs-helper-tests-\(UUID())"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let helper = directory + "/helper"
        // Written by a child: what this process writes may be open in another child when it is run.
        let script = """
            #!/bin/sh
            read -r server || true
            case "$1 $server" in
            'get good') printf '{"ServerURL":"good","Username":"me","Secret":"s:1"}' ;;
            'get token') printf '{"Username":"<token>","Secret":"s"}' ;;
            'get rubbish') echo rubbish ;;
            *) echo 'credentials not found in native keychain'; exit 1 ;;
            esac
            """
        let writer = Process()
        writer.executableURL = URL(fileURLWithPath: "/bin/sh")
        writer.arguments = ["-c", "printf '%s' \"$1\" > \"$2\"; chmod 755 \"$2\"", "sh", script, helper]
        try writer.run()
        writer.waitUntilExit()
        let ask = { CredentialHelper.authorization(of: $0, from: helper) }
        #expect(ask("good") == "Basic " + Data("me:s:1".utf8).base64EncodedString())
        for other in ["token", "rubbish", "missing"] { #expect(ask(other) == nil) }
        #expect(CredentialHelper.authorization(of: "good", from: directory + "/none") == nil)
        for name in ["", "../x", "/bin/sh", "a b", "none-of-this-name"] {
            #expect(CredentialHelper.find(name) == nil)
        }
    }

    @Test func theLongestKeyCounts() throws {
        let text = """
            {"auths": {"h:5000": {"auth": "aG9zdA=="}, "h:5000/team": {"auth": "dGVhbQ=="}, "bad": {"auth": "a\\nb"},
            "https://index.docker.io/v1/": {"auth": "aHVi"}, "empty": {}}, "credHelpers": {"x": "y"}}
            """
        let credentials = RegistryCredentials(parsing: [Bytes(text.utf8), Bytes("no JSON".utf8)])
        let find = { (registry: String, repository: String) in
            credentials.authorization(registry: registry, repository: repository)
        }
        #expect(find("h:5000", "team/emacs") == "Basic dGVhbQ==")
        #expect(find("h:5000", "teamwork/emacs") == "Basic aG9zdA==")
        #expect(find("registry-1.docker.io", "library/emacs") == "Basic aHVi")
        #expect(find("bad", "x") == nil && find("empty", "x") == nil && find("h", "team") == nil)
    }
}
