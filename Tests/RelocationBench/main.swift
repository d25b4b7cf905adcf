// Times the relocation of an image: CPU time of this process, stage by stage, and rates over its ELF files in memory.
// Part of `Scripts/bench --only relocation`.
//
//   relocation-bench IMAGE EMPTY-DIRECTORY [elf]
//
// With `elf`, relocation leaves all files but ELF files alone, as patchelf does.

import ELF
import Files
import Foundation
import Glibc
import Images
import Relocation
import Store
import StoreLayout

/// CPU seconds of this process so far, user and system.
func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// CPU seconds of a piece of work.
func seconds<Result>(_ work: () throws -> Result) rethrows -> (Double, Result) {
    let start = now()
    let result = try work()
    return (now() - start, result)
}

/// Takes the time of the stage in which relocation hashes what it changed.
final class HashingClock: Files.Progress {
    private(set) var seconds = 0.0
    private(set) var bytes = 0
    private var start: Double?

    func begin(_ title: String, total: Int?) {
        guard title == Relocator.hashingTitle else { return }
        bytes = total ?? 0
        start = now()
    }

    func advance(to bytes: Int) {}

    func end() {
        seconds += start.map { now() - $0 } ?? 0
        start = nil
    }
}

/// What is printed, as JSON.
struct Figures: Encodable {
    var elfFiles = 0
    var elfBytes = 0
    var allBytes = 0
    /// Reading, decompressing, hashing, looking for paths.
    var readSeconds = 0.0
    /// Relocation, with the writing of what changed and without its hashing.
    var relocationSeconds = 0.0
    /// The hashing of what changed.
    var hashingSeconds = 0.0
    /// How much that is.
    var hashedBytes = 0
    /// Looking for paths in ELF files that are in memory.
    var pathScanSeconds = 0.0
    /// Headers and references of the same files.
    var referenceScanSeconds = 0.0
}

func measure(_ source: String, in directory: String, onlyELF: Bool) throws -> Figures {
    var figures = Figures()
    let store = try Store.open(root: directory, forWriting: true)
    let area = try store.makeImport()
    defer { try? area.discard() }
    let image = try Image.open(ImageReference(parsing: source))
    let progress = NoProgress()
    (figures.readSeconds, _) = try seconds { try image.read(into: area.builder, progress: progress) }
    let tree = area.builder.tree
    let staging = onlyELF ? Staging(area.staging.directory) : area.staging
    // Its files are those of the other, whose numbers it may not give out again.
    if onlyELF { while staging.reserveNumber() + 1 < area.staging.numberLimit {} }
    figures.allBytes = area.staging.contents.reduce(0) { $0 + $1.size }

    for number in 0..<area.staging.count {
        let id = ContentID(number)
        let known = area.staging[id]
        guard known.id == id else {
            // The same contents under another name.
            if onlyELF { staging.add(sameAs: known.id) }
            continue
        }
        let place = try area.staging.path(of: id).flatMap(staging.place)
        guard known.head.starts(with: ELFFile.magic) else {
            if onlyELF {
                _ = staging.add(
                    known.file, size: known.size, digest: known.digest, scanner: PathScanner(),
                    head: FileHead([]),
                    isStaged: false, place: place)
            }
            continue
        }
        figures.elfFiles += 1
        figures.elfBytes += known.size
        let bytes = try area.staging.open(id).readAll()
        bytes.withUnsafeBytes { bytes in
            let (scan, scanner) = seconds {
                var scanner = PathScanner()
                scanner.update(bytes)
                scanner.finish()
                return scanner
            }
            figures.pathScanSeconds += scan
            if onlyELF {
                _ = staging.add(
                    known.file, size: known.size, digest: known.digest, scanner: scanner,
                    head: known.head,
                    hashStates: area.staging.hashStates(of: id), place: place)
            }
            figures.referenceScanSeconds +=
                seconds {
                    guard let elf = try? ELFFile(parsing: bytes) else { return }
                    let intervals = scanner.offsets.compactMap { offset -> Range<UInt64>? in
                        guard elf.region(atFileOffset: Int(offset)) == .data,
                            let address = elf.address(ofFileOffset: Int(offset))
                        else { return nil }
                        return address..<(address + 16)
                    }
                    _ = elf.references(into: intervals)
                }.0
        }
    }

    let sortedNodes = tree.sortedNodes
    let listing = TreeListing.render(tree) {
        (area.staging[$0].size, area.staging[$0].digest)
    }
    let identity = StorePath.Identity(
        tree: Digest(hashing: listing), name: try PackageName("bench"), version: try PackageVersion("1"),
        architecture: .any)
    let clock = HashingClock()
    let (whole, _) = try seconds {
        try Relocator.relocate(
            tree, sortedNodes: sortedNodes, staging: staging, to: StorePath(identity), progress: clock,
            isTaken: { _ in false })
    }
    figures.relocationSeconds = whole - clock.seconds
    figures.hashingSeconds = clock.seconds
    figures.hashedBytes = clock.bytes
    return figures
}

let arguments = CommandLine.arguments
guard arguments.count == 3 || (arguments.count == 4 && arguments[3] == "elf") else {
    FileHandle.standardError.write(Data("usage: relocation-bench IMAGE EMPTY-DIRECTORY [elf]\n".utf8))
    exit(64)
}
do {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let figures = try measure(arguments[1], in: arguments[2], onlyELF: arguments.count == 4)
    print(String(decoding: try encoder.encode(figures), as: UTF8.self))
} catch {
    FileHandle.standardError.write(Data("relocation-bench: \(error)\n".utf8))
    exit(1)
}
