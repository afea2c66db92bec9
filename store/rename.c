/* rename.c - rename(2) and renameat2(2). See vault.h.
 *
 * A fixed number of rows whatever is moved: what lies below a directory stays where it is. Entries are not updated but
 * deleted and inserted under new cookies (entries.c says why), so a renamed entry is the newest of its directory. */
#include "vault.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "attributes.h"
#include "commit.h"
#include "directories.h"
#include "entries.h"
#include "given_up.h"
#include "namespace.h"

struct rename {
	struct entry from;
	struct entry to; /* what has the new name already */
	bool to_exists;
	struct inode directories[2]; /* the old and the new parent; one that is both stands first */
	struct inode *new_directory; /* one of them */
	const char *old_name, *new_name;
	unsigned flags;
};

/* Is `id` the directory `ancestor`, or does it lie below? Any depth; Brent's cycle finding ends the walk in a tree
 * that was forged.  -EBADMSG a cycle (logged). */
static int directory_is_within_locked(struct vault *vault, uint64_t id, uint64_t ancestor)
{
	uint64_t mark = 0, steps = 0, until = 1;

	while (id != ancestor && id != VAULT_ROOT_ID) {
		int r = entry_of_locked(vault, id, &id, NULL);

		if (r < 0)
			return r == -ENOENT ? 0 : r; /* it was removed: it lies nowhere */
		if (id == mark)
			return log_err(-EBADMSG, "%s: directory %" PRIu64 " lies within itself", vault->path,
				       id);
		if (++steps == until) {
			mark = id;
			until *= 2;
		}
	}
	return id == ancestor;
}

static bool is_directory(const struct entry *entry)
{
	return S_ISDIR(entry->inode.attr.mode);
}

/* -EINVAL if a directory would come to lie within itself. */
static int check_ancestors(struct vault *vault, const struct rename *rename)
{
	uint64_t old_parent = rename->from.directory_id;
	uint64_t new_parent = rename->new_directory->attr.id;
	int r = 0;

	if (old_parent == new_parent)
		return 0; /* neither name can denote what holds both */
	if (is_directory(&rename->from))
		r = directory_is_within_locked(vault, new_parent, rename->from.inode.attr.id);
	if (r == 0 && (rename->flags & VAULT_RENAME_EXCHANGE) && is_directory(&rename->to))
		r = directory_is_within_locked(vault, old_parent, rename->to.inode.attr.id);
	return r > 0 ? -EINVAL : r;
}

/* May `to` be replaced by `from`? */
static int check_replaced(struct vault *vault, const struct rename *rename)
{
	int r;

	if (!is_directory(&rename->to))
		return is_directory(&rename->from) ? -ENOTDIR : 0;
	if (!is_directory(&rename->from))
		return -EISDIR;
	r = entry_has_any_locked(vault, rename->to.inode.attr.id);
	return r > 0 ? -ENOTEMPTY : r;
}

/* Read all that takes part and decide.  1 go on; 0 nothing to do: both names are the same inode's; negative errno. */
static int prepare(struct vault *vault, uint64_t old_parent, uint64_t new_parent, struct rename *rename)
{
	int r = entry_find_locked(vault, old_parent, rename->old_name, &rename->from);

	if (r == 0)
		r = directory_get_locked(vault, old_parent, &rename->directories[0]);
	if (r == 0 && new_parent != old_parent)
		r = directory_get_locked(vault, new_parent, &rename->directories[1]);
	if (r < 0)
		return r;
	rename->new_directory = &rename->directories[new_parent == old_parent ? 0 : 1];
	r = entry_find_locked(vault, new_parent, rename->new_name, &rename->to);
	if (r < 0 && r != -ENOENT)
		return r;
	rename->to_exists = r == 0;
	if (rename->to_exists && (rename->flags & VAULT_RENAME_NOREPLACE))
		return -EEXIST;
	if (!rename->to_exists && (rename->flags & VAULT_RENAME_EXCHANGE))
		return -ENOENT;
	r = check_ancestors(vault, rename);
	if (r < 0)
		return r;
	if (!rename->to_exists)
		return 1;
	if (rename->from.inode.attr.id == rename->to.inode.attr.id)
		return 0;
	if (!(rename->flags & VAULT_RENAME_EXCHANGE))
		r = check_replaced(vault, rename);
	return r < 0 ? r : 1;
}

