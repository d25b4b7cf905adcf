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

    @Test func anObjectsNameHasTheFingerprintOfItsKey() throws {
        let digest = Digest(hashing: "x".utf8)
        let note = ExtendedAttribute(name: Array("user.note".utf8), value: [1])
        for key in [
            ObjectKey(digest: digest, mode: 0o444), ObjectKey(digest: digest, mode: 0o555),
            ObjectKey(digest: digest, mode: 0o444, attributes: [note]),
        ] {
            for number in [0, 7] {
                let name = Array(key.fileName(number: number).utf8)
                #expect(name.withUnsafeBytes { ObjectKey.fingerprint(fileName: $0) } == key.fingerprint)
            }
        }
        #expect(
            ObjectKey(digest: digest, mode: 0o444).fingerprint
                != ObjectKey(digest: digest, mode: 0o555).fingerprint)
        for name in ["", ".x", String(repeating: "0", count: 64), String(repeating: "g", count: 64) + "-444"]
        {
            #expect(Array(name.utf8).withUnsafeBytes { ObjectKey.fingerprint(fileName: $0) } == nil)
        }
    }
}
