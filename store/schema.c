/* schema.c - the tables of vault.db. See schema.h; what they mean is in vaultfs-format(5).
 *
 * Journalled tables are recorded by SQLite's session extension: each has a declared PRIMARY KEY that is NOT NULL, no
 * generated column, trigger or foreign-key action, and a column under a second UNIQUE index is never UPDATEd. The
 * extension finds changed rows in a hash table that only looks at the low bits of a key's last column: aligned file
 * offsets would all fall into a few of its buckets (measured: 400 us a row at 64 KiB steps, 1.5 us with extents.salt). Key
 * columns come first: SQLite 3.40 finds NULLs where there are none in a WITHOUT ROWID table whose key is elsewhere. */
#include "schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

const char *const schema_journalled[] = {
	"settings", "inodes",	   "entries",	       "symlinks", "xattrs",   "extents", "dropped", "content",
	"assets",   "tags",	   "asset_tags",       "tag_aliases", "tag_implications", "devices", "locations",
	"searches", "derived",	   "origins",	       NULL,
};

static const struct schema_shape shapes[] = {
	{ "settings", 2, 2, { 1 } },
	{ "inodes", 13, 13, { 1 } },
	{ "entries", 4, 4, { 1, 2 } },
	{ "symlinks", 2, 2, { 1 } },
	{ "xattrs", 3, 3, { 1, 2 } },
	{ "extents", 6, 6, { 1, 2, 3 } },
	{ "dropped", 1, 1, { 1 } },
	{ "content", 11, 6, { 1 } },
	{ "assets", 9, 9, { 1 } },
	{ "tags", 5, 5, { 1 } },
	{ "asset_tags", 3, 3, { 1, 2 } },
	{ "tag_aliases", 3, 3, { 1 } },
	{ "tag_implications", 2, 2, { 1, 2 } },
	{ "devices", 4, 4, { 1 } },
	{ "locations", 11, 6, { 1 } },
	{ "searches", 4, 4, { 1 } },
	{ "derived", 4, 4, { 1, 2, 3 } },
	{ "origins", 3, 3, { 1 } },
};

const struct schema_shape *schema_shape_find(const char *name)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (strcmp(shapes[i].name, name) == 0)
			return &shapes[i];
	return NULL;
}

struct object {
	const char *name;
	const char *sql;	/* exactly what sqlite_schema will say */
};

