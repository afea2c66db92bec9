/* ops_acl_set.c - cases: how POSIX access control lists are passed on, set, refused and removed. */
#include "ops.h"
#include "ops_acl_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { MANY = 400 };

/* ---- passing on ---- */

enum kind { FILE_BY_OPEN, FILE_BY_MKNOD, DIRECTORY, FIFO };

static void make_kind(enum kind kind, const char *path, mode_t mode)
{
	switch (kind) {
	case FILE_BY_OPEN:
		OK(close(FD(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode))));
		break;
	case FILE_BY_MKNOD:
		OK(mknod(path, S_IFREG | mode, 0));
		break;
	case DIRECTORY:
		OK(mkdir(path, mode));
		break;
	case FIFO:
		OK(mkfifo(path, mode));
		break;
	}
}

static void new_ones_inherit(void)
{
	static const struct {
		const char *what, *list;
		enum kind kind;
		mode_t mode;
		const char *want; /* the access list, or "" */
		mode_t want_mode;
	} rows[] = {
		{ "a file", ACL_FULL, FILE_BY_OPEN, 0666, "u:rw- u1002:rwx g:r-x g2002:rw- m:rw- o:r--",
		  0664 },
		{ "a private file", ACL_FULL, FILE_BY_OPEN, 0600,
		  "u:rw- u1002:rwx g:r-x g2002:rw- m:--- o:---", 0600 },
		{ "a file by mknod", ACL_FULL, FILE_BY_MKNOD, 0644,
		  "u:rw- u1002:rwx g:r-x g2002:rw- m:r-- o:r--", 0644 },
		{ "a directory", ACL_FULL, DIRECTORY, 0777, ACL_FULL, 0775 },
		{ "a private directory", ACL_FULL, DIRECTORY, 0700,
		  "u:rwx u1002:rwx g:r-x g2002:rw- m:--- o:---", 0700 },
		{ "a pipe", ACL_FULL, FIFO, 0666, "u:rw- u1002:rwx g:r-x g2002:rw- m:rw- o:r--", 0664 },
		{ "a simple list limits a file", "u:rwx g:r-x o:---", FILE_BY_OPEN, 0666, "", 0640 },
		{ "a simple list limits a directory", "u:r-x g:-w- o:--x", DIRECTORY, 0777, "", 0521 },
		{ "a list of nothing", "u:--- g:--- o:---", FILE_BY_OPEN, 0666, "", 0000 },
		{ "a mask with nobody named", "u:rwx g:rwx m:r-x o:---", FILE_BY_OPEN, 0666,
		  "u:rw- g:rwx m:r-- o:---", 0640 },
		{ "sticky", ACL_FULL, DIRECTORY, 01777, ACL_FULL, 01775 },
	};

	OK(mkdir("dir", 0755));
	umask(077);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].what);
		OK(acl_set("dir", ACL_DEFAULT, rows[i].list));
		make_kind(rows[i].kind, "dir/new", rows[i].mode);
		acl_expect("dir/new", ACL_ACCESS, rows[i].want);
		acl_expect("dir/new", ACL_DEFAULT, rows[i].kind == DIRECTORY ? rows[i].list : "");
		acl_expect_mode("dir/new", rows[i].want_mode);
		OK(remove("dir/new"));
	}
	ops_row("links do not");
	OK(symlink("nowhere", "dir/link"));
	acl_expect_mode("dir/link", 0777);
	EQUAL(OK(llistxattr("dir/link", NULL, 0)), 0);
	ops_row("a directory's access list is not passed on");
	OK(removexattr("dir", ACL_DEFAULT));
	OK(acl_set("dir", ACL_ACCESS, ACL_FULL));
	make_kind(FILE_BY_OPEN, "dir/new", 0666);
	acl_expect_mode("dir/new", 0600);
	acl_expect("dir/new", ACL_ACCESS, "");
}

