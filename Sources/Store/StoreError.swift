public import Files
private import Glibc

/// Why a store refuses, or an image cannot be taken into one.
public enum StoreError: Error, Equatable, CustomStringConvertible {
    /// There is no store in the directory.
    case noStore(path: String)
    /// The directory is something else than a store.
    case notAStore(path: String)
    /// The store was made by a newer program.
    case newerFormat(path: String, version: Int)
    /// The store's index is missing or cannot be used.
    case noIndex(path: String)
    /// The store was opened for reading only.
    case readOnly(path: String)
    /// The store is on a file system that is mounted read-only.
    case readOnlyMount(path: String)
    /// The store belongs to another user.
    case foreignStore(path: String, owner: Int)
    /// Others can write to the store's root.
    case openStore(path: String, mode: Int)
    /// A directory that cannot be a base of a store, and why.
    case badBase(path: String, reason: String)
    /// A store that is no base of this one.
    case unknownBase(String, store: String)
    /// A base that store paths are taken from.
    case baseInUse(String, packages: [String])
    /// A store path whose tree is in a base that has it no more.
    case lostTree(baseName: String, place: String, source: String)
    /// A path of an image goes through a link that leaves the image.
    case escapes(TreePath, by: TreePath)
    /// A path of an image goes through a file.
    case throughFile(TreePath, file: TreePath)
    /// Links that lead in a circle.
    case circularLinks(TreePath)
    /// Paths that lead through links to more directories than can be looked up.
    case tooManyLinks(TreePath)
    /// A hard link to something that is no file.
    case badHardLink(TreePath, target: TreePath)
    /// A root that is no directory.
    case rootIsNoDirectory
    /// A link target that no file system can hold.
    case badLinkTarget(TreePath)
    /// An extended attribute that no file system can hold.
    case badAttribute(TreePath)
    /// More entries than a tree may have.
    case tooManyEntries(limit: Int)
    /// More bytes than a tree may have.
    case tooLarge(TreePath, limit: Int)
    /// Entries of an image in an order that makes no sense.
    case entryOrder(String)
    /// An alias that another store path has.
    case aliasClash(name: String, owner: String)
    /// Less space is free than is to stay free.
    case tooLittleSpace(path: String, free: Int, wanted: Int)
    /// An image is larger than what is free.
    case noRoom(image: String, size: Int, path: String, free: Int)
    /// A generation is active, which may be undone by a loss of power, and the one before cannot be activated again.
    case cannotSwitchBack(profile: String, number: Int, reason: String, second: String)
    /// A generation that is active cannot be deleted.
    case generationIsActive(profile: String, number: Int)
    /// A name or path in metadata that is not allowed.
    case invalidExposure(package: String, what: String)
    /// Two packages show the same path.
    case collision(path: String, owners: [String])
    /// A store path that is not registered.
    case unknownPackage(String)
    /// A generation that does not exist.
    case unknownGeneration(profile: String, number: Int)
    /// A description of a generation or package that cannot be read.
    case damagedDescription(path: String, reason: String)

    /// The sentence, and a hint in a line of its own.
    public var description: String {
        let (sentence, hint) = text
        return sentence + "\nhint: " + hint
    }

    private static func user(_ number: Int) -> String { number == 0 ? "root" : "user \(number)" }

    /// Whether an entry of an image is what is wrong, so that the image has to be named.
    public var isAboutImage: Bool {
        switch self {
        case .escapes, .throughFile, .circularLinks, .tooManyLinks, .badHardLink, .rootIsNoDirectory,
            .badLinkTarget, .badAttribute, .tooManyEntries, .tooLarge, .entryOrder:
            true
        default: false
        }
    }

    private static let hostile = "the image is broken or hostile; do not use it"

