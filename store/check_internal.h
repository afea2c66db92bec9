/* check_internal.h - what the files behind vault_check() share; nobody else includes it.
 *
 * check.c          the whole: opening, one snapshot, what is found, which files are hit
 * check_packs.c    every record of every pack, on the workers
 * check_chain.c    commits, their journals, the newest picture: what the records say in their order
 * check_chunks.c   rows of chunks, extents and packs, and what they say of each other
 * check_tables.c   all other rows: inodes, names, what hangs on inodes
 * check_deep.c     the database against one that is built anew
 *
 * One thread runs it, with the metadata lock held throughout: nobody else uses this vault. */
#ifndef VAULTFS_CHECK_INTERNAL_H
#define VAULTFS_CHECK_INTERNAL_H

#include "picture.h"
#include "vault_internal.h"

#define CHECK_DAMAGED_MAX 65536u /* damaged chunks whose files are looked for */

/* What is known of a pack by its number. */
struct check_pack {
	uint64_t number;
	bool file;                                /* there is one */
	bool going;                               /* its chunk rows are gone, the file goes next */
	uint64_t row_live_bytes, row_last_commit; /* what its row says; 0 without one */
	uint64_t n_matched;                       /* chunk records that a row points at */
	uint64_t n_rows;                          /* rows that point into it */
	uint64_t live_bytes;                      /* of rows with references */
	uint64_t last_commit; /* the last one that a replay from the newest picture needs it for; 0: none */
};

struct check {
	struct vault *vault;
	const struct vault_check_options *options;
	struct vault_check_counts *counts;
	struct commit_state state; /* what the snapshot shows */
	struct picture picture;    /* the newest; n_chunks 0: none, or it cannot be read */
	struct check_pack *packs;  /* ascending */
	size_t n_packs, packs_room;
	uint64_t *damaged; /* ids of chunks that cannot be read; check_files_hit() sorts them */
	size_t n_damaged;
	uint64_t total_bytes; /* of packs, to read */
};

#define NOWHERE ((struct place){ 0, 0 })

/* Tell a finding. `inode` 0: none; its path is looked up. */
void check_found(struct check *check, const char *kind, struct place place, uint64_t inode,
		 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The pack of this number, made known if it was not.  NULL: no memory (logged). */
struct check_pack *check_pack_of(struct check *check, uint64_t number);

/* A chunk in use cannot be read: the files that need it are named at the end. */
void check_damaged_add(struct check *check, uint64_t chunk);

/* Order of ids, or of what begins with one, for qsort(3) and bsearch(3). */
int check_compare_ids(const void *a, const void *b);

/* A statement of the check's own: they run once, over whole tables. Finalize it: AUTO(statement). -EBADMSG and others, logged. */
int check_prepare(struct check *check, const char *sql, sqlite3_stmt **ret);

/* ---- the parts; 0 or a negative errno that ends the check ---- */

int check_packs(struct check *check);
int check_chunks(struct check *check);
int check_lost_records(struct check *check); /* behind the two before: rows whose records were not met */
int check_tables(struct check *check);
int check_files_hit(struct check *check); /* at last: what the damaged chunks mean */
int check_deep(struct check *check);

/* ---- check_chain.c ---- */

/* Where one is in the chain of commits while records come by in their order. */
struct check_chain {
	struct commit_state last; /* the last commit record met; commit 0: none yet */
	uint32_t n_parts;         /* of the journal of the next one, so far */
	uint64_t journal_size;    /* their raw bytes */
	bool broken;              /* parts are missing, or their order is wrong */
	struct place from;        /* all records from here on were seen */
	bool reached;             /* the commit that the snapshot shows was met */
};

void check_chain_init(struct check_chain *chain, struct place from);

/* The next record but for chunks; `bytes` are a commit record's stored bytes, NULL if they are damaged. */
int check_chain_record(struct check *check, struct check_chain *chain, const struct packs_item *item,
		       const uint8_t *bytes);

/* Records were lost before `place`, or packs are missing there. */
void check_chain_break(struct check_chain *chain, struct place place);

/* All packs were read. */
void check_chain_end(struct check *check, const struct check_chain *chain);

#endif
