internal import Files

/// What is mounted over what, as `/proc/self/mountinfo` tells.
///
/// Beside ``MountTable``, which every start of a program reads and which knows paths alone.
struct MountStack {
    /// One mount.
    struct Mount: Equatable {
        /// The device number of its file system.
        let device: Bytes
        /// The path it is on.
        let point: Bytes
        /// The type of its file system.
        let type: String
        /// What was mounted, as the one who mounted it named it.
        let source: String
        /// Options of its file system.
        let options: String
    }

    /// All mounts, in the order they were made.
    private let mounts: [Mount]

    /// The kernel's limit of file systems that lie over each other, the lowest not counted.
    ///
    /// Source: Linux, `FILESYSTEM_MAX_STACK_DEPTH` in include/linux/fs.h.
    static let deepest = 2

    /// Reads `/proc/self/mountinfo`; `nil` where `/proc` is not mounted.
    init?() {
        guard let text = try? Descriptor.file("/proc/self/mountinfo").readAll(limit: 16 << 20) else {
            return nil
        }
        self.init(parsing: text)
    }

    /// Reads the text of a mountinfo file (proc(5)).
    init(parsing text: Bytes) {
        mounts = text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "))
            guard fields.count > 6 else { return nil }
            // A number of optional fields, ended by a hyphen, go before the last three.
            let last = fields.dropFirst(6).drop { !$0.elementsEqual("-".utf8) }.dropFirst().map {
                String(decoding: MountTable.unescaped($0), as: UTF8.self)
            }
            guard last.count > 2 else { return nil }
            return Mount(
                device: Array(fields[2]), point: MountTable.unescaped(fields[4]), type: last[0],
                source: last[1], options: last[2])
        }
    }

    /// The mount that a path, absolute and without links, is on.
    func mount(at path: String) -> Mount? { index(at: path, before: mounts.count).map { mounts[$0] } }

    /// How many overlays lie over each other at a path.
    func overlayDepth(at path: String) -> Int { depth(at: path, before: mounts.count, above: nil) }

    private func depth(at path: String, before end: Int, above: Bytes?) -> Int {
        // Where mounts are shared, one may also lie below itself.
        guard let index = index(at: path, before: end, except: above), mounts[index].type == "overlay" else {
            return 0
        }
        // Layers were there before; one that cannot be found by its name counts as plain.
        let layers = mounts[index].options.split(separator: ",").flatMap { option -> [Substring] in
            guard let name = ["lowerdir=", "lowerdir+=", "upperdir="].first(where: option.hasPrefix) else {
                return []
            }
            return option.dropFirst(name.count).split(separator: ":")
        }
        let below = layers.filter { $0.hasPrefix("/") }.map {
            depth(at: String($0), before: index, above: mounts[index].device)
        }
        return 1 + (below.max() ?? 0)
    }

    /// The last of those with the longest mount point.
    private func index(at path: String, before end: Int, except device: Bytes? = nil) -> Int? {
        let path = Array(path.utf8)
        let slash = UInt8(ascii: "/")
        var result: Int?
        for index in 0..<end where mounts[index].device != device {
            let point = mounts[index].point
            guard point == [slash] || path == point || path.starts(with: point + [slash]) else { continue }
            if let best = result, mounts[best].point.count > point.count { continue }
            result = index
        }
        return result
    }
}
