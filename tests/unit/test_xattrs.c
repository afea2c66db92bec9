/* test_xattrs.c - extended attributes: names, limits, errors, and what survives. */
#include "xattr_fixture.h"

static int set_with(struct fixture *f, uint64_t id, const char *name, const void *value, size_t size, int flags)
{
	return CHANGE(f, vault_setxattr(f->vault, id, name, value, size, flags));
}

static void assert_xattr(struct fixture *f, uint64_t id, const char *name, const char *want)
{
	char buffer[256];
	ssize_t n = vault_getxattr(f->vault, id, name, buffer, sizeof(buffer));

	assert_int_equal(n, (ssize_t)strlen(want));
	assert_memory_equal(buffer, want, (size_t)n);
	assert_int_equal(vault_getxattr(f->vault, id, name, NULL, 0), n);
}

static void values__come_back_byte_for_byte(void **state)
{
	static char large[VAULT_XATTR_MAX], got[VAULT_XATTR_MAX];
	struct fixture *f = *state;
	uint64_t ids[] = { fixture_file(f, VAULT_ROOT_ID, "file"), fixture_directory(f, VAULT_ROOT_ID, "d"),
			   VAULT_ROOT_ID };
	char name[VAULT_NAME_MAX + 1] = "user.";

	memset(name + 5, 'n', sizeof(name) - 6);
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)(i * 7 + i / 256);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(set(f, ids[i], "user.large", large, sizeof(large)), 0);
		assert_int_equal(vault_getxattr(f->vault, ids[i], "user.large", got, sizeof(got)),
				 sizeof(got));
		assert_memory_equal(got, large, sizeof(got));
		assert_int_equal(set(f, ids[i], "user.empty", NULL, 0), 0);
		assert_int_equal(vault_getxattr(f->vault, ids[i], "user.empty", got, sizeof(got)), 0);
		assert_int_equal(set_text(f, ids[i], name, "longest name"), 0);
		assert_xattr(f, ids[i], name, "longest name");
		assert_int_equal(set_text(f, ids[i], "user.\xff\n", "odd name"), 0);
		assert_xattr(f, ids[i], "user.\xff\n", "odd name");
		assert_int_equal(set_text(f, ids[i], "user.large", "small"), 0);
		assert_xattr(f, ids[i], "user.large", "small");
	}
	fixture_reopen(f);
	assert_xattr(f, ids[1], "user.\xff\n", "odd name");
}

