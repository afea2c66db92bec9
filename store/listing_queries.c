/* listing_queries.c - the fixed queries of listings and folders. See listing_queries.h. */
#include "listing_queries.h"

#include "db.h"

static const char *const sql[] = {
	[LISTING_TAGS] = "SELECT id FROM tags ORDER BY id",
	[LISTING_TAGS_OF] = "SELECT tag_id FROM asset_tags WHERE inode_id = ?1",
	/* Those that others may have, too: their bytes in the file, and references that are not the file's. */
	[LISTING_CHUNKS_OF] =
		"SELECT x.chunk_id, sum(x.length), c.refs - count(*), i.manifest_id FROM inodes i "
		"CROSS JOIN extents x ON x.manifest_id = i.manifest_id CROSS JOIN chunks c ON c.id = x.chunk_id "
		"WHERE i.id = ?1 AND c.refs > 1 GROUP BY x.chunk_id LIMIT ?2",
	[LISTING_EXTENTS] = "SELECT manifest_id, chunk_id, length FROM extents",
	[LISTING_FILES] = "SELECT id, manifest_id FROM inodes WHERE manifest_id <> 0",
	/* And whether another file has the same: only then it is looked at. */
	[LISTING_HASHES] = "SELECT c.sha256, c.inode_id, EXISTS (SELECT 1 FROM content o WHERE o.sha256 = c.sha256 "
			   "AND o.inode_id <> c.inode_id) FROM content c WHERE c.sha256 IS NOT NULL ORDER BY c.sha256",
	[LISTING_SIZE] = "SELECT size FROM inodes WHERE id = ?1",
	[LISTING_MEDIA] = "SELECT kind, duration_ms, iif(json_valid(media_json), json_extract(media_json, '$.title'), NULL) "
			  "FROM content WHERE inode_id = ?1",
};

const struct query_set listing_queries = { sql, sizeof(sql) / sizeof(sql[0]) };
