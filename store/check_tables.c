/* check_tables.c - rows of inodes, of names, and of what hangs on them. See check_internal.h.
 *
 * Each claim is a query that returns the rows which break it, with a text for people. The outer table is read in the order of
 * its key and the others are looked up by index, so that nothing is sorted and memory does not grow. */
#include "check_internal.h"

#include <errno.h>
#include <inttypes.h>

#include "inode_acl.h"

/* Columns: inode (0: none), text. Where a text begins with NULL, the row is in order. */
struct claim {
	const char *kind;
	const char *sql;
};

#define TYPE(column) column " & 61440"
#define IS_DIRECTORY(column) TYPE(column) " = 16384"
#define IS_FILE(column) TYPE(column) " = 32768"
#define IS_LINK(column) TYPE(column) " = 40960"
#define SIZE(column) "length(CAST(" column " AS BLOB))"
#define NEXT_ID "(SELECT next_id FROM state)"
/* The rows of a subquery with columns `inode` and `text` in which text says something. */
#define BROKEN(query) "SELECT inode, text FROM (" query ") WHERE text IS NOT NULL"

/* A path from the parent's path and a name; NULL beyond 4095 bytes, and below such a one. As directories.c derives it. */
#define PATH_OF(parent, name)                                                                              \
	"CASE WHEN " SIZE(parent) " + 1 + " SIZE(name) " > 4095 THEN NULL WHEN " parent " = '' THEN " name \
						       " ELSE " parent " || '/' || " name " END"

