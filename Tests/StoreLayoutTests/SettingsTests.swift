import Files
import Foundation
import StoreLayout
import Testing

/// A directory with hosts in it, removed with all that is in it.
private final class Place {
    let path = FileManager.default.temporaryDirectory.path + "/sxs-settings-tests-\(UUID())"

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        let file = URL(fileURLWithPath: path + "/" + name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: false, encoding: .utf8)
    }

    func hide(_ name: String) throws {
        try write(name, "")
        try FileManager.default.removeItem(atPath: path + "/" + name)
        try FileManager.default.createSymbolicLink(
            atPath: path + "/" + name, withDestinationPath: "/dev/null")
    }

    func settings(user: String? = nil) throws -> Settings {
        try Settings(host: path, user: user.map { path + "/" + $0 })
    }
}

@Suite struct SettingsTests {
    @Test func withoutFilesTheDefaultsHoldAndAllOfThemAreGood() throws {
        let settings = try Place().settings()
        for setting in Setting.all {
            let value = settings.value(of: setting)
            #expect(
                value.text == setting.usual && value.isGood && value.origin == "default", "\(setting.name)")
        }
        #expect(try settings.number(.imageSize) == 128 << 30)
        #expect(try settings.number(.keptGenerations) == nil)
        #expect(try !settings.isOn(.isStrict))
    }

    @Test func theFirstMainFileCountsAndDropInsComeByName() throws {
        let place = Place()
        try place.write("usr/lib/sxs/sxs.conf", "[Retention]\nKeepGenerations=1\nKeepDays=1\n")
        try place.write("etc/sxs/sxs.conf", "[Retention]\nKeepGenerations=2\n")
        try place.write(
            "usr/lib/sxs/sxs.conf.d/90-vendor.conf", "[Retention]\nKeepGenerations=3\nCacheDays=\n")
        try place.write(
            "etc/sxs/sxs.conf.d/10-own.conf", "[Retention]\nKeepGenerations=4\nCacheDays=9\nCacheSize=1k\n")
        try place.write("etc/sxs/sxs.conf.d/.99.conf", "[Retention]\nKeepGenerations=5\n")
        let settings = try place.settings()
        let kept = settings.value(of: .keptGenerations)
        #expect(kept.text == "3" && kept.line == 2)
        #expect(kept.file == place.path + "/usr/lib/sxs/sxs.conf.d/90-vendor.conf")
        // That of the main file which does not count, one that was taken back, and one that stands.
        #expect(try settings.number(.keptDays) == nil)
        #expect(settings.value(of: .cachedDays).origin == "default")
        #expect(try settings.number(.cacheSize) == 1000)
        #expect(
            settings.files.map { $0.dropFirst(place.path.count + 1) } == [
                "etc/sxs/sxs.conf", "etc/sxs/sxs.conf.d/10-own.conf", "usr/lib/sxs/sxs.conf.d/90-vendor.conf",
            ])
    }

    @Test func anEmptyFileOrALinkToNothingHides() throws {
        let place = Place()
        try place.write("usr/lib/sxs/sxs.conf", "[Fetch]\nAttempts=9\n")
        try place.write("run/sxs/sxs.conf", "")
        try place.write("usr/lib/sxs/sxs.conf.d/a.conf", "[Fetch]\nTimeout=9\n")
        try place.hide("etc/sxs/sxs.conf.d/a.conf")
        let settings = try place.settings()
        #expect(settings.files.isEmpty)
        #expect(try settings.number(.attempts) == 3 && settings.number(.timeout) == 30)
    }

    @Test func aUsersFileGoesBeforeAndAHostsRootIsNotHis() throws {
        let place = Place()
        try place.write("etc/sxs/sxs.conf.d/a.conf", "[Store]\nRoot=/srv/store\nProfile=work\n")
        #expect(try place.settings().text(.root) == "/srv/store")
        #expect(try place.settings(user: "home").text(.root) == nil)
        #expect(try place.settings(user: "home").text(.profile) == "work")
        try place.write("home/sxs.conf.d/b.conf", "[Store]\nRoot=/home/me/store\n")
        #expect(try place.settings(user: "home").text(.root) == "/home/me/store")
    }

    @Test func whatMeansNothingIsSaidAndPassedOver() throws {
        let place = Place()
        try place.write("etc/sxs/sxs.conf", "Root=/a\n[Store]\nroot=/b\nwhat\nRoot=/c\n[Shop]\nRoot=/d\n")
        let settings = try place.settings()
        #expect(try settings.text(.root) == "/c")
        let file = place.path + "/etc/sxs/sxs.conf"
        #expect(settings.strays.map { $0.prefix(file.count + 2) } == [4, 1, 3, 7].map { "\(file):\($0)" })
    }

    @Test(arguments: [
        ("[Store]\nRoot=relative", Setting.root), ("[Store]\nProfile=../x", .profile),
        ("[Store]\nMinFree=many", .minimumFree), ("[Images]\nMaxFiles=0", .imageFiles),
        ("[Images]\nStrict=perhaps", .isStrict), ("[Retention]\nKeepGenerations=-1", .keptGenerations),
        ("[Fetch]\nTransfers=65", .transfers), ("[Retention]\nCacheSize=99999999999999999999", .cacheSize),
    ])
    func aBadValueIsNamedWhereItIsNeeded(text: String, setting: Setting) throws {
        var settings = Settings()
        try settings.read(Bytes(text.utf8), file: "/x.conf")
        let error = #expect(throws: SettingError.self) { try settings.text(setting) }
        #expect(error.map { "\($0)".hasPrefix("/x.conf:2 has \(setting.key)=") } == true)
        #expect(error.map { "\($0)".contains("\nhint: it may be ") } == true)
        // All else holds.
        for other in Setting.all where other != setting { _ = try settings.text(other) }
    }

    @Test(arguments: [[0xff, 0x0a], [0x41, 0], Bytes(repeating: 0x20, count: Settings.longest + 1)])
    func whatIsNoTextIsRefused(bytes: Bytes) {
        #expect(throws: SettingError.notText("/x.conf")) {
            var settings = Settings()
            try settings.read(bytes, file: "/x.conf")
        }
    }

    @Test func theWrittenContractHasTheKeysThatThereAre() throws {
        let text = try String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "store-layout/configuration.md"), encoding: .utf8
        )
        let rows = text.split(separator: "\n").map(String.init).filter { line in
            line.hasPrefix("| ") && !line.hasPrefix("| `") && line.contains(" | `")
        }
        let expected = Setting.all.map { setting in
            let usual = setting == .root ? "/var/lib/sxs`, `~/.local/share/sxs" : setting.usual
            let cell = { (text: String) in text.isEmpty ? " |" : " `\(text)` |" }
            return "| \(setting.section) |" + cell(setting.key) + cell(usual) + cell(setting.option ?? "")
        }
        #expect(rows == expected)
    }
}