static void names__and_flags__give_ext4_s_errors(void **state)
{
	static char longest[VAULT_NAME_MAX + 2] = "user.", large[VAULT_XATTR_MAX + 1];
	const struct {
		const char *name;
		size_t size;
		int flags;
		int r;
	} rows[] = {
		{ "user.", 1, 0, -EINVAL },
		{ "trusted.", 1, 0, -EINVAL },
		{ "security.", 1, 0, -EINVAL },
		{ "foo", 1, 0, -EOPNOTSUPP },
		{ "bogus.foo", 1, 0, -EOPNOTSUPP },
		{ "users.foo", 1, 0, -EOPNOTSUPP },
		{ "USER.foo", 1, 0, -EOPNOTSUPP },
		{ "system.foo", 1, 0, -EOPNOTSUPP },
		{ "system.posix_acl", 1, 0, -EOPNOTSUPP },
		{ longest, 1, 0, -ERANGE },
		{ "", 1, 0, -ERANGE },
		{ "user.x", sizeof(large), 0, -E2BIG },
		{ "user.x", 1, 4, -EINVAL },
		{ "user.x", 1, XATTR_REPLACE, -ENODATA },
		{ "user.x", 1, XATTR_CREATE | XATTR_REPLACE, -ENODATA },
		{ "user.there", 1, XATTR_CREATE, -EEXIST },
		{ "user.there", 1, XATTR_CREATE | XATTR_REPLACE, -EEXIST },
		{ "user.there", 1, XATTR_REPLACE, 0 },
		{ "user.mime_type", 1, 0, -EPERM },
		{ "user.xdg.comment", 1, XATTR_REPLACE, -ENODATA },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	char got[1];

	memset(longest + 5, 'n', sizeof(longest) - 6);
	assert_int_equal(set_text(f, file, "user.there", "value"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (set_with(f, file, rows[i].name, large, rows[i].size, rows[i].flags) != rows[i].r)
			fail_msg("%zu: setting '%s' is not %d", i, rows[i].name, rows[i].r);
	assert_string_equal(list(f, file), "user.there ");

	assert_int_equal(vault_getxattr(f->vault, file, "user.none", got, 1), -ENODATA);
	assert_int_equal(vault_getxattr(f->vault, file, "user.mime_type", got, 1), -ENODATA);
	assert_int_equal(vault_getxattr(f->vault, file, "security.capability", got, 1), -ENODATA);
	assert_int_equal(vault_getxattr(f->vault, file, "user.", got, 1), -EINVAL);
	assert_int_equal(vault_getxattr(f->vault, file, "system.x", got, 1), -EOPNOTSUPP);
	assert_int_equal(vault_getxattr(f->vault, file, longest, got, 1), -ERANGE);
	assert_int_equal(drop(f, file, "user.none"), -ENODATA);
	assert_int_equal(drop(f, file, "user.xdg.tags"), -ENODATA);
	assert_int_equal(drop(f, file, "user.mime_type"), -EPERM);
	assert_int_equal(drop(f, file, "user."), -EINVAL);
	assert_int_equal(drop(f, file, "system.x"), -EOPNOTSUPP);
	assert_int_equal(set_text(f, 999999, "user.x", "1"), -ENOENT);
	assert_int_equal(drop(f, 999999, "user.x"), -ENOENT);
	assert_int_equal(vault_getxattr(f->vault, 999999, "user.x", got, 1), -ENOENT);
	assert_int_equal(vault_listxattr(f->vault, 999999, got, 1), -ENOENT);
}

static void buffers__that_are_too_small_are_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	char got[32];

	assert_int_equal(vault_listxattr(f->vault, file, got, sizeof(got)), 0);
	assert_int_equal(set_text(f, file, "user.a", "12345"), 0);
	assert_int_equal(set_text(f, file, "user.xdg.comment", "12345"), 0);
	for (size_t i = 0; i < 2; i++) {
		const char *name = i ? "user.a" : "user.xdg.comment";

		assert_int_equal(vault_getxattr(f->vault, file, name, got, 4), -ERANGE);
		assert_int_equal(vault_getxattr(f->vault, file, name, got, 5), 5);
	}
	assert_int_equal(vault_listxattr(f->vault, file, got, 23), -ERANGE);
	assert_int_equal(vault_listxattr(f->vault, file, got, 6), -ERANGE);
	assert_int_equal(vault_listxattr(f->vault, file, got, 24), 24);
	assert_memory_equal(got, "user.a\0user.xdg.comment", 24);
}

static void kinds__without_user_attributes_refuse_them(void **state)
{
	static const uint32_t modes[] = { S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK };
	struct fixture *f = *state;

	for (size_t i = 0; i < 5; i++) {
		char name[2] = { (char)('a' + (int)i), '\0' };
		uint64_t id =
			fixture_make(f, VAULT_ROOT_ID, name, modes[i] | 0777, S_ISLNK(modes[i]) ? "x" : NULL)
				.id;

		assert_int_equal(set_text(f, id, "user.x", "1"), -EPERM);
		assert_int_equal(set_text(f, id, "user.xdg.tags", "1"), -EPERM);
		assert_int_equal(set_text(f, id, "trusted.x", "1"), 0);
		assert_string_equal(list(f, id), "trusted.x ");
	}
}

/* The n-th of many names of VAULT_NAME_MAX bytes, in a static buffer. */
static const char *long_name(unsigned n)
{
	static char name[VAULT_NAME_MAX + 1];

	(void)snprintf(name, sizeof(name), "user.%0*u", (int)VAULT_NAME_MAX - 5, n);
	return name;
}

static void list__stays_within_64_kib(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	unsigned n = 0;
	int r;

	while ((r = set_text(f, file, long_name(n), "")) == 0)
		n++;
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(n, VAULT_XATTR_MAX / (VAULT_NAME_MAX + 1) - 1);
	assert_int_equal(set_text(f, file, long_name(0), "an old one may change"), 0);
	assert_int_equal(set_text(f, file, "user.xdg.tags", "a tag"), 0);
	assert_int_equal(set_text(f, file, "user.xdg.comment", "a note"), 0);
	assert_int_equal(set_text(f, file, "user.baloo.rating", "10"), 0);
	assert_int_equal(CHANGE(f, vault_set_mime(f->vault, file, "text/plain")), 0);
	assert_true(vault_listxattr(f->vault, file, NULL, 0) <= VAULT_XATTR_MAX);
	assert_int_equal(drop(f, file, long_name(0)), 0);
	assert_int_equal(set_text(f, file, long_name(n), "room again"), 0);
}

static void change__moves_ctime_and_nothing_else(void **state)
{
	static const struct {
		const char *name, *value;
		int r;
	} rows[] = {
		/* value NULL: remove */
		{ "user.a", "1", 0 },
		{ "user.a", "1", 0 },
		{ "user.a", NULL, 0 },
		{ "user.a", NULL, -ENODATA },
		{ "user.xdg.tags", "a,b", 0 },
		{ "user.xdg.tags", NULL, 0 },
		{ "user.baloo.rating", "11", -EINVAL },
		{ "user.xdg.comment", "x", 0 },
		{ "system.x", "x", -EOPNOTSUPP },
	};
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vault_attr values = { .ctime_ns = 3 }, before, after;

		assert_int_equal(CHANGE(f, vault_setattr(f->vault, file, VAULT_SET_CTIME, &values, &before)),
				 0);
		if (rows[i].value)
			assert_int_equal(set_text(f, file, rows[i].name, rows[i].value), rows[i].r);
		else
			assert_int_equal(drop(f, file, rows[i].name), rows[i].r);
		after = fixture_attr(f, file);
		assert_int_equal(after.ctime_ns == 3, rows[i].r != 0);
		after.ctime_ns = 3;
		assert_memory_equal(&before, &after, sizeof(after));
	}
}

static void privileged__is_remembered_once_it_was_set(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(set_text(f, file, "user.a", "1"), 0);
	assert_int_equal(set_with(f, file, "trusted.a", "1", 1, XATTR_REPLACE), -ENODATA);
	assert_int_equal(vault_has_privileged_xattrs(f->vault), 0);
	assert_int_equal(set_text(f, file, "security.capability", "\1"), 0);
	assert_int_equal(vault_has_privileged_xattrs(f->vault), 1);
	assert_xattr(f, file, "security.capability", "\1");
	assert_int_equal(drop(f, file, "security.capability"), 0);
	fixture_reopen(f);
	assert_int_equal(vault_has_privileged_xattrs(f->vault), 1);
	fixture_rebuild(f);
	assert_int_equal(vault_has_privileged_xattrs(f->vault), 1);
}

static void kill_priv__takes_the_capability_along(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	struct vault_attr values = { .uid = 1 };

	assert_int_equal(set_text(f, file, "security.capability", "\1"), 0);
	assert_int_equal(set_text(f, file, "security.other", "\1"), 0);
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, file, VAULT_SET_UID, &values, NULL)), 0);
	assert_string_equal(list(f, file), "security.capability security.other ");
	assert_int_equal(
		CHANGE(f, vault_setattr(f->vault, file, VAULT_SET_UID | VAULT_SET_KILL_PRIV, &values, NULL)),
		0);
	assert_string_equal(list(f, file), "security.other ");
}

