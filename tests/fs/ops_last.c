/* ops_last.c - cases: slashes, dots and links where a path ends, for every call that takes one.
 *
 * A table of calls and of last components; POSIX, where it leaves something open, is read as Linux reads it. */
#include "ops.h"
#include "ops_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>

/* The columns of the table. */
static const char *const ends[] = {
	"file/", "dir/",    "empty/",   "absent/", "link/", "dirlink/", "dangling/", "loop/",
	"link",  "dirlink", "dangling", "loop",    ".",     "..",       "dir/.",     "dir/sub/..",
};

enum { ENDS = sizeof ends / sizeof *ends };

/* The path under test is `a`; of calls with two paths, the one that is not given. */
static const struct {
	const char *what;
	int call, arg;
	const char *a, *b;
	int want[ENDS];
} calls[] = {
	/* clang-format off */
	{ "open", CALL_OPEN, O_RDONLY, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, ENOENT, ELOOP, 0, 0, 0, 0 } },
	{ "open to write", CALL_OPEN, O_WRONLY, NULL, NULL,
	  { ENOTDIR, EISDIR, EISDIR, ENOENT, ENOTDIR, EISDIR, ENOENT, ELOOP, 0, EISDIR, ENOENT, ELOOP,
	    EISDIR, EISDIR, EISDIR, EISDIR } },
	{ "open O_DIRECTORY", CALL_OPEN, O_DIRECTORY, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, 0, 0 } },
	{ "open O_NOFOLLOW", CALL_OPEN, O_NOFOLLOW, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, ELOOP, ELOOP, ELOOP, ELOOP, 0, 0, 0, 0 } },
	{ "open O_PATH O_NOFOLLOW", CALL_OPEN, O_PATH | O_NOFOLLOW, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, 0, 0, 0, 0, 0, 0 } },
	{ "open O_CREAT", CALL_OPEN, O_CREAT | O_WRONLY, NULL, NULL,
	  { EISDIR, EISDIR, EISDIR, EISDIR, EISDIR, EISDIR, EISDIR, EISDIR, 0, EISDIR, 0, ELOOP,
	    EISDIR, EISDIR, EISDIR, EISDIR } },
	{ "open O_CREAT O_EXCL", CALL_OPEN, O_CREAT | O_EXCL, NULL, NULL,
	  { EISDIR, EISDIR, EISDIR, EISDIR, EISDIR, EISDIR, EISDIR, EISDIR, EEXIST, EEXIST, EEXIST,
	    EEXIST, EEXIST, EEXIST, EEXIST, EEXIST } },
	{ "openat2 NO_SYMLINKS", CALL_OPENAT2, RESOLVE_NO_SYMLINKS, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ELOOP, ELOOP, ELOOP, ELOOP, ELOOP, ELOOP, ELOOP, ELOOP, 0, 0, 0, 0 } },
	{ "mkdir", CALL_MKDIR, 0755, NULL, NULL,
	  { EEXIST, EEXIST, EEXIST, 0, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST,
	    EEXIST, EEXIST, EEXIST, EEXIST } },
	{ "rmdir", CALL_RMDIR, 0, NULL, NULL,
	  { ENOTDIR, ENOTEMPTY, 0, ENOENT, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR,
	    ENOTDIR, ENOTDIR, EINVAL, ENOTEMPTY, EINVAL, ENOTEMPTY } },
	{ "unlink", CALL_UNLINK, 0, NULL, NULL,
	  { ENOTDIR, EISDIR, EISDIR, ENOENT, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, 0, 0, 0, 0, EISDIR,
	    EISDIR, EISDIR, EISDIR } },
	{ "rename from", CALL_RENAME, 0, NULL, "new",
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, 0, 0, 0, 0, EBUSY, EBUSY, EBUSY,
	    EBUSY } },
	{ "rename a file to", CALL_RENAME, 0, "other", NULL,
	  { ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, 0, 0, 0, 0, EBUSY,
	    EBUSY, EBUSY, EBUSY } },
	{ "rename a directory to", CALL_RENAME, 0, "empty", NULL,
	  { ENOTDIR, ENOTEMPTY, 0, 0, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR,
	    ENOTDIR, EBUSY, EBUSY, EBUSY, EBUSY } },
	{ "rename NOREPLACE to", CALL_RENAME, RENAME_NOREPLACE, "other", NULL,
	  { EEXIST, EEXIST, EEXIST, ENOTDIR, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST,
	    EEXIST, EEXIST, EEXIST, EEXIST, EEXIST } },
	{ "rename EXCHANGE to", CALL_RENAME, RENAME_EXCHANGE, "other", NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, ENOTDIR, ENOTDIR, ENOTDIR, 0, 0, 0, 0, EBUSY, EBUSY, EBUSY,
	    EBUSY } },
	{ "link from", CALL_LINK, 0, NULL, "new",
	  { ENOTDIR, EPERM, EPERM, ENOENT, ENOTDIR, EPERM, ENOENT, ELOOP, 0, 0, 0, 0, EPERM, EPERM,
	    EPERM, EPERM } },
	{ "linkat FOLLOW from", CALL_LINK, AT_SYMLINK_FOLLOW, NULL, "new",
	  { ENOTDIR, EPERM, EPERM, ENOENT, ENOTDIR, EPERM, ENOENT, ELOOP, 0, EPERM, ENOENT, ELOOP,
	    EPERM, EPERM, EPERM, EPERM } },
	{ "link to", CALL_LINK, 0, "other", NULL,
	  { EEXIST, EEXIST, EEXIST, ENOENT, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST,
	    EEXIST, EEXIST, EEXIST, EEXIST, EEXIST } },
	{ "symlink", CALL_SYMLINK, 0, "target", NULL,
	  { EEXIST, EEXIST, EEXIST, ENOENT, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST,
	    EEXIST, EEXIST, EEXIST, EEXIST, EEXIST } },
	{ "readlink", CALL_READLINK, 0, NULL, NULL,
	  { ENOTDIR, EINVAL, EINVAL, ENOENT, ENOTDIR, EINVAL, ENOENT, ELOOP, 0, 0, 0, 0, EINVAL,
	    EINVAL, EINVAL, EINVAL } },
	{ "mknod", CALL_MKNOD, S_IFREG | 0644, NULL, NULL,
	  { EEXIST, EEXIST, EEXIST, ENOENT, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST, EEXIST,
	    EEXIST, EEXIST, EEXIST, EEXIST, EEXIST } },
	{ "stat", CALL_STAT, 0, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, ENOENT, ELOOP, 0, 0, 0, 0 } },
	{ "lstat", CALL_LSTAT, 0, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, 0, 0, 0, 0, 0, 0 } },
	{ "access", CALL_ACCESS, 0, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, ENOENT, ELOOP, 0, 0, 0, 0 } },
	{ "truncate", CALL_TRUNCATE, 5, NULL, NULL,
	  { ENOTDIR, EISDIR, EISDIR, ENOENT, ENOTDIR, EISDIR, ENOENT, ELOOP, 0, EISDIR, ENOENT, ELOOP,
	    EISDIR, EISDIR, EISDIR, EISDIR } },
	{ "chmod", CALL_CHMOD, 0700, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, ENOENT, ELOOP, 0, 0, 0, 0 } },
	{ "chmod of a link", CALL_LCHMOD, 0700, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP,
	    EOPNOTSUPP, 0, 0, 0, 0 } },
	{ "chown", CALL_CHOWN, -1, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, ENOENT, ELOOP, 0, 0, 0, 0 } },
	{ "lchown", CALL_LCHOWN, -1, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, 0, 0, 0, 0, 0, 0 } },
	{ "utimensat", CALL_UTIMES, 1000, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, ENOENT, ELOOP, 0, 0, 0, 0 } },
	{ "setxattr", CALL_SETXATTR, 0, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, ENOENT, ELOOP, 0, 0, 0, 0 } },
	{ "chdir", CALL_CHDIR, 0, NULL, NULL,
	  { ENOTDIR, 0, 0, ENOENT, ENOTDIR, 0, ENOENT, ELOOP, ENOTDIR, 0, ENOENT, ELOOP, 0, 0, 0, 0 } },
	{ "execve", CALL_EXEC, 0, NULL, NULL,
	  { ENOTDIR, EACCES, EACCES, ENOENT, ENOTDIR, EACCES, ENOENT, ELOOP, EACCES, EACCES, ENOENT,
	    ELOOP, EACCES, EACCES, EACCES, EACCES } },
	/* clang-format on */
};

