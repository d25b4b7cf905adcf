/* A file that records every write: a disk, once a loop device is put on it.

   usage: disk DIRECTORY IMAGE LOG

   Mounts DIRECTORY with one file, `disk`, whose contents are IMAGE's at first. Each write is appended to LOG as two
   64-bit numbers, offset and length, and the bytes; each flush as two numbers of all ones. What LOG says was flushed
   is on the disk when the power goes; any part of what follows may be. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned char *bytes;
static off_t size;
static int record;

static int isDisk(const char *path) { return strcmp(path, "/disk") == 0; }

static int attributes(const char *path, struct stat *status, struct fuse_file_info *file) {
    (void)file;
    memset(status, 0, sizeof *status);
    if (strcmp(path, "/") == 0) {
        status->st_mode = S_IFDIR | 0700;
        status->st_nlink = 2;
    } else if (isDisk(path)) {
        status->st_mode = S_IFREG | 0600;
        status->st_nlink = 1;
        status->st_size = size;
    } else {
        return -ENOENT;
    }
    return 0;
}

static int list(const char *path, void *entries, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file,
                enum fuse_readdir_flags flags) {
    (void)path, (void)offset, (void)file, (void)flags;
    for (const char **name = (const char *[]){".", "..", "disk", 0}; *name; name++) fill(entries, *name, 0, 0, 0);
    return 0;
}

static int openDisk(const char *path, struct fuse_file_info *file) {
    (void)file;
    return isDisk(path) ? 0 : -ENOENT;
}

static int readDisk(const char *path, char *into, size_t length, off_t offset, struct fuse_file_info *file) {
    (void)path, (void)file;
    if (offset >= size) return 0;
    if (length > (size_t)(size - offset)) length = size - offset;
    memcpy(into, bytes + offset, length);
    return length;
}

static int append(const uint64_t head[2], const char *data, size_t length) {
    int isWritten = write(record, head, 16) == 16;
    while (isWritten && length > 0) {
        ssize_t count = write(record, data, length);
        if (count <= 0) isWritten = 0;
        else data += count, length -= count;
    }
    return isWritten ? 0 : -EIO;
}

static int writeDisk(const char *path, const char *from, size_t length, off_t offset, struct fuse_file_info *file) {
    (void)path, (void)file;
    if (offset >= size) return -ENOSPC;
    if (length > (size_t)(size - offset)) length = size - offset;
    memcpy(bytes + offset, from, length);
    int error = append((uint64_t[]){offset, length}, from, length);
    return error ? error : (int)length;
}

static int flushDisk(const char *path, int isDataOnly, struct fuse_file_info *file) {
    (void)path, (void)isDataOnly, (void)file;
    return append((uint64_t[]){UINT64_MAX, UINT64_MAX}, 0, 0);
}

static const struct fuse_operations operations = {
    .getattr = attributes, .readdir = list, .open = openDisk, .read = readDisk, .write = writeDisk, .fsync = flushDisk,
};

int main(int count, char **words) {
    if (count != 4) {
        fputs("usage: disk DIRECTORY IMAGE LOG\n", stderr);
        return 2;
    }
    int image = open(words[2], O_RDONLY | O_CLOEXEC);
    size = image < 0 ? -1 : lseek(image, 0, SEEK_END);
    record = open(words[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bytes = size > 0 ? mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, image, 0) : MAP_FAILED;
    if (bytes == MAP_FAILED || record < 0) {
        perror("disk");
        return 1;
    }
    return fuse_main(4, ((char *[]){words[0], "-f", "-s", words[1], 0}), &operations, 0);
}