/* clang-format off */
static const struct claim claims[] = {
	{ "inode", BROKEN("SELECT i.id AS inode, CASE"
		" WHEN i.id <= 0 OR i.id >= " NEXT_ID " THEN 'its id was never given out'"
		" WHEN i.mode & ~65535 <> 0 OR " TYPE("i.mode") " NOT IN (4096, 8192, 16384, 24576, 32768, 40960, 49152)"
		"   THEN printf('an impossible mode, %d', i.mode)"
		" WHEN i.uid NOT BETWEEN 0 AND 4294967295 OR i.gid NOT BETWEEN 0 AND 4294967295 THEN 'an impossible owner or group'"
		" WHEN i.nlink NOT BETWEEN 0 AND 4294967295 OR i.size < 0 OR i.mapped < 0 THEN 'an impossible link count or size'"
		" WHEN i.manifest_id < 0 OR i.manifest_id >= " NEXT_ID " THEN 'its manifest was never given out'"
		" WHEN (" IS_FILE("i.mode") ") <> (i.manifest_id <> 0) THEN 'manifest and type do not go together'"
		" WHEN i.rdev <> 0 AND " TYPE("i.mode") " NOT IN (8192, 24576) THEN 'a device number, but it is no device'"
		" WHEN i.size <> 0 AND NOT " IS_FILE("i.mode") " AND NOT " IS_LINK("i.mode") " THEN 'a size, but it is no file'"
		" WHEN i.mapped <> 0 AND NOT " IS_FILE("i.mode") " THEN 'bytes are mapped, but it is no file'"
		" END AS text FROM inodes i") },
	{ "inode", "SELECT 0, 'there is no root directory' WHERE NOT EXISTS"
		" (SELECT 1 FROM inodes WHERE id = 1 AND " IS_DIRECTORY("mode") " AND nlink > 0)" },
	{ "nlink", BROKEN("SELECT inode, CASE"
		" WHEN is_directory AND nlink > 0 AND inode <> 1 AND n_names <> 1 THEN printf('a directory with %d names', n_names)"
		" WHEN is_directory AND (nlink = 0 OR inode = 1) AND n_names <> 0 THEN 'a directory that has a name and must have none'"
		" WHEN is_directory AND nlink > 0 AND nlink <> 2 + n_below THEN"
		"   printf('link count %d, with %d directories in it', nlink, n_below)"
		" WHEN NOT is_directory AND nlink <> n_names THEN printf('link count %d, and %d names', nlink, n_names)"
		" END AS text FROM (SELECT i.id AS inode, i.nlink, " IS_DIRECTORY("i.mode") " AS is_directory,"
		"  (SELECT count(*) FROM entries e WHERE e.inode_id = i.id) +"
		"  (SELECT count(*) FROM derived v WHERE v.derived_id = i.id) AS n_names,"
		"  CASE WHEN " IS_DIRECTORY("i.mode") " THEN (SELECT count(*) FROM entries e CROSS JOIN inodes c WHERE e.directory_id = i.id"
		"   AND c.id = e.inode_id AND " IS_DIRECTORY("c.mode") ") END AS n_below FROM inodes i)") },
	{ "entry", BROKEN("SELECT e.directory_id AS inode, CASE"
		" WHEN d.id IS NULL THEN printf('no such directory, but the name \"%w\" is in it', e.name)"
		" WHEN NOT " IS_DIRECTORY("d.mode") " THEN printf('no directory, but the name \"%w\" is in it', e.name)"
		" WHEN d.nlink = 0 THEN printf('a removed directory, but the name \"%w\" is in it', e.name)"
		" WHEN i.id IS NULL THEN printf('its entry \"%w\" names inode %d, which is not there', e.name, e.inode_id)"
		" WHEN e.cookie < 16 OR e.cookie >= " NEXT_ID " THEN printf('the cookie of \"%w\" was never given out', e.name)"
		" WHEN " SIZE("e.name") " NOT BETWEEN 1 AND 255 OR e.name IN ('.', '..') OR instr(CAST(e.name AS BLOB), x'2f')"
		"   OR instr(CAST(e.name AS BLOB), x'00') THEN printf('an impossible name of %d bytes', " SIZE("e.name") ")"
		" END AS text FROM entries e LEFT JOIN inodes d ON d.id = e.directory_id LEFT JOIN inodes i ON i.id = e.inode_id") },
	{ "directory", BROKEN("SELECT d.id AS inode, CASE"
		" WHEN i.id IS NULL OR NOT " IS_DIRECTORY("i.mode") " OR i.nlink = 0 THEN 'a row of directories without its directory'"
		" WHEN d.id = 1 AND (d.parent_id <> 1 OR d.path IS NOT '') THEN 'the root has another path than none'"
		" WHEN d.id <> 1 AND (e.directory_id IS NULL OR d.parent_id <> e.directory_id) THEN"
		"   printf('its row of directories names parent %d, its entry %d', d.parent_id, e.directory_id)"
		" WHEN d.id <> 1 AND d.path IS NOT " PATH_OF("p.path", "e.name") " AND NOT EXISTS (SELECT 1 FROM jobs j"
		"   WHERE j.kind = 'paths' AND j.inode_id = d.parent_id AND j.progress < d.id)"
		"   THEN printf('its row of directories has another path, \"%w\"', d.path)"
		" END AS text FROM directories d LEFT JOIN inodes i ON i.id = d.id LEFT JOIN entries e ON e.inode_id = d.id AND d.id <> 1"
		" LEFT JOIN directories p ON p.id = e.directory_id") },
	{ "directory", "SELECT i.id, 'a directory without its row of directories' FROM inodes i WHERE " IS_DIRECTORY("i.mode")
		" AND i.nlink > 0 AND NOT EXISTS (SELECT 1 FROM directories d WHERE d.id = i.id)" },
	/* Each has one parent, so what the root does not reach stands in a circle, or below one. */
	{ "directory", "WITH RECURSIVE reached (id) AS (VALUES (1) UNION ALL"
		" SELECT d.id FROM reached r CROSS JOIN directories d WHERE d.parent_id = r.id AND d.id <> 1)"
		" SELECT 0, printf('%d directories cannot be reached from the root', n - k) FROM (SELECT (SELECT count(*) FROM directories"
		"  WHERE id <> 1) AS n, (SELECT count(*) - 1 FROM reached) AS k) WHERE n > k" },
	{ "symlink", BROKEN("SELECT s.inode_id AS inode, CASE"
		" WHEN i.id IS NULL OR NOT " IS_LINK("i.mode") " THEN 'a target, but no symbolic link'"
		" WHEN " SIZE("s.target") " NOT BETWEEN 1 AND 4095 OR instr(CAST(s.target AS BLOB), x'00') THEN 'an impossible target'"
		" WHEN " SIZE("s.target") " <> i.size THEN printf('a target of %d bytes, and a size of %d', " SIZE("s.target") ", i.size)"
		" END AS text FROM symlinks s LEFT JOIN inodes i ON i.id = s.inode_id") },
	{ "symlink", "SELECT i.id, 'a symbolic link without a target' FROM inodes i WHERE " IS_LINK("i.mode")
		" AND NOT EXISTS (SELECT 1 FROM symlinks s WHERE s.inode_id = i.id)" },
	{ "xattr", BROKEN("SELECT x.inode_id AS inode, CASE"
		" WHEN i.id IS NULL THEN printf('an attribute of an inode that is not there: \"%w\"', x.name)"
		" WHEN " SIZE("x.name") " NOT BETWEEN 1 AND 255 OR instr(CAST(x.name AS BLOB), x'00') THEN 'an attribute with an impossible name'"
		" WHEN length(x.value) > 65536 THEN printf('attribute \"%w\" has %d bytes', x.name, length(x.value))"
		" END AS text FROM xattrs x LEFT JOIN inodes i ON i.id = x.inode_id") },
	{ "xattr", "SELECT 0, 'there are access control lists, and table settings denies it' WHERE EXISTS (SELECT 1 FROM xattrs"
		" WHERE name GLOB 'system.posix_acl_*') AND NOT EXISTS (SELECT 1 FROM settings WHERE key = 'posix_acls' AND value = 1)" },
	{ "content", BROKEN("SELECT c.inode_id AS inode, CASE"
		" WHEN NOT EXISTS (SELECT 1 FROM inodes i WHERE i.id = c.inode_id)"
		"   THEN 'what the indexer found, of an inode that is not there'"
		" WHEN length(c.sha256) <> 32 THEN printf('an SHA-256 of %d bytes', length(c.sha256))"
		" WHEN " SIZE("c.mime") " NOT BETWEEN 1 AND 255 OR c.kind NOT IN ('image', 'video', 'audio', 'text', 'document', 'archive',"
		"   'other') THEN 'an impossible type or kind'"
		" WHEN c.width < 0 OR c.height < 0 OR c.duration_ms < 0 THEN 'an impossible number in what the indexer found'"
		" WHEN c.media_json IS NOT NULL AND NOT json_valid(c.media_json) THEN 'media data that are no JSON'"
		" END AS text FROM content c") },
	{ "derived", BROKEN("SELECT v.inode_id AS inode, CASE"
		" WHEN i.id IS NULL OR NOT " IS_FILE("i.mode") " THEN 'a thumbnail or preview, but no file it was made from'"
		" WHEN d.id IS NULL OR NOT " IS_FILE("d.mode") " THEN printf('its thumbnail or preview, inode %d, is no file', v.derived_id)"
		" WHEN v.kind NOT IN (1, 2) OR v.number NOT BETWEEN 1 AND 255"
		"   THEN printf('an impossible thumbnail or preview: kind %d, number %d', v.kind, v.number)"
		" WHEN d.nlink <> 1 OR EXISTS (SELECT 1 FROM entries e WHERE e.inode_id = d.id)"
		"   THEN printf('its thumbnail or preview, inode %d, has another name', v.derived_id)"
		" END AS text FROM derived v LEFT JOIN inodes i ON i.id = v.inode_id LEFT JOIN inodes d ON d.id = v.derived_id") },
	{ "asset", BROKEN("SELECT a.inode_id AS inode, CASE"
		" WHEN i.id IS NULL THEN 'notes or a rating, of an inode that is not there'"
		" WHEN a.favorite NOT IN (0, 1) OR a.hidden NOT IN (0, 1) THEN 'favorite or hidden are neither 0 nor 1'"
		" WHEN a.seen_at <= 0 THEN 'it was seen before there was a time'"
		" WHEN length(a.prediction) NOT BETWEEN 1 AND 100 OR a.prediction GLOB '*[^01]*' THEN 'an impossible prediction'"
		" WHEN a.custom_json IS NOT NULL AND NOT json_valid(a.custom_json) THEN 'its custom values are no JSON'"
		" END AS text FROM assets a LEFT JOIN inodes i ON i.id = a.inode_id") },
	{ "tag", BROKEN("SELECT a.inode_id AS inode, CASE WHEN i.id IS NULL THEN 'a tag of an inode that is not there'"
		" WHEN t.id IS NULL THEN printf('tag %d, which is not there', a.tag_id)"
		" END AS text FROM asset_tags a LEFT JOIN inodes i ON i.id = a.inode_id LEFT JOIN tags t ON t.id = a.tag_id") },
	{ "tag", "SELECT 0, printf('tag %d: its id was never given out', id) FROM tags WHERE id <= 0 OR id >= " NEXT_ID
		" UNION ALL SELECT 0, printf('tag %d: an impossible name', id) FROM tags WHERE " SIZE("name") " NOT BETWEEN 1 AND 255"
		" UNION ALL SELECT 0, printf('tag %d: its folded name is not that of its name', id) FROM tags WHERE folded IS NOT fold(name)"
		" UNION ALL SELECT 0, printf('tags %d and %d have the same name', min(id), max(id)) FROM tags GROUP BY folded HAVING count(*) > 1"
		" UNION ALL SELECT 0, printf('alias \"%w\": its folded name is not that of its name', name) FROM tag_aliases"
		" WHERE folded IS NOT fold(name)"
		" UNION ALL SELECT 0, printf('alias \"%w\" names tag %d, which is not there', folded, tag_id) FROM tag_aliases"
		" WHERE NOT EXISTS (SELECT 1 FROM tags t WHERE t.id = tag_id)"
		" UNION ALL SELECT 0, printf('tag %d implies tag %d, and one of them is not there', tag_id, implied_id) FROM tag_implications"
		" WHERE NOT EXISTS (SELECT 1 FROM tags t WHERE t.id = tag_id) OR NOT EXISTS (SELECT 1 FROM tags t WHERE t.id = implied_id)" },
	{ "tag", "SELECT 0, CASE WHEN t.id IS NULL THEN printf('tag %d is counted, and not there', c.tag_id)"
		" ELSE printf('tag %d is counted on %d files, and on %d', c.tag_id, c.files, n) END"
		" FROM (SELECT tag_id, files, (SELECT count(*) FROM asset_tags a WHERE a.tag_id = k.tag_id) AS n FROM tag_counts k) c"
		" LEFT JOIN tags t ON t.id = c.tag_id WHERE t.id IS NULL OR c.files <> n"
		" UNION ALL SELECT 0, printf('tag %d is on files, and not counted', t.id) FROM tags t"
		" WHERE EXISTS (SELECT 1 FROM asset_tags a WHERE a.tag_id = t.id)"
		" AND NOT EXISTS (SELECT 1 FROM tag_counts c WHERE c.tag_id = t.id)" },
	{ "search", "SELECT 0, printf('saved search %d: its id was never given out', id) FROM searches WHERE id <= 0 OR id >= " NEXT_ID
		" UNION ALL SELECT 0, printf('saved search %d: an impossible name', id) FROM searches"
		" WHERE " SIZE("name") " NOT BETWEEN 1 AND 255 OR folded IS NOT fold(name)"
		" UNION ALL SELECT 0, printf('saved searches %d and %d have the same name', min(id), max(id)) FROM searches"
		" GROUP BY folded HAVING count(*) > 1" },
	{ "origin", BROKEN("SELECT o.inode_id AS inode, CASE"
		" WHEN i.id IS NULL THEN 'where it came from, of an inode that is not there'"
		" WHEN d.id IS NULL THEN printf('it came from device %d, which is not there', o.device_id)"
		" WHEN o.location_id <= 0 OR o.location_id >= " NEXT_ID " THEN printf('it came by location %d, which never was', o.location_id)"
		" END AS text FROM origins o LEFT JOIN inodes i ON i.id = o.inode_id LEFT JOIN devices d ON d.id = o.device_id") },
	{ "location", "SELECT 0, printf('location %d names device %d, which is not there', l.id, l.device_id) FROM locations l"
		" WHERE NOT EXISTS (SELECT 1 FROM devices d WHERE d.id = l.device_id)" },
	{ "manifest", "SELECT 0, printf('manifest %d was never given out', manifest_id) FROM (SELECT manifest_id FROM extents"
		" WHERE manifest_id <= 0 UNION ALL SELECT manifest_id FROM extents WHERE manifest_id >= " NEXT_ID
		" UNION ALL SELECT manifest_id FROM dropped WHERE manifest_id <= 0 OR manifest_id >= " NEXT_ID ")" },
	{ "chunk", "SELECT 0, printf('chunk %d: its id was never given out', id) FROM chunks WHERE id <= 0" },
};
/* clang-format on */

