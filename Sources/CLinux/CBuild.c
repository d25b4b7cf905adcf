#define _GNU_SOURCE
#include "CBuild.h"

#include "CLinux.h"
#include "CMessage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Nobody, whoever runs sxs: executing a program as somebody else than root
   takes all capabilities away. */
enum { NOBODY = 65534 };

enum { OPEN_FILES = 256, PROCESSES = 256 };

static int write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t written = write(file, text, strlen(text));
    int code = errno;
    close(file);
    errno = code;
    return written == (ssize_t)strlen(text) ? 0 : -1;
}

/* Namespaces of its own. *is_mapped: whether users are, too. */
static int enter_namespaces(int *is_mapped, int as_root) {
    enum { OTHERS = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID };
    char user[64], group[64];
    snprintf(user, sizeof user, "%d %u 1", as_root ? 0 : NOBODY, geteuid());
    snprintf(group, sizeof group, "%d %u 1", as_root ? 0 : NOBODY, getegid());
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    *is_mapped = unshare(CLONE_NEWUSER | OTHERS) == 0;
    if (*is_mapped) {
        if (write_file("/proc/self/setgroups", "deny") != 0 && errno != ENOENT) return -1;
        if (write_file("/proc/self/uid_map", user) != 0) return -1;
        if (write_file("/proc/self/gid_map", group) != 0) return -1;
        /* Every mount is a slave of the host's already, where a chroot has no mount to say it of. */
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
        return 0;
    }
    /* Root can do without, where user namespaces are forbidden or the root is another (chroot(2)); but not where the
       program would be the host's root. */
    if (as_root || geteuid() != 0 || unshare(OTHERS) != 0) return -1;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int cover(const char *source, const char *target, unsigned long more) {
    struct statvfs status;
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) != 0) return -1;
    if (statvfs(target, &status) != 0) return -1;
    /* What the host forbids there stays forbidden, and a program must be allowed to run. */
    unsigned long flags = (status.f_flag & ST_NOSUID ? MS_NOSUID : 0) | (status.f_flag & ST_NODEV ? MS_NODEV : 0)
        | (status.f_flag & ST_NOEXEC ? MS_NOEXEC : 0);
    return mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | flags | more, NULL);
}

static int cover_read_only(const char *source, const char *target) { return cover(source, target, MS_RDONLY); }

static int bind_read_only(const char *source, const char *target) {
    return mkdir(target, 0755) == 0 ? cover_read_only(source, target) : -1;
}

/* In the output, links to what is in the input, an absolute path: some builders write beside it. */
static int link_input(const char *place) {
    char target[PATH_MAX];
    int output = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *input = opendir(place + 1);
    int result = input && output >= 0 ? 0 : -1;
    while (result == 0) {
        errno = 0;
        struct dirent *entry = readdir(input);
        if (!entry) {
            if (errno) result = -1;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        int length = snprintf(target, sizeof target, "%s/%s", place, entry->d_name);
        result = length < (int)sizeof target ? symlinkat(target, output, entry->d_name) : -1;
    }
    int code = errno;
    if (input) closedir(input);
    if (output >= 0) close(output);
    errno = code;
    return result;
}

enum { FLAGS = MS_NOSUID | MS_NODEV };

/* The output of the program, and the place as its root, entered. Returns the output. */
static int enter_place(const struct sxs_build *build, int is_mapped, const char *input) {
    char options[96];
    snprintf(options, sizeof options, "mode=0755,size=%zu,nr_inodes=65536", build->output_limit);
    if (mount("tmpfs", "out", "tmpfs", FLAGS | MS_NOEXEC, options) != 0) return -1;
    if (!is_mapped && chown("out", NOBODY, NOBODY) != 0) return -1;
    if (*input && link_input(input) != 0) return -1;
    int output = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (output < 0) return -1;
    if (!build->closure && mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | FLAGS, NULL) != 0) return -1;
    if (syscall(SYS_pivot_root, ".", ".") == 0) {
        if (umount2(".", MNT_DETACH) != 0) return -1;
    } else if (chroot(".") != 0) {
        /* Where the root is no mount; the program has no privileges to leave it. */
        return -1;
    }
    return chdir(build->is_writable ? "/" : "/out") == 0 ? output : -1;
}

