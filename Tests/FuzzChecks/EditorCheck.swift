public import ELF

/// What an edited ELF file has to say for itself, whatever the file was.
public enum EditorFault: Error, Equatable {
    /// What was set is not what is read from the result.
    case lost(what: String)
    /// The result cannot be edited again.
    case final(ELFError)
    /// It grew by more than what was added, with its alignment.
    case size(before: Int, after: Int)
}

/// Edits bytes as an ELF file, and reads the result.
///
/// - Returns: Whether the file was one that can be edited.
/// - Throws: ``EditorFault``.
@discardableResult
public func checkEditing(_ bytes: UnsafeRawBufferPointer) throws -> Bool {
    guard let (edited, hasInterpreter) = try? edit(bytes) else { return false }
    // Segments begin at pages of at most 2 MiB; the tables behind are at most copied.
    guard edited.count >= bytes.count, edited.count <= 2 * bytes.count + (8 << 20) else {
        throw EditorFault.size(before: bytes.count, after: edited.count)
    }
    do {
        let last = try edited.withUnsafeBytes { try undo($0, hasInterpreter: hasInterpreter) }
        let (search, needed) = try last.withUnsafeBytes { bytes in
            let file = try ELFEditor(parsing: bytes)
            return (file.searchPath, file.needed)
        }
        guard search == nil, !needed.contains(library) else { throw EditorFault.lost(what: "removal") }
    } catch let error as ELFError {
        throw EditorFault.final(error)
    }
    return true
}

private let path = Array("/usr/store/0123456789abcdfghijklmnpqrsvwxyz-odd-1/usr/lib/private".utf8)
private let library = Array("libadded.so.1".utf8)

/// The file with all that can be changed changed, and whether it has another interpreter.
private func edit(_ bytes: UnsafeRawBufferPointer) throws -> ([UInt8], Bool) {
    var editor = try ELFEditor(parsing: bytes)
    try editor.setSearchPath(path)
    try editor.addNeeded([library])
    // A loader's own file has none, and others refuse another.
    var hasInterpreter = editor.interpreter != nil
    if hasInterpreter {
        do { try editor.setInterpreter(path) } catch { hasInterpreter = false }
    }
    try editor.clearVersions(ofSymbols: [Array("printf".utf8)])
    try editor.renameSymbols([Array("printf".utf8): Array("a_longer_name_than_printf".utf8)])
    editor.setExecutableStack(true)
    return (try editor.bytes(), hasInterpreter)
}

/// Looks for the changes, and takes them back.
private func undo(_ bytes: UnsafeRawBufferPointer, hasInterpreter: Bool) throws -> [UInt8] {
    var editor = try ELFEditor(parsing: bytes)
    guard editor.searchPath == path else { throw EditorFault.lost(what: "search path") }
    guard editor.needed.contains(library) else { throw EditorFault.lost(what: "library") }
    guard !hasInterpreter || editor.interpreter == path else {
        throw EditorFault.lost(what: "interpreter")
    }
    try editor.removeSearchPath()
    try editor.removeNeeded([library])
    return try editor.bytes()
}
