/* test_namespace.c - inodes and names: errors, link counts, times, the order of a directory. */
#include "fixture.h"

#include <errno.h>
#include <inttypes.h>

#include "namespace.h"

#define NOWHERE 999999u /* an inode number that was never given out */

static int make(struct fixture *f, uint64_t parent, const char *name, uint32_t mode, const char *target,
		struct vault_attr *ret)
{
	struct vault_attr wanted = { .mode = mode, .uid = 7, .gid = 8, .rdev = 0x501 };

	return CHANGE(f, vault_make(f->vault, parent, name, &wanted, target, ret));
}

static int unlink_name(struct fixture *f, uint64_t parent, const char *name, struct vault_attr *ret)
{
	return CHANGE(f, vault_unlink(f->vault, parent, name, ret));
}

static int rmdir_name(struct fixture *f, uint64_t parent, const char *name, struct vault_attr *ret)
{
	return CHANGE(f, vault_rmdir(f->vault, parent, name, ret));
}

static int rename_flags(struct fixture *f, uint64_t old_parent, const char *old_name, uint64_t new_parent,
			const char *new_name, unsigned flags)
{
	struct vault_attr replaced;

	return CHANGE(f,
		      vault_rename(f->vault, old_parent, old_name, new_parent, new_name, flags, &replaced));
}

static int link_name(struct fixture *f, uint64_t id, uint64_t parent, const char *name)
{
	struct vault_attr attr;

	return CHANGE(f, vault_link(f->vault, id, parent, name, &attr));
}

static int lookup(struct fixture *f, uint64_t parent, const char *name, uint64_t *ret_id)
{
	struct vault_attr attr = { 0 };
	int r = vault_lookup(f->vault, parent, name, &attr);

	*ret_id = attr.id;
	return r;
}

/* ---- making ---- */

static void make__gives_each_kind_its_attributes(void **state)
{
	static const struct {
		const char *name;
		uint32_t mode;
		const char *target;
		uint64_t size, rdev;
		uint32_t nlink;
	} rows[] = {
		{ "file", S_IFREG | 04755, NULL, 0, 0, 1 },
		{ "directory", S_IFDIR | 01777, NULL, 4096, 0, 2 },
		{ "link", S_IFLNK | 0777, "../x", 4, 0, 1 },
		{ "pipe", S_IFIFO | 0600, NULL, 0, 0, 1 },
		{ "char", S_IFCHR | 0600, NULL, 0, 0x501, 1 },
		{ "block", S_IFBLK | 0600, NULL, 0, 0x501, 1 },
		{ "socket", S_IFSOCK | 0700, NULL, 0, 0, 1 },
	};
	struct fixture *f = *state;
	struct vault_attr made, found;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(make(f, VAULT_ROOT_ID, rows[i].name, rows[i].mode, rows[i].target, &made),
				 0);
		assert_int_equal(made.mode, rows[i].mode);
		assert_int_equal(made.size, rows[i].size);
		assert_int_equal(made.rdev, rows[i].rdev);
		assert_int_equal(made.nlink, rows[i].nlink);
		assert_int_equal(made.uid, 7);
		assert_int_equal(made.gid, 8);
		assert_int_equal(made.mtime_ns, made.btime_ns);
		assert_int_equal(vault_lookup(f->vault, VAULT_ROOT_ID, rows[i].name, &found), 0);
		assert_memory_equal(&made, &found, sizeof(made));
		assert_int_equal(vault_getattr(f->vault, made.id, &found), 0);
		assert_memory_equal(&made, &found, sizeof(made));
	}
	assert_int_equal(fixture_attr(f, VAULT_ROOT_ID).nlink, 3);
}

static void make__refuses_what_cannot_be(void **state)
{
	static char longest[257], target[VAULT_PATH_MAX + 2];
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	uint64_t gone = fixture_directory(f, VAULT_ROOT_ID, "gone");
	struct vault_attr made;

	memset(longest, 'n', 256);
	memset(target, 't', VAULT_PATH_MAX + 1);
	assert_int_equal(rmdir_name(f, VAULT_ROOT_ID, "gone", NULL), 0);
	assert_int_equal(make(f, VAULT_ROOT_ID, "file", S_IFREG, NULL, &made), -EEXIST);
	assert_int_equal(make(f, VAULT_ROOT_ID, "file", S_IFDIR, NULL, &made), -EEXIST);
	assert_int_equal(make(f, file, "x", S_IFREG, NULL, &made), -ENOTDIR);
	assert_int_equal(make(f, gone, "x", S_IFREG, NULL, &made), -ENOENT);
	assert_int_equal(make(f, NOWHERE, "x", S_IFREG, NULL, &made), -ENOENT);
	assert_int_equal(make(f, VAULT_ROOT_ID, longest, S_IFREG, NULL, &made), -ENAMETOOLONG);
	assert_int_equal(make(f, VAULT_ROOT_ID, "", S_IFREG, NULL, &made), -EINVAL);
	assert_int_equal(make(f, VAULT_ROOT_ID, ".", S_IFREG, NULL, &made), -EINVAL);
	assert_int_equal(make(f, VAULT_ROOT_ID, "..", S_IFREG, NULL, &made), -EINVAL);
	assert_int_equal(make(f, VAULT_ROOT_ID, "a/b", S_IFREG, NULL, &made), -EINVAL);
	assert_int_equal(make(f, VAULT_ROOT_ID, "x", 0644, NULL, &made), -EINVAL);
	assert_int_equal(make(f, VAULT_ROOT_ID, "x", S_IFLNK, NULL, &made), -EINVAL);
	assert_int_equal(make(f, VAULT_ROOT_ID, "x", S_IFLNK, "", &made), -ENOENT);
	assert_int_equal(make(f, VAULT_ROOT_ID, "x", S_IFLNK, target, &made), -ENAMETOOLONG);
	assert_int_equal(make(f, VAULT_ROOT_ID, "x", S_IFREG, "target", &made), -EINVAL);

	longest[255] = '\0';
	target[VAULT_PATH_MAX] = '\0';
	assert_int_equal(make(f, VAULT_ROOT_ID, longest, S_IFREG, NULL, &made), 0);
	assert_int_equal(make(f, VAULT_ROOT_ID, "x", S_IFLNK, target, &made), 0);
	assert_int_equal(make(f, VAULT_ROOT_ID, "...", S_IFREG, NULL, &made), 0);
	assert_int_equal(make(f, VAULT_ROOT_ID, "\xff\xfe\n\t", S_IFREG, NULL, &made), 0);
}