/* A closure that its program may change, and what a running system would have beside its files. */
static int enter_writable(const struct sxs_build *build, int is_mapped) {
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};
    umask(022);
    if (cover(build->closure, build->place, 0) != 0 || chdir(build->place) != 0) return -1;
    /* Where the host hides parts of its own, it allows no other. */
    mount("proc", "proc", "proc", FLAGS | MS_NOEXEC, NULL);
    if (mount("tmpfs", "tmp", "tmpfs", FLAGS, "mode=1777,size=256m") != 0) return -1;
    if (mount("tmpfs", "run", "tmpfs", FLAGS, "mode=0755,size=64m") != 0) return -1;
    for (size_t number = 0; number < sizeof devices / sizeof *devices; number++) {
        char from[32], to[32];
        snprintf(from, sizeof from, "/dev/%s", devices[number]);
        snprintf(to, sizeof to, "dev/%s", devices[number]);
        if (mount(from, to, NULL, MS_BIND, NULL) != 0) return -1;
    }
    return enter_place(build, is_mapped, "");
}

/* A closure of packages as the program's root, with devices that any program may ask for. */
static int enter_closure(const struct sxs_build *build, int is_mapped) {
    umask(022);
    if (cover_read_only(build->closure, build->place) != 0 || chdir(build->place) != 0) return -1;
    if (mount("tmpfs", "tmp", "tmpfs", FLAGS | MS_NOEXEC, "mode=1777,size=64m") != 0) return -1;
    if (mount("/dev/null", "dev/null", NULL, MS_BIND, NULL) != 0) return -1;
    if (mount("/dev/urandom", "dev/urandom", NULL, MS_BIND, NULL) != 0) return -1;
    return enter_place(build, is_mapped, build->input);
}

/* The program's whole world, made in the place and entered. Returns the output. */
static int enter_world(const struct sxs_build *build, int is_mapped) {
    if (build->is_writable) return enter_writable(build, is_mapped);
    if (build->closure) return enter_closure(build, is_mapped);
    umask(022);
    if (mount("tmpfs", build->place, "tmpfs", FLAGS, "mode=0755,size=1m") != 0) return -1;
    if (chdir(build->place) != 0 || mkdir("out", 0755) != 0) return -1;
    /* The directory that both are in. */
    const char *store = build->store_path + 1, *aliases = build->aliases_path + 1;
    char above[64] = "";
    strncpy(above, store, strcspn(store, "/") < sizeof above ? strcspn(store, "/") : sizeof above - 1);
    if (mkdir(above, 0755) != 0) return -1;
    if (bind_read_only(build->store, store) != 0) return -1;
    if (bind_read_only(build->aliases, aliases) != 0 || bind_read_only(build->input, "in") != 0) return -1;
    return enter_place(build, is_mapped, "/in");
}

static void limit(int resource, rlim_t value) {
    struct rlimit limits;
    if (getrlimit((__rlimit_resource_t)resource, &limits) != 0) return;
    if (limits.rlim_max == RLIM_INFINITY || limits.rlim_max > value) limits.rlim_max = value;
    limits.rlim_cur = limits.rlim_max;
    setrlimit((__rlimit_resource_t)resource, &limits);
}

/* Whatever the program executes has no other capability than those for files that are its user's anyway. */
static int drop_capabilities(void) {
    static const int kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID};
    for (int capability = 0; capability <= 63; capability++) {
        int is_kept = 0;
        for (size_t number = 0; number < sizeof kept / sizeof *kept; number++) is_kept |= kept[number] == capability;
        /* EINVAL: the kernel does not know it. */
        if (!is_kept && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) return -1;
    }
    return 0;
}

static void execute(const struct sxs_build *build, int is_mapped, int socket) {
    static char *const nothing[] = {NULL};
    limit(RLIMIT_CPU, build->seconds);
    limit(RLIMIT_AS, build->memory_limit);
    limit(RLIMIT_FSIZE, build->output_limit);
    limit(RLIMIT_NOFILE, OPEN_FILES);
    limit(RLIMIT_NPROC, PROCESSES);
    limit(RLIMIT_CORE, 0);
    if (!is_mapped && (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0
                       || setresuid(NOBODY, NOBODY, NOBODY) != 0))
        goto failed;
    if (build->is_writable && drop_capabilities() != 0) goto failed;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) goto failed;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
    if (build->output) {
        /* As whom the program runs: it is the program's own file. */
        int file = openat(AT_FDCWD, build->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (file < 0 || dup2(file, 1) < 0) goto failed;
    }
    execve(build->program, build->arguments, build->environment ? build->environment : nothing);
failed:
    sxs_send_descriptor(socket, SXS_BUILD_EXECUTE << 16 | errno, -1);
    _exit(127);
}

