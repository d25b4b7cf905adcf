internal import CYAML

/// The events of a text, as libyaml finds them one after the other: no memory is taken for what was not asked for.
final class YAMLEvents {
    // A class: it owns libyaml's parser, and the bytes that the parser reads.

    /// Something that begins, ends, or is a word.
    struct Event {
        enum Kind {
            case documentStart, listStart, listEnd, mappingStart, mappingEnd, streamEnd
            case word(String, isPlain: Bool)
            case alias(String)
            /// What says nothing: the beginning of the stream, the end of a document.
            case other
        }

        let kind: Kind
        /// The line that it begins in, counted from 1.
        let line: Int
        var anchor: String?
        var tag: String?
    }

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    /// - Parameter bytes: UTF-8.
    init(_ bytes: [UInt8]) {
        input = .allocate(capacity: bytes.count)
        _ = input.initialize(from: bytes)
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        // Where memory is at its end, the first event says so.
        isReady = yaml_parser_initialize(parser) == 1
        guard isReady else { return }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    private let isReady: Bool

    deinit {
        if isReady { yaml_parser_delete(parser) }
        parser.deinitialize(count: 1)
        parser.deallocate()
        input.deallocate()
    }

    /// The next event.
    ///
    /// - Throws: ``YAMLError/syntax(line:problem:)``; nothing may be asked for after that.
    func next() throws(YAMLError) -> Event {
        var event = yaml_event_t()
        guard isReady, yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        let line = Int(event.start_mark.line) + 1
        switch event.type {
        case YAML_DOCUMENT_START_EVENT: return Event(kind: .documentStart, line: line)
        case YAML_STREAM_END_EVENT: return Event(kind: .streamEnd, line: line)
        case YAML_SEQUENCE_END_EVENT: return Event(kind: .listEnd, line: line)
        case YAML_MAPPING_END_EVENT: return Event(kind: .mappingEnd, line: line)
        case YAML_ALIAS_EVENT:
            return Event(kind: .alias(Self.text(event.data.alias.anchor) ?? ""), line: line)
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            return Event(
                kind: .listStart, line: line, anchor: Self.text(start.anchor), tag: Self.text(start.tag))
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            return Event(
                kind: .mappingStart, line: line, anchor: Self.text(start.anchor), tag: Self.text(start.tag))
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return Event(
                kind: .word(
                    String(decoding: bytes, as: UTF8.self),
                    isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE),
                line: line, anchor: Self.text(scalar.anchor), tag: Self.text(scalar.tag))
        default: return Event(kind: .other, line: line)
        }
    }

    private static func text(_ pointer: UnsafePointer<UInt8>?) -> String? {
        pointer.map { String(decodingCString: $0, as: UTF8.self) }
    }

    private func failure() -> YAMLError {
        let text = { (pointer: UnsafePointer<CChar>?) in pointer.map { String(cString: $0) } }
        let (state, line) = (parser.pointee, Int(parser.pointee.problem_mark.line) + 1)
        switch state.error {
        case YAML_READER_ERROR:
            // Of characters that no YAML has only the place among the bytes is known.
            let before = input.prefix(Int(state.problem_offset))
            return .syntax(
                line: before.count { $0 == UInt8(ascii: "\n") } + 1,
                problem: text(state.problem) ?? "a character that no text has")
        case YAML_SCANNER_ERROR, YAML_PARSER_ERROR, YAML_COMPOSER_ERROR:
            let context = text(state.context).map {
                " (\($0), in line \(Int(state.context_mark.line) + 1))"
            }
            return .syntax(line: line, problem: (text(state.problem) ?? "") + (context ?? ""))
        default: return .syntax(line: line, problem: "there is not enough memory for it")
        }
    }
}
