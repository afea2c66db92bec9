/* listing_queries.h - the fixed queries of listings and folders, asked on readers: set `listing` of db.h. */
#ifndef VAULTFS_LISTING_QUERIES_H
#define VAULTFS_LISTING_QUERIES_H

enum {
	LISTING_TAGS,
	LISTING_TAGS_OF,
	LISTING_CHUNKS_OF,
	LISTING_EXTENTS,
	LISTING_FILES,
	LISTING_HASHES,
	LISTING_SIZE,
	LISTING_MEDIA,
	LISTING_N_QUERIES,
};

#endif
