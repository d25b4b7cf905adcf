/* What StoreView.enter of Activation does in the plain case, mount for mount: one root, whose store the host does not
   show, nothing mounted below /usr, and nothing else to show. What is changed in one is changed in the other, and
   ViewWaysTests compares them. See CLauncher.c for how this runs, and decision 0036 for why it does. */
#define _GNU_SOURCE
#include "CView.h"

#include "CLauncher.h"

#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>

#include "CBare.h"

static int refusal;

int sxs_launch_refusal(void) { return refusal; }

enum { longest_identity = 256 };

/* Reads the start of a file, as much as there is room for; a negative error number where that fails. */
static long read_start(const char *path, char *bytes, long room) {
    long number = open_file(path, 0);
    if (number < 0) return number;
    long length = read_file(number, bytes, room);
    close_file(number);
    return length;
}

/* Whether the first line of a text is a machine ID: see MachineIdentity. */
static int is_identity(const char *text, long length) {
    enum { digits = 32 };
    int is_null = 1;
    if (length < digits || (length > digits && text[digits] != '\n')) return 0;
    for (long at = 0; at < digits; at++) {
        char byte = text[at];
        if ((byte < '0' || byte > '9') && (byte < 'a' || byte > 'f')) return 0;
        if (byte != '0') is_null = 0;
    }
    return !is_null;
}

/* Whether it is noted in the root, since the kernel was started, that this host runs programs of it; also where there
   is nothing to be noted, on a host without a machine ID. To note it is HostPresence's. */
static int is_announced(const char *root, size_t length) {
    char identity[longest_identity + 1], boot[longest_identity + 1], known[longest_identity + 1];
    char path[PATH_MAX], expected[longest_identity + 1];
    struct text file, text;
    int is_there = 0;
    for (int is_old = 0; is_old < 2 && !is_there; is_old++) {
        const char *name = is_old ? SXS_OLD_MACHINE_IDENTITY : SXS_MACHINE_IDENTITY;
        long count = read_start(name, identity, sizeof identity);
        if (count == -ENOENT) continue;
        if (count < 0 || count > longest_identity) return 0;
        is_there = is_identity(identity, count);
    }
    if (!is_there) return 1;
    long count = read_start(SXS_BOOT_IDENTITY, boot, sizeof boot), line = 0;
    if (count <= 0 || count > longest_identity) return 0;
    while (line < count && boot[line] > 0x20 && boot[line] < 0x7f) line++;
    begin(&text, expected, sizeof expected);
    append_string(&text, SXS_HOST_HEADING "\nboot ");
    append(&text, boot, (size_t)line);
    append_string(&text, "\n");
    begin(&file, path, sizeof path);
    append(&file, root, length);
    append_string(&file, "/" SXS_HOSTS "/");
    append(&file, identity, 32);
    if (line == 0 || text.is_full || file.is_full) return 0;
    long start = read_start(path, known, (long)text.length);
    return start == (long)text.length && is_equal(known, (size_t)start, expected);
}

/* Whether nothing is mounted below /usr, which an overlay would hide. */
static int is_without_mounts(void) {
    static const char below[] = SXS_HOST_DIRECTORY "/";
    char bytes[4096];
    long count, file = open_file("/proc/self/mountinfo", 0);
    if (file < 0) return 0;
    int is_found = 0, field = 0, is_alike = 1;
    size_t alike = 0;
    while (!is_found && (count = call(SYS_read, file, (long)bytes, sizeof bytes, 0, 0)) > 0)
        for (long at = 0; at < count && !is_found; at++) {
            char byte = bytes[at];
            if (byte == '\n' || byte == ' ') {
                field = byte == ' ' ? field + 1 : 0;
                alike = 0;
                is_alike = 1;
            } else if (field == 4 && is_alike) {
                /* The mount's path; what is escaped in it is no part of this beginning. */
                is_alike = byte == below[alike++];
                is_found = is_alike && !below[alike];
            }
        }
    close_file(file);
    return !is_found && count == 0;
}

static int is_directory(const char *path, int flags) {
    struct stat status;
    return status_of(path, &status, flags) == 0 && S_ISDIR(status.st_mode);
}

