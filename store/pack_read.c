/* pack_read.c - one record, checked. See packs.h.
 *
 * Knows how a record lies in a pack, and that a cold disk costs more than a system call. Takes no lock while it reads: a
 * record never changes, and the counted pack keeps its file open. */
#include "packs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

ssize_t pread_all(int fd, void *bytes, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (uint8_t *)bytes + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* 0 all were read, -EBADMSG the file ends before, -errno. Changes `iov`. */
static int preadv_exactly(int fd, struct iovec *iov, int n_iov, uint64_t offset)
{
	while (n_iov > 0) {
		ssize_t n = preadv(fd, iov, n_iov, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG;
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

/* A read of stored bytes [from, from + size): the blocks it touches, and which of them do not fit into `out`. */
struct block_read {
	uint32_t first;      /* block */
	uint32_t start, end; /* stored bytes of the blocks touched */
	uint32_t head_part;  /* bytes of a first block that goes to scratch: it is wanted in part; 0 = none */
	uint32_t whole;      /* bytes of the blocks that go straight into out */
	uint32_t tail_part;  /* the same for a last block */
};

static struct block_read plan_read(uint32_t stored_size, uint32_t from, size_t size)
{
	struct block_read plan = { .first = from / CHECKSUM_BLOCK };
	uint64_t to = (uint64_t)from + size;
	uint64_t end = (to + CHECKSUM_BLOCK - 1) / CHECKSUM_BLOCK * CHECKSUM_BLOCK;
	uint32_t total;

	plan.start = plan.first * CHECKSUM_BLOCK;
	plan.end = end < stored_size ? (uint32_t)end : stored_size;
	total = plan.end - plan.start;
	if (from != plan.start || (to != plan.end && total <= CHECKSUM_BLOCK))
		plan.head_part = total < CHECKSUM_BLOCK ? total : CHECKSUM_BLOCK;
	if (to != plan.end && total > plan.head_part)
		plan.tail_part = (total - 1) % CHECKSUM_BLOCK + 1;
	plan.whole = total - plan.head_part - plan.tail_part;
	return plan;
}

/* Read head and blocks. They are neighbours when the first block is wanted; else the kernel is asked for the blocks
 * before the head is waited for, unless the head is in memory already. */
static int read_head_and_blocks(const struct pack *pack, uint64_t offset, uint8_t *head, size_t head_size,
				const struct block_read *plan, struct iovec *blocks, int n_blocks)
{
	struct iovec iov[4] = { { head, head_size } };
	uint64_t data = offset + head_size + plan->start;
	int r;

	if (plan->start == 0) {
		for (int i = 0; i < n_blocks; i++)
			iov[i + 1] = blocks[i];
		return preadv_exactly(pack->fd, iov, n_blocks + 1, offset);
	}
	if (preadv2(pack->fd, iov, 1, (off_t)offset, RWF_NOWAIT) != (ssize_t)head_size) {
		/* A hint: its errors do not matter. */
		(void)posix_fadvise(pack->fd, (off_t)data, plan->end - plan->start, POSIX_FADV_WILLNEED);
		r = preadv_exactly(pack->fd, iov, 1, offset);
		if (r < 0)
			return r;
	}
	return preadv_exactly(pack->fd, blocks, n_blocks, data);
}

struct wanted_record {
	uint64_t id;
	uint32_t stored_size;
	uint8_t type;
};

/* What is wrong with a head; NULL if it is the one that is wanted. */
static const char *check_wanted(const struct pack *pack, uint64_t offset, const uint8_t *head,
				const struct wanted_record *wanted, struct record *ret)
{
	struct record_context context = pack_context(pack->owner, pack->number, offset);
	uint64_t checksum;

	if (record_decode(head, ret) < 0)
		return "no record starts here";
	if (ret->type != wanted->type || ret->id != wanted->id || ret->stored_size != wanted->stored_size)
		return "another record stands here";
	if (record_check_head(head, ret, &context, &checksum) < 0)
		return "the record's header is damaged";
	return NULL;
}

static const char *check_blocks(const uint8_t *head, const struct record *record,
				const struct block_read *plan, const uint8_t *scratch, const uint8_t *whole)
{
	uint32_t block = plan->first;
	int r = 0;

	if (plan->head_part)
		r = record_check_blocks(head, record, block++, scratch, plan->head_part);
	if (r == 0 && plan->whole)
		r = record_check_blocks(head, record, block, whole, plan->whole);
	block += (plan->whole + CHECKSUM_BLOCK - 1) / CHECKSUM_BLOCK;
	if (r == 0 && plan->tail_part)
		r = record_check_blocks(head, record, block, scratch + plan->head_part, plan->tail_part);
	return r < 0 ? "the record's bytes are damaged" : NULL;
}

/* Read, check, and fill `out`, which the caller clears if this fails. */
static int read_checked(const struct pack *pack, uint64_t offset, const struct wanted_record *wanted,
			uint32_t from, size_t size, uint8_t *out)
{
	struct block_read plan = plan_read(wanted->stored_size, from, size);
	uint8_t head[RECORD_HEAD_MAX];
	size_t head_size = record_head_size(wanted->stored_size);
	uint32_t skip = from - plan.start; /* bytes of the scratched first block in front of what is wanted */
	size_t lead = plan.head_part ? plan.head_part - skip : 0; /* bytes of it that are wanted */
	AUTO(free) uint8_t *scratch = NULL;
	struct record record;
	struct iovec iov[3];
	const char *wrong;
	int n_iov = 0;
	int r;

	if (lead > size)
		lead = size;
	if (plan.head_part || plan.tail_part) {
		scratch = malloc((size_t)plan.head_part + plan.tail_part);
		if (!scratch)
			return pack_failed(pack->owner, pack->number, -ENOMEM, "read a record");
	}
	if (plan.head_part)
		iov[n_iov++] = (struct iovec){ scratch, plan.head_part };
	if (plan.whole)
		iov[n_iov++] = (struct iovec){ out + lead, plan.whole };
	if (plan.tail_part)
		iov[n_iov++] = (struct iovec){ scratch + plan.head_part, plan.tail_part };

	r = read_head_and_blocks(pack, offset, head, head_size, &plan, iov, n_iov);
	if (r == -EBADMSG)
		return pack_damaged(pack->owner, pack->number, offset, "the pack ends within the record");
	if (r < 0)
		return pack_failed(pack->owner, pack->number, r, "read a record");
	wrong = check_wanted(pack, offset, head, wanted, &record);
	if (!wrong)
		wrong = check_blocks(head, &record, &plan, scratch, out + lead);
	if (wrong)
		return pack_damaged(pack->owner, pack->number, offset, wrong);

	if (lead)
		memcpy(out, scratch + skip, lead);
	if (plan.tail_part)
		memcpy(out + lead + plan.whole, scratch + plan.head_part, size - lead - plan.whole);
	return 0;
}

static bool range_is_possible(struct place place, uint32_t stored_size, uint32_t from, size_t size)
{
	return stored_size > 0 && stored_size <= RECORD_STORED_MAX && from < stored_size && size > 0 &&
	       size <= stored_size - from && place.offset >= PACK_HEADER_SIZE &&
	       place.offset <= (uint64_t)INT64_MAX - 2 * RECORD_STORED_MAX;
}

int packs_read(struct packs *packs, struct place place, uint8_t type, uint64_t id, uint32_t stored_size,
	       uint32_t from, size_t size, void *out)
{
	struct wanted_record wanted = { .id = id, .stored_size = stored_size, .type = type };
	AUTO(pack) struct pack *pack = NULL;
	int r;

	if (!range_is_possible(place, stored_size, from, size)) {
		memset(out, 0, size);
		return pack_damaged(packs, place.pack, place.offset, "impossible sizes were asked for");
	}
	r = pack_get(packs, place.pack, &pack);
	if (r == 0)
		r = read_checked(pack, place.offset, &wanted, from, size, out);
	if (r < 0)
		memset(out, 0, size);
	return r;
}

int pack_read_whole(const struct pack *pack, uint64_t offset, struct record *ret, void *ret_stored,
		    uint64_t *ret_checksum)
{
	struct record_context context = pack_context(pack->owner, pack->number, offset);
	uint8_t head[RECORD_HEAD_MAX] = { 0 };
	struct record record;
	uint64_t checksum;
	ssize_t n;

	if (offset < PACK_HEADER_SIZE || offset > (uint64_t)INT64_MAX - 2 * RECORD_STORED_MAX)
		return -EBADMSG;
	n = pread_all(pack->fd, head, sizeof(head), offset);
	if (n < 0)
		return (int)n;
	if ((size_t)n < RECORD_HEADER_SIZE || record_decode(head, &record) < 0 ||
	    (size_t)n < record_head_size(record.stored_size) ||
	    record_check_head(head, &record, &context, &checksum) < 0)
		return -EBADMSG;
	n = pread_all(pack->fd, ret_stored, record.stored_size,
		      offset + record_head_size(record.stored_size));
	if (n < 0)
		return (int)n;
	if ((size_t)n != record.stored_size ||
	    record_check_blocks(head, &record, 0, ret_stored, (size_t)n) < 0)
		return -EBADMSG;
	*ret = record;
	if (ret_checksum)
		*ret_checksum = checksum;
	return 0;
}

int packs_read_record(struct packs *packs, struct place place, struct record *ret, void *ret_stored,
		      uint64_t *ret_checksum)
{
	AUTO(pack) struct pack *pack = NULL;
	int r = pack_get(packs, place.pack, &pack);

	if (r < 0)
		return r;
	r = pack_read_whole(pack, place.offset, ret, ret_stored, ret_checksum);
	if (r == -EBADMSG)
		return pack_damaged(packs, place.pack, place.offset, "no whole record stands here");
	return r < 0 ? pack_failed(packs, place.pack, r, "read a record") : 0;
}

void packs_read_ahead(struct packs *packs, struct place place, uint32_t stored_size, uint32_t from,
		      size_t size)
{
	AUTO(pack) struct pack *pack = NULL;
	struct block_read plan;
	size_t head_size = record_head_size(stored_size);
	uint64_t start;

	if (!range_is_possible(place, stored_size, from, size) || pack_get(packs, place.pack, &pack) < 0)
		return;
	plan = plan_read(stored_size, from, size);
	start = plan.start == 0 ? place.offset : place.offset + head_size + plan.start;
	/* Only a hint: nothing depends on it. */
	(void)posix_fadvise(pack->fd, (off_t)start, (off_t)(place.offset + head_size + plan.end - start),
			    POSIX_FADV_WILLNEED);
	if (plan.start > 0)
		(void)posix_fadvise(pack->fd, (off_t)place.offset, (off_t)head_size, POSIX_FADV_WILLNEED);
}
