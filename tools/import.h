/* import.h - a directory tree straight into a vault that this process holds. */
#ifndef VAULTFS_TOOLS_IMPORT_H
#define VAULTFS_TOOLS_IMPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress;
struct vault;

/* What an import met, as far as it came: regular files of the source, and their sizes. */
struct import_totals {
	atomic_uint_fast64_t n_files, n_bytes; /* counters; they order nothing */
};

/* Who has to hear of names that changed: the driver of a vault that is mounted. Called with no change under way. */
struct import_witness {
	void *context;
	/* Directory `parent` names something else as `name`, or nothing. */
	void (*name_changed)(void *context, uint64_t parent, const char *name);
	/* Inode `id` lost its last name; whoever sees it purges it when nobody uses it any more. */
	void (*name_lost)(void *context, uint64_t id);
	/* Does the directory `path` lie in the mount? It is left out: it would be imported into itself. */
	bool (*holds)(void *context, const char *path);
};

struct import_options {
	const char *into;     /* path in the vault the directory becomes; NULL = its own name, at the top */
	uint64_t into_id;     /* the directory that `into` starts from; 0 = the top */
	bool update;          /* what is there already is brought up to date */
	bool one_file_system; /* mount points below become empty directories */
	bool shallow;         /* directories that are there already are not looked into; with update */
	bool metadata_only;   /* files are holes of their size */
	uint64_t device_id, location_id;      /* where files say that they came from; 0 = nothing is said */
	struct progress *progress;            /* may be NULL */
	struct import_totals *totals;         /* may be NULL */
	const struct import_witness *witness; /* NULL: the vault is not mounted */
	const atomic_bool *cancelled;         /* may be NULL: once true it ends soon, with -ECANCELED */
};

/* Import the directory `source`, and commit. Files are filled by a few threads; names appear in sorted order. With
 * `update` a file that replaces one takes its name when it is whole, and takes over what was known of the old one.
 *   *ret_n_failed  files and directories that could not be read, each logged; the rest was imported.
 *   Errors         of the vault; logged. What was imported before stays. */
int import_tree(struct vault *vault, const char *source, const struct import_options *options,
		uint64_t *ret_n_failed);

/* The directory `path` of the vault, made with those above where they are missing: its inode. Logged. */
int import_place(struct vault *vault, const char *path, uint64_t *ret_id);

#endif