/* Closes what else is open: a lock that this process held on would outlive its owner. */
static void close_others(int first, int second, int third) {
    for (int number = 3; number < 1024; number++)
        if (number != first && number != second && number != third) close(number);
    syscall(SYS_close_range, 1024u, ~0u, 0u);
}

/* The process between: it waits for the program, which is the first of its
   process namespace and takes all others of it along. */
static void run(const struct sxs_build *build, int socket, int nothing, int print) {
    int is_mapped = 0, status = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    setsid();
    close_others(socket, nothing, print);
    if (enter_namespaces(&is_mapped, build->is_writable) != 0) {
        sxs_send_descriptor(socket, SXS_BUILD_NAMESPACE << 16 | errno, -1);
        _exit(126);
    }
    int output = enter_world(build, is_mapped);
    if (output < 0) {
        sxs_send_descriptor(socket, SXS_BUILD_MOUNT << 16 | errno, -1);
        _exit(126);
    }
    if (sxs_send_descriptor(socket, 0, output) != 0) _exit(126);
    close(output);
    if (dup2(nothing, 0) < 0 || dup2(print, 1) < 0 || dup2(print, 2) < 0) _exit(126);
    pid_t program = fork();
    if (program == 0) {
        /* What is still open closes by itself when the program is executed. */
        execute(build, is_mapped, socket);
    }
    if (program < 0) {
        sxs_send_descriptor(socket, SXS_BUILD_EXECUTE << 16 | errno, -1);
        _exit(126);
    }
    close(0);
    close(1);
    close(2);
    /* Closed unless the program could not be executed. */
    close(socket);
    while (waitpid(program, &status, 0) < 0 && errno == EINTR) {}
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int sxs_build_start(
    const struct sxs_build *build, pid_t *process, int *printed, int *output, enum sxs_build_step *step) {
    int sockets[2] = {-1, -1}, print[2] = {-1, -1}, code = 0;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    *step = SXS_BUILD_PROCESS;
    *output = -1;
    pid_t child = -1;
    if (nothing >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0
        && pipe2(print, O_CLOEXEC) == 0)
        child = fork();
    if (child == 0) run(build, sockets[1], nothing, print[1]);
    code = errno;
    if (nothing >= 0) close(nothing);
    if (sockets[1] >= 0) close(sockets[1]);
    if (print[1] >= 0) close(print[1]);
    if (child > 0) {
        *output = sxs_receive_descriptor(sockets[0], &code);
        /* Then the end of the socket, or why the program was not executed. */
        int later = ECHILD;
        if (*output >= 0) sxs_receive_descriptor(sockets[0], &later);
        if (*output < 0 || later != ECHILD) {
            if (*output >= 0) {
                close(*output);
                code = later;
            }
            kill(child, SIGKILL);
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
            child = -1;
            if (code >> 16) *step = (enum sxs_build_step)(code >> 16);
            code &= 0xffff;
        }
    }
    if (sockets[0] >= 0) close(sockets[0]);
    if (child < 0) {
        if (print[0] >= 0) close(print[0]);
        errno = code ? code : EPROTO;
        return -1;
    }
    *process = child;
    *printed = print[0];
    return 0;
}

int sxs_build_wait(int printed, int process_descriptor, int milliseconds) {
    struct pollfd waiting[] = {{printed, POLLIN, 0}, {process_descriptor, POLLIN, 0}};
    if (poll(waiting, 2, milliseconds) <= 0) return 0;
    if (waiting[0].revents) return 1;
    return 2;
}

long long sxs_build_kind(int directory, const char *name) {
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return -2;
    if (S_ISDIR(status.st_mode)) return -1;
    return S_ISREG(status.st_mode) ? (long long)status.st_size : -2;
}
