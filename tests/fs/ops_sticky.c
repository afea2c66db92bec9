/* ops_sticky.c - cases: whose names may go from a sticky directory, and what permission a move and a cache keep. */
#include "ops.h"
#include "ops_fixture.h"
#include "ops_who.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWNER = WHO_UID, OTHER = WHO_OTHER_UID, ROOT = 0 };

/* WHO_OWNER and root come to a directory of `directory_uid` in which a file and an empty directory of `object_uid`
 * are: what WHO_OWNER is told. Root is told nothing. */
static const struct {
	const char *what;
	mode_t mode;
	int directory_uid, object_uid;
	int want;
} situations[] = {
	{ "sticky, all of it one's own", 01777, OWNER, OWNER, 0 },
	{ "sticky, one's own in a directory of root", 01777, ROOT, OWNER, 0 },
	{ "sticky, one's own in a directory of another", 01777, OTHER, OWNER, 0 },
	{ "sticky, of root in one's own directory", 01777, OWNER, ROOT, 0 },
	{ "sticky, of another in one's own directory", 01777, OWNER, OTHER, 0 },
	{ "sticky, of root in a directory of root", 01777, ROOT, ROOT, EPERM },
	{ "sticky, of another in a directory of root", 01777, ROOT, OTHER, EPERM },
	{ "sticky, of root in a directory of another", 01777, OTHER, ROOT, EPERM },
	{ "sticky, all of it another's", 01777, OTHER, OTHER, EPERM },
	{ "not sticky, all of it another's", 00777, OTHER, OTHER, 0 },
	{ "not sticky, all of it root's", 00777, ROOT, ROOT, 0 },
	{ "sticky and closed", 01755, ROOT, OWNER, EACCES },
	{ "sticky and open to the group", 01770, ROOT, OWNER, EACCES },
};

/* "mine" is a file and "my dir" a directory outside, both of WHO_OWNER. */
static const struct {
	const char *what;
	int call, arg;
	const char *a, *b;
} calls[] = {
	{ "unlink", CALL_UNLINK, 0, "dir/file", NULL },
	{ "rmdir", CALL_RMDIR, 0, "dir/sub", NULL },
	{ "rename within", CALL_RENAME, 0, "dir/file", "dir/new" },
	{ "rename out", CALL_RENAME, 0, "dir/file", "new" },
	{ "rename over it", CALL_RENAME, 0, "mine", "dir/file" },
	{ "rename a directory over it", CALL_RENAME, 0, "my dir", "dir/sub" },
	{ "exchange, from here", CALL_RENAME, RENAME_EXCHANGE, "dir/file", "mine" },
	{ "exchange, from there", CALL_RENAME, RENAME_EXCHANGE, "mine", "dir/file" },
	{ "NOREPLACE within", CALL_RENAME, RENAME_NOREPLACE, "dir/file", "dir/new" },
};

static void make_tree(mode_t mode, int directory_uid, int object_uid)
{
	OK(mkdir("tree", 0777));
	OK(chdir("tree"));
	OK(chmod(".", 0777));
	ops_make_file("mine", 5);
	OK(chown("mine", OWNER, WHO_GID));
	OK(mkdir("my dir", 0755));
	OK(chown("my dir", OWNER, WHO_GID));
	OK(mkdir("dir", 0755));
	ops_make_file("dir/file", 5);
	OK(chown("dir/file", (uid_t)object_uid, 0));
	OK(mkdir("dir/sub", 0755));
	OK(chown("dir/sub", (uid_t)object_uid, 0));
	OK(chown("dir", (uid_t)directory_uid, 0));
	OK(chmod("dir", mode));
}

static void check_cell(size_t situation, size_t call, enum who who, int want)
{
	char what[200];
	uint64_t before;

	snprintf(what, sizeof what, "%s: %s, by %s", situations[situation].what, calls[call].what,
		 who_name(who));
	ops_row(what);
	make_tree(situations[situation].mode, situations[situation].directory_uid,
		  situations[situation].object_uid);
	before = fixture_digest();
	fixture_check(who_call(who, calls[call].call, calls[call].a, calls[call].b, calls[call].arg), want);
	CHECK((fixture_digest() == before) == (want != 0));
	fixture_remove();
	ops_row(NULL);
}

static void names_in_sticky_directories(void)
{
	who_needed();
	for (size_t i = 0; i < sizeof situations / sizeof *situations; i++) {
		for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
			check_cell(i, k, WHO_OWNER, situations[i].want);
			check_cell(i, k, WHO_ROOT, 0);
		}
	}
}

