internal import CSQLite
internal import Files
internal import Glibc
internal import StoreLayout

/// A value that SQLite stores.
enum DatabaseValue {
    case integer(Int)
    case text(String)
    case blob([UInt8])
    case null

    /// Text, or null where there is none.
    static func optional(_ value: String?) -> DatabaseValue {
        guard let value else { return .null }
        return .text(value)
    }

    /// A number, or null where there is none.
    static func optional(_ value: Int?) -> DatabaseValue {
        guard let value else { return .null }
        return .integer(value)
    }
}

/// An SQLite operation that failed: what, on which database, and why.
public struct DatabaseError: Error, Equatable, CustomStringConvertible {
    /// The database's path.
    public let path: String
    /// SQLite's extended result code.
    public let code: Int32
    /// SQLite's message.
    public let message: String
    /// The statement, or what was attempted instead of one.
    public let statement: String
    /// The system's reason (errno(3)); 0 where it had none.
    public var systemCode: Int32 = 0

    /// SQLite's primary result code.
    public var primaryCode: Int32 { code & 0xff }

    /// Whether there was no room on the file system.
    var isFull: Bool { primaryCode == SQLITE_FULL || [ENOSPC, EDQUOT].contains(systemCode) }

    /// Whether a row contradicts others.
    var isConstraint: Bool { primaryCode == SQLITE_CONSTRAINT }

    /// Whether the file is no database, or not a whole one.
    var isDamaged: Bool { [SQLITE_CORRUPT, SQLITE_NOTADB].contains(primaryCode) }

    /// What failed and why, and a hint in a line of its own.
    public var description: String {
        if isDamaged {
            return """
                the index \(path) is damaged: \(message) (\(code))
                hint: 'sxs index rebuild' makes it anew from the files; nothing else is lost
                """
        }
        let hint =
            switch primaryCode {
            case SQLITE_BUSY: "another program holds the index; try again when it has ended"
            case SQLITE_FULL: SystemError.hint(for: ENOSPC)
            case SQLITE_IOERR where systemCode != 0, SQLITE_CANTOPEN where systemCode != 0,
                SQLITE_READONLY where systemCode != 0:
                SystemError.hint(for: systemCode)
            case SQLITE_READONLY:
                "try again; if it does not help, look at the kernel's messages with 'dmesg'; what was active still is"
            default: "check that you may read and write \(path), or choose another store with --root DIR"
            }
        let system = systemCode == 0 ? "" : ": " + String(cString: strerror(systemCode)).lowercased()
        return
            "the index \(path) failed at '\(statement.prefix(60))': \(message)\(system) (\(code))\nhint: \(hint)"
    }
}

/// An SQLite database, with the statements that were prepared on it.
///
/// Source: sqlite.org/c3ref.
final class Database {
    /// How a database is opened.
    enum Mode {
        /// Made where there is none, and written.
        case writable
        /// Read, with what other processes write meanwhile.
        case readOnly
        /// The same where it is another user's: its shared memory is not written either, though root could.
        case guest
        /// Read as it lies there: for read-only file systems, where nothing can change it.
        case immutable
        /// A private copy, whose log is written into it first.
        case copy
    }

    let path: String
    private let mode: Mode
    private let handle: OpaquePointer
    private var prepared: [String: Statement] = [:]
    /// Whether the write-ahead log is emptied when this is closed, however short it is.
    var emptiesLog = false
    /// Opens the same again, where a reader's connection may become of no use: it may not write, and a writer that has just
    /// begun leaves what only those who may can put right.
    var reopen: (() throws -> Database)?
    /// What ``reopen`` gave: all is read there from then on.
    private var replacement: Database?

