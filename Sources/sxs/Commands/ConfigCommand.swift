internal import ArgumentParser
private import Glibc
internal import Operations
internal import StoreLayout

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show what the configuration says, and which line of which file says so.",
        discussion: """
            sxs.conf is looked for in /etc/sxs, /run/sxs, /usr/local/lib/sxs and /usr/lib/sxs, and for users other than root \
            first in ~/.config/sxs; the first counts. Then come all sxs.conf.d/*.conf by their names, of which those of an \
            earlier directory hide others of the same name. An empty file, or a link to /dev/null, hides one and says nothing.

            Exit status: 0 if all values can be used, 1 if one cannot.

            Examples:
              sxs config
              sxs config Retention.KeepGenerations    its value alone
              sxs config --keys                       what there is to be said
            """)

    @Argument(help: ArgumentHelp("A key with its section, whose value is printed alone.", valueName: "key"))
    var name: String?

    @Flag(help: "Show all keys, what they may be, and what they do.")
    var keys = false

    @Option(help: ArgumentHelp("Another host's root directory.", valueName: "dir"))
    var host = ""

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        if keys { return try showKeys() }
        let settings = try Session.settings(host: host == "/" ? "" : host)
        for stray in settings.strays { Console.note(stray) }
        if let name {
            guard let setting = Setting.all.first(where: { $0.name == name }) else {
                throw SettingError.unknown(name)
            }
            let text = try settings.text(setting) ?? ""
            return try json ? Console.printJSON(text) : Console.print(text)
        }
        let values = Setting.all.map { settings.value(of: $0) }
        if json {
            try Console.printJSON(values.map(Shown.init))
        } else {
            Console.print(
                Console.table(values.map { [$0.setting.name, $0.text.isEmpty ? "-" : $0.text, $0.origin] }))
        }
        let bad = values.filter { !$0.isGood }
        for value in bad { Console.note("\(SettingError.value(value))") }
        if !bad.isEmpty { throw ExitCode(1) }
    }

    /// A value in JSON.
    private struct Shown: Encodable {
        let section, key, value, usual: String
        let file: String?
        let line: Int?
        let isGood: Bool

        init(_ value: Settings.Value) {
            (section, key) = (value.setting.section, value.setting.key)
            (self.value, usual) = (value.text, value.setting.usual)
            (file, line, isGood) = (value.file, value.line, value.isGood)
        }
    }

    /// A key in JSON.
    private struct ShownKey: Encodable {
        let section, key, allowed, usual: String
        let option: String?
        let summary: String
    }

    private func showKeys() throws {
        if json {
            return try Console.printJSON(
                Setting.all.map {
                    ShownKey(
                        section: $0.section, key: $0.key, allowed: $0.kind.allowed, usual: $0.usual,
                        option: $0.option, summary: $0.summary)
                })
        }
        var section = ""
        for setting in Setting.all {
            if setting.section != section {
                Console.print((section.isEmpty ? "" : "\n") + "[\(setting.section)]")
            }
            section = setting.section
            let more = [
                setting.kind.allowed, setting.usual.isEmpty ? nil : "default: \(setting.usual)",
                setting.option,
            ].compactMap { $0 }
            Console.print("\(setting.key)=\n    \(setting.summary)\n    (\(more.joined(separator: "; ")))")
        }
    }
}
