import Activation
import Files
import Foundation
import Testing

/// What units say, and what the generator gives systemd of them.
@Suite struct UnitTests {
    private static func unit(_ text: String) -> UnitText { UnitText(Array(text.utf8)) }

    @Test(arguments: [
        ("[Install]\nWantedBy=multi-user.target\n", ["multi-user.target"]),
        (
            "[Install]\nWantedBy=a.target  b.service\\\n c.target\nRequiredBy=a.target\n",
            ["a.target", "c.target"]
        ),
        ("[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy = b.target\n", ["b.target"]),
        ("[Unit]\nWantedBy=a.target\n#WantedBy=b.target\n", []),
        ("[Install]\nWantedBy=../../a.target\n", []), ("[Install]\n", []),
    ])
    func targetsAreThoseThatInstallNames(text: String, targets: [String]) {
        #expect(Self.unit(text).wantingTargets == targets)
    }

    @Test(arguments: [
        ("", "Upholds"), ("[Service]\nType=notify\n", "Upholds"), ("[Service]\nType=oneshot\n", "Wants"),
        ("[Service]\nType=oneshot\nRemainAfterExit=yes\n", "Upholds"),
    ])
    func whatEndsByItselfIsNotStartedForEver(text: String, dependency: String) {
        #expect(Self.unit(text).dependency == dependency)
    }

    @Test func usersAreNamesOfNobodyYet() {
        let text = """
            [Service]
            User=redis
            Group=data
            SupplementaryGroups=adm 12
            [Socket]
            SocketUser=www
            """
        let unit = Self.unit(text).runsAs
        #expect(unit.users == ["redis", "www"] && unit.groups == ["data", "adm"])
        for text in ["User=root", "User=0", "User=%i", "User=a\nDynamicUser=yes", "User=a:b"] {
            #expect(Self.unit("[Service]\n\(text)\n").runsAs.users == [], "\(text)")
        }
    }

    @Test func variablesAndProgramsAreRead() {
        let unit = Self.unit(
            "[Service]\nEnvironment=A=1 \"B=x y\"\nEnvironment='C=2'\nExecStart=-@/usr/bin/a b\nExecStart=c\n"
        )
        #expect(unit.variables.isSuperset(of: ["A", "B", "C"]))
        #expect(unit.program == "/usr/bin/a")
        #expect(Self.unit("[Service]\n").program == nil)
    }

