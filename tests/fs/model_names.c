/* model_names.c - the same random calls on names in two directories: both must answer alike and end alike. */
#include "model.h"
#include "../random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 256, DEPTH_MAX = 3, COMPARE_EVERY = 500 };

/* What a step does, chosen once, done on both sides. */
struct names_step {
	enum {
		STEP_CREATE,
		STEP_CREATE_EXCL,
		STEP_MKDIR,
		STEP_RMDIR,
		STEP_UNLINK,
		STEP_RENAME,
		STEP_LINK,
		STEP_SYMLINK,
		STEP_MKFIFO,
		STEP_STAT,
		STEP_APPEND,
		STEP_TRUNCATE,
		STEP_CHMOD,
		STEP_READLINK,
	} call;
	char a[PATH_SIZE], b[PATH_SIZE];
	unsigned number;
};

static void random_path(struct random *r, char path[PATH_SIZE])
{
	size_t depth = random_below(r, DEPTH_MAX) + 1, at = 0;

	for (size_t i = 0; i < depth; i++)
		at += (size_t)snprintf(path + at, PATH_SIZE - at, "%s%c", i ? "/" : "",
				       (int)('a' + random_below(r, 4)));
}

static struct names_step random_step(struct random *r)
{
	static const int calls[] = { STEP_CREATE,   STEP_CREATE,  STEP_CREATE_EXCL, STEP_MKDIR,  STEP_MKDIR,
				     STEP_MKDIR,    STEP_RMDIR,   STEP_RMDIR,       STEP_UNLINK, STEP_UNLINK,
				     STEP_RENAME,   STEP_RENAME,  STEP_RENAME,      STEP_RENAME, STEP_LINK,
				     STEP_LINK,     STEP_SYMLINK, STEP_MKFIFO,      STEP_STAT,   STEP_APPEND,
				     STEP_TRUNCATE, STEP_CHMOD,   STEP_READLINK };
	static const unsigned flags[] = { 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE };
	struct names_step s = { 0 };

	s.call = (unsigned)calls[random_below(r, sizeof calls / sizeof *calls)];
	random_path(r, s.a);
	random_path(r, s.b);
	s.number = s.call == STEP_RENAME ? flags[random_below(r, 6)] : (unsigned)random_below(r, 5000);
	return s;
}

static int create(int at, const char *path, int flags, unsigned append)
{
	char bytes[5000] = { 0 };
	int fd = openat(at, path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | flags, 0644);
	int result = 0;

	if (fd < 0)
		return errno;
	if (append && write(fd, bytes, append) != (ssize_t)append)
		result = errno;
	if (close(fd) < 0)
		result = errno;
	return result;
}

