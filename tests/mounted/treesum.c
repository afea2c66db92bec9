/* treesum.c - print one line for each thing in a tree, so that diff(1) can compare two of them.
 *
 * A line has the path, type, mode, owner, link count, size, time in ns, device, target, xattrs and a digest of the
 * content, holes read as zeros: two files that differ only in their holes are equal. Names of one inode name the first
 * of them. What the filesystem adds by itself (user.mime_type) is left out.
 * Usage: treesum [-t] [-o] [-x] DIRECTORY     without times, owners, xattrs */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <xxhash.h>

enum { LIST_MAX = 65536, NAMES_MAX = 4096, READ_SIZE = 1 << 20 };

struct seen_inode {
	ino_t ino;
	char *path;
};

static bool with_times = true, with_owners = true, with_xattrs = true;
static struct seen_inode *seen; /* inodes with several names, in the order they were met */
static size_t n_seen;

static _Noreturn void die(const char *what, const char *path)
{
	fprintf(stderr, "treesum: %s: %s: %s\n", path, what, strerror(errno));
	exit(1);
}

static void print_escaped(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c > ' ' && c < 127 && c != '\\')
			putchar(c);
		else
			printf("\\%03o", c);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_xattr(const char *path, const char *name)
{
	static char value[LIST_MAX];
	ssize_t size = lgetxattr(path, name, value, sizeof value);

	if (size < 0)
		die(name, path);
	printf(" %s=", name);
	print_escaped(value, (size_t)size);
}

static void print_xattrs(const char *path)
{
	static char names[LIST_MAX];
	static char *sorted[NAMES_MAX];
	ssize_t list = llistxattr(path, names, sizeof names);
	size_t n = 0;

	if (list < 0 && errno != ENOTSUP)
		die("llistxattr", path);
	for (ssize_t at = 0; at < list && n < NAMES_MAX; at += (ssize_t)strlen(names + at) + 1)
		sorted[n++] = names + at;
	qsort(sorted, n, sizeof *sorted, by_name);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(sorted[i], "user.mime_type") != 0)
			print_xattr(path, sorted[i]);
	}
}

static void print_content(const char *path, off_t size)
{
	static char buffer[READ_SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	XXH3_state_t *state = XXH3_createState();
	XXH128_hash_t digest;
	off_t total = 0;
	ssize_t n;

	if (fd < 0)
		die("open", path);
	if (!state)
		die("malloc", path);
	(void)XXH3_128bits_reset(state);
	while ((n = read(fd, buffer, sizeof buffer)) > 0) {
		(void)XXH3_128bits_update(state, buffer, (size_t)n);
		total += n;
	}
	if (n < 0)
		die("read", path);
	if (total != size) {
		errno = EIO;
		die("its size is not what can be read", path);
	}
	digest = XXH3_128bits_digest(state);
	(void)XXH3_freeState(state);
	close(fd);
	printf(" content=%016" PRIx64 "%016" PRIx64, digest.high64, digest.low64);
}

static void print_target(const char *path)
{
	char target[4096];
	ssize_t n = readlink(path, target, sizeof target);

	if (n < 0)
		die("readlink", path);
	printf(" ->");
	print_escaped(target, (size_t)n);
}

/* The first path under which the inode was met; NULL if this is it. */
static const char *first_name(const struct stat *st, const char *path)
{
	for (size_t i = 0; i < n_seen; i++) {
		if (seen[i].ino == st->st_ino)
			return seen[i].path;
	}
	seen = realloc(seen, (n_seen + 1) * sizeof *seen);
	if (!seen)
		die("malloc", path);
	seen[n_seen].ino = st->st_ino;
	seen[n_seen].path = strdup(path);
	if (!seen[n_seen++].path)
		die("malloc", path);
	return NULL;
}

static void print_line(const char *path, const struct stat *st)
{
	const char *first = NULL;

	print_escaped(path, strlen(path));
	printf(" %06o", st->st_mode);
	if (with_owners)
		printf(" %u:%u", st->st_uid, st->st_gid);
	if (!S_ISDIR(st->st_mode))
		printf(" links=%ju size=%jd rdev=%jx", (uintmax_t)st->st_nlink, (intmax_t)st->st_size,
		       (uintmax_t)st->st_rdev);
	if (with_times)
		printf(" %jd.%09ld", (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (with_xattrs)
		print_xattrs(path);
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		first = first_name(st, path);
	if (S_ISLNK(st->st_mode))
		print_target(path);
	if (first) {
		printf(" same-as=");
		print_escaped(first, strlen(first));
	} else if (S_ISREG(st->st_mode)) {
		print_content(path, st->st_size);
	}
	putchar('\n');
}

static void walk(const char *directory)
{
	struct dirent **entries;
	int n = scandir(directory, &entries, NULL, alphasort);

	if (n < 0)
		die("scandir", directory);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		char *path = NULL;
		struct stat st;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			if (asprintf(&path, "%s/%s", directory, name) < 0)
				die("malloc", directory);
			if (lstat(path, &st) < 0)
				die("lstat", path);
			print_line(path, &st);
			if (S_ISDIR(st.st_mode))
				walk(path);
			free(path);
		}
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "tox")) != -1) {
		switch (option) {
		case 't':
			with_times = false;
			break;
		case 'o':
			with_owners = false;
			break;
		case 'x':
			with_xattrs = false;
			break;
		default:
			return 2;
		}
	}
	if (optind + 1 != argc || chdir(argv[optind]) < 0) {
		fprintf(stderr, "usage: treesum [-t] [-o] [-x] DIRECTORY\n");
		return 2;
	}
	walk(".");
	for (size_t i = 0; i < n_seen; i++)
		free(seen[i].path);
	free(seen);
	return 0;
}
