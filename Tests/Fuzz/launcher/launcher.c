/* What libFuzzer calls with descriptions of launchers: the launcher's own code, with system calls of ours.

   Scripts/fuzz makes `CLauncher.fuzzed.c` of Sources/CLauncher/CLauncher.c: the same without its order to leave
   sanitizers out, and with `call` under another name. An input is a description; in front of a NUL may be variables of
   the environment, one in a line. */
#include <stddef.h>
static long call(long number, long a, long b, long c, long d);
#include "CLauncher.fuzzed.c"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t *description;
static size_t description_size, description_taken;
static int links, executions;
static uint8_t choice;

/* All of a string's bytes, so that one without an end is found. */
static size_t whole(const char *string) {
    volatile size_t length = strlen(string);
    return length;
}

static long call(long number, long a, long b, long c, long d) {
    (void)d;
    switch (number) {
    case SYS_openat:
        whole((const char *)b);
        description_taken = 0;
        return 3;
    case SYS_read: {
        size_t count = description_size - description_taken;
        if (count > (size_t)c) count = (size_t)c;
        /* Not all at once, as a file system in another process may have it. */
        if (count > 100 && choice & 1) count = 100;
        memcpy((char *)b, description + description_taken, count);
        description_taken += count;
        return (long)count;
    }
    case SYS_close: return 0;
    case SYS_newfstatat:
        whole((const char *)b);
        memset((void *)c, 0, sizeof(struct stat));
        return strncmp((const char *)b, "/etc", 4) == 0 && choice & 2 ? -ENOENT : 0;
    case SYS_readlinkat: {
        whole((const char *)b);
        const char *target = links++ < (choice >> 4) ? "../x/../shims/hello/hello" : SXS_PROGRAM_LINK;
        size_t length = strlen(target) < (size_t)d ? strlen(target) : (size_t)d;
        memcpy((char *)c, target, length);
        return (long)length;
    }
    case SYS_execve:
        executions++;
        whole((const char *)a);
        for (char **string = (char **)b; *string; string++) whole(*string);
        for (char **string = (char **)c; *string; string++) whole(*string);
        /* Only programs of the own store path are started. */
        if (strncmp((const char *)a, "/usr/store/", 11) || strstr((const char *)a, "/../")) abort();
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
    description = middle ? middle + 1 : bytes;
    description_size = size - (middle ? front + 1 : 0);
    choice = (uint8_t)(size * 37);
    links = 0;

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
    free(stack);
    free(variables);
    return 0;
}
