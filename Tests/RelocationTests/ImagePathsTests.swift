import Files
import Testing

@testable import Relocation

/// Relocation's own table of an image's paths says the same as the tree.
@Suite struct ImagePathsTests {
    /// A tree of nested directories with files and links, most of which lead somewhere.
    private static func tree(seed: UInt64) -> Tree {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        func next(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        let names = ["a", "b", "lib", "..", ".", "c-d"]
        var tree = Tree()
        var directories: [TreePath] = [.root]
        for number in 0..<60 {
            let place = directories[next(directories.count)].appending("\(names[next(3)])\(number % 7)".utf8)
            guard tree[place] == nil else { continue }
            switch next(3) {
            case 0:
                tree.insert(.impliedDirectory, at: place)
                directories.append(place)
            case 1: tree.insert(Tree.Node(kind: .file(ContentID(number)), mode: 0o644), at: place)
            default:
                var target = next(2) == 0 ? "/" : ""
                for _ in 0...next(4) {
                    let name = names[next(names.count)]
                    target += name.hasPrefix(".") || name == "c-d" ? name : name + "\(next(7))"
                    target += next(5) == 0 ? "//" : "/"
                }
                tree.insert(Tree.Node(kind: .symlink(target: Array(target.utf8)), mode: 0o777), at: place)
            }
        }
        // Links to links, over the kernel's limit and just below it.
        for number in 0..<45 {
            let target = number == 0 ? "." : "chain\(number - 1)"
            let path = TreePath.root.appending("chain\(number)".utf8)
            tree.insert(Tree.Node(kind: .symlink(target: Array(target.utf8)), mode: 0o777), at: path)
        }
        return tree
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func linksLeadWhereTheTreeSays(seed: UInt64) throws {
        let tree = Self.tree(seed: seed)
        let paths = ImagePaths(tree.sortedNodes)
        var followed = 0
        for link in paths.links {
            let path = paths.path(link)
            let expected = tree.resolve(path.bytes)
            #expect(paths.followed(link).map(paths.path) == expected, "\(path)")
            #expect(tree[path]?.kind == paths.target(link).map { .symlink(target: $0) })
            followed += expected == nil ? 0 : 1
        }
        // Of the chain, 40 are within the limit.
        #expect(followed >= 40 && followed < paths.links.count)
    }
}
