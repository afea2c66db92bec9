/* test_inode_acl.c - the access control lists of inodes: mode and list move together, and what survives. */
#include "fixture.h"

#include <errno.h>
#include <sys/xattr.h>

#include "commit.h"

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

#define BYTES(literal) literal, sizeof(literal) - 1
#define HEAD "\2\0\0\0"
#define NOBODY "\377\377\377\377"
/* user::rw- user:5:rwx group::r-- mask::rwx other::--- */
#define NAMED_UP_TO_MASK                          \
	HEAD "\1\0\6\0" NOBODY "\2\0\7\0\5\0\0\0" \
	     "\4\0\4\0" NOBODY "\20\0"
#define NAMED NAMED_UP_TO_MASK "\7\0" NOBODY "\40\0\0\0" NOBODY
/* user::rwx group::r-x other::--x */
#define SIMPLE HEAD "\1\0\7\0" NOBODY "\4\0\5\0" NOBODY "\40\0\1\0" NOBODY

static int set(struct fixture *f, uint64_t id, const char *name, const char *value, size_t size)
{
	return CHANGE(f, vault_setxattr(f->vault, id, name, value, size, 0));
}

static int drop(struct fixture *f, uint64_t id, const char *name)
{
	return CHANGE(f, vault_removexattr(f->vault, id, name));
}

static void assert_acl(struct fixture *f, uint64_t id, const char *name, const char *want, size_t size)
{
	char got[4096];

	assert_int_equal(vault_getxattr(f->vault, id, name, got, sizeof(got)), (ssize_t)size);
	assert_memory_equal(got, want, size);
}

static void assert_none(struct fixture *f, uint64_t id, const char *name)
{
	assert_int_equal(vault_getxattr(f->vault, id, name, NULL, 0), -ENODATA);
}

static void chmod_to(struct fixture *f, uint64_t id, uint32_t mode)
{
	struct vault_attr values = { .mode = mode }, got;

	assert_int_equal(CHANGE(f, vault_setattr(f->vault, id, VAULT_SET_MODE, &values, &got)), 0);
	assert_int_equal(got.mode & 07777, mode);
}

static struct vault_attr make(struct fixture *f, uint64_t parent, const char *name, uint32_t mode,
			      uint32_t umask)
{
	const struct vault_attr wanted = { .mode = mode };
	struct vault_attr made = { 0 };
	const char *target = S_ISLNK(mode) ? "nowhere" : NULL;

	assert_int_equal(
		CHANGE(f, vault_make_inheriting(f->vault, parent, name, &wanted, umask, target, &made)), 0);
	return made;
}

static void an_access_list__and_the_mode_are_one(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(set(f, file, ACCESS, BYTES(SIMPLE)), 0);
	assert_int_equal(fixture_attr(f, file).mode, S_IFREG | 0751);
	assert_int_equal(vault_has_acls(f->vault), 0); /* only what is kept counts */
	assert_int_equal(set(f, file, ACCESS, BYTES(NAMED)), 0);
	assert_int_equal(vault_has_acls(f->vault), 1);
	assert_int_equal(fixture_attr(f, file).mode, S_IFREG | 0670);
	assert_acl(f, file, ACCESS, BYTES(NAMED));
	chmod_to(f, file, 0640);
	assert_acl(f, file, ACCESS, BYTES(NAMED_UP_TO_MASK "\4\0" NOBODY "\40\0\0\0" NOBODY));
	assert_int_equal(set(f, file, ACCESS, BYTES(SIMPLE)), 0);
	assert_int_equal(fixture_attr(f, file).mode, S_IFREG | 0751);
	assert_none(f, file, ACCESS);
	assert_int_equal(vault_listxattr(f->vault, file, NULL, 0), 0);

	assert_int_equal(set(f, file, ACCESS, BYTES(NAMED)), 0);
	assert_int_equal(drop(f, file, ACCESS), 0);
	assert_none(f, file, ACCESS);
	assert_int_equal(fixture_attr(f, file).mode, S_IFREG | 0670);
	assert_int_equal(drop(f, file, ACCESS), 0);
	assert_int_equal(drop(f, 999999, ACCESS), -ENOENT);
}

