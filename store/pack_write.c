/* pack_write.c - appending, keeping room, syncing. See packs.h.
 *
 * Knows where the pack in writing ends and how much of the disk is promised. The rule that must hold: whatever was
 * promised by packs_reserve() lies in space that is allocated already, so its append cannot meet a full disk. Room is
 * counted in one number that readers of it may look at without a lock (packs_internal.h). */
#include "packs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#include "kill_point.h"
#include "log.h"

#define STEP_MIN (4u << 20)         /* bytes allocated ahead in vaults with small packs */
#define STEP_GRAIN (1u << 20)       /* bytes beyond what is needed, where no full step fits */
#define ESTIMATE_MARGIN (16u << 20) /* bytes of the disk left alone where preallocation is not supported */
#define WRITE_BACK_STEP (8u << 20)
#define SEAL_RETRY (4u << 20) /* bytes until sealing is tried again where it failed */
#define INDEX_ENTRY_SIZE 72u  /* see pack_seal.c */

/* ---- room ---- */

static uint64_t step_size(const struct packs *packs)
{
	uint64_t step = packs->options.pack_size;

	if (step < STEP_MIN)
		step = STEP_MIN;
	return step > PACK_PREALLOCATE ? PACK_PREALLOCATE : step;
}

/* Bytes that packs_reserve() has promised. Holds write_lock, so that only `room` moves, and only by promises. */
static uint64_t promised(struct packs *packs)
{
	int64_t ours = (int64_t)(packs->allocated - packs->position) - (int64_t)PACK_MARGIN;
	int64_t bytes = ours - atomic_load(&packs->room);

	return bytes > 0 ? (uint64_t)bytes : 0;
}

static int free_bytes(const struct packs *packs, uint64_t *ret)
{
	struct statvfs st;

	if (fstatvfs(packs->dir_fd, &st) < 0)
		return log_err(-errno, "%s: cannot ask the disk for its free space: ", packs->name);
	/* A disk that says it has no size at all does not know. */
	*ret = st.f_blocks == 0 ? UINT64_MAX / 2 : (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

/* Allocate [from, to) of a file, or see that the disk would have it. */
static int allocate(struct packs *packs, int fd, uint64_t from, uint64_t to)
{
	uint64_t available = 0;
	int r = 0;

	while (!packs->no_fallocate) {
		if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) == 0)
			return 0;
		r = -errno;
		if (r == -EINTR)
			continue;
		if (r != -EOPNOTSUPP)
			return r;
		packs->no_fallocate = true;
		log_warn("%s: this disk cannot preallocate; a full disk may surprise", packs->name);
	}
	r = free_bytes(packs, &available);
	if (r < 0)
		return r;
	return available >= to - packs->position + ESTIMATE_MARGIN ? 0 : -ENOSPC;
}

/* Up to where to allocate when `least` must be: a step ahead, but little beyond the size at which the pack is sealed, and
 * not the last of the disk, which the database needs too. */
static uint64_t extension(struct packs *packs, uint64_t least)
{
	uint64_t wanted = packs->position + step_size(packs);
	uint64_t soft_end = packs->options.pack_size + PACK_MARGIN;
	uint64_t available = 0;

	if (wanted > soft_end)
		wanted = soft_end;
	if (wanted < least + STEP_GRAIN)
		wanted = least + STEP_GRAIN;
	if (free_bytes(packs, &available) == 0 && wanted - packs->allocated > available / 4)
		wanted = packs->allocated + available / 4;
	return wanted < least ? least : wanted;
}

int pack_extend(struct packs *packs, uint64_t least)
{
	uint64_t wanted = extension(packs, least);

	for (;;) {
		int r = allocate(packs, packs->current->fd, packs->allocated, wanted);

		if (r == 0)
			break;
		if (r != -ENOSPC && r != -EDQUOT)
			return pack_failed(packs, packs->current->number, r, "allocate space for it");
		if (wanted == least)
			return r;
		wanted = wanted - least > STEP_GRAIN ? least + (wanted - least) / 2 : least;
	}
	atomic_fetch_add(&packs->room, (int64_t)(wanted - packs->allocated));
	packs->allocated = wanted;
	return 0;
}

static bool take_room(struct packs *packs, int64_t n_bytes)
{
	int64_t room = atomic_load_explicit(&packs->room, memory_order_relaxed);

	while (room >= n_bytes)
		if (atomic_compare_exchange_weak(&packs->room, &room, room - n_bytes))
			return true;
	return false;
}

