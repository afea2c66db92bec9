/* ops_handle.c - cases: file handles, as NFS and Samba servers use them: made from names, opened without any. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

union any_handle {
	struct file_handle h;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static union any_handle handle_of(const char *path, int *ret_mount)
{
	union any_handle handle = { .h = { .handle_bytes = MAX_HANDLE_SZ } };

	OK(name_to_handle_at(AT_FDCWD, path, &handle.h, ret_mount, 0));
	return handle;
}

static int open_handle(union any_handle *handle, int flags)
{
	static int mount = -1;

	if (mount < 0)
		mount = FD(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return open_by_handle_at(mount, &handle->h, flags | O_CLOEXEC);
}

/* Names and attributes that the kernel remembers go, so that a handle must be found by asking. */
static void forget(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		OK(write(fd, "2", 1));
		OK(close(fd));
	}
}

static void need_root(void)
{
	if (geteuid() != 0)
		ops_skip("only root may open by handle");
}

static void handles_say_how_large_they_are(void)
{
	union any_handle handle = { .h = { .handle_bytes = 0 } };
	int mount;

	ops_make_file("file", 1);
	FAILS(EOVERFLOW, name_to_handle_at(AT_FDCWD, "file", &handle.h, &mount, 0));
	CHECK(handle.h.handle_bytes > 0 && handle.h.handle_bytes <= MAX_HANDLE_SZ);
	OK(name_to_handle_at(AT_FDCWD, "file", &handle.h, &mount, 0));
	FAILS(ENOENT, name_to_handle_at(AT_FDCWD, "absent", &handle.h, &mount, 0));
	FAILS(EINVAL, name_to_handle_at(AT_FDCWD, "file", &handle.h, &mount, 0x40));
	handle.h.handle_bytes = MAX_HANDLE_SZ + 1;
	FAILS(EINVAL, name_to_handle_at(AT_FDCWD, "file", &handle.h, &mount, 0));
}

static void files_open_by_handle(void)
{
	union any_handle a, b, link;
	uint8_t bytes[100];
	int fd, mount;

	need_root();
	ops_make_file("file", 1000);
	OK(symlink("file", "link"));
	a = handle_of("file", &mount);
	link = handle_of("link", &mount);
	fd = FD(open_handle(&a, O_RDWR));
	EQUAL(ops_stat(fd).st_ino, ops_lstat("file").st_ino);
	EQUAL(OK(pread(fd, bytes, 100, 900)), 100);
	CHECK(ops_is_pattern(bytes, 100, 900));
	OK(close(fd));
	for (int round = 0; round < 2; round++) { /* also under another name */
		forget();
		fd = FD(open_handle(&a, O_RDWR));
		EQUAL(OK(pread(fd, bytes, 100, 0)), 100);
		CHECK(ops_is_pattern(bytes, 100, 0));
		OK(pwrite(fd, bytes, 1, 0));
		OK(close(fd));
		if (round == 0) {
			OK(mkdir("dir", 0755));
			OK(rename("file", "dir/moved"));
		}
	}
	b = handle_of("dir/moved", &mount);
	EQUAL(b.h.handle_bytes, a.h.handle_bytes);
	CHECK(memcmp(a.h.f_handle, b.h.f_handle, 8) == 0);
	FAILS(ELOOP, open_handle(&link, O_RDONLY));
	fd = FD(open_handle(&link, O_PATH));
	CHECK(S_ISLNK(ops_stat(fd).st_mode));
}

static void gone_is_stale(void)
{
	union any_handle handle, directory;
	int fd, mount;

	need_root();
	ops_make_file("file", 1);
	OK(mkdir("dir", 0755));
	handle = handle_of("file", &mount);
	directory = handle_of("dir", &mount);
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	OK(unlink("file"));
	OK(close(fd));
	OK(rmdir("dir"));
	forget();
	FAILS(ESTALE, open_handle(&handle, O_RDONLY));
	FAILS(ESTALE, open_handle(&directory, O_RDONLY));
	ops_make_file("file", 1); /* a new one is another one */
	FAILS(ESTALE, open_handle(&handle, O_RDONLY));
	memset(handle.h.f_handle, 0x5a, handle.h.handle_bytes);
	FAILS(ESTALE, open_handle(&handle, O_RDONLY));
	handle.h.handle_type = 0x7f;
	FAILS(ESTALE, open_handle(&handle, O_RDONLY));
	handle.h.handle_bytes = 0;
	FAILS(EINVAL, open_handle(&handle, O_RDONLY));
}

/* A directory of which only the handle is left: the kernel finds its way up by asking for "..". */
static void directories_open_by_handle(void)
{
	union any_handle handle;
	struct stat a, dir, top;
	int fd, mount;

	need_root();
	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	OK(mkdir("a/b/dir", 0755));
	ops_make_file("a/b/dir/file", 10);
	handle = handle_of("a/b/dir", &mount);
	a = ops_lstat("a/b");
	dir = ops_lstat("a/b/dir");
	for (int round = 0; round < 3; round++) {
		int up;

		forget();
		fd = FD(open_handle(&handle, O_RDONLY | O_DIRECTORY));
		EQUAL(ops_stat(fd).st_ino, dir.st_ino);
		up = FD(openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		EQUAL(ops_stat(up).st_ino, a.st_ino);
		OK(fstatat(fd, "file", &top, 0));
		EQUAL(top.st_size, 10);
		OK(close(FD(openat(fd, "made", O_RDWR | O_CREAT | O_CLOEXEC, 0644))));
		CHECK(ops_there(round == 0 ? "a/b/dir/made" : "moved/dir/made"));
		OK(unlinkat(fd, "made", 0));
		OK(close(up));
		OK(close(fd));
		if (round == 0)
			OK(rename("a/b", "moved")); /* where it is has changed, what it is has not */
	}
}

static void handles_without_rights(void)
{
	union any_handle handle;
	int mount;

	ops_make_file("file", 1);
	handle = handle_of("file", &mount);
	ops_become_user(12345, 12345);
	FAILS(EPERM, open_handle(&handle, O_RDONLY));
}

OPS_CASES(handle) = {
	{ "handles_say_how_large_they_are", handles_say_how_large_they_are },
	{ "handles_of_files", files_open_by_handle },
	{ "handles_of_what_is_gone", gone_is_stale },
	{ "handles_of_directories", directories_open_by_handle },
	{ "handles_without_rights", handles_without_rights },
	{ NULL, NULL },
};
