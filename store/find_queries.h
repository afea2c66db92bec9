/* find_queries.h - the fixed queries of searching, and the names of what they read in search.db. */
#ifndef VAULTFS_FIND_QUERIES_H
#define VAULTFS_FIND_QUERIES_H

enum {
	FIND_DIRECTORIES_NAMED,
	FIND_DIRECTORY_PATH,
	FIND_COUNT_BELOW,
	FIND_DETAILS,
	FIND_TAGS_OF,
	FIND_PARENT,
	FIND_SEARCH_QUEUED,
	FIND_SETTLED,
	FIND_BEGIN,
	FIND_END,
	FIND_FILE_INFO,
};

/* The directories from one on down: FIND_BELOW, its id, FIND_BELOW_END, and a SELECT over below(id). */
#define FIND_BELOW "below(id) AS (SELECT id FROM directories WHERE id = "
#define FIND_BELOW_END \
	" UNION SELECT d.id FROM below b CROSS JOIN directories d ON d.parent_id = b.id WHERE d.id <> 1) "

/* search.db, see search.h: full text over names, notes, tags and texts; and its column of the same name, which MATCH asks. */
#define SEARCH_WORDS "search.words"
#define SEARCH_WORDS_MATCH "words"
#define SEARCH_NAMES "search.names" /* trigrams of names */
#define SEARCH_NAMES_MATCH "names"

#endif
