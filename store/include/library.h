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

/* ---- devices and locations: where files came from ----
 * A location is a folder outside the vault that was brought into a directory of it, and may be followed. A device is the
 * machine that it stands on. */

struct vault_device {
	uint64_t id;
	uint8_t uuid[16];
	const char *name, *system;	/* its host name; e.g. "Linux 6.1 x86_64". At most 255 bytes each */
};

enum vault_location_mode {
	VAULT_LOCATION_METADATA,	/* names, sizes and times; files are holes */
	VAULT_LOCATION_CONTENT,		/* their bytes, too */
	VAULT_LOCATION_DEEP,		/* and they are looked into by the indexer */
};

enum vault_location_state {
	VAULT_LOCATION_PENDING,		/* not begun */
	VAULT_LOCATION_SCANNING,
	VAULT_LOCATION_COMPLETE,	/* all of it was brought in, at scanned_ns */
	VAULT_LOCATION_PAUSED,
	VAULT_LOCATION_ERROR,		/* some or all of it could not be: `error` */
};

#define VAULT_LOCATION_ERROR_MAX 255u	/* bytes */

struct vault_location {
	uint64_t id;
	uint64_t device_id;
	uint64_t directory_id;		/* inode of the directory it is brought into */
	const char *path;		/* absolute, there; at most VAULT_PATH_MAX bytes */
	enum vault_location_mode mode;
	enum vault_location_state state;
	bool watch;			/* followed while the vault is mounted there */
	uint64_t n_files, n_bytes;	/* found in it when it was last gone through */
	int64_t scanned_ns;		/* when that came to its end; 0 = never */
	const char *error;		/* NULL: none */
};

/* "metadata", "pending", ...; and back: -EINVAL no such word. */
const char *vault_location_mode_name(enum vault_location_mode mode);
const char *vault_location_state_name(enum vault_location_state state);
int vault_location_mode_find(const char *name, enum vault_location_mode *ret);

/* The device of that uuid, made if there is none; its name and system become those given.  [change]  -EINVAL; -ENOSPC. */
int vault_device_put(struct vault *vault, const struct vault_device *device, uint64_t *ret_id);

/* Call `emit` for each device, location; strings are borrowed during the call, and what it returns non-zero ends the rest and
 * is returned. It runs with locks held: it copies, and calls nothing of the vault. */
int vault_devices(struct vault *vault, int (*emit)(void *context, const struct vault_device *device), void *context);
int vault_locations(struct vault *vault, int (*emit)(void *context, const struct vault_location *location), void *context);

/* Add a location (its id is given back) or write all of one anew.  [change]
 *   Errors  -EEXIST that path of that device is one already; -ENOENT no such location, device or directory; -EINVAL. */
int vault_location_add(struct vault *vault, const struct vault_location *location, uint64_t *ret_id);
int vault_location_set(struct vault *vault, const struct vault_location *location);

/* Forget it; the files that it brought stay.  [change]  -ENOENT. */
int vault_location_remove(struct vault *vault, uint64_t id);

/* File `inode_id` was brought in by that device, as part of that location (0: of none).  [change]  -ENOENT. */
int vault_origin_set(struct vault *vault, uint64_t inode_id, uint64_t device_id, uint64_t location_id);

/* Where a file came from; the location may be gone since.  -ENODATA it was made in the vault. */
int vault_origin_get(struct vault *vault, uint64_t inode_id, uint64_t *ret_device_id, uint64_t *ret_location_id);

/* Shall the indexer look into it?  1; 0 its location is of another mode than deep. */
int vault_origin_is_deep(struct vault *vault, uint64_t inode_id);

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
