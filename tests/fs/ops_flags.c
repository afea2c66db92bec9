/* ops_flags.c - cases: what the flags of open(2) and fcntl(2) mean, alone, together, and between processes. */
#include "ops.h"
#include "ops_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of: file (10 bytes), dir/, link -> file, dirlink -> dir, dangling -> made, pipe. `size` is that of file afterwards. */
static const struct {
	const char *what, *path;
	int flags, want;
	off_t size;
} combinations[] = {
	{ "O_RDONLY | O_TRUNC", "file", O_RDONLY | O_TRUNC, 0, 0 },
	{ "O_RDWR | O_TRUNC through a link", "link", O_RDWR | O_TRUNC, 0, 0 },
	{ "O_TRUNC of a directory", "dir", O_RDONLY | O_TRUNC, EISDIR, 10 },
	{ "O_PATH | O_TRUNC", "file", O_PATH | O_TRUNC, 0, 10 },
	{ "O_CREAT | O_EXCL | O_TRUNC of what is there", "file", O_RDWR | O_CREAT | O_EXCL | O_TRUNC, EEXIST,
	  10 },
	{ "O_CREAT | O_TRUNC", "file", O_WRONLY | O_CREAT | O_TRUNC, 0, 0 },
	{ "O_APPEND | O_TRUNC", "file", O_WRONLY | O_APPEND | O_TRUNC, 0, 0 },
	{ "O_EXCL without O_CREAT", "file", O_RDWR | O_EXCL, 0, 10 },
	{ "the access mode of ioctl alone", "file", O_RDWR | O_WRONLY, 0, 10 },
	{ "O_DIRECTORY of a file", "file", O_RDONLY | O_DIRECTORY, ENOTDIR, 10 },
	{ "O_DIRECTORY of a link to a directory", "dirlink", O_RDONLY | O_DIRECTORY, 0, 10 },
	{ "O_DIRECTORY | O_NOFOLLOW of it", "dirlink", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, ENOTDIR, 10 },
	{ "O_DIRECTORY of a pipe", "pipe", O_RDONLY | O_DIRECTORY, ENOTDIR, 10 },
	{ "O_DIRECTORY | O_RDWR", "dir", O_RDWR | O_DIRECTORY, EISDIR, 10 },
	{ "O_CREAT of a directory", "dir", O_RDONLY | O_CREAT, EISDIR, 10 },
	{ "O_NOFOLLOW of a link", "link", O_RDONLY | O_NOFOLLOW, ELOOP, 10 },
	{ "O_NOFOLLOW of a file", "file", O_RDONLY | O_NOFOLLOW, 0, 10 },
	{ "O_NOFOLLOW | O_PATH of a link", "link", O_PATH | O_NOFOLLOW, 0, 10 },
	{ "O_NOFOLLOW | O_CREAT of a link to nowhere", "dangling", O_RDWR | O_CREAT | O_NOFOLLOW, ELOOP, 10 },
	{ "O_CREAT of a link to nowhere", "dangling", O_RDWR | O_CREAT, 0, 10 },
	{ "O_NOFOLLOW with a link on the way", "dirlink/.", O_RDONLY | O_NOFOLLOW, 0, 10 },
	{ "O_WRONLY | O_NONBLOCK of a pipe nobody reads", "pipe", O_WRONLY | O_NONBLOCK, ENXIO, 10 },
	{ "O_RDONLY | O_NONBLOCK of a pipe", "pipe", O_RDONLY | O_NONBLOCK, 0, 10 },
	{ "O_NOATIME of what is ours", "file", O_RDONLY | O_NOATIME, 0, 10 },
	{ "O_SYNC | O_DSYNC | O_NONBLOCK | O_NOCTTY", "file",
	  O_RDWR | O_SYNC | O_DSYNC | O_NONBLOCK | O_NOCTTY, 0, 10 },
	{ "a slash behind a file", "file/", O_RDONLY, ENOTDIR, 10 },
	{ "a slash behind what is to be made", "new/", O_RDWR | O_CREAT, EISDIR, 10 },
};

static void flags_together(void)
{
	for (size_t i = 0; i < sizeof combinations / sizeof *combinations; i++) {
		char base[16];
		int fd;

		ops_row(combinations[i].what);
		snprintf(base, sizeof base, "row%zu", i);
		OK(mkdir(base, 0755));
		OK(chdir(base));
		ops_make_file("file", 10);
		OK(mkdir("dir", 0755));
		OK(symlink("file", "link"));
		OK(symlink("dir", "dirlink"));
		OK(symlink("made", "dangling"));
		OK(mkfifo("pipe", 0644));
		fd = open(combinations[i].path, combinations[i].flags | O_CLOEXEC, 0644);
		EQUAL(ops_errno(fd), combinations[i].want);
		EQUAL(ops_lstat("file").st_size, combinations[i].size);
		CHECK(!ops_there("new"));
		if (fd >= 0)
			OK(close(fd));
		OK(chdir(".."));
	}
}

