/* A broken disk, on demand: loaded before libc, it counts what is done to the files below one
 * folder (writes, flushes, renames and the rest) and makes one of them, or all from one on, fail.
 *
 *   disk_arm(folder, at, mode, sticky): at 0 only counts. CRASH_AT_ANY counts each opening and
 *   closing too.
 *   disk_log(): what was done, a line each: the name of the operation and the path.
 *   Or DISK_PROGRAM=part of a command line, DISK_FOLDER, DISK_AT and DISK_MODE in the environment
 *   arm the processes of that command, whoever starts them; DISK_COUNTS names a file in which each
 *   then leaves how much it did, and its command line.
 *   disk_sizes(): for each of those, how many bytes it was to write (0: another operation).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, CRASH, TORN, FAIL_ENOSPC, FAIL_EIO, CRASH_AT_ANY, CRASH_ALL };
static char folder[PATH_MAX];
static int at, mode, sticky, count;
static char text[1 << 20];
static size_t length;

void disk_arm(const char *path, int at_, int mode_, int sticky_) {
    snprintf(folder, sizeof folder, "%s", path);
    at = at_; mode = mode_; sticky = sticky_; count = 0; length = 0; text[0] = 0;
}
const char *disk_log(void) { return text; }
#define MOST 100000
static long long sizes[MOST];
const long long *disk_sizes(void) { return sizes; }
/* Returns what `fails` does, and notes how many bytes were to be written. */
static int fails(const char *what, const char *path);
static int fails_writing(const char *what, const char *path, size_t n) {
    int before = count, f = fails(what, path);
    if (count > before && count <= MOST) sizes[count - 1] = (long long)n;
    return f;
}

static int below(const char *path) {
    char whole[2 * PATH_MAX];
    if (!folder[0] || !path) return 0;
    if (path[0] != '/') { /* as seen from the working directory */
        if (!getcwd(whole, PATH_MAX)) return 0;
        strncat(strcat(whole, "/"), path, PATH_MAX);
        path = whole;
    }
    return strncmp(path, folder, strlen(folder)) == 0;
}
static const char *path_of(int fd) {
    static char path[PATH_MAX];
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    return path;
}
/* Returns 1 if the operation must fail; does not return if it is to crash. */
static int fails(const char *what, const char *path) {
    if (!below(path)) return 0;
    count++;
    if (count <= MOST) sizes[count - 1] = 0;
    if (length < sizeof text - PATH_MAX - 32)
        length += sprintf(text + length, "%s %s\n", what, path);
    if (!at || count < at || (count > at && !sticky)) return 0;
    if (mode == CRASH_ALL) kill(0, SIGKILL); /* what started it too: the whole process group */
    if (mode == CRASH || mode == CRASH_AT_ANY) raise(SIGKILL);
    if (mode == TORN) return 2;
    errno = mode == FAIL_EIO ? EIO : ENOSPC;
    return 1;
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t n) {
    int f = fails_writing("write", path_of(fd), n);
    if (f == 1) return -1;
    if (f == 2) { REAL(write)(fd, data, n / 2); raise(SIGKILL); }
    return REAL(write)(fd, data, n);
}
ssize_t writev(int fd, const struct iovec *v, int n) {
    size_t size = 0;
    for (int i = 0; i < n; i++) size += v[i].iov_len;
    int f = fails_writing("writev", path_of(fd), size);
    if (f == 1) return -1;
    if (f == 2) raise(SIGKILL);
    return REAL(writev)(fd, v, n);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t o) {
    int f = fails_writing("write", path_of(fd), n);
    if (f == 1) return -1;
    if (f == 2) { REAL(pwrite)(fd, data, n / 2, o); raise(SIGKILL); }
    return REAL(pwrite)(fd, data, n, o);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t o) {
    int f = fails_writing("write", path_of(fd), n);
    if (f == 1) return -1;
    if (f == 2) { REAL(pwrite64)(fd, data, n / 2, o); raise(SIGKILL); }
    return REAL(pwrite64)(fd, data, n, o);
}
#define BY_FD(name, type, argument, call)                        \
    int name(int fd type argument) {                             \
        int f = fails(#name, path_of(fd));                       \
        if (f == 2) raise(SIGKILL);                              \
        return f ? -1 : REAL(name)(fd call);                     \
    }
#define COMMA ,
BY_FD(fsync, , , )
BY_FD(fdatasync, , , )
BY_FD(ftruncate, COMMA, off_t n, COMMA n)
BY_FD(ftruncate64, COMMA, off64_t n, COMMA n)

static int both(const char *what, const char *from, const char *to) {
    int f = fails(what, below(to) ? to : from);
    if (f == 2) raise(SIGKILL);
    return f;
}
int rename(const char *from, const char *to) {
    return both("rename", from, to) ? -1 : REAL(rename)(from, to);
}
int renameat(int a, const char *from, int b, const char *to) {
    return both("rename", from, to) ? -1 : REAL(renameat)(a, from, b, to);
}
#define BY_PATH(name)                                            \
    int name(const char *path) {                                 \
        return both(#name, path, path) ? -1 : REAL(name)(path);  \
    }
BY_PATH(unlink)
BY_PATH(rmdir)
int mkdir(const char *path, mode_t m) {
    return both("mkdir", path, path) ? -1 : REAL(mkdir)(path, m);
}
/* Closing, and opening for reading, break nothing: they only count as moments at which to crash. */
int close(int fd) {
    if (mode == CRASH_AT_ANY) fails("close", path_of(fd));
    return REAL(close)(fd);
}
#define OPEN(name)                                               \
    int name(const char *path, int flags, ...) {                 \
        va_list rest;                                            \
        va_start(rest, flags);                                   \
        mode_t m = flags & O_CREAT ? va_arg(rest, mode_t) : 0;   \
        va_end(rest);                                            \
        if (flags & O_CREAT && both("create", path, path)) return -1; \
        if (!(flags & O_CREAT) && mode == CRASH_AT_ANY) fails("open", path); \
        return REAL(name)(path, flags, m);                       \
    }
OPEN(open)
OPEN(open64)

static char program[1 << 16];
__attribute__((constructor)) static void arm_by_environment(void) {
    const char *part = getenv("DISK_PROGRAM");
    FILE *file = part ? fopen("/proc/self/cmdline", "r") : NULL;
    if (!file) return;
    size_t n = fread(program, 1, sizeof program - 1, file);
    fclose(file);
    for (size_t i = 0; i < n; i++)
        if (program[i] < ' ') program[i] = ' ';
    if (strstr(program, part))
        disk_arm(getenv("DISK_FOLDER"), atoi(getenv("DISK_AT")), atoi(getenv("DISK_MODE")), 0);
}
__attribute__((destructor)) static void leave_counts(void) {
    const char *path = folder[0] ? getenv("DISK_COUNTS") : NULL;
    FILE *file = path && count ? fopen(path, "a") : NULL;
    if (!file) return;
    fprintf(file, "%d %s\n", count, program);
    fclose(file);
}
