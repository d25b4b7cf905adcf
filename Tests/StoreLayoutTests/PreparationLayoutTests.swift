import StoreLayout
import Testing

@Suite struct PreparationLayoutTests {
    @Test func unitsAreThereWhereTheirProgramIs() {
        #expect(PreparationLayout.units { _ in false }.isEmpty)
        let ostree = PreparationLayout.units { $0.programs == PreparationLayout.ostree.programs }
        #expect(
            ostree.map(\.path) == [
                "/etc/systemd/system/sxs-prepare.service", "/etc/systemd/system/sxs-prepare-deployment.path",
                "/etc/systemd/system/paths.target.wants/sxs-prepare-deployment.path",
            ])
        #expect(PreparationLayout.units { _ in true }.count == 5)
    }

    @Test func theFirstBootOfAnImageEnablesThem() throws {
        guard case .file(let text) = MaintenanceLayout.preset.kind else { throw Missing() }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        for name in PreparationLayout.watchNames { #expect(lines.contains("enable \(name)")) }
    }

    private struct Missing: Error {}
}
