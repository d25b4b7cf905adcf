// swift-tools-version: 6.1
import PackageDescription

/// Settings of every Swift target: Swift 6 language mode comes from the tools version.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Libraries that the static archives of the C libraries need, which pkg-config does not name for a
/// plain (dynamic) link.
let archives: [LinkerSetting] = ["zstd", "lz4", "lzma", "bz2", "z"].map { .linkedLibrary($0) }

let package = Package(
    name: "sxs",
    products: [.executable(name: "sxs", targets: ["sxs"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // 1: C, each imported by the one room that wraps it.
        .target(name: "CLinux"),
        .target(name: "CScan"),
        // Optimised as the other C is not: its inner loop is one long chain, and -O2 leaves a fifth of its speed.
        .target(name: "CDigest", cSettings: [.unsafeFlags(["-O3"])]),
        // The entry point of the programs that are launchers, too: see its CLauncher.c.
        .target(
            name: "CLauncher",
            linkerSettings: [.unsafeFlags(["-Xlinker", "-e", "-Xlinker", "sxs_start"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CSquashFS", pkgConfig: "libsquashfs1", providers: [.apt(["libsquashfs-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CSELinux", pkgConfig: "libselinux", providers: [.apt(["libselinux1-dev"])]),
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),

        .systemLibrary(
            name: "CSolv",
            providers: [.apt(["libsolv-dev", "libsolvext-dev", "libexpat1-dev"])]),

        // 2: vocabulary: bytes, files and trees; ELF; the contract on disk.
        .target(
            name: "Files", dependencies: ["CLinux", "CCrypto", "CDigest", "CISAL", "CZlib", "CZstd"],
            swiftSettings: settings),
        .target(name: "ELF", dependencies: ["CScan"], swiftSettings: settings),
        .target(name: "YAML", dependencies: ["CYAML"], swiftSettings: settings),
        .target(
            name: "StoreLayout", dependencies: ["Files"], path: "store-layout",
            exclude: [
                "README.md", "relocation.md", "hints.md", "desktop.md", "extensions.md", "setup.md",
                "matching.md", "selinux.md", "adopting.md", "garbage.md", "services.md", "repair.md",
                "remotes.md", "publishing.md", "sharing.md", "configuration.md", "service.md",
                "packages.md", "distributions.md", "speed.md", "speed.svg",
                "decisions",
            ],
            resources: [
                "aspell", "bison", "clang", "etc", "ghc", "git", "gnupg", "logrotate", "nvim", "postgresql",
                "qt", "r", "syslog-ng", "systemd", "valgrind", "weechat", "x11",
            ].map {
                .embedInCode("hints/\($0).hints")
            } + ["profile.sh", "config.fish", "environment.conf"].map { .embedInCode("host/\($0)") }
                + ["io.sxs.Store.varlink", "org.openSUSE.sysextmgr.varlink", "io.sxs.policy"].map {
                    .embedInCode("service/\($0)")
                },
            swiftSettings: settings),

        // 3: rooms, siblings that do not know each other.
        .target(
            name: "Images", dependencies: ["Files", "StoreLayout", "CArchive", "CSquashFS"],
            swiftSettings: settings, linkerSettings: archives),
        .target(name: "Relocation", dependencies: ["Files", "ELF", "StoreLayout"], swiftSettings: settings),
        .target(name: "Store", dependencies: ["Files", "StoreLayout", "CSQLite"], swiftSettings: settings),
        .target(
            name: "Activation", dependencies: ["Files", "StoreLayout", "CLinux"], swiftSettings: settings),
        .target(
            name: "Labels", dependencies: ["Files", "StoreLayout", "CSELinux"], swiftSettings: settings,
            // What the static archive of libselinux needs.
            linkerSettings: [.linkedLibrary("sepol"), .linkedLibrary("pcre2-8")]),
        .target(name: "Remotes", dependencies: ["Files", "StoreLayout", "CSodium"], swiftSettings: settings),
        .target(name: "Varlink", dependencies: ["Files"], swiftSettings: settings),

        .target(
            name: "Distributions", dependencies: ["Files", "StoreLayout", "CSolv"], swiftSettings: settings,
            // Static archives where Scripts/make-libraries has made them: Debian has shared libraries only.
            linkerSettings: archives + [
                .unsafeFlags(["-L\(Context.packageDirectory)/.build-libraries/lib"])
            ]),

        // 4: the verbs.
        .target(
            name: "Operations",
            dependencies: [
                "Files", "ELF", "StoreLayout", "Images", "Relocation", "Store", "Activation", "Labels",
                "Remotes", "Distributions", "YAML",
            ],
            swiftSettings: settings),

        .target(
            name: "Service", dependencies: ["Operations", "Varlink", "Files", "StoreLayout"],
            swiftSettings: settings),

        // 5: arguments in, text or JSON out.
        .executableTarget(
            name: "sxs",
            dependencies: [
                "Operations", "Service", "Files", "StoreLayout", "Images", "Activation", "Relocation",
                "Remotes",
                "CLauncher",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),

        // Tests.
        .executableTarget(
            name: "activation-probe", dependencies: ["Activation", "Files", "CLauncher"],
            path: "Tests/ActivationProbe", swiftSettings: settings),
        .executableTarget(
            name: "relocation-bench",
            dependencies: ["Files", "ELF", "StoreLayout", "Images", "Relocation", "Store"],
            path: "Tests/RelocationBench", swiftSettings: settings),
        .testTarget(name: "HouseTests"),
        .testTarget(name: "FilesTests", dependencies: ["Files"], swiftSettings: settings),
        .testTarget(
            name: "StoreLayoutTests", dependencies: ["StoreLayout", "Files"],
            swiftSettings: settings),
        .testTarget(name: "ELFTests", dependencies: ["ELF"], swiftSettings: settings),
        .testTarget(name: "YAMLTests", dependencies: ["YAML"], swiftSettings: settings),
        .testTarget(
            name: "ImagesTests", dependencies: ["Images", "Files", "StoreLayout"],
            swiftSettings: settings),
        .target(
            name: "FuzzChecks",
            dependencies: [
                "Relocation", "ELF", "Files", "StoreLayout", "Images", "Store", "Activation", "Operations",
                "Varlink", "Distributions",
            ],
            path: "Tests/FuzzChecks", swiftSettings: settings),
        .testTarget(
            name: "RelocationTests",
            dependencies: ["Relocation", "ELF", "Files", "FuzzChecks", "StoreLayout"],
            swiftSettings: settings),
        .testTarget(
            name: "ParserTests", dependencies: ["FuzzChecks", "Files"], swiftSettings: settings),
        .testTarget(
            name: "StoreTests", dependencies: ["Store", "Files", "StoreLayout"],
            swiftSettings: settings),
        .testTarget(
            name: "ActivationTests",
            dependencies: ["Activation", "Files", "StoreLayout", "CLauncher", "activation-probe"],
            swiftSettings: settings),
        .testTarget(
            name: "RemotesTests", dependencies: ["Remotes", "Files", "StoreLayout"], swiftSettings: settings),
        .testTarget(
            name: "ServiceTests",
            dependencies: ["Service", "Varlink", "Operations", "Files", "StoreLayout"],
            swiftSettings: settings),
        .testTarget(
            name: "DistributionsTests", dependencies: ["Distributions", "Files", "StoreLayout"],
            swiftSettings: settings),
        .testTarget(
            name: "CommandTests",
            dependencies: ["sxs", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: settings),
        .testTarget(
            name: "OperationsTests",
            dependencies: ["Operations", "Files", "Images", "Relocation", "Store", "StoreLayout"],
            swiftSettings: settings),
    ]
)

// libFuzzer brings its own main: only Scripts/fuzz asks for this target.
if Context.environment["SXS_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "sxs-fuzz", dependencies: ["FuzzChecks", "Files"], path: "Tests/Fuzz",
            exclude: ["launcher"],
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]))
}
