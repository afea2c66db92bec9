/* durable.c - what must be on disk when a call returns: durable write|check DIRECTORY. One file for each way to ask. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SIZE = 64 << 10 };

static _Noreturn void broken(const char *name, const char *what)
{
	fprintf(stderr, "durable: %s: %s: %s\n", name, what, strerror(errno));
	exit(1);
}

static void fill(char *bytes, char letter)
{
	memset(bytes, letter, SIZE);
}

static void by_flag(const char *name, int fd, char *bytes)
{
	if (write(fd, bytes, SIZE) != SIZE)
		broken(name, "write");
}

static void by_request(const char *name, int fd, char *bytes)
{
	struct iovec vector = { bytes, SIZE };

	if (pwritev2(fd, &vector, 1, 0, RWF_DSYNC) != SIZE)
		broken(name, "pwritev2");
}

static void by_fsync(const char *name, int fd, char *bytes)
{
	by_flag(name, fd, bytes);
	if (fsync(fd) < 0)
		broken(name, "fsync");
}

static void by_fdatasync(const char *name, int fd, char *bytes)
{
	by_flag(name, fd, bytes);
	if (fdatasync(fd) < 0)
		broken(name, "fdatasync");
}

static void by_msync(const char *name, int fd, char *bytes)
{
	char *p;

	if (ftruncate(fd, SIZE) < 0)
		broken(name, "ftruncate");
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		broken(name, "mmap");
	memcpy(p, bytes, SIZE);
	if (msync(p, SIZE, MS_SYNC) < 0)
		broken(name, "msync");
}

static const struct {
	const char *name;
	int flags;
	void (*write)(const char *name, int fd, char *bytes);
} ways[] = {
	{ "O_SYNC", O_SYNC, by_flag },
	{ "O_DSYNC", O_DSYNC, by_flag },
	{ "O_SYNC and O_DIRECT", O_SYNC | O_DIRECT, by_flag },
	{ "O_SYNC and O_APPEND", O_SYNC | O_APPEND, by_flag },
	{ "RWF_DSYNC", 0, by_request },
	{ "fsync", 0, by_fsync },
	{ "fdatasync", 0, by_fdatasync },
	{ "O_DIRECT and fsync", O_DIRECT, by_fsync },
	{ "msync", 0, by_msync },
};
enum { N_WAYS = sizeof ways / sizeof *ways };

static void write_one(size_t i, char *bytes)
{
	int fd = open(ways[i].name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | ways[i].flags, 0644);

	if (fd < 0)
		broken(ways[i].name, "open");
	fill(bytes, (char)('a' + i));
	ways[i].write(ways[i].name, fd, bytes);
	close(fd);
}

static void check_one(size_t i, char *bytes)
{
	static char got[SIZE + 1];
	int fd = open(ways[i].name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		broken(ways[i].name, "open");
	fill(bytes, (char)('a' + i));
	if (read(fd, got, SIZE + 1) != SIZE || memcmp(got, bytes, SIZE) != 0)
		broken(ways[i].name, "is not what was written");
	close(fd);
}

int main(int argc, char **argv)
{
	char *bytes = NULL;
	size_t way = argc == 4 ? strtoul(argv[3], NULL, 10) : N_WAYS;

	if (argc == 2 && strcmp(argv[1], "count") == 0) {
		printf("%d\n", N_WAYS);
		return 0;
	}
	if (way >= N_WAYS || posix_memalign((void **)&bytes, 4096, SIZE) != 0 || chdir(argv[2]) < 0) {
		fprintf(stderr, "usage: durable count | durable write|check DIRECTORY WAY\n");
		return 2;
	}
	if (strcmp(argv[1], "write") == 0)
		write_one(way, bytes);
	else
		check_one(way, bytes);
	free(bytes);
	return 0;
}