static void make__inherits_the_group_of_a_set_group_id_directory(void **state)
{
	struct fixture *f = *state;
	struct vault_attr directory = fixture_make(f, VAULT_ROOT_ID, "d", S_IFDIR | S_ISGID | 0775, NULL);
	struct vault_attr made;

	assert_int_equal(make(f, directory.id, "file", S_IFREG | 0644, NULL, &made), 0);
	assert_int_equal(made.gid, 1000);
	assert_int_equal(made.uid, 7);
	assert_int_equal(made.mode, S_IFREG | 0644);
	assert_int_equal(make(f, directory.id, "sub", S_IFDIR | 0755, NULL, &made), 0);
	assert_int_equal(made.gid, 1000);
	assert_int_equal(made.mode, S_IFDIR | S_ISGID | 0755);
}

static void names__are_told_apart_by_their_bytes(void **state)
{
	static const char *const names[] = { "a", "A", "a ", " a", "\xc3\xa4", "a\xcc\x88", "\xe4", "a\xff" };
	struct fixture *f = *state;
	uint64_t ids[8], id;

	for (size_t i = 0; i < 8; i++)
		ids[i] = fixture_file(f, VAULT_ROOT_ID, names[i]);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(lookup(f, VAULT_ROOT_ID, names[i], &id), 0);
		assert_int_equal(id, ids[i]);
	}
}

/* ---- looking ---- */

static void lookup__says_what_is_not_there(void **state)
{
	static char longest[257];
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file"), id;
	struct vault_attr attr;

	memset(longest, 'n', 256);
	assert_int_equal(lookup(f, VAULT_ROOT_ID, "none", &id), -ENOENT);
	assert_int_equal(lookup(f, file, "none", &id), -ENOTDIR);
	assert_int_equal(lookup(f, NOWHERE, "none", &id), -ENOENT);
	assert_int_equal(lookup(f, VAULT_ROOT_ID, longest, &id), -ENAMETOOLONG);
	assert_int_equal(vault_getattr(f->vault, NOWHERE, &attr), -ENOENT);
	assert_int_equal(vault_getattr(f->vault, 0, &attr), -ENOENT);
	assert_int_equal(vault_getattr(f->vault, UINT64_MAX, &attr), -ENOENT);
}

static void parent__is_where_a_directory_is(void **state)
{
	struct fixture *f = *state;
	uint64_t a = fixture_directory(f, VAULT_ROOT_ID, "a"), b = fixture_directory(f, a, "b"), parent;
	uint64_t file = fixture_file(f, a, "file");

	assert_int_equal(vault_parent(f->vault, VAULT_ROOT_ID, &parent), 0);
	assert_int_equal(parent, VAULT_ROOT_ID);
	assert_int_equal(vault_parent(f->vault, b, &parent), 0);
	assert_int_equal(parent, a);
	assert_int_equal(rename_flags(f, a, "b", VAULT_ROOT_ID, "b", 0), 0);
	assert_int_equal(vault_parent(f->vault, b, &parent), 0);
	assert_int_equal(parent, VAULT_ROOT_ID);
	assert_int_equal(vault_parent(f->vault, file, &parent), -ENOTDIR);
	assert_int_equal(vault_parent(f->vault, NOWHERE, &parent), -ENOENT);
	assert_int_equal(rmdir_name(f, VAULT_ROOT_ID, "b", NULL), 0);
	assert_int_equal(vault_parent(f->vault, b, &parent), -ENOENT);
}

