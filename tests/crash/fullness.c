/* fullness.c - fill a disk, and copy onto one until it is full. A program for full_disk.sh.
 *
 *   fullness fill FILE LEAVE		let FILE take all of its disk but LEAVE bytes
 *   fullness names DIRECTORY N		make N empty files
 *   fullness copy DIRECTORY SEED N	make N files, each fsync'ed, till a call fails; prints "COUNT ERRNO CALL"
 *   fullness rewrite DIRECTORY SEED N	the same without a change but of content
 *   fullness verify DIRECTORY SEED N	the first N of them are there, byte for byte */
#include "../random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SIZE_MOST = 600000, PIECE = 100000 };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "fullness: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int fill(const char *path, unsigned long leave)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	off_t end = lseek(fd, 0, SEEK_END), step = 1 << 26;
	struct statvfs disk;

	while (step >= 4096) {
		if (fstatvfs(fd, &disk) < 0)
			die(path);
		if (disk.f_bavail * disk.f_frsize >= leave + (unsigned long)step && fallocate(fd, 0, end, step) == 0)
			end += step;
		else
			step /= 2;
	}
	return close(fd) < 0;
}

/* Every second file is small. The same for the same numbers. */
static size_t content(unsigned long seed, unsigned long i, uint8_t *ret)
{
	struct random random = { seed * 1000003 + i };
	size_t size = 1 + random_below(&random, i % 2 ? 3000 : SIZE_MOST);

	for (size_t k = 0; k < size; k++)
		ret[k] = (uint8_t)(random_next(&random) >> 40);
	return size;
}

static void file_path(const char *directory, unsigned long i, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s/a file with a name that is not too short %lu", directory, i);
}

/* The call that failed; NULL: none. errno is its. */
static const char *copy_one(const char *directory, unsigned long i, const uint8_t *bytes, size_t size, bool with_xattrs)
{
	char path[4096];
	const char *failed = NULL;
	int fd, error;

	file_path(directory, i, path, sizeof path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return "open";
	for (size_t at = 0; at < size && !failed;) {
		ssize_t n = write(fd, bytes + at, size - at < PIECE ? size - at : PIECE);

		if (n <= 0)
			failed = "write";
		else
			at += (size_t)n; /* fewer where the disk was full in the middle */
	}
	if (!failed && with_xattrs && i % 5 == 0 && fsetxattr(fd, "user.number", &i, sizeof i, 0) < 0)
		failed = "setxattr";
	if (!failed && fsync(fd) < 0)
		failed = "fsync";
	error = errno;
	if (close(fd) < 0 && !failed)
		return "close";
	errno = error;
	return failed;
}

static int names(const char *directory, unsigned long n)
{
	char path[4096];

	for (unsigned long i = 0; i < n; i++) {
		int fd;

		file_path(directory, i, path, sizeof path);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 || close(fd) < 0)
			die(path);
	}
	return 0;
}

static int copy(const char *directory, unsigned long seed, unsigned long n, bool with_xattrs)
{
	static uint8_t bytes[SIZE_MOST];

	for (unsigned long i = 0; i < n; i++) {
		size_t size = content(seed, i, bytes);
		const char *failed = copy_one(directory, i, bytes, size, with_xattrs);

		if (failed) {
			printf("%lu %s %s\n", i, strerrorname_np(errno), failed);
			return 0;
		}
	}
	printf("%lu - -\n", n);
	return 0;
}

static int verify(const char *directory, unsigned long seed, unsigned long n)
{
	static uint8_t want[SIZE_MOST], got[SIZE_MOST + 1];
	char path[4096];

	for (unsigned long i = 0; i < n; i++) {
		size_t size = content(seed, i, want), have = 0;
		ssize_t r;
		int fd;

		file_path(directory, i, path, sizeof path);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			die(path);
		while ((r = read(fd, got + have, sizeof got - have)) > 0)
			have += (size_t)r;
		if (r < 0)
			die(path);
		(void)close(fd);
		errno = EBADMSG;
		if (have != size || memcmp(want, got, size) != 0)
			die(path);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "fill") == 0)
		return fill(argv[2], strtoul(argv[3], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "names") == 0)
		return names(argv[2], strtoul(argv[3], NULL, 10));
	if (argc == 5 && (strcmp(argv[1], "copy") == 0 || strcmp(argv[1], "rewrite") == 0))
		return copy(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10), argv[1][0] == 'c');
	if (argc == 5 && strcmp(argv[1], "verify") == 0)
		return verify(argv[2], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	fprintf(stderr, "usage: fullness fill FILE LEAVE | names DIRECTORY N | copy|rewrite|verify DIRECTORY SEED N\n");
	return 2;
}
