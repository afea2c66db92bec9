/* pack_header.c - the 64 bytes in front of a pack: which vault, which pack, which format. See packs.h.
 *
 *    0 magic    8 u32 format version    12 u32 zero    16 uuid    32 u64 number    40 u64, u64 zero    56 u64 XXH3-64
 * A header that is damaged, or that a crash left unwritten, is no obstacle: the records say themselves where they belong. */
#include "packs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "bytes.h"
#include "log.h"

#define HEADER_CHECKED (PACK_HEADER_SIZE - 8u)

static const uint8_t pack_magic[8] = { 'v', 'a', 'u', 'l', 't', 'f', 's', 0x1a };

static void header_encode(const struct packs *packs, uint64_t number, uint8_t ret[PACK_HEADER_SIZE])
{
	memset(ret, 0, PACK_HEADER_SIZE);
	memcpy(ret, pack_magic, sizeof(pack_magic));
	put_u32(ret + 8, PACK_FORMAT_VERSION);
	memcpy(ret + 16, packs->options.uuid, 16);
	put_u64(ret + 32, number);
	put_u64(ret + HEADER_CHECKED, checksum_xxh3(ret, HEADER_CHECKED));
}

/* 1 a valid header, of whatever vault and version; 0 none; -errno. */
static int header_read(int fd, uint8_t ret[PACK_HEADER_SIZE])
{
	ssize_t n = pread_all(fd, ret, PACK_HEADER_SIZE, 0);

	if (n < 0)
		return (int)n;
	return n == PACK_HEADER_SIZE && memcmp(ret, pack_magic, sizeof(pack_magic)) == 0 &&
	       get_u64(ret + HEADER_CHECKED) == checksum_xxh3(ret, HEADER_CHECKED);
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

int pack_header_state(const struct packs *packs, uint64_t number, int fd, uint8_t ret[PACK_HEADER_SIZE])
{
	int r = header_read(fd, ret);

	if (r < 0)
		return r;
	if (r == 0)
		return all_zero(ret, PACK_HEADER_SIZE) ? PACK_HEADER_ABSENT : PACK_HEADER_DAMAGED;
	if (get_u32(ret + 8) != PACK_FORMAT_VERSION)
		return PACK_HEADER_VERSION;
	if (memcmp(ret + 16, packs->options.uuid, 16) != 0)
		return PACK_HEADER_FOREIGN;
	return get_u64(ret + 32) == number ? PACK_HEADER_GOOD : PACK_HEADER_RENAMED;
}

/* 0 usable, or -EBADMSG, -ENOTSUP, errno; logged. */
static int header_check(const struct packs *packs, uint64_t number, int fd)
{
	uint8_t header[PACK_HEADER_SIZE] = { 0 };
	int r = pack_header_state(packs, number, fd, header);

	if (r < 0)
		return pack_failed(packs, number, r, "read the header");
	switch ((enum pack_header_state)r) {
	case PACK_HEADER_DAMAGED:
		log_warn("%s: pack %" PRIu64 ": the header is damaged", packs->name, number);
		return 0;
	case PACK_HEADER_VERSION:
		return log_err(-ENOTSUP,
			       "%s: pack %" PRIu64 " has format version %" PRIu32 ", this program knows %u",
			       packs->name, number, get_u32(header + 8), PACK_FORMAT_VERSION);
	case PACK_HEADER_FOREIGN:
		return log_err(-EBADMSG, "%s: pack %" PRIu64 " belongs to another vault", packs->name,
			       number);
	case PACK_HEADER_RENAMED:
		return log_err(-EBADMSG, "%s: pack %" PRIu64 " was pack %" PRIu64 " once: files were renamed",
			       packs->name, number, get_u64(header + 32));
	case PACK_HEADER_GOOD:
	case PACK_HEADER_ABSENT:
		break;
	}
	return 0;
}

int pack_get_checked(struct packs *packs, uint64_t number, struct pack **ret)
{
	AUTO(pack) struct pack *pack = NULL;
	int r = pack_get(packs, number, &pack);

	if (r == 0)
		r = header_check(packs, number, pack->fd);
	if (r == 0)
		*ret = TAKE(pack);
	return r;
}

int pack_header_write(const struct packs *packs, uint64_t number, int fd)
{
	uint8_t header[PACK_HEADER_SIZE];
	ssize_t n;

	header_encode(packs, number, header);
	n = pwrite(fd, header, sizeof(header), 0);
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(header) ? 0 : -ENOSPC;
}

int pack_header_repair(const struct packs *packs, const struct pack *pack, int fd)
{
	uint8_t header[PACK_HEADER_SIZE];
	int r = header_read(fd, header);

	if (r == 0)
		r = pack_header_write(packs, pack->number, fd);
	return r < 0 ? pack_failed(packs, pack->number, r, "repair the header") : 0;
}

struct uuid_search {
	uint64_t number; /* of the lowest pack with a valid header so far; 0 = none */
	uint8_t uuid[16];
};

static int look_for_uuid(void *context, int dir_fd, const char *file_name, uint64_t number)
{
	struct uuid_search *search = context;
	uint8_t header[PACK_HEADER_SIZE];
	AUTO(fd) int fd = -1;

	if (search->number != 0 && number > search->number)
		return 0;
	fd = openat(dir_fd, file_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || header_read(fd, header) != 1)
		return 0;
	search->number = number;
	memcpy(search->uuid, header + 16, sizeof(search->uuid));
	return 0;
}

int packs_find_uuid(int dir_fd, uint8_t ret_uuid[16])
{
	struct uuid_search search = { 0 };
	int r = pack_each_file(dir_fd, "packs", look_for_uuid, &search);

	if (r < 0)
		return r;
	if (search.number == 0)
		return -ENOENT;
	memcpy(ret_uuid, search.uuid, sizeof(search.uuid));
	return 0;
}
