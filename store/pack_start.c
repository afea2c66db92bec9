/* pack_start.c - beginning to write: cut off what stands behind the end, and make the rest durable. See packs.h.
 *
 * Does what it is told: whether cutting is right was decided above, from the chain of commits. */
#include "packs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "kill_point.h"
#include "log.h"

#define RECENT_BYTES (512u << 20) /* more than a commit writes: older packs were synced before */

/* All that is known is that older packs were synced. */
int packs_sync_recent(struct packs *packs)
{
	for (uint64_t number = packs_recent(packs, RECENT_BYTES); number != 0;
	     number = packs_next(packs, number)) {
		AUTO(pack) struct pack *pack = NULL;
		int r = pack_get(packs, number, &pack);

		if (r < 0)
			return r;
		if (fsync(pack->fd) < 0)
			return pack_flush_failed(packs, -errno, number);
	}
	atomic_store(&packs->directory_unsynced, false);
	return fsync(packs->dir_fd) < 0 ? pack_flush_failed(packs, -errno, 0) : 0;
}

/* Unlink the packs behind `number`, the last one first, so that a crash leaves no gap. */
static int remove_behind(struct packs *packs, uint64_t number)
{
	uint64_t last;
	int r;

	/* Look at all headers before the first one goes: a pack of another vault may be the only copy there is. */
	for (last = packs_next(packs, number); last != 0; last = packs_next(packs, last)) {
		AUTO(pack) struct pack *pack = NULL;

		r = pack_get_checked(packs, last, &pack);
		if (r < 0)
			return r;
	}
	while ((last = packs_last(packs)) > number) {
		r = pack_remove(packs, last);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Give a pack that was opened for reading a descriptor that can write. */
static int make_writable(struct packs *packs, struct pack *pack)
{
	char name[PACK_NAME_SIZE];
	AUTO(fd) int fd = -1;

	pack_file_name(pack->number, name);
	fd = openat(packs->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	/* In one step, so that readers who hold the pack never see it closed. */
	if (fd < 0 || dup3(fd, pack->fd, O_CLOEXEC) < 0)
		return pack_failed(packs, pack->number, -errno, "open it for writing");
	return 0;
}

static int cut_pack(struct packs *packs, struct pack *pack, uint64_t offset)
{
	uint64_t size = 0;
	int r = pack_scan_size_locked(pack, &size);

	if (r < 0)
		return r;
	if (offset < PACK_HEADER_SIZE || (offset > size && offset != PACK_HEADER_SIZE))
		return log_err(-EINVAL,
			       "%s: pack %" PRIu64 " cannot be cut at %" PRIu64 ": it has %" PRIu64 " bytes",
			       packs->name, pack->number, offset, size);
	KILL_POINT(cut);
	r = remove_behind(packs, pack->number);
	if (r == 0)
		r = make_writable(packs, pack);
	if (r == 0 && size != offset && ftruncate(pack->fd, (off_t)offset) < 0)
		r = pack_failed(packs, pack->number, -errno, "cut it");
	if (r < 0)
		return r;
	KILL_POINT(cut_done);
	atomic_store(&pack->size, offset);
	return pack_header_repair(packs, pack, pack->fd);
}

static int start_at(struct packs *packs, struct place end)
{
	AUTO(pack) struct pack *pack = NULL;
	int r = pack_get_checked(packs, end.pack, &pack);

	if (r == -ENOENT)
		return log_err(-ENOENT, "%s: pack %" PRIu64 ", to be appended to, does not exist",
			       packs->name, end.pack);
	if (r == 0)
		r = cut_pack(packs, pack, end.offset);
	if (r == 0)
		r = packs_sync_recent(packs);
	KILL_POINT(recent_synced);
	if (r == 0)
		r = pack_is_sealed(pack, end.offset);
	if (r < 0)
		return r;
	pack_go_to(packs, TAKE(pack), end.offset, end.offset);
	packs->sealed = r > 0;
	return 0;
}

static int start_first(struct packs *packs)
{
	struct pack *pack = NULL;
	int r;

	if (packs_last(packs) != 0)
		return log_err(-EINVAL, "%s: there are packs already", packs->name);
	r = pack_create(packs, 1, 0, &pack);
	if (r == -ENOSPC || r == -EDQUOT)
		return pack_failed(packs, 1, r, "create it");
	if (r < 0)
		return r;
	pack_go_to(packs, pack, PACK_HEADER_SIZE, PACK_HEADER_SIZE);
	pack_mark_unsynced(packs, pack);
	return 0;
}

int packs_start_writing(struct packs *packs, struct place end)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->write_lock);
	int r;

	if (packs->options.read_only)
		return -EROFS;
	if (packs->current)
		return log_err(-EINVAL, "%s: already in writing", packs->name);
	atomic_store(&packs->room, -(int64_t)PACK_MARGIN);
	r = end.pack == 0 ? start_first(packs) : start_at(packs, end);
	return r < 0 ? r : 0;
}
