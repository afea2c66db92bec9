/* search_schema.h - the tables of search.db, in one place. No migrations: another version's search.db is made anew. */
#ifndef VAULTFS_SEARCH_SCHEMA_H
#define VAULTFS_SEARCH_SCHEMA_H

#include "db.h"

#define SEARCH_SCHEMA_VERSION 1 /* also of how their rows are worked out: then they are worked out anew */
#define SEARCH_APPLICATION_ID 0x56665371 /* "VfSq" at byte 68 of search.db */

/* Create all tables in an empty database. */
int search_schema_create(struct db *db);

/* Is every row of sqlite_schema, those of FTS5's own tables too, what search_schema_create() makes with this SQLite?  0;
 * -EINVAL no, or another version (silent). */
int search_schema_verify(struct db *db);

#endif
