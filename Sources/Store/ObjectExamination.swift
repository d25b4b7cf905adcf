internal import Files
internal import Glibc
internal import StoreLayout
internal import Synchronization

/// Looks at all objects, by several threads: names, permissions, and contents where that is wanted.
final class ObjectExamination: Sendable {
    // A class: threads share it.

    private struct State {
        var found: [Inconsistency] = []
        var damaged: Set<Inode> = []
        var unused = (count: 0, bytes: 0)
    }

    private let objects: Descriptor
    private let owner: uid_t
    private let readsContents: Bool
    private let state = Mutex(State())
    /// Bytes that were read.
    let count = Atomic<Int>(0)

    init(_ objects: Descriptor, owner: uid_t, readsContents: Bool) {
        (self.objects, self.owner, self.readsContents) = (objects, owner, readsContents)
    }

    /// What is wrong; what nobody uses is one note.
    var found: [Inconsistency] {
        let (found, unused) = state.withLock { ($0.found, $0.unused) }
        guard unused.count > 0 else { return found }
        let what =
            "\(unused.count) \(unused.count == 1 ? "object is" : "objects are") nobody's: \(unused.bytes) bytes"
        return found + [Inconsistency(.note, "object-unused", StoreLayout.Name.objects, what, .collect)]
    }

    /// Whether the contents of an object are other than its name says; only known where they were read.
    func isDamaged(_ inode: Inode) -> Bool { state.withLock { $0.damaged.contains(inode) } }

    /// Looks at everything.
    func run(_ report: @escaping @Sendable (Int) -> Void) throws {
        var names: [String] = []
        try objects.forEachEntry { name, _, _ in names.append(String(decoding: name, as: UTF8.self)) }
        try WorkQueue(names, threadLimit: .max).run { name in
            try self.look(at: name)
            report(self.count.load(ordering: .relaxed))
        }
    }

    private func report(
        _ severity: Inconsistency.Severity, _ code: String, _ path: String, _ what: String,
        _ remedy: Inconsistency.Remedy
    ) {
        let place = StoreLayout.Name.objects + "/" + path
        state.withLock { $0.found.append(Inconsistency(severity, code, place, what, remedy)) }
    }

    private func look(at name: String) throws {
        guard let status = try objects.status(of: name) else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return report(.note, "object-name", name, "it is no directory of objects", .repair(nil))
        }
        if status.st_mode & 0o022 != 0 || status.st_uid != owner {
            report(.error, "unsafe", name, Store.unsafe(status, owner), .byHand("chown and chmod it"))
        }
        let directory = try objects.directory(beneath: name)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)
        defer { buffer.deallocate() }
        try directory.forEachEntry { entry, _, _ in
            try self.look(at: entry, in: directory, named: name, buffer)
        }
    }

    private func look(
        at name: UnsafeRawBufferPointer, in directory: Descriptor, named place: String,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws {
        let text = name.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self)
        var status = stat()
        // Collected meanwhile.
        guard fstatat(directory.number, text, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return }
        let path = place + "/" + name.displayed
        guard status.st_mode & S_IFMT == S_IFREG, ObjectKey.fingerprint(fileName: name) != nil,
            place.utf8.elementsEqual(name.prefix(2))
        else {
            return report(.warning, "object-name", path, "it is no object by its name", .repair(nil))
        }
        let mode = name[65..<68].reduce(mode_t(0)) { $0 << 3 | mode_t($1 - 0x30) }
        if status.st_mode & 0o7777 != mode {
            let what = "its permissions are \(octal(status.st_mode & 0o7777)), not \(octal(mode))"
            report(.error, "object-mode", path, what, .repair(nil))
        } else if status.st_uid != owner {
            report(.error, "unsafe", path, Store.unsafe(status, owner), .byHand("chown it"))
        }
        if status.st_nlink == 1 {
            state.withLock {
                $0.unused.count += 1
                $0.unused.bytes += Int(status.st_size)
            }
        }
        // Files without contents are no objects: it was cut off.
        var isWhole = status.st_size > 0
        if isWhole, readsContents {
            let file = try directory.open(beneath: name.displayed)
            isWhole = try digest(of: file, status, buffer).hex.utf8.elementsEqual(name.prefix(64))
        }
        guard !isWhole else { return }
        let inode = Inode(status)
        state.withLock { _ = $0.damaged.insert(inode) }
        report(
            .error, "object-content", path, "its contents are not those that it is named for",
            status.st_nlink == 1 ? .collect : .repair(nil))
    }

    private func octal(_ mode: mode_t) -> String { "0" + String(mode, radix: 8) }

    private func digest(
        of file: Descriptor, _ status: stat, _ buffer: UnsafeMutableRawBufferPointer
    ) throws -> Digest {
        var hasher = Hasher256()
        while true {
            let size = try file.read(into: buffer)
            guard size > 0 else { break }
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<size]))
        }
        count.add(Int(status.st_size), ordering: .relaxed)
        return hasher.finalize()
    }
}

extension Store {
    /// What is unsafe about a file or directory.
    static func unsafe(_ status: stat, _ owner: uid_t) -> String {
        status.st_uid != owner
            ? "it belongs to user \(status.st_uid), not \(owner), who owns the store"
            : "others may write to it: its permissions are 0\(String(status.st_mode & 0o7777, radix: 8))"
    }
}
