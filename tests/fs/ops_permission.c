/* ops_permission.c - cases: what the mode lets each person do, with files, directories and attributes. */
#include "ops.h"
#include "ops_fixture.h"
#include "ops_who.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What each person may do: root, owner, owner of another group, two of the group, another. The class is decided first:
 * an owner to whom the mode gives nothing has nothing from the group. */
static const struct mode_row {
	mode_t mode;
	const char *may[WHO_COUNT];
} file_modes[] = {
	{ 0000, { "rw-", "---", "---", "---", "---", "---" } },
	{ 0400, { "rw-", "r--", "r--", "---", "---", "---" } },
	{ 0200, { "rw-", "-w-", "-w-", "---", "---", "---" } },
	{ 0100, { "rwx", "--x", "--x", "---", "---", "---" } },
	{ 0040, { "rw-", "---", "---", "r--", "r--", "---" } },
	{ 0020, { "rw-", "---", "---", "-w-", "-w-", "---" } },
	{ 0010, { "rwx", "---", "---", "--x", "--x", "---" } },
	{ 0004, { "rw-", "---", "---", "---", "---", "r--" } },
	{ 0002, { "rw-", "---", "---", "---", "---", "-w-" } },
	{ 0001, { "rwx", "---", "---", "---", "---", "--x" } },
	{ 0077, { "rwx", "---", "---", "rwx", "rwx", "rwx" } },
	{ 0707, { "rwx", "rwx", "rwx", "---", "---", "rwx" } },
	{ 0770, { "rwx", "rwx", "rwx", "rwx", "rwx", "---" } },
	{ 0644, { "rw-", "rw-", "rw-", "r--", "r--", "r--" } },
	{ 0755, { "rwx", "rwx", "rwx", "r-x", "r-x", "r-x" } },
};

static const struct mode_row directory_modes[] = {
	{ 0000, { "rwx", "---", "---", "---", "---", "---" } },
	{ 0400, { "rwx", "r--", "r--", "---", "---", "---" } },
	{ 0100, { "rwx", "--x", "--x", "---", "---", "---" } },
	{ 0200, { "rwx", "-w-", "-w-", "---", "---", "---" } },
	{ 0300, { "rwx", "-wx", "-wx", "---", "---", "---" } },
	{ 0030, { "rwx", "---", "---", "-wx", "-wx", "---" } },
	{ 0050, { "rwx", "---", "---", "r-x", "r-x", "---" } },
	{ 0003, { "rwx", "---", "---", "---", "---", "-wx" } },
	{ 0005, { "rwx", "---", "---", "---", "---", "r-x" } },
	{ 0077, { "rwx", "---", "---", "rwx", "rwx", "rwx" } },
	{ 0770, { "rwx", "rwx", "rwx", "rwx", "rwx", "---" } },
	{ 0755, { "rwx", "rwx", "rwx", "r-x", "r-x", "r-x" } },
	{ 0711, { "rwx", "rwx", "rwx", "--x", "--x", "--x" } },
};

/* Calls and the letters they need; all of them, else EACCES. */
struct need {
	const char *what, *letters;
	int call;
	const char *a, *b;
	int arg;
	bool changes; /* the tree, if it may */
};

