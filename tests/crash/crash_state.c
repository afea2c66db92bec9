/* crash_state.c - what a writer's directory holds: as its calls make it, and as it is found. */
#include "crash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char magic[8] = "CRASHBLK";
enum { HEADER_SIZE = 24 }; /* magic, writer, id; little-endian enough: one machine */

void state_directory_name(const struct state *state, unsigned directory, char *ret_name, size_t size)
{
	snprintf(ret_name, size, "d%u.%" PRIu64, directory, state->directories[directory]);
}

void state_slot_name(const struct state *state, unsigned slot, char *ret_name, size_t size)
{
	const struct slot *s = &state->slots[slot];

	snprintf(ret_name, size, "d%u.%" PRIu64 "/s%u.%" PRIu64, (unsigned)s->directory,
		 state->directories[s->directory], slot, s->number);
}

void block_fill(unsigned writer, uint64_t id, uint8_t *ret_bytes)
{
	struct random random = { id * 31 + writer };
	uint64_t who = writer;
	bool text = id & (1u << 16); /* every other write compresses */

	for (size_t i = 0; i < BLOCK_SIZE; i += 8) {
		uint64_t x = random_next(&random);

		x = text ? (x & UINT64_C(0x0303030303030303)) + UINT64_C(0x6161616161616161)
			 : x | UINT64_C(0x0101010101010101); /* no byte is zero */
		memcpy(ret_bytes + i, &x, 8);
	}
	memcpy(ret_bytes, magic, 8);
	memcpy(ret_bytes + 8, &who, 8);
	memcpy(ret_bytes + 16, &id, 8);
}

static void slot_write(struct slot *s, const struct call *call)
{
	uint64_t end = (uint64_t)(call->first + call->count) * BLOCK_SIZE;

	for (unsigned b = call->first; b < call->first + call->count; b++) {
		s->blocks[b].id = call->number << 16 | b;
		s->blocks[b].length = BLOCK_SIZE;
	}
	if (s->size < end)
		s->size = end;
}

static void slot_truncate(struct slot *s, uint64_t size)
{
	for (unsigned b = 0; b < N_BLOCKS; b++) {
		uint64_t start = (uint64_t)b * BLOCK_SIZE, left = size > start ? size - start : 0;

		if (s->blocks[b].length > left)
			s->blocks[b].length = left;
		if (s->blocks[b].length == 0)
			s->blocks[b].id = 0;
	}
	s->size = size;
}

static void slot_copy(struct slot *to, const struct slot *from, const struct call *call)
{
	uint64_t end = (uint64_t)(call->other_first + call->count) * BLOCK_SIZE;

	memcpy(&to->blocks[call->other_first], &from->blocks[call->first], call->count * sizeof *to->blocks);
	if (to->size < end)
		to->size = end;
}

/* `from` takes the name of `to`: everything but the name moves. */
static void slot_take_name(struct slot *from, const struct slot *name)
{
	from->directory = name->directory;
	from->number = name->number;
}