static void without_a_list_the_umask_holds(void)
{
	static const struct {
		enum kind kind;
		mode_t umask, mode, want;
	} rows[] = {
		{ FILE_BY_OPEN, 027, 0666, 0640 }, { FILE_BY_MKNOD, 0, 0666, 0666 },
		{ FIFO, 0137, 0777, 0640 },        { DIRECTORY, 022, 01777, 01755 },
		{ DIRECTORY, 0777, 0777, 0000 },   { FILE_BY_OPEN, 022, 04755, 04755 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		umask(rows[i].umask);
		make_kind(rows[i].kind, "new", rows[i].mode);
		acl_expect_mode("new", rows[i].want);
		OK(remove("new"));
	}
	umask(077);
	OK(symlink("x", "link"));
	acl_expect_mode("link", 0777);
}

static void deep_down_and_with_the_group(void)
{
	OK(mkdir("dir", 0755));
	OK(chmod("dir", 02755));
	OK(acl_set("dir", ACL_DEFAULT, ACL_FULL));
	OK(mkdir("dir/sub", 0777));
	OK(mkdir("dir/sub/sub", 0777));
	ops_make_file("dir/sub/sub/file", 1);
	acl_expect("dir/sub/sub", ACL_DEFAULT, ACL_FULL);
	acl_expect_mode("dir/sub/sub", 02775);
	acl_expect("dir/sub/sub/file", ACL_ACCESS, "u:rw- u1002:rwx g:r-x g2002:rw- m:r-- o:r--");
	OK(rename("dir/sub/sub/file", "file"));
	acl_expect("file", ACL_ACCESS, "u:rw- u1002:rwx g:r-x g2002:rw- m:r-- o:r--");
	ops_make_file("plain", 1);
	OK(rename("plain", "dir/plain"));
	acl_expect("dir/plain", ACL_ACCESS, "");
	acl_expect_mode("dir/plain", 0644);
	OK(removexattr("dir", ACL_DEFAULT));
	OK(mkdir("dir/later", 0777));
	acl_expect("dir/later", ACL_DEFAULT, "");
	acl_expect_mode("dir/later", 02755);
	acl_expect("dir/sub", ACL_DEFAULT, ACL_FULL);
}

/* ---- errors ---- */

#define HEAD "\2\0\0\0"
#define ENTRY(tag, permissions) tag "\0" permissions "\0\377\377\377\377"
#define NAMED(tag, permissions) tag "\0" permissions "\0\52\4\0\0"
#define U ENTRY("\1", "\6")
#define G ENTRY("\4", "\4")
#define M ENTRY("\20", "\7")
#define O ENTRY("\40", "\4")

static void malformed_ones_are_refused(void)
{
#define ROW(what, bytes, want)                       \
	{                                            \
		what, bytes, sizeof(bytes) - 1, want \
	}
	static const struct {
		const char *what, *bytes;
		size_t size;
		int want;
	} rows[] = {
		ROW("as it should be", HEAD U G O, 0),
		ROW("named, as it should be", HEAD U NAMED("\2", "\7") G NAMED("\10", "\1") M O, 0),
		ROW("one user named twice", HEAD U NAMED("\2", "\7") NAMED("\2", "\1") G M O, 0),
		ROW("less than a header", "\2\0\0", EINVAL),
		ROW("another version", "\3\0\0\0" U G O, EOPNOTSUPP),
		ROW("half an entry", HEAD U G O "\40\0\4\0", EINVAL),
		ROW("no user", HEAD G O, EINVAL),
		ROW("no group", HEAD U O, EINVAL),
		ROW("no other", HEAD U G, EINVAL),
		ROW("two users", HEAD U U G O, EINVAL),
		ROW("two groups", HEAD U G G O, EINVAL),
		ROW("two masks", HEAD U G M M O, EINVAL),
		ROW("two others", HEAD U G O O, EINVAL),
		ROW("named without a mask", HEAD U NAMED("\2", "\7") G O, EINVAL),
		ROW("a named group without a mask", HEAD U G NAMED("\10", "\7") O, EINVAL),
		ROW("the named one before the user", HEAD NAMED("\2", "\7") U G M O, EINVAL),
		ROW("the named one behind the group", HEAD U G NAMED("\2", "\7") M O, EINVAL),
		ROW("the named group before the group", HEAD U NAMED("\10", "\7") G M O, EINVAL),
		ROW("the mask before the group", HEAD U M G O, EINVAL),
		ROW("something behind other", HEAD U G O M, EINVAL),
		ROW("an unknown tag", HEAD U ENTRY("\100", "\7") G M O, EINVAL),
		ROW("no tag", HEAD ENTRY("\0", "\7") U G O, EINVAL),
		ROW("unknown permissions", HEAD ENTRY("\1", "\10") G O, EINVAL),
		ROW("a user without an id", HEAD U ENTRY("\2", "\7") G M O, EINVAL),
	};
#undef ROW

	ops_make_file("file", 1);
	OK(mkdir("dir", 0755));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].what);
		OK(chmod("file", 0600));
		EQUAL(ops_errno(setxattr("file", ACL_ACCESS, rows[i].bytes, rows[i].size, 0)), rows[i].want);
		EQUAL(ops_errno(setxattr("dir", ACL_DEFAULT, rows[i].bytes, rows[i].size, 0)), rows[i].want);
		if (rows[i].want != 0) {
			acl_expect_mode("file", 0600);
			EQUAL(OK(listxattr("file", NULL, 0)) + OK(listxattr("dir", NULL, 0)), 0);
		}
		OK(removexattr("file", ACL_ACCESS));
		OK(removexattr("dir", ACL_DEFAULT));
	}
}