static int check_claim(struct check *check, const struct claim *claim)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	int r = check_prepare(check, claim->sql, &row);

	while (r == 0 && (r = db_step(&check->vault->db, row)) > 0) {
		const char *text = (const char *)sqlite3_column_text(row, 1);

		check_found(check, claim->kind, NOWHERE, column_u64(row, 0), "%s",
			    text ? text : "(no memory to say what)");
		r = 0;
	}
	return r;
}

static int check_acls(struct check *check)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	int r = check_prepare(check,
			      "SELECT x.inode_id, i.mode, x.name, x.value FROM xattrs x CROSS JOIN inodes i"
			      " WHERE x.name GLOB 'system.posix_acl_*' AND i.id = x.inode_id",
			      &row);

	while (r == 0 && (r = db_step(&check->vault->db, row)) > 0) {
		const char *name = (const char *)sqlite3_column_text(row, 2);
		int which = name ? inode_acl_find(name) : -ENOMEM;
		const char *problem = which < 0 ? NULL : inode_acl_problem((enum inode_acl)which, (uint32_t)column_u64(row, 1),
									   sqlite3_column_blob(row, 3),
									   (size_t)sqlite3_column_bytes(row, 3));

		if (problem)
			check_found(check, "xattr", NOWHERE, column_u64(row, 0), "%s %s", name, problem);
		r = which == -ENOMEM ? which : 0;
	}
	return r;
}

static int count_rows(struct check *check)
{
	AUTO(statement) sqlite3_stmt *row = NULL;
	int r = check_prepare(check,
			      "SELECT (SELECT count(*) FROM inodes), (SELECT count(*) FROM entries),"
			      " (SELECT count(*) FROM inodes WHERE nlink = 0)",
			      &row);

	if (r == 0)
		r = db_step(&check->vault->db, row);
	if (r <= 0)
		return r;
	check->counts->n_inodes = column_u64(row, 0);
	check->counts->n_entries = column_u64(row, 1);
	check->counts->n_orphans = column_u64(row, 2);
	return 0;
}

int check_tables(struct check *check)
{
	int r = count_rows(check);

	for (size_t i = 0; r == 0 && i < sizeof(claims) / sizeof(claims[0]); i++)
		r = check_claim(check, &claims[i]);
	return r == 0 ? check_acls(check) : r;
}
