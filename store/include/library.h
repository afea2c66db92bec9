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

/* ---- what was watched ----
 * For a driver that sees files being read: half of a video or sound file read by one opener, and it was seen. */

/* The size of file `id` if it is known to be a video or sound, else 0. */
uint64_t vault_watchable_size(struct vault *vault, uint64_t id);

/* It was watched or listened to, now: user.vaultfs.seen. Its ctime stays, since nobody changed it.  [change]  -ENOENT. */
int vault_was_watched(struct vault *vault, uint64_t id);

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

/* ---- tags ----
 * A tag is found by its name, in any case; aliases lead to their tags, also as a beginning: with foto an alias of photo,
 * "foto/2024" is "photo/2024". Empty steps are left out ("a//b" is "a/b"). The steps above a tag are tags, too. A file with a
 * tag counts as having the tags above it, and what any of them imply. A tag that nobody has a row for, as it is only a step
 * above others, has no id and gets one when it needs it. */

#define VAULT_TAG_NAME_MAX 255u	/* bytes */

struct vault_tag {
	uint64_t id;		/* 0: only a step above others */
	char *name;		/* the whole of it, as first written */
	char *color, *icon;	/* NULL: none */
	bool has_below;		/* there are tags below it */
	bool is_folder;		/* its name can be a path: no step is "." or ".." */
	uint64_t n_files;	/* that have this very tag; 0 where not asked for */
	uint64_t n_total;	/* that count as having it; 0 where not asked for */
};

struct vault_tags {
	struct vault_tag *tags;	/* owned, with all in them */
	size_t n;
};

void vault_tags_release(struct vault_tags *tags);

static inline void auto_vault_tags(struct vault_tags *tags)
{
	vault_tags_release(tags);
}

/* Moves whenever a name may lead to other tags than before, or vault_tag_matching() to other ids. Where tags are only new it
 * alone moves, for no file has them yet: who keeps a query asks for its ids again, and then only for the files that
 * changed. Where rules or names changed, vault_changes_since() answers -EOVERFLOW as well. Lock-free. */
uint64_t vault_tags_generation(struct vault *vault);

/* The ids, ascending, of all tags that make a file count as having tag `name`; none if there is no such tag. As of now: those
 * that are not committed yet are among them. free() *ret_ids.  -ENOMEM, -EOVERFLOW too many tags in the vault (logged). */
int vault_tag_matching(struct vault *vault, const char *name, uint64_t **ret_ids, size_t *ret_n);

/* The other way round: what a file with the tags of these ids counts as having, these among them; that is, the tag folders that
 * show it. Ids that are gone are passed over. */
int vault_tags_shown(struct vault *vault, const uint64_t *ids, size_t n, struct vault_tags *ret);

enum vault_tag_list_flags {
	VAULT_TAG_LIST_TREE = 1,	/* everything below, not only the next step */
	VAULT_TAG_LIST_FILES = 2,	/* with n_files */
	VAULT_TAG_LIST_TOTALS = 4,	/* with n_total: counted where it is not known any more, which may take a while */
};

/* Tags below `name`, or all without a name (NULL or ""), sorted so that each stands before those below it.  -ENOENT. */
int vault_tag_list(struct vault *vault, const char *name, unsigned flags, struct vault_tags *ret);

/* One tag, in ret->tags[0], with n_files.  -ENOENT. */
int vault_tag_find(struct vault *vault, const char *name, struct vault_tags *ret);

/* What is set of a tag besides its name. Each is read and set as text, "" for nothing. */
enum vault_tag_text {
	VAULT_TAG_COLOR,	/* "#rrggbb", or black, blue, brown, cyan, gray, green, magenta, orange, pink, purple, red, white, yellow */
	VAULT_TAG_ICON,		/* a name of the icon naming specification, such as "folder-pictures" */
	VAULT_TAG_ALIASES,	/* names with commas between them */
	VAULT_TAG_IMPLIES,	/* the same */
};

/* Returns the length; with size 0 only asks for it.  -ENOENT no such tag; -ENODATA nothing is set; -ERANGE; -E2BIG as
 * vault_getxattr(). */