static void resolve__walks_from_the_root(void **state)
{
	struct fixture *f = *state;
	uint64_t a = fixture_directory(f, VAULT_ROOT_ID, "a"), b = fixture_directory(f, a, "b");
	uint64_t file = fixture_file(f, b, "file");
	const struct {
		const char *path;
		int r;
		uint64_t id;
	} rows[] = {
		{ "", 0, VAULT_ROOT_ID }, { "/", 0, VAULT_ROOT_ID },     { "a", 0, a },
		{ "/a//b/", 0, b },       { "a/b/file", 0, file },       { "a/c", -ENOENT, 0 },
		{ "a/c/d", -ENOENT, 0 },  { "a/b/file/x", -ENOTDIR, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vault_attr attr = { 0 };

		assert_int_equal(vault_resolve(f->vault, rows[i].path, &attr), rows[i].r);
		assert_int_equal(attr.id, rows[i].id);
	}
}

static void readlink__gives_the_target_back(void **state)
{
	static char target[VAULT_PATH_MAX + 1], buffer[VAULT_PATH_MAX + 1];
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	memset(target, '/', VAULT_PATH_MAX);
	assert_int_equal(
		vault_readlink(f->vault, fixture_make(f, 1, "long", S_IFLNK | 0777, target).id, buffer), 0);
	assert_string_equal(buffer, target);
	assert_int_equal(
		vault_readlink(f->vault, fixture_make(f, 1, "odd", S_IFLNK | 0777, "\xff ").id, buffer), 0);
	assert_string_equal(buffer, "\xff ");
	assert_int_equal(vault_readlink(f->vault, file, buffer), -EINVAL);
	assert_int_equal(vault_readlink(f->vault, NOWHERE, buffer), -ENOENT);
}

/* ---- listing ---- */

struct listing {
	struct fixture *fixture;
	char names[1024]; /* each with a blank behind it */
	uint64_t cookie;  /* of the last entry */
	int stop_after;   /* entries; 0: never */
	int n;
	bool with_attributes;
	bool in_order; /* the cookies were; asserted afterwards: a failure must not jump out of the call */
	struct vault_attr last;
};

static int list_entry(void *context, const struct vault_entry *entry)
{
	struct listing *list = context;

	if (list->stop_after && list->n == list->stop_after)
		return 1;
	list->in_order =
		list->in_order && entry->cookie >= VAULT_FIRST_COOKIE && entry->cookie > list->cookie;
	list->cookie = entry->cookie;
	list->n++;
	list->last = entry->attr;
	(void)strcat(strcat(list->names, entry->name), " ");
	return 0;
}

static const char *list(struct fixture *f, uint64_t id, struct listing *listing)
{
	listing->names[0] = '\0';
	listing->n = 0;
	listing->in_order = true;
	assert_int_equal(
		vault_readdir(f->vault, id, listing->cookie, listing->with_attributes, list_entry, listing),
		0);
	assert_true(listing->in_order);
	return listing->names;
}

static const char *list_all(struct fixture *f, uint64_t id, struct listing *listing)
{
	*listing = (struct listing){ .fixture = f };
	return list(f, id, listing);
}

static void readdir__lists_in_the_order_of_creation(void **state)
{
	struct fixture *f = *state;
	struct listing l;

	assert_string_equal(list_all(f, VAULT_ROOT_ID, &l), "");
	fixture_file(f, VAULT_ROOT_ID, "c");
	fixture_directory(f, VAULT_ROOT_ID, "a");
	fixture_file(f, VAULT_ROOT_ID, "b");
	assert_string_equal(list_all(f, VAULT_ROOT_ID, &l), "c a b ");
	assert_int_equal(rename_flags(f, 1, "c", 1, "z", 0), 0);
	assert_string_equal(list_all(f, VAULT_ROOT_ID, &l), "a b z ");
	assert_int_equal(unlink_name(f, 1, "b", NULL), 0);
	assert_string_equal(list_all(f, VAULT_ROOT_ID, &l), "a z ");
}

static void readdir__goes_on_behind_a_cookie_whatever_happened_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct listing l = { .fixture = f, .stop_after = 2, .with_attributes = true };
	char name[2] = "a";

	for (; name[0] <= 'f'; name[0]++)
		fixture_file(f, VAULT_ROOT_ID, name);
	assert_string_equal(list(f, VAULT_ROOT_ID, &l), "a b ");
	assert_int_equal(unlink_name(f, 1, "b", NULL), 0); /* the one the cookie belongs to */
	assert_int_equal(unlink_name(f, 1, "c", NULL), 0);
	fixture_file(f, VAULT_ROOT_ID, "g");
	assert_string_equal(list(f, VAULT_ROOT_ID, &l), "d e ");
	l.stop_after = 0;
	assert_string_equal(list(f, VAULT_ROOT_ID, &l), "f g ");
	assert_string_equal(list(f, VAULT_ROOT_ID, &l), "");
}

static void readdir__gives_all_attributes_only_if_asked(void **state)
{
	struct fixture *f = *state;
	struct vault_attr made = fixture_make(f, VAULT_ROOT_ID, "d", S_IFDIR | 0750, NULL);
	struct listing l = { .with_attributes = true };

	list(f, VAULT_ROOT_ID, &l);
	assert_memory_equal(&l.last, &made, sizeof(made));
	list_all(f, VAULT_ROOT_ID, &l);
	assert_int_equal(l.last.id, made.id);
	assert_int_equal(l.last.mode, S_IFDIR);
}

