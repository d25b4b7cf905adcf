internal import Files

/// A kind of files that programs run without, and that may be left out of packages.
public enum Slimming: String, Sendable, CaseIterable {
    /// What people read: manuals, documentation, examples.
    case documentation = "doc"
    /// What compilers read: headers, static libraries, `pkg-config` files.
    case development = "devel"
    /// Messages in other languages than English.
    case locales

    private static let directories: [Slimming: [TreePath]] = [
        .documentation: [
            "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/gtk-doc", "usr/share/doc-base",
            "usr/share/lintian", "usr/share/help", "usr/share/devhelp", "usr/share/gnome/help",
            "usr/share/bug", "usr/share/examples", "usr/share/linda", "usr/share/omf",
        ],
        .development: [
            "usr/include", "usr/share/pkgconfig", "usr/lib/pkgconfig", "usr/lib64/pkgconfig", "usr/lib/cmake",
            "usr/share/cmake", "usr/share/aclocal", "usr/share/gir-1.0", "usr/share/vala",
        ],
        .locales: ["usr/share/locale", "usr/share/locale-langpack", "usr/share/help-langpack"],
    ]

    /// Whether a file is of this kind.
    ///
    /// Licences stay, wherever they are: they have to come along.
    func takes(_ path: TreePath) -> Bool {
        if Self.isLicense(path) { return false }
        if Self.directories[self, default: []].contains(where: { path != $0 && path.isWithin($0) }) {
            // "locale.alias" and the like are for all languages; English is what messages are written in.
            guard self == .locales else { return true }
            let parts = path.components
            return parts.count > 4 && !parts[3].hasPrefix("en")
        }
        guard self == .development else { return false }
        let text = path.bytes
        if text.suffix(2).elementsEqual(".a".utf8) || text.suffix(3).elementsEqual(".la".utf8) {
            return path.isWithin("usr/lib") || path.isWithin("usr/lib64")
        }
        return text.suffix(3).elementsEqual(".pc".utf8)
            && path.parent?.name.elementsEqual("pkgconfig".utf8) == true
    }

    private static func isLicense(_ path: TreePath) -> Bool {
        let name = String(decoding: path.name, as: UTF8.self).lowercased()
        return ["copyright", "license", "licence", "copying", "notice"].contains { name.hasPrefix($0) }
            || path.isWithin("usr/share/licenses") || path.isWithin("usr/share/common-licenses")
    }
}
