private import Files

extension Hint {
    /// The hints that come with sxs, sorted by name: the files in `hints/`.
    ///
    /// They belong to the recipe: one that changes what becomes of an image is a new recipe.
    public static let builtIn: [Hint] = [
        ("aspell", PackageResources.aspell_hints), ("bison", PackageResources.bison_hints),
        ("clang", PackageResources.clang_hints), ("etc", PackageResources.etc_hints),
        ("ghc", PackageResources.ghc_hints), ("git", PackageResources.git_hints),
        ("gnupg", PackageResources.gnupg_hints),
        ("logrotate", PackageResources.logrotate_hints), ("nvim", PackageResources.nvim_hints),
        ("postgresql", PackageResources.postgresql_hints), ("qt", PackageResources.qt_hints),
        ("r", PackageResources.r_hints),
        ("syslog-ng", PackageResources.syslog_ng_hints), ("systemd", PackageResources.systemd_hints),
        ("valgrind", PackageResources.valgrind_hints), ("weechat", PackageResources.weechat_hints),
        ("x11", PackageResources.x11_hints),
    ].compactMap { name, text in
        // They are part of the program; that each can be read is tested.
        try? Hint(parsing: text, name: HintName(name), file: name + fileSuffix)
    }
}
