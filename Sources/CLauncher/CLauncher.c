/* What a program started through a launcher of shims/ does first. The usual cases, in which there is nothing to show
   or nothing but the store (CView.c), end here in execve(2), before libc, the Swift runtime and their page faults:
   after some fifteen system calls, or sixty. In every other case, and whenever anything is odd, sxs_launch returns,
   and the program begins as if this were not here: Activation's Launcher then does, or explains, all of it. Of what
   was done by then only a namespace stays, in which it does the same again.

   Nothing of libc runs yet: no calls but to what is in these files, no thread-local, one global. */
#include "CLauncher.h"
#include "CView.h"

#include <elf.h>
#include <limits.h>

#include "CBare.h"

/* The kernel gives a program its arguments on the stack; _start expects them there, and one register as it was. */
#if defined(__x86_64__)
__asm__(".text\n.globl sxs_start\n.type sxs_start, @function\nsxs_start:\n"
        ".cfi_startproc\n.cfi_undefined rip\n"
        "endbr64\nxor %ebp, %ebp\nmov %rdx, %r12\nmov %rsp, %rbx\nmov %rsp, %rdi\nand $-16, %rsp\n"
        "call sxs_launch\nmov %rbx, %rsp\nmov %r12, %rdx\njmp _start\n"
        ".cfi_endproc\n.size sxs_start, . - sxs_start\n");
#elif defined(__aarch64__)
__asm__(".text\n.globl sxs_start\n.type sxs_start, %function\nsxs_start:\n"
        ".cfi_startproc\n.cfi_undefined x30\n"
        "hint #34\nmov x29, #0\nmov x19, x0\nmov x0, sp\n"
        "bl sxs_launch\nmov x30, #0\nmov x0, x19\nb _start\n"
        ".cfi_endproc\n.size sxs_start, . - sxs_start\n");
#elif defined(__riscv) && __riscv_xlen == 64
__asm__(".text\n.globl sxs_start\n.type sxs_start, @function\nsxs_start:\n"
        ".cfi_startproc\n.cfi_undefined ra\n"
        ".option push\n.option norelax\nla gp, __global_pointer$\n.option pop\n"
        "mv s1, a0\nmv a0, sp\nandi sp, sp, -16\nmv s2, a0\n"
        "call sxs_launch\nmv sp, s2\nmv a0, s1\ntail _start\n"
        ".cfi_endproc\n.size sxs_start, . - sxs_start\n");
#else
#error "the entry point is not written for this architecture"
#endif

/* The bytes of a path up to its last slash; 0 where there is none. */
static size_t directory_length(const char *path, size_t length) {
    while (length > 0 && path[length - 1] != '/') length--;
    return length > 0 ? length - 1 : 0;
}

/* Follows the links from a path to one that only a launcher is: `…/shims/<base>/<command>`, which leads to the
   program. Returns the length of its directory's path, or 0. */
static size_t find_launcher(char path[PATH_MAX], const char *start) {
    char target[PATH_MAX];
    struct text found;
    begin(&found, path, PATH_MAX);
    append_string(&found, start);
    /* As many links as the kernel follows. */
    for (int links = 0; links < 40 && !found.is_full; links++) {
        long length = read_link(path, target, sizeof target - 1);
        if (length <= 0 || length >= (long)sizeof target - 1) return 0;
        target[length] = 0;
        size_t directory = directory_length(path, found.length);
        if (is_equal(target, (size_t)length, SXS_PROGRAM_LINK)) {
            size_t parent = directory_length(path, directory);
            size_t above = directory_length(path, parent);
            int is_ours = above > 0 && is_equal(path + above + 1, parent - above - 1, SXS_SHIMS);
            return is_ours ? directory : 0;
        }
        /* By text: the kernel resolves what is linked on the way, and `..` after it. */
        if (target[0] == '/') found.length = 0;
        else if (directory > 0 || path[0] == '/') found.length = directory + 1;
        else found.length = 0;
        append(&found, target, (size_t)length);
    }
    return 0;
}