uint64_t packs_worst_case(uint64_t raw_size, uint32_t smallest)
{
	uint64_t piece = smallest ? smallest : 1;
	uint64_t n_pieces = raw_size / piece + 2;
	uint64_t sums = (raw_size / CHECKSUM_BLOCK + n_pieces) * 8;
	uint64_t heads, total;

	if (__builtin_mul_overflow(n_pieces, (uint64_t)(RECORD_HEADER_SIZE + INDEX_ENTRY_SIZE), &heads) ||
	    __builtin_add_overflow(heads, sums, &heads) || __builtin_add_overflow(raw_size, heads, &total))
		return UINT64_MAX;
	return total;
}

/* ---- from one pack to the next ---- */

void pack_go_to(struct packs *packs, struct pack *next, uint64_t position, uint64_t allocated)
{
	int64_t before = (int64_t)(packs->allocated - packs->position);

	pack_unref(packs->current);
	packs->current = next;
	packs->position = position;
	packs->allocated = allocated;
	packs->sealed = false;
	packs->retry_at = 0;
	packs->flushed = position;
	atomic_fetch_add(&packs->room, (int64_t)(packs->allocated - packs->position) - before);
	pack_list_reset(packs);
}

void pack_mark_unsynced(struct packs *packs, struct pack *pack)
{
	if (pack->unsynced)
		return;
	pack->unsynced = true;
	pack->next_unsynced = NULL;
	*(packs->unsynced ? &packs->last_unsynced->next_unsynced : &packs->unsynced) = pack_ref(pack);
	packs->last_unsynced = pack;
}

/* Seal the pack in writing, if it is not sealed yet, and begin the next one.  -errno: all is as before; logged unless the
 * disk is just full. */
static int switch_pack(struct packs *packs)
{
	uint64_t needed = PACK_HEADER_SIZE + PACK_MARGIN + promised(packs);
	uint64_t number = packs->current->number + 1;
	uint64_t available = 0;
	struct pack *next = NULL;
	uint64_t wanted;
	int r = free_bytes(packs, &available);

	if (r < 0)
		return r;
	if (packs->no_fallocate && available < needed + ESTIMATE_MARGIN)
		return -ENOSPC;
	wanted = needed + step_size(packs) < available / 4 ? needed + step_size(packs) : needed;
	r = pack_create(packs, number, wanted, &next);
	if (r < 0)
		return r;
	if (!packs->sealed) {
		pack_mark_unsynced(packs, packs->current);
		r = pack_seal(packs);
	}
	if (r < 0) {
		(void)pack_remove(packs, number); /* logged; an empty pack behind does no harm */
		pack_unref(next);
		return r;
	}
	if (!packs->no_fallocate && ftruncate(packs->current->fd, (off_t)packs->position) < 0)
		(void)pack_failed(packs, packs->current->number, -errno, "give back its preallocated space");
	pack_go_to(packs, next, PACK_HEADER_SIZE, packs->no_fallocate ? needed : wanted);
	pack_mark_unsynced(packs, next);
	return 0;
}

static bool is_full(const struct packs *packs)
{
	return packs->position > PACK_HEADER_SIZE && (packs->position >= packs->options.pack_size ||
						      packs->list.n + packs->older.n >= PACK_RECORDS_MAX);
}

/* Go to the next pack if this one is full. Where that fails a pack that is not sealed just grows on. */
static int leave_full_pack(struct packs *packs)
{
	int r;

	if (!packs->sealed && (!is_full(packs) || packs->position < packs->retry_at))
		return 0;
	r = switch_pack(packs);
	if (r < 0 && !packs->sealed) {
		packs->retry_at = packs->position + SEAL_RETRY;
		return 0;
	}
	if (r == -ENOSPC || r == -EDQUOT)
		return pack_failed(packs, packs->current->number + 1, r, "start it");
	return r;
}

/* ---- reserving ---- */

int packs_reserve(struct packs *packs, uint64_t n_bytes)
{
	int64_t n = (int64_t)n_bytes;
	int64_t room;
	int r;

	if (n_bytes > INT64_MAX / 4)
		return -ENOSPC;
	if (atomic_load(&packs->failed))
		return -EIO;
	if (take_room(packs, n))
		return 0;

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->write_lock);

	if (!packs->current)
		return -EROFS;
	if (packs->sealed) {
		r = switch_pack(packs);
		if (r < 0)
			return r;
	}
	room = atomic_fetch_sub(&packs->room, n) - n;
	if (room >= 0)
		return 0;
	r = pack_extend(packs, packs->allocated + (uint64_t)-room);
	if (r < 0)
		atomic_fetch_add(&packs->room, n);
	return r;
}

