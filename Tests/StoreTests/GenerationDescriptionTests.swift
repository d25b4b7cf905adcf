import Foundation
import Testing

@testable import Store

/// The description of a generation, which is written without an encoder, is what the decoder reads.
@Suite struct GenerationDescriptionTests {
    @Test func whatIsWrittenIsRead() throws {
        let odd = "sxs install \"a\\b\"\n\t\u{8}\u{c}\r\u{1}\u{7f} ü/\u{1f600}"
        for full in [true, false] {
            let description = GenerationDescription(
                formatVersion: 1, profile: "work", number: 12, parent: full ? 11 : nil,
                created: "2026-11-23T13:05:03Z", command: odd, host: full ? odd : nil,
                hostRelease: full ? ["ID": "debian", "VERSION_ID": "12", "odd\"": odd] : nil,
                preparedOn: full ? [:] : nil, machine: full ? "0123" : nil)
            let text = description.json()
            #expect(text.last == 0x0a)
            let read = try JSON.decode(GenerationDescription.self, text)
            #expect(read.formatVersion == 1 && read.profile == "work" && read.number == 12)
            #expect(read.parent == description.parent && read.created == description.created)
            #expect(read.command == odd && read.host == description.host)
            #expect(read.hostRelease == description.hostRelease && read.preparedOn == description.preparedOn)
            #expect(read.machine == description.machine)
            // As JSONEncoder has them: pretty, and in the order of their keys.
            let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
            #expect(lines.first == "{" && lines.last == "}")
            #expect(lines.contains("  \"number\" : 12,"))
        }
    }
}
