/* deep.c - trees deeper than any path: deep make|walk|rename DIRECTORY N. Level i is named "level-i". */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Noreturn void broken(const char *what, int level)
{
	fprintf(stderr, "deep: %s at level %d: %s\n", what, level, strerror(errno));
	exit(1);
}

static int descend(int fd, const char *name, int level)
{
	int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (next < 0)
		broken("cannot go down", level);
	close(fd);
	return next;
}

static int go_down(int fd, int from, int to)
{
	char name[32];

	for (int level = from; level < to; level++) {
		snprintf(name, sizeof name, "level-%d", level);
		fd = descend(fd, name, level);
	}
	return fd;
}

static void make(int fd, int n)
{
	char name[32];
	int file;

	for (int level = 0; level < n; level++) {
		snprintf(name, sizeof name, "level-%d", level);
		if (mkdirat(fd, name, 0755) < 0)
			broken("cannot make a directory", level);
		fd = descend(fd, name, level);
	}
	file = openat(fd, "bottom", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (file < 0 || write(file, "deep\n", 5) != 5 || close(file) < 0)
		broken("cannot make a file", n);
	if (symlinkat("bottom", fd, "link") < 0)
		broken("cannot make a link", n);
}

/* The bottom as the working directory: no path leads here, but everything works. */
static void look_around(int fd, int n)
{
	char path[PATH_MAX], bytes[8], end[64];
	struct stat by_path, by_fd;
	char *whole;

	if (fchdir(fd) < 0)
		broken("cannot work there", n);
	if (syscall(SYS_getcwd, path, sizeof path) >= 0 || errno != ENAMETOOLONG)
		broken("getcwd did not fail with ENAMETOOLONG", n);
	snprintf(end, sizeof end, "/level-%d/level-%d", n - 2, n - 1);
	whole = getcwd(NULL, 0); /* the C library climbs up, and reads every directory on the way */
	if (!whole || strlen(whole) <= PATH_MAX || strcmp(whole + strlen(whole) - strlen(end), end) != 0)
		broken("the way up is wrong", n);
	free(whole);
	fd = open("link", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, bytes, sizeof bytes) != 5 || memcmp(bytes, "deep\n", 5) != 0)
		broken("cannot read the file", n);
	if (fstat(fd, &by_fd) < 0 || stat("./bottom", &by_path) < 0 || by_fd.st_ino != by_path.st_ino)
		broken("another file", n);
	close(fd);
}

static void climb_up(int fd, int n)
{
	struct stat here, up;

	for (int level = n; level > 0; level--) {
		char name[32];
		int next = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		snprintf(name, sizeof name, "level-%d", level - 1);
		if (next < 0 || fstat(fd, &here) < 0 || fstatat(next, name, &up, AT_SYMLINK_NOFOLLOW) < 0)
			broken("cannot go up", level);
		if (here.st_ino != up.st_ino)
			broken("\"..\" is another one", level);
		close(fd);
		fd = next;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	int n = argc == 4 ? atoi(argv[3]) : 0;
	int fd = n > 0 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: deep make|walk|rename DIRECTORY N\n");
		return 2;
	}
	if (strcmp(argv[1], "make") == 0) {
		make(fd, n);
	} else if (strcmp(argv[1], "walk") == 0) {
		fd = go_down(fd, 0, n);
		look_around(fd, n);
		climb_up(fd, n);
	} else if (strcmp(argv[1], "rename") == 0) {
		int top = dup(fd);
		char name[32];

		fd = go_down(fd, 0, n / 2); /* what is below moves to the top, and back */
		snprintf(name, sizeof name, "level-%d", n / 2);
		if (renameat(fd, name, top, "moved") < 0)
			broken("cannot rename", n / 2);
		if (renameat(fd, ".", top, "x") >= 0 || errno != EBUSY)
			broken("renamed \".\"", n / 2);
		look_around(go_down(descend(dup(top), "moved", 0), n / 2 + 1, n), n);
		if (renameat(top, "level-0", top, "moved/x") < 0 ||
		    renameat(top, "moved/x", top, "level-0") < 0)
			broken("cannot rename the rest below it", 0);
		if (renameat(top, "moved", fd, name) < 0)
			broken("cannot rename back", n / 2);
		if (renameat(top, "level-0", fd, name) >= 0 || errno != EINVAL)
			broken("renamed into itself", n / 2);
	} else {
		return 2;
	}
	return 0;
}
