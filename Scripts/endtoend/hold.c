/* Opens files again and again until its standard input ends, and says how often one of them was missing.

   usage: hold FILE...   Prints "opened N missing M", and for the first miss of each file "missing FILE". */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **files) {
    long opened = 0, missing = 0;
    char *seen = calloc(count, 1);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    puts("ready");
    fflush(stdout);
    while (poll(&input, 1, 0) == 0) {
        for (int index = 1; index < count; index++) {
            int file = open(files[index], O_RDONLY | O_CLOEXEC);
            char byte;
            if (file >= 0 && read(file, &byte, 1) == 1) {
                opened++;
            } else {
                missing++;
                if (!seen[index]) printf("missing %s: %s\n", files[index], strerror(errno));
                seen[index] = 1;
            }
            if (file >= 0) close(file);
        }
    }
    printf("opened %ld missing %ld\n", opened, missing);
    return missing != 0;
}
