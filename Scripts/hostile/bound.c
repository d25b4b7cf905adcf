// Runs a program within bounds, and says how it ended and how much memory it had at most.
//
// usage: bound REPORT SECONDS MEBIBYTES PROGRAM [ARGUMENT...]
//
// The seconds are of processor time, so that a busy machine is no failure; eight times as many may pass on the clock.
// REPORT gets one line: exit STATUS | signal NUMBER | late 0, the peak of its resident memory in KiB, and milliseconds of
// processor time.
// A program of its own, for what a process had before exec(2) counts towards its peak: Python's memory would.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t child;
static volatile sig_atomic_t is_late;

static void end(int signal) {
    (void)signal;
    is_late = 1;
    kill(child, SIGKILL);
}

static long milliseconds(struct timeval time) { return time.tv_sec * 1000 + time.tv_usec / 1000; }

int main(int count, char **arguments) {
    if (count < 5) return 2;
    unsigned seconds = (unsigned)atoi(arguments[2]);
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGALRM, &action, NULL);
    child = fork();
    if (child < 0) return 3;
    if (child == 0) {
        rlim_t bytes = (rlim_t)atol(arguments[3]) << 20;
        struct rlimit space = {bytes, bytes}, core = {0, 0}, time = {seconds, seconds};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (setrlimit(RLIMIT_AS, &space) || setrlimit(RLIMIT_CORE, &core) || setrlimit(RLIMIT_CPU, &time)) _exit(126);
        execv(arguments[4], arguments + 4);
        _exit(127);
    }
    alarm(8 * seconds);
    int status;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) < 0)
        if (errno != EINTR) return 3;
    FILE *report = fopen(arguments[1], "w");
    if (!report) return 3;
    long spent = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
    if (WIFSIGNALED(status) && spent >= seconds * 900L) is_late = 1;
    const char *how = is_late ? "late" : WIFSIGNALED(status) ? "signal" : "exit";
    int number = is_late ? 0 : WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    fprintf(report, "%s %d %ld %ld\n", how, number, usage.ru_maxrss, spent);
    return fclose(report) ? 3 : 0;
}