    private var text: (String, String) {
        switch self {
        case .noStore(let path):
            ("there is no store at \(path)", "it is made by the first 'sxs install'; another one: --root DIR")
        case .notAStore(let path):
            ("\(path) is no store, and not empty", "choose an empty or new directory with --root DIR")
        case .newerFormat(let path, let version):
            (
                "the store at \(path) has format \(version), made by a newer sxs",
                "use that sxs, or another store with --root DIR"
            )
        case .noIndex(let path):
            (
                "the store at \(path) has no index",
                "'sxs index rebuild' makes it anew from the files; run it as its owner"
            )
        case .readOnly(let path):
            ("the store at \(path) is open for reading only", "run as the owner of the store")
        case .readOnlyMount(let path):
            (
                "the store at \(path) is on a file system that is mounted read-only: nothing in it can be changed",
                "layer a store of your own over it: 'sxs base add \(path) --root DIR', then 'sxs install … --root DIR'"
            )
        case .foreignStore(let path, let owner):
            (
                "the store at \(path) belongs to \(Self.user(owner)): you may read it and run what is in it, but not change it",
                geteuid() == 0
                    ? "run as its owner: setpriv --reuid \(owner) --regid … --clear-groups sxs …, or sudo -u '#\(owner)' sxs …"
                    : "layer a store of your own over it: 'sxs base add \(path) --root DIR', then 'sxs install … --root DIR'"
            )
        case .openStore(let path, let mode):
            (
                "others than its owner can write to the store at \(path) (mode 0\(String(mode, radix: 8)))",
                "chmod 755 \(path), after a look at what is in it, or choose another directory with --root DIR"
            )
        case .badBase(let path, let reason):
            ("\(path) cannot be a base of this store: \(reason)", "name the root of another store")
        case .unknownBase(let path, let store):
            ("\(path) is no base of the store at \(store)", "see 'sxs base list'")
        case .baseInUse(let path, let packages):
            (
                "\(path) is still needed for \(packages.prefix(5).joined(separator: ", "))"
                    + (packages.count > 5 ? " and \(packages.count - 5) more" : ""),
                "remove what needs them: 'sxs remove', 'sxs generations delete', 'sxs gc'"
            )
        case .lostTree(let baseName, let place, let source):
            (
                "\(baseName) is in another store, and \(place) is not there",
                "mount that store again, or bring the package into this one: sxs import \(source)"
            )
        case .escapes(let path, let link):
            ("'\(path)' goes through the link '\(link)', which leaves the image's tree", Self.hostile)
        case .throughFile(let path, let file):
            ("'\(path)' goes through '\(file)', which is no directory", Self.hostile)
        case .circularLinks(let path):
            ("'\(path)' goes through links that lead in a circle", Self.hostile)
        case .tooManyLinks(let path):
            ("'\(path)' and others go through links to millions of directories", Self.hostile)
        case .badHardLink(let path, let target):
            ("'\(path)' is a hard link to '\(target)', which is no file that came before it", Self.hostile)
        case .rootIsNoDirectory:
            ("the image's root is no directory", Self.hostile)
        case .badLinkTarget(let path):
            ("the link '\(path)' has an empty target, or one that no file system can hold", Self.hostile)
        case .badAttribute(let path):
            ("'\(path)' has an extended attribute that no file system can hold", Self.hostile)
        case .tooManyEntries(let limit):
            ("the image has more than \(limit) entries", "import a smaller image")
        case .tooLarge(let path, let limit):
            ("'\(path)' makes the image larger than \(limit) bytes", "import a smaller image")
        case .entryOrder(let reason):
            ("the image's entries make no sense: \(reason)", Self.hostile)
        case .aliasClash(let name, let owner):
            ("the alias \(name) is taken by \(owner)", "import the image again with the next alias salt")
        case .tooLittleSpace(let path, let free, let wanted):
            (
                "the file system of \(path) has \(free) bytes free, fewer than the \(wanted) that are to stay free",
                "free some with 'sxs gc', or give a smaller --min-free; what was active still is"
            )
        case .noRoom(let image, let size, let path, let free):
            (
                "\(image) has \(size) bytes or more, and the file system of \(path) has \(free) to spare",
                "free some with 'sxs gc', or choose another file system with --root DIR; what was active still is"
            )
        case .cannotSwitchBack(let profile, let number, let reason, let second):
            (
                """
                generation \(number) of profile \(profile) is active, but may not be after a loss of power: \(reason); \
                and it cannot be undone: \(second)
                """,
                "look at the kernel's messages with 'dmesg', or free some space, perhaps with 'sxs gc', and try again"
            )
        case .generationIsActive(let profile, let number):
            (
                "generation \(number) of profile \(profile) is active",
                "activate another one with 'sxs rollback' or 'sxs switch', and delete it then"
            )
        case .invalidExposure(let package, let what):
            (
                "\(package) cannot show '\(what)': not a name or path that is allowed",
                "choose others with --expose"
            )
        case .collision(let path, let owners):
            (
                "'\(path)' is in " + owners.joined(separator: " and in "),
                "choose one of them with --prefer NAME"
            )
        case .unknownPackage(let name):
            ("\(name) is not in the store", "see 'sxs list'; import it with 'sxs import'")
        case .unknownGeneration(let profile, let number):
            ("profile \(profile) has no generation \(number)", "see 'sxs generations --profile \(profile)'")
        case .damagedDescription(let path, let reason):
            ("\(path) cannot be read: \(reason)", "the store is damaged; see 'sxs doctor --fsck'")
        }
    }
}
