/* ops_pipe.c - cases: bytes moved by the kernel between files, pipes and sockets; advice; ioctl; inotify. */
#include "ops.h"
#include "ops_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SIZE = 300001 };

static int make(const char *name, int flags)
{
	return FD(open(name, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0644));
}

static void check_pattern(const char *path, size_t size)
{
	uint8_t *want = malloc(size);

	CHECK(want != NULL);
	ops_pattern(want, size, 0);
	ops_check_content(path, want, size);
	free(want);
}

/* From a file through a pipe into another one, both ends at work. */
static void through_a_pipe(void)
{
	int ends[2], from, to = make("to", 0);
	loff_t out = 0;
	pid_t pid;
	ssize_t n;

	ops_make_file("from", SIZE);
	from = FD(open("from", O_RDONLY | O_CLOEXEC));
	OK(pipe2(ends, O_CLOEXEC));
	pid = ops_fork();
	if (pid == 0) {
		OK(close(ends[0]));
		while ((n = OK(splice(from, NULL, ends[1], NULL, 100000, SPLICE_F_MOVE | SPLICE_F_MORE))) > 0)
			;
		_exit(0);
	}
	OK(close(ends[1]));
	while ((n = OK(splice(ends[0], NULL, to, &out, 70001, 0))) > 0)
		;
	ops_join(pid);
	EQUAL(out, SIZE);
	EQUAL(OK(lseek(to, 0, SEEK_CUR)), 0);
	check_pattern("to", SIZE);
}

static void by_tee_and_vmsplice(void)
{
	static uint8_t bytes[8192];
	struct iovec vector = { bytes, sizeof bytes };
	int a[2], b[2], one = make("one", 0), two = make("two", 0);

	ops_pattern(bytes, sizeof bytes, 0);
	OK(pipe2(a, O_CLOEXEC));
	OK(pipe2(b, O_CLOEXEC));
	EQUAL(OK(vmsplice(a[1], &vector, 1, 0)), sizeof bytes);
	EQUAL(OK(tee(a[0], b[1], sizeof bytes, 0)), sizeof bytes);
	EQUAL(OK(splice(a[0], NULL, one, NULL, sizeof bytes, 0)), sizeof bytes);
	EQUAL(OK(splice(b[0], NULL, two, NULL, sizeof bytes, 0)), sizeof bytes);
	check_pattern("one", sizeof bytes);
	check_pattern("two", sizeof bytes);
	/* back into memory */
	EQUAL(OK(splice(two, &(loff_t){ 100 }, b[1], NULL, 5000, 0)), 5000);
	memset(bytes, 0, sizeof bytes);
	vector.iov_len = 5000;
	EQUAL(OK(vmsplice(b[0], &vector, 1, 0)), 5000);
	CHECK(ops_is_pattern(bytes, 5000, 100));
	EQUAL(OK(splice(two, &(loff_t){ 8192 }, b[1], NULL, 5000, 0)), 0); /* the end */
}

static void splice_refusals(void)
{
	int ends[2], fd, appender, reader, directory = FD(open(".", O_RDONLY | O_CLOEXEC));

	ops_make_file("file", 100);
	fd = make("file", 0);
	appender = FD(open("file", O_WRONLY | O_APPEND | O_CLOEXEC));
	reader = FD(open("file", O_RDONLY | O_CLOEXEC));
	OK(pipe2(ends, O_CLOEXEC));
	OK(write(ends[1], "abc", 3));
	FAILS(EINVAL, splice(fd, NULL, fd, NULL, 10, 0));
	FAILS(EINVAL, splice(ends[0], NULL, appender, NULL, 3, 0));
	FAILS(EBADF, splice(ends[0], NULL, reader, NULL, 3, 0));
	FAILS(ESPIPE, splice(ends[0], &(loff_t){ 0 }, fd, NULL, 3, 0));
	FAILS(EINVAL, splice(ends[0], NULL, fd, &(loff_t){ -1 }, 3, 0));
	CHECK(splice(directory, NULL, ends[1], NULL, 3, 0) < 0 && (errno == EINVAL || errno == EISDIR));
	FAILS(EINVAL, sendfile(appender, reader, NULL, 10));
	FAILS(EBADF, sendfile(reader, fd, NULL, 10));
	FAILS(EINVAL, sendfile(fd, reader, &(off_t){ -1 }, 10));
	EQUAL(OK(sendfile(fd, reader, &(off_t){ 100 }, 10)), 0);
	EQUAL(OK(splice(ends[0], NULL, fd, NULL, 3, 0)), 3); /* nothing of it was lost */
	EQUAL(ops_stat(fd).st_size, 100);
}

static void into_a_socket(void)
{
	uint8_t bytes[5000];
	int ends[2], from;
	off_t offset = 1000;

	ops_make_file("from", SIZE);
	from = FD(open("from", O_RDONLY | O_CLOEXEC));
	OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	EQUAL(OK(sendfile(ends[0], from, &offset, 5000)), 5000);
	EQUAL(offset, 6000);
	EQUAL(OK(lseek(from, 0, SEEK_CUR)), 0);
	EQUAL(OK(recv(ends[1], bytes, 5000, MSG_WAITALL)), 5000);
	CHECK(ops_is_pattern(bytes, 5000, 1000));
	EQUAL(OK(sendfile(ends[0], from, NULL, 10)), 10);
	EQUAL(OK(lseek(from, 0, SEEK_CUR)), 10);
}

