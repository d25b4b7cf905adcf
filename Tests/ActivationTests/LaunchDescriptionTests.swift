import Activation
import Files
import Testing

@Suite struct LaunchDescriptionTests {
    private func whole() throws -> LaunchDescription {
        try LaunchDescription(
            baseName: "aaa-x-1",
            commands: [Bytes("[".utf8): "usr/bin/[", Bytes("two words".utf8): "bin/a=b", [0xff]: "bin/c"],
            searchPath: ["usr/bin", "bin"], seeds: ["etc/ssl/certs"],
            defaults: [Bytes("NAME".utf8): Bytes("a=b\tc ".utf8), Bytes("_E".utf8): []])
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let description = try whole()
        #expect(try LaunchDescription(parsing: description.text, file: "launch") == description)
        #expect(
            description.text.starts(
                with: "sxs-launch 1\nstore-path /usr/store/aaa-x-1\ncommand [\tusr/bin/[\n".utf8))
    }

    @Test func aTruncatedDescriptionIsRefusedOrShorterByWholeLines() throws {
        let text = try whole().text
        for length in 0..<text.count {
            let part = Array(text[..<length])
            if part.last == UInt8(ascii: "\n"), part.count(where: { $0 == UInt8(ascii: "\n") }) > 1 {
                #expect(throws: Never.self) { try LaunchDescription(parsing: part, file: "launch") }
            } else {
                #expect(throws: LaunchDescriptionError.self) {
                    try LaunchDescription(parsing: part, file: "launch")
                }
            }
        }
    }

    @Test(arguments: [
        "", "sxs-launch 2\nstore-path /usr/store/a\n", "sxs-launch 1\n",
        "sxs-launch 1\nstore-path /usr/store/\n",
        "sxs-launch 1\nstore-path /usr/store/..\n", "sxs-launch 1\nstore-path /usr/store/a/b\n",
        "sxs-launch 1\nstore-path /tmp/a\n",
        "sxs-launch 1\nstore-path /usr/store/a\nstore-path /usr/store/a\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\t/bin/sh\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\t../sh\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand ../sh\tbin/sh\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\t\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin//sh\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh\ncommand sh\tbin/sh\n",
        "sxs-launch 1\nstore-path /usr/store/a\nseed etc\n",
        "sxs-launch 1\nstore-path /usr/store/a\nseed usr/lib\n",
        "sxs-launch 1\nstore-path /usr/store/a\nsearch-path a:b\n",
        "sxs-launch 1\nstore-path /usr/store/a\nset-default A-B=c\n",
        "sxs-launch 1\nstore-path /usr/store/a\nset-default =c\n",
        "sxs-launch 1\nstore-path /usr/store/a\nset-default 1=c\n",
        "sxs-launch 1\nstore-path /usr/store/a\nset-default A\n",
        "sxs-launch 1\nstore-path /usr/store/a\nunknown a\n", "sxs-launch 1\nstore-path /usr/store/a\n\n",
    ])
    func whatIsNotAllowedIsRefused(_ text: String) {
        #expect(throws: LaunchDescriptionError.self) {
            try LaunchDescription(parsing: Array(text.utf8), file: "launch")
        }
    }
}