/* A path in the root; an empty one where it is too long. */
static const char *inner(char path[PATH_MAX], const char *root, size_t length, const char *name) {
    struct text whole;
    begin(&whole, path, PATH_MAX);
    append(&whole, root, length);
    append_string(&whole, "/");
    append_string(&whole, name);
    if (whole.is_full) path[0] = 0;
    return path;
}

/* Whether the view is of this root alone: there is no other system store. */
static int is_alone(const char *root, size_t length) {
    char path[PATH_MAX];
    struct stat own, other;
    if (status_of(inner(path, root, length, SXS_STORE), &own, 0) != 0 || !S_ISDIR(own.st_mode)) return 0;
    if (!is_directory(inner(path, root, length, SXS_ALIASES), 0)) return 0;
    return status_of(SXS_SYSTEM_ROOT "/" SXS_STORE, &other, 0) != 0
        || (other.st_dev == own.st_dev && other.st_ino == own.st_ino);
}

/* Whether all is as this file knows it. Nothing is changed yet. */
static int is_plain(const char *directory, size_t root) {
    char path[PATH_MAX];
    /* The root is what the text says: neither of the two directories below it is a link. */
    return is_directory(directory, AT_SYMLINK_NOFOLLOW)
        && is_directory(inner(path, directory, root, SXS_SHIMS), AT_SYMLINK_NOFOLLOW)
        && is_directory(SXS_HOST_DIRECTORY, AT_SYMLINK_NOFOLLOW) && is_alone(directory, root)
        && is_announced(directory, root) && is_without_mounts();
}

/* Writes a file of /proc whole; an error number. */
static long write_file(const char *path, const struct text *text) {
    long number = call(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0, 0);
    if (number == -EACCES) {
        /* A program file that its user may not read makes the process undumpable, its /proc files root's. */
        call(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
        number = call(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0, 0);
    }
    if (number < 0) return -number;
    long count = call(SYS_write, number, (long)text->bytes, (long)text->length, 0, 0);
    close_file(number);
    if (count < 0) return -count;
    return count == (long)text->length ? 0 : EIO;
}

static void append_number(struct text *text, unsigned long number) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    append(text, digits + at, sizeof digits - at);
}

/* Lets one number of users or groups in the namespace stand for the same outside; an error number. */
static long map_itself(const char *path, unsigned number) {
    char bytes[64];
    struct text text;
    begin(&text, bytes, sizeof bytes);
    append_number(&text, number);
    append_string(&text, " ");
    append_number(&text, number);
    append_string(&text, " 1");
    return write_file(path, &text);
}

/* Moves this process into a mount namespace of its own, whose mounts nobody else sees: PrivateNamespace.enter. */
static int enter_namespace(void) {
    if (call(SYS_unshare, CLONE_NEWNS, 0, 0, 0, 0) == 0)
        return call(SYS_mount, (long)"none", (long)"/", 0, MS_REC | MS_SLAVE, 0) == 0;
    /* Here the kernel itself makes every mount a slave of the host's: another user owns the namespace. */
    unsigned user = (unsigned)call(SYS_geteuid, 0, 0, 0, 0, 0);
    unsigned group = (unsigned)call(SYS_getegid, 0, 0, 0, 0, 0);
    if (call(SYS_faccessat, AT_FDCWD, (long)"/proc/self/uid_map", F_OK, 0, 0) != 0) return 0;
    if (call(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS, 0, 0, 0, 0) != 0) return 0;
    /* From here on the process is nobody until its numbers are known, and cannot go back. */
    char word[8];
    struct text deny;
    begin(&deny, word, sizeof word);
    append_string(&deny, "deny");
    long code = write_file("/proc/self/setgroups", &deny);
    /* Kernels before 3.19 have no such file and no such rule. */
    if (code == 0 || code == ENOENT) code = map_itself("/proc/self/uid_map", user);
    if (code == 0) code = map_itself("/proc/self/gid_map", group);
    if (code != 0) refusal = (int)code;
    return code == 0;
}

/* A directory as a place only, which needs no permission to read it. */
static long open_place(const char *path) {
    return call(SYS_openat, AT_FDCWD, (long)path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0);
}

static int change_to(long place) { return call(SYS_fchdir, place, 0, 0, 0, 0) == 0; }

static int mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
    return call(SYS_mount, (long)source, (long)target, (long)type, (long)flags, (long)data) == 0;
}

