import Files
import Foundation
import Testing

/// What directories list.
@Suite struct DirectoryListingTests {
    private func withDirectory(_ body: (URL) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "sxs-listing-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        try body(directory)
    }

    @Test func allEntriesAreListedWhateverTheirNumber() throws {
        try withDirectory { directory in
            // More than what one call of the kernel gives.
            let names = (0..<3000).map { "name-\($0)-" + String(repeating: "n", count: $0 % 200) }
            for name in names { try Data().write(to: directory.appending(path: name)) }
            let opened = try Descriptor.directory(directory.path)
            #expect(Set(try opened.list().map(\.text)) == Set(names))
            // Listing it does not move its own offset.
            #expect(try opened.list().count == names.count)
            #expect(try opened.listOnce().count == names.count)
        }
    }

    /// A merge that is taken away takes directories from those who have them open.
    @Test func aDirectoryThatIsGoneHasNothing() throws {
        try withDirectory { directory in
            let opened = try Descriptor.directory(directory.path)
            try FileManager.default.removeItem(at: directory)
            #expect(try opened.listOnce().isEmpty)
        }
    }
}
