/* ops_xattr_owners.c - cases: extended attributes by namespace, kind of file and caller; many of them; odd requests. */
#include "ops.h"
#include "ops_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { OWNER = 12345, STRANGER = 23456 };

/* One call of each kind on one name, as somebody. `get` is for an attribute that root had set, if it could. */
struct xattr_row {
	const char *what, *path, *name;
	int set, get, remove;
};

static void try_row(const struct xattr_row *row)
{
	char value[10];

	ops_row(row->what);
	EQUAL(ops_errno(lgetxattr(row->path, row->name, value, sizeof value)), row->get);
	EQUAL(ops_errno(lsetxattr(row->path, row->name, "new", 3, 0)), row->set);
	EQUAL(ops_errno(lremovexattr(row->path, row->name)), row->remove);
}

static void make_kinds(void)
{
	static const char *const files[] = { "file", "secret", "read only" };

	for (int i = 0; i < 3; i++) {
		ops_make_file(files[i], 1);
		OK(setxattr(files[i], "user.x", "old", 3, 0));
		OK(chown(files[i], OWNER, OWNER));
	}
	OK(setxattr("file", "trusted.x", "old", 3, 0));
	OK(chmod("secret", 0200));
	OK(chmod("read only", 0444));
	OK(mkdir("dir", 0755));
	OK(chown("dir", OWNER, OWNER));
	OK(mkdir("sticky", 0755));
	OK(chmod("sticky", 01777));
	OK(setxattr("sticky", "user.x", "old", 3, 0));
	OK(symlink("file", "link"));
	OK(mkfifo("pipe", 0666));
	OK(chmod("pipe", 0666));
	OK(mknod("socket", S_IFSOCK | 0666, 0));
	OK(mknod("device", S_IFCHR | 0666, makedev(1, 3)));
}

static void by_root(void)
{
	static const struct xattr_row rows[] = {
		{ "user.* of a file", "file", "user.x", 0, 0, 0 },
		{ "user.* of a directory", "dir", "user.x", 0, ENODATA, 0 },
		{ "user.* of a sticky directory", "sticky", "user.x", 0, 0, 0 },
		{ "user.* of a link", "link", "user.x", EPERM, ENODATA, EPERM },
		{ "user.* of a pipe", "pipe", "user.x", EPERM, ENODATA, EPERM },
		{ "user.* of a socket", "socket", "user.x", EPERM, ENODATA, EPERM },
		{ "user.* of a device", "device", "user.x", EPERM, ENODATA, EPERM },
		{ "trusted.* of a file", "file", "trusted.x", 0, 0, 0 },
		{ "trusted.* of a link", "link", "trusted.x", 0, ENODATA, 0 },
		{ "trusted.* of a pipe", "pipe", "trusted.x", 0, ENODATA, 0 },
		{ "trusted.* of a device", "device", "trusted.x", 0, ENODATA, 0 },
		{ "security.* of a file", "file", "security.x", 0, ENODATA, 0 },
		{ "security.* of a link", "link", "security.x", 0, ENODATA, 0 },
		{ "what is not there", "absent", "user.x", ENOENT, ENOENT, ENOENT },
		{ "below a file", "file/x", "user.x", ENOTDIR, ENOTDIR, ENOTDIR },
	};

	if (geteuid() != 0)
		ops_skip("only root has these attributes");
	make_kinds();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		try_row(&rows[i]);
}

static void by_owner_and_stranger(void)
{
	static const struct xattr_row owner[] = {
		{ "ours", "file", "user.x", 0, 0, 0 },
		{ "ours, not readable", "secret", "user.x", 0, EACCES, 0 },
		{ "ours, not writable", "read only", "user.x", EACCES, 0, EACCES },
		{ "our directory", "dir", "user.x", 0, ENODATA, 0 },
		{ "trusted.*", "file", "trusted.x", EPERM, ENODATA, EPERM },
		{ "security.*", "file", "security.x", EPERM, ENODATA, EPERM },
	};
	static const struct xattr_row stranger[] = {
		{ "not ours", "file", "user.x", EACCES, 0, EACCES },
		{ "not readable", "secret", "user.x", EACCES, EACCES, EACCES },
		{ "a sticky directory that all may write", "sticky", "user.x", EPERM, 0, EPERM },
		{ "a pipe that all may write", "pipe", "user.x", EPERM, ENODATA, EPERM },
	};
	pid_t pid;

	if (geteuid() != 0)
		ops_skip("only root can become another user");
	make_kinds();
	pid = ops_fork();
	if (pid == 0) {
		ops_become_user(STRANGER, STRANGER);
		for (size_t i = 0; i < sizeof stranger / sizeof *stranger; i++)
			try_row(&stranger[i]);
		_exit(0);
	}
	ops_join(pid);
	ops_become_user(OWNER, OWNER);
	for (size_t i = 0; i < sizeof owner / sizeof *owner; i++)
		try_row(&owner[i]);
}