static void not_everything_has_one(void)
{
	char got[64];

	ops_make_file("file", 1);
	OK(symlink("file", "link"));
	OK(mkfifo("pipe", 0600));
	FAILS(EACCES, acl_set("file", ACL_DEFAULT, ACL_FULL));
	FAILS(EACCES, acl_set("pipe", ACL_DEFAULT, ACL_FULL));
	OK(removexattr("file", ACL_DEFAULT));
	FAILS(EOPNOTSUPP, lsetxattr("link", ACL_ACCESS, HEAD U G O, 28, 0));
	FAILS(EOPNOTSUPP, lgetxattr("link", ACL_ACCESS, got, sizeof got));
	FAILS(EOPNOTSUPP, lremovexattr("link", ACL_ACCESS));
	FAILS(ENOENT, acl_set("absent", ACL_ACCESS, ACL_FULL));
	FAILS(ENODATA, getxattr("file", ACL_ACCESS, got, sizeof got));
	FAILS(ENODATA, getxattr("file", ACL_DEFAULT, got, sizeof got));
	OK(acl_set("pipe", ACL_ACCESS, ACL_FULL));
	acl_expect_mode("pipe", 0775);
	OK(acl_set("link", ACL_ACCESS, ACL_FULL));
	acl_expect("file", ACL_ACCESS, ACL_FULL);
	FAILS(ERANGE, getxattr("file", ACL_ACCESS, got, 8));
	FAILS(EOPNOTSUPP, setxattr("file", "system.posix_acl_foo", HEAD U G O, 28, 0));
}

static int get_and_set(const char *path)
{
	char got[64];

	CHECK(getxattr(path, ACL_ACCESS, got, sizeof got) > 0);
	FAILS(EPERM, acl_set(path, ACL_ACCESS, ACL_FULL));
	FAILS(EPERM, removexattr(path, ACL_ACCESS));
	if (S_ISDIR(ops_lstat(path).st_mode)) {
		FAILS(EPERM, acl_set(path, ACL_DEFAULT, ACL_FULL));
		FAILS(EPERM, removexattr(path, ACL_DEFAULT));
	}
	return 0;
}

