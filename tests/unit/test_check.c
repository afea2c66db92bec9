/* test_check.c - vault_check(): a vault with everything in it is clean, and each kind of damage to its rows is found and
 * named. */
#include "check_fixture.h"

/* ---- a healthy one ---- */

static void healthy__with_everything_is_clean(void **state)
{
	struct vault_check_counts counts = assert_clean(*state, "closed");

	assert_int_equal(counts.n_orphans, 1);
	assert_true(counts.n_packs > 2);
	assert_true(counts.n_chunks > 10 && counts.n_commits >= 4 && counts.n_extents > 5);
	assert_int_equal(counts.n_unlisted, 0);
	assert_int_equal(counts.tail_bytes, 0);
	assert_int_equal(counts.n_damaged_files, 0);
}

static void healthy__after_a_rebuild_is_clean(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vault_rebuild(f->path, 0), 0);
	(void)assert_clean(f, "rebuilt");
}

/* Beside the process that writes, what was committed is checked. */
static void healthy__while_it_is_open_is_clean(void **state)
{
	struct fixture *f = *state;
	struct wanted none = { .kind = NULL };
	struct vault_check_counts counts;

	fixture_open(f);
	for (int i = 0; i < 5; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "more%d", i);
		write_at(f, fixture_file(f, VAULT_ROOT_ID, name), 0, FILE_SIZE, true);
		if (i % 2)
			sync_vault(f);
		counts = check(f, VAULT_CHECK_SHARED, &none);
		if (none.n > 0)
			fail_msg("open, seed %u: %s", seed, none.first);
	}
	assert_true(counts.commit > 4);
	close_vault(f);
}

/* ---- damage to rows ---- */

