/* ops_readonly.c - what is refused where nothing may be written. See ops_readonly.h. */
#include "ops_readonly.h"
#include "ops.h"
#include "ops_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct {
	const char *what;
	int call;
	const char *a, *b;
	int arg, want;
} rows[] = {
	{ "open to read", CALL_OPEN, "file", NULL, O_RDONLY, 0 },
	{ "open to write", CALL_OPEN, "file", NULL, O_WRONLY, EROFS },
	{ "open for both", CALL_OPEN, "file", NULL, O_RDWR, EROFS },
	{ "open to append", CALL_OPEN, "file", NULL, O_WRONLY | O_APPEND, EROFS },
	{ "open to truncate", CALL_OPEN, "file", NULL, O_RDONLY | O_TRUNC, EROFS },
	{ "open through a link to write", CALL_OPEN, "link", NULL, O_WRONLY, EROFS },
	{ "open a directory to write", CALL_OPEN, "dir", NULL, O_WRONLY, EISDIR },
	{ "open nothing to write", CALL_OPEN, "absent", NULL, O_WRONLY, ENOENT },
	{ "open a pipe for both", CALL_OPEN, "pipe", NULL, O_RDWR, 0 },
	{ "O_CREAT of what is there", CALL_OPEN, "file", NULL, O_RDONLY | O_CREAT, 0 },
	{ "O_CREAT to write what is there", CALL_OPEN, "file", NULL, O_WRONLY | O_CREAT, EROFS },
	{ "O_CREAT of something new", CALL_OPEN, "new", NULL, O_RDONLY | O_CREAT, EROFS },
	{ "O_CREAT O_EXCL of something new", CALL_OPEN, "new", NULL, O_RDWR | O_CREAT | O_EXCL, EROFS },
	{ "O_CREAT O_EXCL of what is there", CALL_OPEN, "file", NULL, O_RDWR | O_CREAT | O_EXCL, EEXIST },
	{ "O_CREAT through a link to nowhere", CALL_OPEN, "dangling", NULL, O_RDWR | O_CREAT, EROFS },
	{ "O_CREAT below a file", CALL_OPEN, "file/x", NULL, O_RDWR | O_CREAT, ENOTDIR },
	{ "creat", CALL_CREAT, "file", NULL, 0644, EROFS },
	{ "creat of something new", CALL_CREAT, "dir/new", NULL, 0644, EROFS },
	{ "mkdir", CALL_MKDIR, "new", NULL, 0755, EROFS },
	{ "mkdir of what is there", CALL_MKDIR, "dir", NULL, 0755, EEXIST },
	{ "mkdir in nothing", CALL_MKDIR, "absent/new", NULL, 0755, ENOENT },
	{ "rmdir", CALL_RMDIR, "empty", NULL, 0, EROFS },
	{ "rmdir of what is full", CALL_RMDIR, "dir", NULL, 0, EROFS },
	{ "rmdir of dot", CALL_RMDIR, "dir/.", NULL, 0, EINVAL },
	{ "unlink", CALL_UNLINK, "file", NULL, 0, EROFS },
	{ "unlink of a directory", CALL_UNLINK, "dir", NULL, 0, EROFS },
	{ "unlink in nothing", CALL_UNLINK, "absent/x", NULL, 0, ENOENT },
	{ "rename", CALL_RENAME, "file", "new", 0, EROFS },
	{ "rename over a file", CALL_RENAME, "file", "other", 0, EROFS },
	{ "rename to itself", CALL_RENAME, "file", "file", 0, EROFS },
	{ "rename NOREPLACE", CALL_RENAME, "file", "new", RENAME_NOREPLACE, EROFS },
	{ "rename EXCHANGE", CALL_RENAME, "file", "other", RENAME_EXCHANGE, EROFS },
	{ "rename of a directory", CALL_RENAME, "dir", "empty/dir", 0, EROFS },
	{ "link", CALL_LINK, "file", "new", 0, EROFS },
	{ "link over what is there", CALL_LINK, "file", "other", 0, EEXIST },
	{ "symlink", CALL_SYMLINK, "x", "new", 0, EROFS },
	{ "symlink over what is there", CALL_SYMLINK, "x", "file", 0, EEXIST },
	{ "mkfifo", CALL_MKFIFO, "new", NULL, 0644, EROFS },
	{ "mknod", CALL_MKNOD, "new", NULL, S_IFREG | 0644, EROFS },
	{ "bind", CALL_BIND, "new", NULL, 0, EROFS },
	{ "truncate", CALL_TRUNCATE, "file", NULL, 5, EROFS },
	{ "truncate to what it is", CALL_TRUNCATE, "file", NULL, 10, EROFS },
	{ "truncate of a directory", CALL_TRUNCATE, "dir", NULL, 5, EISDIR },
	{ "chmod", CALL_CHMOD, "file", NULL, 0600, EROFS },
	{ "chmod of a directory", CALL_CHMOD, "dir", NULL, 0700, EROFS },
	{ "chmod of nothing", CALL_CHMOD, "absent", NULL, 0600, ENOENT },
	{ "chown", CALL_CHOWN, "file", NULL, 0, EROFS },
	{ "chown of nothing", CALL_CHOWN, "file", NULL, -1, EROFS },
	{ "lchown of a link", CALL_LCHOWN, "dangling", NULL, 0, EROFS },
	{ "times of now", CALL_TOUCH, "file", NULL, 0, EROFS },
	{ "times", CALL_UTIMES, "dir", NULL, 1000, EROFS },
	{ "setxattr", CALL_SETXATTR, "file", NULL, 0, EROFS },
	{ "removexattr", CALL_REMOVEXATTR, "file", NULL, 0, EROFS },
	{ "access to write", CALL_ACCESS, "file", NULL, W_OK, EROFS },
	{ "access to write a directory", CALL_ACCESS, "dir", NULL, W_OK, EROFS },
	{ "access to write a pipe", CALL_ACCESS, "pipe", NULL, W_OK, 0 },
	{ "access to read", CALL_ACCESS, "file", NULL, R_OK, 0 },
	{ "stat", CALL_STAT, "link", NULL, 0, 0 },
	{ "readlink", CALL_READLINK, "dangling", NULL, 0, 0 },
	{ "opendir", CALL_OPENDIR, "dir", NULL, 0, 0 },
	{ "chdir", CALL_CHDIR, "dirlink", NULL, 0, 0 },
	{ "listxattr", CALL_LISTXATTR, "file", NULL, 0, 0 },
};