static void through_paths_and_descriptors(void)
{
	char value[10], path[64];
	int fd, place;

	ops_make_file("file", 1);
	OK(symlink("file", "link"));
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	place = FD(open("file", O_PATH | O_CLOEXEC));
	OK(setxattr("link", "user.x", "by link", 7, XATTR_CREATE)); /* follows */
	EQUAL(OK(fgetxattr(fd, "user.x", value, sizeof value)), 7);
	OK(fsetxattr(fd, "user.x", "by fd", 5, XATTR_REPLACE));
	EQUAL(OK(lgetxattr("file", "user.x", value, sizeof value)), 5);
	CHECK(memcmp(value, "by fd", 5) == 0);
	FAILS(EBADF, fsetxattr(place, "user.x", "y", 1, 0));
	FAILS(EBADF, fgetxattr(place, "user.x", value, sizeof value));
	FAILS(EBADF, flistxattr(place, value, sizeof value));
	FAILS(EBADF, fremovexattr(place, "user.x"));
	snprintf(path, sizeof path, "/proc/self/fd/%d", place);
	EQUAL(OK(getxattr(path, "user.x", value, sizeof value)), 5);
	FAILS(EFAULT, setxattr("file", NULL, "x", 1, 0));
	OK(setxattr("file", "user.y", NULL, 0, 0));
	EQUAL(OK(getxattr("file", "user.y", value, sizeof value)), 0);
	FAILS(EEXIST, setxattr("file", "user.y", "x", 1, XATTR_CREATE | XATTR_REPLACE));
	FAILS(ENODATA, setxattr("file", "user.z", "x", 1, XATTR_CREATE | XATTR_REPLACE));
	OK(fremovexattr(fd, "user.y"));
	FAILS(ENODATA, removexattr("file", "user.y"));
	EQUAL(OK(listxattr("file", NULL, 0)), 7);
	FAILS(ERANGE, listxattr("file", value, 6));
	EQUAL(OK(listxattr("file", value, 7)), 7);
	CHECK(memcmp(value, "user.x", 7) == 0);
}

static void sizes_of_values(void)
{
	static const size_t sizes[] = { 0, 1, 255, 256, 1000, 2000 };
	static char value[XATTR_SIZE_MAX + 1], got[2001];

	ops_make_file("file", 1);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		ops_pattern((uint8_t *)value, sizes[i], i);
		OK(setxattr("file", "user.x", value, sizes[i], 0));
		EQUAL(OK(getxattr("file", "user.x", NULL, 0)), sizes[i]);
		EQUAL(OK(getxattr("file", "user.x", got, sizeof got)), sizes[i]);
		CHECK(memcmp(value, got, sizes[i]) == 0);
		if (sizes[i] > 1)
			FAILS(ERANGE, getxattr("file", "user.x", got, sizes[i] - 1));
	}
	FAILS(E2BIG, setxattr("file", "user.x", value, XATTR_SIZE_MAX + 1, 0));
	EQUAL(OK(getxattr("file", "user.x", NULL, 0)), 2000);
}

/* As many names as a list of 64 KiB holds; then no more, until one goes. */
static void as_many_as_a_list_holds(void)
{
	static char list[XATTR_LIST_MAX];
	char name[128];
	int n = 0, met = 0;
	ssize_t size;

	if (!on_vault)
		ops_skip("ext4 keeps all attributes of a file in one block");
	ops_make_file("file", 1);
	for (;; n++) {
		snprintf(name, sizeof name, "user.%0100d", n);
		if (setxattr("file", name, "v", 1, XATTR_CREATE) < 0)
			break;
	}
	EQUAL(errno, ENOSPC);
	CHECK(n > 600);
	size = OK(listxattr("file", list, sizeof list));
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(list + at) + 1)
		met++;
	EQUAL(met, n);
	OK(setxattr("file", list, "other", 5, XATTR_REPLACE)); /* no longer list */
	FAILS(ENOSPC, setxattr("file", name, "v", 1, 0));
	OK(removexattr("file", list));
	OK(setxattr("file", name, "v", 1, 0));
	OK(unlink("file"));
}

OPS_CASES(xattr_owners) = {
	{ "xattr_of_every_kind_by_root", by_root },
	{ "xattr_by_owner_and_stranger", by_owner_and_stranger },
	{ "xattr_through_paths_and_descriptors", through_paths_and_descriptors },
	{ "xattr_sizes", sizes_of_values },
	{ "xattr_as_many_as_a_list_holds", as_many_as_a_list_holds },
	{ NULL, NULL },
};
