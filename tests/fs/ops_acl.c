/* ops_acl.c - cases: what POSIX access control lists grant, and how they and the mode move together. */
#include "ops.h"
#include "ops_acl_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static int make_in(const char *directory)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "%s/made", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return errno;
	OK(close(fd));
	OK(unlink(path));
	return 0;
}

static int list_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? errno : ops_errno(close(fd));
}

static int look_up_file(const char *directory)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof path, "%s/file", directory);
	return ops_errno(stat(path, &st));
}

static int permissions_on_directory(const char *path)
{
	return (list_directory(path) == 0) * 4 | (make_in(path) == 0) * 2 | (look_up_file(path) == 0);
}

/* ---- what they grant ---- */

static const struct {
	const char *what, *list;
	struct who who;
	const char *want;
} decisions[] = {
	{ "the owner's entry, before a named one",
	  "u:r-- u1001:rwx g:rwx m:rwx o:rwx",
	  { ACL_OWNER, 9, 0 },
	  "r--" },
	{ "the mask does not hold for the owner",
	  "u:rwx u1002:rwx g:rwx m:--- o:---",
	  { ACL_OWNER, 9, 0 },
	  "rwx" },
	{ "a named user", "u:--- u1002:rwx g:--- m:rwx o:---", { ACL_OTHER_USER, 9, 0 }, "rwx" },
	{ "a named user, behind the mask",
	  "u:--- u1002:rwx g:--- m:r-x o:---",
	  { ACL_OTHER_USER, 9, 0 },
	  "r-x" },
	{ "a named user, before his groups",
	  "u:--- u1002:r-- g:rwx g2002:rwx m:rwx o:rwx",
	  { ACL_OTHER_USER, ACL_GROUP, ACL_OTHER_GROUP },
	  "r--" },
	{ "another named user's is not his",
	  "u:--- u1003:rwx g:--- m:rwx o:r--",
	  { ACL_OTHER_USER, 9, 0 },
	  "r--" },
	{ "the group", "u:--- u1003:--- g:r-x m:rwx o:---", { ACL_OTHER_USER, ACL_GROUP, 0 }, "r-x" },
	{ "the group, as a supplementary one",
	  "u:--- u1003:--- g:r-x m:rwx o:---",
	  { ACL_OTHER_USER, 9, ACL_GROUP },
	  "r-x" },
	{ "the group, behind the mask",
	  "u:--- u1003:--- g:rwx m:-w- o:---",
	  { ACL_OTHER_USER, ACL_GROUP, 0 },
	  "-w-" },
	{ "the group, before other",
	  "u:--- u1003:--- g:--- m:rwx o:rwx",
	  { ACL_OTHER_USER, ACL_GROUP, 0 },
	  "---" },
	{ "a named group",
	  "u:--- g:--- g2002:rw- m:rwx o:---",
	  { ACL_OTHER_USER, ACL_OTHER_GROUP, 0 },
	  "rw-" },
	{ "a named group, as a supplementary one",
	  "u:--- g:--- g2002:rw- m:rwx o:---",
	  { ACL_OTHER_USER, 9, ACL_OTHER_GROUP },
	  "rw-" },
	{ "a named group, behind the mask",
	  "u:--- g:rwx g2002:rwx m:--x o:---",
	  { ACL_OTHER_USER, ACL_OTHER_GROUP, 0 },
	  "--x" },
	{ "two groups: what one of them grants alone",
	  "u:--- g:r-- g2002:-w- m:rwx o:---",
	  { ACL_OTHER_USER, ACL_GROUP, ACL_OTHER_GROUP },
	  "rw-" },
	{ "a named group that denies, before other",
	  "u:--- g:rwx g2002:--- m:rwx o:rwx",
	  { ACL_OTHER_USER, ACL_OTHER_GROUP, 0 },
	  "---" },
	{ "other", "u:--- u1003:rwx g:rwx g2002:rwx m:rwx o:r-x", { ACL_OTHER_USER, 9, 0 }, "r-x" },
	{ "the mask does not hold for other",
	  "u:--- u1003:--- g:--- m:--- o:rwx",
	  { ACL_OTHER_USER, 9, 0 },
	  "rwx" },
	{ "a mask with nobody named", "u:--- g:rwx m:r-- o:---", { ACL_OTHER_USER, ACL_GROUP, 0 }, "r--" },
};

