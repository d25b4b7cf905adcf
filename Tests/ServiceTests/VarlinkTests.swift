import Files
import Foundation
import Testing

@testable import Varlink

/// The other end of a connection that a server answers in a thread of its own.
final class Client {
    let socket: Int32
    private let ended = DispatchSemaphore(value: 0)
    private var rest: [UInt8] = []

    init(_ interfaces: [VarlinkInterface] = [], patience: VarlinkConnection.Patience = .init()) throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        socket = ends[0]
        var time = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        let other = ends[1]
        let ended = ended
        nonisolated(unsafe) let interfaces = interfaces
        Thread.detachNewThread {
            if let connection = VarlinkConnection(
                Descriptor(taking: other, path: "client"), patience: patience)
            {
                try? VarlinkServer(product: "test", version: "1", interfaces: interfaces).serve(connection)
            }
            ended.signal()
        }
    }

    deinit { close(socket) }

    /// Whether the server ended the connection soon.
    func isEnded(within seconds: Double = 10) -> Bool { ended.wait(timeout: .now() + seconds) == .success }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    func call(_ text: String) { send(Array(text.utf8) + [0]) }

    /// The next reply.
    func reply() throws -> [String: Any] {
        while !rest.contains(0) {
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = recv(socket, &chunk, chunk.count, 0)
            try #require(count > 0, "the connection ended without a reply")
            rest += chunk[..<count]
        }
        let end = try #require(rest.firstIndex(of: 0))
        defer { rest.removeFirst(end + 1) }
        return try #require(
            JSONSerialization.jsonObject(with: Data(rest[..<end])) as? [String: Any])
    }

    /// The parameters of the reply to a call, which has to succeed.
    func ask(_ text: String) throws -> [String: Any] {
        call(text)
        let reply = try reply()
        #expect(reply["error"] == nil)
        return try #require(reply["parameters"] as? [String: Any])
    }
}

private struct Echoed: Codable {
    let text: String
    var times: Int?
}

private struct Broken: Error, CustomStringConvertible {
    let description = "it broke"
}

/// An interface that repeats what it is told.
private func echo() -> VarlinkInterface {
    VarlinkInterface(
        "org.example.echo",
        description: "interface org.example.echo\nmethod Echo(text: string) -> (text: string)\n",
        methods: [
            "Echo": { request in
                let asked = try request.call.parameters(Echoed.self)
                for number in 0..<(asked.times ?? 0) {
                    try request.tell(["text": "\(number)"], isOptional: true)
                }
                try request.reply(["text": asked.text])
            },
            "Fail": { _ in throw Broken() },
        ], failure: { VarlinkError("org.example.echo.Failed", ["message": "\($0)"]) })
}

@Suite struct VarlinkTests {
    @Test(arguments: [
        "", "{", "null", "[]", "5", "{}", #"{"method":5}"#, #"{"method":"noDot"}"#, #"{"method":".x"}"#,
        #"{"method":"x."}"#, #"{"method":"a.b c"}"#, #"{"method":"a.b","more":1}"#,
        #"{"method":"a.b","upgrade":true}"#, #"{"method":"a.b","oneway":true,"more":true}"#,
        #"{"method":"a."# + String(repeating: "b", count: 300) + #""}"#, "{\"method\":\"a.b\u{0}\"}",
        String(repeating: "[", count: 40_000),
        #"{"method":"a.b","parameters":"# + String(repeating: "[", count: 30_000),
    ])
    func whatIsNoCallIsRefused(text: String) {
        #expect(VarlinkCall(parsing: Array(text.utf8)) == nil)
        #expect(VarlinkCall(parsing: Array(text.utf8) + [0xff]) == nil)
    }