/* clang-format off */
static const struct {
	const char *sql;
	const char *kind, *text;
	const char *path;
} rows[] = {
	/* chunks */
	{ "UPDATE chunks SET refs = refs + 1 WHERE id = " CHUNK("text"), "refs", "name it", NULL },
	{ "UPDATE chunks SET refs = refs + 1, freed = NULL WHERE refs = 0", "refs", "0 name it", NULL },
	{ "DELETE FROM chunks WHERE id = " CHUNK("last"), "chunk", "but there is none", NULL },
	{ "DELETE FROM chunks WHERE id = " CHUNK("last"), "file", "cannot be read", "last" },
	{ "UPDATE chunks SET pack_offset = pack_offset + 1 WHERE id = " CHUNK("last"), "chunk", "its record is not there", NULL },
	{ "UPDATE chunks SET pack_id = 777 WHERE id = " CHUNK("last"), "chunk", "its record is not there", NULL },
	{ "UPDATE chunks SET hash = zeroblob(32) WHERE id = " CHUNK("last"), "chunk", "about its hash", NULL },
	{ "UPDATE chunks SET raw_size = raw_size + 1 WHERE id = " CHUNK("text"), "chunk", "about its raw size", NULL },
	{ "UPDATE chunks SET stored_size = stored_size - 1 WHERE id = " CHUNK("text"), "chunk", "about its stored size", NULL },
	{ "UPDATE chunks SET stored_size = raw_size, codec = 0 WHERE id = " CHUNK("text"), "chunk", "about its", NULL },
	{ "UPDATE chunks SET codec = 9 WHERE id = " CHUNK("text"), "chunk", "impossible sizes or codec", NULL },
	{ "UPDATE chunks SET freed = 2 WHERE refs > 0", "chunk", "since when it is dead", NULL },
	{ "UPDATE chunks SET freed = NULL WHERE refs = 0", "chunk", "does not say since when", NULL },
	{ "UPDATE chunks SET born = 1000000 WHERE id = " CHUNK("text"), "chunk", "impossible commits", NULL },
	{ "UPDATE chunks SET id = 1000000 WHERE id = (SELECT max(id) FROM chunks WHERE refs = 0)", "chunk", "never given out", NULL },
	{ "UPDATE chunks SET id = -1 WHERE id = (SELECT max(id) FROM chunks WHERE refs = 0)", "chunk", "never given out", NULL },
	/* packs and state */
	{ "UPDATE packs SET live_bytes = live_bytes + 1 WHERE id = 1", "pack", "are said to be live", NULL },
	{ "UPDATE packs SET live_bytes = 0 WHERE live_bytes > 0", "pack", "are said to be live", NULL },
	{ "UPDATE packs SET last_commit = 0", "pack", "needed up to commit", NULL },
	{ "INSERT INTO packs (id, live_bytes, last_commit) VALUES (777, 0, 0)", "pack", "is missing", NULL },
	{ "UPDATE state SET next_id = next_id + 1", "commit", "about counters", NULL },
	{ "UPDATE state SET next_chunk_id = next_chunk_id + 1", "commit", "about counters", NULL },
	{ "UPDATE state SET journal_bytes = journal_bytes + 1", "commit", "about counters", NULL },
	{ "UPDATE state SET picture_offset = picture_offset + 1", "picture", "is not whole", NULL },
	{ "UPDATE state SET checksum = checksum + 1", "commit", "do not belong together", NULL },
	{ "UPDATE state SET commit_number = commit_number + 1", "commit", "is not in the packs", NULL },
	/* extents */
	{ "UPDATE extents SET length = length + 1 WHERE manifest_id = " MANIFEST("last"), "extent", "overlaps", NULL },
	{ "UPDATE extents SET chunk_offset = chunk_offset + 1 WHERE manifest_id = " MANIFEST("sparse"), "extent", "names it up to", NULL },
	{ "UPDATE extents SET chunk_offset = chunk_offset + 1 WHERE manifest_id = " MANIFEST("sparse"), "file", "cannot be read",
	  "sparse" },
	{ "UPDATE extents SET chunk_id = 0 WHERE manifest_id = " MANIFEST("sparse"), "extent", "impossible", NULL },
	{ "UPDATE extents SET chunk_id = 500000 WHERE manifest_id = " MANIFEST("sparse"), "chunk", "but there is none", NULL },
	{ "UPDATE extents SET chunk_id = 500000 WHERE manifest_id = " MANIFEST("sparse"), "file", "cannot be read", "sparse" },
	{ "UPDATE extents SET manifest_id = 2 WHERE manifest_id = " MANIFEST("sparse"), "manifest", "belongs to no file", NULL },
	{ "UPDATE extents SET manifest_id = 1000000 WHERE manifest_id = " MANIFEST("sparse"), "manifest", "never given out", NULL },
	{ "UPDATE extents SET manifest_id = -5 WHERE manifest_id = " MANIFEST("sparse"), "manifest", "never given out", NULL },
	{ "INSERT INTO dropped (manifest_id) SELECT " MANIFEST("copy"), "manifest", "belongs to two", NULL },
	{ "INSERT INTO dropped (manifest_id) VALUES (1000000)", "manifest", "never given out", NULL },
	{ "UPDATE inodes SET manifest_id = " MANIFEST("copy") " WHERE id = " OF("text"), "manifest", "belongs to two", NULL },
	{ "UPDATE inodes SET mapped = mapped + 1 WHERE id = " OF("copy"), "extent", "are said to be mapped", "copy" },
	{ "DELETE FROM extents WHERE manifest_id = " MANIFEST("sparse"), "extent", "its extents map 0", "sparse" },
	/* inodes */
	{ "UPDATE inodes SET id = 1000000 WHERE nlink = 0", "inode", "never given out", NULL },
	{ "UPDATE inodes SET mode = 33188 + 65536 WHERE id = " OF("text"), "inode", "impossible mode", "text" },
	{ "UPDATE inodes SET mode = 420 WHERE id = " OF("pipe"), "inode", "impossible mode", "a/pipe" },
	{ "UPDATE inodes SET uid = -1 WHERE id = " OF("text"), "inode", "impossible owner", NULL },
	{ "UPDATE inodes SET nlink = 5000000000 WHERE id = " OF("text"), "inode", "impossible link count", NULL },
	{ "UPDATE inodes SET manifest_id = 1000000 WHERE id = " OF("text"), "inode", "manifest was never given out", NULL },
	{ "UPDATE inodes SET manifest_id = 0 WHERE id = " OF("text"), "inode", "do not go together", NULL },
	{ "UPDATE inodes SET manifest_id = 5 WHERE id = " OF("pipe"), "inode", "do not go together", NULL },
	{ "UPDATE inodes SET rdev = 5 WHERE id = " OF("text"), "inode", "device number", NULL },
	{ "UPDATE inodes SET size = 5 WHERE id = " OF("c"), "inode", "it is no file", NULL },
	{ "UPDATE inodes SET mapped = 5 WHERE id = " OF("pipe"), "inode", "bytes are mapped", NULL },
	{ "UPDATE inodes SET nlink = 0 WHERE id = 1", "inode", "no root", NULL },
	/* names */
	{ "UPDATE inodes SET nlink = 3 WHERE id = " OF("file"), "nlink", "link count 3, and 2 names", NULL },
	{ "UPDATE inodes SET nlink = 0 WHERE id = " OF("text"), "nlink", "link count 0, and 1 names", "text" },
	{ "UPDATE inodes SET nlink = 7 WHERE id = " OF("a"), "nlink", "link count 7, with 1 directories", "a" },
	{ "UPDATE inodes SET nlink = 0 WHERE id = " OF("c"), "nlink", "must have none", NULL },
	{ "INSERT INTO entries VALUES (1, 19, 'again', " OF("c") ")", "nlink", "a directory with 2 names", NULL },
	{ "INSERT INTO entries VALUES (1, 19, 'root', 1)", "nlink", "must have none", NULL },
	{ "DELETE FROM entries WHERE name = 'c'", "nlink", "a directory with 0 names", NULL },
	{ "DELETE FROM entries WHERE name = 'text'", "nlink", "link count 1, and 0 names", NULL },
	{ "DELETE FROM inodes WHERE id = " OF("text"), "entry", "\"text\" names inode", NULL },
	{ "UPDATE entries SET directory_id = 500 WHERE name = 'text'", "entry", "no such directory", NULL },
	{ "UPDATE entries SET directory_id = " OF("copy") " WHERE name = 'text'", "entry", "no directory, but", "copy" },
	{ "UPDATE inodes SET nlink = 0 WHERE id = " OF("b"), "entry", "a removed directory", NULL },
	{ "UPDATE entries SET cookie = 3 WHERE name = 'text'", "entry", "cookie", NULL },
	{ "UPDATE entries SET cookie = 1000000 WHERE name = 'text'", "entry", "cookie", NULL },
	{ "UPDATE entries SET name = 'te/xt' WHERE name = 'text'", "entry", "impossible name", NULL },
	{ "UPDATE entries SET name = '..' WHERE name = 'text'", "entry", "impossible name", NULL },
	{ "UPDATE entries SET name = '' WHERE name = 'text'", "entry", "impossible name", NULL },
	{ "UPDATE entries SET name = printf('%256s', 'x') WHERE name = 'text'", "entry", "impossible name", NULL },
	{ "UPDATE directories SET path = 'elsewhere' WHERE id = " OF("b"), "directory", "another path", "a/b" },
	{ "UPDATE directories SET path = NULL WHERE id = " OF("b"), "directory", "another path", "a/b" },
	{ "UPDATE directories SET path = 'x' WHERE id = 1", "directory", "the root", NULL },
	{ "UPDATE directories SET parent_id = 1 WHERE id = " OF("c"), "directory", "names parent 1", "a/b/c" },
	{ "DELETE FROM directories WHERE id = " OF("c"), "directory", "without its row", "a/b/c" },
	{ "INSERT INTO directories VALUES (" OF("text") ", 1, 'text')", "directory", "without its directory", NULL },
	{ "UPDATE entries SET directory_id = " OF("c") " WHERE name = 'b'; UPDATE directories SET parent_id = " OF("c") " WHERE id = "
	  OF("b"), "directory", "2 directories cannot be reached", NULL },
	/* what hangs on inodes */
	{ "DELETE FROM symlinks", "symlink", "without a target", "a/link" },
	{ "UPDATE symlinks SET target = 'longer than that'", "symlink", "a size of 6", "a/link" },
	{ "UPDATE symlinks SET target = ''", "symlink", "an impossible target", NULL },
	{ "INSERT INTO symlinks VALUES (" OF("text") ", 'x')", "symlink", "no symbolic link", "text" },
	{ "INSERT INTO symlinks VALUES (500, 'x')", "symlink", "no symbolic link", NULL },
	{ "UPDATE xattrs SET inode_id = 500 WHERE name = 'user.test'", "xattr", "not there", NULL },
	{ "UPDATE xattrs SET name = printf('%256s', 'x') WHERE name = 'user.test'", "xattr", "impossible name", NULL },
	{ "UPDATE xattrs SET value = x'02000000' WHERE name = 'system.posix_acl_access'", "xattr", "access is no access", NULL },
	{ "UPDATE xattrs SET value = x'02' WHERE name = 'system.posix_acl_default'", "xattr", "default is no access", NULL },
	{ "UPDATE xattrs SET inode_id = " OF("link") " WHERE name = 'system.posix_acl_default'", "xattr", "symbolic link", NULL },
	{ "UPDATE xattrs SET inode_id = " OF("pipe") " WHERE name = 'system.posix_acl_default'", "xattr", "no directory", NULL },
	{ "DELETE FROM settings WHERE key = 'posix_acls'", "xattr", "denies it", NULL },
	{ "UPDATE xattrs SET value = zeroblob(65537) WHERE name = 'user.test'", "xattr", "65537 bytes", NULL },
	{ "UPDATE content SET inode_id = 500", "content", "not there", NULL },
	{ "UPDATE content SET sha256 = x'00'", "content", "SHA-256", NULL },
	{ "UPDATE content SET mime = ''", "content", "type", NULL },
	{ "UPDATE content SET kind = 'film'", "content", "type or kind", NULL },
	{ "UPDATE content SET width = -1", "content", "number", NULL },
	{ "UPDATE content SET media_json = '{'", "content", "no JSON", NULL },
	{ "DELETE FROM derived", "nlink", "link count 1, and 0 names", NULL },
	{ "UPDATE derived SET inode_id = 500", "derived", "no file it was made from", NULL },
	{ "UPDATE derived SET derived_id = " OF("link") ", number = 2", "derived", "is no file", NULL },
	{ "UPDATE derived SET number = 256", "derived", "number 256", NULL },
	{ "UPDATE assets SET inode_id = 500", "asset", "not there", NULL },
	{ "UPDATE assets SET favorite = 2", "asset", "neither 0 nor 1", NULL },
	{ "UPDATE assets SET hidden = -1", "asset", "neither 0 nor 1", NULL },
	{ "UPDATE assets SET seen_at = 0", "asset", "before", NULL },
	{ "UPDATE assets SET prediction = ''", "asset", "prediction", NULL },
	{ "UPDATE assets SET prediction = '0120'", "asset", "prediction", NULL },
	{ "UPDATE assets SET prediction = printf('%.*c', 101, '0')", "asset", "prediction", NULL },
	{ "UPDATE assets SET custom_json = '{'", "asset", "no JSON", NULL },
	{ "UPDATE asset_tags SET inode_id = 500", "tag", "an inode that is not there", NULL },
	{ "UPDATE asset_tags SET tag_id = 500 WHERE position = 0", "tag", "tag 500", NULL },
	{ "UPDATE tags SET id = 1000000 WHERE name = 'one'", "tag", "never given out", NULL },
	{ "UPDATE tags SET name = '' WHERE name = 'one'", "tag", "impossible name", NULL },
	{ "INSERT INTO tag_aliases VALUES ('x', 'x', 500)", "tag", "alias", NULL },
	{ "INSERT INTO tag_implications VALUES (500, 501)", "tag", "implies", NULL },
	{ "INSERT INTO tags (id, name, folded) SELECT id + 1000, upper(name), folded FROM tags WHERE name = 'one'", "tag", "the same name", NULL },
	{ "UPDATE tags SET folded = 'One' WHERE name = 'one'", "tag", "folded name is not that of its name", NULL },
	{ "INSERT INTO tag_aliases SELECT 'x', 'y', id FROM tags WHERE name = 'one'", "tag", "alias \"y\": its folded name", NULL },
	{ "UPDATE tag_counts SET tag_id = 500 WHERE tag_id = (SELECT id FROM tags WHERE name = 'one')", "tag", "counted, and not there", NULL },
	{ "UPDATE tag_counts SET files = 7", "tag", "counted on 7 files, and on 1", NULL },
	{ "DELETE FROM tag_counts", "tag", "not counted", NULL },
	{ "INSERT INTO searches VALUES (1000000, 'x', 'x', 'y')", "search", "never given out", NULL },
	{ "INSERT INTO searches VALUES (2, '', '', 'y')", "search", "impossible name", NULL },
	{ "INSERT INTO searches VALUES (2, 'X', 'X', 'y')", "search", "impossible name", NULL },
	{ "INSERT INTO searches VALUES (2, 'X', 'x', 'y'), (3, 'x', 'x', 'z')", "search", "searches 2 and 3 have the same", NULL },
	{ "INSERT INTO origins VALUES (500, 1, NULL)", "origin", "an inode that is not there", NULL },
	{ "INSERT INTO origins VALUES (" OF("text") ", 7, NULL)", "origin", "device 7", "text" },
	{ "INSERT INTO devices VALUES (7, x'00', 'x', 'x'); INSERT INTO origins VALUES (" OF("text") ", 7, 1000000)", "origin", "which never was", "text" },
	{ "INSERT INTO derived VALUES (" OF("text") ", 1, 1, " OF("copy") ")", "derived", "has another name", "text" },
	{ "INSERT INTO derived VALUES (500, 1, 1, " OF("copy") ")", "derived", "no file it was made from", NULL },
	{ "INSERT INTO derived VALUES (" OF("text") ", 1, 1, 500)", "derived", "is no file", "text" },
	{ "INSERT INTO derived VALUES (" OF("text") ", 9, 1, " OF("copy") ")", "derived", "impossible thumbnail", "text" },
	{ "INSERT INTO locations (id, device_id, path, inode_id, mode, state) VALUES (1, 1, 'x', 1, 'x', 'x')", "location", "device 1", NULL },
	/* SQLite's own look */
	{ "PRAGMA ignore_check_constraints = ON; UPDATE inodes SET size = -1 WHERE id = " OF("text"), "database", "CHECK", NULL },
	{ "PRAGMA ignore_check_constraints = ON; UPDATE extents SET salt = salt + 1", "database", "CHECK", NULL },
};
/* clang-format on */

