import StoreLayout
import Testing

/// What a policy is told of a root; `Scripts/compare-labels` has the policy's tools read it.
@Suite struct SELinuxRulesTests {
    private func substitutions(_ old: String, root: String = "/r", _ tops: [String: [String]]) -> String {
        String(decoding: SELinuxRules.substitutions(Array(old.utf8), root: root, tops: tops), as: UTF8.self)
    }

    static let block = "# sxs: begin of /r\n/r/store/a-1/etc /etc\n/r/store/a-1/usr /usr\n# sxs: end of /r\n"

    @Test func everyTopIsLookedUpAsTheHosts() {
        #expect(substitutions("", ["a-1": ["usr", "etc"]]) == Self.block)
    }

    @Test func linesOfOthersStay() {
        let others = "/srv/x /usr\n\n# note\n# sxs: begin of /r2\n/r2/store/b-1/usr /usr\n# sxs: end of /r2"
        let new = substitutions(others, ["a-1": ["usr", "etc"]])
        #expect(new == others + "\n" + Self.block)
        #expect(substitutions(new, ["a-1": ["usr", "etc"]]) == new)
        #expect(substitutions(new, [:]) == others + "\n")
        #expect(
            substitutions(new, ["c-2": ["opt"]]).hasSuffix(
                "begin of /r\n/r/store/c-2/opt /opt\n# sxs: end of /r\n"))
    }

    @Test func specialCharactersOfTheRootAreNoPatternInTheModule() {
        let module = SELinuxRules.module(root: "/home/a.b+c/sxs")
        #expect(module.contains(#"(filecon "/home/a\.b\+c/sxs/objects(/.*)?" any ())"#))
    }
}
