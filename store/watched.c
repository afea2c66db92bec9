/* watched.c - what was watched or listened to. See library.h; the value itself is assets.c's. */
#include "library.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "assets.h"
#include "commit.h"
#include "content.h"
#include "inodes.h"
#include "kind.h"

static bool is_watchable_locked(struct vault *vault, uint64_t id)
{
	char text[16] = "";
	struct value value = { text, sizeof(text) - 1, 0 };
	enum kind kind;

	if (content_get_locked(vault, id, FINDING_KIND, &value) < 0)
		return false;
	kind = kind_find(text);
	return kind == KIND_VIDEO || kind == KIND_AUDIO;
}

uint64_t vault_watchable_size(struct vault *vault, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode inode;

	if (!is_watchable_locked(vault, id) || inode_get_locked(vault, id, &inode) < 0)
		return 0;
	return S_ISREG(inode.attr.mode) ? inode.attr.size : 0;
}

int vault_was_watched(struct vault *vault, uint64_t id)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	struct inode inode;
	char seconds[24];
	int n = snprintf(seconds, sizeof(seconds), "%lld", (long long)(clock_now_ns() / 1000000000));
	int r = commit_lock(vault, &held);

	if (r == 0)
		r = inode_get_locked(vault, id, &inode);
	return r < 0 ? r : asset_put_locked(vault, id, ASSET_SEEN, seconds, (size_t)n);
}