static void damaged_rows__are_found(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run_sql(f, rows[i].sql);
		assert_found(f, rows[i].sql, rows[i].kind, rows[i].text, rows[i].path);
	}
	(void)assert_clean(f, "restored");
}

/* ---- what only the packs know better ---- */

/* clang-format off */
static const struct {
	const char *sql;
	const char *text;
} deep_rows[] = {
	{ "UPDATE inodes SET mtime = mtime + 1 WHERE id = " OF("text"), "has another mtime" },
	{ "DELETE FROM xattrs WHERE name = 'user.test'", "table xattrs: the row" },
	{ "INSERT INTO xattrs SELECT id, 'user.new', x'00' FROM inodes WHERE id = 1", "(1, user.new) is not in the packs" },
	{ "UPDATE entries SET name = 'other' WHERE name = 'text'", "has another name" },
	{ "UPDATE settings SET value = 5 WHERE key = 'created_ns'", "table settings" },
	{ "UPDATE assets SET notes = x'78'", "has another notes" },
	{ "UPDATE asset_tags SET position = 7 WHERE position = 1", "has another position" },
	{ "INSERT INTO devices VALUES (1, x'00', 'x', 'x')", "table devices: the row (1) is not" },
};
/* clang-format on */

static void deep__is_clean_where_all_is(void **state)
{
	struct fixture *f = *state;
	struct wanted none = { .kind = NULL };

	(void)check(f, VAULT_CHECK_DEEP, &none);
	if (none.n > 0)
		fail_msg("seed %u: %s", seed, none.first);
	assert_int_equal(vault_rebuild(f->path, 0), 0);
	(void)check(f, VAULT_CHECK_DEEP, &none);
	if (none.n > 0)
		fail_msg("rebuilt, seed %u: %s", seed, none.first);
}