static void flags_of_others(void)
{
	ops_make_file("readable", 10);
	ops_make_file("writable", 10);
	OK(chmod("writable", 0666));
	ops_become_user(12345, 12345);
	FAILS(EPERM, open("readable", O_RDONLY | O_NOATIME | O_CLOEXEC));
	FAILS(EPERM, open("writable", O_RDWR | O_NOATIME | O_CLOEXEC));
	FAILS(EACCES, open("readable", O_RDONLY | O_TRUNC | O_CLOEXEC));
	FAILS(EACCES, open("new", O_RDWR | O_CREAT | O_CLOEXEC, 0666));
	EQUAL(ops_lstat("readable").st_size, 10);
	FAILS(EPERM, fcntl(FD(open("writable", O_RDWR | O_CLOEXEC)), F_SETFL, O_NOATIME));
	OK(close(FD(open("writable", O_RDONLY | O_TRUNC | O_CLOEXEC))));
	EQUAL(ops_lstat("writable").st_size, 0);
}

static void unnamed_files(void)
{
	int fd;

	FAILS(EINVAL, open(".", O_TMPFILE | O_RDONLY | O_CLOEXEC, 0600));
	ops_make_file("file", 1);
	FAILS(ENOTDIR, open("file", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && on_vault) { /* libfuse before 3.17 cannot carry it */
		EQUAL(errno, EOPNOTSUPP);
		EQUAL(ops_count("."), 1);
		return;
	}
	OK(fd);
	EQUAL(ops_stat(fd).st_nlink, 0);
	EQUAL(OK(write(fd, "x", 1)), 1);
}

enum { RACERS = 4, NAMES = 150 };

static void one_wins_each_name(void)
{
	pid_t pids[RACERS];
	char owner[NAMES][8];
	char name[16];

	for (int p = 0; p < RACERS; p++) {
		pids[p] = ops_fork();
		if (pids[p] != 0)
			continue;
		for (int i = 0; i < NAMES; i++) {
			int fd;

			snprintf(name, sizeof name, "name%d", i);
			fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
			if (fd < 0) {
				EQUAL(errno, EEXIST);
				continue;
			}
			EQUAL(OK(write(fd, &(char){ (char)('a' + p) }, 1)), 1);
			OK(close(fd));
		}
		_exit(0);
	}
	for (int p = 0; p < RACERS; p++)
		ops_join(pids[p]);
	EQUAL(ops_count("."), NAMES);
	for (int i = 0; i < NAMES; i++) {
		int fd;

		snprintf(name, sizeof name, "name%d", i);
		fd = FD(open(name, O_RDONLY | O_CLOEXEC));
		EQUAL(OK(read(fd, owner[i], 8)), 1); /* one wrote, once */
		OK(close(fd));
	}
}

static void one_file_position(void)
{
	char bytes[10];
	int fd, twin, other;
	pid_t pid;

	ops_make_file("file", 100);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	twin = FD(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	other = FD(open("file", O_RDWR | O_CLOEXEC));
	EQUAL(OK(read(fd, bytes, 10)), 10);
	EQUAL(OK(lseek(twin, 0, SEEK_CUR)), 10);
	EQUAL(OK(lseek(other, 0, SEEK_CUR)), 0);
	pid = ops_fork();
	if (pid == 0) {
		EQUAL(OK(read(twin, bytes, 10)), 10);
		CHECK(ops_is_pattern((uint8_t *)bytes, 10, 10));
		_exit(0);
	}
	ops_join(pid);
	EQUAL(OK(lseek(fd, 0, SEEK_CUR)), 20);
	EQUAL(OK(pread(fd, bytes, 10, 50)), 10);
	EQUAL(OK(pwrite(fd, bytes, 10, 50)), 10);
	EQUAL(OK(lseek(fd, 0, SEEK_CUR)), 20);
	EQUAL(OK(lseek(fd, -5, SEEK_CUR)), 15);
	FAILS(EINVAL, lseek(fd, -16, SEEK_CUR));
	EQUAL(OK(lseek(fd, 50, SEEK_END)), 150);
	EQUAL(OK(read(fd, bytes, 10)), 0);
	EQUAL(OK(write(fd, "x", 1)), 1);
	EQUAL(ops_stat(fd).st_size, 151);
}

static void status_flags_change(void)
{
	int fd;

	ops_make_file("file", 10);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	EQUAL(OK(fcntl(fd, F_GETFL)) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
	OK(fcntl(fd, F_SETFL, O_APPEND));
	EQUAL(OK(write(fd, "x", 1)), 1);
	EQUAL(ops_stat(fd).st_size, 11);
	OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	EQUAL(OK(pwrite(fd, "y", 1, 0)), 1);
	EQUAL(ops_stat(fd).st_size, 11);
	EQUAL(OK(fcntl(fd, F_GETFL)) & (O_APPEND | O_NONBLOCK), O_NONBLOCK);
	OK(fcntl(fd, F_SETFL, O_NOATIME));
	OK(fcntl(fd, F_SETFL, O_DIRECT));
	EQUAL(OK(fcntl(fd, F_GETFL)) & O_DIRECT, O_DIRECT);
	OK(fcntl(fd, F_SETFL, 0));
}

/* O_DIRECT, the page cache and a map see the same bytes at once, in both directions. */
static void direct_io_is_coherent(void)
{
	enum { SIZE = 65536, BLOCK = 4096 };
	uint8_t *block = NULL, *p;
	int direct, buffered;

	ops_make_file("file", SIZE);
	direct = open("file", O_RDWR | O_DIRECT | O_CLOEXEC);
	if (direct < 0 && errno == EINVAL)
		ops_skip("no O_DIRECT here");
	OK(direct);
	buffered = FD(open("file", O_RDWR | O_CLOEXEC));
	CHECK(posix_memalign((void **)&block, BLOCK, BLOCK) == 0);
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buffered, 0);
	CHECK(p != MAP_FAILED);
	CHECK(ops_is_pattern(p, SIZE, 0)); /* all of it is cached */
	for (uint8_t i = 1; i < 12; i++) {
		off_t at = (off_t)i * BLOCK;

		memset(block, i, BLOCK);
		EQUAL(OK(pwrite(direct, block, BLOCK, at)), BLOCK);
		EQUAL(OK(pread(buffered, block, 1, at + 7)), 1);
		EQUAL(block[0], i);
		EQUAL(p[at + 9], i);
		EQUAL(OK(pwrite(buffered, "b", 1, at + 1)), 1);
		p[at + 2] = 'm';
		EQUAL(OK(pread(direct, block, BLOCK, at)), BLOCK);
		CHECK(block[0] == i && block[1] == 'b' && block[2] == 'm' && block[3] == i);
	}
	memset(block, 'z', BLOCK);
	EQUAL(OK(pwrite(direct, block, BLOCK, SIZE)), BLOCK); /* the file grows */
	EQUAL(ops_stat(buffered).st_size, SIZE + BLOCK);
	EQUAL(OK(pread(buffered, block, BLOCK, SIZE + 1)), BLOCK - 1);
	EQUAL(block[0], 'z');
	OK(ftruncate(buffered, SIZE));
	EQUAL(OK(pread(direct, block, BLOCK, SIZE)), 0);
	if (on_vault) { /* which wants no alignment */
		EQUAL(OK(pwrite(direct, "odd", 3, 12345)), 3);
		EQUAL(OK(pread(direct, block + 1, 3, 12345)), 3);
		CHECK(memcmp(block + 1, "odd", 3) == 0 && memcmp(p + 12345, "odd", 3) == 0);
	}
}

static int open_beneath(const char *path, uint64_t resolve)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC, .resolve = resolve };

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static void openat2_resolves(void)
{
	ops_make_file("file", 1);
	OK(mkdir("dir", 0755));
	OK(symlink("../file", "dir/up"));
	OK(open_beneath("dir/../file", RESOLVE_BENEATH));
	FAILS(EXDEV, open_beneath("../file", RESOLVE_BENEATH));
	OK(open_beneath("dir/up", RESOLVE_BENEATH));
	FAILS(ELOOP, open_beneath("dir/up", RESOLVE_NO_SYMLINKS));
	FAILS(EXDEV, open_beneath("/", RESOLVE_BENEATH));
	OK(open_beneath("dir/up", RESOLVE_IN_ROOT));
	OK(open_beneath("file", RESOLVE_NO_XDEV));
}

OPS_CASES(flags) = {
	{ "open_flags_together", flags_together },
	{ "open_flags_of_others", flags_of_others },
	{ "O_TMPFILE", unnamed_files },
	{ "O_EXCL_one_process_wins", one_wins_each_name },
	{ "dup_and_fork_share_the_position", one_file_position },
	{ "F_SETFL", status_flags_change },
	{ "O_DIRECT_is_coherent", direct_io_is_coherent },
	{ "openat2", openat2_resolves },
	{ NULL, NULL },
};
