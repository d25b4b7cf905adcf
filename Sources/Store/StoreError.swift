public import Files

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
    /// A path of an image goes through a link that leaves the image.
    case escapes(TreePath, by: TreePath)
    /// A path of an image goes through a file.
    case throughFile(TreePath, file: TreePath)
    /// Links that lead in a circle.
    case circularLinks(TreePath)
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
    /// A remote of that name is there already.
    case remoteExists(String)
    /// There is no such remote.
    case unknownRemote(String)

    /// The sentence, and a hint in a line of its own.
    public var description: String {
        let (sentence, hint) = text
        return sentence + "\nhint: " + hint
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
                "'sxs import' or 'sxs install' makes it anew; run one as its owner"
            )
        case .readOnly(let path):
            ("the store at \(path) is open for reading only", "run as the owner of the store")
        case .escapes(let path, let link):
            ("'\(path)' goes through the link '\(link)', which leaves the image's tree", Self.hostile)
        case .throughFile(let path, let file):
            ("'\(path)' goes through '\(file)', which is no directory", Self.hostile)
        case .circularLinks(let path):
            ("'\(path)' goes through links that lead in a circle", Self.hostile)
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
            ("\(path) cannot be read: \(reason)", "the store is damaged; see 'sxs verify'")
        case .remoteExists(let name):
            (
                "there is a remote named \(name) already",
                "remove it with 'sxs remote remove \(name)', or choose another name"
            )
        case .unknownRemote(let name):
            ("there is no remote named \(name)", "see 'sxs remote list'")
        }
    }
}
