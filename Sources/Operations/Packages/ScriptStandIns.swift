/// What is there in place of programs of a package manager and of a running system, while scripts of packages are run.
///
/// What these would do is done by rule (`packages.md`), or is the host's; so they do nothing, and succeed. Those that answer a
/// question about a running system say no.
enum ScriptStandIns {
    /// A program by its name, and its text.
    static func programs(hasDpkg: Bool, architecture: String) -> [(name: String, text: String)] {
        let quiet = MaintainerScripts.done.union(MaintainerScripts.host).subtracting(files).filter {
            !$0.contains("<")
        }
        let (yes, no) = ("#!/bin/sh\nexit 0\n", "#!/bin/sh\nexit 1\n")
        var programs = Dictionary(
            uniqueKeysWithValues: quiet.map { ($0, questions.contains($0) ? no : yes) })
        if !hasDpkg {
            programs["dpkg"] = dpkg.replacing("ARCHITECTURE", with: architecture)
            programs["dpkg-query"] = no
        }
        return programs.sorted { $0.key < $1.key }.map { (name: $0.key, text: $0.value) }
    }

    /// Programs that change files of their own, as the script says.
    private static let files: Set<String> = ["rm", "rmdir", "chmod", "mkdir", "touch"]

    /// Programs that tell whether something runs.
    private static let questions: Set<String> = [
        "ischroot", "mountpoint", "pidof", "runlevel", "selinuxenabled", "systemd-detect-virt",
    ]

    /// The questions of scripts to dpkg: of versions, of which the one before is none, and of the architecture.
    private static let dpkg = """
        #!/bin/sh
        case "$1" in
        --print-architecture) echo ARCHITECTURE ;;
        --compare-versions)
            case "${2:+some}-${4:+some}-$3" in
            -some-lt|-some-le|-some-ne|-some-"<"|-some-"<="|-some-"<<") exit 0 ;;
            -some-gt-nl|-some-ge-nl) exit 0 ;;
            -some-*) exit 1 ;;
            some--gt|some--ge|some--ne|some--lt-nl|some--le-nl|some--">"|some--">="|some--">>") exit 0 ;;
            some--*) exit 1 ;;
            --le|--ge|--eq|--le-nl|--ge-nl|--"="|--"<="|--">=") exit 0 ;;
            --*) exit 1 ;;
            esac
            if [ "$2" = "$4" ]; then
                case "$3" in le|ge|eq|le-nl|ge-nl|"="|"<="|">=") exit 0 ;; esac
                exit 1
            fi
            echo "dpkg: two versions are compared by the real dpkg alone; import it, too" >&2
            exit 2 ;;
        --assert-*|--validate-*) exit 0 ;;
        *) exit 1 ;;
        esac

        """

    /// Where scripts find the functions by which they ask questions.
    static let debconf = "usr/share/debconf/confmodule"

    /// These functions: nobody answers, and every answer is empty.
    static let debconfText =
        [
            "beginblock", "capb", "clear", "data", "endblock", "exist", "fget", "fset", "get", "go", "info",
            "input",
            "metaget", "previous_module", "progress", "purge", "register", "reset", "set", "settitle", "stop",
            "subst", "title", "unregister", "version", "x_loadtemplatefile",
        ].map { "db_\($0)() { RET=; return 0; }\n" }.joined()
}