static void decide(const char *path, int (*act)(const char *path))
{
	for (size_t i = 0; i < sizeof decisions / sizeof *decisions; i++) {
		ops_row(decisions[i].what);
		OK(acl_set(path, ACL_ACCESS, decisions[i].list));
		EQUAL(acl_act_as(decisions[i].who, act, path), acl_permissions(decisions[i].want));
	}
}

static void grants_on_files(void)
{
	acl_need_root();
	ops_make_file("file", 10);
	OK(chown("file", ACL_OWNER, ACL_GROUP));
	decide("file", acl_permissions_on_file);
}

/* In a directory that may be written but not searched nothing can be made: so the rows are asked for what they grant with x. */
static void grants_on_directories(void)
{
	static const struct {
		const char *what, *list;
		struct who who;
		const char *want;
	} rows[] = {
		{ "search only", "u:--- u1002:--x g:--- m:rwx o:---", { ACL_OTHER_USER, 9, 0 }, "--x" },
		{ "list only", "u:--- u1002:r-- g:--- m:rwx o:---", { ACL_OTHER_USER, 9, 0 }, "r--" },
		{ "write and search", "u:--- u1002:-wx g:--- m:rwx o:---", { ACL_OTHER_USER, 9, 0 }, "-wx" },
		{ "write alone is nothing",
		  "u:--- u1002:-w- g:--- m:rwx o:---",
		  { ACL_OTHER_USER, 9, 0 },
		  "---" },
		{ "all, of which the mask leaves search",
		  "u:--- u1002:rwx g:--- m:--x o:---",
		  { ACL_OTHER_USER, 9, 0 },
		  "--x" },
		{ "a named group",
		  "u:--- g:--- g2002:rwx m:rwx o:---",
		  { ACL_OTHER_USER, 9, ACL_OTHER_GROUP },
		  "rwx" },
		{ "others are kept out", "u:rwx u1002:rwx g:rwx m:rwx o:---", { 1003, 9, 0 }, "---" },
	};

	acl_need_root();
	OK(mkdir("dir", 0755));
	ops_make_file("dir/file", 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].what);
		OK(acl_set("dir", ACL_ACCESS, rows[i].list));
		EQUAL(acl_act_as(rows[i].who, permissions_on_directory, "dir"),
		      acl_permissions(rows[i].want));
	}
}

/* What the kernel remembers of a list, or of there being none, must not outlive a change. */
static void changes_count_at_once(void)
{
	const struct who who = { ACL_OTHER_USER, 9, 0 };

	acl_need_root();
	ops_make_file("file", 10);
	OK(link("file", "link"));
	OK(chmod("file", 0640));
	EQUAL(acl_act_as(who, acl_permissions_on_file, "file"), 0);
	OK(acl_set("link", ACL_ACCESS, "u:rw- u1002:rw- g:r-- m:rw- o:---"));
	EQUAL(acl_act_as(who, acl_permissions_on_file, "file"), 6);
	OK(chmod("file", 0640));
	EQUAL(acl_act_as(who, acl_permissions_on_file, "link"), 4);
	OK(chmod("link", 0660));
	EQUAL(acl_act_as(who, acl_permissions_on_file, "file"), 6);
	OK(removexattr("link", ACL_ACCESS));
	EQUAL(acl_act_as(who, acl_permissions_on_file, "file"), 0);
	acl_expect_mode("file", 0660);
}

/* ---- the mode ---- */

static void the_mode_follows(void)
{
	static const struct {
		const char *list;
		mode_t want;
		bool kept;
	} rows[] = {
		{ "u:rwx g:r-x o:--x", 0751, false },
		{ "u:--- g:--- o:---", 0000, false },
		{ "u:rw- u1002:rwx g:r-- m:r-x o:---", 0650, true },
		{ "u:rw- g:r-- g2002:rwx m:-w- o:r--", 0624, true },
		{ "u:rwx g:rwx m:r-- o:---", 0740, true },
		{ "u:r-- g:-w- o:--x", 0421, false },
	};

	ops_make_file("file", 1);
	OK(mkdir("dir", 0755));
	for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
		const char *path = i % 2 ? "dir" : "file";

		ops_row(rows[i / 2].list);
		OK(acl_set(path, ACL_ACCESS, rows[i / 2].list));
		acl_expect_mode(path, rows[i / 2].want);
		acl_expect(path, ACL_ACCESS, rows[i / 2].kept ? rows[i / 2].list : "");
	}
}