static void readdir__refuses_what_is_no_directory(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	struct listing l = { 0 };

	assert_int_equal(vault_readdir(f->vault, file, 0, false, list_entry, &l), -ENOTDIR);
	assert_int_equal(vault_readdir(f->vault, NOWHERE, 0, false, list_entry, &l), -ENOENT);
}

/* ---- attributes ---- */

static struct vault_attr set_mode(struct fixture *f, uint64_t id, unsigned set, uint32_t mode)
{
	struct vault_attr values = { .mode = mode }, got;

	assert_int_equal(CHANGE(f, vault_setattr(f->vault, id, set, &values, &got)), 0);
	return got;
}

static void setattr__sets_what_is_named_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct vault_attr made = fixture_make(f, VAULT_ROOT_ID, "file", S_IFREG | 0644, NULL), got;
	const struct vault_attr values = { .id = 77,
					   .mode = S_IFDIR | 06111,
					   .uid = 1,
					   .gid = 2,
					   .atime_ns = 3,
					   .mtime_ns = -4,
					   .ctime_ns = 5,
					   .btime_ns = 6,
					   .nlink = 9,
					   .rdev = 10 };

	/* nothing is named: the time of change alone moves, as by a chown to nobody */
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, made.id, 0, &values, &got)), 0);
	assert_true(got.ctime_ns > made.ctime_ns);
	got.ctime_ns = made.ctime_ns;
	assert_memory_equal(&got, &made, sizeof(got));
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, made.id, VAULT_SET_UID, &values, &got)), 0);
	assert_int_equal(got.uid, 1);
	assert_int_equal(got.gid, 1000);
	assert_true(got.ctime_ns > made.ctime_ns);
	assert_int_equal(got.mtime_ns, made.mtime_ns);
	assert_int_equal(
		CHANGE(f, vault_setattr(f->vault, made.id, 0x7f & ~(unsigned)VAULT_SET_SIZE, &values, &got)),
		0);
	assert_int_equal(got.mode, S_IFREG | 06111);
	assert_int_equal(got.gid, 2);
	assert_int_equal(got.atime_ns, 3);
	assert_int_equal(got.mtime_ns, -4);
	assert_int_equal(got.ctime_ns, 5);
	assert_int_equal(got.btime_ns, made.btime_ns);
	assert_int_equal(got.nlink, 1);
	assert_int_equal(got.rdev, 0);
	made = fixture_attr(f, made.id);
	assert_memory_equal(&got, &made, sizeof(got));
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, NOWHERE, VAULT_SET_UID, &values, NULL)), -ENOENT);
}

static void setattr__sets_a_file_s_size(void **state)
{
	struct fixture *f = *state;
	struct vault_attr made = fixture_make(f, VAULT_ROOT_ID, "file", S_IFREG | 04755, NULL), got;
	struct vault_attr values = { .size = 1234567, .mtime_ns = 42 };
	uint64_t link = fixture_make(f, VAULT_ROOT_ID, "link", S_IFLNK | 0777, "x").id;

	assert_int_equal(CHANGE(f, vault_setattr(f->vault, made.id, VAULT_SET_SIZE, &values, &got)), 0);
	assert_int_equal(got.size, 1234567);
	assert_true(got.mtime_ns > made.mtime_ns && got.ctime_ns > made.ctime_ns);
	assert_int_equal(got.mode, made.mode);
	values.size = 3;
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, made.id,
						 VAULT_SET_SIZE | VAULT_SET_MTIME | VAULT_SET_KILL_PRIV,
						 &values, &got)),
			 0);
	assert_int_equal(got.size, 3);
	assert_int_equal(got.mtime_ns, 42);
	assert_int_equal(got.mode, S_IFREG | 0755);
	assert_int_equal(fixture_attr(f, made.id).size, 3);
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, VAULT_ROOT_ID, VAULT_SET_SIZE, &values, &got)),
			 -EISDIR);
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, link, VAULT_SET_SIZE, &values, &got)), -EINVAL);
	assert_int_equal(CHANGE(f, vault_setattr(f->vault, NOWHERE, VAULT_SET_SIZE, &values, &got)), -ENOENT);
}