static int make_directory(const char *path) {
    return call(SYS_mkdirat, AT_FDCWD, (long)path, 0755, 0, 0) == 0;
}

/* The flags of the mount that a place is on, which a view of it must keep; 0 if that cannot be told. */
static unsigned long flags_of(long place) {
    struct statfs status;
    enum { kept = MS_NOSUID | MS_NODEV | MS_NOEXEC };
    return call(SYS_fstatfs, place, (long)&status, 0, 0, 0) == 0 ? (unsigned long)status.f_flags & kept : 0;
}

/* Shows a place, with all that is mounted in it, on a directory too, read-only. That it cannot be written to protects
   from accidents only: the files have their permissions. */
static int bind(long place, const char *target) {
    if (!change_to(place) || !mount_at(".", target, NULL, MS_BIND | MS_REC, NULL)) return 0;
    mount_at(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | flags_of(place), NULL);
    return 1;
}

#define LAYER SXS_HOST_DIRECTORY "/layer"

/* Covers /usr with a layer, both with an overlay of them, and shows the store and the aliases there. Counts what it
   mounts on /usr. */
static int cover(long host, long store, long aliases, int *mounts) {
    enum { within = sizeof SXS_HOST_DIRECTORY - 1 };
    char path[sizeof LAYER + 32];
    struct text made;
    if (!mount_at("tmpfs", SXS_HOST_DIRECTORY, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")) return 0;
    *mounts += 1;
    begin(&made, path, sizeof path);
    append_string(&made, LAYER);
    if (!make_directory(path)) return 0;
    append_string(&made, &SXS_STORE_DIRECTORY[within]);
    if (!make_directory(path)) return 0;
    made.length = sizeof LAYER - 1;
    append_string(&made, &SXS_ALIAS_DIRECTORY[within]);
    if (!make_directory(path) || !change_to(host)) return 0;
    unsigned long flags = MS_RDONLY | flags_of(host);
    if (!mount_at("overlay", SXS_HOST_DIRECTORY, "overlay", flags, "lowerdir=" LAYER ":.")) return 0;
    *mounts += 1;
    return bind(store, SXS_STORE_DIRECTORY) && bind(aliases, SXS_ALIAS_DIRECTORY);
}

/* Changes to a directory by its name, since the old one may be covered; without a name, to the old one. */
static int change_back(const char *name, long place) {
    return (name[0] == '/' && call(SYS_chdir, (long)name, 0, 0, 0, 0) == 0) || change_to(place);
}

/* The view, in a namespace that was entered; 0 with what was there before. */
static int show(const char *root, size_t length, const char *working, long place) {
    char path[PATH_MAX];
    /* Opened before they can be covered: a root may lie below /usr, or be named from where the process is. */
    long store = open_place(inner(path, root, length, SXS_STORE));
    long aliases = open_place(inner(path, root, length, SXS_ALIASES));
    long host = open_place(SXS_HOST_DIRECTORY);
    int mounts = 0, is_done = 0;
    if (store >= 0 && aliases >= 0 && host >= 0) {
        long mask = call(SYS_umask, 0, 0, 0, 0, 0);
        is_done = cover(host, store, aliases, &mounts) && change_back(working, place);
        if (!is_done) {
            while (mounts-- > 0) call(SYS_umount2, (long)SXS_HOST_DIRECTORY, MNT_DETACH, 0, 0, 0);
            change_back(working, place);
        }
        call(SYS_umask, mask, 0, 0, 0, 0);
    }
    if (host >= 0) close_file(host);
    if (aliases >= 0) close_file(aliases);
    if (store >= 0) close_file(store);
    return is_done;
}

int sxs_show_store(const char *directory, size_t root) {
    char working[PATH_MAX];
    if (!is_plain(directory, root)) return 0;
    /* What cannot be reached from the root begins otherwise than with a slash. */
    if (call(SYS_getcwd, (long)working, sizeof working, 0, 0, 0) <= 0) working[0] = 0;
    if (!enter_namespace()) return 0;
    /* Only now: what is opened before belongs to the host's namespace and cannot be mounted in this one. */
    long place = open_place(".");
    if (place < 0) return 0;
    int is_done = change_to(place) && show(directory, root, working, place);
    close_file(place);
    return is_done;
}

#pragma clang attribute pop