static const struct need file_needs[] = {
	{ "open to read", "r", CALL_OPEN, "file", NULL, O_RDONLY, false },
	{ "open to write", "w", CALL_OPEN, "file", NULL, O_WRONLY, false },
	{ "open for both", "rw", CALL_OPEN, "file", NULL, O_RDWR, false },
	{ "open to append", "w", CALL_OPEN, "file", NULL, O_WRONLY | O_APPEND, false },
	{ "open to read, created before", "r", CALL_OPEN, "file", NULL, O_RDONLY | O_CREAT, false },
	{ "open to read and truncate", "rw", CALL_OPEN, "file", NULL, O_RDONLY | O_TRUNC, true },
	{ "open O_PATH", "", CALL_OPEN, "file", NULL, O_PATH, false },
	{ "openat2", "r", CALL_OPENAT2, "file", NULL, 0, false },
	{ "execve", "x", CALL_EXEC, "file", NULL, 0, false },
	{ "truncate", "w", CALL_TRUNCATE, "file", NULL, 5, true },
	{ "access to read", "r", CALL_ACCESS, "file", NULL, R_OK, false },
	{ "access to write", "w", CALL_ACCESS, "file", NULL, W_OK, false },
	{ "access to run", "x", CALL_ACCESS, "file", NULL, X_OK, false },
	{ "access for two", "rw", CALL_ACCESS, "file", NULL, R_OK | W_OK, false },
	{ "access for all", "rwx", CALL_ACCESS, "file", NULL, R_OK | W_OK | X_OK, false },
	{ "access at all", "", CALL_ACCESS, "file", NULL, F_OK, false },
	{ "faccessat2 to write", "w", CALL_EACCESS, "file", NULL, W_OK, false },
	{ "stat", "", CALL_STAT, "file", NULL, 0, false },
	{ "statfs", "", CALL_STATFS, "file", NULL, 0, false },
	{ "setxattr", "w", CALL_SETXATTR, "file", NULL, 0, true },
	{ "listxattr", "", CALL_LISTXATTR, "file", NULL, 0, false },
};

static const struct need directory_needs[] = {
	{ "opendir", "r", CALL_OPENDIR, "dir", NULL, 0, false },
	{ "chdir", "x", CALL_CHDIR, "dir", NULL, 0, false },
	{ "open O_PATH", "", CALL_OPEN, "dir", NULL, O_PATH, false },
	{ "stat of it", "", CALL_STAT, "dir", NULL, 0, false },
	{ "stat below", "x", CALL_STAT, "dir/file", NULL, 0, false },
	{ "open below", "x", CALL_OPEN, "dir/file", NULL, O_RDONLY, false },
	{ "look for what is absent", "x!", CALL_STAT, "dir/absent", NULL, 0, false },
	{ "make what is there", "x=", CALL_MKDIR, "dir/file", NULL, 0755, false },
	{ "create", "wx", CALL_OPEN, "dir/new", NULL, O_CREAT | O_RDWR, true },
	{ "mkdir", "wx", CALL_MKDIR, "dir/new", NULL, 0755, true },
	{ "mkfifo", "wx", CALL_MKFIFO, "dir/new", NULL, 0644, true },
	{ "bind", "wx", CALL_BIND, "dir/new", NULL, 0, true },
	{ "symlink", "wx", CALL_SYMLINK, "x", "dir/new", 0, true },
	{ "link", "wx", CALL_LINK, "open", "dir/new", 0, true },
	{ "unlink", "wx", CALL_UNLINK, "dir/file", NULL, 0, true },
	{ "rmdir", "wx", CALL_RMDIR, "dir/sub", NULL, 0, true },
	{ "rename out", "wx", CALL_RENAME, "dir/file", "new", 0, true },
	{ "rename in", "wx", CALL_RENAME, "open", "dir/new", 0, true },
	{ "rename over", "wx", CALL_RENAME, "open", "dir/file", 0, true },
	{ "rename within", "wx", CALL_RENAME, "dir/file", "dir/new", 0, true },
	{ "exchange", "wx", CALL_RENAME, "open", "dir/file", RENAME_EXCHANGE, true },
};

/* "open" may be read and written, and so linked, by all. */
static void make_tree(mode_t file_mode, mode_t directory_mode)
{
	OK(mkdir("tree", 0777));
	OK(chdir("tree"));
	OK(chmod(".", 0777));
	ops_make_file("open", 3);
	OK(chmod("open", 0666));
	ops_make_file("file", 10);
	OK(chmod("file", file_mode));
	OK(chown("file", WHO_UID, WHO_GID));
	OK(mkdir("dir", 0755));
	ops_make_file("dir/file", 10);
	OK(mkdir("dir/sub", 0755));
	OK(chmod("dir", directory_mode));
	OK(chown("dir", WHO_UID, WHO_GID));
}

/* 0 or the errno that `need` ends with for somebody who may do `may`. */
static int wanted(const struct need *need, const char *may)
{
	for (const char *letter = need->letters; *letter; letter++) {
		if (*letter == '!')
			return ENOENT;
		if (*letter == '=')
			return EEXIST;
		if (!strchr(may, *letter))
			return EACCES;
	}
	return 0;
}