void packs_unreserve(struct packs *packs, uint64_t n_bytes)
{
	atomic_fetch_add(&packs->room, (int64_t)n_bytes);
}

/* ---- appending ---- */

/* pwritev(2) until all is written. Changes `iov`. */
static int pwritev_all(int fd, struct iovec *iov, int n_iov, uint64_t offset)
{
	while (n_iov > 0) {
		ssize_t n = pwritev(fd, iov, n_iov, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		offset += (uint64_t)n;
		for (; n_iov > 0 && (size_t)n >= iov->iov_len; iov++, n_iov--)
			n -= (ssize_t)iov->iov_len;
		if (n_iov > 0) {
			iov->iov_base = (uint8_t *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* Everything that waits to be stored fails the same way, and again at each try: it is said of the first. */
static int append_failed(struct packs *packs, int r)
{
	if (packs->append_error == r)
		return r;
	packs->append_error = r;
	return pack_failed(packs, packs->current->number, r, "append to it");
}

int pack_put_record(struct packs *packs, uint64_t offset, const struct record *record, uint8_t *head,
		    const void *stored, uint64_t *ret_checksum)
{
	struct record_context context = pack_context(packs, packs->current->number, offset);
	struct iovec iov[2] = {
		{ head, record_head_size(record->stored_size) },
		{ (void *)stored, record->stored_size }, /* pwritev() does not write to it */
	};
	int r;

	record_encode_header(record, &context, head, ret_checksum);
	KILL_POINT(pack_write);
	r = pwritev_all(packs->current->fd, iov, 2, offset);
	KILL_POINT(pack_written);
	return r < 0 ? append_failed(packs, r) : 0;
}

void pack_cut_back(struct packs *packs)
{
	uint64_t allocated = packs->allocated;
	struct stat st;
	int r = 0;

	/* Mostly nothing at all was written. */
	if (fstat(packs->current->fd, &st) == 0 && st.st_size <= (off_t)packs->position)
		return;
	if (ftruncate(packs->current->fd, (off_t)packs->position) < 0) {
		/* The next append overwrites what stands there, and opening the vault cuts it. */
		(void)pack_failed(packs, packs->current->number, -errno, "cut back what was half written");
		return;
	}
	if (packs->no_fallocate || allocated <= packs->position)
		return;
	/* Truncating gave back the space of promises, too. */
	r = allocate(packs, packs->current->fd, packs->position, allocated);
	if (r < 0) {
		(void)pack_failed(packs, packs->current->number, r, "allocate its space anew");
		atomic_fetch_sub(&packs->room, (int64_t)(allocated - packs->position));
		packs->allocated = packs->position;
	}
}

/* See that `size` more bytes lie in allocated space. Chunks were promised theirs; other records may use the margin, but
 * not what is promised to chunks. */
static int have_space(struct packs *packs, uint64_t size, uint8_t type)
{
	int64_t room = atomic_load(&packs->room);
	int r;

	if (room >= (int64_t)size)
		return 0;
	r = pack_extend(packs, packs->allocated + size - (uint64_t)room);
	if (r != -ENOSPC && r != -EDQUOT)
		return r;
	if (type == RECORD_CHUNK && size <= packs->allocated - packs->position)
		return 0;
	if (type != RECORD_CHUNK && (int64_t)size <= room + (int64_t)PACK_MARGIN)
		return 0;
	return append_failed(packs, r);
}

/* A stretch whose write-back is to be started, once no lock is held. */
struct write_back {
	struct pack *pack; /* counted; NULL = nothing */
	uint64_t from, to;
};

static void plan_write_back(struct packs *packs, struct write_back *ret)
{
	if (packs->position - packs->flushed < WRITE_BACK_STEP)
		return;
	*ret = (struct write_back){ pack_ref(packs->current), packs->flushed, packs->position };
	packs->flushed = packs->position;
}

static void start_write_back(struct write_back *write_back)
{
	if (!write_back->pack)
		return;
	/* Only so that a sync finds less to do; its errors come out there. */
	(void)sync_file_range(write_back->pack->fd, (off_t)write_back->from,
			      (off_t)(write_back->to - write_back->from), SYNC_FILE_RANGE_WRITE);
	pack_unref(write_back->pack);
}

static int append_locked(struct packs *packs, const struct record *record, uint8_t *head, const void *stored,
			 struct place *ret_place, uint64_t *ret_checksum)
{
	uint64_t size = record_size(record->stored_size);
	int r = leave_full_pack(packs);

	if (r == 0)
		r = have_space(packs, size, record->type);
	if (r < 0)
		return r;
	pack_mark_unsynced(packs, packs->current);
	r = pack_put_record(packs, packs->position, record, head, stored, ret_checksum);
	if (r < 0) {
		pack_cut_back(packs);
		return r;
	}
	packs->append_error = 0;
	*ret_place = (struct place){ packs->current->number, packs->position };
	pack_list_append(packs, record, packs->position);
	packs->position += size;
	atomic_store(&packs->current->size, packs->position);
	atomic_fetch_sub(&packs->room, (int64_t)size);
	atomic_fetch_add(&packs->appended, size);
	return 0;
}

int packs_append(struct packs *packs, const struct record *record, const void *stored,
		 struct place *ret_place, uint64_t *ret_checksum)
{
	struct write_back write_back = { 0 };
	uint8_t head[RECORD_HEAD_MAX];
	struct place place;
	uint64_t checksum;
	int r;

	if (record->stored_size == 0 || record->stored_size > RECORD_STORED_MAX || record->raw_size == 0 ||
	    record->raw_size > RECORD_RAW_MAX || record->type == 0 || record->part >= record->n_parts)
		return log_err(-EINVAL, "%s: a record of impossible sizes was to be appended", packs->name);
	if (atomic_load(&packs->failed))
		return -EIO;
	record_encode_sums(stored, record->stored_size, head);
	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->write_lock);

		if (!packs->current)
			return -EROFS;
		r = append_locked(packs, record, head, stored, &place, &checksum);
		if (r == 0)
			plan_write_back(packs, &write_back);
	}
	start_write_back(&write_back);
	if (r < 0)
		return r;
	if (ret_place)
		*ret_place = place;
	if (ret_checksum)
		*ret_checksum = checksum;
	return 0;
}

struct place packs_end(const struct packs *packs)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex((pthread_mutex_t *)&packs->write_lock);
	uint64_t last;

	if (packs->current)
		return (struct place){ packs->current->number, packs->position };
	last = packs_last(packs);
	return (struct place){ last, packs_size(packs, last) };
}

uint64_t packs_unsynced(const struct packs *packs)
{
	uint64_t synced = atomic_load(&packs->synced); /* first: it never passes what is appended */

	return atomic_load(&packs->appended) - synced;
}

/* ---- syncing ---- */

/* How many packs are to be synced now, and up to which of the bytes appended. */
static size_t count_unsynced(struct packs *packs, uint64_t *ret_appended)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->write_lock);
	size_t n = 0;

	for (const struct pack *pack = packs->unsynced; pack; pack = pack->next_unsynced)
		n++;
	*ret_appended = atomic_load(&packs->appended);
	return n;
}