static int truncate_at(int at, const char *path, unsigned size)
{
	int fd = openat(at, path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	int result;

	if (fd < 0)
		return errno;
	result = ftruncate(fd, size) < 0 ? errno : 0;
	close(fd);
	return result;
}

static int do_step(int at, const struct names_step *s)
{
	char target[PATH_SIZE];
	struct stat st;
	long result = 0;

	switch (s->call) {
	case STEP_CREATE:
		return create(at, s->a, O_CREAT, 0);
	case STEP_CREATE_EXCL:
		return create(at, s->a, O_CREAT | O_EXCL, s->number);
	case STEP_APPEND:
		return create(at, s->a, O_APPEND, s->number);
	case STEP_TRUNCATE:
		return truncate_at(at, s->a, s->number);
	case STEP_MKDIR:
		result = mkdirat(at, s->a, 0755);
		break;
	case STEP_RMDIR:
		result = unlinkat(at, s->a, AT_REMOVEDIR);
		break;
	case STEP_UNLINK:
		result = unlinkat(at, s->a, 0);
		break;
	case STEP_RENAME:
		result = renameat2(at, s->a, at, s->b, s->number);
		break;
	case STEP_LINK:
		result = linkat(at, s->a, at, s->b, 0);
		break;
	case STEP_SYMLINK:
		result = symlinkat(s->b, at, s->a);
		break;
	case STEP_MKFIFO:
		result = mkfifoat(at, s->a, 0644);
		break;
	case STEP_STAT:
		result = fstatat(at, s->a, &st, 0);
		break;
	case STEP_CHMOD:
		result = fchmodat(at, s->a, (s->number & 0777) | 0700, 0);
		break;
	case STEP_READLINK:
		result = readlinkat(at, s->a, target, sizeof target);
		break;
	}
	return result < 0 ? errno : 0;
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int scan(int at, const char *path, struct dirent ***ret_entries)
{
	int n = scandirat(at, path, ret_entries, not_dots, alphasort);

	if (n < 0)
		model_fail("cannot list %s: %s", path, strerror(errno));
	return n;
}

static void compare_one(int a, int b, const char *path, unsigned step)
{
	char target_a[PATH_SIZE] = "", target_b[PATH_SIZE] = "";
	struct stat x, y;

	if (fstatat(a, path, &x, AT_SYMLINK_NOFOLLOW) < 0 || fstatat(b, path, &y, AT_SYMLINK_NOFOLLOW) < 0)
		model_fail("step %u: %s is listed, but: %s", step, path, strerror(errno));
	if (x.st_mode != y.st_mode || x.st_nlink != y.st_nlink ||
	    (!S_ISDIR(x.st_mode) && x.st_size != y.st_size))
		model_fail("step %u: %s: mode %o, wanted %o; links %ju, wanted %ju; size %jd, wanted %jd",
			   step, path, x.st_mode, y.st_mode, (uintmax_t)x.st_nlink, (uintmax_t)y.st_nlink,
			   (intmax_t)x.st_size, (intmax_t)y.st_size);
	if (S_ISLNK(x.st_mode)) {
		(void)!readlinkat(a, path, target_a, sizeof target_a - 1);
		(void)!readlinkat(b, path, target_b, sizeof target_b - 1);
		if (strcmp(target_a, target_b) != 0)
			model_fail("step %u: %s leads to %s, wanted %s", step, path, target_a, target_b);
	}
}

static void compare_trees(int a, int b, const char *path, unsigned step)
{
	struct dirent **in_a, **in_b;
	int n_a = scan(a, path, &in_a), n_b = scan(b, path, &in_b);

	if (n_a != n_b)
		model_fail("step %u: %s has %d entries, wanted %d", step, path, n_a, n_b);
	for (int i = 0; i < n_a; i++) {
		char child[4096];

		if (strcmp(in_a[i]->d_name, in_b[i]->d_name) != 0)
			model_fail("step %u: %s has %s, wanted %s", step, path, in_a[i]->d_name,
				   in_b[i]->d_name);
		if (in_a[i]->d_type != in_b[i]->d_type)
			model_fail("step %u: %s/%s has another d_type", step, path, in_a[i]->d_name);
		snprintf(child, sizeof child, "%s/%s", path, in_a[i]->d_name);
		compare_one(a, b, child, step);
		if (in_a[i]->d_type == DT_DIR)
			compare_trees(a, b, child, step);
		free(in_a[i]);
		free(in_b[i]);
	}
	free(in_a);
	free(in_b);
}

void model_names(const char *a, const char *b, uint64_t seed, unsigned n)
{
	struct random random = { seed };
	int at_a = open(a, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int at_b = open(b, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned n_successes = 0;

	if (at_a < 0 || at_b < 0)
		model_fail("%s, %s: %s", a, b, strerror(errno));
	for (unsigned i = 0; i < n; i++) {
		struct names_step s = random_step(&random);
		int got = do_step(at_a, &s), want = do_step(at_b, &s);

		if (got != want)
			model_fail("step %u: call %d (%u) of %s, %s: %s, wanted %s", i, s.call, s.number, s.a,
				   s.b, got ? strerrorname_np(got) : "success",
				   want ? strerrorname_np(want) : "success");
		n_successes += got == 0;
		if (i % COMPARE_EVERY == 0 || i + 1 == n)
			compare_trees(at_a, at_b, ".", i);
	}
	close(at_a);
	close(at_b);
	printf("%u calls answered alike, %u of them with success\n", n, n_successes);
}