static void attributes__go_with_the_inode_and_not_before(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	struct vault_attr attr;

	assert_int_equal(set_text(f, file, "user.a", "1"), 0);
	assert_int_equal(set_text(f, file, "user.xdg.tags", "a,b"), 0);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "file", &attr)), 0);
	assert_int_equal(set_text(f, file, "user.xdg.comment", "open, but without a name"), 0);
	assert_string_equal(list(f, file), "user.a user.xdg.tags user.xdg.comment ");
	assert_int_equal(CHANGE(f, vault_purge(f->vault, file)), 0);
	assert_int_equal(vault_listxattr(f->vault, file, NULL, 0), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(values__come_back_byte_for_byte),
		FIXTURE_TEST(names__and_flags__give_ext4_s_errors),
		FIXTURE_TEST(buffers__that_are_too_small_are_refused),
		FIXTURE_TEST(kinds__without_user_attributes_refuse_them),
		FIXTURE_TEST(list__stays_within_64_kib),
		FIXTURE_TEST(change__moves_ctime_and_nothing_else),
		FIXTURE_TEST(privileged__is_remembered_once_it_was_set),
		FIXTURE_TEST(kill_priv__takes_the_capability_along),
		FIXTURE_TEST(attributes__go_with_the_inode_and_not_before),
	};

	return cmocka_run_group_tests_name("xattrs", tests, NULL, NULL);
}