ssize_t vault_tag_get_text(struct vault *vault, const char *name, enum vault_tag_text which, char *buffer, size_t size);

/* All below are changes, within vault_change_begin() and vault_change_end(). Tags that are named and not there are made, but
 * for what is to be removed or renamed, which is -ENOENT. A tag that is made has no ',' in its name, which neither begins nor ends
 * with white space, and no step that is empty, "." or "..": else -EINVAL; -ENAMETOOLONG. -ENOSPC there are as many tags,
 * tags of the file or rules of the tag as there may be. */

/* -EEXIST. One that was only a step above others has a row from now on. */
int vault_tag_make(struct vault *vault, const char *name);

enum vault_tag_remove_flags {
	VAULT_TAG_REMOVE_USED = 1,	/* also where files have it, and with all tags below it */
};

/* Remove a tag with its rules. The step above stays.
 *   Returns  0 it is gone; 1 a part is: call it again, in another change, until it is 0.
 *   Errors   -ENOTEMPTY files have it, or there are tags below it. */
int vault_tag_remove(struct vault *vault, const char *name, unsigned flags);

/* Give a tag and all below it another name. Files keep their tags: user.xdg.tags reads with the new name from now on.
 *   Returns  0; 1 files had to be changed as they had it by an alias, and more remain: call it again with the same names.
 *   Errors   -EEXIST there is such a tag, or an alias that is called so; -EINVAL also a name below itself;
 *            -E2BIG too many tags below it (logged). */
int vault_tag_rename(struct vault *vault, const char *from, const char *to);

/* Set one of its texts, all of it.  -EINVAL no such color or icon, or as the next two. */
int vault_tag_set_text(struct vault *vault, const char *name, enum vault_tag_text which, const char *text, size_t size);

/* `alias` leads to tag `name`, also as the beginning of other names. Files that had a tag called `alias` count as having `name`.
 *   Errors  -EEXIST it leads elsewhere; -EINVAL the tag's own name begins with it. */
int vault_tag_alias_add(struct vault *vault, const char *name, const char *alias);
int vault_tag_alias_remove(struct vault *vault, const char *alias);

/* Files that have `name` count as having `implied`.  -EINVAL itself. */
int vault_tag_imply(struct vault *vault, const char *name, const char *implied);
int vault_tag_imply_remove(struct vault *vault, const char *name, const char *implied);

/* Give a file or directory one tag more, as its last; fine if it has it.  -EPERM something else. */
int vault_file_tag_add(struct vault *vault, uint64_t id, const char *name);

/* Take a tag from it, and all below that; what it counts as having by a rule stays.  -ENODATA it has none of them. */
int vault_file_tag_remove(struct vault *vault, uint64_t id, const char *name);

/* 1 it was given the tag or one below it; 0 it was not, even if it counts as having it by a rule. */
int vault_file_tag_owned(struct vault *vault, uint64_t id, const char *name);

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

/* Does it ask for words in names, notes or texts? That only search.db can answer. */
bool vault_query_asks_words(const struct vault_query *query);

/* Until when the answer can only change because files do: the next midnight where days such as `today` are named, else
 * INT64_MAX. Both in ns since 1970. */
int64_t vault_query_valid_until(const struct vault_query *query, int64_t now_ns);

/* ---- search ----
 * The full-text index, search.db, follows the vault by itself, a moment behind the last commit. It holds nothing that could
 * not be made anew, and whatever becomes of it no change and no commit fails. */

#define VAULT_TEXT_MAX (1u << 20)	/* bytes of a file's text that are looked into */

/* Keep the first bytes of a text file as what words are looked for in, or none with size 0: also of a file that is taken
 * for text and cannot be read as such, or is no text any more. UTF-8. On disk when it returns. Not inside a change.
 *   Errors  -ENOENT the file has no name, or no commit has it yet; -EINVAL too long. Where search.db was given up, nothing is
 *           kept, and it is asked for again when the vault is next opened. */