static void sgid__goes_only_when_asked(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	chmod_to(f, file, 06755);
	assert_int_equal(set(f, file, ACCESS, BYTES(NAMED)), 0);
	assert_int_equal(fixture_attr(f, file).mode, S_IFREG | 06670);
	assert_int_equal(
		CHANGE(f, vault_setxattr(f->vault, file, ACCESS, BYTES(NAMED), VAULT_XATTR_KILL_SGID)), 0);
	assert_int_equal(fixture_attr(f, file).mode, S_IFREG | 04670);
}

static void lists__have_their_place(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");
	uint64_t link = fixture_make(f, VAULT_ROOT_ID, "link", S_IFLNK | 0777, "x").id;
	struct vault_attr before = fixture_attr(f, file);

	assert_int_equal(set(f, link, ACCESS, BYTES(NAMED)), -EOPNOTSUPP);
	assert_int_equal(set(f, file, DEFAULT, BYTES(NAMED)), -EACCES);
	assert_int_equal(set(f, file, DEFAULT, BYTES("")), 0);
	assert_int_equal(set(f, file, ACCESS, BYTES("\2\0\0")), -EINVAL);
	assert_int_equal(set(f, file, ACCESS, BYTES("\3\0\0\0")), -EOPNOTSUPP);
	assert_int_equal(set(f, 999999, ACCESS, BYTES(NAMED)), -ENOENT);
	assert_int_equal(set(f, file, "system.posix_acl_foo", BYTES(NAMED)), -EOPNOTSUPP);
	assert_int_equal(vault_has_acls(f->vault), 0);
	assert_int_equal(fixture_attr(f, file).ctime_ns, before.ctime_ns);
	assert_int_equal(fixture_attr(f, file).mode, before.mode);
	assert_int_equal(vault_listxattr(f->vault, file, NULL, 0), 0);
}

static void new_inodes__inherit(void **state)
{
	struct fixture *f = *state;
	uint64_t directory = fixture_directory(f, VAULT_ROOT_ID, "d");
	struct vault_attr made;

	assert_int_equal(make(f, directory, "masked", S_IFREG | 0666, 027).mode, S_IFREG | 0640);
	assert_int_equal(set(f, directory, DEFAULT, BYTES(NAMED)), 0);
	assert_int_equal(fixture_attr(f, directory).mode, S_IFDIR | 0755);

	made = make(f, directory, "file", S_IFREG | 0644, 077);
	assert_int_equal(made.mode, S_IFREG | 0640);
	assert_int_equal(fixture_attr(f, made.id).mode, S_IFREG | 0640);
	assert_acl(f, made.id, ACCESS, BYTES(NAMED_UP_TO_MASK "\4\0" NOBODY "\40\0\0\0" NOBODY));
	assert_none(f, made.id, DEFAULT);

	made = make(f, directory, "sub", S_IFDIR | 0777, 077);
	assert_int_equal(made.mode, S_IFDIR | 0670);
	assert_acl(f, made.id, ACCESS, BYTES(NAMED));
	assert_acl(f, made.id, DEFAULT, BYTES(NAMED));

	made = make(f, directory, "link", S_IFLNK | 0777, 077);
	assert_int_equal(made.mode, S_IFLNK | 0777);
	assert_int_equal(vault_listxattr(f->vault, made.id, NULL, 0), 0);

	made = fixture_make(f, directory, "as wanted", S_IFREG | 0666, NULL);
	assert_int_equal(made.mode, S_IFREG | 0666);
	assert_none(f, made.id, ACCESS);
}

static int count_xattrs(struct fixture *f)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&f->vault->db.lock);
	sqlite3_stmt *count = NULL;
	int n = -1;

	if (sqlite3_prepare_v2(f->vault->db.handle, "SELECT count(*) FROM xattrs", -1, &count, NULL) ==
		    SQLITE_OK &&
	    sqlite3_step(count) == SQLITE_ROW)
		n = sqlite3_column_int(count, 0);
	(void)sqlite3_finalize(count); /* repeats what step said */
	return n;
}