static void setattr__drops_privileges_as_write_and_chown_do(void **state)
{
	static const struct {
		uint32_t before, after;
	} rows[] = {
		{ S_IFREG | 04755, S_IFREG | 0755 },  { S_IFREG | 06755, S_IFREG | 0755 },
		{ S_IFREG | 02745, S_IFREG | 02745 }, { S_IFREG | 02755, S_IFREG | 0755 },
		{ S_IFREG | 01644, S_IFREG | 01644 }, { S_IFDIR | 06755, S_IFDIR | 06755 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[2] = { (char)('a' + (int)i), '\0' };
		uint64_t id = fixture_make(f, VAULT_ROOT_ID, name, rows[i].before, NULL).id;

		assert_int_equal(set_mode(f, id, VAULT_SET_KILL_PRIV, 0).mode, rows[i].after);
	}
}

/* ---- times ---- */

enum changed { M = 1, C = 2, A = 4 }; /* of mtime, ctime, atime */

static void settle_times(struct fixture *f, uint64_t id)
{
	struct vault_attr values = { .atime_ns = 1, .mtime_ns = 2, .ctime_ns = 3 };

	assert_int_equal(
		CHANGE(f, vault_setattr(f->vault, id, VAULT_SET_ATIME | VAULT_SET_MTIME | VAULT_SET_CTIME,
					&values, NULL)),
		0);
}

static unsigned times_changed(struct fixture *f, uint64_t id)
{
	struct vault_attr attr = fixture_attr(f, id);

	return (attr.mtime_ns != 2 ? M : 0u) | (attr.ctime_ns != 3 ? C : 0u) | (attr.atime_ns != 1 ? A : 0u);
}

static void times__change_as_on_ext4(void **state)
{
	enum call { MAKE, LINK, UNLINK, RENAME, REPLACE, EXCHANGE, RMDIR, LOOKUP, NOTHING };
	static const struct {
		enum call call;
		unsigned one, two, file,
			other; /* the directories, what is moved or removed, what is replaced */
	} rows[] = {
		{ MAKE, M | C, 0, 0, 0 },        { LINK, 0, M | C, C, 0 },
		{ UNLINK, M | C, 0, C, 0 },      { RENAME, M | C, M | C, C, 0 },
		{ REPLACE, M | C, M | C, C, C }, { EXCHANGE, M | C, M | C, C, C },
		{ RMDIR, M | C, 0, 0, 0 },       { LOOKUP, 0, 0, 0, 0 },
		{ NOTHING, 0, 0, 0, 0 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[8];
		uint64_t one, two, file, other, sub, id;
		struct vault_attr attr;

		(void)snprintf(name, sizeof(name), "a%zu", i);
		one = fixture_directory(f, VAULT_ROOT_ID, name);
		(void)snprintf(name, sizeof(name), "b%zu", i);
		two = fixture_directory(f, VAULT_ROOT_ID, name);
		file = fixture_file(f, one, "file");
		other = fixture_file(f, two, "other");
		sub = fixture_directory(f, one, "sub");
		for (size_t j = 0; j < 5; j++)
			settle_times(f, (const uint64_t[]){ one, two, file, other, sub }[j]);
		switch (rows[i].call) {
		case MAKE:
			assert_int_equal(make(f, one, "new", S_IFREG, NULL, &attr), 0);
			break;
		case LINK:
			assert_int_equal(link_name(f, file, two, "new"), 0);
			break;
		case UNLINK:
			assert_int_equal(unlink_name(f, one, "file", NULL), 0);
			break;
		case RENAME:
			assert_int_equal(rename_flags(f, one, "file", two, "new", 0), 0);
			break;
		case REPLACE:
			assert_int_equal(rename_flags(f, one, "file", two, "other", 0), 0);
			break;
		case EXCHANGE:
			assert_int_equal(rename_flags(f, one, "file", two, "other", VAULT_RENAME_EXCHANGE),
					 0);
			break;
		case RMDIR:
			assert_int_equal(rmdir_name(f, one, "sub", NULL), 0);
			break;
		case LOOKUP:
			assert_int_equal(lookup(f, one, "file", &id), 0);
			break;
		case NOTHING:
			assert_int_equal(rename_flags(f, one, "file", one, "file", 0), 0);
			break;
		}
		assert_int_equal(times_changed(f, one), rows[i].one);
		assert_int_equal(times_changed(f, two), rows[i].two);
		assert_int_equal(times_changed(f, file), rows[i].file);
		assert_int_equal(times_changed(f, other), rows[i].other);
		assert_int_equal(times_changed(f, sub), rows[i].call == RMDIR ? C : 0u);
	}
}

/* ---- links and removing ---- */

static void link__counts(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file"),
		 directory = fixture_directory(f, VAULT_ROOT_ID, "d"), id;
	struct vault_attr attr;

	assert_int_equal(link_name(f, file, directory, "two"), 0);
	assert_int_equal(fixture_attr(f, file).nlink, 2);
	assert_int_equal(lookup(f, directory, "two", &id), 0);
	assert_int_equal(id, file);
	assert_int_equal(link_name(f, file, directory, "two"), -EEXIST);
	assert_int_equal(link_name(f, directory, VAULT_ROOT_ID, "e"), -EPERM);
	assert_int_equal(link_name(f, NOWHERE, VAULT_ROOT_ID, "e"), -ENOENT);
	assert_int_equal(link_name(f, file, file, "e"), -ENOTDIR);
	assert_int_equal(link_name(f, file, VAULT_ROOT_ID, "a/b"), -EINVAL);
	assert_int_equal(unlink_name(f, VAULT_ROOT_ID, "file", &attr), 0);
	assert_int_equal(attr.nlink, 1);
	assert_int_equal(unlink_name(f, directory, "two", &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(link_name(f, file, VAULT_ROOT_ID, "again"), -ENOENT);
	assert_int_equal(fixture_attr(f, VAULT_ROOT_ID).nlink, 3);
}

static void link__ends_at_the_limit(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	char name[16];

	for (unsigned i = 1; i < INODE_NAMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(link_name(f, file, VAULT_ROOT_ID, name), 0);
	}
	assert_int_equal(fixture_attr(f, file).nlink, INODE_NAMES_MAX);
	assert_int_equal(link_name(f, file, VAULT_ROOT_ID, "more"), -EMLINK);
	assert_int_equal(link_name(f, file, VAULT_ROOT_ID, "1"), -EEXIST);
	assert_int_equal(unlink_name(f, VAULT_ROOT_ID, "1", NULL), 0);
	assert_int_equal(link_name(f, file, VAULT_ROOT_ID, "more"), 0);
}

static void directories__have_no_limit_and_are_counted(void **state)
{
	struct fixture *f = *state;
	char name[16];

	for (unsigned i = 0; i < INODE_NAMES_MAX + 10; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		(void)fixture_directory(f, VAULT_ROOT_ID, name);
	}
	assert_int_equal(fixture_attr(f, VAULT_ROOT_ID).nlink, 2 + INODE_NAMES_MAX + 10);
	assert_int_equal(rmdir_name(f, VAULT_ROOT_ID, "0", NULL), 0);
	assert_int_equal(fixture_attr(f, VAULT_ROOT_ID).nlink, 2 + INODE_NAMES_MAX + 9);
}

static void unlink__and_rmdir__refuse_each_other_s(void **state)
{
	struct fixture *f = *state;
	uint64_t directory = fixture_directory(f, VAULT_ROOT_ID, "d"),
		 file = fixture_file(f, directory, "file");

	assert_int_equal(unlink_name(f, VAULT_ROOT_ID, "d", NULL), -EISDIR);
	assert_int_equal(unlink_name(f, VAULT_ROOT_ID, "none", NULL), -ENOENT);
	assert_int_equal(unlink_name(f, file, "none", NULL), -ENOTDIR);
	assert_int_equal(rmdir_name(f, directory, "file", NULL), -ENOTDIR);
	assert_int_equal(rmdir_name(f, VAULT_ROOT_ID, "d", NULL), -ENOTEMPTY);
	assert_int_equal(rmdir_name(f, VAULT_ROOT_ID, "none", NULL), -ENOENT);
}

static void rmdir__leaves_an_inode_that_takes_no_entries(void **state)
{
	struct fixture *f = *state;
	uint64_t directory = fixture_directory(f, VAULT_ROOT_ID, "d"),
		 file = fixture_file(f, VAULT_ROOT_ID, "file"), id;
	struct vault_attr attr;
	struct listing l;

	assert_int_equal(rmdir_name(f, VAULT_ROOT_ID, "d", &attr), 0);
	assert_int_equal(attr.id, directory);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(fixture_attr(f, VAULT_ROOT_ID).nlink, 2);
	assert_int_equal(fixture_attr(f, directory).nlink, 0);
	assert_int_equal(lookup(f, directory, "x", &id), -ENOENT);
	assert_int_equal(make(f, directory, "x", S_IFDIR, NULL, &attr), -ENOENT);
	assert_int_equal(link_name(f, file, directory, "x"), -ENOENT);
	assert_int_equal(rename_flags(f, VAULT_ROOT_ID, "file", directory, "x", 0), -ENOENT);
	assert_string_equal(list_all(f, directory, &l), "");
}

static void purge__takes_only_what_has_no_name(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file"),
		 directory = fixture_directory(f, VAULT_ROOT_ID, "d");
	uint64_t link = fixture_make(f, VAULT_ROOT_ID, "link", S_IFLNK | 0777, "x").id, ids[4];
	struct vault_attr attr;

	assert_int_equal(CHANGE(f, vault_purge(f->vault, file)), -EBUSY);
	assert_int_equal(vault_orphans(f->vault, 0, ids, 4), 0);
	assert_int_equal(unlink_name(f, VAULT_ROOT_ID, "file", NULL), 0);
	assert_int_equal(unlink_name(f, VAULT_ROOT_ID, "link", NULL), 0);
	assert_int_equal(rmdir_name(f, VAULT_ROOT_ID, "d", NULL), 0);

	assert_int_equal(vault_orphans(f->vault, 0, ids, 4), 3);
	assert_int_equal(ids[0], file);
	assert_int_equal(ids[1], directory);
	assert_int_equal(ids[2], link);
	assert_int_equal(vault_orphans(f->vault, 0, ids, 2), 2);
	assert_int_equal(vault_orphans(f->vault, directory, ids, 4), 1);
	assert_int_equal(ids[0], link);
	assert_int_equal(vault_orphans(f->vault, 0, ids, 0), 0);

	assert_int_equal(CHANGE(f, vault_purge(f->vault, file)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, link)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, directory)), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, file)), -ENOENT);
	assert_int_equal(vault_getattr(f->vault, file, &attr), -ENOENT);
	assert_int_equal(vault_orphans(f->vault, 0, ids, 4), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, VAULT_ROOT_ID)), -EBUSY);
}