/* What is seen at the place of a directory of the root. */
enum sight { sight_of_root, sight_of_nothing, sight_of_another };

/* What is at a path: what has another path, relative to the directory of the launcher, or something else. */
static enum sight look_at(const char *path, size_t directory, const char *inner, const char *other) {
    char buffer[PATH_MAX];
    struct stat one, two;
    struct text own;
    begin(&own, buffer, sizeof buffer);
    append(&own, path, directory);
    append_string(&own, inner);
    if (own.is_full || status_of(buffer, &one, 0) != 0) return sight_of_another;
    long code = status_of(other, &two, 0);
    if (code == -ENOENT) return sight_of_nothing;
    return code == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino ? sight_of_root : sight_of_another;
}

/* The entry of a variable in an environment; NULL for none. */
static char **find_variable(char **environment, const char *name, size_t length) {
    for (; *environment; environment++) {
        size_t at = 0;
        while (at < length && (*environment)[at] == name[at]) at++;
        if (at == length && (*environment)[at] == '=') return environment;
    }
    return NULL;
}

/* Appends a directory of the store path to a list with colons between, unless it is in there. */
static void append_directory(struct text *list, const char *store_path, const char *directory) {
    size_t end = list->length;
    append_string(list, ":");
    append_string(list, store_path);
    append_string(list, "/");
    append_string(list, directory);
    if (list->is_full) return;
    const char *new = list->bytes + end + 1;
    size_t new_length = list->length - end - 1;
    for (size_t at = 0; at < end; at++) {
        /* A whole element of the list: at its beginning or after a colon, and ended by one. */
        if (at > 0 && list->bytes[at - 1] != ':') continue;
        size_t same = 0;
        while (same < new_length && list->bytes[at + same] == new[same]) same++;
        if (same == new_length && list->bytes[at + same] == ':') {
            list->length = end;
            list->bytes[end] = 0;
            return;
        }
    }
}

/* Begins a list with colons between as a variable has it, or as it stands for where the variable is not set. The
   bytes, with the name before, become the variable's entry. Returns the list's length. */
static size_t begin_list(struct text *list, char *bytes, size_t room, char **known, const char *name, const char *unset) {
    struct text entry;
    begin(&entry, bytes, room);
    append_string(&entry, known ? *known : name);
    if (!known) append_string(&entry, unset);
    size_t length = length_of(name);
    begin(list, bytes + length, room - length);
    /* What is too long is not begun with. */
    list->length = entry.is_full ? 0 : entry.length - length;
    list->is_full = entry.is_full;
    return list->length;
}

/* Whether it is a path in a tree as a description has it: no component is empty, `.` or `..`, and none has control
   characters. */
static int is_tree_path(const char *path) {
    for (;;) {
        size_t length = 0;
        for (; path[length] && path[length] != '/'; length++)
            if ((unsigned char)path[length] < 0x20 || path[length] == 0x7f) return 0;
        if (length == 0 || length > NAME_MAX || is_equal(path, length, ".") || is_equal(path, length, "..")) return 0;
        path += length;
        if (!*path++) return 1;
    }
}

/* Whether the bytes are a variable's name. */
static int is_variable(const char *name, size_t length) {
    for (size_t at = 0; at < length; at++) {
        char byte = name[at];
        int is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
        if (!is_letter && (at == 0 || byte < '0' || byte > '9')) return 0;
    }
    return length > 0;
}

/* Whether a directory has a colon, which would split PATH. */
static int has_colon(const char *path) {
    while (*path && *path != ':') path++;
    return *path == ':';
}

enum { longest_description = 32 << 10, most_variables = 1000, longest_search_path = 16 << 10 };

