public import Files

extension CollectionReport {
    /// The report as `JSONEncoder` writes it, pretty and with sorted keys.
    ///
    /// Written here, since a store may have a hundred thousand paths: the encoder takes longer than the whole plan.
    public func json() -> Bytes {
        var text = JSONWriter()
        text.object { text in
            text.member("caches") { $0.number(caches) }
            text.member("dangling") {
                $0.array(dangling) { text, root in
                    text.object {
                        $0.member("path") { $0.string(root.path) }
                        $0.member("reason") { $0.string(root.reason) }
                    }
                }
            }
            text.member("fetched") { $0.number(fetched) }
            text.member("freed") { $0.number(freed) }
            text.member("generations") {
                $0.array(generations) { text, generation in
                    text.object {
                        $0.member("number") { $0.number(generation.number) }
                        $0.member("profile") { $0.string(generation.profile) }
                    }
                }
            }
            text.member("isDryRun") { $0.word(isDryRun ? "true" : "false") }
            text.member("kept") {
                $0.array(kept) { text, path in
                    text.object {
                        $0.member("others") { $0.number(path.others) }
                        $0.member("root") {
                            $0.object {
                                $0.member("chain") { $0.array(path.root.chain) { $0.string($1) } }
                                $0.member("kind") { $0.string(path.root.kind) }
                            }
                        }
                        $0.member("storePath") { $0.string(path.storePath) }
                    }
                }
            }
            text.member("removed") {
                $0.array(removed) { text, path in
                    text.object {
                        $0.member("freed") { $0.number(path.freed) }
                        if let name = path.name { $0.member("name") { $0.string(name) } }
                        $0.member("size") { $0.number(path.size) }
                        $0.member("storePath") { $0.string(path.storePath) }
                        if let version = path.version { $0.member("version") { $0.string(version) } }
                    }
                }
            }
            text.member("silentHosts") { $0.array(silentHosts) { $0.string($1) } }
            text.member("spared") { $0.array(spared) { $0.string($1) } }
            text.member("unseen") { $0.array(unseen) { $0.string($1) } }
            text.member("waiting") { $0.number(waiting) }
        }
        return text.bytes
    }
}