    /// Opens a database.
    ///
    /// - Parameter displayed: What messages call it, if that is not its path.
    init(path: String, mode: Mode, displayed: String? = nil) throws {
        self.path = displayed ?? path
        self.mode = mode
        let flags =
            switch mode {
            case .writable: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .copy: SQLITE_OPEN_READWRITE
            case .readOnly: SQLITE_OPEN_READONLY
            case .guest, .immutable: SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
            }
        let name =
            switch mode {
            case .guest: Self.uri(path, "readonly_shm")
            case .immutable: Self.uri(path, "immutable")
            default: path
            }
        var opened = try Self.open(name, displayed ?? path, flags)
        if mode == .writable, sqlite3_db_readonly(opened, "main") == 1 {
            // SQLite reads what it cannot open for writing, and does not say why it could not.
            sqlite3_close_v2(opened)
            guard access(path, W_OK) == 0 else { throw SystemError("write to the index", path) }
            // It was no lasting reason.
            opened = try Self.open(name, path, flags)
        }
        handle = opened
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, 10_000)
        _ = sxs_sqlite3_make_defensive(handle)
        if mode == .writable {
            try executeFirst("PRAGMA journal_mode = WAL")
            try execute("PRAGMA synchronous = FULL")
            // Emptied wholly where it is emptied: the next connection would read all of it.
            try execute("PRAGMA journal_size_limit = 0")
            _ = sxs_sqlite3_keep_log_on_close(handle)
            // Debian's library overwrites what is deleted, for which the log needs as much room as that had.
            try execute("PRAGMA secure_delete = OFF")
            // The write-ahead log stays when the last connection closes, so that users who may not create files
            // here can still read.
            var isPersistent: Int32 = 1
            sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &isPersistent)
        }
        if mode == .copy {
            // Nobody else has it: no shared memory, and no log that would have to stay beside it.
            try execute("PRAGMA locking_mode = EXCLUSIVE")
            try execute("PRAGMA journal_mode = DELETE")
            try execute("PRAGMA query_only = ON")
        }
        // Not in files, whose directory the environment would choose.
        try execute("PRAGMA temp_store = MEMORY")
        try execute("PRAGMA foreign_keys = ON")
        try execute("PRAGMA trusted_schema = OFF")
    }

    deinit {
        prepared.removeAll()
        if mode == .writable, emptiesLog || logSize > Self.longLog {
            // Also where a reader keeps this from being the last connection. What a reader still needs stays in the log.
            sqlite3_busy_timeout(handle, 0)
            sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
        }
        sqlite3_close_v2(handle)
    }

    /// Bytes of the write-ahead log that stay in it when a writer closes: every connection reads them, in less than a
    /// millisecond; to empty it costs a writer as much as the rest of a small command, for it has to be on the disk at
    /// three moments.
    private static let longLog = 256 << 10

    private var logSize: Int {
        var status = stat()
        return stat(path + "-wal", &status) == 0 ? Int(status.st_size) : 0
    }

    /// Once for the program; where somebody used SQLite before, it counts all the same.
    private static let countsNoMemory = sxs_sqlite3_count_no_memory() == SQLITE_OK

    private static func open(_ name: String, _ path: String, _ flags: Int32) throws -> OpaquePointer {
        _ = countsNoMemory
        var opened: OpaquePointer?
        let result = sqlite3_open_v2(name, &opened, flags, nil)
        guard let opened, result == SQLITE_OK else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            let systemCode = opened.map { sqlite3_system_errno($0) } ?? 0
            sqlite3_close_v2(opened)
            throw DatabaseError(
                path: path, code: result, message: message, statement: "open", systemCode: systemCode)
        }
        return opened
    }

    /// Why the index, or what connections to it share, cannot be written; 0 where they can.
    private func reasonNotToWrite() -> Int32 {
        for name in [path, path + "-shm"] where access(name, W_OK) != 0 { return errno }
        return 0
    }

    /// `file:` with everything escaped that a URI would read otherwise.
    private static func uri(_ path: String, _ option: String) -> String {
        var escaped = "file:"
        for byte in path.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2f, 0x2e, 0x2d, 0x5f:
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16)
                escaped += digits.utf8.count == 1 ? "%0" + digits : "%" + digits
            }
        }
        return escaped + "?\(option)=1"
    }

    /// The error of the last call.
    fileprivate func error(_ statement: String) -> DatabaseError {
        // SQLite has it only of some failures; no call that succeeds changes it.
        let last = errno
        let code = sqlite3_extended_errcode(handle)
        let systemCode =
            switch code & 0xff {
            case SQLITE_IOERR, SQLITE_CANTOPEN: last != 0 ? last : sqlite3_system_errno(handle)
            case SQLITE_READONLY: reasonNotToWrite()
            // SQLite keeps the number of the last error that had one.
            default: Int32(0)
            }
        return DatabaseError(
            path: path, code: code, message: String(cString: sqlite3_errmsg(handle)), statement: statement,
            systemCode: systemCode)
    }

    /// Runs statements that give nothing back, separated by semicolons.
    func execute(_ sql: String) throws {
        errno = 0
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw error(sql) }
    }

    /// Runs a statement that may be the first to need what SQLite keeps beside the index.
    ///
    /// SQLite opens again for reading what it cannot make, and then only knows that it is not there.
    private func executeFirst(_ sql: String) throws {
        do {
            try execute(sql)
        } catch let error as DatabaseError
            where error.primaryCode == SQLITE_CANTOPEN && error.systemCode == ENOENT
        {
            for suffix in ["-wal", "-shm"] {
                let made = Glibc.open(path + suffix, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
                guard made >= 0 else { throw SystemError("create", path + suffix) }
                close(made)
            }
            // It was no lasting reason.
            try execute(sql)
        }
    }

    /// Runs one statement; it stays prepared.
    func run(_ sql: String, _ values: [DatabaseValue] = []) throws {
        try forEach(sql, values) { _ in }
    }

    /// Runs one statement and reads every row; it stays prepared.
    func query<Result>(
        _ sql: String, _ values: [DatabaseValue] = [], _ read: (Row) throws -> Result
    ) throws -> [Result] {
        var results: [Result] = []
        try forEach(sql, values) { results.append(try read($0)) }
        return results
    }

    /// Runs one statement and looks at every row; it stays prepared.
    func forEach(_ sql: String, _ values: [DatabaseValue] = [], _ body: (Row) throws -> Void) throws {
        if let replacement { return try replacement.forEach(sql, values, body) }
        guard let reopen else { return try forEachHere(sql, values, body) }
        var hasRow = false
        do {
            try forEachHere(sql, values) {
                hasRow = true
                try body($0)
            }
        } catch let error as DatabaseError where error.primaryCode == SQLITE_READONLY && !hasRow {
            let other = try reopen()
            replacement = other
            try other.forEach(sql, values, body)
        }
    }

    private func forEachHere(_ sql: String, _ values: [DatabaseValue], _ body: (Row) throws -> Void) throws {
        let statement = try prepare(sql)
        defer { statement.reset() }
        for (index, value) in values.enumerated() {
            guard statement.bind(value, at: Int32(index + 1)) == SQLITE_OK else { throw error(sql) }
        }
        errno = 0
        while true {
            switch sqlite3_step(statement.handle) {
            case SQLITE_ROW: try body(Row(statement: statement.handle))
            case SQLITE_DONE: return
            default: throw error(sql)
            }
        }
    }

    /// The number in `PRAGMA user_version`.
    func userVersion() throws -> Int {
        try query("PRAGMA user_version") { $0.integer(0) }.first ?? 0
    }

    /// Runs `body` so that an error of it takes back what it did, and nothing more; part of a transaction.
    func savepoint(_ body: () throws -> Void) throws {
        try execute("SAVEPOINT part")
        do {
            try body()
            try execute("RELEASE part")
        } catch {
            // The first error is the one to report.
            try? execute("ROLLBACK TO part; RELEASE part")
            throw error
        }
    }

    /// What SQLite finds wrong with the file, and rows that refer to none.
    func integrityProblems() throws -> [String] {
        var problems = try query("PRAGMA integrity_check") { $0.text(0) }.filter { $0 != "ok" }
        problems += try query("PRAGMA foreign_key_check") {
            "a row of \($0.text(0)) refers to one of \($0.text(2)) that is not there"
        }
        return problems
    }

    /// Whether there is a table of a name.
    func hasTable(_ name: String) throws -> Bool {
        let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return try !query(sql, [.text(name)]) { _ in true }.isEmpty
    }

    /// Brings the schema to the newest version.
    ///
    /// - Parameter prepare: Does what comes before a step's statements.
    func migrate(_ prepare: (Schema.Migration.Preparation) throws -> Void = { _ in }) throws {
        try transaction {
            // Asked again under the lock: another process may have been faster.
            for (index, migration) in Schema.migrations.enumerated() where try index >= userVersion() {
                if let preparation = migration.preparation { try prepare(preparation) }
                try execute(migration.sql)
                try execute("PRAGMA user_version = \(index + 1)")
            }
        }
    }

    /// Puts everything that is in another database in the place of everything that is in this one, in one transaction:
    /// who reads it meanwhile sees what was there before, and then all of the new.
    ///
    /// Source: sqlite.org/backup.html.
    func replaceContents(with other: Database) throws {
        prepared.removeAll()
        guard let backup = sqlite3_backup_init(handle, "main", other.handle, "main") else {
            throw error("copy of an index")
        }
        errno = 0
        let result = sqlite3_backup_step(backup, -1)
        let finished = sqlite3_backup_finish(backup)
        guard result == SQLITE_DONE, finished == SQLITE_OK else {
            let last = errno
            let code = result == SQLITE_DONE ? finished : result
            let hasReason = [SQLITE_IOERR, SQLITE_CANTOPEN].contains(code & 0xff)
            throw DatabaseError(
                path: path, code: code, message: String(cString: sqlite3_errstr(code)),
                statement: "copy of an index",
                systemCode: !hasReason ? 0 : last != 0 ? last : sqlite3_system_errno(handle))
        }
    }

    /// Runs `body` between BEGIN and COMMIT; an error rolls back.
    func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        try executeFirst("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // The first error is the one that says why; SQLite may have rolled back by itself.
            try? execute("ROLLBACK")
            throw error
        }
    }

    private func prepare(_ sql: String) throws -> Statement {
        if let statement = prepared[sql] { return statement }
        var handle: OpaquePointer?
        let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
        guard sqlite3_prepare_v3(self.handle, sql, -1, flags, &handle, nil) == SQLITE_OK, let handle else {
            throw error(sql)
        }
        let statement = Statement(handle)
        prepared[sql] = statement
        return statement
    }
}