/* Entry `from` becomes `name` in `directory`. */
static int entry_move_locked(struct vault *vault, struct entry *from, const struct inode *directory,
			     const char *name, int64_t now)
{
	int r = entry_insert_locked(vault, directory->attr.id, name, from->inode.attr.id);

	if (r < 0)
		return r;
	from->inode.attr.ctime_ns = now;
	r = inode_put_locked(vault, &from->inode.attr);
	if (r == 0 && is_directory(from))
		r = directories_move_locked(vault, from->inode.attr.id);
	return r;
}

static int parents_changed_locked(struct vault *vault, struct rename *rename, int64_t now)
{
	bool exchange = rename->flags & VAULT_RENAME_EXCHANGE;
	int arrives = is_directory(&rename->from) ? 1 : 0;
	int goes = rename->to_exists && is_directory(&rename->to) ? 1 : 0; /* from the new parent */
	int r;

	if (rename->new_directory == &rename->directories[0])
		return directory_changed_locked(vault, &rename->directories[0], now, exchange ? 0 : -goes);
	r = directory_changed_locked(vault, &rename->directories[0], now, (exchange ? goes : 0) - arrives);
	if (r == 0)
		r = directory_changed_locked(vault, rename->new_directory, now, arrives - goes);
	return r;
}

/* A file that replaces a file and has nothing of its own is most likely the same document, saved by a program that writes it
 * anew each time. */
static int inherit_locked(struct vault *vault, const struct rename *rename)
{
	uint64_t id = rename->from.inode.attr.id;
	uint64_t old_parent = rename->from.directory_id, new_parent = rename->new_directory->attr.id;
	int r;

	if (!(rename->flags & VAULT_RENAME_INHERIT) || (rename->flags & VAULT_RENAME_EXCHANGE) ||
	    !S_ISREG(rename->from.inode.attr.mode))
		return 0;
	r = attributes_inherit_by_name_locked(vault, new_parent, rename->new_name, id);
	if (r == 0 && rename->to_exists && S_ISREG(rename->to.inode.attr.mode))
		r = attributes_inherit_locked(vault, rename->to.inode.attr.id, id);
	if (r == 0 && old_parent == new_parent)
		given_up_note_locked(vault, old_parent, rename->old_name, rename->new_name, id);
	return r;
}

static int apply_locked(struct vault *vault, struct rename *rename)
{
	bool exchange = rename->flags & VAULT_RENAME_EXCHANGE;
	int64_t now = clock_now_ns();
	int r = entry_delete_locked(vault, &rename->from);

	if (r == 0 && rename->to_exists)
		r = entry_delete_locked(vault, &rename->to);
	if (r == 0 && rename->to_exists && !exchange) {
		r = inode_lose_name_locked(vault, &rename->to.inode, now);
		if (r == 0 && is_directory(&rename->to))
			r = directories_remove_locked(vault, rename->to.inode.attr.id);
	}
	if (r == 0)
		r = entry_move_locked(vault, &rename->from, rename->new_directory, rename->new_name, now);
	if (r == 0)
		r = inherit_locked(vault, rename);
	if (r == 0 && exchange)
		r = entry_move_locked(vault, &rename->to, &rename->directories[0], rename->old_name, now);
	if (r == 0)
		r = parents_changed_locked(vault, rename, now);
	return r;
}

int vault_rename(struct vault *vault, uint64_t old_parent, const char *old_name, uint64_t new_parent,
		 const char *new_name, unsigned flags, struct vault_attr *ret_replaced)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	AUTO(savepoint) struct savepoint all = { 0 };
	struct rename rename = { .old_name = old_name, .new_name = new_name, .flags = flags };
	const unsigned both = VAULT_RENAME_NOREPLACE | VAULT_RENAME_EXCHANGE;
	bool replaces;
	int r;

	if (flags & ~(both | VAULT_RENAME_INHERIT) || (flags & both) == both)
		return -EINVAL;
	r = entry_name_check(old_name);
	if (r == 0)
		r = entry_name_check(new_name);
	if (r == 0)
		r = commit_lock(vault, &held);
	if (r == 0)
		r = prepare(vault, old_parent, new_parent, &rename);
	if (r < 0)
		return r;
	replaces = r == 1 && rename.to_exists && !(flags & VAULT_RENAME_EXCHANGE);
	if (r == 1) {
		r = savepoint_begin(&vault->db, &all);
		if (r == 0)
			r = apply_locked(vault, &rename);
		if (r == 0)
			r = savepoint_commit(&all);
		if (r < 0)
			return r;
	}
	if (ret_replaced)
		*ret_replaced = replaces ? rename.to.inode.attr : (struct vault_attr){ 0 };
	return 0;
}