static const struct object objects[] = {
	/* ---- journalled ---- */
	{ "settings", "CREATE TABLE settings (\n"
		      "  key   TEXT NOT NULL PRIMARY KEY,\n"
		      "  value ANY  NOT NULL\n"
		      ") STRICT, WITHOUT ROWID" },
	{ "inodes", "CREATE TABLE inodes (\n"
		    "  id          INTEGER NOT NULL PRIMARY KEY,  -- inode number; the root is 1; never used again\n"
		    "  manifest_id INTEGER NOT NULL,              -- its extents stand under this; 0: no regular file\n"
		    "  mode        INTEGER NOT NULL,              -- as st_mode\n"
		    "  uid         INTEGER NOT NULL,\n"
		    "  gid         INTEGER NOT NULL,\n"
		    "  nlink       INTEGER NOT NULL CHECK (nlink >= 0),\n"
		    "  size        INTEGER NOT NULL CHECK (size >= 0),\n"
		    "  mapped      INTEGER NOT NULL CHECK (mapped >= 0),  -- bytes that extents name\n"
		    "  rdev        INTEGER NOT NULL,\n"
		    "  atime       INTEGER NOT NULL,              -- nanoseconds since 1970, as all times\n"
		    "  mtime       INTEGER NOT NULL,\n"
		    "  ctime       INTEGER NOT NULL,\n"
		    "  btime       INTEGER NOT NULL\n"
		    ") STRICT" },
	{ "inodes_orphaned", "CREATE INDEX inodes_orphaned ON inodes (id) WHERE nlink = 0" },
	{ "entries", "CREATE TABLE entries (\n"
		     "  directory_id INTEGER NOT NULL,\n"
		     "  cookie       INTEGER NOT NULL,            -- readdir's offset: ascending in order of creation\n"
		     "  name         TEXT    NOT NULL,            -- any bytes but '/' and NUL\n"
		     "  inode_id     INTEGER NOT NULL,\n"
		     "  PRIMARY KEY (directory_id, cookie)\n"
		     ") STRICT, WITHOUT ROWID" },
	{ "entries_by_name", "CREATE UNIQUE INDEX entries_by_name ON entries (directory_id, name)" },
	{ "entries_by_inode", "CREATE INDEX entries_by_inode ON entries (inode_id)" },
	{ "symlinks", "CREATE TABLE symlinks (\n"
		      "  inode_id INTEGER NOT NULL PRIMARY KEY,\n"
		      "  target   TEXT    NOT NULL\n"
		      ") STRICT" },
	{ "xattrs", "CREATE TABLE xattrs (\n"
		    "  inode_id INTEGER NOT NULL,\n"
		    "  name     TEXT    NOT NULL,\n"
		    "  value    BLOB    NOT NULL,\n"
		    "  PRIMARY KEY (inode_id, name)\n"
		    ") STRICT" },
	{ "extents", "CREATE TABLE extents (\n"
		     "  manifest_id  INTEGER NOT NULL,\n"
		     "  offset       INTEGER NOT NULL CHECK (offset >= 0),        -- in the file\n"
		     "  salt         INTEGER NOT NULL CHECK (salt = ((offset >> 12) + (offset >> 20)) & 65535),\n"
		     "  length       INTEGER NOT NULL CHECK (length > 0),\n"
		     "  chunk_id     INTEGER NOT NULL,                            -- owns one of the chunk's references\n"
		     "  chunk_offset INTEGER NOT NULL CHECK (chunk_offset >= 0),  -- in the chunk's raw bytes\n"
		     "  PRIMARY KEY (manifest_id, offset, salt)\n"
		     ") STRICT, WITHOUT ROWID" },
	{ "dropped", "CREATE TABLE dropped (\n"
		     "  manifest_id INTEGER NOT NULL PRIMARY KEY  -- given up; emptied in slices\n"
		     ") STRICT" },
	{ "content", "CREATE TABLE content (\n"
		     "  inode_id   INTEGER NOT NULL PRIMARY KEY,\n"
		     "  sha256     BLOB,                          -- of the whole file\n"
		     "  mime       TEXT,\n"
		     "  kind       TEXT,\n"
		     "  media_json TEXT,\n"
		     "  indexed_at INTEGER NOT NULL,\n"
		     "  width       INTEGER,                       -- pixels, as shown\n"
		     "  height      INTEGER,\n"
		     "  duration_ms INTEGER,\n"
		     "  taken_at    INTEGER,                       -- when the picture was taken or the recording made\n"
		     "  error       TEXT                           -- why it could not be read\n"
		     ") STRICT" },
	{ "content_by_kind", "CREATE INDEX content_by_kind ON content (kind)" },
	{ "content_by_mime", "CREATE INDEX content_by_mime ON content (mime)" },
	{ "content_by_sha256", "CREATE INDEX content_by_sha256 ON content (sha256) WHERE sha256 IS NOT NULL" },
	{ "assets", "CREATE TABLE assets (\n"
		    "  inode_id    INTEGER NOT NULL PRIMARY KEY,\n"
		    "  notes       BLOB,                          -- user.xdg.comment, byte for byte\n"
		    "  favorite    INTEGER NOT NULL DEFAULT 0,\n"
		    "  hidden      INTEGER NOT NULL DEFAULT 0,\n"
		    "  rating      INTEGER CHECK (rating BETWEEN 0 AND 10),\n"
		    "  seen_at     INTEGER,\n"
		    "  prediction  TEXT,\n"
		    "  custom_json TEXT,\n"
		    "  tags_text   BLOB                           -- user.xdg.tags as last written, where the tags joined with ',' differ\n"
		    ") STRICT" },
	{ "assets_favorite", "CREATE INDEX assets_favorite ON assets (inode_id) WHERE favorite = 1" },
	{ "assets_by_rating", "CREATE INDEX assets_by_rating ON assets (rating) WHERE rating IS NOT NULL" },
	{ "assets_predicted", "CREATE INDEX assets_predicted ON assets (inode_id) WHERE prediction IS NOT NULL" },
	{ "tags", "CREATE TABLE tags (\n"
		  "  id     INTEGER NOT NULL PRIMARY KEY,\n"
		  "  name   TEXT    NOT NULL,                     -- as first written; '/' is hierarchy\n"
		  "  folded TEXT    NOT NULL,                     -- name with its case folded: tags are told apart by it\n"
		  "  color  TEXT,\n"
		  "  icon   TEXT\n"
		  ") STRICT" },
	{ "tags_by_folded", "CREATE INDEX tags_by_folded ON tags (folded)" },
	{ "asset_tags", "CREATE TABLE asset_tags (\n"
			"  inode_id INTEGER NOT NULL,\n"
			"  tag_id   INTEGER NOT NULL,\n"
			"  position INTEGER NOT NULL,                 -- their order on the file\n"
			"  PRIMARY KEY (inode_id, tag_id)\n"
			") STRICT, WITHOUT ROWID" },
	{ "asset_tags_by_tag", "CREATE INDEX asset_tags_by_tag ON asset_tags (tag_id)" },
	{ "tag_aliases", "CREATE TABLE tag_aliases (\n"
			 "  folded TEXT    NOT NULL PRIMARY KEY,\n"
			 "  name   TEXT    NOT NULL,\n"
			 "  tag_id INTEGER NOT NULL\n"
			 ") STRICT, WITHOUT ROWID" },
	{ "tag_implications", "CREATE TABLE tag_implications (\n"
			      "  tag_id     INTEGER NOT NULL,\n"
			      "  implied_id INTEGER NOT NULL,\n"
			      "  PRIMARY KEY (tag_id, implied_id)\n"
			      ") STRICT, WITHOUT ROWID" },
	{ "devices", "CREATE TABLE devices (\n"
		     "  id   INTEGER NOT NULL PRIMARY KEY,\n"
		     "  uuid BLOB    NOT NULL,\n"
		     "  name TEXT    NOT NULL,\n"
		     "  system TEXT  NOT NULL\n"
		     ") STRICT" },
	{ "tag_aliases_by_tag", "CREATE INDEX tag_aliases_by_tag ON tag_aliases (tag_id)" },
	{ "tag_implications_by_implied", "CREATE INDEX tag_implications_by_implied ON tag_implications (implied_id)" },
	{ "locations", "CREATE TABLE locations (\n"
		       "  id        INTEGER NOT NULL PRIMARY KEY,\n"
		       "  device_id INTEGER NOT NULL,\n"
		       "  path      TEXT    NOT NULL,                 -- absolute, on that device\n"
		       "  inode_id  INTEGER NOT NULL,                 -- the directory it is brought into\n"
		       "  mode      TEXT    NOT NULL,\n"
		       "  state     TEXT    NOT NULL,\n"
		       "  watch      INTEGER NOT NULL DEFAULT 0,      -- 1: it is followed while the vault is mounted\n"
		       "  n_files    INTEGER NOT NULL DEFAULT 0,\n"
		       "  n_bytes    INTEGER NOT NULL DEFAULT 0,\n"
		       "  scanned_at INTEGER,                         -- when it was last gone through to the end\n"
		       "  error      TEXT\n"
		       ") STRICT" },
	{ "origins", "CREATE TABLE origins (\n"
		     "  inode_id    INTEGER NOT NULL PRIMARY KEY,\n"
		     "  device_id   INTEGER NOT NULL,                 -- that brought the file in\n"
		     "  location_id INTEGER                           -- NULL: by no location that is still there\n"
		     ") STRICT" },
	{ "origins_by_location", "CREATE INDEX origins_by_location ON origins (location_id) WHERE location_id IS NOT NULL" },
	{ "searches", "CREATE TABLE searches (\n"
		      "  id     INTEGER NOT NULL PRIMARY KEY,\n"
		      "  name   TEXT    NOT NULL,                     -- as first written\n"
		      "  folded TEXT    NOT NULL,                     -- with its case folded: searches are told apart by it\n"
		      "  query  TEXT    NOT NULL\n"
		      ") STRICT" },
	{ "searches_by_folded", "CREATE INDEX searches_by_folded ON searches (folded)" },
	{ "derived", "CREATE TABLE derived (\n"
		     "  inode_id   INTEGER NOT NULL,                  -- of the file it was made from\n"
		     "  kind       INTEGER NOT NULL,                  -- 1 thumbnail, 2 preview\n"
		     "  number     INTEGER NOT NULL,                  -- from 1\n"
		     "  derived_id INTEGER NOT NULL,                  -- an inode whose one name this row is\n"
		     "  PRIMARY KEY (inode_id, kind, number)\n"
		     ") STRICT, WITHOUT ROWID" },
	{ "derived_by_id", "CREATE UNIQUE INDEX derived_by_id ON derived (derived_id)" },
	/* ---- derived: worked out anew by a rebuild ---- */
	{ "directories", "CREATE TABLE directories (\n"
			 "  id        INTEGER NOT NULL PRIMARY KEY,\n"
			 "  parent_id INTEGER NOT NULL,\n"
			 "  path      TEXT                            -- from the root, without a leading '/'; NULL beyond 4095 bytes\n"
			 ") STRICT" },
	{ "directories_by_parent", "CREATE INDEX directories_by_parent ON directories (parent_id)" },
	{ "chunks", "CREATE TABLE chunks (\n"
		    "  id          INTEGER NOT NULL PRIMARY KEY,\n"
		    "  hash        BLOB    NOT NULL CHECK (length(hash) = 32),  -- SHA-256 of the raw bytes\n"
		    "  raw_size    INTEGER NOT NULL CHECK (raw_size > 0),\n"
		    "  stored_size INTEGER NOT NULL CHECK (stored_size > 0),    -- bytes in the pack\n"
		    "  codec       INTEGER NOT NULL,\n"
		    "  pack_id     INTEGER NOT NULL,\n"
		    "  pack_offset INTEGER NOT NULL,                            -- where its record starts\n"
		    "  refs        INTEGER NOT NULL CHECK (refs >= 0),          -- extents and pictures that name it\n"
		    "  born        INTEGER NOT NULL,                            -- commit that brought it, never changed\n"
		    "  freed       INTEGER,                                     -- commit in which refs fell to 0\n"
		    "  damaged     INTEGER NOT NULL DEFAULT 0                   -- its record does not check\n"
		    ") STRICT" },
	{ "chunks_by_hash", "CREATE INDEX chunks_by_hash ON chunks (substr(hash, 1, 8))" },
	{ "packs", "CREATE TABLE packs (\n"
		   "  id          INTEGER NOT NULL PRIMARY KEY,\n"
		   "  live_bytes  INTEGER NOT NULL,               -- stored bytes of its chunks with refs > 0\n"
		   "  last_commit INTEGER NOT NULL,               -- the last commit with a journal part or a picture in it\n"
		   "  going       INTEGER NOT NULL DEFAULT 0      -- 1: its chunk rows are gone, the file goes next\n"
		   ") STRICT" },
	{ "state", "CREATE TABLE state (\n"
		   "  id             INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),\n"
		   "  commit_number  INTEGER NOT NULL,\n"
		   "  record_pack    INTEGER NOT NULL,            -- where its commit record starts\n"
		   "  record_offset  INTEGER NOT NULL,\n"
		   "  end_pack       INTEGER NOT NULL,            -- the place behind it\n"
		   "  end_offset     INTEGER NOT NULL,\n"
		   "  checksum       INTEGER NOT NULL,            -- its header's XXH3-64\n"
		   "  next_id        INTEGER NOT NULL,\n"
		   "  next_chunk_id  INTEGER NOT NULL,\n"
		   "  picture_commit INTEGER NOT NULL,\n"
		   "  picture_pack   INTEGER NOT NULL,\n"
		   "  picture_offset INTEGER NOT NULL,\n"
		   "  journal_bytes  INTEGER NOT NULL\n"
		   ") STRICT" },
	{ "jobs", "CREATE TABLE jobs (\n"
		  "  id       INTEGER NOT NULL PRIMARY KEY,\n"
		  "  kind     TEXT    NOT NULL,\n"
		  "  inode_id INTEGER NOT NULL,\n"
		  "  state    TEXT    NOT NULL,\n"
		  "  progress INTEGER NOT NULL DEFAULT 0,\n"
		  "  attempts INTEGER NOT NULL DEFAULT 0,\n"
		  "  error    TEXT,\n"
		  "  queued   INTEGER NOT NULL DEFAULT 0             -- commit that asked for it last\n"
		  ") STRICT" },
	{ "jobs_by_inode", "CREATE UNIQUE INDEX jobs_by_inode ON jobs (kind, inode_id) WHERE kind <> 'paths'" },
	{ "jobs_by_state", "CREATE INDEX jobs_by_state ON jobs (kind, state)" },
	{ "search_queue", "CREATE TABLE search_queue (\n"
			  "  inode_id INTEGER NOT NULL PRIMARY KEY,         -- search.db has yet to look at it again\n"
			  "  queued   INTEGER NOT NULL                      -- since this commit\n"
			  ") STRICT" },
	{ "tag_counts", "CREATE TABLE tag_counts (\n"
			"  tag_id INTEGER NOT NULL PRIMARY KEY,\n"
			"  files  INTEGER NOT NULL                         -- rows of asset_tags that name it\n"
			") STRICT" },
	/* ---- for people with sqlite3 ---- */
	{ "files", "CREATE VIEW files AS\n"
		   "  SELECT CASE d.path WHEN '' THEN e.name ELSE d.path || '/' || e.name END AS path, i.size,\n"
		   "         i.mtime / 1000000000 AS mtime, c.mime,\n"
		   "         (SELECT group_concat(name, ',') FROM (SELECT t.name FROM asset_tags a JOIN tags t ON t.id = a.tag_id\n"
		   "            WHERE a.inode_id = i.id ORDER BY a.position)) AS tags\n"
		   "  FROM entries e JOIN inodes i ON i.id = e.inode_id JOIN directories d ON d.id = e.directory_id\n"
		   "  LEFT JOIN content c ON c.inode_id = i.id WHERE i.mode & 0xf000 = 0x8000" },
	{ "duplicates", "CREATE VIEW duplicates AS\n"
			"  SELECT x.chunk_id, count(DISTINCT x.manifest_id) AS manifests, c.raw_size\n"
			"  FROM extents x JOIN chunks c ON c.id = x.chunk_id WHERE c.refs > 1\n"
			"  GROUP BY x.chunk_id HAVING count(DISTINCT x.manifest_id) > 1" },
	{ "tag_usage", "CREATE VIEW tag_usage AS\n"
		       "  SELECT t.name, count(a.inode_id) AS files FROM tags t LEFT JOIN asset_tags a ON a.tag_id = t.id\n"
		       "  GROUP BY t.id" },
	{ "largest_directories", "CREATE VIEW largest_directories AS\n"
				 "  SELECT d.path, count(*) AS files, sum(i.size) AS bytes FROM directories d\n"
				 "  JOIN entries e ON e.directory_id = d.id JOIN inodes i ON i.id = e.inode_id\n"
				 "  WHERE i.mode & 0xf000 = 0x8000 GROUP BY d.id ORDER BY bytes DESC" },
};
#define N_OBJECTS (sizeof(objects) / sizeof(objects[0]))