/* Reads a description whole; not positive if it cannot be, or is longer than there is room for. */
static long read_description(char *path, size_t directory, char *bytes, long room) {
    struct text file;
    begin(&file, path, PATH_MAX);
    file.length = directory;
    append_string(&file, "/" SXS_LAUNCH_DESCRIPTION);
    if (file.is_full) return 0;
    long number = open_file(path, O_NOFOLLOW);
    if (number < 0) return 0;
    long length = read_file(number, bytes, room);
    close_file(number);
    return length < room ? length : 0;
}

/* Becomes the program of the launcher in `path`, whose directory's path is so long. Returns where that needs more,
   and where it fails. */
static void run(char *path, size_t directory, char **arguments, char **environment) {
    char description[longest_description], list[longest_search_path], data_list[longest_search_path];
    char program[PATH_MAX], seed[PATH_MAX];
    char *variables[most_variables + 1];
    char command[NAME_MAX + 1];
    size_t count = 0;
    while (environment[count])
        if (count++ == most_variables) return;
    struct text name, store, directories, data, whole;
    begin(&name, command, sizeof command);
    append_string(&name, path + directory + 1);
    if (name.is_full) return;
    path[directory] = 0;
    size_t base = directory_length(path, directory) + 1;
    char store_path[sizeof SXS_STORE_DIRECTORY + 1 + NAME_MAX];
    begin(&store, store_path, sizeof store_path);
    append_string(&store, SXS_STORE_DIRECTORY "/");
    append(&store, path + base, directory - base);
    if (store.is_full) return;

    enum sight sight = look_at(path, directory, "/../../" SXS_STORE, SXS_STORE_DIRECTORY);
    if (sight == sight_of_another
        || sight != look_at(path, directory, "/../../" SXS_ALIASES, SXS_ALIAS_DIRECTORY))
        return;
    long length = read_description(path, directory, description, longest_description);
    /* Every line is ended: a description that was cut off is not taken for a whole one. */
    if (length <= 0 || description[length - 1] != '\n') return;

    for (size_t at = 0; at < count; at++) variables[at] = environment[at];
    variables[count] = NULL;
    size_t inherited = count;
    char **search = find_variable(variables, "PATH", 4);
    size_t unchanged = begin_list(&directories, list, sizeof list, search, "PATH=", SXS_DEFAULT_SEARCH_PATH);
    char **shared = find_variable(variables, "XDG_DATA_DIRS", 13);
    /* Empty, it stands for the same as if it were not set. */
    size_t data_unchanged = begin_list(&data, data_list, sizeof data_list, shared && (*shared)[14] ? shared : NULL,
                                       "XDG_DATA_DIRS=", SXS_DEFAULT_DATA_PATH);

    program[0] = 0;
    /* Whether the last command was this one: what follows a command is said of it. */
    int is_mine = 0, has_command = 0;
    int is_first = 1, has_store_path = 0, is_missing = 0, is_always = 0, is_never = 0;
    char *end = description + length;
    for (char *line = description, *next; line < end; line = next) {
        for (next = line; *next != '\n'; next++)
            if (!*next) return;
        *next++ = 0;
        char *rest;
        if (is_first) {
            if (!is_equal(line, length_of(line), SXS_LAUNCH_HEADING)) return;
            is_first = 0;
        } else if ((rest = after(line, "store-path "))) {
            if (has_store_path || !is_equal(rest, length_of(rest), store_path)) return;
            has_store_path = 1;
        } else if ((rest = after(line, "search-path "))) {
            if (!is_tree_path(rest) || has_colon(rest)) return;
            append_directory(&directories, store_path, rest);
        } else if ((rest = after(line, "data-path "))) {
            if (!is_tree_path(rest) || has_colon(rest)) return;
            append_directory(&data, store_path, rest);
        } else if ((rest = after(line, "command "))) {
            size_t tab = 0;
            while (rest[tab] && rest[tab] != '\t') tab++;
            if (!rest[tab] || !is_tree_path(rest + tab + 1)) return;
            has_command = 1;
            is_mine = is_equal(rest, tab, command);
            if (!is_mine) continue;
            if (program[0]) return;
            begin(&whole, program, sizeof program);
            append_string(&whole, store_path);
            append(&whole, "/", 1);
            append_string(&whole, rest + tab + 1);
            if (whole.is_full) return;
        } else if ((rest = after(line, "seed "))) {
            struct stat status;
            if ((!after(rest, "etc/") && !after(rest, "usr/")) || !is_tree_path(rest)) return;
            if (has_command && !is_mine) continue;
            begin(&whole, seed, sizeof seed);
            append(&whole, "/", 1);
            append_string(&whole, rest);
            if (whole.is_full) return;
            if (status_of(seed, &status, AT_SYMLINK_NOFOLLOW) == -ENOENT) is_missing = 1;
        } else if (has_command && (rest = after(line, "set-default "))) {
            size_t equals = 0;
            while (rest[equals] && rest[equals] != '=') equals++;
            if (!rest[equals] || !is_variable(rest, equals)) return;
            if (!is_mine) continue;
            char **known = find_variable(variables, rest, equals);
            if (known && known >= variables + inherited) return;
            if (known) continue;
            if (count == most_variables) return;
            variables[count++] = rest;
            variables[count] = NULL;
        } else if (has_command && (rest = after(line, "namespace "))) {
            if (!is_mine) continue;
            if (is_always || is_never) return;
            if (is_equal(rest, length_of(rest), "always")) is_always = 1;
            else if (is_equal(rest, length_of(rest), "never")) is_never = 1;
            else return;
        } else {
            return;
        }
    }
    if (!has_store_path || !program[0] || (is_missing && !is_never)) return;
    if (sight == sight_of_root ? is_always : is_never) return;
    if (directories.is_full || data.is_full || count + 2 > most_variables) return;
    if (directories.length != unchanged) {
        if (search) *search = list;
        else variables[count++] = list;
    }
    if (data.length != data_unchanged) {
        if (shared) *shared = data_list;
        else variables[count++] = data_list;
    }
    variables[count] = NULL;
    if (sight == sight_of_nothing) {
        /* Another way to show it was asked for, in a test. */
        if (find_variable(variables, SXS_METHOD_VARIABLE, length_of(SXS_METHOD_VARIABLE))) return;
        path[directory] = 0;
        if (!sxs_show_store(path, directory_length(path, base - 1))) return;
    }
    char *called = arguments[0];
    arguments[0] = program;
    call(SYS_execve, (long)program, (long)arguments, (long)variables, 0, 0);
    arguments[0] = called;
}

/* Called at the entry point with what the kernel put on the stack: the number of arguments, these, NULL, the
   environment, NULL, the auxiliary vector. */
__attribute__((used, visibility("hidden"))) void sxs_launch(long *stack) {
    char path[PATH_MAX];
    long count = stack[0];
    char **arguments = (char **)(stack + 1), **environment = arguments + count + 1, **end = environment;
    const char *file = NULL;
    if (count < 1) return;
    while (*end) end++;
    for (const Elf64_auxv_t *entry = (const Elf64_auxv_t *)(end + 1); entry->a_type != AT_NULL; entry++) {
        if (entry->a_type == AT_EXECFN) file = (const char *)entry->a_un.a_val;
        if (entry->a_type == AT_SECURE && entry->a_un.a_val) return;
    }
    if (!file) return;
    size_t directory = find_launcher(path, file);
    if (!directory) {
        /* A script whose first line names a launcher: the file is the script, and the launcher the first argument. */
        size_t length = length_of(arguments[0]);
        if (is_equal(file, length_of(file), arguments[0]) || !directory_length(arguments[0], length)) return;
        directory = find_launcher(path, arguments[0]);
    }
    if (directory) run(path, directory, arguments, environment);
}

#pragma clang attribute pop