static void advice(void)
{
	int ends[2], fd, writer, directory = FD(open(".", O_RDONLY | O_CLOEXEC));
	uint8_t byte;

	ops_make_file("file", SIZE);
	fd = make("file", 0);
	writer = FD(open("file", O_WRONLY | O_CLOEXEC));
	OK(pipe2(ends, O_CLOEXEC));
	for (int kind = POSIX_FADV_NORMAL; kind <= POSIX_FADV_NOREUSE; kind++)
		EQUAL(posix_fadvise(fd, 0, SIZE, kind), 0);
	EQUAL(posix_fadvise(fd, 0, 0, 77), EINVAL);
	EQUAL(posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL), EINVAL);
	EQUAL(posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	OK(readahead(fd, 0, SIZE));
	FAILS(EBADF, readahead(writer, 0, SIZE));
	FAILS(EINVAL, readahead(directory, 0, SIZE));
	OK(sync_file_range(fd, 0, SIZE, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
	FAILS(EINVAL, sync_file_range(fd, 0, SIZE, 77));
	FAILS(EINVAL, sync_file_range(fd, -1, SIZE, 0));
	FAILS(ESPIPE, sync_file_range(ends[0], 0, 0, 0));
	FAILS(EINVAL, fsync(ends[0]));
	OK(syncfs(fd));
	EQUAL(OK(pread(fd, &byte, 1, SIZE - 1)), 1);
	CHECK(ops_is_pattern(&byte, 1, SIZE - 1));
}

static void controls(void)
{
	int n, fd, flags;

	ops_make_file("file", 100);
	fd = make("file", 0);
	OK(lseek(fd, 30, SEEK_SET));
	OK(ioctl(fd, FIONREAD, &n));
	EQUAL(n, 70);
	OK(ioctl(fd, FIGETBSZ, &n));
	EQUAL(n, 4096);
	FAILS(ENOTTY, ioctl(fd, 0x5401 /* TCGETS */, &n));
	FAILS(ENOTTY, ioctl(fd, _IO('v', 123)));
	FAILS(EOPNOTSUPP, ioctl(make("clone", 0), FICLONE, fd));
	if (on_vault) { /* no chattr(1) */
		FAILS(ENOTTY, ioctl(fd, FS_IOC_GETFLAGS, &flags));
		FAILS(ENOTTY, ioctl(fd, FS_IOC_SETFLAGS, &flags));
		FAILS(ENOTTY, ioctl(fd, FS_IOC_FSGETXATTR, &(struct fsxattr){ 0 }));
	}
	FAILS(EBADF, ioctl(FD(open("file", O_PATH | O_CLOEXEC)), FIONREAD, &n));
}

/* Do something in dir/ and see what a watch of it says: "event name", one behind the other. */
static void check_events(int watch, const char *want)
{
	static const struct {
		uint32_t mask;
		const char *name;
	} names[] = {
		{ IN_ACCESS, "access" },     { IN_MODIFY, "modify" },   { IN_ATTRIB, "attrib" },
		{ IN_CLOSE_WRITE, "close" }, { IN_MOVED_FROM, "from" }, { IN_MOVED_TO, "to" },
		{ IN_CREATE, "create" },     { IN_DELETE, "delete" },   { IN_DELETE_SELF, "gone" },
	};
	char buffer[4096] __attribute__((aligned(8))), got[512] = "";
	ssize_t n = read(watch, buffer, sizeof buffer);

	for (ssize_t at = 0; at < n;) {
		struct inotify_event *event = (struct inotify_event *)(buffer + at);

		for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
			size_t used = strlen(got);

			if (event->mask & names[i].mask)
				snprintf(got + used, sizeof got - used, "%s%s %s", used ? ", " : "",
					 names[i].name, event->len ? event->name : "-");
		}
		at += (ssize_t)(sizeof *event + event->len);
	}
	if (strcmp(got, want) != 0)
		ops_fail(__FILE__, __LINE__, "told '%s', wanted '%s'", got, want);
}

static void watches_are_told(void)
{
	const uint32_t mask =
		IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVE | IN_CREATE | IN_DELETE | IN_DELETE_SELF;
	int watch = FD(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), fd;

	OK(mkdir("dir", 0755));
	OK(inotify_add_watch(watch, "dir", mask));
	fd = make("dir/a", 0);
	check_events(watch, "create a");
	OK(write(fd, "x", 1));
	check_events(watch, "modify a");
	OK(ftruncate(fd, 0));
	check_events(watch, "modify a");
	OK(fchmod(fd, 0600));
	check_events(watch, "attrib a");
	OK(close(fd));
	check_events(watch, "close a");
	OK(rename("dir/a", "dir/b"));
	check_events(watch, "from a, to b");
	OK(link("dir/b", "dir/c"));
	check_events(watch, "create c");
	OK(rename("dir/c", "c"));
	check_events(watch, "from c");
	OK(mkdir("dir/d", 0755));
	OK(rmdir("dir/d"));
	check_events(watch, "create d, delete d");
	OK(unlink("dir/b"));
	check_events(watch, "delete b");
	FAILS(ENOENT, unlink("dir/b"));
	check_events(watch, "");
	OK(rmdir("dir"));
	check_events(watch, "gone -");
}

OPS_CASES(pipe) = {
	{ "splice_through_a_pipe", through_a_pipe },         { "tee_and_vmsplice", by_tee_and_vmsplice },
	{ "splice_and_sendfile_refusals", splice_refusals }, { "sendfile_into_a_socket", into_a_socket },
	{ "fadvise_readahead_sync_file_range", advice },     { "ioctl", controls },
	{ "inotify_tells_what_happens", watches_are_told },  { NULL, NULL },
};
