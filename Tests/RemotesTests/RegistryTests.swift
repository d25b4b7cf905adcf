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
