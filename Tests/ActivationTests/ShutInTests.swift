import Activation
import Files
import Foundation
import Testing

/// A root with one store path that has a shell, and a script to be run shut in.
private final class Place {
    let directory: URL

    init(script: String, input: [String] = []) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "sxs-shut-in-\(UUID().uuidString)")
        for name in ["root/store/x", "root/aliases", "in", "place"] {
            try FileManager.default.createDirectory(
                at: directory.appending(path: name), withIntermediateDirectories: true)
        }
        let programs = directory.appending(path: "root/store/x")
        try copyProgram("/bin/busybox", to: programs.appending(path: "busybox").path)
        try makeScript(
            "#!/usr/store/x/busybox sh\nPATH=\n\(script)\n", at: programs.appending(path: "script").path)
        for name in input {
            try name.write(
                to: directory.appending(path: "in/\(name)"), atomically: false, encoding: .utf8)
        }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func run(_ name: String = "script", arguments: [String] = [], seconds: Int = 20) throws -> Descriptor {
        try ShutInProgram(
            program: "/usr/store/x/" + name, arguments: arguments,
            root: directory.appending(path: "root").path
        ).run(
            input: directory.appending(path: "in").path, place: directory.appending(path: "place").path,
            seconds: seconds)
    }

    /// What a script writes into its output `result`.
    func result(arguments: [String] = []) throws -> String {
        String(
            decoding: try run(arguments: arguments).open(beneath: "result").readAll(), as: UTF8.self)
    }
}

@Suite struct ShutInTests {
    @Test func whatIsWrittenCanBeReadWhenItHasEnded() throws {
        let place = try Place(
            script: "/usr/store/x/busybox cat /in/a /out/b > result; echo $# $1 >> result", input: ["a", "b"])
        #expect(try place.result(arguments: ["x y"]) == "ab1 x y\n")
        let left = try FileManager.default.contentsOfDirectory(
            atPath: place.directory.appending(path: "place").path)
        #expect(left.isEmpty, "its root is mounted for nobody else")
        #expect(
            try !String(contentsOfFile: "/proc/self/mounts", encoding: .utf8).contains(place.directory.path))
    }

    @Test func nothingButTheOutputCanBeWritten() throws {
        let place = try Place(
            script: """
                for place in / /in /usr /usr/store /usr/store/x /usr/_; do
                    (echo bad > $place/new) 2> errors && echo "wrote $place" >> result
                done
                (echo bad > /in/a) 2> errors && echo "wrote to a" >> result
                (echo bad > /out/a) 2> errors && echo "wrote through a link" >> result
                /usr/store/x/busybox mount -o remount,rw /in 2> errors && echo mounted >> result
                /usr/store/x/busybox chroot /in /usr/store/x/busybox true 2> errors && echo changed >> result
                echo done >> result
                """, input: ["a"])
        #expect(try place.result() == "done\n")
        #expect(
            try String(contentsOf: place.directory.appending(path: "in/a"), encoding: .utf8) == "a")
    }

    @Test func nothingElseOfTheHostIsSeen() throws {
        let place = try Place(
            script: """
                /usr/store/x/busybox ls / > result
                /usr/store/x/busybox env >> result
                echo $$ >> result
                /usr/store/x/busybox id -u >> result
                """)
        let lines = try place.result().split(separator: "\n").map(String.init)
        #expect(lines.prefix(3) == ["in", "out", "usr"])
        #expect(lines.suffix(2) == ["1", "65534"])
        // The shell itself sets these.
        let variables = lines.dropFirst(3).dropLast(2).map { $0.prefix { $0 != "=" } }
        #expect(Set(variables).isSubset(of: ["PATH", "PWD", "OLDPWD", "SHLVL", "_"]))
    }

    @Test func thereIsNoNetwork() throws {
        // Something listens, which the same program would reach from here.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 5) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        try #require(bound)
        let port = UInt16(bigEndian: address.sin_port)
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(client) }
        let isReached = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, length) == 0 }
        }
        #expect(isReached, "outside")
        let place = try Place(
            script: """
                /usr/store/x/busybox nc -w 2 127.0.0.1 \(port) < /in/a > out 2> result || echo refused >> result
                """, input: ["a"])
        #expect(try place.result().hasSuffix("refused\n"))
    }

    @Test func itEndsWhenItsTimeIsOver() throws {
        let place = try Place(
            script: "/usr/store/x/busybox sleep 600 & exec /usr/store/x/busybox sleep 600")
        let start = ContinuousClock.now
        #expect(throws: ShutInError.late(seconds: 1)) { try place.run(seconds: 1) }
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test func itsOutputIsBounded() throws {
        let place = try Place(
            script: "/usr/store/x/busybox yes > a 2> errors; /usr/store/x/busybox yes > b || exit 7")
        let error = #expect(throws: ShutInError.self) { try place.run() }
        guard case .failed(let status, _)? = error else {
            Issue.record("it did not fail: \(String(describing: error))")
            return
        }
        #expect(status == 7)
    }

    @Test func failuresSayWhatWasPrinted() throws {
        let place = try Place(script: "echo bad schema; exit 3")
        #expect(throws: ShutInError.failed(status: 3, printed: "bad schema\\012")) { try place.run() }
        #expect(throws: ShutInError.cannotStart(step: "execute it", code: ENOENT)) {
            try place.run("missing")
        }
    }
}
