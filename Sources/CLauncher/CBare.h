/* What the launcher's files have in place of libc, which does not run yet: system calls and texts.

   It begins a region of the file that includes it, in which nothing of libc is called; the file ends it (attribute
   pop). */
#ifndef CBARE_H
#define CBARE_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* memcpy and strlen could not be called: they are chosen by libc's start. Sanitizers start later, too. */
#pragma clang attribute push(                                                                                     \
    __attribute__((no_builtin, no_stack_protector, no_profile_instrument_function,                                \
                   disable_sanitizer_instrumentation)),                                                           \
    apply_to = function)

/* A system call; a negative result is an error number. */
static inline long call(long number, long a, long b, long c, long d, long e) {
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
#else
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
    return a0;
#endif
}

static inline long read_link(const char *path, char *target, size_t size) {
    return call(SYS_readlinkat, AT_FDCWD, (long)path, (long)target, (long)size, 0);
}

static inline long status_of(const char *path, struct stat *status, int flags) {
    return call(SYS_newfstatat, AT_FDCWD, (long)path, (long)status, flags, 0);
}

/* A file for reading, that nobody else is given and that does not block; a negative error number. */
static inline long open_file(const char *path, int flags) {
    return call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags, 0, 0);
}

static inline void close_file(long number) { call(SYS_close, number, 0, 0, 0, 0); }

/* Reads an open file until there is no more or no more room; a negative error number where that fails. */
static inline long read_file(long number, char *bytes, long room) {
    long length = 0, count = 0;
    do {
        count = call(SYS_read, number, (long)(bytes + length), room - length, 0, 0);
        if (count > 0) length += count;
    } while (count > 0 && length < room);
    return count < 0 ? count : length;
}

static inline size_t length_of(const char *string) {
    size_t length = 0;
    while (string[length]) length++;
    return length;
}

/* Whether the bytes are those of the C string. */
static inline int is_equal(const char *bytes, size_t length, const char *string) {
    size_t at = 0;
    while (at < length && string[at] && bytes[at] == string[at]) at++;
    return at == length && !string[at];
}

/* What follows a prefix; NULL for another beginning. */
static inline char *after(char *string, const char *prefix) {
    while (*prefix)
        if (*string++ != *prefix++) return NULL;
    return string;
}

/* A text that grows as long as there is room. */
struct text {
    char *bytes;
    size_t length, room;
    int is_full;
};

/* Not an initializer, for which the compiler might call memset. */
static inline void begin(struct text *text, char *bytes, size_t room) {
    text->bytes = bytes;
    text->length = 0;
    text->room = room;
    text->is_full = 0;
}

static inline void append(struct text *text, const char *bytes, size_t length) {
    if (length >= text->room - text->length) {
        text->is_full = 1;
        return;
    }
    for (size_t at = 0; at < length; at++) text->bytes[text->length++] = bytes[at];
    text->bytes[text->length] = 0;
}

static inline void append_string(struct text *text, const char *string) { append(text, string, length_of(string)); }

#endif
