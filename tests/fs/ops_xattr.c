/* ops_xattr.c - cases: extended attributes, every error, and the sizes that only a vault can keep. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { VALUE_MAX = 65536 };

static void errors_on(const char *path)
{
	static const struct {
		const char *what, *name;
		size_t size;
		int flags, want;
	} rows[] = {
		{ "a namespace nobody knows", "bogus.foo", 1, 0, EOPNOTSUPP },
		{ "no namespace", "foo", 1, 0, EOPNOTSUPP },
		{ "a bare prefix", "user.", 1, 0, EINVAL },
		{ "an unknown system attribute", "system.foo", 1, 0, EOPNOTSUPP },
		{ "the empty name", "", 1, 0, ERANGE },
		{ "CREATE of what is there", "user.there", 1, XATTR_CREATE, EEXIST },
		{ "REPLACE of what is not", "user.absent", 1, XATTR_REPLACE, ENODATA },
		{ "a value too large for all", "user.large", VALUE_MAX + 1, 0, E2BIG },
		{ "flags nobody knows", "user.x", 1, 0x40, EINVAL },
		{ "CREATE", "user.new", 1, XATTR_CREATE, 0 },
		{ "REPLACE", "user.there", 1, XATTR_REPLACE, 0 },
	};
	static char value[VALUE_MAX + 1];
	char name[300];

	OK(setxattr(path, "user.there", "12345", 5, 0));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].what);
		EQUAL(ops_errno(setxattr(path, rows[i].name, value, rows[i].size, rows[i].flags)),
		      rows[i].want);
	}
	ops_row(path);
	OK(setxattr(path, "user.there", "12345", 5, 0));
	FAILS(ENODATA, getxattr(path, "user.absent", value, sizeof value));
	FAILS(ENODATA, removexattr(path, "user.absent"));
	FAILS(EOPNOTSUPP, getxattr(path, "bogus.foo", value, sizeof value));
	FAILS(ERANGE, getxattr(path, "user.there", value, 4));
	EQUAL(OK(getxattr(path, "user.there", value, 0)), 5);
	EQUAL(OK(getxattr(path, "user.there", value, 5)), 5);
	FAILS(ERANGE, listxattr(path, value, 3));
	CHECK(OK(listxattr(path, value, 0)) >= 11);
	memset(name, 'n', sizeof name);
	memcpy(name, "user.", 5);
	name[256] = 0;
	FAILS(ERANGE, setxattr(path, name, "x", 1, 0));
	name[255] = 0;
	OK(setxattr(path, name, "x", 1, 0));
	EQUAL(OK(getxattr(path, name, value, sizeof value)), 1);
	OK(removexattr(path, name));
	FAILS(ENODATA, getxattr(path, name, value, sizeof value));
}

static void errors(void)
{
	char value[10];
	int fd;

	ops_make_file("file", 1);
	errors_on("file");
	OK(mkdir("dir", 0755));
	errors_on("dir");
	ops_row(NULL);
	FAILS(ENOENT, setxattr("absent", "user.x", "x", 1, 0));
	fd = FD(open("file", O_RDWR | O_CLOEXEC));
	OK(unlink("file"));
	OK(fsetxattr(fd, "user.late", "x", 1, XATTR_CREATE));
	EQUAL(OK(fgetxattr(fd, "user.there", value, sizeof value)), 5);
	OK(fremovexattr(fd, "user.there"));
	FAILS(ENODATA, fgetxattr(fd, "user.there", value, sizeof value));
}

static void not_on_links_and_pipes(void)
{
	char value[10];

	OK(symlink("x", "link"));
	OK(mkfifo("pipe", 0644));
	FAILS(EPERM, lsetxattr("link", "user.x", "x", 1, 0));
	FAILS(EPERM, setxattr("pipe", "user.x", "x", 1, 0));
	FAILS(ENODATA, lgetxattr("link", "user.x", value, sizeof value));
	EQUAL(OK(llistxattr("link", NULL, 0)), 0);
}

static bool listed(const char *path, const char *name)
{
	static char list[VALUE_MAX];
	ssize_t size = OK(listxattr(path, list, sizeof list));

	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(list + at) + 1) {
		if (strcmp(list + at, name) == 0)
			return true;
	}
	return false;
}

static void values_are_kept_byte_for_byte(void)
{
	static const struct {
		const char *name, *value;
		size_t size;
	} rows[] = {
		{ "user.empty", "", 0 },
		{ "user.zeros", "\0\0\0", 3 },
		{ "user.binary", "\xff\0\x01=\"\n", 6 },
		{ "user.a.b.c", "dots", 4 },
		{ "user.with space", "x", 1 },
		{ "user.caf\xc3\xa9", "\xc3\x28", 2 },
		{ "user.UPPER", "1", 1 },
		{ "user.upper", "2", 1 },
	};
	char got[100];

	ops_make_file("file", 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		OK(setxattr("file", rows[i].name, rows[i].value, rows[i].size, XATTR_CREATE));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ops_row(rows[i].name);
		EQUAL(OK(getxattr("file", rows[i].name, got, sizeof got)), rows[i].size);
		CHECK(memcmp(got, rows[i].value, rows[i].size) == 0);
		CHECK(listed("file", rows[i].name));
		OK(setxattr("file", rows[i].name, "another and longer", 18, XATTR_REPLACE));
		EQUAL(OK(getxattr("file", rows[i].name, got, sizeof got)), 18);
		OK(removexattr("file", rows[i].name));
		CHECK(!listed("file", rows[i].name));
	}
}

static void they_follow_the_inode(void)
{
	char got[10];

	ops_make_file("file", 1);
	OK(setxattr("file", "user.x", "kept", 4, 0));
	OK(link("file", "link"));
	OK(rename("file", "moved"));
	EQUAL(OK(getxattr("link", "user.x", got, sizeof got)), 4);
	OK(setxattr("link", "user.x", "new", 3, 0));
	EQUAL(OK(getxattr("moved", "user.x", got, sizeof got)), 3);
	OK(unlink("moved"));
	OK(unlink("link"));
	ops_make_file("file", 1);
	FAILS(ENODATA, getxattr("file", "user.x", got, sizeof got));
}

static void namespaces_of_root(void)
{
	char got[10];

	ops_make_file("file", 1);
	if (geteuid() != 0) {
		FAILS(EPERM, setxattr("file", "trusted.x", "1", 1, 0));
		return;
	}
	OK(setxattr("file", "trusted.x", "1\0002", 3, 0));
	EQUAL(OK(getxattr("file", "trusted.x", got, sizeof got)), 3);
	CHECK(listed("file", "trusted.x"));
	OK(symlink("x", "link"));
	OK(lsetxattr("link", "trusted.x", "on a link", 9, 0));
	EQUAL(OK(lgetxattr("link", "trusted.x", got, sizeof got)), 9);
	OK(removexattr("file", "trusted.x"));
	FAILS(ENODATA, getxattr("file", "trusted.x", got, sizeof got));
}

static void only_root_sees_trusted_ones(void)
{
	char list[100];

	ops_make_file("file", 1);
	OK(chmod("file", 0666));
	OK(setxattr("file", "user.a", "1", 1, 0));
	if (geteuid() == 0) {
		OK(setxattr("file", "trusted.x", "1", 1, 0));
		OK(setxattr("file", "user.b", "1", 1, 0));
		CHECK(listed("file", "trusted.x") && listed("file", "user.b"));
	}
	ops_become_user(1234, 1234);
	CHECK(listed("file", "user.a") && listed("file", "user.b"));
	EQUAL(OK(listxattr("file", list, sizeof list)), 14);
	EQUAL(OK(listxattr("file", NULL, 0)), 14);
	FAILS(ERANGE, listxattr("file", list, 13));
	FAILS(ENODATA, getxattr("file", "trusted.x", list, sizeof list));
	FAILS(EPERM, removexattr("file", "trusted.x"));
}

static void large_values(void)
{
	static const size_t sizes[] = { 4096, 4097, 32768, 65535, 65536 };
	static char value[VALUE_MAX], got[VALUE_MAX];

	if (!on_vault)
		ops_skip("ext4 keeps all attributes of a file in one block");
	ops_make_file("file", 1);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		ops_pattern((uint8_t *)value, sizes[i], i);
		OK(setxattr("file", "user.large", value, sizes[i], 0));
		EQUAL(OK(getxattr("file", "user.large", NULL, 0)), sizes[i]);
		FAILS(ERANGE, getxattr("file", "user.large", got, sizes[i] - 1));
		EQUAL(OK(getxattr("file", "user.large", got, sizes[i])), sizes[i]);
		CHECK(memcmp(value, got, sizes[i]) == 0);
	}
	OK(removexattr("file", "user.large"));
}

static void long_lists(void)
{
	static char list[VALUE_MAX];
	char name[256], count = 0;
	int n = 0;

	if (!on_vault)
		ops_skip("ext4 keeps all attributes of a file in one block");
	ops_make_file("file", 1);
	memset(name, 'n', sizeof name);
	memcpy(name, "user.", 5);
	name[255] = 0;
	/* listxattr can give 64 KiB; some room is kept for the names of tags and the like. */
	for (n = 0; n < 255; n++) {
		name[5] = (char)('a' + n / 16);
		name[6] = (char)('a' + n % 16);
		OK(setxattr("file", name, &count, 1, XATTR_CREATE));
	}
	EQUAL(OK(listxattr("file", list, sizeof list)) >= 255 * 256, 1);
	name[5] = 'z';
	FAILS(ENOSPC, setxattr("file", name, &count, 1, 0));
	OK(setxattr("file", "user.xdg.tags", "x", 1, 0));
	OK(setxattr("file", "user.xdg.comment", "x", 1, 0));
}

OPS_CASES(xattr) = {
	{ "xattr_errors", errors },
	{ "xattr_not_on_links_and_pipes", not_on_links_and_pipes },
	{ "xattr_values_byte_for_byte", values_are_kept_byte_for_byte },
	{ "xattr_follow_the_inode", they_follow_the_inode },
	{ "xattr_of_root", namespaces_of_root },
	{ "xattr_trusted_ones_are_root_s", only_root_sees_trusted_ones },
	{ "xattr_values_of_64_KiB", large_values },
	{ "xattr_lists_of_64_KiB", long_lists },
	{ NULL, NULL },
};
