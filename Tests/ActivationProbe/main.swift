// Calls Activation in a process of one thread, which unshare(2) needs and a test runner is not. Started through a
// launcher it stands for sxs.
//
//   activation-probe visible ROOT
//   activation-probe enter METHOD ROOT[|ROOT…] [PATH=SOURCE…] -- PROGRAM ARGUMENT…
//   activation-probe shell ROOT PROFILE [PROGRAM ARGUMENT…]

import Activation
import CLauncher
import Files
import Glibc

func fail(_ error: any Error) -> Never {
    let text = Array("\(error)\n".utf8)
    write(STDERR_FILENO, text, text.count)
    exit((error as? LaunchError)?.exitStatus ?? 1)
}

func bytes(_ arguments: ArraySlice<String>) -> [Bytes] {
    arguments.map { Array($0.utf8) }
}

do {
    try Launcher.runIfLauncher(refusal: sxs_launch_refusal())
    let arguments = Launcher.arguments.map { String(decoding: $0, as: UTF8.self) }
    switch arguments.dropFirst().first {
    case "visible" where arguments.count == 3:
        print(StoreView(roots: [arguments[2]]).isVisible())
    case "enter" where arguments.count > 4:
        let separator = arguments.firstIndex(of: "--") ?? arguments.count
        let seeds = arguments[4..<separator].compactMap { text in
            let parts = text.split(separator: "=").map { Array($0.utf8) }
            guard let path = try? TreePath(parsing: parts[0].dropFirst()) else { exit(64) }
            return Seed(path, source: parts[1])
        }
        let roots = arguments[3].split(separator: "|").map(String.init)
        guard let method = StoreView.Method(rawValue: arguments[2]) else { exit(64) }
        try StoreView(roots: roots).enter(seeds: seeds, method: method)
        let command = arguments[(separator + 1)...]
        try Launcher.shell(in: StoreView(roots: []), profile: nil, command: bytes(command))
    case "shell" where arguments.count > 3:
        try Launcher.shell(
            in: StoreView(roots: [arguments[2]]), profile: arguments[3], command: bytes(arguments[4...]))
    default:
        exit(64)
    }
} catch {
    fail(error)
}
