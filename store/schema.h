/* schema.h - the tables of vault.db, in one place, with their migrations. */
#ifndef VAULTFS_SCHEMA_H
#define VAULTFS_SCHEMA_H

#include "db.h"

#define SCHEMA_VERSION 1
#define SCHEMA_APPLICATION_ID 0x56665331	/* "VfS1" at byte 68 of vault.db */

/* The journalled tables, in the order in which pictures hold them; NULL ends the list. */
extern const char *const schema_journalled[];

/* A journalled table's columns, in a form that needs no database: their number, and each one's place in the primary key
 * (from 1; 0 not in it). */
struct schema_shape {
	const char *name;
	uint8_t n_columns;
	uint8_t keys[16];
};

/* NULL: not a journalled table. */
const struct schema_shape *schema_shape_find(const char *name);

/* Create all tables, indices and views in an empty database. */
int schema_create(struct db *db);

/* Is every row of sqlite_schema this version's text?  0; -EINVAL foreign (logged); -ENOTSUP newer (logged). Runs before
 * any other statement on a database somebody else may have made. */
int schema_verify(struct db *db);

#endif
