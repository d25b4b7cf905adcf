import Distributions
import Files
import Testing

@Suite struct ControlTextTests {
    private func parse(_ text: String) throws(DistributionError) -> ControlText {
        try ControlText(parsing: Bytes(text.utf8), file: "text")
    }

    @Test func fieldsGoOnOverLines() throws {
        let text = try parse(
            "# of tests\nTypes: deb\nuris:  http://a/ http://b/ \nKey:\n one\n .\n\two\n\n\nTypes: deb-src\n")
        #expect(text.paragraphs.count == 2)
        #expect(text.paragraphs[0].words("URIs") == ["http://a/", "http://b/"])
        #expect(text.paragraphs[0].lines("Key") == ["", " one", " .", "\two"])
        #expect(text.paragraphs[1].value("types") == "deb-src")
        #expect(text.paragraphs[1].value("Nothing") == nil)
    }

    @Test(arguments: [
        (" rest\n", 1), ("A: b\nno field\n", 2), ("A: b\na: c\n", 2), (": b\n", 1), ("A b: c\n", 1),
    ])
    func whatIsNoneIsRefusedWithItsLine(text: String, line: Int) {
        let error = #expect(throws: DistributionError.self) { try parse(text) }
        guard case .badText(_, line, _)? = error else {
            Issue.record("\(text) is refused with \(String(describing: error))")
            return
        }
    }

    @Test func whatIsNotTextIsRefused() {
        #expect(throws: DistributionError.self) {
            try ControlText(parsing: [0x41, 0x3a, 0xff, 0xfe], file: "text")
        }
        #expect(throws: DistributionError.self) {
            try ControlText(parsing: [0x41, 0x3a, 0, 0x0a], file: "text")
        }
    }
}