int vault_set_text(struct vault *vault, uint64_t id, const char *text, size_t size);

/* As vault_sync(), and whoever searches after that finds what changed before. On a vault that is open for reading only: as it
 * is. Not inside a change.
 *   Errors  as vault_sync(); -EIO search.db was given up, which was said; -ECANCELED the vault is being closed. */
int vault_search_sync(struct vault *vault);

/* The same without waiting: `done(context, result)` is called once, from any thread, possibly before this returns. */
void vault_search_sync_then(struct vault *vault, void (*done)(void *context, int result), void *context);

static inline void auto_vault_query(struct vault_query **query)
{
	vault_query_free(*query);
}

/* ---- saved searches ----
 * A query under a name. Names are like those of files: 1 to 255 bytes without '/', not "." or ".."; case makes no
 * difference, and is kept. */

#define VAULT_SEARCHES_MAX 10000u

struct vault_search {
	const char *name, *query;	/* the query as it was put */
};

/* Call `emit` for each, in the order of names, until it returns non-zero, which is then returned. It runs with locks held: it
 * copies, and calls nothing of the vault. */
int vault_searches(struct vault *vault, int (*emit)(void *context, const struct vault_search *search), void *context);

/* The query of the search of that name.
 *   Ownership  *ret_query is the caller's, free() it; ret_name, of VAULT_NAME_MAX + 1 bytes or NULL, gets its own spelling.
 *   Errors     -ENOENT. */
int vault_search_get(struct vault *vault, const char *name, char **ret_query, char *ret_name);

enum vault_search_put {
	VAULT_SEARCH_NEW = 1,	/* -EEXIST if there is one of that name, else it is replaced, keeping its spelling */
	VAULT_SEARCH_OLD = 2,	/* -ENOENT if there is none */
};

/* Keep a query under a name. `flags`: enum vault_search_put.  [change]
 *   Errors  -EINVAL an impossible name, or no query: vault_query_parse() says why; -ENAMETOOLONG; -ENOSPC there are
 *           VAULT_SEARCHES_MAX. */
int vault_search_put(struct vault *vault, const char *name, const char *query, unsigned flags);

/* [change]  -ENOENT. */
int vault_search_remove(struct vault *vault, const char *name);

/* Also to another spelling of its own name.  [change]  -ENOENT; -EEXIST; -EINVAL; -ENAMETOOLONG. */
int vault_search_rename(struct vault *vault, const char *name, const char *new_name);

/* ---- finding files ---- */

enum vault_sort {	/* what comes first; files without such a value come last in any case */
	VAULT_SORT_ADDED,	/* made last: the one order that costs nothing */
	VAULT_SORT_DATE,	/* latest */
	VAULT_SORT_SIZE,	/* largest */
	VAULT_SORT_NAME,	/* from a to z, without case */
	VAULT_SORT_QUALITY,	/* best */
	VAULT_SORT_RATING,	/* best */
};

struct vault_find_options {
	enum vault_sort sort;
	bool reverse;
	uint64_t skip, limit;	/* leave out the first `skip`, end after `limit`; 0 = no limit */
	uint64_t before;	/* only inodes below this id: the way to go on behind the last one of VAULT_SORT_ADDED; 0 = all */
	uint64_t below;		/* only files in or below this directory; 0 = all */
};

/* A file that was found. Borrowed during the call. */
struct vault_found {
	struct vault_attr attr;
	uint64_t directory_id;
	const char *name, *path;	/* under which it is shown: the first of its names outside the trash; path from the root */
	const char *kind, *mime;	/* NULL: nobody has looked yet */
	int64_t width, height, duration_ms;	/* -1: unknown, or it has none */
	int64_t date_ns;		/* when it was taken, or else what its name says, or else when it was changed last */
	int rating, quality;		/* 0 to 10; percent; -1: none */
	bool favorite, hidden, is_seen;
	int64_t seen_ns;		/* if it is */
	const char *note;		/* any bytes, not NUL-terminated; NULL: none */
	size_t note_size;
	const uint8_t *sha256;		/* 32 bytes, or NULL */
	const char *const *tags;	/* in their order on the file */
	size_t n_tags;
};