static void a_failed_creation__leaves_no_list(void **state)
{
	const struct vault_attr wanted = { .mode = S_IFDIR | 0777 };
	struct fixture *f = *state;
	struct vault_attr made;
	uint64_t directory = fixture_directory(f, VAULT_ROOT_ID, "d");

	assert_int_equal(set(f, directory, DEFAULT, BYTES(NAMED)), 0);
	(void)make(f, directory, "there", S_IFREG | 0600, 0);
	assert_int_equal(
		CHANGE(f, vault_make_inheriting(f->vault, directory, "there", &wanted, 0, NULL, &made)),
		-EEXIST);
	assert_int_equal(count_xattrs(f), 2); /* the directory's, and that of the file */
}

static void lists__survive_and_are_remembered(void **state)
{
	struct fixture *f = *state;
	uint64_t directory = fixture_directory(f, VAULT_ROOT_ID, "d"), file;

	assert_int_equal(set(f, directory, DEFAULT, BYTES(NAMED)), 0);
	assert_int_equal(vault_has_privileged_xattrs(f->vault), 0);
	file = make(f, directory, "file", S_IFREG | 0666, 0).id;
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			fixture_reopen(f);
		else
			fixture_rebuild(f);
		assert_int_equal(vault_has_acls(f->vault), 1);
		assert_int_equal(vault_has_privileged_xattrs(f->vault), 0);
		assert_acl(f, directory, DEFAULT, BYTES(NAMED));
		assert_acl(f, file, ACCESS, BYTES(NAMED_UP_TO_MASK "\6\0" NOBODY "\40\0\0\0" NOBODY));
		assert_int_equal(fixture_attr(f, file).mode, S_IFREG | 0660);
	}
	/* The flag stays when the last one goes: it is a hint, and a count would cost each change. */
	assert_int_equal(drop(f, directory, DEFAULT), 0);
	assert_int_equal(vault_has_acls(f->vault), 1);
}

static void damage(struct fixture *f, const char *sql)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r;

	vault_change_begin(f->vault, 0);
	r = commit_lock(f->vault, &held);
	if (r == 0)
		r = db_exec(&f->vault->db, sql);
	vault_change_end(f->vault);
	assert_int_equal(r, 0);
}

/* A program that knows nothing of lists changes the mode alone. */
static void the_mode__is_the_truth_about_what_it_shows(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "file");

	assert_int_equal(set(f, file, ACCESS, BYTES(NAMED)), 0);
	damage(f, "UPDATE inodes SET mode = (mode & ~511) | 384 WHERE mode & 32768");
	assert_acl(f, file, ACCESS, BYTES(NAMED_UP_TO_MASK "\0\0" NOBODY "\40\0\0\0" NOBODY));
}

static void damaged_rows__are_refused_and_change_nothing(void **state)
{
	static const char *const damages[] = {
		"UPDATE xattrs SET value = x'0200'",
		"UPDATE xattrs SET value = zeroblob(5000)",
		"UPDATE xattrs SET value = x''",
		"UPDATE xattrs SET value = x'02000000'",
	};
	struct fixture *f = *state;
	const struct vault_attr wanted = { .mode = S_IFREG | 0600 };
	struct vault_attr made;
	char got[8192];
	uint64_t directory = fixture_directory(f, VAULT_ROOT_ID, "d");

	assert_int_equal(set(f, directory, ACCESS, BYTES(NAMED)), 0);
	assert_int_equal(set(f, directory, DEFAULT, BYTES(NAMED)), 0);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		damage(f, damages[i]);
		assert_int_equal(vault_getxattr(f->vault, directory, ACCESS, got, sizeof(got)), -EBADMSG);
		assert_int_equal(
			CHANGE(f, vault_make_inheriting(f->vault, directory, "x", &wanted, 0, NULL, &made)),
			-EBADMSG);
		assert_int_equal(vault_lookup(f->vault, directory, "x", &made), -ENOENT);
	}
	assert_int_equal(set(f, directory, ACCESS, BYTES(NAMED)), 0);
	chmod_to(f, directory, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(an_access_list__and_the_mode_are_one),
		FIXTURE_TEST(sgid__goes_only_when_asked),
		FIXTURE_TEST(lists__have_their_place),
		FIXTURE_TEST(new_inodes__inherit),
		FIXTURE_TEST(a_failed_creation__leaves_no_list),
		FIXTURE_TEST(lists__survive_and_are_remembered),
		FIXTURE_TEST(the_mode__is_the_truth_about_what_it_shows),
		FIXTURE_TEST(damaged_rows__are_refused_and_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
