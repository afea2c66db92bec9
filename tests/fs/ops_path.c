/* ops_path.c - cases: where a path leads, or fails to, is the same for every call that takes one.
 *
 * A table of calls and a table of paths: each call meets each path, and the path alone decides the errno. */
#include "ops.h"
#include "ops_fixture.h"
#include "ops_who.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the path under test stands; the other name is one that would do. */
enum position { FIRST, SECOND };

static const struct {
	const char *what;
	int call, arg;
	enum position position;
	const char *other;
} calls[] = {
	{ "open", CALL_OPEN, O_RDONLY, FIRST, NULL },
	{ "open to write", CALL_OPEN, O_WRONLY, FIRST, NULL },
	{ "open a directory", CALL_OPEN, O_DIRECTORY, FIRST, NULL },
	{ "open O_PATH", CALL_OPEN, O_PATH, FIRST, NULL },
	{ "open O_CREAT", CALL_OPEN, O_CREAT | O_WRONLY, FIRST, NULL },
	{ "open O_CREAT O_EXCL", CALL_OPEN, O_CREAT | O_EXCL, FIRST, NULL },
	{ "open O_TRUNC", CALL_OPEN, O_TRUNC | O_WRONLY, FIRST, NULL },
	{ "creat", CALL_CREAT, 0644, FIRST, NULL },
	{ "openat2", CALL_OPENAT2, 0, FIRST, NULL },
	{ "mkdir", CALL_MKDIR, 0755, FIRST, NULL },
	{ "rmdir", CALL_RMDIR, 0, FIRST, NULL },
	{ "unlink", CALL_UNLINK, 0, FIRST, NULL },
	{ "rename from", CALL_RENAME, 0, FIRST, "new" },
	{ "rename to", CALL_RENAME, 0, SECOND, "other" },
	{ "rename a directory to", CALL_RENAME, 0, SECOND, "empty" },
	{ "rename NOREPLACE to", CALL_RENAME, RENAME_NOREPLACE, SECOND, "other" },
	{ "rename EXCHANGE from", CALL_RENAME, RENAME_EXCHANGE, FIRST, "other" },
	{ "rename EXCHANGE to", CALL_RENAME, RENAME_EXCHANGE, SECOND, "other" },
	{ "link from", CALL_LINK, 0, FIRST, "new" },
	{ "link to", CALL_LINK, 0, SECOND, "other" },
	{ "linkat FOLLOW from", CALL_LINK, AT_SYMLINK_FOLLOW, FIRST, "new" },
	{ "symlink", CALL_SYMLINK, 0, SECOND, "target" },
	{ "readlink", CALL_READLINK, 0, FIRST, NULL },
	{ "mkfifo", CALL_MKFIFO, 0644, FIRST, NULL },
	{ "mknod", CALL_MKNOD, S_IFREG | 0644, FIRST, NULL },
	{ "stat", CALL_STAT, 0, FIRST, NULL },
	{ "lstat", CALL_LSTAT, 0, FIRST, NULL },
	{ "statx", CALL_STATX, 0, FIRST, NULL },
	{ "statfs", CALL_STATFS, 0, FIRST, NULL },
	{ "access", CALL_ACCESS, F_OK, FIRST, NULL },
	{ "faccessat AT_EACCESS", CALL_EACCESS, F_OK, FIRST, NULL },
	{ "truncate", CALL_TRUNCATE, 5, FIRST, NULL },
	{ "chmod", CALL_CHMOD, 0600, FIRST, NULL },
	{ "chmod of a link", CALL_LCHMOD, 0600, FIRST, NULL },
	{ "chown", CALL_CHOWN, -1, FIRST, NULL },
	{ "lchown", CALL_LCHOWN, -1, FIRST, NULL },
	{ "utimensat now", CALL_TOUCH, 0, FIRST, NULL },
	{ "utimensat", CALL_UTIMES, 1000, FIRST, NULL },
	{ "setxattr", CALL_SETXATTR, 0, FIRST, NULL },
	{ "getxattr", CALL_GETXATTR, 0, FIRST, NULL },
	{ "listxattr", CALL_LISTXATTR, 0, FIRST, NULL },
	{ "removexattr", CALL_REMOVEXATTR, 0, FIRST, NULL },
	{ "chdir", CALL_CHDIR, 0, FIRST, NULL },
	{ "chroot", CALL_CHROOT, 0, FIRST, NULL },
	{ "execve", CALL_EXEC, 0, FIRST, NULL },
};

static char name_256[257], below_name_256[260], in_dir_name_256[262], path_4096[4097];

static void make_long_names(void)
{
	memset(name_256, 'n', 256);
	snprintf(below_name_256, sizeof below_name_256, "%s/x", name_256);
	snprintf(in_dir_name_256, sizeof in_dir_name_256, "dir/%s", name_256);
	for (size_t i = 0; i < 4096; i++)
		path_4096[i] = i % 2 == 0 ? '.' : '/';
	memcpy(path_4096 + 4092, "file", 4);
}

static const struct {
	const char *what;
	const char *path;
	int want;
} paths[] = {
	{ "the empty path", "", ENOENT },
	{ "below nothing", "absent/x", ENOENT },
	{ "below nothing, far down", "dir/absent/x/y/z", ENOENT },
	{ "back up from nothing", "absent/../file", ENOENT },
	{ "below a link to nowhere", "dangling/x", ENOENT },
	{ "below a file", "file/x", ENOTDIR },
	{ "below a file, far down", "file/x/y/z", ENOTDIR },
	{ "back up from a file", "file/../other", ENOTDIR },
	{ "below a link to a file", "link/x", ENOTDIR },
	{ "below a pipe", "pipe/x", ENOTDIR },
	{ "below a loop", "loop/x", ELOOP },
	{ "through 41 links", "link41/x", ELOOP },
	{ "a name of 256 bytes", name_256, ENAMETOOLONG },
	{ "below a name of 256 bytes", below_name_256, ENAMETOOLONG },
	{ "a name of 256 bytes in a directory", in_dir_name_256, ENAMETOOLONG },
	{ "a path of 4096 bytes", path_4096, ENAMETOOLONG },
	{ "no address", NULL, EFAULT },
	{ "an address of nothing", (const char *)8, EFAULT },
};

