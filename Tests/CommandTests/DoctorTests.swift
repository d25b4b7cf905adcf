import Foundation
import Testing

/// What doctor says of extensions on a host that is not running.
@Suite struct DoctorTests {
    /// Makes a host with the anchor; `found` prints what doctor finds there beside what it found at first.
    private static let host = """
        H=$D/host; E=$H/var/lib/extensions; mkdir -p $H/etc $H/usr/bin $H/usr/lib/systemd $E
        printf 'ID=debian\\nVERSION_ID=13\\n' > $H/etc/os-release
        touch $H/usr/bin/systemd-sysext $H/usr/lib/systemd/libsystemd-shared-257.so
        $S setup --host $H --method anchor > /dev/null && \(Machine.install) > /dev/null 2>&1 || exit 98
        codes() { $S doctor --host $H --json | sed -n 's/.*"code" *: *"\\([a-z-]*\\)".*/\\1/p' | sort; }
        codes > $D/first
        found() { codes | comm -13 $D/first - | tr '\\n' ' '; echo; rm -rf $E/box* $E/9999999999999999*-z*; }
        """

    @Test func imagesAreLookedIntoLikeDirectories() throws {
        let outcome = try Machine().run(
            Self.host + """

                for form in dir: sysext:.raw; do
                    suffix=${form#*:} form=${form%:*}
                    Z=$E/99999999999999999-z$suffix
                    $S export box --format $form --output $E/box$suffix > /dev/null || exit 97
                    found
                    $S export box --format $form --output $E/box$suffix --id fedora --version-id 1 > /dev/null || exit 97
                    found
                    $S export box --format $form --output $E --v-directory > /dev/null || exit 97
                    found
                    $S export box --format $form --output $E/box$suffix > /dev/null && mv $E/box$suffix $Z || exit 97
                    [ ! -d $Z ] || mv $Z/usr/lib/extension-release.d/extension-release.box \\
                        $Z/usr/lib/extension-release.d/extension-release.${Z##*/}
                    found
                done
                """, as: .superuser)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let expected = ["not-adopted ", "does-not-fit ", "not-adopted ", "later-extension not-adopted "]
        #expect(outcome.lines == expected + expected, "\(outcome.errors)")
    }

    @Test func whatCannotBeLookedIntoIsNamed() throws {
        let outcome = try Machine().run(
            Self.host + """

                (head -c 1024 /dev/zero; printf '\\342\\341\\365\\340'; head -c 4096 /dev/zero) > $E/box.raw
                $S doctor --host $H | grep -A2 box
                found
                (head -c 512 /dev/zero; printf 'EFI PART'; head -c 4096 /dev/zero) > $E/box.raw
                $S doctor --host $H | grep box.raw.was
                found
                mkdir -p $E/box/usr/lib; touch $E/box/usr/lib/os-release
                found
                """, as: .superuser)
        #expect(outcome.output.contains("/box.raw was not looked into: "))
        #expect(outcome.output.contains("EROFS image") && outcome.output.contains("partition table (GPT)"))
        #expect(
            outcome.lines.filter { $0.hasSuffix(" ") } == [
                "not-looked-into ", "not-looked-into ", "blocks-merge ",
            ])
    }
}