/* Call `emit` for each regular file that matches, until it returns non-zero, which is then returned. Shown are files with a
 * name outside the trash that are not hidden, unless the query names `hidden`, or a folder of the trash with in:. What was
 * changed before the call shows; for that it may wait for a commit: not inside a change, nor for a thread that answers
 * requests. No lock is held meanwhile, but one of a few connections: `emit` does not search itself. `options` may be NULL.
 *   Errors  -EAGAIN the query needs what is not there now (logged); -ENOMEM; of the disk. All logged. */
int vault_find(struct vault *vault, const struct vault_query *query, const struct vault_find_options *options,
	       int (*emit)(void *context, const struct vault_found *found), void *context);

/* ---- listings ----
 * What a folder of results shows: the regular files that a query finds, each once, under a name of its own. Listings keep
 * up with changes: only what changed is asked for again. They are the vault's as long as there is room, 64 MiB for all of
 * them and their snapshots, so that it costs little to make one for the same query again.
 * Names: a file is shown under the name of its first entry (of the lowest directory, the oldest there). Where files share
 * one, that of the lowest inode number keeps it; the others are shown under their other name, STEM~INODE.EXT, which finds
 * every file of a listing, also those that are shown under their plain one. What is shown follows from the files alone, not
 * from what happened before. */

#define VAULT_LISTINGS_MAX (64u << 20)	/* bytes */

struct vault_listing;
struct vault_snapshot;

/* The listing of a query's files, in the order of names. Nothing is looked for yet.
 *   Ownership  vault_listing_unref() *ret; the query is copied.
 *   Errors     -ENOMEM (logged). */
int vault_listing_new(struct vault *vault, const struct vault_query *query, struct vault_listing **ret);

/* The same of the files that share chunks with file `id`, without itself: the closest first, 1,000 at most. */
int vault_listing_new_similar(struct vault *vault, uint64_t id, struct vault_listing **ret);

struct vault_listing *vault_listing_ref(struct vault_listing *listing);
void vault_listing_unref(struct vault_listing *listing);	/* NULL is fine */

/* Bring it up to date: all that had changed before the call shows. May take as long as the query, and wait for a commit: not
 * for a thread that answers requests.
 *   Errors  -EOVERFLOW more files than may be listed (logged, with what to do); of the disk (logged). What was listed before
 *           is gone then. */
int vault_listing_refresh(struct vault_listing *listing);

/* The same where it takes no time; else -EAGAIN, and nothing was done: call vault_listing_refresh() by vault_aside(). */
int vault_listing_refresh_soon(struct vault_listing *listing);

/* What is listed may be dropped when others need the room: where the next three say -EAGAIN, refresh it again. */

/* The file that is shown as `name`, or has it as its other name, as of the last refresh.  -ENOENT; -EAGAIN. */
int vault_listing_find(struct vault_listing *listing, const char *name, uint64_t *ret_id);

/* The name that file `id` is shown under, as of the last refresh.  -ENOENT it is not listed; -EAGAIN. */
int vault_listing_name(struct vault_listing *listing, uint64_t id, char ret_name[VAULT_NAME_MAX + 1]);

/* STEM~ID.EXT of a name, for a file whose shown name is taken by something else; extensions like .tar.gz are one. */
void vault_listing_other_name(const char *name, uint64_t id, char ret_name[VAULT_NAME_MAX + 1]);

/* What the listing shows as of the last refresh; never changes, and stays when the listing goes. The same one until
 * something changes.
 *   Ownership  vault_snapshot_unref() *ret.
 *   Errors     -ENOMEM; -EOVERFLOW snapshots in use fill the room of listings (both logged); -EAGAIN. */
int vault_listing_snapshot(struct vault_listing *listing, struct vault_snapshot **ret);