void state_apply(struct state *state, const struct call *call)
{
	struct slot *s = &state->slots[call->slot], *o = &state->slots[call->other], old;

	switch (call->kind) {
	case CALL_CREATE:
		memset(s, 0, sizeof *s);
		s->there = 1;
		s->directory = call->directory;
		s->number = call->number;
		break;
	case CALL_WRITE:
		slot_write(s, call);
		break;
	case CALL_TRUNCATE:
		slot_truncate(s, call->size);
		break;
	case CALL_RENAME:
		s->directory = call->directory;
		s->number = call->number;
		break;
	case CALL_RENAME_OVER:
		old = *o;
		*o = *s;
		slot_take_name(o, &old);
		memset(s, 0, sizeof *s);
		break;
	case CALL_EXCHANGE:
		old = *o;
		*o = *s;
		slot_take_name(o, &old);
		slot_take_name(&old, s);
		*s = old;
		break;
	case CALL_UNLINK:
		memset(s, 0, sizeof *s);
		break;
	case CALL_COPY:
		slot_copy(o, s, call);
		break;
	case CALL_MARK:
		s->mark = call->number;
		break;
	case CALL_RENAME_DIRECTORY:
		state->directories[call->slot] = call->number;
		break;
	case CALL_FSYNC:
	case CALL_FSYNC_DIRECTORY:
		break;
	}
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* Which block these bytes are; false when they are torn. */
static bool block_parse(unsigned writer, const uint8_t *bytes, size_t size, struct block *ret)
{
	uint8_t want[BLOCK_SIZE];
	size_t length = 0;

	memset(ret, 0, sizeof *ret);
	if (all_zero(bytes, size))
		return true;
	if (size < HEADER_SIZE || memcmp(bytes, magic, sizeof magic) != 0)
		return false;
	memcpy(&ret->id, bytes + 16, 8);
	block_fill(writer, ret->id, want);
	while (length < size && bytes[length] == want[length])
		length++;
	ret->length = length;
	return length >= HEADER_SIZE && all_zero(bytes + length, size - length);
}

static bool read_blocks(const struct writer *w, int fd, struct slot *ret, const char *name, char *ret_message)
{
	uint8_t bytes[BLOCK_SIZE];

	for (unsigned b = 0; b * (uint64_t)BLOCK_SIZE < ret->size; b++) {
		uint64_t left = ret->size - b * (uint64_t)BLOCK_SIZE;
		size_t want = left < BLOCK_SIZE ? (size_t)left : BLOCK_SIZE;
		ssize_t n = pread(fd, bytes, want, (off_t)b * BLOCK_SIZE);

		if (n != (ssize_t)want) {
			snprintf(ret_message, MESSAGE_SIZE, "%s: block %u cannot be read: %s", name, b,
				 n < 0 ? strerror(errno) : "short");
			return false;
		}
		if (!block_parse(w->index, bytes, want, &ret->blocks[b])) {
			snprintf(ret_message, MESSAGE_SIZE, "%s: block %u is torn", name, b);
			return false;
		}
	}
	return true;
}

static bool read_slot(const struct writer *w, int fd, struct slot *ret, const char *name, char *ret_message)
{
	struct stat st;
	char mark[32] = "";

	if (fstat(fd, &st) < 0 || st.st_nlink != 1 ||
	    (uint64_t)st.st_size > (uint64_t)N_BLOCKS * BLOCK_SIZE) {
		snprintf(ret_message, MESSAGE_SIZE, "%s: no file of ours", name);
		return false;
	}
	ret->there = 1;
	ret->size = (uint64_t)st.st_size;
	if (fgetxattr(fd, "user.crash", mark, sizeof mark - 1) > 0)
		ret->mark = strtoull(mark, NULL, 10);
	return read_blocks(w, fd, ret, name, ret_message);
}

static bool read_directory(const struct writer *w, int at, unsigned index, const char *name,
			   struct state *ret, char *ret_message)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	bool good = directory != NULL;

	if (!directory)
		snprintf(ret_message, MESSAGE_SIZE, "%s: %s", name, strerror(errno));
	for (struct dirent *entry; good && (entry = readdir(directory));) {
		uint64_t number;
		unsigned slot;
		int file;

		if (entry->d_name[0] == '.')
			continue;
		if (sscanf(entry->d_name, "s%u.%" SCNu64, &slot, &number) != 2 || slot >= N_SLOTS ||
		    ret->slots[slot].there) {
			snprintf(ret_message, MESSAGE_SIZE, "%s/%s: not made by any call, or there twice",
				 name, entry->d_name);
			good = false;
			break;
		}
		ret->slots[slot].directory = index;
		ret->slots[slot].number = number;
		file = openat(fd, entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		good = file >= 0 && read_slot(w, file, &ret->slots[slot], entry->d_name, ret_message);
		if (file < 0)
			snprintf(ret_message, MESSAGE_SIZE, "%s/%s: %s", name, entry->d_name,
				 strerror(errno));
		else
			close(file);
	}
	if (directory)
		closedir(directory);
	return good;
}

bool state_read(const struct writer *w, struct state *ret, char *ret_message)
{
	DIR *top = opendir(w->path);
	unsigned n_directories = 0;
	bool good = true;

	memset(ret, 0, sizeof *ret);
	if (!top) {
		snprintf(ret_message, MESSAGE_SIZE, "%s: %s", w->path, strerror(errno));
		return false;
	}
	for (struct dirent *entry; good && (entry = readdir(top));) {
		uint64_t number;
		unsigned index;

		if (entry->d_name[0] == '.')
			continue;
		if (sscanf(entry->d_name, "d%u.%" SCNu64, &index, &number) != 2 || index >= N_DIRECTORIES ||
		    ret->directories[index]) {
			snprintf(ret_message, MESSAGE_SIZE, "%s: not made by any call, or there twice",
				 entry->d_name);
			good = false;
			break;
		}
		ret->directories[index] = number;
		n_directories++;
		good = read_directory(w, dirfd(top), index, entry->d_name, ret, ret_message);
	}
	closedir(top);
	if (good && n_directories != N_DIRECTORIES) {
		snprintf(ret_message, MESSAGE_SIZE, "%s: %u directories, made were %d", w->path,
			 n_directories, N_DIRECTORIES);
		return false;
	}
	return good;
}

static void describe(const struct slot *found, const struct slot *wanted, unsigned slot, char *ret_message)
{
	unsigned b = 0;

	while (b < N_BLOCKS - 1 && memcmp(&found->blocks[b], &wanted->blocks[b], sizeof *found->blocks) == 0)
		b++;
	snprintf(ret_message, MESSAGE_SIZE,
		 "s%u: there %d/%d, name %" PRIu64 "/%" PRIu64 ", directory %d/%d, size %" PRIu64 "/%" PRIu64
		 ", mark %" PRIu64 "/%" PRIu64 ", block %u from write %" PRIu64 "/%" PRIu64 " (found/wanted)",
		 slot, (int)found->there, (int)wanted->there, found->number, wanted->number,
		 (int)found->directory, (int)wanted->directory, found->size, wanted->size, found->mark,
		 wanted->mark, b, found->blocks[b].id >> 16, wanted->blocks[b].id >> 16);
}

unsigned state_compare(const struct state *found, const struct state *wanted, char *ret_message)
{
	unsigned n = 0;

	if (memcmp(found->directories, wanted->directories, sizeof found->directories) != 0) {
		snprintf(ret_message, MESSAGE_SIZE, "directories have other names");
		n++;
	}
	for (unsigned i = 0; i < N_SLOTS; i++) {
		if (memcmp(&found->slots[i], &wanted->slots[i], sizeof found->slots[i]) == 0)
			continue;
		if (n++ == 0)
			describe(&found->slots[i], &wanted->slots[i], i, ret_message);
	}
	return n;
}