    @Test func aCallIsRead() throws {
        let text =
            #"{"method":"org.example.echo.Echo","parameters":{"text":"a","other":[1]},"more":true,"x":{}}"#
        let call = try #require(VarlinkCall(parsing: Array(text.utf8)))
        #expect(
            call.interface == "org.example.echo" && call.method == "Echo" && call.wantsMore && !call.isOneway)
        #expect(try call.parameters(Echoed.self).text == "a")
    }

    @Test(arguments: [
        (#"{"method":"a.b"}"#, "text"), (#"{"method":"a.b","parameters":null}"#, "text"),
        (#"{"method":"a.b","parameters":{"text":5}}"#, "text"),
        (#"{"method":"a.b","parameters":{"text":null}}"#, "text"),
        (#"{"method":"a.b","parameters":{"text":"a","times":"b"}}"#, "times"),
        (#"{"method":"a.b","parameters":{"text":"a","times":1.5}}"#, "parameters"),
        (#"{"method":"a.b","parameters":{"text":"a","times":99999999999999999999}}"#, "parameters"),
        (#"{"method":"a.b","parameters":[]}"#, "parameters"),
    ])
    func theFirstBadParameterIsNamed(text: String, parameter: String) throws {
        let call = try #require(VarlinkCall(parsing: Array(text.utf8)))
        let error = #expect(throws: VarlinkError.self) { try call.parameters(Echoed.self) }
        #expect(error?.parameters as? [String: String] == ["parameter": parameter])
    }

    @Test func callsAreAnsweredInOrderHoweverTheyArrive() throws {
        let client = try Client([echo()])
        let one = #"{"method":"org.example.echo.Echo","parameters":{"text":"1"}}"#
        let bytes = Array(one.utf8) + [0] + Array(one.replacing("\"1\"", with: "\"2\"").utf8) + [0]
        for part in stride(from: 0, to: bytes.count, by: 7) {
            client.send(Array(bytes[part..<min(part + 7, bytes.count)]))
        }
        for expected in ["1", "2"] {
            #expect((try client.reply()["parameters"] as? [String: String]) == ["text": expected])
        }
        // One that wants no reply gets none: the next reply is that of the next call.
        client.call(#"{"method":"org.example.echo.Echo","oneway":true,"parameters":{"text":"3"}}"#)
        #expect(try client.ask(one)["text"] as? String == "1")
    }

    @Test func moreGetsRepliesOnTheWayAndOthersDoNot() throws {
        let client = try Client([echo()])
        let call = #"{"method":"org.example.echo.Echo","parameters":{"text":"end","times":2}"#
        client.call(call + #","more":true}"#)
        for expected in ["0", "1"] {
            let reply = try client.reply()
            #expect(reply["continues"] as? Bool == true)
            #expect((reply["parameters"] as? [String: String]) == ["text": expected])
        }
        #expect(try client.reply()["continues"] == nil)
        #expect(try client.ask(call + "}")["text"] as? String == "end")
    }

    @Test func theServiceDescribesItselfAndNamesWhatIsNotThere() throws {
        let client = try Client([echo()])
        let info = try client.ask(#"{"method":"org.varlink.service.GetInfo"}"#)
        #expect(info["interfaces"] as? [String] == ["org.example.echo", "org.varlink.service"])
        let description = try client.ask(
            #"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example.echo"}}"#
        )
        #expect((description["description"] as? String)?.hasPrefix("interface org.example.echo\n") == true)
        for (call, error, key, value) in [
            (
                #"{"method":"org.varlink.service.Other"}"#, "MethodNotFound", "method",
                "org.varlink.service.Other"
            ),
            (#"{"method":"org.other.Get"}"#, "InterfaceNotFound", "interface", "org.other"),
            (
                #"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"x"}}"#,
                "InterfaceNotFound", "interface", "x"
            ),
            (
                #"{"method":"org.varlink.service.GetInterfaceDescription"}"#, "InvalidParameter", "parameter",
                "interface"
            ),
        ] {
            client.call(call)
            let reply = try client.reply()
            #expect(reply["error"] as? String == "org.varlink.service." + error)
            #expect(reply["parameters"] as? [String: String] == [key: value])
        }
        client.call(#"{"method":"org.example.echo.Fail"}"#)
        let reply = try client.reply()
        #expect(reply["error"] as? String == "org.example.echo.Failed")
        #expect(reply["parameters"] as? [String: String] == ["message": "it broke"])
    }

    @Test(arguments: [
        Array("rubbish\0".utf8), [0], [0, 0, 0], Array("{\"method\":5}\0".utf8),
        [UInt8](repeating: 0x20, count: VarlinkCall.longest * 2),
    ])
    func rubbishAndCallsWithoutEndCloseTheConnection(bytes: [UInt8]) throws {
        let client = try Client([echo()])
        client.send(bytes)
        #expect(client.isEnded())
    }

    /// A call has its time from its first byte, however long ago the one before was answered.
    @Test func aCallMayBeginAfterAPause() throws {
        var patience = VarlinkConnection.Patience()
        (patience.idle, patience.busy) = (20_000, 300)
        let client = try Client([echo()], patience: patience)
        let call = { (text: String) in
            #"{"method":"org.example.echo.Echo","parameters":{"text":""# + text + #""}}"#
        }
        #expect(try client.ask(call("first"))["text"] as? String == "first")
        // Time itself is what is tested.
        Thread.sleep(forTimeInterval: 0.6)
        // Longer than what is read at once.
        let long = String(repeating: "x", count: 40_000)
        #expect(try client.ask(call(long))["text"] as? String == long)
    }

    @Test func whoeverStallsIsNotWaitedFor() throws {
        var patience = VarlinkConnection.Patience()
        (patience.idle, patience.busy) = (300, 300)
        // Who says nothing, and who never says all.
        #expect(try Client([echo()], patience: patience).isEnded())
        let slow = try Client([echo()], patience: patience)
        slow.send(Array("{\"method\":".utf8))
        #expect(slow.isEnded())
        // Who does not read: of what may be dropped nothing waits, and the reply not for ever.
        let deaf = try Client([echo()], patience: patience)
        let text = String(repeating: "x", count: 30_000)
        for _ in 0..<100 {
            deaf.call(
                #"{"method":"org.example.echo.Echo","more":true,"parameters":{"times":50,"text":""# + text
                    + #""}}"#)
        }
        #expect(deaf.isEnded(within: 20))
    }

    @Test func thePeerIsWhoeverConnected() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { close(ends[0]) }
        let connection = try #require(VarlinkConnection(Descriptor(taking: ends[1], path: "x")))
        #expect(connection.peer == VarlinkPeer(user: getuid(), process: getpid()))
        #expect(VarlinkConnection(try Descriptor.file("/dev/null")) == nil)
    }
}