    @Test func programsWithoutADirectoryAreThePackages() {
        let text =
            "[Service]\nExecStart=-a --x\nExecStop=/bin/a\nExecReload= +b a\nEnvironment=a\nExecStartPre=\n"
        let rewritten = UnitText.rewritten(Array(text.utf8)) { $0 == "a" ? "/s/a" : nil }
        #expect(
            String(decoding: rewritten, as: UTF8.self)
                == text.replacingOccurrences(of: "=-a", with: "=-/s/a"))
    }

    @Test(arguments: ["a.service", "a@.service", "a@b\\x2dc.socket", "x.target"])
    func unitsHaveNames(name: String) { #expect(UnitText.isUnit(name)) }

    @Test(arguments: [
        "a", ".service", "a.conf", "a b.service", "a/b.service", "ü.service", "README.service.txt",
    ])
    func otherFilesAreNone(name: String) { #expect(!UnitText.isUnit(name)) }

    // MARK: - The generator

    private static func write(_ texts: [String: String], below directory: URL) throws {
        for (name, text) in texts {
            let file = directory.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            if text.hasPrefix("-> ") {
                try FileManager.default.createSymbolicLink(
                    atPath: file.path, withDestinationPath: String(text.dropFirst(3)))
            } else {
                try text.write(to: file, atomically: false, encoding: .utf8)
            }
        }
    }

    private static func temporary() throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "sxs-unit-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    private static let units = [
        "a.service": "[Service]\nExecStart=/a\n[Install]\nWantedBy=multi-user.target\nAlias=other.service\n",
        "a.service.d/10-sxs.conf": "[Unit]\nAfter=b\n", "alias.service": "-> a.service",
        "t@.service": "[Install]\nWantedBy=multi-user.target\n",
        "once.service": "[Service]\nType=oneshot\n[Install]\nWantedBy=sysinit.target\n",
        "own.service": "[Install]\nWantedBy=multi-user.target\n", "own.service.d/10-sxs.conf": "[Unit]\n",
        "sockets.target.wants/a.service": "-> ../a.service",
        "sockets.target.wants/gone.service": "-> ../gone.service",
        "note.txt": "no unit",
    ]

    @Test func linksAndDropInsAreGivenAndTheHostsUnitsGoBefore() throws {
        let top = try Self.temporary()
        defer { try? FileManager.default.removeItem(at: top) }
        let texts = Dictionary(
            uniqueKeysWithValues: Self.units.map { ("generation/lib/systemd/system/" + $0, $1) })
        try Self.write(texts, below: top)
        let path = top.path + "/generation"
        let generator = try UnitGenerator(.system, of: Descriptor.directory(path), at: path) {
            $0 == "own.service"
        }
        let late = top.path + "/late"
        try FileManager.default.createDirectory(atPath: late, withIntermediateDirectories: true)
        try generator.write(into: late)
        var found: [String: String] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: late) {
            let file = late + "/" + name
            if let target = try? FileManager.default.destinationOfSymbolicLink(atPath: file) {
                found[name] = "-> " + target
            } else if let text = try? String(contentsOfFile: file, encoding: .utf8) {
                let lines = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
                #expect(
                    lines[0] == "# Of a package in /var/lib/sxs/profiles/default/current: see 'sxs list'.")
                found[name] = String(lines[1])
            }
        }
        let expected = [
            "a.service": Self.units["a.service"], "a.service.d/10-sxs.conf": "[Unit]\nAfter=b\n",
            "alias.service": "-> a.service", "other.service": "-> a.service",
            "t@.service": Self.units["t@.service"], "once.service": Self.units["once.service"],
            "sockets.target.wants/a.service": "-> ../a.service",
            "multi-user.target.d/10-sxs-a.service.conf": "[Unit]\nUpholds=a.service\n",
            "sysinit.target.d/10-sxs-once.service.conf": "[Unit]\nWants=once.service\n",
        ]
        #expect(found == expected)
        #expect(generator.hidden == ["own.service"])
        #expect(
            generator.units["a.service"]?.isUpheld == true
                && generator.units["once.service"]?.isUpheld == false)
    }

    @Test func definitionsTellWhatChanged() throws {
        func digest(_ changes: [String: String]) throws -> [String: Digest] {
            let top = try Self.temporary()
            defer { try? FileManager.default.removeItem(at: top) }
            var texts = Self.units
            texts.merge(changes) { $1 }
            try Self.write(
                Dictionary(uniqueKeysWithValues: texts.map { ("lib/systemd/system/" + $0, $1) }), below: top)
            let generator = try UnitGenerator(
                .system, of: Descriptor.directory(top.path), at: top.path
            ) { _ in false }
            return UnitGenerator.definitions(generator.entries)
        }
        let before = try digest([:])
        #expect(try digest([:]) == before)
        let after = try digest(["a.service.d/10-sxs.conf": "[Unit]\nAfter=c\n"])
        #expect(after["a.service"] != before["a.service"] && after["once.service"] == before["once.service"])
    }

    @Test func aGenerationWithoutUnitsGivesNothing() throws {
        let top = try Self.temporary()
        defer { try? FileManager.default.removeItem(at: top) }
        let generator = try UnitGenerator(.user, of: Descriptor.directory(top.path), at: top.path) { _ in
            false
        }
        #expect(generator.entries.isEmpty && generator.units.isEmpty)
    }
}
