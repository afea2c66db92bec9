/* bench_tree.c - many small files: create, walk, read all, delete. Modes of bench_io.
 *
 * Files stand a hundred to a directory, d00000/f000.txt and on. Their contents are pieces of a corpus at places that the
 * seed decides, so every system gets the same. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PER_DIRECTORY 100u

/* The descriptor of DIR/dNNNNN, made. */
static int make_directory(int root, uint64_t number, const char *name_of_root)
{
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "d%05llu", (unsigned long long)number);
	if (mkdirat(root, name, 0755) < 0)
		bench_die("making %s/%s", name_of_root, name);
	fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		bench_die("opening %s/%s", name_of_root, name);
	return fd;
}

static void make_file(int directory, uint64_t number, const char *data, size_t size)
{
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "f%03llu.txt", (unsigned long long)number);
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		bench_die("creating %s", name);
	bench_write(fd, data, size, name);
	if (close(fd) < 0)
		bench_die("closing %s", name);
}

void bench_create(char **arguments)
{
	const uint64_t n = bench_size(arguments[1]);
	const size_t least = bench_size(arguments[2]), most = bench_size(arguments[3]);
	uint64_t state = bench_size(arguments[4]);
	size_t corpus_size;
	const char *corpus = bench_map(arguments[5], &corpus_size);
	int root, directory = -1;
	double begin;

	if (corpus_size <= most)
		bench_die("%s: too small", arguments[5]);
	if (mkdir(arguments[0], 0755) < 0 ||
	    (root = open(arguments[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		bench_die("%s", arguments[0]);
	begin = bench_seconds();
	for (uint64_t i = 0; i < n; i++) {
		const size_t size = bench_random_size(&state, least, most);
		const size_t at = bench_random(&state) % (corpus_size - most);

		if (i % PER_DIRECTORY == 0) {
			if (directory >= 0)
				(void)close(directory);
			directory = make_directory(root, i / PER_DIRECTORY, arguments[0]);
		}
		make_file(directory, i % PER_DIRECTORY, corpus + at, size);
	}
	(void)printf("per_s %.3f\n", (double)n / (bench_seconds() - begin));
	if (directory >= 0)
		(void)close(directory);
	(void)close(root);
}

/* Call `visit` for everything below `fd` (which it takes over), children before their directory. Returns how many. */
static uint64_t each(int fd, void (*visit)(int directory, const char *name, bool is_directory))
{
	DIR *directory = fdopendir(fd);
	struct dirent *entry;
	uint64_t n = 0;

	if (!directory)
		bench_die("opening a directory");
	while ((errno = 0, entry = readdir(directory)) != NULL) {
		const bool is_directory = entry->d_type == DT_DIR;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (is_directory) {
			int child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			if (child < 0)
				bench_die("opening %s", entry->d_name);
			n += each(child, visit);
		}
		visit(fd, entry->d_name, is_directory);
		n += !is_directory;
	}
	if (errno)
		bench_die("reading a directory");
	(void)closedir(directory);
	return n;
}

static void run_each(const char *path, void (*visit)(int directory, const char *name, bool is_directory))
{
	const double begin = bench_seconds();
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t n;

	if (fd < 0)
		bench_die("%s", path);
	n = each(fd, visit);
	(void)printf("per_s %.3f\nfiles %llu\n", (double)n / (bench_seconds() - begin),
		     (unsigned long long)n);
}

static void stat_one(int directory, const char *name, bool is_directory)
{
	struct stat st;

	(void)is_directory;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		bench_die("stat of %s", name);
}

void bench_walk(char **arguments)
{
	run_each(arguments[0], stat_one);
}

static void read_one(int directory, const char *name, bool is_directory)
{
	static char buffer[128 << 10];
	ssize_t n;
	int fd;

	if (is_directory)
		return;
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		bench_die("opening %s", name);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		;
	if (n < 0)
		bench_die("reading %s", name);
	(void)close(fd);
}

void bench_readall(char **arguments)
{
	run_each(arguments[0], read_one);
}

static void delete_one(int directory, const char *name, bool is_directory)
{
	if (unlinkat(directory, name, is_directory ? AT_REMOVEDIR : 0) < 0)
		bench_die("deleting %s", name);
}

void bench_delete(char **arguments)
{
	run_each(arguments[0], delete_one);
	if (rmdir(arguments[0]) < 0)
		bench_die("deleting %s", arguments[0]);
}