static void chmod_changes_the_mask(void)
{
	static const struct {
		const char *list;
		mode_t mode;
		const char *want;
	} rows[] = {
		{ "u:rw- u1002:rwx g:r-x m:rwx o:---", 0640, "u:rw- u1002:rwx g:r-x m:r-- o:---" },
		{ "u:rw- u1002:rwx g:r-x m:r-- o:---", 0777, "u:rwx u1002:rwx g:r-x m:rwx o:rwx" },
		{ "u:rw- g:r-x g2002:rwx m:r-- o:r--", 0001, "u:--- g:r-x g2002:rwx m:--- o:--x" },
		{ "u:rw- g:r-x m:rwx o:r--", 0626, "u:rw- g:r-x m:-w- o:rw-" },
		{ "u:rw- g:r-x o:r--", 0626, "" },
	};

	ops_make_file("file", 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].list);
		OK(acl_set("file", ACL_ACCESS, rows[i].list));
		OK(chmod("file", rows[i].mode));
		acl_expect("file", ACL_ACCESS, rows[i].want);
		acl_expect_mode("file", rows[i].mode);
	}
	OK(mkdir("dir", 0755));
	OK(acl_set("dir", ACL_ACCESS, rows[0].list));
	OK(acl_set("dir", ACL_DEFAULT, rows[0].list));
	OK(chmod("dir", 01640));
	acl_expect_mode("dir", 01640);
	acl_expect("dir", ACL_ACCESS, rows[0].want);
	acl_expect("dir", ACL_DEFAULT, rows[0].list);
}

static void suid_and_sticky_stay(void)
{
	ops_make_file("file", 1);
	OK(chmod("file", 04755));
	OK(acl_set("file", ACL_ACCESS, "u:rw- u1002:r-- g:r-- m:r-- o:---"));
	acl_expect_mode("file", 04640);
	OK(mkdir("dir", 0755));
	OK(chmod("dir", 01777));
	OK(acl_set("dir", ACL_ACCESS, "u:rwx g:r-x o:---"));
	acl_expect_mode("dir", 01750);
}

static int set_with_mask(const char *path)
{
	return ops_errno(acl_set(path, ACL_ACCESS, "u:rwx u1002:r-x g:r-x m:r-x o:r-x"));
}

static void sgid_goes_for_strangers_to_the_group(void)
{
	static const struct {
		const char *what;
		struct who who;
		mode_t want;
	} rows[] = {
		{ "the owner, not in the group", { ACL_OWNER, 9, 0 }, 0755 },
		{ "the owner, in the group", { ACL_OWNER, ACL_GROUP, 0 }, 02755 },
		{ "the owner, with the group as a supplementary one", { ACL_OWNER, 9, ACL_GROUP }, 02755 },
		{ "root", { 0, 0, 0 }, 02755 },
	};

	acl_need_root();
	ops_make_file("file", 1);
	OK(mkdir("dir", 0755));
	OK(chown("file", ACL_OWNER, ACL_GROUP));
	OK(chown("dir", ACL_OWNER, ACL_GROUP));
	for (size_t i = 0; i < 4 * (sizeof rows / sizeof *rows); i++) {
		const char *path = i % 2 ? "dir" : "file";

		ops_row(rows[i / 4].what);
		OK(chmod(path, 02755));
		EQUAL(acl_act_as(rows[i / 4].who, i & 2 ? set_with_mask : acl_set_simple, path), 0);
		acl_expect_mode(path, rows[i / 4].want);
	}
	ops_row("a default list takes none away");
	OK(chmod("dir", 02755));
	OK(acl_set("dir", ACL_DEFAULT, "u:rwx g:r-x o:r-x"));
	acl_expect_mode("dir", 02755);
}

OPS_CASES(acl) = {
	{ "acl_grants_on_files", grants_on_files },
	{ "acl_grants_on_directories", grants_on_directories },
	{ "acl_changes_count_at_once", changes_count_at_once },
	{ "acl_mode_follows", the_mode_follows },
	{ "acl_chmod_changes_the_mask", chmod_changes_the_mask },
	{ "acl_suid_and_sticky_stay", suid_and_sticky_stay },
	{ "acl_sgid_goes_for_strangers", sgid_goes_for_strangers_to_the_group },
	{ NULL, NULL },
};