size_t vault_snapshot_size(const struct vault_snapshot *snapshot);
/* The inode that stands at `index`, and the name it is shown under, which may be NULL. */
uint64_t vault_snapshot_get(const struct vault_snapshot *snapshot, size_t index, char ret_name[VAULT_NAME_MAX + 1]);
struct vault_snapshot *vault_snapshot_ref(struct vault_snapshot *snapshot);
void vault_snapshot_unref(struct vault_snapshot *snapshot);	/* NULL is fine */

/* Extended M3U in UTF-8 of the videos and sound files of a snapshot, in its order: lengths, titles, and the shown names as
 * relative paths. Takes a look at each file's row: not for a thread that answers requests.
 *   Ownership  *ret_text is the caller's, free() it; NUL-terminated beyond *ret_size. */
int vault_snapshot_playlist(struct vault *vault, const struct vault_snapshot *snapshot, char **ret_text, size_t *ret_size);

/* Run `run(context)` on a thread of the vault's that is there for what takes long; one behind the other on two of them. No
 * lock is held. vault_close() waits for all.  -ENOMEM, -EAGAIN no thread (both logged): `run` is not called. */
int vault_aside(struct vault *vault, void (*run)(void *context), void *context);

/* As strcmp(), of names or steps of tags, which are told apart without case. */
int vault_tag_names_compare(const char *a, const char *b);

/* A tag that narrows a listing of tagged files. Borrowed during the call. */
struct vault_tag_folder {
	const char *name;	/* of the folder: one component, each name once */
	const char *tag;	/* in full, as its row spells it: what to use for a query */
	bool child;		/* below the last used one: `tag` is that one's name, '/', `name` */
};

/* Tell of the tags that narrow `listing`, of the files with all tags of `used` (full names or aliases; the last is the
 * folder's own, none: the top), further: those that a file in it has, by itself, by hierarchy or by implication, and that
 * are not, nor stand above, nor are implied by, one in `used`. A tag stands in the folder of the one above it unless that one
 * is used. Children of the last used one come first, and where two would have one name it is theirs. By name.
 * Refresh the listing before. Looks at all tags of its files: not for a thread that answers requests. */
int vault_listing_tags(struct vault_listing *listing, const char *const *used, size_t n_used,
		       int (*emit)(void *context, const struct vault_tag_folder *folder), void *context);

/* A file that has chunks of another one. Borrowed during the call. */
struct vault_similar {
	uint64_t id, size;
	uint64_t shared_bytes;	/* of content, before compression */
	const char *path;	/* that it is shown under */
};

/* Tell of the files that share chunks with file `id`, the closest first, 1,000 at most; those that no query for everything finds
 * are left out. What `emit` returns non-zero ends it, and is returned; it must not search itself. May take as long as reading
 * all extents, and wait for a commit. */
int vault_similar(struct vault *vault, uint64_t id, int (*emit)(void *context, const struct vault_similar *similar),
		  void *context);

/* Files of the same bytes: two or more that a query for everything finds. Borrowed during the call. */
struct vault_duplicates {
	const char *name;	/* the first digits of their SHA-256: 8, or as many more as no other file's starts with */
	const uint8_t *sha256;	/* 32 bytes */
	const uint64_t *ids;	/* ascending */
	const char *const *paths;	/* that they are shown under */
	size_t n;
	uint64_t size;		/* bytes of each */
};

/* Tell of all groups whose files the indexer has summed, in the order of their sums, until `emit` returns non-zero, which is
 * then returned; it must not search itself. May take long, and wait for a commit. */
int vault_duplicates(struct vault *vault, int (*emit)(void *context, const struct vault_duplicates *group), void *context);

/* Folders whose names follow from what is there. */
enum vault_folders {
	VAULT_FOLDERS_KINDS,	  /* image, video, audio, text, document, archive, other: always all */
	VAULT_FOLDERS_TYPES,	  /* image, video, text, application...: first halves of MIME types */
	VAULT_FOLDERS_SUBTYPES,	  /* mp4...: second halves, within a first one */
	VAULT_FOLDERS_RATINGS,	  /* 1 to 10 */
	VAULT_FOLDERS_QUALITY,	  /* 0-9, 10-19, ... 90-100 percent */
	VAULT_FOLDERS_YEARS,	  /* 2024 */
	VAULT_FOLDERS_MONTHS,	  /* 01 to 12, within a year */
	VAULT_FOLDERS_PEOPLE,
	VAULT_FOLDERS_RECENT,	  /* today, week, month: always all; by when files came into the vault */
	VAULT_FOLDERS_DUPLICATES, /* of files of the same bytes: the shortest start of their SHA-256 that is theirs alone */
};

