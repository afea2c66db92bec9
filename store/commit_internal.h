/* commit_internal.h - the committer's state, as gate.c, commit.c and committer.c share it. */
#ifndef VAULTFS_COMMIT_INTERNAL_H
#define VAULTFS_COMMIT_INTERNAL_H

#include "commit.h"
#include "journal.h"

struct waiter {
	struct waiter *next;
	void (*done)(void *context, int result);
	void *context;
};

struct committer {
	struct vault *vault;
	int64_t interval_ns;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock;		/* a leaf; guards all down to the blank line */
	pthread_cond_t wake;		/* the thread has something to look at */
	pthread_cond_t opened;		/* the gate opened, or there is room */
	pthread_cond_t idle;		/* no change is active; no commit is running */
	unsigned n_active;		/* changes between begin and end */
	bool closed;			/* the gate */
	bool running;			/* somebody makes a commit */
	bool asleep;			/* the thread waits without a time limit */
	bool stopping;
	bool wanted;			/* the volume asks for a commit */
	int64_t retry_ns;		/* the last one failed: only who waits for one gets another before this */
	int64_t first_change_ns;	/* of the changes since the last gate; 0 = none. CLOCK_MONOTONIC */
	bool noted;			/* commit_noted() came while the gate was closed: for the next commit */
	struct waiter *waiters, **waiters_end;
	void (*ready)(void *context);
	void *ready_context;

	_Atomic bool refused;		/* somebody waits for ready(); set under lock, read without */
	_Atomic int failure;		/* negative errno of the last commit; 0 it succeeded */
	_Atomic uint64_t wal_size;
	_Atomic int64_t last_ns;

	struct journal *journal;	/* guarded by the metadata lock, as the rest */
	bool transaction;		/* one is open */
	bool sealed;			/* its journal is written: nobody may change a row till the COMMIT */
	pthread_cond_t unsealed;
	sqlite3_int64 rows_before;	/* sqlite3_total_changes64() when it began */
	unsigned n_locks;		/* counts calls of commit_lock(), for what is looked at now and then */
};

/* gate.c: keep new changes out and wait for those that run; *ret_waiters are who asked for a commit before this moment. */
void gate_close(struct committer *committer, struct waiter **ret_waiters);

/* `committed`: what had changed is durable. */
void gate_open(struct committer *committer, bool committed);

/* commit.c: drain, write and flush a commit, with the gate closed.  Errors as vault_sync(). */
int commit_behind_gate(struct vault *vault);

/* Drain and flush while changes still go on, so that little is left for the time when the gate is closed. */
void commit_prepare(struct vault *vault);

#endif
