internal import ELF
internal import Files
internal import StoreLayout

extension Relocator {
    /// Decides what is done with one file.
    func plan(_ id: ContentID, at path: TreePath) throws -> Plan {
        let content = staging[id]
        var plan = Plan(file: RelocationReport.File(path: path.description))
        let isBytecode = path.name.suffix(4).elementsEqual(".pyc".utf8)
        if FileKind.isCompressed(content.head), !PathRules.isUntouched(path) {
            plan.leave("(whole file)", .compressed)
            if content.isStaged, Self.isJar(path, head: content.head) { try planJar(id, into: &plan) }
            return plan
        }
        guard content.isStaged, content.size > 0,
            content.hasPaths || isBytecode
                // An ELF file without facts is damaged, which is to be told.
                || (facts[id].map { $0.namesPaths || loader == nil }
                    ?? content.head.starts(with: ELFFile.magic)),
            !PathRules.isUntouched(path)
        else { return plan }

        let file = try opened[id]?.file ?? MappedFile(staging.open(id), isBrief: true)
        defer { withExtendedLifetime(file) {} }
        let bytes = file.bytes
        if content.isTruncated { plan.leave("(past 4 GiB)", .distant) }
        let offsets = staging.pathOffsets(of: id, in: bytes)
        switch FileKind(path: path, bytes: bytes) {
        case .elf: planELF(bytes, offsets: offsets, id: id, path: path, into: &plan)
        case .script:
            let end = bytes.starts(with: "#!".utf8) ? planShebang(bytes, into: &plan) : 0
            planText(bytes, offsets: offsets, from: end, extends: true, into: &plan)
        case .text: planText(bytes, offsets: offsets, from: 0, extends: false, into: &plan)
        case .heap, .strings:
            planText(bytes, offsets: offsets, from: 0, extends: false, into: &plan)
        case .blob: planBlob(bytes, offsets: offsets, into: &plan)
        case .binaryScript:
            // Offsets in the rest may count from the file's beginning.
            let end = planShebang(bytes, keepsLength: true, into: &plan)
            var rest = Array(offsets.drop { $0 < end })
            if Self.isCamlBytecode(bytes) {
                let strings = sites(
                    in: bytes, offsets: rest, from: end, limit: { Self.camlString(in: bytes, at: $0) })
                planAliases(strings, in: bytes, into: &plan)
                rest.removeAll { Self.camlString(in: bytes, at: Int($0)) != nil }
            }
            planLeft(bytes, offsets: rest, reason: .format, into: &plan)
        case .paths: planFullPaths(bytes, offsets: offsets, into: &plan)
        case .packageConfig:
            planPrefixes(bytes, written: "=/usr\n", into: &plan)
            planFullPaths(bytes, offsets: offsets, into: &plan)
        case .rubyConfig:
            planPrefixes(bytes, written: "\"/usr\"", into: &plan)
            planFullPaths(bytes, offsets: offsets, into: &plan)
        case .pythonBytecode: planBytecode(bytes, offsets: offsets, into: &plan)
        case .compressed: plan.leave("(whole file)", .compressed)
        case .sealed: planLeft(bytes, offsets: offsets, reason: .sealed, into: &plan)
        case .unknown: planLeft(bytes, offsets: offsets, reason: .format, into: &plan)
        }
        return plan
    }

    /// Paths of one script whose end is looked for among the names of a directory.
    private static let mostJoined = 256

