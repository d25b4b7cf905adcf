#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

int sxs_openat_beneath(int dirfd, const char *path, int flags, unsigned mode, int follow) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC);
    /* O_TMPFILE has the bit of O_DIRECTORY in it; a mode where nothing is made is refused. */
    how.mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (follow ? 0 : RESOLVE_NO_SYMLINKS);
    return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

const void *sxs_memmem(const void *large, size_t large_size, const void *small, size_t small_size) {
    return memmem(large, large_size, small, small_size);
}

int sxs_syncfs(int fd) { return syncfs(fd); }

int sxs_processor_count(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

void sxs_give_way_when_woken(void) {
    const struct sched_param parameters = {0};
    (void)sched_setscheduler(0, SCHED_BATCH, &parameters);
}

ssize_t sxs_fgetxattr(int fd, const char *name, void *value, size_t size) {
    return fgetxattr(fd, name, value, size);
}
ssize_t sxs_flistxattr(int fd, char *list, size_t size) { return flistxattr(fd, list, size); }
int sxs_fremovexattr(int fd, const char *name) { return fremovexattr(fd, name); }
int sxs_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    return fsetxattr(fd, name, value, size, flags);
}

/* Linux has calls for this since 6.13 only. The path through /proc leads to the open directory itself. */
static int entry_path(char *path, size_t size, int dirfd, const char *name) {
    int length = snprintf(path, size, "/proc/self/fd/%d/%s", dirfd, name);
    if (length > 0 && (size_t)length < size) return 0;
    errno = ENAMETOOLONG;
    return -1;
}

ssize_t sxs_getxattrat(int dirfd, const char *name, const char *attribute, void *value, size_t size) {
    char path[512];
    if (entry_path(path, sizeof path, dirfd, name) != 0) return -1;
    return lgetxattr(path, attribute, value, size);
}

int sxs_setxattrat(int dirfd, const char *name, const char *attribute, const void *value, size_t size) {
    char path[512];
    if (entry_path(path, sizeof path, dirfd, name) != 0) return -1;
    return lsetxattr(path, attribute, value, size, 0);
}

int sxs_rename_new(int from, const char *name, int to, const char *new_name) {
    return (int)syscall(SYS_renameat2, from, name, to, new_name, RENAME_NOREPLACE);
}

long sxs_getdents(int fd, void *buffer, unsigned long size) {
    return syscall(SYS_getdents64, fd, buffer, size);
}

long long sxs_file_system_kind(int fd) {
    struct statfs status;
    return fstatfs(fd, &status) < 0 ? -1 : (long long)(unsigned)status.f_type;
}

int sxs_exchange(int from, const char *name, int to, const char *other) {
    return (int)syscall(SYS_renameat2, from, name, to, other, RENAME_EXCHANGE);
}

/* In a process of its own: a mount namespace that is left again forgets the root directory of chroot(2). The
   directory stays open after that process and its namespace are gone. */
int sxs_open_covered(const char *path) {
    int answer[2], hold[2], message[2] = {-1, 0}, result = -1;
    if (pipe2(answer, O_CLOEXEC) != 0) return -1;
    if (pipe2(hold, O_CLOEXEC) != 0) {
        close(answer[0]);
        close(answer[1]);
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(hold[1]);
        if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
            && umount2(path, MNT_DETACH) == 0)
            message[0] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        message[1] = errno;
        if (write(answer[1], message, sizeof message) == (ssize_t)sizeof message)
            while (read(hold[0], &byte, 1) < 0 && errno == EINTR) {}
        _exit(0);
    }
    int error = errno;
    close(answer[1]);
    close(hold[0]);
    if (child > 0) {
        ssize_t got;
        do got = read(answer[0], message, sizeof message);
        while (got < 0 && errno == EINTR);
        error = got == (ssize_t)sizeof message ? message[1] : EIO;
        if (got == (ssize_t)sizeof message && message[0] >= 0) {
            char link[64];
            snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)child, message[0]);
            result = open(link, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            error = errno;
        }
    }
    close(answer[0]);
    close(hold[1]);
    if (child > 0)
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    if (result < 0) errno = error;
    return result;
}

ssize_t sxs_copy_file_range(int fd_in, int fd_out, size_t length) {
    return copy_file_range(fd_in, NULL, fd_out, NULL, length, 0);
}

int sxs_unshare(int flags) { return unshare(flags); }
int sxs_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) {
    return mount(source, target, type, flags, data);
}

unsigned long sxs_mount_flags(int fd) {
    struct statvfs status;
    if (fstatvfs(fd, &status) != 0) return 0;
    return (status.f_flag & ST_NOSUID ? SXS_MS_NOSUID : 0) | (status.f_flag & ST_NODEV ? SXS_MS_NODEV : 0)
        | (status.f_flag & ST_NOEXEC ? SXS_MS_NOEXEC : 0);
}

/* statmount(2), which the headers of Debian 12 do not have yet. */
#ifndef SYS_statmount
#define SYS_statmount 457
#endif

int sxs_mount_is_shared(const char *path) {
    enum { MNT_ID_UNIQUE = 0x4000, MNT_BASIC = 2 };
    struct { uint32_t size, spare; uint64_t mount, mask; } request = {24, 0, 0, MNT_BASIC};
    struct {
        uint32_t size, spare;
        uint64_t mask;
        uint32_t device_major, device_minor;
        uint64_t magic;
        uint32_t super_flags, type;
        uint64_t mount, parent;
        uint32_t old_mount, old_parent;
        uint64_t attributes, propagation, rest[64];
    } result;
    struct statx status;
    if (statx(AT_FDCWD, path, 0, MNT_ID_UNIQUE, &status) != 0) return -1;
    if (!(status.stx_mask & MNT_ID_UNIQUE)) {
        errno = ENOSYS;
        return -1;
    }
    request.mount = status.stx_mnt_id;
    memset(&result, 0, sizeof result);
    if (syscall(SYS_statmount, &request, &result, sizeof result, 0) != 0) return -1;
    if (!(result.mask & MNT_BASIC)) {
        errno = ENOSYS;
        return -1;
    }
    return (result.propagation & MS_SHARED) != 0;
}

static char *no_arguments[] = {NULL};
static char **arguments = no_arguments;

/* glibc gives constructors what main gets. */
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
    (void)count;
    if (values) arguments = values;
}

char **sxs_argv(void) { return arguments; }

char **sxs_environ(void) { return environ; }

const char *sxs_execfn(void) { return (const char *)getauxval(AT_EXECFN); }

int sxs_terminal_width(int fd) {
    struct winsize size;
    if (!isatty(fd)) return 0;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

void sxs_set_errno(int value) { errno = value; }

int sxs_prctl(int option, unsigned long argument) { return prctl(option, argument, 0, 0, 0); }
