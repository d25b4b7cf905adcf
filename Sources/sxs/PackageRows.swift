internal import Files
internal import StoreLayout

/// What is printed of the packages of distributions that a store path was made from.
enum PackageRows {
    /// Rows of a table, with their titles.
    static func rows(of metadata: Metadata) -> [[String]] {
        var rows: [[String]] = []
        if let packages = metadata.packages {
            rows.append(["packages", "\(packages.count)"])
            rows += packages.map { ["", "\($0.name) \($0.version)" + ($0.license.map { " (\($0))" } ?? "")] }
        }
        guard let finishing = metadata.finishing else { return rows }
        rows.append([
            "made", finishing.steps.map { "\($0.count) \($0.name)" }.joined(separator: ", "),
        ])
        if let slimming = finishing.slimming {
            rows.append(["slimmed", slimming.text])
        }
        for (name, reason) in finishing.missing.sorted(by: { $0.key < $1.key }) {
            rows.append(["without", "\(name): \(reason)"])
        }
        if let ran = finishing.ran, !ran.isEmpty {
            let names = ran.map { "\($0.package), \($0.script)" }
            rows.append(["scripts run", "\(ran.count): the result is not reproducible"])
            rows += names.map { ["", $0] }
        }
        for script in finishing.scripts {
            rows.append([
                "not done", "\(script.package), \(script.script): \(script.programs.joined(separator: " "))",
            ])
        }
        return rows
    }
}
