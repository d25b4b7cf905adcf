public import Files

extension Metadata {
    /// Reads metadata as the store writes them; `nil` for anything that only a general decoder takes.
    ///
    /// That are metadata with what few packages have: rules of hints, and those of a distribution's packages. Each command that
    /// installs, checks or collects reads metadata, of thousands of packages some.
    ///
    /// - Parameter bytes: JSON. The member `registration` is passed over.
    public init?(written bytes: Bytes) {
        let found = bytes.withUnsafeBytes { bytes in
            var json = JSONReader(bytes)
            let found = Metadata(&json)
            json.end()
            return json.isOther ? nil : found
        }
        guard let found else { return nil }
        self = found
    }

    private init?(_ json: inout JSONReader) {
        var (formatVersion, recipe, aliasSalt, size, fileCount): (Int?, Int?, Int?, Int?, Int?)
        var (storePath, name, version, architecture): (String?, String?, String?, String?)
        var (tree, listingDigest): (String?, String?)
        var (source, sourceDigest, summary): (String?, String?, String?)
        var entrypoint: [String]?
        var exposure: Exposure?
        var aliases: [AliasRecord]?
        var launch: LaunchFacts?
        var omissions: [String: Int]?
        var hints: [HintRecord]?
        json.object { member, json in
            switch member {
            case "aliasSalt": json.set(&aliasSalt) { $0.integer() }
            case "aliases":
                json.set(&aliases) { $0.array { AliasRecord(&$0) } }
            case "architecture": json.set(&architecture) { $0.text() }
            case "entrypoint": json.set(&entrypoint) { $0.texts() }
            case "exposure": json.set(&exposure) { Exposure(&$0) }
            case "fileCount": json.set(&fileCount) { $0.integer() }
            case "formatVersion": json.set(&formatVersion) { $0.integer() }
            case "hints": json.set(&hints) { $0.array { HintRecord(&$0) } }
            case "launch": json.set(&launch) { LaunchFacts(&$0) }
            case "listingDigest": json.set(&listingDigest) { $0.text() }
            case "name": json.set(&name) { $0.text() }
            case "omissions": json.set(&omissions) { Self.omissions(&$0) }
            case "recipe": json.set(&recipe) { $0.integer() }
            case "registration": json.skip()
            case "size": json.set(&size) { $0.integer() }
            case "source": json.set(&source) { $0.text() }
            case "sourceDigest": json.set(&sourceDigest) { $0.text() }
            case "storePath": json.set(&storePath) { $0.text() }
            case "summary": json.set(&summary) { $0.text() }
            case "tree": json.set(&tree) { $0.text() }
            case "version": json.set(&version) { $0.text() }
            default: json.giveUp()
            }
        }
        guard let formatVersion, let recipe, let aliasSalt, let size, let fileCount, let storePath, let name,
            let version, let architecture = architecture.flatMap(Architecture.init), let tree,
            let listingDigest, let source, let entrypoint, let exposure, let aliases, let launch,
            let omissions
        else { return nil }
        self.formatVersion = formatVersion
        (self.storePath, self.name, self.version) = (storePath, name, version)
        (self.architecture, self.tree, self.recipe) = (architecture, tree, recipe)
        (self.aliasSalt, self.listingDigest) = (aliasSalt, listingDigest)
        (self.size, self.fileCount) = (size, fileCount)
        (self.source, self.sourceDigest, self.summary) = (source, sourceDigest, summary)
        (self.entrypoint, self.exposure, self.aliases) = (entrypoint, exposure, aliases)
        (self.launch, self.omissions, self.hints) = (launch, omissions, hints)
        (packages, resolution, finishing) = (nil, nil, nil)
    }

    private static func omissions(_ json: inout JSONReader) -> [String: Int] {
        var result: [String: Int] = [:]
        json.object { name, json in
            if result.updateValue(json.integer(), forKey: name) != nil { json.giveUp() }
        }
        return result
    }
}

// What lacks a member has an empty one in its place: the reader gave up, so it does not count.

extension AliasRecord {
    fileprivate init(_ json: inout JSONReader) {
        var (name, target): (String?, String?)
        json.object { member, json in
            switch member {
            case "name": json.set(&name) { $0.text() }
            case "target": json.set(&target) { $0.text() }
            default: json.giveUp()
            }
        }
        if name == nil || target == nil { json.giveUp() }
        self.init(name: name ?? "", target: target ?? "")
    }
}

extension HintRecord {
    fileprivate init(_ json: inout JSONReader) {
        var (name, digest): (String?, String?)
        json.object { member, json in
            switch member {
            case "digest": json.set(&digest) { $0.text() }
            case "name": json.set(&name) { $0.text() }
            default: json.giveUp()
            }
        }
        if name == nil || digest == nil { json.giveUp() }
        self.init(name: name ?? "", digest: digest ?? "")
    }
}

extension LaunchFacts {
    fileprivate init(_ json: inout JSONReader) {
        var (searchPath, dataPath, seeds): ([String]?, [String]?, [String]?)
        json.object { member, json in
            switch member {
            case "dataPath": json.set(&dataPath) { $0.texts() }
            case "searchPath": json.set(&searchPath) { $0.texts() }
            case "seeds": json.set(&seeds) { $0.texts() }
            default: json.giveUp()
            }
        }
        if searchPath == nil || seeds == nil { json.giveUp() }
        self.init(searchPath: searchPath ?? [], seeds: seeds ?? [])
        self.dataPath = dataPath
    }
}

extension Exposure {
    fileprivate init(_ json: inout JSONReader) {
        var commands: [Command]?
        var (data, system): ([String]?, [String]?)
        json.object { member, json in
            switch member {
            case "commands": json.set(&commands) { $0.array { Command(&$0) } }
            case "data": json.set(&data) { $0.texts() }
            case "system": json.set(&system) { $0.texts() }
            default: json.giveUp()
            }
        }
        if commands == nil || data == nil { json.giveUp() }
        self.init(commands: commands ?? [], data: data ?? [], system: system ?? [])
    }
}

extension Exposure.Command {
    fileprivate init(_ json: inout JSONReader) {
        var (name, path): (String?, String?)
        var needsLauncher: Bool?
        json.object { member, json in
            switch member {
            case "name": json.set(&name) { $0.text() }
            case "needsLauncher": json.set(&needsLauncher) { $0.boolean() }
            case "path": json.set(&path) { $0.text() }
            default: json.giveUp()
            }
        }
        if name == nil || path == nil || needsLauncher == nil { json.giveUp() }
        self.init(name: name ?? "", path: path ?? "", needsLauncher: needsLauncher ?? false)
    }
}
