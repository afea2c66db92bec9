/* schema.h - the tables of vault.db, in one place, with their migrations. */
#ifndef VAULTFS_SCHEMA_H
#define VAULTFS_SCHEMA_H

#include "db.h"

#define SCHEMA_VERSION 2
#define SCHEMA_APPLICATION_ID 0x56665331	/* "VfS1" at byte 68 of vault.db */

/* The journalled tables, in the order in which pictures hold them; NULL ends the list. */
extern const char *const schema_journalled[];

/* A journalled table's columns, in a form that needs no database: their number now and in version 1, and each one's place
 * in the primary key (from 1; 0 not in it). Later versions only add tables, and columns behind the others, which have a
 * default: so changes and pictures of older ones still apply. */
struct schema_shape {
	const char *name;
	uint8_t n_columns, n_columns_first;
	uint8_t keys[16];
};

/* NULL: not a journalled table. */
const struct schema_shape *schema_shape_find(const char *name);

/* Create all tables, indices and views in an empty database. */
int schema_create(struct db *db);

/* Is every row of sqlite_schema this version's text?  0; -EINVAL foreign (logged); -ENOTSUP newer (logged); -ESTALE it says
 * that it is an older version's: nothing else of it was looked at. Runs before any other statement on a database somebody
 * else may have made. */
int schema_verify(struct db *db);

#endif
