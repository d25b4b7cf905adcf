/* What libFuzzer calls with descriptions of launchers: the launcher's own code, with system calls of ours.

   Scripts/fuzz makes `CBare.h` of that in Sources/CLauncher: the same without its order to leave sanitizers out, and
   with `call` under another name. An input is a description; in front of a NUL may be variables of the environment,
   one in a line, and in front of another one what any other file has that is read. The first byte of an environment
   chooses what system calls say. */
#include <stddef.h>
static long call(long number, long a, long b, long c, long d, long e);
#define _GNU_SOURCE
#include "CLauncher.c"
#include "CView.c"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file that is open, and how much of it was read. */
struct content {
    const uint8_t *bytes;
    size_t size, taken;
};
enum { files = 16 };
static struct content description, other, announcement, opened[files];
static uint8_t announced[320];
static int links, executions, mounts, is_open[files];
static uint8_t choice;

/* All of a string's bytes, so that one without an end is found. */
static size_t whole(const char *string) {
    volatile size_t length = strlen(string);
    return length;
}

/* Whether a system call that may be refused is. */
static int is_refused(void) { return choice & 4 && (links + mounts + choice) % 5 == 0; }

/* What the host says of itself, where another file says which one it is and which start of its kernel. */
static void announce(void) {
    size_t line = 0;
    while (line < other.size && other.bytes[line] > 0x20 && other.bytes[line] < 0x7f && line < 256) line++;
    int length = snprintf((char *)announced, sizeof announced, SXS_HOST_HEADING "\nboot %.*s\n", (int)line, other.bytes);
    announcement = (struct content){announced, (size_t)length, 0};
}

static int is_ended_by(const char *text, const char *end) {
    size_t length = strlen(text), part = strlen(end);
    return length >= part && strcmp(text + length - part, end) == 0;
}

static long open_path(const char *path) {
    whole(path);
    for (int number = 3; number < files; number++) {
        if (is_open[number]) continue;
        is_open[number] = 1;
        opened[number] = is_ended_by(path, "/launch") ? description : strstr(path, SXS_HOSTS) ? announcement : other;
        return number;
    }
    abort();
}

static long call(long number, long a, long b, long c, long d, long e) {
    struct content *file = &opened[a >= 0 && a < files ? a : 0];
    switch (number) {
    case SYS_openat: return is_refused() && !is_ended_by((const char *)b, "/launch") ? -EACCES : open_path((const char *)b);
    case SYS_read: {
        size_t count = file->size - file->taken;
        if (count > (size_t)c) count = (size_t)c;
        /* Not all at once, as a file system in another process may have it. */
        if (count > 100 && choice & 1) count = 100;
        memcpy((char *)b, file->bytes + file->taken, count);
        file->taken += count;
        return (long)count;
    }
    case SYS_write:
        if ((size_t)c > 23) abort();
        return c;
    case SYS_close:
        if (a < 3 || a >= files || !is_open[a]) abort();
        is_open[a] = 0;
        return 0;
    case SYS_newfstatat:
        whole((const char *)b);
        memset((void *)c, 0, sizeof(struct stat));
        ((struct stat *)c)->st_mode = S_IFDIR | 0755;
        if (choice & 8 && (!strcmp((const char *)b, "/usr/store") || !strcmp((const char *)b, "/usr/_"))) return -ENOENT;
        return strncmp((const char *)b, "/etc", 4) == 0 && choice & 2 ? -ENOENT : 0;
    case SYS_readlinkat: {
        whole((const char *)b);
        const char *target = links++ < (choice >> 4) ? "../x/../shims/hello/hello" : SXS_PROGRAM_LINK;
        size_t length = strlen(target) < (size_t)d ? strlen(target) : (size_t)d;
        memcpy((char *)c, target, length);
        return (long)length;
    }
    case SYS_getcwd: return (long)strlen(strcpy((char *)a, "/work")) + 1;
    case SYS_unshare: return choice & 1 && a == CLONE_NEWNS ? -EPERM : 0;
    case SYS_mount:
        whole((const char *)b);
        if (e) whole((const char *)e);
        if (is_refused()) return -EPERM;
        if (c && !strcmp((const char *)b, "/usr")) mounts++;
        return 0;
    case SYS_umount2:
        if (mounts-- == 0) abort();
        return 0;
    case SYS_fstatfs: memset((void *)b, 0, sizeof(struct statfs)); return 0;
    case SYS_mkdirat: whole((const char *)b); return is_refused() ? -ENOSPC : 0;
    case SYS_faccessat: case SYS_chdir: case SYS_fchdir: case SYS_umask: case SYS_prctl: case SYS_geteuid:
    case SYS_getegid: return 0;
    case SYS_execve:
        executions++;
        whole((const char *)a);
        for (char **string = (char **)b; *string; string++) whole(*string);
        for (char **string = (char **)c; *string; string++) whole(*string);
        /* Only programs of the own store path are started, and where they are seen. */
        if (strncmp((const char *)a, "/usr/store/", 11) || strstr((const char *)a, "/../")) abort();
        if (choice & 8 && mounts != 2) abort();
        mounts = 0;
        return -EACCES;
    default: abort();
    }
}

#define BASE "0123456789abcdfghijklmnpqrsvwxyz-hello-1"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const uint8_t *middle = memchr(bytes, 0, size);
    size_t front = middle ? (size_t)(middle - bytes) : 0;
    char *variables = malloc(front + 1);
    memcpy(variables, bytes, front);
    variables[front] = 0;
    choice = front ? (uint8_t)variables[0] : (uint8_t)(size * 37);
    const uint8_t *rest = middle ? middle + 1 : bytes;
    size_t rest_size = size - (middle ? front + 1 : 0);
    const uint8_t *end = middle ? memchr(rest, 0, rest_size) : NULL;
    other = (struct content){rest, end ? (size_t)(end - rest) : 0, 0};
    size_t skipped = end ? other.size + 1 : 0;
    description = (struct content){rest + skipped, rest_size - skipped, 0};
    announce();
    links = mounts = 0;

    /* As on the stack of a new process: arguments, the environment, the auxiliary vector. */
    long *stack = calloc(front + 32, sizeof(long));
    size_t at = 0;
    stack[at++] = 1;
    stack[at++] = (long)"/root/shims/" BASE "/hello";
    stack[at++] = 0;
    for (char *line = strtok(variables, "\n"); line; line = strtok(NULL, "\n")) stack[at++] = (long)line;
    stack[at++] = 0;
    stack[at++] = AT_EXECFN;
    stack[at++] = (long)"/root/shims/" BASE "/hello";
    stack[at++] = AT_NULL;
    sxs_launch(stack);
    /* Nothing stays: no file is open, and nothing is mounted. */
    for (int number = 0; number < files; number++)
        if (is_open[number]) abort();
    if (mounts) abort();
    free(stack);
    free(variables);
    return 0;
}