static void deep__finds_what_was_never_committed(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(deep_rows) / sizeof(deep_rows[0]); i++) {
		struct wanted wanted = { .kind = "deep", .text = deep_rows[i].text };
		struct wanted none = { .kind = NULL };

		run_sql(f, deep_rows[i].sql);
		(void)check(f, 0, &none);
		if (none.n > 0)
			fail_msg("%s: found without that: %s", deep_rows[i].sql, none.first);
		(void)check(f, VAULT_CHECK_DEEP, &wanted);
		if (!wanted.found)
			fail_msg("%s, seed %u: '%s' is not among %u findings, the first: %s",
				 deep_rows[i].sql, seed, deep_rows[i].text, wanted.n,
				 wanted.n ? wanted.first : "(none)");
		restore(f);
	}
}

/* Beside the writer it cannot be exact, and is refused. */
static void deep__is_refused_beside_a_writer(void **state)
{
	struct fixture *f = *state;
	struct vault_check_options options = { .flags = VAULT_CHECK_DEEP | VAULT_CHECK_SHARED };
	struct vault_check_counts counts;

	assert_int_equal(vault_check(f->path, &options, &counts), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHECK_TEST(healthy__with_everything_is_clean),
		CHECK_TEST(healthy__after_a_rebuild_is_clean),
		CHECK_TEST(healthy__while_it_is_open_is_clean),
		CHECK_TEST(damaged_rows__are_found),
		CHECK_TEST(deep__is_clean_where_all_is),
		cmocka_unit_test_setup_teardown(deep__finds_what_was_never_committed, setup,
						fixture_teardown),
		CHECK_TEST(deep__is_refused_beside_a_writer),
	};

	take_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