/// A prepared statement, finalized when the value goes.
private final class Statement {
    let handle: OpaquePointer

    init(_ handle: OpaquePointer) {
        self.handle = handle
    }

    deinit { sqlite3_finalize(handle) }

    func bind(_ value: DatabaseValue, at index: Int32) -> Int32 {
        switch value {
        case .integer(let number): sqlite3_bind_int64(handle, index, Int64(number))
        case .text(let text):
            // SQLITE_TRANSIENT, a cast that is not imported: SQLite copies the text.
            sqlite3_bind_text(handle, index, text, -1, unsafeBitCast(-1, to: sqlite3_destructor_type.self))
        case .blob(let bytes):
            sqlite3_bind_blob64(
                handle, index, bytes, sqlite3_uint64(bytes.count),
                unsafeBitCast(-1, to: sqlite3_destructor_type.self))
        case .null: sqlite3_bind_null(handle, index)
        }
    }

    func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }
}

/// The row that a query is at; valid only while it is read.
struct Row {
    fileprivate let statement: OpaquePointer

    func integer(_ column: Int32) -> Int { Int(sqlite3_column_int64(statement, column)) }

    func optionalInteger(_ column: Int32) -> Int? {
        sqlite3_column_type(statement, column) == SQLITE_NULL ? nil : integer(column)
    }

    func text(_ column: Int32) -> String { optionalText(column) ?? "" }

    /// The bytes of a blob, valid only while the row is read.
    func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: sqlite3_column_blob(statement, column),
            count: Int(sqlite3_column_bytes(statement, column)))
    }

    /// The bytes of a text, valid only while the row is read.
    func textBytes(_ column: Int32) -> UnsafeRawBufferPointer {
        // Asked for before its length, which is that of the text as it is then.
        let start = sqlite3_column_text(statement, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
    }

    func optionalText(_ column: Int32) -> String? {
        guard let bytes = sqlite3_column_text(statement, column) else { return nil }
        let count = Int(sqlite3_column_bytes(statement, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
