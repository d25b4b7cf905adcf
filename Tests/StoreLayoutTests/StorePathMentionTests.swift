import Files
import StoreLayout
import Testing

@Suite struct StorePathMentionTests {
    static let base = "6lhg18n4gpk4s3vwpxrp05z9wrdwgrfh-empty-1.0+x~y"

    @Test(arguments: [
        "/usr/store/\(base)", "/usr/store/\(base)/usr/bin/x", "PATH=/bin:/srv/root/store/\(base):/usr/bin",
        "/\(base)\0/more", "/usr/store/\(base)/x (deleted)", "//\(base)\n",
    ])
    func findsAStorePathWhereverItIs(text: String) {
        #expect(StorePathMention.baseNames(in: text.utf8) == [Self.base])
    }

    @Test(arguments: [
        "", "/", "/usr/store/", Self.base, "/6lhg18n4gpk4s3vwpxrp05z9wrdwgrfh-",
        "/6lhg18n4gpk4s3vwpxrp05z9wrdwgrf-x",
        "/6lhg18n4gpk4s3vwpxrp05z9wrdwgrfe-x", "/6lhg18n4gpk4s3vwpxrp05z9wrdwgrfh/x",
    ])
    func takesNothingElseForOne(text: String) {
        #expect(StorePathMention.baseNames(in: text.utf8).isEmpty)
    }

    @Test func fingerprintsTellObjectsApart() throws {
        let digest = Digest(hashing: "x".utf8)
        let note = ExtendedAttribute(name: Array("user.note".utf8), value: [1])
        let keys = [
            ObjectKey(digest: digest, mode: 0o444), ObjectKey(digest: digest, mode: 0o555),
            ObjectKey(digest: digest, mode: 0o444, attributes: [note]),
            ObjectKey(digest: Digest(hashing: "y".utf8), mode: 0o444),
        ]
        #expect(Set(keys.map(\.fingerprint)).count == keys.count)
        #expect(ObjectKey.fingerprint(digest: digest.start, mode: 0o444) == keys[0].fingerprint)
    }
}