static const char *first(size_t call, const char *path)
{
	return calls[call].position == FIRST ? path : calls[call].other;
}

static const char *second(size_t call, const char *path)
{
	return calls[call].position == SECOND ? path : calls[call].other;
}

/* link1 -> dir, link2 -> link1, and so on. */
static void make_links(int n)
{
	char name[16], target[16] = "dir";

	for (int i = 1; i <= n; i++) {
		snprintf(name, sizeof name, "link%d", i);
		OK(symlink(target, name));
		strcpy(target, name);
	}
}

static void check_cell(size_t call, size_t path)
{
	char what[200];
	int got;

	snprintf(what, sizeof what, "%s: %s", calls[call].what, paths[path].what);
	ops_row(what);
	got = fixture_call(calls[call].call, first(call, paths[path].path), second(call, paths[path].path),
			   calls[call].arg);
	if (calls[call].call == CALL_CHROOT && geteuid() != 0 && got == EPERM)
		return;
	fixture_check(got, paths[path].want);
	ops_row(NULL);
}

static void every_call_fails_by_its_path(void)
{
	uint64_t before;

	make_long_names();
	fixture_make();
	make_links(41);
	before = fixture_digest();
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		for (size_t k = 0; k < sizeof paths / sizeof *paths; k++)
			check_cell(i, k);
		ops_row(calls[i].what);
		CHECK(fixture_digest() == before);
	}
}

static void search_permission_is_needed_on_the_way(void)
{
	static const char *const closed[] = { "dir/child",   "dir/absent",        "dir/sub",     "dir/sub/..",
					      "dir/../file", "dirlink/child",     "dir/sub/x/y", "dir/.",
					      "dir/..",      "dir/sub/../../file" };
	uint64_t before;

	who_needed();
	fixture_make();
	OK(chmod(".", 0777));
	OK(chmod("other", 0666));
	OK(chown("empty", WHO_OTHER_UID, WHO_OTHER_GID));
	OK(chmod("dir", 0700));
	before = fixture_digest();
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		for (size_t k = 0; k < sizeof closed / sizeof *closed; k++) {
			char what[200];

			/* what one may not link is refused before the way to the new name is looked at */
			if (calls[i].call == CALL_LINK && calls[i].position == SECOND)
				continue;
			snprintf(what, sizeof what, "%s: %s", calls[i].what, closed[k]);
			ops_row(what);
			fixture_check(who_call(WHO_OTHER, calls[i].call, first(i, closed[k]),
					       second(i, closed[k]), calls[i].arg),
				      EACCES);
		}
		ops_row(calls[i].what);
		CHECK(fixture_digest() == before);
	}
}

static void forty_links_are_followed(void)
{
	fixture_make();
	make_links(41);
	EQUAL(fixture_call(CALL_STAT, "link40/child", NULL, 0), 0);
	EQUAL(fixture_call(CALL_OPEN, "link40/new", NULL, O_CREAT | O_RDWR), 0);
	EQUAL(fixture_call(CALL_OPENDIR, "link40", NULL, 0), 0);
	EQUAL(fixture_call(CALL_OPENDIR, "link41", NULL, 0), ELOOP);
	/* each link on the way counts, not each in a row */
	EQUAL(fixture_call(CALL_STAT, "link20/../link20/child", NULL, 0), 0);
	EQUAL(fixture_call(CALL_STAT, "link20/../link21/child", NULL, 0), ELOOP);
	EQUAL(fixture_call(CALL_LSTAT, "link41", NULL, 0), 0);
	EQUAL(fixture_call(CALL_UNLINK, "link41", NULL, 0), 0);
}

static void paths_of_4095_bytes_lead_somewhere(void)
{
	char path[4096] = "", name[256] = "";

	/* 15 directories of 255 bytes and a name of 255: 4095 with the slashes */
	memset(name, 'd', 255);
	for (int i = 0; i < 15; i++) {
		strcat(path, name);
		OK(mkdir(path, 0755));
		strcat(path, "/");
	}
	strcat(path, name);
	EQUAL(strlen(path), 4095);
	ops_make_file(path, 10);
	EQUAL(ops_lstat(path).st_size, 10);
	OK(chmod(path, 0600));
	OK(truncate(path, 5));
	EQUAL(fixture_call(CALL_RENAME, path, "here", 0), 0);
	EQUAL(fixture_call(CALL_LINK, "here", path, 0), 0);
	OK(unlink(path));
	OK(symlink(path, path));
	EQUAL(ops_lstat(path).st_size, 4095);
	FAILS(ELOOP, open(path, O_RDONLY | O_CLOEXEC));
	OK(unlink(path));
	OK(mkdir(path, 0755));
	OK(rmdir(path));
}

OPS_CASES(path) = {
	{ "every_call_fails_by_its_path", every_call_fails_by_its_path },
	{ "search_permission_is_needed_on_the_way", search_permission_is_needed_on_the_way },
	{ "forty_links_are_followed", forty_links_are_followed },
	{ "paths_of_4095_bytes_lead_somewhere", paths_of_4095_bytes_lead_somewhere },
	{ NULL, NULL },
};
