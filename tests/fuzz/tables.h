/* tables.h - one database used for input after input: its rows are put back to what they were. */
#ifndef VAULTFS_FUZZ_TABLES_H
#define VAULTFS_FUZZ_TABLES_H

#include "db.h"

/* No log file that grows, no flush: nothing of it is kept. */
void tables_prepare(struct db *db);

/* Delete all rows. */
void tables_empty(sqlite3 *handle);

/* Take what differs from run to run out of a vault that fuzz_make_vault() made: times. So that changesets made for one fit
 * another. */
void tables_still(sqlite3 *handle);

/* Remember all rows as they are, in memory; and put them back. */
void tables_remember(sqlite3 *handle);
void tables_restore(sqlite3 *handle);

#endif