    /// Equally long aliases for the paths of a text.
    ///
    /// - Parameters:
    ///   - start: Offsets below are somebody else's.
    ///   - extends: Whether a path without room for an alias may become the longer store path, if it names a file,
    ///     or a directory that is not on every system.
    private func planText(
        _ bytes: UnsafeRawBufferPointer, offsets: [UInt32], from start: Int, extends: Bool,
        into plan: inout Plan
    ) {
        var joined = 0
        for site in sites(in: bytes, offsets: offsets, from: start) {
            if let prefix = site.aliasedPrefix() {
                plan.alias(site.known.lowerBound..<prefix.end, to: paths.path(prefix.node))
            } else if extends, site.isComplete, isOwn(site) {
                plan.replace(
                    site.known, with: storePath.path(of: paths.path(site.node)), as: .storePath)
            } else if extends, joined < Self.mostJoined, site.saysEnough, !site.isComplete {
                joined += 1
                if goesOn(site, in: bytes) {
                    plan.replace(
                        site.known, with: storePath.path(of: paths.path(site.node)), as: .storePath)
                } else {
                    plan.leave(bytes[site.known].displayed, .tooShort)
                }
            } else if site.saysEnough {
                plan.leave(bytes[site.known].displayed, .tooShort)
            }
        }
    }

    /// Whether a path names a file, or a directory below such as `/usr/lib`.
    private func isOwn(_ site: PathSite) -> Bool {
        guard let place = paths.followed(site.node) else { return false }
        return !paths.isDirectory(place) || site.prefixes.count > 2
    }

    /// Equally long aliases for paths before which anything may stand; their ends are not known, so that a `/` has to
    /// follow what is replaced.
    private func planBlob(_ bytes: UnsafeRawBufferPointer, offsets: [UInt32], into plan: inout Plan) {
        for site in sites(in: bytes, offsets: offsets, limit: { _ in bytes.count }) {
            if let prefix = site.aliasedPrefix(followedBySlashIn: bytes) {
                plan.alias(site.known.lowerBound..<prefix.end, to: paths.path(prefix.node))
            } else if site.saysEnough {
                plan.leave(bytes[site.known].displayed, .tooShort)
            }
        }
    }

    /// The interpreter of a script as a full store path, or as an alias where the file's length has to stay.
    ///
    /// - Returns: The end of the first line.
    private func planShebang(
        _ bytes: UnsafeRawBufferPointer, keepsLength: Bool = false, into plan: inout Plan
    ) -> Int {
        let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        var start = 2
        while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
        guard start < end, bytes[start] == UInt8(ascii: "/") else { return end }
        switch PathSite.measure(bytes, at: start, limit: end, in: paths) {
        case .host: break
        case .image(let site) where site.isComplete && keepsLength:
            if let prefix = site.aliasedPrefix() {
                plan.alias(site.known.lowerBound..<prefix.end, to: paths.path(prefix.node), as: .shebang)
            } else {
                plan.leave(bytes[site.known].displayed, .tooShort)
            }
        case .image(let site) where site.isComplete:
            let target = storePath.path(of: paths.path(site.node))
            // The kernel reads 255 bytes of the line (BINPRM_BUF_SIZE).
            if end - site.known.count + target.count > 255 {
                plan.leave(bytes[site.known].displayed, .longShebang)
            } else {
                plan.replace(site.known, with: target, as: .shebang)
            }
        case .image, .nothing:
            let interpreter = bytes[start..<end].prefix { $0 != 0x20 && $0 != 0x09 && $0 != 0x0d }
            if !PathRules.isHost(interpreter) {
                plan.file.findings[.interpreter, default: []].append(interpreter.displayed)
            }
        }
        return end
    }

    /// Full store paths for the paths of a format that takes any length.
    private func planFullPaths(_ bytes: UnsafeRawBufferPointer, offsets: [UInt32], into plan: inout Plan) {
        // `/usr/bin/x` of which only the directory is known may well be the host's.
        for site in sites(in: bytes, offsets: offsets)
        where site.saysEnough && (site.isComplete || site.prefixes.count > 2) {
            plan.insertStorePath(storePath, at: site.known.lowerBound)
        }
    }

    /// The prefix of everything, `/usr` and no more, with one byte before and after it in `pattern`.
    private func planPrefixes(
        _ bytes: UnsafeRawBufferPointer, written pattern: String, into plan: inout Plan
    ) {
        guard let start = bytes.baseAddress else { return }
        let pattern = Array(pattern.utf8)
        var offset = 0
        while offset < bytes.count,
            let found = UnsafeRawBufferPointer(start: start + offset, count: bytes.count - offset)
                .firstOffset(of: pattern)
        {
            plan.insertStorePath(storePath, at: offset + found + 1)
            offset += found + pattern.count
        }
    }

