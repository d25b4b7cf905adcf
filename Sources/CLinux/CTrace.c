#define _GNU_SOURCE
#include "CTrace.h"

#include "CMessage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#define ARCHITECTURE 0
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* Calls with paths: which argument is the path, and which the directory that
   it starts from, -1 for the working directory. */
static const struct call {
    int number;
    const char *name;
    signed char directory, path;
} calls[] = {
#define AT(name, directory, path) {SYS_##name, #name, directory, path},
#define PLAIN(name) {SYS_##name, #name, -1, 0},
#ifdef SYS_open
    PLAIN(open) PLAIN(creat) PLAIN(stat) PLAIN(lstat) PLAIN(access) PLAIN(readlink)
#endif
    AT(openat, 0, 1) AT(openat2, 0, 1) AT(newfstatat, 0, 1) AT(statx, 0, 1) AT(faccessat, 0, 1)
    AT(faccessat2, 0, 1) AT(readlinkat, 0, 1) AT(execveat, 0, 1) AT(name_to_handle_at, 0, 1)
    AT(inotify_add_watch, -1, 1) AT(connect, -1, 1)
    PLAIN(execve) PLAIN(chdir) PLAIN(chroot) PLAIN(statfs) PLAIN(truncate)
    PLAIN(getxattr) PLAIN(lgetxattr) PLAIN(listxattr) PLAIN(llistxattr)
};
enum { CALLS = sizeof calls / sizeof calls[0] };

/* Asks for notifications of the calls in the table, for this process and all
   it will start. Returns the listener. */
static int notify(void) {
    struct sock_filter filter[CALLS + 6];
    struct sock_fprog program = {0, filter};
    size_t size = 0;
#define PUT(...) filter[size++] = (struct sock_filter)__VA_ARGS__
    PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    PUT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    PUT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    for (size_t i = 0; i < CALLS; i++)
        PUT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, (unsigned char)(CALLS - i), 0));
    PUT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    PUT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    program.len = (unsigned short)size;
    /* Linux 5.19: signals do not interrupt a call that somebody looks at. */
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    for (int attempt = 0; attempt < 4; attempt++) {
        int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
        if (listener >= 0) return listener;
        if (errno == EACCES) {
            /* Ordinary users have to give up set-user-id programs. */
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
        } else if (errno == EINVAL && (flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)) {
            flags &= ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        } else {
            return -1;
        }
    }
    return -1;
}

int sxs_trace_start(const char *program, char *const arguments[], pid_t *process, int *failure) {
    int sockets[2];
    extern char **environ;
    if (!ARCHITECTURE) {
        errno = ENOSYS;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) return -1;
    pid_t child = fork();
    if (child < 0) {
        int code = errno;
        close(sockets[0]);
        close(sockets[1]);
        errno = code;
        return -1;
    }
    if (child == 0) {
        /* Without who answers, its calls would fail. */
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        int listener = notify();
        int code = listener < 0 ? errno : 0;
        if (sxs_send_descriptor(sockets[1], code, listener) != 0 || listener < 0) _exit(126);
        close(listener);
        execve(program, arguments, environ);
        code = errno;
        sxs_send_descriptor(sockets[1], code, -1);
        _exit(code == ENOENT ? 127 : 126);
    }
    close(sockets[1]);
    int code = 0;
    int listener = sxs_receive_descriptor(sockets[0], &code);
    if (listener < 0) {
        close(sockets[0]);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        errno = code ? code : EPROTO;
        return -1;
    }
    *process = child;
    *failure = sockets[0];
    return listener;
}

static volatile pid_t traced;

/* What a process sends is for the program; what the terminal sends, its whole
   foreground group gets. */
static void pass_on(int number, siginfo_t *information, void *context) {
    int code = errno;
    (void)context;
    if (information->si_code <= 0 && traced > 0) kill(traced, number);
    errno = code;
}

void sxs_trace_signals(pid_t process) {
    static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM};
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
    traced = process;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int sxs_trace_failure(int failure) {
    int code = 0;
    ssize_t size = recv(failure, &code, sizeof code, MSG_DONTWAIT);
    return size == sizeof code ? code : 0;
}

static const struct call *find_call(int number) {
    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].number == number) return &calls[i];
    return NULL;
}

int sxs_trace_next(int listener, int process_descriptor, struct sxs_touch *touch) {
    for (;;) {
        struct pollfd waiting[] = {{listener, POLLIN, 0}, {process_descriptor, POLLIN, 0}};
        if (poll(waiting, process_descriptor < 0 ? 1 : 2, -1) < 0) {
            if (errno == EINTR) continue;
            return -1;
        }
        if (!(waiting[0].revents & POLLIN)) {
            if (waiting[0].revents) return 0;
            return 2;
        }
        struct seccomp_notif notification;
        memset(&notification, 0, sizeof notification);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) {
            /* ENOENT: it was killed before it could be told of. */
            if (errno == EINTR || errno == ENOENT) continue;
            return -1;
        }
        const struct call *call = find_call(notification.data.nr);
        memset(touch, 0, sizeof *touch);
        touch->id = notification.id;
        touch->thread = (pid_t)notification.pid;
        touch->call = call ? call->name : "";
        if (!call) return 1;
        touch->path = notification.data.args[(int)call->path];
        touch->directory = call->directory < 0 ? AT_FDCWD : (int)notification.data.args[(int)call->directory];
        if (call->number == SYS_connect) touch->socket_length = notification.data.args[2];
        return 1;
    }
}

void sxs_trace_continue(int listener, uint64_t id) {
    struct seccomp_notif_resp response = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    /* ENOENT: the thread was killed meanwhile. */
    while (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) != 0 && errno == EINTR) {}
}

void sxs_trace_keep(int listener) {
    struct sxs_touch touch;
    pid_t child = fork();
    if (child != 0) {
        if (child > 0)
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        return;
    }
    /* Nobody's child, and no holder of anybody's pipe. */
    if (fork() != 0) _exit(0);
    setsid();
    dup2(listener, 0);
    if (syscall(SYS_close_range, 1u, ~0u, 0u) != 0) {
        close(1);
        close(2);
    }
    while (sxs_trace_next(0, -1, &touch) == 1) sxs_trace_continue(0, touch.id);
    _exit(0);
}

int sxs_pidfd_open(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

ssize_t sxs_read_memory(pid_t thread, uint64_t address, void *buffer, size_t size) {
    struct iovec local = {buffer, size};
    struct iovec remote = {(void *)(uintptr_t)address, size};
    return process_vm_readv(thread, &local, 1, &remote, 1, 0);
}

int sxs_open_in_root(int root, const char *path) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

void sxs_end_like(int status) {
    if (WIFSIGNALED(status)) {
        struct rlimit none = {0, 0};
        sigset_t set;
        setrlimit(RLIMIT_CORE, &none);
        signal(WTERMSIG(status), SIG_DFL);
        sigemptyset(&set);
        sigaddset(&set, WTERMSIG(status));
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        raise(WTERMSIG(status));
        _exit(128 + WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}
