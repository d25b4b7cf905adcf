/* Kills a program at one of the system calls by which files change, or lets such calls fail or do nothing.

   usage: crash count|N|N:ERROR|N-:ERROR|nosync COMMAND [ARGUMENT...]

   All threads and children are followed. A number kills them all with SIGKILL as they are about to make the N-th such
   call, counted from 1; "count" kills nothing. With an error number the N-th call fails with it instead of being made,
   or, with "-", it and all that follow. Prints to descriptor 3 "killed N CALL" or "ended N STATUS CALL", with the number
   of calls that were made, and the first that failed ("-" where none did). What is written to the standard streams does
   not count. "nosync" makes fsync(2), fdatasync(2), syncfs(2) and sync(2) succeed without doing anything. */
#define _GNU_SOURCE
#include <errno.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

struct call {
    long number;
    const char *name;
};
#define CALL(name) {SYS_##name, #name}

static const struct call syncs[] = {CALL(fsync), CALL(fdatasync), CALL(syncfs), CALL(sync)};

/* Those that change what is on a file system, and those after which a change is durable. */
static const struct call changes[] = {
    CALL(write), CALL(pwrite64), CALL(writev), CALL(pwritev), CALL(pwritev2), CALL(sendfile), CALL(copy_file_range),
    CALL(splice), CALL(ftruncate), CALL(truncate), CALL(fallocate), CALL(renameat), CALL(renameat2), CALL(linkat),
    CALL(symlinkat), CALL(unlinkat), CALL(mkdirat), CALL(mknodat), CALL(openat), CALL(openat2), CALL(fchmod),
    CALL(fchmodat), CALL(fchown), CALL(fchownat), CALL(utimensat), CALL(setxattr), CALL(lsetxattr), CALL(fsetxattr),
    CALL(removexattr), CALL(lremovexattr), CALL(fremovexattr), CALL(ioctl), CALL(msync),
    CALL(fsync), CALL(fdatasync), CALL(syncfs), CALL(sync),
#ifdef SYS_open
    CALL(open), CALL(creat), CALL(rename), CALL(link), CALL(symlink), CALL(unlink), CALL(rmdir), CALL(mkdir),
    CALL(mknod), CALL(chmod), CALL(chown), CALL(lchown), CALL(utime), CALL(utimes), CALL(futimesat),
#endif
};
#define COUNT(array) (sizeof array / sizeof *array)

static void fail(const char *what) {
    fprintf(stderr, "crash: %s: %s\n", what, strerror(errno));
    _exit(125);
}

/* Answers calls of the list in one way, and lets all others be made. */
static void filter(const struct call *calls, size_t count, unsigned answer) {
    struct sock_filter *program = calloc(2 * count + 2, sizeof *program);
    size_t length = 0;
    program[length++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t index = 0; index < count; index++) {
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[index].number, 0, 1);
        program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer);
    }
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog description = {.len = length, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("PR_SET_NO_NEW_PRIVS");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &description)) fail("seccomp");
}

/* Whether a stopped thread's call changes something: opening a file does only if it makes or empties it. */
static const char *change(pid_t thread) {
    struct __ptrace_syscall_info information = {0};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof information, &information) <= 0) return 0;
    long number = information.seccomp.nr;
    const __uint64_t *arguments = information.seccomp.args;
    unsigned long long flags = ~0ULL;
    if (number == SYS_openat) flags = arguments[2];
#ifdef SYS_open
    if (number == SYS_open) flags = arguments[1];
#endif
    if (number == SYS_openat2) {
        struct open_how how = {0};
        struct iovec here = {&how, sizeof how}, there = {(void *)(size_t)arguments[2], sizeof how};
        if (process_vm_readv(thread, &here, 1, &there, 1, 0) > 0) flags = how.flags;
    }
    if (!(flags & (O_CREAT | O_TRUNC)) && (flags & O_TMPFILE) != O_TMPFILE) return 0;
    if ((number == SYS_write || number == SYS_writev) && arguments[0] <= STDERR_FILENO) return 0;
    if (number == SYS_ioctl && (unsigned)arguments[1] != 0x40049409 /* FICLONE */) return 0;
    for (size_t index = 0; index < COUNT(changes); index++)
        if (changes[index].number == number) return changes[index].name;
    return 0;
}

/* Lets a stopped thread's call not be made, and give an error. */
static void refuse(pid_t thread, int error) {
    struct user_regs_struct registers;
    struct iovec all = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, thread, (void *)NT_PRSTATUS, &all)) return;
#if defined __x86_64__
    registers.orig_rax = -1;
    registers.rax = -(long)error;
#elif defined __aarch64__
    int none = -1;
    struct iovec number = {&none, sizeof none};
    if (ptrace(PTRACE_SETREGSET, thread, (void *)NT_ARM_SYSTEM_CALL, &number)) fail("PTRACE_SETREGSET");
    registers.regs[0] = -(long)error;
#else
#error "how a call is skipped on this architecture is not known"
#endif
    if (ptrace(PTRACE_SETREGSET, thread, (void *)NT_PRSTATUS, &all)) fail("PTRACE_SETREGSET");
}

int main(int count, char **words) {
    if (count < 3) {
        fputs("usage: crash count|N|N:ERROR|N-:ERROR|nosync COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    if (strcmp(words[1], "nosync") == 0) {
        filter(syncs, COUNT(syncs), SECCOMP_RET_ERRNO | 0);
        execvp(words[2], words + 2);
        fail(words[2]);
    }
    long wanted = atol(words[1]), made = 0;
    const char *colon = strchr(words[1], ':'), *failed = "-";
    int error = colon ? atoi(colon + 1) : 0, isLasting = colon && colon[-1] == '-';
    pid_t first = fork();
    if (first < 0) fail("fork");
    if (first == 0) {
        close(3);
        if (ptrace(PTRACE_TRACEME, 0, 0, 0)) fail("PTRACE_TRACEME");
        raise(SIGSTOP);
        filter(changes, COUNT(changes), SECCOMP_RET_TRACE);
        execvp(words[2], words + 2);
        fail(words[2]);
    }
    int status = 0, end = 0;
    if (waitpid(first, &status, 0) != first || !WIFSTOPPED(status)) fail("waitpid");
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                   PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, first, 0, options)) fail("PTRACE_SETOPTIONS");
    ptrace(PTRACE_CONT, first, 0, 0);
    pid_t thread;
    while ((thread = waitpid(-1, &status, __WALL)) > 0) {
        if (!WIFSTOPPED(status)) {
            if (thread == first) end = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int event = status >> 16, signal = WSTOPSIG(status);
        if (event == PTRACE_EVENT_SECCOMP) {
            const char *name = change(thread);
            if (name) made++;
            if (name && error && wanted && (made == wanted || (isLasting && made > wanted))) {
                if (made == wanted) failed = name;
                refuse(thread, error);
            } else if (name && made == wanted) {
                dprintf(3, "killed %ld %s\n", made, name);
                /* The kernel kills all that are traced as the tracer ends; none of them gets any further. */
                kill(first, SIGKILL);
                _exit(0);
            }
        }
        /* Stops by this program's own doing are not signals to pass on. */
        int isOwn = event != 0 || signal == SIGTRAP || signal == SIGSTOP;
        ptrace(PTRACE_CONT, thread, 0, isOwn ? 0 : signal);
    }
    dprintf(3, "ended %ld %d %s\n", made, end, failed);
    return 0;
}
