/// The index's schema: what turns an empty database into the current one, step by step.
///
/// The index can be rebuilt from `manifests` and `profiles`.
public enum Schema {
    /// A step that is never edited once released; `PRAGMA user_version` counts the steps done.
    public struct Migration: Sendable {
        /// What is done before a step's statements.
        public enum Preparation: Sendable {
            /// The rows of the table `remote` are written into files of their own, which are on the disk before the
            /// table goes.
            case remotesToFiles
        }

        /// What the step is for.
        public let name: String
        /// What comes before its statements.
        public var preparation: Preparation?
        /// Its statements.
        public let sql: String
    }

    /// The version of an index with all migrations.
    public static var version: Int { migrations.count }

    /// All migrations, oldest first.
    public static let migrations: [Migration] = [
        Migration(
            name: "packages, aliases, profiles, remotes",
            sql: """
                CREATE TABLE package (
                    id INTEGER PRIMARY KEY,
                    base_name TEXT NOT NULL UNIQUE,
                    name TEXT NOT NULL,
                    version TEXT NOT NULL,
                    architecture TEXT NOT NULL,
                    tree TEXT NOT NULL,
                    listing TEXT NOT NULL,
                    alias_salt INTEGER NOT NULL,
                    size INTEGER NOT NULL,
                    file_count INTEGER NOT NULL,
                    source TEXT NOT NULL,
                    source_digest TEXT,
                    summary TEXT,
                    registered INTEGER NOT NULL
                ) STRICT;
                CREATE INDEX package_by_name ON package (name);
                CREATE TABLE alias (
                    name TEXT PRIMARY KEY,
                    package INTEGER NOT NULL REFERENCES package (id) ON DELETE CASCADE,
                    target TEXT NOT NULL
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX alias_by_package ON alias (package);
                CREATE TABLE source (
                    digest TEXT NOT NULL,
                    name TEXT NOT NULL,
                    version TEXT NOT NULL,
                    architecture TEXT NOT NULL,
                    package INTEGER NOT NULL REFERENCES package (id) ON DELETE CASCADE,
                    PRIMARY KEY (digest, name, version, architecture)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX source_by_package ON source (package);
                CREATE TABLE generation (
                    profile TEXT NOT NULL,
                    number INTEGER NOT NULL,
                    parent INTEGER,
                    created INTEGER NOT NULL,
                    command TEXT NOT NULL,
                    PRIMARY KEY (profile, number)
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE generation_package (
                    profile TEXT NOT NULL,
                    number INTEGER NOT NULL,
                    position INTEGER NOT NULL,
                    base_name TEXT NOT NULL,
                    PRIMARY KEY (profile, number, position),
                    FOREIGN KEY (profile, number) REFERENCES generation (profile, number) ON DELETE CASCADE
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX generation_package_by_name ON generation_package (base_name);
                CREATE TABLE remote (
                    name TEXT PRIMARY KEY,
                    kind TEXT NOT NULL,
                    location TEXT NOT NULL
                ) STRICT, WITHOUT ROWID;
                """),
        Migration(
            name: "sources by hints; those noted before are read again",
            sql: """
                DROP TABLE source;
                CREATE TABLE source (
                    digest TEXT NOT NULL,
                    name TEXT NOT NULL,
                    version TEXT NOT NULL,
                    architecture TEXT NOT NULL,
                    hints TEXT NOT NULL,
                    package INTEGER NOT NULL REFERENCES package (id) ON DELETE CASCADE,
                    PRIMARY KEY (digest, name, version, architecture, hints)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX source_by_package ON source (package);
                """),
        Migration(
            name:
                "objects of packages; those of packages from before are noted by the next garbage collection",
            sql: """
                CREATE TABLE package_objects (
                    package INTEGER PRIMARY KEY REFERENCES package (id) ON DELETE CASCADE,
                    objects BLOB NOT NULL
                ) STRICT;
                """),
        Migration(
            name: "deleted generations whose directories may still be there",
            sql: """
                CREATE TABLE deleted_generation (
                    profile TEXT NOT NULL,
                    number INTEGER NOT NULL,
                    PRIMARY KEY (profile, number)
                ) STRICT, WITHOUT ROWID;
                """),
        Migration(
            name: "packages whose registration is in no file yet: the next writer makes it",
            sql: """
                CREATE TABLE unfiled (
                    package INTEGER PRIMARY KEY REFERENCES package (id) ON DELETE CASCADE
                ) STRICT;
                INSERT INTO unfiled SELECT id FROM package;
                """),
        Migration(
            name: "remotes are files", preparation: .remotesToFiles,
            sql: "DROP TABLE IF EXISTS remote;"),
        Migration(
            name: "objects of packages as what has changed since an earlier version",
            sql: """
                CREATE TABLE package_changes (
                    package INTEGER PRIMARY KEY REFERENCES package (id) ON DELETE CASCADE,
                    base INTEGER NOT NULL REFERENCES package_objects (package) ON DELETE CASCADE,
                    removed BLOB NOT NULL,
                    added BLOB NOT NULL
                ) STRICT;
                CREATE INDEX package_changes_by_base ON package_changes (base);
                """),
        Migration(
            name:
                "where images were; manifests may have no source listing, and registrations beside metadata",
            sql: "ALTER TABLE package ADD COLUMN location TEXT;"),
        Migration(
            name: "the packages of a generation in one row; which of them caches for desktops are made from",
            sql: """
                CREATE TABLE generation_list (
                    profile TEXT NOT NULL,
                    number INTEGER NOT NULL,
                    base_names TEXT NOT NULL,
                    cache_sources TEXT,
                    PRIMARY KEY (profile, number),
                    FOREIGN KEY (profile, number) REFERENCES generation (profile, number) ON DELETE CASCADE
                ) STRICT;
                DROP INDEX generation_package_by_name;
                INSERT INTO generation_list (profile, number, base_names)
                SELECT profile, number, json_group_array(base_name)
                FROM (SELECT * FROM generation_package ORDER BY profile, number, position)
                GROUP BY profile, number;
                DROP TABLE generation_package;
                CREATE VIEW generation_package AS
                SELECT profile, number, key AS position, value AS base_name
                FROM generation_list CROSS JOIN json_each(base_names);
                """),
        // Nothing of the index: programs from before would switch to one that has no commands.
        Migration(name: "generations may be stubs, which have links only while they are wanted", sql: ""),
        // Nothing of the index, either: programs from before would look for contents where they no longer are.
        Migration(name: "contents are found by a table, and have no names of their own", sql: ""),
    ]
}
