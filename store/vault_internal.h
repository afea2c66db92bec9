/* vault_internal.h - what store's modules share: the vault's parts, and who guards them.
 *
 * Lock order: an inode's lock (live.h), the metadata lock (db.lock), then one of the leaves: live table, chunk cache,
 * packs' writer, gate, worker queue, the tags' graph (tag_graph.h). No lock is held across a pack read, a wait or a callback. */
#ifndef VAULTFS_VAULT_INTERNAL_H
#define VAULTFS_VAULT_INTERNAL_H

#include <stdatomic.h>
#include <stdint.h>

#include "auto.h"
#include "chunker.h"
#include "db.h"
#include "log.h"
#include "packs.h"
#include "vault.h"

/* What the last commit was; the row of table state, and the fields of a commit record. Guarded by db.lock. */
struct commit_state {
	uint64_t commit;		/* number of the last durable commit; changes now belong to commit + 1 */
	struct place record;		/* where its commit record starts */
	struct place end;		/* the place behind it */
	uint64_t checksum;		/* its header's XXH3 */
	uint64_t next_id;		/* the counter for inodes, manifests, cookies and tags */
	uint64_t next_chunk_id;
	uint64_t picture_commit;	/* the newest whole picture shows this commit; 0 = none */
	struct place picture;		/* its first RECORD_PICTURE */
	uint64_t journal_bytes;		/* raw bytes of changesets since that picture */
};

struct vault {
	/* never change after vault_open() */
	char *path;
	int dir_fd, packs_fd, lock_fd;
	bool shared;			/* opened beside the writer */
	bool at_odds;			/* vault.db and packs are not as a crash leaves them: nothing may be cut or appended */
	uint8_t uuid[16];
	struct chunker_params chunking;
	uint64_t pack_size;
	struct packs *packs;		/* has its own locks */
	struct live_table *live;	/* live.h */
	struct workers *workers;	/* workers.h */
	struct chunk_cache *cache;	/* cache.h */
	struct chunk_index *chunk_index;	/* chunks.h */
	struct committer *committer;	/* commit.h */
	struct changes *changes;	/* changes.h */
	struct tag_graph *tags;		/* tag_graph.h */
	struct aside *aside;		/* aside.h */
	struct listings *listings;	/* listing.h */
	struct readers *readers;	/* readers.h */
	struct search *search;		/* search.h */
	struct background *background;	/* background.h; NULL while the vault is opened and closed */

	pthread_mutex_t changed_lock;	/* held while the next is called, so that whoever unsets it knows it has ended; a leaf */
	void (*changed)(void *context, uint64_t id);	/* vault_on_content_changed() */
	void *changed_context;

	_Atomic uint64_t activity;	/* vault_activity(); orders nothing */
	_Atomic bool read_only;		/* only ever becomes true */
	_Atomic bool changes_lost;	/* read-only, and rows are as they were at an earlier moment; only ever becomes true */
	_Atomic bool scarce;		/* the disk below has little room left: commits are small, and looked after more closely */
	_Atomic bool privileged_xattrs;	/* an xattr outside user.* was ever set; only ever becomes true */
	_Atomic bool acls;		/* the same of access control lists, which are not counted above */

	struct db db;			/* holds the metadata lock, which also guards: */
	struct commit_state state;
	struct given_up *given_up;	/* given_up.h; NULL: no name was given up yet */
	uint64_t picture_size;		/* raw bytes of the newest picture */
};

/* A new id, never given out again, for an inode, a manifest, a cookie or a tag; for a chunk. The metadata lock is held. */
static inline uint64_t vault_new_id_locked(struct vault *vault)
{
	return vault->state.next_id++;
}

static inline uint64_t vault_new_chunk_id_locked(struct vault *vault)
{
	return vault->state.next_chunk_id++;
}

/* Something was asked of the vault. */
static inline void vault_note_activity(struct vault *vault)
{
	atomic_fetch_add_explicit(&vault->activity, 1, memory_order_relaxed);	/* a count for who looks now and then */
}

/* "VAULT/NAME", malloc'ed; NULL without memory (logged). */
char *vault_path_in(const struct vault *vault, const char *name);

/* Nanoseconds since 1970, now; and of CLOCK_MONOTONIC, for how long ago something was. */
int64_t clock_now_ns(void);
int64_t clock_monotonic_ns(void);

#endif
