import Activation
import Files
import StoreLayout
import Testing

@Suite struct LaunchDescriptionTests {
    private func whole() throws -> LaunchDescription {
        try LaunchDescription(
            baseName: "aaa-x-1",
            commands: [
                LaunchDescription.Command(name: [0xff], program: "bin/c", namespace: .never),
                LaunchDescription.Command(
                    name: Bytes("zip".utf8), program: "bin/zip", seeds: ["usr/bin/a", "etc/zip"]),
                LaunchDescription.Command(
                    name: Bytes("two words".utf8), program: "bin/a=b",
                    defaults: [Bytes("NAME".utf8): Bytes("a=b\tc ".utf8), Bytes("_E".utf8): []],
                    namespace: .always),
                LaunchDescription.Command(name: Bytes("[".utf8), program: "usr/bin/["),
            ],
            searchPath: ["usr/bin", "bin"], dataPath: ["usr/share"], seeds: ["etc/ssl/certs"])
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let description = try whole()
        #expect(try LaunchDescription(parsing: description.text, file: "launch") == description)
        #expect(
            description.text
                == Array(
                    """
                    sxs-launch 1
                    store-path /usr/store/aaa-x-1
                    search-path usr/bin
                    search-path bin
                    data-path usr/share
                    seed etc/ssl/certs
                    command [\tusr/bin/[
                    command two words\tbin/a=b
                    set-default NAME=a=b\tc\u{20}
                    set-default _E=
                    namespace always
                    command zip\tbin/zip
                    seed usr/bin/a
                    seed etc/zip
                    command X
                    """.utf8.dropLast()) + [0xff] + Array("\tbin/c\nnamespace never\n".utf8))
    }

    @Test func commandsOfEarlierGenerationsStay() throws {
        let old = try whole()
        let new = try LaunchDescription(
            baseName: "aaa-x-1",
            commands: [LaunchDescription.Command(name: Bytes("[".utf8), program: "bin/other")])
        let both = try new.adding(old)
        #expect(both.commands.map(\.program) == ["bin/other", "bin/a=b", "bin/zip", "bin/c"])
        #expect(both.searchPath == [])
        let other = try LaunchDescription(baseName: "bbb-y-1", commands: [])
        #expect(throws: LaunchDescriptionError.self) { try other.adding(old) }
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

    /// Texts that are no descriptions, or say what is not allowed.
    static let wrong = [
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
        "sxs-launch 1\nstore-path /usr/store/a\nseed usr\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh\nseed var/lib\n",
        "sxs-launch 1\nstore-path /usr/store/a\nsearch-path a:b\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh\nset-default A-B=c\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh\nset-default =c\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh\nset-default 1=c\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh\nset-default A\n",
        "sxs-launch 1\nstore-path /usr/store/a\nunknown a\n", "sxs-launch 1\nstore-path /usr/store/a\n\n",
        "sxs-launch 1\nstore-path /usr/store/a\nset-default A=b\ncommand sh\tbin/sh\n",
        "sxs-launch 1\nstore-path /usr/store/a\nnamespace always\ncommand sh\tbin/sh\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh\nnamespace sometimes\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh\nnamespace never\nnamespace always\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh\nset-default A=b\nset-default A=c\n",
        "sxs-launch 1\nstore-path /usr/store/a\ncommand sh\tbin/sh",
    ]

    @Test(arguments: wrong)
    func whatIsNotAllowedIsRefused(_ text: String) {
        #expect(throws: LaunchDescriptionError.self) {
            try LaunchDescription(parsing: Array(text.utf8), file: "launch")
        }
    }
}