/* Anybody may make names in a sticky directory, and link and change what they may write. */
static void sticky_directories_take_new_names(void)
{
	who_needed();
	make_tree(01777, ROOT, ROOT);
	EQUAL(who_call(WHO_OWNER, CALL_OPEN, "dir/new", NULL, O_CREAT | O_EXCL | O_WRONLY), 0);
	EQUAL(who_call(WHO_OWNER, CALL_MKDIR, "dir/new dir", NULL, 0755), 0);
	EQUAL(who_call(WHO_OWNER, CALL_LINK, "mine", "dir/linked", 0), 0);
	EQUAL(who_call(WHO_OWNER, CALL_RENAME, "mine", "dir/moved", 0), 0);
	EQUAL(who_call(WHO_OTHER, CALL_UNLINK, "dir/new", NULL, 0), EPERM);
	EQUAL(who_call(WHO_OTHER, CALL_RMDIR, "dir/new dir", NULL, 0), EPERM);
	EQUAL(who_call(WHO_OTHER, CALL_RENAME, "dir/moved", "dir/x", 0), EPERM);
	EQUAL(who_call(WHO_OWNER, CALL_UNLINK, "dir/moved", NULL, 0), 0);
	EQUAL(who_call(WHO_OWNER, CALL_RMDIR, "dir/new dir", NULL, 0), 0);
}

/* A directory that gets another parent gets another "..": whoever moves it must be able to write it. */
static void moving_a_directory_writes_it(void)
{
	static const struct {
		const char *what;
		mode_t mode;
		const char *to;
		int flags, want;
	} rows[] = {
		{ "to another parent", 0755, "there/new", 0, EACCES },
		{ "over an empty one elsewhere", 0755, "there/empty", 0, EACCES },
		{ "to another name", 0755, "here/new", 0, 0 },
		{ "writable, to another parent", 0777, "there/new", 0, 0 },
		{ "exchanged with one elsewhere", 0755, "there/empty", RENAME_EXCHANGE, EACCES },
		{ "exchanged with one beside it", 0755, "here/beside", RENAME_EXCHANGE, 0 },
		{ "exchanged with a file elsewhere", 0755, "there/file", RENAME_EXCHANGE, EACCES },
	};

	who_needed();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].what);
		OK(mkdir("tree", 0755));
		OK(chdir("tree"));
		OK(mkdir("here", 0777));
		OK(mkdir("there", 0777));
		OK(chmod("here", 0777));
		OK(chmod("there", 0777));
		OK(mkdir("here/dir", 0755));
		OK(mkdir("here/beside", 0755));
		OK(mkdir("there/empty", 0755));
		OK(chmod("there/empty", 0777));
		ops_make_file("there/file", 1);
		OK(chmod("here/dir", rows[i].mode));
		fixture_check(who_call(WHO_OTHER, CALL_RENAME, "here/dir", rows[i].to, rows[i].flags),
			      rows[i].want);
		EQUAL(who_call(WHO_ROOT, CALL_RENAME, rows[i].want ? "here/dir" : rows[i].to, "moved", 0), 0);
		fixture_remove();
		ops_row(NULL);
	}
}

/* What was looked up before, by whoever and through whatever, opens no door that was closed since. */
static void a_closed_parent_closes_what_was_seen(void)
{
	who_needed();
	OK(mkdir("top", 0755));
	OK(mkdir("top/dir", 0755));
	ops_make_file("top/dir/file", 5);
	for (int round = 0; round < 3; round++) {
		EQUAL(who_call(WHO_OTHER, CALL_OPEN, "top/dir/file", NULL, O_RDONLY), 0);
		OK(chmod("top", 0700));
		EQUAL(who_call(WHO_OTHER, CALL_OPEN, "top/dir/file", NULL, O_RDONLY), EACCES);
		EQUAL(who_call(WHO_OTHER, CALL_STAT, "top/dir", NULL, 0), EACCES);
		OK(chmod("top", 0755));
		EQUAL(who_call(WHO_OTHER, CALL_STAT, "top/dir/file", NULL, 0), 0);
		OK(chmod("top/dir/file", 0600));
		EQUAL(who_call(WHO_OTHER, CALL_OPEN, "top/dir/file", NULL, O_RDONLY), EACCES);
		OK(chown("top/dir/file", WHO_OTHER_UID, (gid_t)-1));
		EQUAL(who_call(WHO_OTHER, CALL_OPEN, "top/dir/file", NULL, O_RDONLY), 0);
		OK(chown("top/dir/file", 0, (gid_t)-1));
		OK(chmod("top/dir/file", 0644));
	}
}

