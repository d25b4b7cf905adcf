internal import Files
internal import StoreLayout

/// The configuration of openSUSE's sysextmgr, where a host has it: the place that it takes images from is a remote.
///
/// Source: sysextmgr.conf(5) of sysextmgr 1.3.
struct SysextmgrConfiguration {
    /// What the remote is called.
    static let remote = "sysextmgr"
    /// Sections, of which the first goes before the other.
    private static let sections = ["sysextmgrd", "default"]

    /// The remote; `nil` on a host without one.
    let remote: ConfiguredRemote?

    /// Reads it.
    ///
    /// - Parameter host: The host's root directory, `""` for this one.
    /// - Throws: ``RemoteDescriptionError``, `SystemError`.
    init(host: String) throws {
        let places = RemoteLayout.sysextmgrDirectories.map { host + $0 }
        let limit = RemoteDescription.longest + 1
        let main = try ConfigurationDirectories(places).file(RemoteLayout.sysextmgrFile, limit: limit)
        let more = try ConfigurationDirectories(places.map { $0 + "/" + RemoteLayout.sysextmgrFile + ".d" })
            .files(suffix: RemoteLayout.suffix, limit: limit)
        var values: [String: (text: String, file: String)] = [:]
        for file in [main].compactMap({ $0 }) + more {
            guard let contents = file.contents else { continue }
            guard contents.count < limit, let text = String(validating: contents, as: UTF8.self) else {
                throw RemoteDescriptionError.notText(file.path)
            }
            // Keys that are none of ours are its own.
            for entry in ConfigurationFile(parsing: text).entries where Self.sections.contains(entry.section)
            {
                values[entry.section + "." + entry.key] = (Self.unquoted(entry.value), file.path)
            }
        }
        let value = { (key: String) in
            Self.sections.compactMap { values[$0 + "." + key] }.first { !$0.text.isEmpty }
        }
        guard let url = value("url") else {
            remote = nil
            return
        }
        var description = RemoteDescription(
            name: Self.remote, kind: .sysext, location: try RemoteLocation(url.text))
        if let text = value("verify_signature") {
            guard let answer = ConfigurationFile.boolean(text.text) else {
                throw RemoteDescriptionError.value(text.file, "verify_signature", text.text, "true, false")
            }
            description.isInsecure = !answer
        }
        if let text = value("filter") {
            guard RemoteDescription.isFilter(text.text) else {
                throw RemoteDescriptionError.value(text.file, "filter", text.text, "a regular expression")
            }
            description.filter = text.text
        }
        remote = ConfiguredRemote(description, file: url.file, isOfRoot: false)
    }

    /// A value without the quotes round it.
    private static func unquoted(_ text: String) -> String {
        text.count > 1 && text.hasPrefix("\"") && text.hasSuffix("\"")
            ? String(text.dropFirst().dropLast()) : text
    }
}