struct vault_folder {
	const char *name;	/* one component. Borrowed during the call, as the next */
	const char *query;	/* what it stands for: for vault_query_parse() */
	uint64_t n_files;	/* that the query finds; 0 where the folder is always there: nobody counts */
};

/* Tell of all folders of a kind in their order, `within` one of the level above, else NULL. Those without a file are left out
 * except where they are always there. Takes as long as a query.  -ENOENT no such folder above. */
int vault_folders_each(struct vault *vault, enum vault_folders which, const char *within,
		       int (*emit)(void *context, const struct vault_folder *folder), void *context);

/* The query that folder `name` stands for: the caller's, free() it. Asks nobody, so that there may be no file.
 *   Errors  -ENOENT there can be no folder of that name; -ENOMEM (logged). */
int vault_folder_query(enum vault_folders which, const char *within, const char *name, char **ret_query);

static inline void auto_vault_listing(struct vault_listing **listing)
{
	vault_listing_unref(*listing);
}

static inline void auto_vault_snapshot(struct vault_snapshot **snapshot)
{
	vault_snapshot_unref(*snapshot);
}

/* ---- jobs: what the indexer has yet to do ----
 * A file whose content changed gets a job with the commit that holds the change; one that is changed again while it is
 * looked into is begun anew. Jobs outlive a crash: those that were being done wait again when the vault is opened. */

enum vault_job_state { VAULT_JOB_WAITING, VAULT_JOB_RUNNING, VAULT_JOB_FAILED };

struct vault_job {
	uint64_t id;		/* its place in the line; changes when it is put to the end */
	uint64_t inode;		/* the file, which may be gone */
	enum vault_job_state state;
	bool asked;		/* somebody asked for it: to be done in full, even if the file is as it was */
	unsigned progress;	/* percent */
	unsigned attempts;	/* that failed */
	char error[80];		/* what the last of them failed with; "" none did. Only from vault_jobs() */
	char name[VAULT_NAME_MAX + 1];	/* one that the file has, or "". Only from vault_job_next() */
};

/* 1 there is a job that waits, 0 there is none. Cheap, and changes nothing: for who waits for one. */
int vault_jobs_any(struct vault *vault);

/* Claim the job that has waited for the longest time.  1, or 0 there is none.  [change] */
int vault_job_next(struct vault *vault, struct vault_job *ret);

/* How far a claimed job is. No commit is made for its sake.  [change] */
int vault_job_progress(struct vault *vault, const struct vault_job *job, unsigned percent);

/* A claimed job is done. 1, or 0 when the file was changed meanwhile, or asked for again: it waits for its turn.  [change] */
int vault_job_done(struct vault *vault, const struct vault_job *job);

/* Put a claimed job to the end of the line: it could not be done now.  [change] */
int vault_job_again(struct vault *vault, const struct vault_job *job);

/* A claimed job failed `attempts` times more. After two in all it is left alone, and the file's content gets the error
 * VAULT_CONTENT_UNREADABLE; before that it goes to the end of the line. `error`: why, a few words.  [change]
 *   Returns 1 it is left alone; 0. */
int vault_job_failed(struct vault *vault, const struct vault_job *job, unsigned attempts, const char *error);

/* Ask for these files to be looked into; up to 20,000. What is no file with a name is passed over. Whoever follows
 * vault_on_content_changed() is told. Returns how many were queued.  [change] */
int vault_job_queue(struct vault *vault, const uint64_t *ids, size_t n);

/* Queue all files that nobody has looked into, or that changed since. Reads the whole vault: not for a FUSE thread. [change] */
int vault_jobs_queue_stale(struct vault *vault);

