private import Glibc

/// How many files this program may have open at the same time.
public enum OpenFiles {
    /// What is open besides those that are counted.
    private static let others: rlim_t = 256

    /// Sees to it that so many files can be open, as far as the system lets.
    ///
    /// The usual limit of 1024 is for programs that call select(2), which this one does not.
    public static func allow(_ count: Int) {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limits = rlimit()
        guard getrlimit(resource, &limits) == 0, limits.rlim_cur < rlim_t(count) + others else { return }
        limits.rlim_cur = min(rlim_t(count) + others, limits.rlim_max)
        // Where that is not enough, opening one says so.
        setrlimit(resource, &limits)
    }
}
