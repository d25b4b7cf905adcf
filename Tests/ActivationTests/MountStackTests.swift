import Files
import Testing

@testable import Activation

/// What lies over what at `/usr`, from the text of mountinfo files.
@Suite struct MountStackTests {
    static let root = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

    private func stack(_ text: String) -> MountStack { MountStack(parsing: Array(text.utf8)) }

    @Test func aPlainUsrHasNoOverlay() {
        #expect(stack(Self.root).overlayDepth(at: "/usr") == 0)
        #expect(stack(Self.root).mount(at: "/usr")?.type == "ext4")
        #expect(stack("").overlayDepth(at: "/usr") == 0)
        #expect(stack("garbage\n\n1 2 3\n").mount(at: "/usr") == nil)
    }

    @Test func mergedExtensionsAreOneOverlay() {
        let merged =
            Self.root
            + "95 22 0:42 / /usr ro,relatime shared:23 - overlay sysext ro,lowerdir=/run/systemd/sysext/meta/usr:/usr\n"
        #expect(stack(merged).overlayDepth(at: "/usr") == 1)
        #expect(stack(merged).overlayDepth(at: "/usr/share/doc") == 1)
        #expect(stack(merged).overlayDepth(at: "/usrlocal") == 0)
        #expect(stack(merged).mount(at: "/usr")?.source == "sysext")
    }

    @Test func anOverlayOnComposefsIsTheSecond() {
        let composefs =
            "22 1 0:30 / / ro - overlay composefs ro,lowerdir=/run/ostree/.private/cfsroot-lower::/sysroot/repo/objects\n"
        #expect(stack(composefs).overlayDepth(at: "/usr") == 1)
        let merged =
            composefs
            + "95 22 0:42 / /usr ro - overlay sysext ro,lowerdir=/run/systemd/sysext/meta/usr:/usr\n"
        #expect(stack(merged).overlayDepth(at: "/usr") == MountStack.deepest)
    }

    @Test func aSharedMountThatLiesBelowItselfCountsOnce() {
        let line = "0:42 / /usr ro shared:23 - overlay sysext ro,lowerdir=/usr\n"
        #expect(stack(Self.root + "95 22 " + line + "96 95 " + line).overlayDepth(at: "/usr") == 1)
    }

    @Test func newMountOptionsAndUpperLayersCount() {
        let text =
            Self.root + "30 22 0:31 / /a\\040b rw - overlay x rw,lowerdir=/,upperdir=/u,workdir=/w\n"
            + "31 22 0:32 / /usr ro - overlay y ro,lowerdir+=/none,upperdir=/a\\040b/up\n"
        #expect(stack(text).overlayDepth(at: "/a b") == 1)
        #expect(stack(text).overlayDepth(at: "/usr") == 2)
    }
}
