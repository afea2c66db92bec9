/* functions.h - what our SQL asks of C: SQL functions on every connection, which no schema can call.
 *
 *   fold(text)        the text with its case folded
 *   has_id(ids, id)   whether `ids`, a blob of ascending 64-bit numbers in this machine's order, has `id` */
#ifndef VAULTFS_FUNCTIONS_H
#define VAULTFS_FUNCTIONS_H

#include "db.h"

int functions_add(struct db *db);

#endif