static void by_descriptor(void)
{
	struct statvfs space;
	uint8_t bytes[10];
	int fd = FD(open("file", O_RDONLY | O_CLOEXEC));

	FAILS(EROFS, fchmod(fd, 0600));
	FAILS(EROFS, fchown(fd, 0, 0));
	FAILS(EROFS, futimens(fd, NULL));
	FAILS(EROFS, fsetxattr(fd, "user.test", "x", 1, 0));
	FAILS(EROFS, fremovexattr(fd, "user.test"));
	FAILS(EINVAL, ftruncate(fd, 5));
	FAILS(EBADF, write(fd, "x", 1));
	FAILS(EBADF, fallocate(fd, 0, 0, 100));
	CHECK(mmap(NULL, 10, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	EQUAL(OK(read(fd, bytes, sizeof bytes)), 10);
	CHECK(ops_is_pattern(bytes, 10, 0));
	OK(flock(fd, LOCK_EX));
	OK(fstatvfs(fd, &space));
	CHECK(space.f_flag & ST_RDONLY);
	OK(close(fd));
}

void readonly_check(void)
{
	uint64_t before = fixture_digest();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].what);
		fixture_check(fixture_call(rows[i].call, rows[i].a, rows[i].b, rows[i].arg), rows[i].want);
		ops_row(NULL);
	}
	by_descriptor();
	CHECK(fixture_digest() == before);
}
