internal import ArgumentParser
internal import Files
internal import Remotes

/// Which repository is meant.
struct RepositoryPlace: ParsableArguments {
    @Argument(help: ArgumentHelp("The repository.", valueName: "directory"))
    var directory: String
}

/// What may be said of a repository.
struct RepositoryOptions: ParsableArguments {
    @Option(help: ArgumentHelp("What it is called.", valueName: "text"))
    var title: String?

    @Option(
        help: ArgumentHelp(
            "The key of 'sxs key' that signs it, or the path of one of minisign.", valueName: "name"))
    var key: String?

    @Option(
        help: ArgumentHelp("The key of GnuPG that signs it, for systemd and sysextmgr.", valueName: "key"))
    var openpgpKey: String?

    @Option(
        help: ArgumentHelp(
            "Days for which a listing is good, 0 for ever; sign it again in time.", valueName: "days"))
    var validDays: Int?

    func validate() throws {
        guard validDays.map({ (0...36500).contains($0) }) ?? true else {
            throw ValidationError("--valid-days takes a number from 1 to 36500, or 0 for ever")
        }
        for text in [title, key, openpgpKey].compactMap({ $0 }) where text.utf8.contains(where: { $0 < 0x20 })
        {
            throw ValidationError("'\(text.utf8.displayed)' has control characters")
        }
    }

    func apply(to description: inout RepositoryDescription) {
        let said = { (text: String) in text.isEmpty ? nil : text }
        if let title { description.title = said(title) }
        if let key { description.key = said(key) }
        if let openpgpKey { description.openPGPKey = said(openpgpKey) }
        if let validDays { description.validDays = validDays == 0 ? nil : validDays }
    }
}