static void a_moved_directory_keeps_its_own_permissions(void)
{
	who_needed();
	OK(mkdir("open", 0755));
	OK(mkdir("closed", 0700));
	OK(mkdir("open/dir", 0755));
	ops_make_file("open/dir/file", 5);
	EQUAL(who_call(WHO_OTHER, CALL_OPEN, "open/dir/file", NULL, O_RDONLY), 0);
	OK(rename("open/dir", "closed/dir"));
	EQUAL(who_call(WHO_OTHER, CALL_OPEN, "closed/dir/file", NULL, O_RDONLY), EACCES);
	EQUAL(who_call(WHO_OTHER, CALL_OPEN, "open/dir/file", NULL, O_RDONLY), ENOENT);
	OK(chmod("closed/dir", 0700));
	OK(rename("closed/dir", "open/dir"));
	EQUAL(who_call(WHO_OTHER, CALL_OPEN, "open/dir/file", NULL, O_RDONLY), EACCES);
	OK(rename("closed", "open/closed"));
	OK(chmod("open/closed", 0755));
	EQUAL(who_call(WHO_OTHER, CALL_STAT, "open/closed", NULL, 0), 0);
}

static int use_what_is_open(void *context)
{
	const int *fds = context;
	char bytes[5];

	EQUAL(OK(pread(fds[0], bytes, 5, 0)), 5);
	EQUAL(OK(pwrite(fds[0], "new", 3, 5)), 3);
	OK(ftruncate(fds[0], 100));
	OK(ftruncate(fds[0], 8));
	OK(close(FD(openat(fds[1], "file", O_RDONLY | O_CLOEXEC))));
	FAILS(EACCES, openat(fds[1], "../../closed/dir/file", O_RDONLY | O_CLOEXEC));
	OK(fchdir(fds[1]));
	EQUAL(ops_lstat("file").st_size, 8);
	return 0;
}

static void what_is_open_stays_open(void)
{
	int fds[2];

	who_needed();
	OK(mkdir("closed", 0755));
	OK(mkdir("closed/dir", 0755));
	ops_make_file("closed/dir/file", 5);
	OK(chmod("closed/dir/file", 0666));
	fds[0] = FD(open("closed/dir/file", O_RDWR | O_CLOEXEC));
	fds[1] = FD(open("closed/dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(chmod("closed/dir/file", 0444));
	OK(chmod("closed", 0700));
	EQUAL(who_run(WHO_OTHER, use_what_is_open, fds), 0);
	EQUAL(ops_stat(fds[0]).st_size, 8);
}

/* access() asks for the real ids, faccessat(AT_EACCESS) and every other call for the effective ones. */
static void access_asks_for_the_real_ids(void)
{
	pid_t pid;
	int status;

	who_needed();
	ops_make_file("file", 5);
	OK(chown("file", WHO_UID, WHO_GID));
	OK(chmod("file", 0600));
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		OK(setresgid(WHO_OTHER_GID, WHO_GID, WHO_GID));
		OK(setresuid(WHO_OTHER_UID, WHO_UID, WHO_UID));
		FAILS(EACCES, access("file", R_OK));
		OK(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
		OK(close(FD(open("file", O_RDWR | O_CLOEXEC))));
		_exit(0);
	}
	OK(waitpid(pid, &status, 0));
	EQUAL(status, 0);
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		OK(setresgid(WHO_GID, WHO_OTHER_GID, WHO_OTHER_GID));
		OK(setresuid(WHO_UID, WHO_OTHER_UID, WHO_OTHER_UID));
		OK(access("file", R_OK));
		FAILS(EACCES, faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
		FAILS(EACCES, open("file", O_RDONLY | O_CLOEXEC));
		_exit(0);
	}
	OK(waitpid(pid, &status, 0));
	EQUAL(status, 0);
}

OPS_CASES(sticky) = {
	{ "sticky_directories_keep_the_names_of_others", names_in_sticky_directories },
	{ "sticky_directories_take_new_names", sticky_directories_take_new_names },
	{ "moving_a_directory_writes_it", moving_a_directory_writes_it },
	{ "a_closed_parent_closes_what_was_seen", a_closed_parent_closes_what_was_seen },
	{ "a_moved_directory_keeps_its_own_permissions", a_moved_directory_keeps_its_own_permissions },
	{ "what_is_open_stays_open", what_is_open_stays_open },
	{ "access_asks_for_the_real_ids", access_asks_for_the_real_ids },
	{ NULL, NULL },
};