    /// Equally long aliases in Python bytecode, and its mark.
    ///
    /// The header's flags word becomes 1: valid without a look at the source, whose time is not the image's.
    /// A string's length stands before it (marshal), which tells where a path ends.
    ///
    /// Source: PEP 552; `Python/marshal.c`.
    private func planBytecode(_ bytes: UnsafeRawBufferPointer, offsets: [UInt32], into plan: inout Plan) {
        let flags = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self).littleEndian
        if flags == 0 || flags == 3 {
            plan.edits.append(Edit(offset: 4, length: 4, replacement: .bytes([1, 0, 0, 0])))
            plan.file.done[.bytecode, default: 0] += 1
        }
        let limit = { (offset: Int) in
            Self.marshalledString(in: bytes, at: offset)
                ?? (PathBorders.canBegin(bytes, at: offset) ? bytes.count : nil)
        }
        planAliases(sites(in: bytes, offsets: offsets, from: 16, limit: limit), in: bytes, into: &plan)
    }

    /// The end of the marshalled string that begins at `offset`; `nil` where none does.
    private static func marshalledString(in bytes: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        let flagReference: UInt8 = 0x80
        if offset >= 2, "zZ".utf8.contains(bytes[offset - 2] & ~flagReference) {
            let end = offset + Int(bytes[offset - 1])
            if end <= bytes.count { return end }
        }
        if offset >= 5, "aAust".utf8.contains(bytes[offset - 5] & ~flagReference) {
            let length = bytes.loadUnaligned(fromByteOffset: offset - 4, as: UInt32.self).littleEndian
            let end = offset + Int(length)
            if end <= bytes.count { return end }
        }
        return nil
    }

    /// Whether a file is a program for OCaml's interpreter: its last bytes say so.
    ///
    /// Source: `runtime/caml/exec.h`, OCaml 4.13.
    private static func isCamlBytecode(_ bytes: UnsafeRawBufferPointer) -> Bool {
        UnsafeRawBufferPointer(rebasing: bytes.suffix(12)).starts(with: "Caml1999X".utf8)
    }

    /// Equally long aliases for paths whose strings have their lengths before them.
    private func planAliases(_ sites: [PathSite], in bytes: UnsafeRawBufferPointer, into plan: inout Plan) {
        for site in sites {
            if let prefix = site.aliasedPrefix() {
                plan.alias(site.known.lowerBound..<prefix.end, to: paths.path(prefix.node))
            } else if site.saysEnough {
                plan.leave(bytes[site.known].displayed, .tooShort)
            }
        }
    }

    /// The end of the marshalled OCaml string that begins at `offset`, told by the length before it; `nil` where none
    /// does.
    ///
    /// Source: `runtime/caml/intext.h`, OCaml 4.13.
    private static func camlString(in bytes: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        guard offset >= 2 else { return nil }
        let before = bytes[offset - 1]
        let end = bytes[offset - 2] == 0x09 ? offset + Int(before) : offset + Int(before & 0x1f)
        let isString = bytes[offset - 2] == 0x09 || (0x20...0x3f).contains(before)
        return isString && end > offset && end <= bytes.count ? end : nil
    }

    /// Counts the paths of a file that stays as it is.
    private func planLeft(
        _ bytes: UnsafeRawBufferPointer, offsets: [UInt32], reason: RelocationReport.Reason,
        into plan: inout Plan
    ) {
        for site in sites(in: bytes, offsets: offsets) where site.saysEnough {
            plan.leave(bytes[site.known].displayed, reason)
        }
    }

    /// Paths of the image among those that may begin at `offsets`, ascending and apart.
    ///
    /// - Parameters:
    ///   - start: Offsets below are somebody else's.
    ///   - limit: Where a string that begins at an offset ends; `nil` where none can. By default as in text.
    private func sites(
        in bytes: UnsafeRawBufferPointer, offsets: [UInt32], from start: Int = 0,
        limit: ((Int) -> Int?)? = nil
    ) -> [PathSite] {
        let limit = limit ?? { PathBorders.canBegin(bytes, at: $0) ? bytes.count : nil }
        var result: [PathSite] = []
        var position = start
        for offset in offsets.lazy.map(Int.init) where offset >= position {
            guard let end = limit(offset),
                case .image(let site) = PathSite.measure(bytes, at: offset, limit: end, in: paths)
            else { continue }
            result.append(site)
            position = site.end
        }
        return result
    }

    /// Absolute links into the image, and relative ones that climb out of it, as full store paths.
    func relocateLinks(in tree: inout Tree) -> [Plan] {
        var plans: [Plan] = []
        for link in paths.links {
            let path = paths.path(link)
            guard let target = paths.target(link), let absolute = Self.rootedTarget(target, of: path),
                !PathRules.isHostTarget(absolute), var node = tree[path],
                tree.resolve(absolute, followsLast: false) != nil
            else { continue }
            node.kind = .symlink(target: Array(storePath.path.utf8) + absolute)
            tree.insert(node, at: path)
            var plan = Plan(file: RelocationReport.File(path: path.description))
            plan.file.done[.symlink] = 1
            plans.append(plan)
        }
        return plans
    }

    /// A link's target as a path from the root; `nil` where it is relative and stays in the tree.
    private static func rootedTarget(_ target: Bytes, of path: TreePath) -> Bytes? {
        if target.first == UInt8(ascii: "/") { return target }
        // A step up takes two dots: most targets have too few to leave the tree.
        let depth = path.bytes.count { $0 == UInt8(ascii: "/") }
        guard target.count(where: { $0 == UInt8(ascii: ".") }) > 2 * depth else { return nil }
        var stack = path.parent?.components ?? []
        var climbs = false
        for component in target.split(separator: UInt8(ascii: "/")) where !component.elementsEqual(".".utf8) {
            if component.elementsEqual("..".utf8) {
                if stack.popLast() == nil { climbs = true }
            } else {
                stack.append(Array(component))
            }
        }
        guard climbs else { return nil }
        return stack.reduce(into: Bytes()) { $0 += [UInt8(ascii: "/")] + $1 }
    }
}

