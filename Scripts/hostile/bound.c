// Runs a program within bounds, and says how it ended and how much memory it had at most.
//
// usage: bound REPORT SECONDS MEBIBYTES PROGRAM [ARGUMENT...]
//
// REPORT gets one line: exit STATUS | signal NUMBER | late 0, the peak of its resident memory in KiB, and milliseconds.
// A program of its own, for what a process had before exec(2) counts towards its peak: Python's memory would.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile pid_t child;
static volatile sig_atomic_t is_late;

static void end(int signal) {
    (void)signal;
    is_late = 1;
    kill(child, SIGKILL);
}

static long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int count, char **arguments) {
    if (count < 5) return 2;
    long begun = milliseconds();
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGALRM, &action, NULL);
    child = fork();
    if (child < 0) return 3;
    if (child == 0) {
        rlim_t bytes = (rlim_t)atol(arguments[3]) << 20;
        struct rlimit space = {bytes, bytes}, core = {0, 0};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (setrlimit(RLIMIT_AS, &space) || setrlimit(RLIMIT_CORE, &core)) _exit(126);
        execv(arguments[4], arguments + 4);
        _exit(127);
    }
    alarm((unsigned)atoi(arguments[2]));
    int status;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) < 0)
        if (errno != EINTR) return 3;
    FILE *report = fopen(arguments[1], "w");
    if (!report) return 3;
    const char *how = is_late ? "late" : WIFSIGNALED(status) ? "signal" : "exit";
    int number = is_late ? 0 : WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    fprintf(report, "%s %d %ld %ld\n", how, number, usage.ru_maxrss, milliseconds() - begun);
    return fclose(report) ? 3 : 0;
}
