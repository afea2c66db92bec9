/* library.h - the vault as a library: what is known of files, and how they are found by it.
 *
 * Beside vault.h, whose rules of errors, threads, names and moments hold here too. Tags, notes and the rest are set
 * through extended attributes (vault.h; vaultfs-xattr(7)) or by the functions below. */
#ifndef VAULTFS_LIBRARY_H
#define VAULTFS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vault.h"

/* ---- what changed ---- */

/* Moves with every change that a list of files may have to follow: names, tags, what is known of files, attributes. */
uint64_t vault_generation(struct vault *vault);

/* Inodes that changed since *generation, each perhaps more than once, up to `n`; *generation becomes that of now. Those that
 * are gone are among them. Returns how many.
 *   Errors  -EOVERFLOW too many, or something that touches all files (a tag's rules, a directory's name): list anew. */
int vault_changes_since(struct vault *vault, uint64_t *generation, uint64_t *ret_ids, size_t n);

/* ---- queries ----
 * The language is in vaultfs-find(1): words, KEY:VALUE terms, quotes, parentheses, `or`, `-` and `not`. A query says
 * nothing of a vault: it can be made without one, and used on any. */

#define VAULT_QUERY_MAX 4096u	/* bytes of its text */

struct vault_query;

/* Which bytes of a query are wrong, and what to do about it, in one line without a newline. */
struct vault_query_error {
	size_t offset, length;	/* offset is at most the text's size; length may be 0 at its end */
	char message[240];
};

/* Take a query apart. White space only, or nothing, is a query, too: every file.
 *   Ownership  vault_query_free() *ret; `text` is not kept.
 *   Errors     -EINVAL with *ret_error (not logged); -ENOMEM. */
int vault_query_parse(const char *text, struct vault_query **ret, struct vault_query_error *ret_error);

/* NULL is fine. */
void vault_query_free(struct vault_query *query);

/* The query as text, in one spelling for all that mean the same up to order; it parses to the same query. The caller's,
 * free() it; NULL without memory (logged). */
char *vault_query_print(const struct vault_query *query);

/* "KEY:VALUE" in quotes as needed, so that VALUE means itself whatever is in it; with "" for `key` the words of VALUE. The
 * caller's, free() it; NULL without memory (logged). */
char *vault_query_term(const char *key, const char *value);

/* Until when the answer can only change because files do: the next midnight where days such as `today` are named, else
 * INT64_MAX. Both in ns since 1970. */
int64_t vault_query_valid_until(const struct vault_query *query, int64_t now_ns);

static inline void auto_vault_query(struct vault_query **query)
{
	vault_query_free(*query);
}

#endif
