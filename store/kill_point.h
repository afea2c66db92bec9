/* kill_point.h - named places at which a test has the process killed, to see what the next open makes of it.
 *
 * Nothing of this is in a normal build: KILL_POINT() is empty unless VAULTFS_KILL_POINTS is defined (CMake option of that
 * name; the tests build a command of their own with it). There the environment says VAULTFS_KILL=NAME:COUNT, and the
 * process raises SIGKILL on itself when it passes NAME the COUNTth time; before that it makes the empty file that
 * VAULTFS_KILL_MARK names, if it does. All names stand here, and tests/crash/kill_points.sh walks all of them. */
#ifndef VAULTFS_KILL_POINT_H
#define VAULTFS_KILL_POINT_H

#define KILL_POINTS(POINT)                                                                         \
	/* packs */                                                                                \
	POINT(pack_create)		/* before the file of a new pack is made */                \
	POINT(pack_named)		/* the file is there, without a header */                  \
	POINT(pack_created)		/* with one */                                             \
	POINT(pack_write)		/* before a record is written */                           \
	POINT(pack_written)                                                                        \
	POINT(pack_sync)		/* before fdatasync of a pack */                           \
	POINT(pack_synced)                                                                         \
	POINT(directory_sync)		/* before fsync of packs/ */                               \
	POINT(directory_synced)                                                                    \
	POINT(seal)			/* a full pack, before its index */                        \
	POINT(seal_indexed)		/* its index is there, its seal is not */                  \
	POINT(sealed)                                                                              \
	POINT(pack_unlink)		/* before a pack file is unlinked */                       \
	POINT(pack_unlinked)                                                                       \
	/* a commit */                                                                             \
	POINT(commit)			/* all is drained, nothing of the commit is written */     \
	POINT(commit_journalled)	/* its journal is written, its commit record is not */     \
	POINT(commit_recorded)		/* that one too; nothing is synced */                      \
	POINT(database_commit)		/* the packs are synced, SQLite has not committed */       \
	POINT(database_committed)                                                                  \
	POINT(checkpoint)                                                                          \
	POINT(checkpointed)                                                                        \
	POINT(close)			/* a clean end: before SQLite closes, which empties its log */ \
	POINT(closed)                                                                              \
	/* what the janitor does */                                                                \
	POINT(picture)			/* before the first chunk of a picture */                  \
	POINT(picture_stored)		/* all its chunks are stored, nothing names them */        \
	POINT(picture_listed)		/* its list is in the packs, no commit has it */           \
	POINT(pictured)                                                                            \
	POINT(going)			/* chunk rows of dead packs are gone, nothing is committed */ \
	POINT(going_committed)		/* the packs are marked; no checkpoint yet */              \
	POINT(going_checkpointed)	/* before the first of them is unlinked */                 \
	/* search.db */                                                                            \
	POINT(search_commit)		/* a slice is worked out, SQLite has not committed it */   \
	POINT(search_committed)		/* it has; vault.db's queue still has its rows */          \
	POINT(search_concluded)		/* they are gone from it, no commit is made */             \
	/* recovery */                                                                             \
	POINT(recover)			/* the tail was looked at, nothing is changed */           \
	POINT(replay)			/* before a commit's journal is applied */                 \
	POINT(replay_commit)		/* before SQLite commits what was replayed */              \
	POINT(replayed)                                                                            \
	POINT(cut)			/* before what stands behind the end is cut off */         \
	POINT(cut_done)                                                                            \
	POINT(recent_synced)		/* what was left in memory is on disk, no commit is made */ \
	/* building the database anew */                                                           \
	POINT(rebuild)			/* nothing of the new database is there */                 \
	POINT(rebuild_chunks)		/* it has the rows of chunks, not of files */              \
	POINT(rebuilt)			/* it is complete beside the old one */                    \
	POINT(rebuild_rename)		/* the old one is gone, the new one not in its place */    \
	POINT(rebuild_renamed)                                                                     \
	/* the reserve */                                                                          \
	POINT(reserve_make)		/* before its space is allocated */                        \
	POINT(reserve_made)                                                                        \
	POINT(reserve_give_up)                                                                     \
	POINT(reserve_given_up)

#ifdef VAULTFS_KILL_POINTS
#define KILL_POINT_ID(name) KILL_POINT_##name,
enum kill_point { KILL_POINTS(KILL_POINT_ID) N_KILL_POINTS };

/* Count a passing; does not return from the one that the environment names. */
void kill_point_pass(enum kill_point point);

#define KILL_POINT(name) kill_point_pass(KILL_POINT_##name)
#else
#define KILL_POINT(name) ((void)0)
#endif

#endif
