/* functions.h - what our SQL asks of C: SQL functions on every connection, which no schema can call.
 *
 *   fold(text)        the text with its case folded
 *   has_id(ids, id)   whether `ids`, a blob of ascending 64-bit numbers in this machine's order, has `id`
 *   name_date(name)   the moment that a file's name tells, in ns since 1970, or NULL
 *   name_person(name) the person that it tells, or NULL */
#ifndef VAULTFS_FUNCTIONS_H
#define VAULTFS_FUNCTIONS_H

#include "db.h"

int functions_add(struct db *db);

#endif