static void only_the_owner_changes_one(void)
{
	acl_need_root();
	ops_make_file("file", 1);
	OK(mkdir("dir", 0755));
	OK(acl_set("file", ACL_ACCESS, "u:rw- u1002:rwx g:r-- m:rwx o:---"));
	OK(acl_set("dir", ACL_ACCESS, "u:rw- u1002:rwx g:r-- m:rwx o:---"));
	OK(chown("file", ACL_OWNER, ACL_GROUP));
	EQUAL(acl_act_as((struct who){ ACL_OTHER_USER, ACL_GROUP, 0 }, get_and_set, "file"), 0);
	EQUAL(acl_act_as((struct who){ ACL_OTHER_USER, ACL_GROUP, 0 }, get_and_set, "dir"), 0);
	EQUAL(acl_act_as((struct who){ ACL_OWNER, 9, 0 }, acl_set_simple, "file"), 0);
	acl_expect_mode("file", 0755);
}

/* ---- setting and removing ---- */

static bool is_listed(const char *path, const char *name)
{
	char list[256];
	ssize_t size = OK(listxattr(path, list, sizeof list));

	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(list + at) + 1) {
		if (strcmp(list + at, name) == 0)
			return true;
	}
	return false;
}

static void they_come_and_go(void)
{
	unsigned char bytes[ACL_BYTES_MAX];
	size_t size = acl_encode(ACL_FULL, bytes);

	OK(mkdir("dir", 0755));
	CHECK(!is_listed("dir", ACL_ACCESS) && !is_listed("dir", ACL_DEFAULT));
	OK(acl_set("dir", ACL_ACCESS, ACL_FULL));
	OK(acl_set("dir", ACL_DEFAULT, ACL_FULL));
	CHECK(is_listed("dir", ACL_ACCESS) && is_listed("dir", ACL_DEFAULT));
	ops_row("CREATE and REPLACE say nothing to lists");
	OK(setxattr("dir", ACL_ACCESS, bytes, size, XATTR_CREATE));
	OK(removexattr("dir", ACL_ACCESS));
	OK(setxattr("dir", ACL_ACCESS, bytes, size, XATTR_REPLACE));
	ops_row("removing leaves the mode");
	OK(removexattr("dir", ACL_ACCESS));
	acl_expect_mode("dir", 0775);
	acl_expect("dir", ACL_ACCESS, "");
	CHECK(!is_listed("dir", ACL_ACCESS) && is_listed("dir", ACL_DEFAULT));
	ops_row("no bytes, and no entries, remove one");
	OK(acl_set("dir", ACL_ACCESS, ACL_FULL));
	OK(setxattr("dir", ACL_ACCESS, "", 0, 0));
	acl_expect("dir", ACL_ACCESS, "");
	OK(setxattr("dir", ACL_DEFAULT, HEAD, 4, 0));
	acl_expect("dir", ACL_DEFAULT, "");
	ops_row("removing what is not there");
	OK(removexattr("dir", ACL_ACCESS));
	OK(removexattr("dir", ACL_DEFAULT));
	ops_row("a default list is kept however little it says");
	OK(acl_set("dir", ACL_DEFAULT, "u:rwx g:r-x o:r-x"));
	acl_expect("dir", ACL_DEFAULT, "u:rwx g:r-x o:r-x");
}