extension Relocator.Plan {
    /// Whether the file becomes another.
    var changes: Bool { !edits.isEmpty || searchPath != nil }

    /// An equally long alias in place of `range`.
    mutating func alias(
        _ range: Range<Int>, to target: TreePath, as action: RelocationReport.Action = .aliased,
        tail: Bytes = [], ending: Bytes = []
    ) {
        let request = AliasNames.Request(length: range.count - tail.count, target: target, ending: ending)
        edits.append(
            Relocator.Edit(
                offset: range.lowerBound, length: range.count, replacement: .alias(request, tail: tail)))
        file.done[action, default: 0] += 1
    }

    /// Other bytes in place of `range`.
    mutating func replace(_ range: Range<Int>, with bytes: Bytes, as action: RelocationReport.Action) {
        edits.append(
            Relocator.Edit(offset: range.lowerBound, length: range.count, replacement: .bytes(bytes)))
        file.done[action, default: 0] += 1
    }

    /// The store path before an absolute path.
    mutating func insertStorePath(_ storePath: StorePath, at offset: Int) {
        replace(offset..<offset, with: Array(storePath.path.utf8), as: .storePath)
    }

    /// Notes a path that stays.
    mutating func leave(_ path: String, _ reason: RelocationReport.Reason) {
        // A list of names for people; a file with very many is summed up.
        let path = file.left.count < 100 ? path : "(others)"
        if let index = file.left.firstIndex(where: { $0.path == path && $0.reason == reason }) {
            file.left[index].count += 1
        } else {
            file.left.append(RelocationReport.Left(path: path, reason: reason, count: 1))
        }
    }
}
