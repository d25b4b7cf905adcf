import Files
import Foundation
import Operations
import StoreLayout
import Testing
import Varlink

@testable import Service

@Suite struct StoreInterfaceTests {
    /// Names of the methods that a description has.
    private static func methods(_ description: String) -> Set<String> {
        Set(
            description.split(separator: "\n").filter { $0.hasPrefix("method ") }.map {
                String($0.dropFirst("method ".count).prefix { $0 != "(" })
            })
    }

    @Test func everyMethodIsDescribedAndThere() {
        let store = StoreInterface(root: "/none", version: "1").interface
        #expect(Self.methods(store.description) == Set(store.methods.keys))
        #expect(store.description.contains("\ninterface \(store.name)\n"))
        let other = SysextmgrInterface(root: "/none").interface
        #expect(Self.methods(other.description) == Set(other.methods.keys))
        #expect(other.description.contains("\ninterface \(other.name)\n"))
    }

    @Test func everyRightIsInPolkitsFile() throws {
        guard case .file(let bytes) = VarlinkLayout.policy(in: VarlinkLayout.policyDirectory).kind else {
            throw CocoaError(.fileNoSuchFile)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let actions: [Authority.Action] = [.install, .remove, .upgrade, .switch, .clean, .refresh]
        #expect(text.components(separatedBy: "<action id=").count == actions.count + 1)
        for action in actions { #expect(text.contains("<action id=\"\(action.name)\">"), "\(action.name)") }
    }

    @Test func whoIsNotRootAndHasNoRightIsRefusedBeforeAnythingIsLookedAt() throws {
        // Nobody's process: polkit, where there is one, cannot say yes.
        let peer = VarlinkPeer(user: 65534, process: 0)
        #expect(throws: VarlinkError.self) { try Authority().check(.install, of: peer, isInteractive: false) }
        #expect(throws: Never.self) {
            try Authority().check(.install, of: VarlinkPeer(user: 0, process: 1), isInteractive: false)
        }
    }

    @Test func theStartOfAProcessIsReadWhateverItsName() {
        let fields = (3...52).map { "\($0)" }.joined(separator: " ")
        #expect(Authority.start(inStatus: Array("7 (a) b) (c) \(fields)\n".utf8)) == "22")
        #expect(Authority.start(inStatus: Array("7 (a) 3 4\n".utf8)) == nil)
        #expect(Authority.start(inStatus: []) == nil)
        #expect(Authority.start(of: getpid()).flatMap { Int($0) } != nil)
    }

    @Test(
        arguments: [
            ("emacs", nil, "emacs", nil), ("emacs@28.2+1", nil, "emacs", "28.2+1"),
            ("tools/git", "tools", "git", nil),
            ("tools/git@2", "tools", "git", "2"),
        ] as [(String, String?, String, String?)])
    func packagesAreNamed(text: String, remote: String?, name: String, version: String?) throws {
        let package = try #require(NamedPackage(parsing: text))
        #expect(package.remote == remote && package.name == name && package.version == version)
    }

    @Test(arguments: [
        "", "/", "/etc/passwd", "./x", "../x", "a/b/c", "tar:x", "oci-archive:/x", "a/", "/a", "a@", "@1",
        "a@1@2",
        "a b", "-x", ".", "..", "a/..", "../a", "https://example.org", "a\nb", "a\u{0}b",
    ])
    func pathsAreNoNames(text: String) { #expect(NamedPackage(parsing: text) == nil) }

    @Test func anErrorsHintIsApart() throws {
        let error = StoreInterface.failure(SettingError.unknown("x"))
        #expect(error.name == "io.sxs.Store.Failed")
        let said = try JSONSerialization.jsonObject(with: JSONEncoder().encode(Said(error.parameters)))
        #expect(
            said as? [String: String] == [
                "message": "there is no key 'x'", "hint": "'sxs config --keys' shows all",
            ])
    }

    private struct Said: Encodable {
        let body: any Encodable
        init(_ body: any Encodable) { self.body = body }
        func encode(to encoder: any Encoder) throws { try body.encode(to: encoder) }
    }
}
