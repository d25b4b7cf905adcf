import Files
import Glibc
import Images
import StoreLayout
import Testing

/// A temporary directory, and real tools run in it.
final class Fixture {
    let path: String

    init() throws {
        var template = Array("/var/tmp/sxs-images-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { _ = try? Self.run("chmod -R u+rwx '\(path)'; rm -rf '\(path)'", in: "/") }

    @discardableResult
    static func run(_ script: String, in directory: String) throws -> String {
        let command = "cd '\(directory)' && { set -e\n\(script)\n} 2>&1"
        let pipe = try #require(popen("bash -c \(quoted(command))", "r"))
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&buffer, 1, buffer.count, pipe)
            if count == 0 { break }
            output += buffer[..<count]
        }
        let status = pclose(pipe)
        let text = String(decoding: output, as: UTF8.self)
        try #require(status == 0, "\(script)\n\(text)")
        return text
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    @discardableResult
    func run(_ script: String) throws -> String { try Self.run(script, in: path) }

    /// The same small tree for every format, in `tree`.
    func makeTree() throws {
        try run(
            #"""
            umask 022
            mkdir -p tree/usr/bin tree/usr/share/empty tree/usr/lib
            printf 'hello\n' > tree/usr/bin/hello; chmod 755 tree/usr/bin/hello
            ln tree/usr/bin/hello tree/usr/bin/hi
            ln -s ../bin/hello tree/usr/lib/link
            printf x > 'tree/usr/share/with space'
            printf y > 'tree/usr/share/grüße'
            printf z > $'tree/usr/share/bad-\xff\xfe'
            printf n > tree/usr/share/$(printf 'long%.0s' {1..50})
            head -c 300000 /dev/urandom > tree/usr/lib/big
            : > tree/usr/lib/zero
            truncate -s 3M tree/usr/lib/sparse
            printf middle | dd of=tree/usr/lib/sparse bs=1 seek=1048576 conv=notrunc status=none
            printf end | dd of=tree/usr/lib/sparse bs=1 seek=2097152 conv=notrunc status=none
            setfattr -n user.note -v 'a value' tree/usr/bin/hello
            mkfifo tree/usr/lib/pipe
            """#)
    }

    /// Makes an OCI layout of one image, from uncompressed layers, by umoci's and skopeo's rules.
    func makeLayout(_ name: String, layers: [String], compression: String = "") throws {
        try run(
            #"""
            mkdir -p \#(name)/blobs/sha256; cd \#(name)
            put() { local s; s=$(sha256sum < $1 | cut -d' ' -f1); cp $1 blobs/sha256/$s; echo $s; }
            diffs= list=
            for layer in \#(layers.joined(separator: " ")); do
                cp ../$layer l.tar; diffs="$diffs,\"sha256:$(sha256sum < l.tar | cut -d' ' -f1)\""
                type=application/vnd.oci.image.layer.v1.tar
                case '\#(compression)' in
                    gzip) gzip -nc l.tar > l; type=$type+gzip;;
                    zstd) zstd -qc l.tar > l; type=$type+zstd;;
                    *) cp l.tar l;;
                esac
                list="$list,{\"mediaType\":\"$type\",\"digest\":\"sha256:$(put l)\",\"size\":$(stat -c%s l)}"
            done
            labels='"org.opencontainers.image.title":"demo","org.opencontainers.image.version":"1:2.0"'
            echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Labels\":{$labels},\"Env\":[\"A=b\"],\"Entrypoint\":[\"/usr/bin/hello\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[${diffs#,}]}}" > c
            c=$(put c)
            echo "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:$c\",\"size\":$(stat -c%s c)},\"layers\":[${list#,}]}" > m
            m=$(put m)
            echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:$m\",\"size\":$(stat -c%s m),\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}}]}" > index.json
            echo '{"imageLayoutVersion":"1.0.0"}' > oci-layout
            rm -f l l.tar c m
            """#)
    }

    func open(_ reference: String, platform: Architecture? = nil) throws -> Image {
        let colon = reference.firstIndex(of: ":")
        let text =
            colon.map { "\(reference[...$0])\(path)/\(reference[reference.index(after: $0)...])" }
            ?? "\(path)/\(reference)"
        return try Image.open(ImageReference(parsing: text), platform: platform)
    }

    func read(_ reference: String, platform: Architecture? = nil) throws -> RecordingSink {
        let sink = RecordingSink()
        try open(reference, platform: platform).read(into: sink, progress: NoProgress())
        return sink
    }
}
