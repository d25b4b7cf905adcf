internal import Files
private import FoundationEssentials

/// A reference to a blob.
///
/// Source: OCI image-spec 1.1, descriptor.md.
struct OCIDescriptor: Decodable {
    struct Platform: Decodable {
        var architecture: String
        var os: String
        var variant: String?
    }

    var mediaType: String?
    var digest: String
    var size: Int
    var platform: Platform?
    var annotations: [String: String]?
}

/// `index.json`, or an index it refers to.
struct OCIIndex: Decodable {
    var manifests: [OCIDescriptor]
    var annotations: [String: String]?
}

/// What an image is made of.
struct OCIManifest: Decodable {
    var config: OCIDescriptor
    var layers: [OCIDescriptor]
    var annotations: [String: String]?
}

/// The `oci-layout` file.
struct OCILayoutVersion: Decodable {
    var imageLayoutVersion: String
}

/// An image's configuration, of OCI and docker alike.
struct OCIConfiguration: Decodable {
    struct Container: Decodable {
        var Env: [String]?
        var Entrypoint: [String]?
        var Cmd: [String]?
        var Labels: [String: String]?
    }

    struct RootFileSystem: Decodable {
        var diff_ids: [String]?
    }

    var architecture: String?
    var os: String?
    var config: Container?
    var rootfs: RootFileSystem?
}

/// One image of docker's `manifest.json`.
struct DockerManifest: Decodable {
    var Config: String
    var RepoTags: [String]?
    var Layers: [String]
}

/// Reads a JSON document of an image.
func decode<Document: Decodable>(
    _ type: Document.Type, from bytes: Bytes, name: String, image: String
) throws -> Document {
    do {
        return try JSONDecoder().decode(type, from: Data(bytes))
    } catch {
        throw ImageError.damaged(image: image, detail: "\(name) is not the JSON document it should be")
    }
}