static void large_ones(void)
{
	unsigned char bytes[ACL_BYTES_MAX], got[ACL_BYTES_MAX], *at = bytes;
	const struct who last = { 5000 + MANY - 1, 9, 0 };

	memcpy(at, HEAD, 4);
	at += 4;
	acl_put_entry(&at, 0x01, 6, UINT32_MAX);
	for (uint32_t i = 0; i < MANY; i++)
		acl_put_entry(&at, 0x02, 4, 5000 + i);
	acl_put_entry(&at, 0x04, 0, UINT32_MAX);
	acl_put_entry(&at, 0x10, 4, UINT32_MAX);
	acl_put_entry(&at, 0x20, 0, UINT32_MAX);
	OK(mkdir("dir", 0755));
	ops_make_file("dir/file", 1);
	OK(setxattr("dir/file", ACL_ACCESS, bytes, (size_t)(at - bytes), 0));
	EQUAL(OK(getxattr("dir/file", ACL_ACCESS, got, sizeof got)), at - bytes);
	CHECK(memcmp(got, bytes, (size_t)(at - bytes)) == 0);
	OK(setxattr("dir", ACL_DEFAULT, bytes, (size_t)(at - bytes), 0));
	ops_make_file("dir/new", 1);
	EQUAL(OK(getxattr("dir/new", ACL_ACCESS, got, sizeof got)), at - bytes);
	if (geteuid() == 0)
		EQUAL(acl_act_as(last, acl_permissions_on_file, "dir/file"), 4);
}

static int64_t ctime_of(const char *path)
{
	struct stat st = ops_lstat(path);

	return (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
}

static void times_of_a_change(void)
{
	static const struct {
		const char *what, *name, *list; /* NULL: removed */
		bool moves;
	} rows[] = {
		{ "a list", ACL_ACCESS, ACL_FULL, true },
		{ "a mode, which removes it", ACL_ACCESS, "u:rwx g:--- o:---", true },
		{ "another mode", ACL_ACCESS, "u:rwx g:r-- o:---", true },
		{ "the mode that it has", ACL_ACCESS, "u:rwx g:r-- o:---", false },
		{ "removing what is not there", ACL_ACCESS, NULL, false },
		{ "a default list", ACL_DEFAULT, ACL_FULL, true },
		{ "no default list", ACL_DEFAULT, NULL, true },
		{ "no default list, again", ACL_DEFAULT, NULL, false },
	};

	OK(mkdir("dir", 0755));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stat before = ops_lstat("dir");
		int64_t ctime = ctime_of("dir");

		ops_row(rows[i].what);
		ops_tick();
		OK(rows[i].list ? acl_set("dir", rows[i].name, rows[i].list)
				: removexattr("dir", rows[i].name));
		EQUAL(ctime_of("dir") > ctime, rows[i].moves);
		EQUAL(ops_lstat("dir").st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	}
}

static void on_open_and_unlinked_files(void)
{
	unsigned char bytes[ACL_BYTES_MAX];
	size_t size = acl_encode(ACL_FULL, bytes);
	int fd;

	ops_make_file("file", 1);
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	OK(unlink("file"));
	OK(fsetxattr(fd, ACL_ACCESS, bytes, size, 0));
	EQUAL(ops_stat(fd).st_mode & 0777, 0775);
	OK(fchmod(fd, 0700));
	EQUAL(OK(fgetxattr(fd, ACL_ACCESS, bytes, sizeof bytes)), size);
	EQUAL(bytes[4 + 4 * 8 + 2], 0); /* the mask */
	OK(fremovexattr(fd, ACL_ACCESS));
	FAILS(ENODATA, fgetxattr(fd, ACL_ACCESS, bytes, sizeof bytes));
}

OPS_CASES(acl_set) = {
	{ "acl_new_ones_inherit", new_ones_inherit },
	{ "acl_without_one_the_umask_holds", without_a_list_the_umask_holds },
	{ "acl_deep_down_and_with_the_group", deep_down_and_with_the_group },
	{ "acl_malformed_ones", malformed_ones_are_refused },
	{ "acl_not_everything_has_one", not_everything_has_one },
	{ "acl_only_the_owner_changes_one", only_the_owner_changes_one },
	{ "acl_come_and_go", they_come_and_go },
	{ "acl_large", large_ones },
	{ "acl_times", times_of_a_change },
	{ "acl_open_and_unlinked", on_open_and_unlinked_files },
	{ NULL, NULL },
};
