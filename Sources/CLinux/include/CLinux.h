/* System calls that Swift's Glibc module does not offer, because it is built
   without _GNU_SOURCE or because they are variadic. Each returns -1 and sets
   errno, like the call it wraps. */
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "CBuild.h"
#include "CTrace.h"

/* openat2(2): resolution confined beneath dirfd, no magic links. follow: 0
   refuses symbolic links in every component. */
int sxs_openat_beneath(int dirfd, const char *path, int flags, unsigned mode, int follow);

/* memmem(3): the first occurrence of the small in the large; null if there is none. */
const void *sxs_memmem(const void *large, size_t large_size, const void *small, size_t small_size);

/* syncfs(2). */
int sxs_syncfs(int fd);

/* How many processors this process may use (sched_getaffinity(2)); -1 where that cannot be told. */
int sxs_processor_count(void);

/* sched(7): the calling thread is one of SCHED_BATCH, if that is allowed, which
   takes the processor from no other when it is woken. */
void sxs_give_way_when_woken(void);

/* Extended attributes (xattr(7)) of an open file. */
ssize_t sxs_fgetxattr(int fd, const char *name, void *value, size_t size);
ssize_t sxs_flistxattr(int fd, char *list, size_t size);
int sxs_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags);
int sxs_fremovexattr(int fd, const char *name);

/* The same of name in a directory, which may be a symbolic link; needs /proc. */
ssize_t sxs_getxattrat(int dirfd, const char *name, const char *attribute, void *value, size_t size);
int sxs_setxattrat(int dirfd, const char *name, const char *attribute, const void *value, size_t size);

/* renameat2(2) with RENAME_NOREPLACE: fails with EEXIST where something is at the new place. */
int sxs_rename_new(int from, const char *name, int to, const char *new_name);

/* renameat2(2) with RENAME_EXCHANGE: each of two gets the other's name, in one step. */
int sxs_exchange(int from, const char *name, int to, const char *other);

/* getdents64(2): entries of a directory from its offset on, each 8 bytes inode, 8 offset, 2 length, 1 type, name. */
long sxs_getdents(int fd, void *buffer, unsigned long size);

/* What kind of file system a file is on (statfs(2)): -1 where that cannot be told, else f_type, in 32 bits. */
long long sxs_file_system_kind(int fd);

/* Opens the directory that is at path below what is mounted there last, such
   as /usr below merged extensions; needs privileges and /proc. */
int sxs_open_covered(const char *path);

/* copy_file_range(2), from and to the current offsets. */
ssize_t sxs_copy_file_range(int fd_in, int fd_out, size_t length);

/* unshare(2), mount(2). */
#define SXS_CLONE_NEWNS 0x00020000
#define SXS_CLONE_NEWUSER 0x10000000
int sxs_unshare(int flags);
int sxs_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);

/* open(2) flag: a place in the file tree, for fchdir(2) and *at calls; needs no read permission. */
#define SXS_O_PATH 010000000

/* mount(2) flags. */
#define SXS_MS_RDONLY 1
#define SXS_MS_NOSUID 2
#define SXS_MS_NODEV 4
#define SXS_MS_NOEXEC 8
#define SXS_MS_REMOUNT 32
#define SXS_MS_BIND 4096
#define SXS_MS_REC 16384
#define SXS_MS_SLAVE (1 << 19)

/* The SXS_MS_NOSUID, _NODEV and _NOEXEC that the mount of an open file has; 0
   if that cannot be told. */
unsigned long sxs_mount_flags(int fd);

/* Whether mounts made in the mount that holds path appear in other mount
   namespaces: 1 or 0; -1 with ENOSYS before Linux 6.8. */
int sxs_mount_is_shared(const char *path);

/* The arguments of this process, ended by NULL. Swift's CommandLine reads
   /proc/self/cmdline and is empty where /proc is not mounted. */
char **sxs_argv(void);

/* The environment of this process, ended by NULL. */
char **sxs_environ(void);

/* getauxval(3): AT_EXECFN as a path, or NULL. */
const char *sxs_execfn(void);

/* The stream's descriptor-independent state: isatty(3) and the width of its
   terminal in columns, 0 when it is none. */
int sxs_terminal_width(int fd);

/* errno, which Swift cannot set. */
void sxs_set_errno(int value);

/* prctl(PR_SET_DUMPABLE/NO_NEW_PRIVS...) with one argument. */
int sxs_prctl(int option, unsigned long argument);

#endif
