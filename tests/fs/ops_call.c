/* ops_call.c - one system call by its number in a table row. See ops_fixture.h. */
#include "ops_fixture.h"
#include "ops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static int close_errno(int fd)
{
	return fd < 0 ? errno : ops_errno(close(fd));
}

static int opendir_and_close(const char *path)
{
	DIR *directory = opendir(path);

	return !directory ? errno : ops_errno(closedir(directory));
}

static int call_openat2(const char *path, int resolve)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC, .resolve = (unsigned)resolve };

	return close_errno((int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
}

static int call_bind(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = FD(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int r;

	CHECK(strlen(path) < sizeof address.sun_path);
	strcpy(address.sun_path, path);
	r = ops_errno(bind(fd, (struct sockaddr *)&address, sizeof address));
	OK(close(fd));
	return r;
}

/* A kernel before 6.6 knows no such call; glibc then does what it can. */
static int call_lchmod(const char *path, mode_t mode)
{
	int r = ops_errno(syscall(SYS_fchmodat2, AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW));

	return r == ENOSYS ? ops_errno(fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW)) : r;
}

static int call_utimes(const char *path, int seconds)
{
	struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

	return ops_errno(syscall(SYS_utimensat, AT_FDCWD, path, times, 0));
}

static int call_chdir(const char *path)
{
	int here = FD(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
	int r = ops_errno(chdir(path));

	OK(fchdir(here));
	OK(close(here));
	return r;
}

static int wait_for_errno(pid_t pid)
{
	int status;

	OK(waitpid(pid, &status, 0));
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int call_chroot(const char *path)
{
	pid_t pid = (pid_t)OK(fork());

	if (pid == 0)
		_exit(ops_errno(chroot(path)));
	return wait_for_errno(pid);
}

/* The files here are no programs: ENOEXEC says that all was well up to their content. */
static int call_exec(const char *path)
{
	pid_t pid = (pid_t)OK(fork());
	int r;

	if (pid == 0) {
		execl(path, path, (char *)NULL);
		_exit(errno == ENOEXEC ? 0 : errno);
	}
	r = wait_for_errno(pid);
	return r;
}

static int make(int call, const char *a, const char *b, int arg)
{
	switch (call) {
	case CALL_OPEN:
		return close_errno(open(a, arg | O_CLOEXEC, 0644));
	case CALL_CREAT:
		return close_errno(creat(a, (mode_t)arg));
	case CALL_MKDIR:
		return ops_errno(mkdir(a, (mode_t)arg));
	case CALL_LINK:
		return ops_errno(linkat(AT_FDCWD, a, AT_FDCWD, b, arg));
	case CALL_SYMLINK:
		return ops_errno(symlink(a, b));
	case CALL_MKFIFO:
		return ops_errno(mkfifo(a, (mode_t)arg));
	case CALL_MKNOD:
		return ops_errno(mknod(a, (mode_t)arg, makedev(1, 3)));
	case CALL_BIND:
		return call_bind(a);
	default:
		return -1;
	}
}

static int look(int call, const char *a, int arg)
{
	struct statfs statfs_result;
	struct statx statx_result;
	struct stat st;
	char buffer[16];

	switch (call) {
	case CALL_OPENAT2:
		return call_openat2(a, arg);
	case CALL_OPENDIR:
		return opendir_and_close(a);
	case CALL_READLINK:
		return ops_errno(readlink(a, buffer, sizeof buffer));
	case CALL_STAT:
		return ops_errno(stat(a, &st));
	case CALL_LSTAT:
		return ops_errno(lstat(a, &st));
	case CALL_STATX:
		return ops_errno(statx(AT_FDCWD, a, arg, STATX_BASIC_STATS, &statx_result));
	case CALL_STATFS:
		return ops_errno(statfs(a, &statfs_result));
	case CALL_ACCESS:
		return ops_errno(access(a, arg));
	case CALL_EACCESS:
		return ops_errno(faccessat(AT_FDCWD, a, arg, AT_EACCESS));
	case CALL_GETXATTR:
		return ops_errno(getxattr(a, "user.test", buffer, sizeof buffer));
	case CALL_LISTXATTR:
		return ops_errno(listxattr(a, NULL, 0));
	case CALL_CHDIR:
		return call_chdir(a);
	case CALL_CHROOT:
		return call_chroot(a);
	case CALL_EXEC:
		return call_exec(a);
	default:
		return -1;
	}
}

static int change(int call, const char *a, const char *b, int arg)
{
	switch (call) {
	case CALL_RMDIR:
		return ops_errno(rmdir(a));
	case CALL_UNLINK:
		return ops_errno(unlink(a));
	case CALL_RENAME:
		return ops_errno(renameat2(AT_FDCWD, a, AT_FDCWD, b, (unsigned)arg));
	case CALL_TRUNCATE:
		return ops_errno(truncate(a, arg));
	case CALL_CHMOD:
		return ops_errno(chmod(a, (mode_t)arg));
	case CALL_LCHMOD:
		return call_lchmod(a, (mode_t)arg);
	case CALL_CHOWN:
		return ops_errno(chown(a, (uid_t)arg, (gid_t)-1));
	case CALL_CHGRP:
		return ops_errno(chown(a, (uid_t)-1, (gid_t)arg));
	case CALL_LCHOWN:
		return ops_errno(lchown(a, (uid_t)arg, (gid_t)-1));
	case CALL_TOUCH:
		/* glibc refuses a null path itself, with another errno */
		return ops_errno(syscall(SYS_utimensat, AT_FDCWD, a, NULL, 0));
	case CALL_UTIMES:
		return call_utimes(a, arg);
	case CALL_SETXATTR:
		return ops_errno(setxattr(a, "user.test", "x", 1, 0));
	case CALL_REMOVEXATTR:
		return ops_errno(removexattr(a, "user.test"));
	default:
		return -1;
	}
}

int fixture_call(int call, const char *a, const char *b, int arg)
{
	int r = make(call, a, b, arg);

	if (r < 0)
		r = look(call, a, arg);
	if (r < 0)
		r = change(call, a, b, arg);
	if (r < 0)
		ops_fail(__FILE__, __LINE__, "no such call: %d", call);
	return r;
}
