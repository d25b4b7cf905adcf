private import Activation
internal import ArgumentParser
internal import Files
private import FoundationEssentials
private import Glibc
private import StoreLayout

/// Text for people, JSON for programs, messages beside both.
enum Console {
    /// Takes the places of standard streams that are closed.
    ///
    /// Otherwise a file of the store might get one of them, and the messages with it. Reading and writing there is
    /// refused as before, and programs that sxs starts find them closed.
    static func reserveStandardStreams() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            let flags = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY
            _ = open("/dev/null", flags | O_CLOEXEC)
        }
    }

    /// Prints a line of results.
    static func print(_ text: String) {
        write(text + "\n", to: STDOUT_FILENO)
    }

    /// Prints a line of results whose encoding is not known.
    static func print(_ line: Bytes) {
        write(line + [UInt8(ascii: "\n")], to: STDOUT_FILENO)
    }

    /// Prints a value as JSON, keys sorted.
    static func printJSON(_ value: some Encodable) throws { print(try json(value)) }

    /// A value as JSON, keys sorted.
    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Writes lines beside the results, which another program prints.
    static func say(_ text: String) {
        write(text + "\n", to: STDERR_FILENO)
    }

    /// Tells the user something that is no result.
    static func note(_ text: String) {
        write("sxs: " + text + "\n", to: STDERR_FILENO)
    }

    /// Draws over the terminal's current line.
    static func draw(_ text: String) {
        write("\r\u{1b}[K" + text, to: STDERR_FILENO)
    }

    /// Ends the program with an error's sentence.
    static func fail(_ error: any Error, status: Int32 = 1) -> Never {
        note("\(error)")
        Glibc.exit(status)
    }

    /// Ends the program as an error asks: help and usage by the argument parser, all else with status 1.
    static func exit(for error: any Error) -> Never {
        let isOurs = SXS.exitCode(for: error) == .failure
        guard isOurs else { SXS.exit(withError: error) }
        if let code = error as? ExitCode { Glibc.exit(code.rawValue) }
        // Like a shell: 127 for a program that is not there, 126 for one that cannot run.
        switch error {
        case let error as LaunchError: fail(error, status: error.exitStatus)
        case is NamespaceError, is TraceError: fail(error, status: 126)
        default: fail(error)
        }
    }

    /// Bytes as people read them: `7.1 MB`.
    static func size(_ bytes: Int) -> String { Quantity.text(bytes: bytes) }

    /// Rows with columns of equal width.
    static func table(_ rows: [[String]]) -> String {
        String(decoding: lines(of: rows).dropLast(), as: UTF8.self)
    }

    /// Prints rows with columns of equal width: a search may have tens of thousands.
    static func print(table rows: [[String]]) { write(lines(of: rows), to: STDOUT_FILENO) }

    private static func lines(of rows: [[String]]) -> Bytes {
        let width = { (cell: String) in cell.utf8.allSatisfy { $0 < 0x80 } ? cell.utf8.count : cell.count }
        var widths: [Int] = []
        for row in rows {
            for (index, cell) in row.enumerated() {
                if index == widths.count { widths.append(0) }
                widths[index] = max(widths[index], width(cell))
            }
        }
        var text: Bytes = []
        // One long cell makes no long table.
        text.reserveCapacity(rows.reduce(0) { $0 + $1.reduce($1.count * 8) { $0 + $1.utf8.count } })
        for row in rows {
            // No line ends in blanks.
            let last = row.lastIndex { !$0.isEmpty } ?? -1
            for (index, cell) in row[...last].enumerated() {
                text += cell.utf8
                guard index < last else { break }
                text += repeatElement(UInt8(ascii: " "), count: widths[index] - width(cell) + 2)
            }
            text.append(UInt8(ascii: "\n"))
        }
        return text
    }

    private static func write(_ text: String, to descriptor: Int32) {
        write(Array(text.utf8), to: descriptor)
    }

    private static func write(_ bytes: Bytes, to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                // What cannot be told is no reason to leave work undone.
                guard descriptor == STDOUT_FILENO else { return }
                // A reader that went away, such as head(1), is no news to anybody: the end is that of any other program.
                guard errno != EPIPE else {
                    signal(SIGPIPE, SIG_DFL)
                    raise(SIGPIPE)
                    Glibc.exit(128 + SIGPIPE)
                }
                let reason = String(cString: strerror(errno))
                note(
                    """
                    cannot write the results: \(reason.prefix(1).lowercased() + reason.dropFirst())
                    hint: what was to be done is done; see 'sxs list'
                    """)
                Glibc.exit(1)
            }
        }
    }
}