/* A tree is used until something changes it. */
static struct {
	bool made;
	mode_t file_mode, directory_mode;
	uint64_t digest;
} tree;

static void fresh_tree(mode_t file_mode, mode_t directory_mode)
{
	if (tree.made && tree.file_mode == file_mode && tree.directory_mode == directory_mode &&
	    fixture_digest() == tree.digest)
		return;
	if (tree.made)
		fixture_remove();
	make_tree(file_mode, directory_mode);
	tree.made = true;
	tree.file_mode = file_mode;
	tree.directory_mode = directory_mode;
	tree.digest = fixture_digest();
}

static void name_cell(mode_t mode, enum who who, const char *text)
{
	static char what[200];

	snprintf(what, sizeof what, "mode %04o, %s: %s", (unsigned)mode, who_name(who), text);
	ops_row(what);
}

static void check_cell(mode_t mode, enum who who, const char *text, const struct need *need, int want)
{
	name_cell(mode, who, text);
	fixture_check(who_call(who, need->call, need->a, need->b, need->arg), want);
	if (want != 0)
		CHECK(fixture_digest() == tree.digest);
}

struct table {
	const struct mode_row *rows;
	size_t n_rows;
	const struct need *needs;
	size_t n_needs;
};

struct looks {
	const struct table *table;
	const struct mode_row *row;
	enum who who;
};

static bool changes(const struct need *need, int want)
{
	return want == 0 && need->changes;
}

/* What changes nothing is asked for in one go. */
static int look(void *context)
{
	const struct looks *looks = context;
	const struct table *table = looks->table;

	for (const struct need *need = table->needs; need < table->needs + table->n_needs; need++) {
		int want = wanted(need, looks->row->may[looks->who]);

		if (changes(need, want))
			continue;
		name_cell(looks->row->mode, looks->who, need->what);
		fixture_check(fixture_call(need->call, need->a, need->b, need->arg), want);
	}
	return 0;
}

static void check_row(const struct table *table, const struct mode_row *row, enum who who, mode_t file_mode,
		      mode_t directory_mode)
{
	fresh_tree(file_mode, directory_mode);
	if (who_run(who, look, &(struct looks){ table, row, who }) != 0)
		_exit(1); /* it has said why */
	CHECK(fixture_digest() == tree.digest);
	for (const struct need *need = table->needs; need < table->needs + table->n_needs; need++) {
		if (!changes(need, wanted(need, row->may[who])))
			continue;
		fresh_tree(file_mode, directory_mode);
		check_cell(row->mode, who, need->what, need, 0);
	}
}

static void modes_of_files(void)
{
	const struct table table = { file_modes, sizeof file_modes / sizeof *file_modes, file_needs,
				     sizeof file_needs / sizeof *file_needs };

	who_needed();
	for (const struct mode_row *row = table.rows; row < table.rows + table.n_rows; row++) {
		for (enum who who = 0; who < WHO_COUNT; who++)
			check_row(&table, row, who, row->mode, 0755);
	}
}

static void modes_of_directories(void)
{
	const struct table table = { directory_modes, sizeof directory_modes / sizeof *directory_modes,
				     directory_needs, sizeof directory_needs / sizeof *directory_needs };

	who_needed();
	for (const struct mode_row *row = table.rows; row < table.rows + table.n_rows; row++) {
		for (enum who who = 0; who < WHO_COUNT; who++)
			check_row(&table, row, who, 0644, row->mode);
	}
}

