/* A program whose system calls with paths are told to another process before
   they run: seccomp(2) user notification. The program itself is not slowed by
   other calls, keeps its parent, its signals and its exit status, and may be
   traced by others. */
#ifndef CTRACE_H
#define CTRACE_H

#include <stdint.h>
#include <sys/types.h>

/* Starts a program with its notifications on, and gives the listening
   descriptor, the process, and a socket for sxs_trace_failure. -1 with errno
   when the kernel refuses. */
int sxs_trace_start(const char *program, char *const arguments[], pid_t *process, int *failure);

/* errno of the execve(2) of sxs_trace_start when it failed, else 0. The
   process ended with 126 or 127 then. */
int sxs_trace_failure(int failure);

/* From now on, signals that processes send to this one go to the other; those
   of the terminal, which the other gets too, do nothing. 0 ends that. */
void sxs_trace_signals(pid_t process);

/* One notification: the thread that waits, and its call. */
struct sxs_touch {
    uint64_t id;
    pid_t thread;
    const char *call;       /* "openat" */
    int directory;          /* the descriptor that a relative path starts from, or AT_FDCWD */
    uint64_t path;          /* its address in the thread's memory; 0 for none */
    uint64_t socket_length; /* of a sockaddr_un in its place; 0 for a path */
};

/* Waits for a notification, or for the end of a process (-1 for none): 1 with
   *touch filled in, 2 when the process has ended, which is not reaped, 0 when
   nobody is left who could notify, -1 with errno. */
int sxs_trace_next(int listener, int process_descriptor, struct sxs_touch *touch);

/* Lets the call of a notification run. */
void sxs_trace_continue(int listener, uint64_t id);

/* Lets all further calls run, in a process of its own, for as long as there
   is anybody to call. */
void sxs_trace_keep(int listener);

/* pidfd_open(2), process_vm_readv(2) and openat2(2) with RESOLVE_IN_ROOT. */
int sxs_pidfd_open(pid_t process);
ssize_t sxs_read_memory(pid_t thread, uint64_t address, void *buffer, size_t size);
int sxs_open_in_root(int root, const char *path);

/* Ends this process as a child ended: with its status, or by its signal and
   without a dump. */
void sxs_end_like(int status) __attribute__((noreturn));

#endif
