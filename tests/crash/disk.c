/* disk.c - a disk with a cache that may lose anything: files, names, and which of their changes are certain. See disk.h. */
#include "disk.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk_internal.h"

void disk_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	exit(2);
}

void *disk_resize(void *old, size_t n, size_t size)
{
	void *new = reallocarray(old, n, size);

	if (!new)
		disk_die("no memory for %zu times %zu bytes", n, size);
	return new;
}

char *disk_path(const char *directory, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		disk_die("no memory for a path");
	return path;
}

/* ---- the log ---- */

void disk_log_read(const char *path, struct disk_log *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t room = 0;

	memset(ret, 0, sizeof(*ret));
	if (fd < 0 || fstat(fd, &st) < 0)
		disk_die("%s: cannot be read", path);
	ret->map_size = (size_t)st.st_size;
	ret->map = mmap(NULL, ret->map_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (ret->map == MAP_FAILED)
		disk_die("%s: cannot be mapped", path);
	(void)close(fd); /* only read */
	for (size_t at = 0; at < ret->map_size;) {
		struct disk_entry entry;
		const uint8_t *bytes = (const uint8_t *)ret->map + at;

		if (ret->map_size - at < sizeof(entry.head))
			disk_die("%s: ends within a record", path);
		memcpy(&entry.head, bytes, sizeof(entry.head));
		if (entry.head.magic != LOG_MAGIC || entry.head.kind < LOG_WRITE ||
		    entry.head.kind > LOG_MARK)
			disk_die("%s: is no log at %zu", path, at);
		entry.name = (const char *)bytes + sizeof(entry.head);
		entry.other_name = entry.name + entry.head.name_size;
		entry.data = (const uint8_t *)entry.other_name + entry.head.other_name_size;
		at = (size_t)(entry.data - (const uint8_t *)ret->map) + entry.head.data_size;
		if (at > ret->map_size)
			disk_die("%s: ends within a record", path);
		if (ret->n == room) {
			room = room ? 2 * room : 4096;
			ret->entries = disk_resize(ret->entries, room, sizeof(*ret->entries));
		}
		ret->entries[ret->n++] = entry;
		if (ret->begin == 0 && entry.head.kind == LOG_SYNC_END)
			ret->begin = ret->n;
	}
}

void disk_log_release(struct disk_log *log)
{
	if (log->map)
		(void)munmap(log->map, log->map_size);
	free(log->entries);
	memset(log, 0, sizeof(*log));
}

const char *disk_log_name(const struct disk_log *log, size_t at, uint64_t file)
{
	static char name[INTERPOSE_NAME_MAX + 1];

	name[0] = '\0';
	while (at-- > 0) {
		const struct disk_entry *e = &log->entries[at];

		if ((e->head.kind == LOG_CREATE || e->head.kind == LOG_MKDIR) && e->head.other == file) {
			memcpy(name, e->name, e->head.name_size);
			name[e->head.name_size] = '\0';
			break;
		}
	}
	return name;
}

/* ---- content ---- */

void content_set_size(struct content *content, uint64_t size)
{
	if (size < content->n)
		content->n = (size_t)size; /* what is written behind it again reads as zeros in between */
	content->size = size;
}

void content_put(struct content *content, uint64_t offset, const uint8_t *bytes, size_t size)
{
	size_t end = (size_t)offset + size;

	if (end > content->room) {
		content->room = end > 2 * content->room ? end : 2 * content->room;
		content->bytes = disk_resize(content->bytes, content->room, 1);
	}
	if (end > content->n) {
		if (offset > content->n)
			memset(content->bytes + content->n, 0, (size_t)offset - content->n);
		content->n = end;
	}
	if (bytes)
		memcpy(content->bytes + offset, bytes, size);
	else
		memset(content->bytes + offset, 0, size);
	if (end > content->size)
		content->size = end;
}

void content_zero(struct content *content, uint64_t offset, uint64_t size)
{
	uint64_t end = offset + size < content->n ? offset + size : content->n;

	if (end > offset)
		memset(content->bytes + offset, 0, (size_t)(end - offset));
}

void content_copy(struct content *to, const struct content *from)
{
	*to = (struct content){ .n = from->n, .room = from->n, .size = from->size };
	if (from->n) {
		to->bytes = disk_resize(NULL, from->n, 1);
		memcpy(to->bytes, from->bytes, from->n);
	}
}

void content_apply(struct content *content, const struct disk_entry *e)
{
	switch (e->head.kind) {
	case LOG_WRITE:
		content_put(content, e->head.offset, e->data, (size_t)e->head.data_size);
		break;
	case LOG_SIZE:
		content_set_size(content, e->head.size);
		break;
	case LOG_GROW:
		if (e->head.size > content->size)
			content_set_size(content, e->head.size);
		break;
	default:
		content_zero(content, e->head.offset, e->head.size);
		break;
	}
}

/* ---- names ---- */

static struct name *names_find(const struct names *names, const char *text, size_t size)
{
	for (size_t i = 0; i < names->n; i++)
		if (strlen(names->names[i].text) == size && memcmp(names->names[i].text, text, size) == 0)
			return &names->names[i];
	return NULL;
}

static void names_put(struct names *names, const char *text, size_t size, uint64_t file)
{
	struct name *name = names_find(names, text, size);

	if (!name) {
		if (names->n == names->room) {
			names->room = names->room ? 2 * names->room : 8;
			names->names = disk_resize(names->names, names->room, sizeof(*names->names));
		}
		name = &names->names[names->n++];
		memcpy(name->text, text, size);
		name->text[size] = '\0';
	}
	name->file = file;
}

static void names_remove(struct names *names, const char *text, size_t size)
{
	struct name *name = names_find(names, text, size);

	if (name)
		*name = names->names[--names->n];
}

void names_apply(struct names *names, const struct disk_entry *e)
{
	const struct name *moved;

	switch (e->head.kind) {
	case LOG_UNLINK:
		names_remove(names, e->name, e->head.name_size);
		break;
	case LOG_RENAME:
		moved = names_find(names, e->name, e->head.name_size);
		if (moved) {
			uint64_t file = moved->file;

			names_remove(names, e->name, e->head.name_size);
			names_put(names, e->other_name, e->head.other_name_size, file);
		}
		break;
	default:
		names_put(names, e->name, e->head.name_size, e->head.other);
		break;
	}
}

void names_copy(struct names *to, const struct names *from)
{
	*to = (struct names){ .n = from->n, .room = from->n };
	if (from->n) {
		to->names = disk_resize(NULL, from->n, sizeof(*to->names));
		memcpy(to->names, from->names, from->n * sizeof(*to->names));
	}
}

/* ---- the disk ---- */

struct disk *disk_new(const struct disk_log *log, bool (*ignored)(const struct disk_log *log, size_t entry))
{
	struct disk *disk = disk_resize(NULL, 1, sizeof(*disk));

	*disk = (struct disk){ .log = log, .ignored = ignored };
	(void)disk_add(disk, 1, true);
	return disk;
}

void disk_free(struct disk *disk)
{
	if (!disk)
		return;
	for (size_t i = 0; i < disk->n; i++) {
		free(disk->files[i].content.bytes);
		free(disk->files[i].names.names);
		free(disk->files[i].pending);
	}
	free(disk->files);
	free(disk->syncs);
	free(disk);
}

/* Files are numbered as they come. */
struct disk_file *disk_add(struct disk *disk, uint64_t number, bool directory)
{
	if (number != disk->n + 1)
		disk_die("file %lu comes behind file %zu in the log", (unsigned long)number, disk->n);
	if (disk->n == disk->room) {
		disk->room = disk->room ? 2 * disk->room : 64;
		disk->files = disk_resize(disk->files, disk->room, sizeof(*disk->files));
	}
	disk->files[disk->n] = (struct disk_file){ .directory = directory };
	return &disk->files[disk->n++];
}

struct disk_file *disk_get(const struct disk *disk, uint64_t number)
{
	if (number == 0 || number > disk->n)
		disk_die("the log speaks of a file %lu that was never made", (unsigned long)number);
	return &disk->files[number - 1];
}

static void add_pending(struct disk_file *file, size_t entry)
{
	if (file->n_pending == file->pending_room) {
		file->pending_room = file->pending_room ? 2 * file->pending_room : 16;
		file->pending = disk_resize(file->pending, file->pending_room, sizeof(*file->pending));
	}
	file->pending[file->n_pending++] = entry;
}

/* All changes of a file that stand before entry `begin` are certain now. */
static void make_certain(struct disk *disk, struct disk_file *file, size_t begin)
{
	size_t n = 0;

	for (; n < file->n_pending && file->pending[n] < begin; n++) {
		const struct disk_entry *e = &disk->log->entries[file->pending[n]];

		if (file->directory)
			names_apply(&file->names, e);
		else
			content_apply(&file->content, e);
	}
	if (n == 0)
		return;
	file->n_pending -= n;
	memmove(file->pending, file->pending + n, file->n_pending * sizeof(*file->pending));
}

static void sync_begins(struct disk *disk, size_t entry)
{
	if (disk->n_syncs == disk->syncs_room) {
		disk->syncs_room = disk->syncs_room ? 2 * disk->syncs_room : 64;
		disk->syncs = disk_resize(disk->syncs, disk->syncs_room, sizeof(*disk->syncs));
	}
	disk->syncs[disk->n_syncs++] = entry;
}

static void sync_ends(struct disk *disk, const struct disk_entry *e)
{
	size_t begin;

	if (e->head.offset == 0 || e->head.offset > disk->n_syncs)
		disk_die("a flush ends in the log that never began");
	begin = disk->syncs[e->head.offset - 1];
	if (disk->ignored && disk->ignored(disk->log, begin))
		return;
	if (e->head.file != 0) {
		make_certain(disk, disk_get(disk, e->head.file), begin);
		return;
	}
	for (size_t i = 0; i < disk->n; i++)
		make_certain(disk, &disk->files[i], begin);
}

static void happen(struct disk *disk, size_t at)
{
	const struct disk_entry *e = &disk->log->entries[at];

	switch (e->head.kind) {
	case LOG_MARK:
		break;
	case LOG_SYNC_BEGIN:
		sync_begins(disk, at);
		break;
	case LOG_SYNC_END:
		sync_ends(disk, e);
		break;
	case LOG_MAPPED:
		disk_get(disk, e->head.file)->mapped = true;
		break;
	case LOG_RENAME:
		if (e->head.other != e->head.file)
			disk_die("the log has a rename from one directory to another");
		add_pending(disk_get(disk, e->head.file), at);
		break;
	case LOG_CREATE:
	case LOG_MKDIR:
		(void)disk_add(disk, e->head.other, e->head.kind == LOG_MKDIR);
		add_pending(disk_get(disk, e->head.file), at);
		break;
	default:
		add_pending(disk_get(disk, e->head.file), at);
		break;
	}
}

void disk_advance(struct disk *disk, size_t at)
{
	if (at < disk->at || at > disk->log->n)
		disk_die("the disk cannot go from %zu to %zu", disk->at, at);
	for (; disk->at < at; disk->at++)
		happen(disk, disk->at);
}

size_t disk_n_pending(const struct disk *disk)
{
	size_t n = 0;

	for (size_t i = 0; i < disk->n; i++)
		n += disk->files[i].n_pending;
	return n;
}
