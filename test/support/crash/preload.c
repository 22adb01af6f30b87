/*
 * Preloaded into a broker: calls on files below one folder fail, fall short, are late, or lie. What is to happen stands
 * in a file of eight 32-bit numbers that the test writes while the broker runs (preload.ts names them).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KIND, COUNTDOWN, ERROR, HITS, AGAIN, DELAY_US, LIES, INODE };
enum { NOTHING, SYNC, WRITE, TRUNCATE, RENAME, CREATE, ALLOCATE, UNLINK };

static _Atomic int *control;
static const char *folder;

__attribute__((constructor)) static void prepare(void) {
  const char *path = getenv("ODRADEK_TEST_FAULTS");
  folder = getenv("ODRADEK_TEST_FAULTS_IN");
  if (path == NULL || folder == NULL) return;
  int fd = open(path, O_RDWR);
  void *map = mmap(NULL, 32, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) abort();
  close(fd);
  control = map;
}

static int below(const char *path) { return strncmp(path, folder, strlen(folder)) == 0; }

static int file_below(int fd) {
  char name[64], path[4096];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(name, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return below(path);
}

static int inode_of(int fd) {
  struct stat found;
  return fstat(fd, &found) == 0 ? (int)found.st_ino : -1;
}

/* Whether this call is the one. */
static int strikes(int kind) {
  if (control[KIND] != kind) return 0;
  if (atomic_fetch_sub(&control[COUNTDOWN], 1) != 1) return 0;
  atomic_fetch_add(&control[HITS], 1);
  return 1;
}

static int is_watched(int kind) {
  return control != NULL && (control[KIND] == kind || (kind == SYNC && (control[LIES] || control[DELAY_US] || control[HITS])));
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (real == NULL) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int sync_file(int fd, int (*real)(int)) {
  if (!is_watched(SYNC) || !file_below(fd)) return real(fd);
  if (control[DELAY_US]) usleep(control[DELAY_US]);
  if (control[LIES]) return 0;
  if (control[HITS] && control[INODE] == inode_of(fd)) atomic_fetch_add(&control[AGAIN], 1);
  if (strikes(SYNC)) {
    /* As long as it is open here its inode is no other file's, even when the broker has removed it. */
    static int kept = -1;
    if (kept >= 0) close(kept);
    kept = dup(fd);
    control[INODE] = inode_of(fd);
    errno = control[ERROR];
    return -1;
  }
  return real(fd);
}

int fsync(int fd) { REAL(fsync); return sync_file(fd, real); }
int fdatasync(int fd) { REAL(fdatasync); return sync_file(fd, real); }

/* How much of a write of `length` bytes is to be done; -1: none, with an error. */
static ssize_t part(int fd, size_t length) {
  if (!is_watched(WRITE) || !file_below(fd) || !strikes(WRITE)) return length;
  if (control[ERROR] == 0) return length / 2 > 0 ? length / 2 : 1;
  errno = control[ERROR];
  return -1;
}

#define WRITES(name, ...) \
  { REAL(name); ssize_t some = part(fd, length); return some < 0 ? -1 : real(fd, from, some, ##__VA_ARGS__); }
ssize_t write(int fd, const void *from, size_t length) WRITES(write)
ssize_t pwrite(int fd, const void *from, size_t length, off_t at) WRITES(pwrite, at)
ssize_t pwrite64(int fd, const void *from, size_t length, off64_t at) WRITES(pwrite64, at)

static size_t total(const struct iovec *parts, int count) {
  size_t sum = 0;
  for (int index = 0; index < count; index++) sum += parts[index].iov_len;
  return sum;
}

/* A part of a gathered write ends within its first buffer. */
#define GATHERS(name) { \
    REAL(name); \
    size_t length = total(parts, count); \
    ssize_t some = part(fd, length); \
    if (some < 0) return -1; \
    if ((size_t)some == length) return real(fd, parts, count, at); \
    struct iovec first = parts[0]; \
    if ((size_t)some < first.iov_len) first.iov_len = some; \
    return real(fd, &first, 1, at); \
  }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) GATHERS(pwritev)
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) GATHERS(pwritev64)

static int refused(int kind, int inside) {
  if (!inside || !strikes(kind)) return 0;
  errno = control[ERROR];
  return 1;
}

int ftruncate(int fd, off_t length) {
  REAL(ftruncate);
  return is_watched(TRUNCATE) && refused(TRUNCATE, file_below(fd)) ? -1 : real(fd, length);
}
int ftruncate64(int fd, off64_t length) {
  REAL(ftruncate64);
  return is_watched(TRUNCATE) && refused(TRUNCATE, file_below(fd)) ? -1 : real(fd, length);
}
int rename(const char *from, const char *to) {
  REAL(rename);
  return is_watched(RENAME) && refused(RENAME, below(to)) ? -1 : real(from, to);
}
int unlink(const char *path) {
  REAL(unlink);
  return is_watched(UNLINK) && refused(UNLINK, below(path)) ? -1 : real(path);
}
int fallocate(int fd, int mode, off_t at, off_t length) {
  REAL(fallocate);
  return is_watched(ALLOCATE) && refused(ALLOCATE, file_below(fd)) ? -1 : real(fd, mode, at, length);
}
int fallocate64(int fd, int mode, off64_t at, off64_t length) {
  REAL(fallocate64);
  return is_watched(ALLOCATE) && refused(ALLOCATE, file_below(fd)) ? -1 : real(fd, mode, at, length);
}
/* These two answer with the error itself. */
int posix_fallocate(int fd, off_t at, off_t length) {
  REAL(posix_fallocate);
  return is_watched(ALLOCATE) && refused(ALLOCATE, file_below(fd)) ? errno : real(fd, at, length);
}
int posix_fallocate64(int fd, off64_t at, off64_t length) {
  REAL(posix_fallocate64);
  return is_watched(ALLOCATE) && refused(ALLOCATE, file_below(fd)) ? errno : real(fd, at, length);
}

#define OPENS(name) { \
    REAL(name); \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
      va_list rest; \
      va_start(rest, flags); \
      mode = va_arg(rest, mode_t); \
      va_end(rest); \
    } \
    if ((flags & O_CREAT) && is_watched(CREATE) && refused(CREATE, below(path))) return -1; \
    return real(path, flags, mode); \
  }
int open(const char *path, int flags, ...) OPENS(open)
int open64(const char *path, int flags, ...) OPENS(open64)
