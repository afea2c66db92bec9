/* search_internal.h - what the modules of search.db share. */
#ifndef VAULTFS_SEARCH_INTERNAL_H
#define VAULTFS_SEARCH_INTERNAL_H

#include "codec.h"
#include "search.h"

/* The row of table state. */
struct search_state {
	uint64_t commit;   /* the newest that something in search.db was read from */
	uint64_t serial;   /* of the last transaction */
	uint64_t built_to; /* inodes up to here were looked at since search.db was made */
};

/* Bytes that are put together; kept from one use to the next. */
struct bytes {
	char *at;
	size_t size, room;
};

/* What search.db says of a file. */
struct search_document {
	uint64_t id;
	struct bytes names, note, tags;
	int64_t date_ns;
	int date_from;
	char person[64]; /* NAME_PERSON_MAX, without a NUL */
	size_t person_size;
};

struct follower;

struct search {
	/* never change */
	struct vault *vault;
	char *path;
	bool writes;            /* whether this process may */
	uint64_t opened_commit; /* what vault.db showed when the vault was opened */

	struct follower *follower; /* search_follow.c */
	_Atomic int failure; /* 0; or a negative errno: it is left alone until the vault is opened again */

	pthread_mutex_t writing; /* order: before the gate and the metadata lock. Guards all below */
	bool absent;             /* open for reading only, and there is none that could be used */
	bool damaged;            /* it goes when the vault is closed */
	struct db db;            /* search.db; without a handle until somebody needs it */
	struct db reader;        /* vault.db as it was last committed, likewise */
	struct search_state state;
	struct codec_context *codec;
	struct search_document document; /* the one that is looked at */
	sqlite3_int64 n_changes;         /* of rows, before the transaction */
	uint64_t n_bytes;                /* of words and texts written so far: for bounding a transaction */
};

static inline void auto_bytes(struct bytes *bytes)
{
	free(bytes->at);
}

/* -ENOMEM (logged). */
int search_bytes_add(struct search *search, struct bytes *bytes, const void *more, size_t n);

/* ---- search_db.c; `writing` is held ---- */

/* Open search.db and the reader, if that was not done; make search.db anew if it must be. Errors as search_attach(). */
int search_open_locked(struct search *search);

/* Begin a transaction in search.db with a read transaction on vault.db; *ret_commit is the commit that it sees. */
int search_begin_locked(struct search *search, uint64_t *ret_commit);

/* End both. What was changed is kept, durably, with the state, whose serial rises; if nothing was, there is no write. On
 * failure nothing is kept. `commit`: what vault.db showed. */
int search_commit_locked(struct search *search, uint64_t commit, uint64_t built_to);
void search_rollback_locked(struct search *search);

/* Leave search.db alone from now on, because of an error that was logged. Returns -EIO, or -ECANCELED where the vault's end or
 * its read-only state is all there was. */
int search_give_up(struct search *search, int error);

/* ---- search_document.c; within a transaction ---- */

/* Look file `id` up in vault.db and put what it says into search.db, or remove it from there. 1 it is a document, 0 not. */
int search_follow_one_locked(struct search *search, uint64_t id);

/* Put the text of a file that search_follow_one_locked() said 1 for. */
int search_put_text_locked(struct search *search, uint64_t id, const char *text, size_t size);

/* 1 it has a row in texts, 0 not. */
int search_has_text_locked(struct search *search, uint64_t id);

/* ---- search_follow.c ---- */

int follower_new(struct search *search);
void follower_free(struct follower *follower); /* it was stopped, or never started; NULL is fine */

#endif