/* ---- rename ---- */

static void rename__keeps_to_rename_2(void **state)
{
	static const struct {
		const char *what;
		const char *from, *to; /* parent/name */
		unsigned flags;
		int r;
	} rows[] = {
		{ "no source", "d/none", "d/x", 0, -ENOENT },
		{ "no source parent that is a directory", "file/x", "d/x", 0, -ENOTDIR },
		{ "no target parent that is a directory", "d/f", "file/x", 0, -ENOTDIR },
		{ "into itself", "/d", "d/x", 0, -EINVAL },
		{ "below itself", "/d", "d/sub/x", 0, -EINVAL },
		{ "far below itself", "/d", "d/sub/sub/x", 0, -EINVAL },
		{ "directory onto file", "/d", "/file", 0, -ENOTDIR },
		{ "file onto directory", "/file", "/empty", 0, -EISDIR },
		{ "directory onto what is not empty", "/empty", "/d", 0, -ENOTEMPTY },
		{ "directory onto what holds it", "d/sub", "/d", 0, -ENOTEMPTY },
		{ "onto what is there", "/file", "d/f", VAULT_RENAME_NOREPLACE, -EEXIST },
		{ "onto itself, not replacing", "/file", "/file", VAULT_RENAME_NOREPLACE, -EEXIST },
		{ "exchange with nothing", "/file", "/none", VAULT_RENAME_EXCHANGE, -ENOENT },
		{ "exchange with what holds it", "d/sub", "/d", VAULT_RENAME_EXCHANGE, -EINVAL },
		{ "exchange with what it holds", "/d", "d/sub/sub", VAULT_RENAME_EXCHANGE, -EINVAL },
		{ "both flags", "/file", "/x", VAULT_RENAME_EXCHANGE | VAULT_RENAME_NOREPLACE, -EINVAL },
		{ "both and another", "/file", "/x",
		  VAULT_RENAME_EXCHANGE | VAULT_RENAME_NOREPLACE | VAULT_RENAME_INHERIT, -EINVAL },
		{ "unknown flags", "/file", "/x", 8, -EINVAL },
		{ "onto itself", "/file", "/file", 0, 0 },
		{ "onto a link of itself", "/file", "d/link", 0, 0 },
		{ "exchange with a link of itself", "/file", "d/link", VAULT_RENAME_EXCHANGE, 0 },
	};
	struct fixture *f = *state;
	uint64_t d = fixture_directory(f, VAULT_ROOT_ID, "d"), sub = fixture_directory(f, d, "sub");
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	struct listing l;

	fixture_directory(f, sub, "sub");
	fixture_file(f, d, "f");
	fixture_directory(f, VAULT_ROOT_ID, "empty");
	assert_int_equal(link_name(f, file, d, "link"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *from = strrchr(rows[i].from, '/'), *to = strrchr(rows[i].to, '/');
		char path[2][32];
		struct vault_attr parents[2];

		(void)snprintf(path[0], sizeof(path[0]), "%.*s", (int)(from - rows[i].from), rows[i].from);
		(void)snprintf(path[1], sizeof(path[1]), "%.*s", (int)(to - rows[i].to), rows[i].to);
		assert_int_equal(vault_resolve(f->vault, path[0], &parents[0]), 0);
		assert_int_equal(vault_resolve(f->vault, path[1], &parents[1]), 0);
		if (rename_flags(f, parents[0].id, from + 1, parents[1].id, to + 1, rows[i].flags) !=
		    rows[i].r)
			fail_msg("%s: not %d", rows[i].what, rows[i].r);
		assert_string_equal(list_all(f, VAULT_ROOT_ID, &l), "d file empty ");
		assert_string_equal(list_all(f, d, &l), "sub f link ");
		assert_int_equal(fixture_attr(f, file).nlink, 2);
	}
	assert_int_equal(rename_flags(f, VAULT_ROOT_ID, "file", VAULT_ROOT_ID, "..", 0), -EINVAL);
	assert_int_equal(rename_flags(f, NOWHERE, "file", VAULT_ROOT_ID, "x", 0), -ENOENT);
	assert_int_equal(rename_flags(f, VAULT_ROOT_ID, "file", NOWHERE, "x", 0), -ENOENT);
}

static void rename__replaces_and_says_what(void **state)
{
	struct fixture *f = *state;
	uint64_t one = fixture_file(f, VAULT_ROOT_ID, "one"), two = fixture_file(f, VAULT_ROOT_ID, "two"), id;
	uint64_t full = fixture_directory(f, VAULT_ROOT_ID, "full"),
		 empty = fixture_directory(f, VAULT_ROOT_ID, "empty");
	struct vault_attr replaced = { .id = 1 };

	fixture_file(f, full, "x");
	assert_int_equal(CHANGE(f, vault_rename(f->vault, 1, "one", 1, "three", 0, &replaced)), 0);
	assert_int_equal(replaced.id, 0);
	assert_int_equal(CHANGE(f, vault_rename(f->vault, 1, "three", 1, "two", 0, &replaced)), 0);
	assert_int_equal(replaced.id, two);
	assert_int_equal(replaced.nlink, 0);
	assert_int_equal(fixture_attr(f, two).nlink, 0);
	assert_int_equal(lookup(f, 1, "two", &id), 0);
	assert_int_equal(id, one);
	assert_int_equal(lookup(f, 1, "three", &id), -ENOENT);
	assert_int_equal(CHANGE(f, vault_rename(f->vault, 1, "full", 1, "empty", 0, &replaced)), 0);
	assert_int_equal(replaced.id, empty);
	assert_int_equal(replaced.nlink, 0);
	assert_int_equal(fixture_attr(f, VAULT_ROOT_ID).nlink, 3);
	assert_int_equal(lookup(f, 1, "empty", &id), 0);
	assert_int_equal(id, full);
}

static void rename__moves_a_directory_s_link_with_it(void **state)
{
	struct fixture *f = *state;
	uint64_t a = fixture_directory(f, VAULT_ROOT_ID, "a"), b = fixture_directory(f, VAULT_ROOT_ID, "b");
	uint64_t id;

	fixture_directory(f, a, "sub");
	fixture_file(f, b, "file");
	assert_int_equal(rename_flags(f, a, "sub", b, "sub", 0), 0);
	assert_int_equal(fixture_attr(f, a).nlink, 2);
	assert_int_equal(fixture_attr(f, b).nlink, 3);
	fixture_file(f, a, "file");
	assert_int_equal(rename_flags(f, a, "file", b, "sub", VAULT_RENAME_EXCHANGE), 0);
	assert_int_equal(fixture_attr(f, a).nlink, 3);
	assert_int_equal(fixture_attr(f, b).nlink, 2);
	assert_int_equal(lookup(f, a, "file", &id), 0);
	assert_true(S_ISDIR(fixture_attr(f, id).mode));
	assert_int_equal(rename_flags(f, VAULT_ROOT_ID, "a", VAULT_ROOT_ID, "b", VAULT_RENAME_EXCHANGE), 0);
	assert_int_equal(lookup(f, VAULT_ROOT_ID, "b", &id), 0);
	assert_int_equal(id, a);
	assert_int_equal(fixture_attr(f, VAULT_ROOT_ID).nlink, 4);
}

static void all_of_it__is_there_after_opening_again(void **state)
{
	static char buffer[VAULT_PATH_MAX + 1];
	struct fixture *f = *state;
	uint64_t d = fixture_directory(f, VAULT_ROOT_ID, "d");
	struct vault_attr file = fixture_make(f, d, "file", S_IFREG | 0640, NULL);
	struct vault_attr link = fixture_make(f, d, "link", S_IFLNK | 0777, "target"), found, fresh;
	struct listing l;

	fixture_reopen(f);
	assert_int_equal(vault_resolve(f->vault, "d/file", &found), 0);
	assert_memory_equal(&found, &file, sizeof(file));
	assert_int_equal(vault_readlink(f->vault, link.id, buffer), 0);
	assert_string_equal(buffer, "target");
	fresh = fixture_make(f, d, "fresh", S_IFREG, NULL);
	assert_true(fresh.id > link.id);
	assert_string_equal(list_all(f, d, &l), "file link fresh ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FIXTURE_TEST(make__gives_each_kind_its_attributes),
		FIXTURE_TEST(make__refuses_what_cannot_be),
		FIXTURE_TEST(make__inherits_the_group_of_a_set_group_id_directory),
		FIXTURE_TEST(names__are_told_apart_by_their_bytes),
		FIXTURE_TEST(lookup__says_what_is_not_there),
		FIXTURE_TEST(parent__is_where_a_directory_is),
		FIXTURE_TEST(resolve__walks_from_the_root),
		FIXTURE_TEST(readlink__gives_the_target_back),
		FIXTURE_TEST(readdir__lists_in_the_order_of_creation),
		FIXTURE_TEST(readdir__goes_on_behind_a_cookie_whatever_happened_meanwhile),
		FIXTURE_TEST(readdir__gives_all_attributes_only_if_asked),
		FIXTURE_TEST(readdir__refuses_what_is_no_directory),
		FIXTURE_TEST(setattr__sets_what_is_named_and_nothing_else),
		FIXTURE_TEST(setattr__sets_a_file_s_size),
		FIXTURE_TEST(setattr__drops_privileges_as_write_and_chown_do),
		FIXTURE_TEST(times__change_as_on_ext4),
		FIXTURE_TEST(link__counts),
		FIXTURE_TEST(link__ends_at_the_limit),
		FIXTURE_TEST(directories__have_no_limit_and_are_counted),
		FIXTURE_TEST(unlink__and_rmdir__refuse_each_other_s),
		FIXTURE_TEST(rmdir__leaves_an_inode_that_takes_no_entries),
		FIXTURE_TEST(purge__takes_only_what_has_no_name),
		FIXTURE_TEST(rename__keeps_to_rename_2),
		FIXTURE_TEST(rename__replaces_and_says_what),
		FIXTURE_TEST(rename__moves_a_directory_s_link_with_it),
		FIXTURE_TEST(all_of_it__is_there_after_opening_again),
	};

	return cmocka_run_group_tests_name("namespace", tests, NULL, NULL);
}
