/* spawn TURNS PROGRAM [ARGUMENT...]: starts a program again and again, and prints the microseconds that each run took.

   Static, so that it runs in roots that have no C library. What the program says is not shown. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    for (int turn = atoi(arguments[1]); turn > 0; turn--) {
        pid_t child;
        int status;
        double start = now();
        if (posix_spawnp(&child, arguments[2], &actions, NULL, arguments + 2, environ)) return 127;
        if (waitpid(child, &status, 0) != child || status) return 1;
        printf("%.1f\n", now() - start);
    }
    return 0;
}