int schema_create(struct db *db)
{
	char pragmas[128];
	int r = db_exec(db, "BEGIN IMMEDIATE");

	for (size_t i = 0; r == 0 && i < N_OBJECTS; i++)
		r = db_exec(db, objects[i].sql);
	(void)snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		       SCHEMA_APPLICATION_ID, SCHEMA_VERSION);	/* two small numbers fit */
	if (r == 0)
		r = db_exec(db, pragmas);
	if (r == 0)
		r = db_exec(db, "COMMIT");
	return r;
}

/* Is `name` with the text `sql` one of ours? Automatic indices have no text. */
static bool object_is_ours(const char *name, const char *sql)
{
	if (!name)
		return false;
	if (!sql)
		return strncmp(name, "sqlite_autoindex_", 17) == 0;
	for (size_t i = 0; i < N_OBJECTS; i++)
		if (strcmp(objects[i].name, name) == 0)
			return strcmp(objects[i].sql, sql) == 0;
	return false;
}

int schema_verify(struct db *db)
{
	sqlite3_stmt *statement = NULL;
	size_t n_ours = 0;
	int version = 0, application = 0;
	int r = db_number(db, "PRAGMA user_version", &version);
	int code;

	if (r < 0)
		return r;
	if (version >= 1 && version < SCHEMA_VERSION) {
		r = db_number(db, "PRAGMA application_id", &application);
		if (r < 0)
			return r;
		if (application == SCHEMA_APPLICATION_ID)
			return -ESTALE;
	}
	if (version > SCHEMA_VERSION)
		return log_err(-ENOTSUP, "%s: made by a newer vaultfs (schema %d, this program knows %d): use that one",
			       db->path, version, SCHEMA_VERSION);
	code = sqlite3_prepare_v2(db->handle, "SELECT name, sql FROM sqlite_schema", -1, &statement, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		const char *name, *sql;

		code = sqlite3_step(statement);
		if (code != SQLITE_ROW)
			break;
		name = (const char *)sqlite3_column_text(statement, 0);
		sql = (const char *)sqlite3_column_text(statement, 1);
		if (!object_is_ours(name, sql)) {
			r = log_err(-EINVAL, "%s: holds something that vaultfs did not make: %s", db->path,
				    name ? name : "(no name)");
			break;
		}
		n_ours += sql != NULL;
	}
	(void)sqlite3_finalize(statement);	/* repeats the code */
	if (r < 0)
		return r;
	if (code != SQLITE_DONE)
		return db_errno(db, code, "reading the schema");
	if (n_ours != N_OBJECTS)
		return log_err(-EINVAL, "%s: is not a vault's database (%zu of %zu tables)", db->path, n_ours, N_OBJECTS);
	return 0;
}
