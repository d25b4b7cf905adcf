internal import Files
internal import StoreLayout

/// A package inside an image: what a distribution's package manager wrote down.
struct ImagePackage {
    let name: String
    /// The source package it was built from; packages of one source belong together.
    let source: String
    let version: String
    let summary: String?
    /// Files it owns, as paths of the image; empty until asked for.
    let files: () throws -> [Bytes]
}

extension ImagePackage {
    /// A package of the store as the one that owns what it shows.
    init(shownBy package: Metadata) {
        let shown = package.exposure
        let paths = (shown.commands.map(\.path) + shown.data + shown.system).map { Array("/\($0)".utf8) }
        self.init(
            name: package.name, source: package.name, version: package.version, summary: package.summary,
            files: { paths })
    }
}

/// The package database inside an image.
enum PackageDatabase {
    /// Reads the database of dpkg or apk; `nil` where the image has neither.
    ///
    /// - Parameters:
    ///   - tree: The image.
    ///   - read: Gives a file's bytes, `nil` where there is none.
    static func packages(in tree: Tree, read: @escaping (TreePath) throws -> Bytes?) throws -> [ImagePackage]?
    {
        if let status = try read("var/lib/dpkg/status") { return dpkg(status, in: tree, read: read) }
        for path: TreePath in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
            if let installed = try read(path) { return apk(installed) }
        }
        return nil
    }

    /// Stanzas of `Key: value` lines; continuation lines begin with a space.
    ///
    /// Source: deb-control(5).
    private static func dpkg(
        _ status: Bytes, in tree: Tree, read: @escaping (TreePath) throws -> Bytes?
    ) -> [ImagePackage] {
        var result: [ImagePackage] = []
        var fields: [String: String] = [:]
        func finish() {
            defer { fields = [:] }
            guard let name = fields["Package"], let version = fields["Version"],
                fields["Status"].map({ $0.hasSuffix(" installed") }) ?? true
            else { return }
            // "Source: emacs (1:28)" where its version differs.
            let source = fields["Source"].flatMap { $0.split(separator: " ").first.map(String.init) } ?? name
            let architecture = fields["Architecture"] ?? ""
            result.append(
                ImagePackage(
                    name: name, source: source, version: version, summary: fields["Description"],
                    files: {
                        for file in [name, "\(name):\(architecture)"] {
                            guard let path = try? TreePath(parsing: "var/lib/dpkg/info/\(file).list".utf8),
                                let list = try read(path)
                            else { continue }
                            return list.split(separator: UInt8(ascii: "\n")).map(Array.init)
                        }
                        return []
                    }))
        }
        for line in status.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            guard !line.isEmpty else {
                finish()
                continue
            }
            guard line.first != UInt8(ascii: " "), let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
                continue
            }
            let value = line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
            fields[String(decoding: line[..<colon], as: UTF8.self)] = String(decoding: value, as: UTF8.self)
        }
        finish()
        return result
    }

    /// Stanzas of one-letter keys: `P` name, `V` version, `o` origin, `T` description, `F` directory, `R` file.
    ///
    /// Source: apk-package(5), "installed" database.
    private static func apk(_ installed: Bytes) -> [ImagePackage] {
        var result: [ImagePackage] = []
        var fields: [UInt8: String] = [:]
        var files: [Bytes] = []
        var directory: Bytes = []
        func finish() {
            defer { (fields, files, directory) = ([:], [], []) }
            guard let name = fields[UInt8(ascii: "P")], let version = fields[UInt8(ascii: "V")] else {
                return
            }
            let owned = files
            result.append(
                ImagePackage(
                    name: name, source: fields[UInt8(ascii: "o")] ?? name, version: version,
                    summary: fields[UInt8(ascii: "T")], files: { owned }))
        }
        for line in installed.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            guard line.count >= 2, line[line.startIndex + 1] == UInt8(ascii: ":"), let key = line.first else {
                if line.isEmpty { finish() }
                continue
            }
            let value = line.dropFirst(2)
            switch key {
            case UInt8(ascii: "F"): directory = Array(value)
            case UInt8(ascii: "R"):
                files.append([UInt8(ascii: "/")] + directory + [UInt8(ascii: "/")] + value)
            default: fields[key] = String(decoding: value, as: UTF8.self)
            }
        }
        finish()
        return result
    }
}
