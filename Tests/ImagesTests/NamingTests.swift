import StoreLayout
import Testing

@testable import Images

@Suite struct NamingTests {
    @Test(arguments: [
        ("gdb-14.2-2.1.x86-64.raw", "gdb", "14.2-2.1", Architecture.x86_64 as Architecture?),
        ("k3s-1.31.5+k3s1-29.1.x86-64.raw", "k3s", "1.31.5+k3s1-29.1", .x86_64),
        ("strace_6.11.raw", "strace", "6.11", nil), ("emacs.tar.zst", "emacs", nil, nil),
        ("emacs_28.2_arm64.oci.tar", "emacs", "28.2", .arm64), ("htop.sysext.raw", "htop", nil, nil),
        ("foo-bar-aarch64.tgz", "foo-bar", nil, .arm64), ("x86_64.tar", "x86_64", nil, nil),
        (".tar", "tar", nil, nil), ("vim-9.0-amd64.tar.gz", "vim", "9.0", .x86_64),
    ])
    func fileNamesGiveDefaults(file: String, name: String?, version: String?, architecture: Architecture?) {
        let naming = ImageNaming(fileName: file)
        #expect(naming.name == name)
        #expect(naming.version == version)
        #expect(naming.architecture == architecture)
    }

    @Test(arguments: [
        ("docker.io/library/emacs:28.2", "emacs", "28.2"), ("host:5000/emacs:latest", "emacs", nil),
        ("latest", nil, nil), ("28.2", nil, "28.2"), ("v1.2", nil, "v1.2"), ("emacs", "emacs", nil),
        ("host:5000/emacs", "emacs", nil), ("emacs@sha256:00", "emacs", nil),
    ])
    func referencesGiveDefaults(reference: String, name: String?, version: String?) {
        let naming = ImageNaming(reference: reference)
        #expect(naming.name == name)
        #expect(naming.version == version)
    }

    @Test func versionsLoseTheirEpoch() {
        #expect(ImageNaming.packageVersion("1:28.2+1-15") == "28.2+1-15")
        #expect(ImageNaming.packageVersion("a b/c") == "a.b.c")
        #expect(ImageNaming.packageVersion("///") == nil)
    }

    @Test func referencesAreParsed() throws {
        let reference = try ImageReference(parsing: "oci-archive:/tmp/a.tar:repo:1")
        #expect(
            reference.format == .ociArchive && reference.path == "/tmp/a.tar" && reference.name == "repo:1")
        #expect(try ImageReference(parsing: "raw:x").format == .squashFS)
        #expect(try ImageReference(parsing: "./a:b").path == "./a:b")
        #expect(throws: ImageError.self) { try ImageReference(parsing: "tar:") }
    }
}