static void check_cell(size_t call, size_t end)
{
	bool is_second = calls[call].a != NULL;
	const char *a = is_second ? calls[call].a : ends[end];
	const char *b = is_second ? ends[end] : calls[call].b;
	uint64_t before;
	char what[100];

	snprintf(what, sizeof what, "%s %s", calls[call].what, ends[end]);
	ops_row(what);
	before = fixture_digest();
	fixture_check(fixture_call(calls[call].call, a, b, calls[call].arg), calls[call].want[end]);
	if (calls[call].want[end] != 0) {
		CHECK(fixture_digest() == before);
	} else {
		fixture_remove();
		fixture_make();
	}
	ops_row(NULL);
}

static void slashes_dots_and_links(void)
{
	fixture_make();
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		for (size_t k = 0; k < ENDS; k++)
			check_cell(i, k);
	}
}

static const struct fixture_row resolve_rows[] = {
	{ "BENEATH: below", CALL_OPENAT2, "dir/child", NULL, RESOLVE_BENEATH, 0, NULL, NULL },
	{ "BENEATH: up and down again", CALL_OPENAT2, "dir/../file", NULL, RESOLVE_BENEATH, 0, NULL, NULL },
	{ "BENEATH: above", CALL_OPENAT2, "../tree/file", NULL, RESOLVE_BENEATH, EXDEV, NULL, NULL },
	{ "BENEATH: from the root", CALL_OPENAT2, "/", NULL, RESOLVE_BENEATH, EXDEV, NULL, NULL },
	{ "IN_ROOT: above is here", CALL_OPENAT2, "../../file", NULL, RESOLVE_IN_ROOT, 0, NULL, NULL },
	{ "IN_ROOT: the root is here", CALL_OPENAT2, "/dir/child", NULL, RESOLVE_IN_ROOT, 0, NULL, NULL },
	{ "NO_XDEV: here", CALL_OPENAT2, "dir/child", NULL, RESOLVE_NO_XDEV, 0, NULL, NULL },
	{ "NO_XDEV: elsewhere", CALL_OPENAT2, "/proc/self", NULL, RESOLVE_NO_XDEV, EXDEV, NULL, NULL },
	{ "NO_SYMLINKS: none", CALL_OPENAT2, "dir/child", NULL, RESOLVE_NO_SYMLINKS, 0, NULL, NULL },
	{ "NO_SYMLINKS: on the way", CALL_OPENAT2, "dirlink/child", NULL, RESOLVE_NO_SYMLINKS, ELOOP, NULL,
	  NULL },
	{ "a flag nobody knows", CALL_OPENAT2, "file", NULL, 1 << 20, EINVAL, NULL, NULL },
	{ 0 }
};

static void openat2_stays_where_it_is_told(void)
{
	fixture_run(resolve_rows);
}

OPS_CASES(last) = {
	{ "slashes_dots_and_links_at_the_end_of_a_path", slashes_dots_and_links },
	{ "openat2_stays_where_it_is_told", openat2_stays_where_it_is_told },
	{ NULL, NULL },
};
