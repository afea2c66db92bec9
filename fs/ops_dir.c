/* ops_dir.c - listing directories.
 *
 * "." and ".." are ours, with cookies 1 and 2; those of the entries come from the vault and stay the same while the entry
 * exists, so a listing can go on behind any of them. A directory has no handle: the kernel keeps what it lists until a
 * name changes. */
#include "ops.h"

#include <errno.h>
#include <sys/stat.h>

#include "reply.h"
#include "views.h"

#define COOKIE_SELF 1
#define COOKIE_PARENT 2

struct listing {
	fuse_req_t req;
	const struct fs *fs;
	uint64_t id;
	char *buffer;
	size_t size, used;
	bool plus;	/* READDIRPLUS: attributes too */
};

/* With the kernel's NO_OPENDIR_SUPPORT, ENOSYS means: never ask again, and cache directories. */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fs *fs = fuse_req_userdata(req);

	(void)ino;
	if (fs->no_opendir) {
		reply_failure(req, -ENOSYS);
		return;
	}
	fi->keep_cache = 1;	/* cache_readdir alone would drop the pages here */
	fi->cache_readdir = 1;
	(void)fuse_reply_open(req, fi);	/* there is no handle to give back */
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	reply_done(req, 0);
}

/* Add an entry; 1 if there is no room for it. */
static int listing_put(struct listing *listing, const char *name, const struct fuse_entry_param *entry, uint64_t cookie)
{
	char *at = listing->buffer + listing->used;
	size_t room = listing->size - listing->used;
	size_t n;

	if (listing->plus)
		n = fuse_add_direntry_plus(listing->req, at, room, name, entry, (off_t)cookie);
	else
		n = fuse_add_direntry(listing->req, at, room, name, &entry->attr, (off_t)cookie);
	if (n > room)
		return 1;
	listing->used += n;
	return 0;
}

static int listing_emit(void *context, const struct vault_entry *stored)
{
	struct listing *listing = context;
	struct fuse_entry_param entry;

	if (views_is_name(listing->fs, listing->id, stored->name))	/* of an older vaultfs: the views stand before it */
		return 0;
	reply_fill_entry(listing->fs, &stored->attr, &entry);
	return listing_put(listing, stored->name, &entry, stored->cookie);
}

/* ".", ".." or the views: a node id of 0 tells the kernel that these are no look-ups. */
static int listing_put_dots(struct listing *listing, const char *name, uint64_t id, uint64_t cookie)
{
	struct fuse_entry_param entry = { .ino = 0, .attr = { .st_ino = id, .st_mode = S_IFDIR } };

	return listing_put(listing, name, &entry, cookie);
}

static bool shows_views(const struct fs *fs)
{
	return fs->views && fs->options->views == FS_VIEWS_SHOWN;
}

static int listing_fill(struct listing *listing, uint64_t id, uint64_t cookie)
{
	struct vault *vault = listing->fs->vault;

	if (cookie < COOKIE_SELF && listing_put_dots(listing, ".", id, COOKIE_SELF))
		return 0;
	if (cookie < COOKIE_PARENT) {
		uint64_t parent = id;
		int r = vault_parent(vault, id, &parent);

		if (r < 0 && r != -ENOENT)	/* a removed directory lists as empty */
			return r;
		if (listing_put_dots(listing, "..", parent, COOKIE_PARENT))
			return 0;
	}
	if (id == VAULT_ROOT_ID && cookie < VIEWS_COOKIE && shows_views(listing->fs) &&
	    listing_put_dots(listing, VIEWS_NAME, VIEW_TOP_ID, VIEWS_COOKIE))
		return 0;
	return vault_readdir(vault, id, cookie < VAULT_FIRST_COOKIE ? 0 : cookie, listing->plus, listing_emit, listing);
}

static void list_and_reply(fuse_req_t req, uint64_t id, size_t size, off_t offset, bool plus)
{
	struct listing listing = {
		.req = req,
		.fs = fuse_req_userdata(req),
		.id = id,
		.buffer = worker_self()->reply,
		.size = size < FS_BUFFER_SIZE ? size : FS_BUFFER_SIZE,
		.plus = plus,
	};
	int r = offset < 0 ? -EINVAL : listing_fill(&listing, id, (uint64_t)offset);

	if (r < 0) {
		reply_failure(req, r);
		return;
	}
	if (offset == 0 && !listing.fs->options->noatime && !listing.fs->options->nodiratime)
		vault_was_read(listing.fs->vault, id);
	(void)fuse_reply_buf(req, listing.buffer, listing.used);	/* look-ups are not counted */
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	if (views_is(ino))
		views_readdir(req, ino, size, offset, false);
	else
		list_and_reply(req, ino, size, offset, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	if (views_is(ino))
		views_readdir(req, ino, size, offset, true);
	else
		list_and_reply(req, ino, size, offset, true);
}
