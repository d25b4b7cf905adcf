/* A program that runs shut in: it sees the store, its input and an empty
   directory in memory for its output, and nothing else of the host: no other
   file, process or network, no privileges, an empty environment.

   With is_writable it may change its closure, in which it is root: of nobody
   else, and with no capability but those for files. */
#ifndef CBUILD_H
#define CBUILD_H

#include <stddef.h>
#include <sys/types.h>

struct sxs_build {
    const char *place;          /* an empty directory, which becomes the program's root */
    const char *store;          /* seen as store_path, read-only */
    const char *store_path;     /* absolute, two components */
    const char *aliases;        /* seen as aliases_path, read-only */
    const char *aliases_path;   /* absolute, beside store_path */
    const char *input;          /* seen as /in, read-only; its names are links in /out */
    const char *program;        /* an absolute path, as the program sees it */
    char *const *arguments;     /* with its name, ended by NULL */
    size_t output_limit;        /* bytes of /out */
    size_t memory_limit;        /* bytes of address space */
    unsigned seconds;           /* of processor time */
    const char *closure;        /* NULL, or its root, read-only, instead of store, aliases and input; has empty
                                   directories out and tmp, and empty files dev/null and dev/urandom. The input
                                   is then a path in there, or empty */
    const char *output;         /* NULL, or a name in /out for what it prints that is no message */
    char *const *environment;   /* NULL for none */
    int is_writable;            /* the closure may be changed; it has empty directories proc and run, too */
};

/* What sxs_build_start was doing when it failed. */
enum sxs_build_step { SXS_BUILD_PROCESS = 1, SXS_BUILD_NAMESPACE, SXS_BUILD_MOUNT, SXS_BUILD_EXECUTE };

/* Starts the program. Gives its process, what it prints (both streams), and
   the directory of its output, which can be read also when it has ended. -1
   with errno and *step when that fails. */
int sxs_build_start(
    const struct sxs_build *build, pid_t *process, int *printed, int *output, enum sxs_build_step *step);

/* Waits until there is something to read, 1; the process has ended, 2; or the
   milliseconds are over, 0. A descriptor of -1 is not waited for. */
int sxs_build_wait(int printed, int process_descriptor, int milliseconds);

#endif
