/* search.h - search.db, the full-text index beside vault.db: how it is opened, how it follows, how it is asked.
 *
 * Its tables, on a connection that search_attach() was called for:
 *
 *   search.documents(id, name, note, tags, date_ns, date_from, person, person_folded)
 *                   a row for each file (regular, with a name; in the trash, hidden ones too: leaving these out is the query's);
 *                   date_ns from content.taken_at, else the name, else mtime (date_from 1, 2, 3); indices on date_ns and
 *                   on person_folded. A directory is no document: what people say of it is in vault.db.
 *   search.texts(id, codec, raw_size, stored)
 *                   the text of those that are text files; raw_size 0: it was looked at, and has none.
 *   search.words    FTS5, without content: columns name, note, tags, text; rowid is the id. unicode61 without diacritics, prefix
 *                   indices of 2 and 3 characters: SELECT rowid FROM search.words WHERE words MATCH ?
 *   search.names    FTS5, without content: trigrams of the names, without regard to case; several are joined by '/', so
 *                   that a substring of three characters and more is the phrase MATCH '"SUBSTRING"'.
 *
 * What search.db finds is what was committed when it was last followed: look each id up in vault.db. It knows neither where a
 * file stands nor its attributes.
 *
 * It is disposable, and made anew without a word to anybody when it is not this vault's, damaged, or not as old as it should
 * be. Only its follower, a thread of the vault that holds the lock, writes it; what it writes is on disk before anything in
 * vault.db relies on it (invariants.md). An error of its files ends the following until the vault is next opened, and nothing
 * else. */
#ifndef VAULTFS_SEARCH_H
#define VAULTFS_SEARCH_H

#include "library.h"
#include "vault_internal.h"

#define SEARCH_DATABASE "search.db" /* its name in a vault's directory */

struct search;

/* Make vault->search. Nothing is opened yet: that is for whoever needs it first. */
int search_new(struct vault *vault);

/* Start the follower of a vault that is not read-only. Stopping it is soon done; who waits is told -ECANCELED. */
int search_start(struct vault *vault);
void search_stop(struct search *search);

/* Follow once, on the caller's thread: for tests in which calls fail one by one, on a vault whose follower was stopped. */
int search_follow(struct vault *vault);

/* Close it; no connection has it attached any more. NULL is fine. */
void search_free(struct search *search);

/* Attach search.db to a reading connection of this vault, as schema "search".
 *   Errors  -ENOENT there is none that could be used, and this vault is open for reading only (silent); -EIO it was given up,
 *           which was said; errno of the disk. */
int search_attach(struct vault *vault, struct db *reader);

/* Wait until search.db knows all that is committed; on a vault that is open for reading only, at once. Callers at the same time
 * share the work. Cheap when there is nothing to follow. Never with a lock, never inside a change.
 *   Errors  -EIO it was given up; -ECANCELED. */
int search_catch_up(struct vault *vault);

/* The same without waiting, as vault_search_sync_then(). */
void search_catch_up_then(struct vault *vault, void (*done)(void *context, int result), void *context);

/* A commit has put something into search_queue. Any lock may be held. */
void search_wake(struct vault *vault);

/* Reading search.db met damage (logged): it is given up, and made anew when the vault is next opened. */
void search_damaged(struct vault *vault);

/* Say so if there is a search.db that cannot be used: it is no damage. Of a vault that nobody asked for words. */
void search_look(struct vault *vault);

/* vault.db is built anew: nothing says what of a search.db still holds. Remove it; and, into the open transaction, what keeps an
 * older one that is put back from being taken for it. */
void search_remove(const struct vault *vault);
int search_forget_locked(struct vault *vault);

#endif