/* Try again what failed. Returns how many.  [change] */
int vault_jobs_retry(struct vault *vault);

/* Call `emit` for every job in a state, in the order of the line, until it returns other than 0, which is returned then.
 * `path` and `job` are borrowed during the call; `path` is NULL where the file has no name. No lock is held in it. */
int vault_jobs(struct vault *vault, enum vault_job_state state,
	       int (*emit)(void *context, const struct vault_job *job, const char *path), void *context);

struct vault_jobs_total {
	uint64_t n_jobs, n_bytes;	/* n_bytes: sum of the files' sizes */
};
int vault_jobs_total(struct vault *vault, enum vault_job_state state, struct vault_jobs_total *ret);

/* ---- what the indexer found ---- */

#define VAULT_CONTENT_UNREADABLE "could not be read"

/* What is not known or not there is NULL or 0. */
struct vault_content {
	const uint8_t *sha256;	/* 32 bytes: of the whole file */
	const char *mime;	/* "video/mp4"; at most 255 bytes. The kind follows from it */
	const char *media_json;	/* at most VAULT_XATTR_MAX bytes */
	uint32_t width, height;	/* pixels, as shown */
	uint64_t duration_ms;
	int64_t taken_at_ns;	/* when the picture was taken or the recording made */
	const char *error;	/* why something is missing; at most 255 bytes */
	int64_t read_at_ns;	/* when reading the file began: a later change makes this old; 0 = now */
};

/* Remember this of a file, in place of all that was known.  [change]  -ENOENT the file is gone; -EINVAL too long, or "". */
int vault_set_content(struct vault *vault, uint64_t id, const struct vault_content *content);

/* "image", "video", "audio", "text", "document", "archive" or "other": what a file of that type is to people. */
const char *vault_kind_of_mime(const char *mime);

/* 1 the file was looked into when it had this SHA-256, with success: what was found then is noted as of `read_at_ns`. 0
 * it has to be looked into.  [change] */
int vault_content_same(struct vault *vault, uint64_t id, const uint8_t sha256[32], int64_t read_at_ns);

/* The SHA-256 of bytes that come in pieces. */
struct vault_sha256;
int vault_sha256_new(struct vault_sha256 **ret);	/* -ENOMEM, -ENOTSUP; logged */
int vault_sha256_add(struct vault_sha256 *sum, const void *bytes, size_t size);	/* -EIO, logged */
/* The sum of what was added; another one begins. */
int vault_sha256_end(struct vault_sha256 *sum, uint8_t ret[32]);
void vault_sha256_free(struct vault_sha256 *sum);	/* NULL is fine */

/* Reads, look-ups, listings and changes since the vault was opened: who works in the background sees by it whether others do,
 * too. Lock-free. */
uint64_t vault_activity(const struct vault *vault);

/* ---- derived content: thumbnails and previews ----
 * A regular inode without an entry, kept by the file it was made from, whose owner and read permissions it has; it goes with
 * the file. It is opened and read like any other by its id. */

enum vault_derived { VAULT_DERIVED_THUMBNAIL = 1, VAULT_DERIVED_PREVIEW = 2 };

#define VAULT_DERIVED_MAX (16u << 20)	/* bytes of one */

/* Keep `bytes` as number `number` (from 1) of its kind, in place of what was there: all or nothing, also in a crash.
 * [change, with n_bytes = size]  -ENOENT the file is gone; -EINVAL no regular file, or numbers that cannot be; -EFBIG;
 * as vault_write(). */
int vault_set_derived(struct vault *vault, uint64_t id, enum vault_derived kind, unsigned number, const void *bytes,
		      size_t size);

/* -ENOENT there is none. */
int vault_get_derived(struct vault *vault, uint64_t id, enum vault_derived kind, unsigned number, struct vault_attr *ret);

/* Give up those of a kind from number `first` on.  [change] */
int vault_drop_derived(struct vault *vault, uint64_t id, enum vault_derived kind, unsigned first);

#endif
