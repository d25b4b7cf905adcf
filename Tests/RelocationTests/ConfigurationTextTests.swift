import Files
import Relocation
import Testing

/// Configuration that leaves its image.
@Suite struct ConfigurationTextTests {
    private static let text: ConfigurationText = {
        var tree = Tree()
        for path: TreePath in [
            "usr/share/app/data", "usr/bin/app", "usr/bin/sh", "usr/lib/app/m.so", "etc/app/conf",
        ] {
            tree.insert(Tree.Node(kind: .file(ContentID(0)), mode: 0o644), at: path)
        }
        tree.insert(Tree.Node(kind: .symlink(target: Array("usr/bin".utf8)), mode: 0o777), at: "bin")
        return ConfigurationText(of: tree)
    }()

    @Test(arguments: [
        ("root /usr/share/app/data;\n", "root /P/usr/share/app/data;\n"),
        ("a=/usr/bin/app b='/bin/app'\n", "a=/P/usr/bin/app b='/P/bin/app'\n"),
        ("/usr/lib/app/*.so /usr/lib/app/none\n", "/P/usr/lib/app/*.so /P/usr/lib/app/none\n"),
        ("#!/usr/bin/app\n", "#!/P/usr/bin/app\n"),
    ])
    func pathsOfTheImageAreFoundWhereItIs(text: String, moved: String) {
        #expect(String(decoding: Self.text.moved(Array(text.utf8), to: "/P"), as: UTF8.self) == moved)
    }

    @Test(arguments: [
        "include /etc/app/conf;\n", "log /var/log/app.log\n", "#!/bin/sh\n", "x /usr/bin/other\n",
        "/usr /lib\n",
        "s/usr/share/app/data\n", "/usr/local/bin/app\n", "/usr/share/app/data\0", "",
    ])
    func theHostsPathsStay(text: String) {
        #expect(Self.text.moved(Array(text.utf8), to: "/P") == Array(text.utf8))
    }
}