/* What the owner alone may do, whatever the mode; with the mode the file has. */
static const struct {
	const char *what;
	mode_t mode;
	int call, arg;
	int want[WHO_COUNT];
} owner_rows[] = {
	{ "chmod", 0666, CALL_CHMOD, 0600, { 0, 0, 0, EPERM, EPERM, EPERM } },
	{ "chmod to what it is", 0666, CALL_CHMOD, 0666, { 0, 0, 0, EPERM, EPERM, EPERM } },
	{ "chmod of a closed file", 0, CALL_CHMOD, 0600, { 0, 0, 0, EPERM, EPERM, EPERM } },
	{ "give it to root", 0666, CALL_CHOWN, 0, { 0, EPERM, EPERM, EPERM, EPERM, EPERM } },
	{ "give it to another", 0666, CALL_CHOWN, WHO_OTHER_UID, { 0, EPERM, EPERM, EPERM, EPERM, EPERM } },
	{ "give it to its owner", 0666, CALL_CHOWN, WHO_UID, { 0, 0, 0, EPERM, EPERM, EPERM } },
	{ "lchown to its owner", 0666, CALL_LCHOWN, WHO_UID, { 0, 0, 0, EPERM, EPERM, EPERM } },
	{ "give it to its group", 0666, CALL_CHGRP, WHO_GID, { 0, 0, 0, EPERM, EPERM, EPERM } },
	{ "to a group of one of them",
	  0666,
	  CALL_CHGRP,
	  WHO_OTHER_GID,
	  { 0, EPERM, 0, EPERM, EPERM, EPERM } },
	{ "to root's group", 0666, CALL_CHGRP, 0, { 0, EPERM, EPERM, EPERM, EPERM, EPERM } },
	{ "chown of nothing", 0666, CALL_CHOWN, -1, { 0, 0, 0, 0, 0, 0 } },
	{ "times of one's own", 0666, CALL_UTIMES, 1000, { 0, 0, 0, EPERM, EPERM, EPERM } },
	{ "times of a closed file", 0, CALL_UTIMES, 1000, { 0, 0, 0, EPERM, EPERM, EPERM } },
	{ "times of now, all may write", 0666, CALL_TOUCH, 0, { 0, 0, 0, 0, 0, 0 } },
	{ "times of now, the group may write", 0060, CALL_TOUCH, 0, { 0, 0, 0, 0, 0, EACCES } },
	{ "times of now, a closed file", 0, CALL_TOUCH, 0, { 0, 0, 0, EACCES, EACCES, EACCES } },
	{ "O_NOATIME", 0666, CALL_OPEN, O_RDONLY | O_NOATIME, { 0, 0, 0, EPERM, EPERM, EPERM } },
};

static void what_only_the_owner_may(void)
{
	who_needed();
	for (size_t i = 0; i < sizeof owner_rows / sizeof *owner_rows; i++) {
		const struct need need = { .call = owner_rows[i].call,
					   .a = "file",
					   .arg = owner_rows[i].arg };

		for (enum who who = 0; who < WHO_COUNT; who++) {
			fresh_tree(owner_rows[i].mode, 0755);
			check_cell(owner_rows[i].mode, who, owner_rows[i].what, &need,
				   owner_rows[i].want[who]);
		}
	}
}

static void what_only_root_may(void)
{
	static const struct {
		const char *what;
		int call;
		const char *a;
		int arg, others;
	} rows[] = {
		{ "a character device", CALL_MKNOD, "new", S_IFCHR | 0666, EPERM },
		{ "a block device", CALL_MKNOD, "new", S_IFBLK | 0666, EPERM },
		{ "a device over a file", CALL_MKNOD, "file", S_IFCHR | 0666, EEXIST },
		{ "chroot", CALL_CHROOT, ".", 0, EPERM },
	};

	who_needed();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		make_tree(0666, 0755);
		ops_row(rows[i].what);
		for (enum who who = WHO_OWNER; who < WHO_COUNT; who++)
			fixture_check(who_call(who, rows[i].call, rows[i].a, NULL, rows[i].arg),
				      rows[i].others);
		fixture_check(who_call(WHO_ROOT, rows[i].call, rows[i].a, NULL, rows[i].arg),
			      rows[i].others == EEXIST ? EEXIST : 0);
		fixture_remove();
		ops_row(NULL);
	}
}

OPS_CASES(permission) = {
	{ "permission_by_modes_of_files", modes_of_files },
	{ "permission_by_modes_of_directories", modes_of_directories },
	{ "permission_of_the_owner", what_only_the_owner_may },
	{ "permission_of_root", what_only_root_may },
	{ NULL, NULL },
};