/* Take the first pack off the queue; counted for the caller. What is appended to it from now on queues it again. */
static struct pack *take_unsynced(struct packs *packs)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->write_lock);
	struct pack *pack = packs->unsynced;

	packs->unsynced = pack->next_unsynced;
	pack->unsynced = false;
	return pack;
}

int pack_flush_failed(struct packs *packs, int r, uint64_t number)
{
	atomic_store(&packs->failed, true);
	if (number == 0)
		return log_err(r, "%s: cannot sync the directory: ", packs->name);
	return pack_failed(packs, number, r, "sync it; nothing is written any more");
}

static int sync_packs(struct packs *packs, size_t n)
{
	for (; n > 0; n--) {
		AUTO(pack) struct pack *pack = take_unsynced(packs);

		KILL_POINT(pack_sync);
		if (fdatasync(pack->fd) < 0)
			return pack_flush_failed(packs, -errno, pack->number);
		KILL_POINT(pack_synced);
	}
	return 0;
}

static int sync_directory(struct packs *packs)
{
	if (!atomic_exchange(&packs->directory_unsynced, false))
		return 0;
	KILL_POINT(directory_sync);
	if (fsync(packs->dir_fd) < 0)
		return pack_flush_failed(packs, -errno, 0);
	KILL_POINT(directory_synced);
	return 0;
}

int packs_sync(struct packs *packs)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->sync_lock);
	uint64_t appended = 0;
	int r;

	if (atomic_load(&packs->failed))
		return -EIO;
	r = sync_packs(packs, count_unsynced(packs, &appended));
	if (r == 0)
		r = sync_directory(packs);
	if (r < 0)
		return r;
	atomic_store(&packs->synced, appended);
	pack_list_older(packs);
	return 0;
}
