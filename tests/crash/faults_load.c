/* faults_load.c - the changes, and a model of what they make. See faults.h. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "background.h"
#include "gc.h"
#include "library.h"
#include "picture.h"
#include "search.h"
#include "vault_internal.h"

#define MARK "user.mark"

void wrong(struct notes *notes, const char *format, ...)
{
	va_list arguments;

	if (notes->wrong)
		return;
	va_start(arguments, format);
	(void)vsnprintf(notes->message, sizeof(notes->message), format, arguments);
	va_end(arguments);
	notes->wrong = true;
}

/* ---- what a file is ---- */

static uint64_t digest(const uint8_t *bytes, uint64_t size, uint64_t mark)
{
	uint64_t d = XXH3_64bits_withSeed(bytes, size, size * 31 + mark);

	return d ? d : 1;
}

void load_note(struct load *load)
{
	struct notes *notes = load->notes;

	if (notes->n == NOTES_MOST) {
		wrong(notes, "the load is longer than its notes");
		return;
	}
	for (unsigned i = 0; i < N_FILES; i++) {
		const struct file_model *file = &load->files[i];

		notes->files[notes->n][i] = file->there ? digest(file->bytes, file->size, file->mark) : 0;
	}
	notes->n++;
}

static void file_name(unsigned i, char ret[16])
{
	(void)snprintf(ret, 16, "file %u", i);
}

/* The whole content; *ret_bytes has room for FILE_MOST. */
static int read_all(struct vault *vault, uint64_t id, uint64_t size, uint8_t *ret_bytes)
{
	struct vault_file *file = NULL;
	int r = vault_file_open(vault, id, &file);

	for (uint64_t at = 0; r == 0 && at < size;) {
		ssize_t n = vault_read(file, at, ret_bytes + at, size - at);

		r = n < 0 ? (int)n : n == 0 ? -ENODATA : 0;
		at += n > 0 ? (uint64_t)n : 0;
	}
	vault_file_close(file);
	return r;
}

static int read_mark(struct vault *vault, uint64_t id, uint64_t *ret)
{
	ssize_t n = vault_getxattr(vault, id, MARK, ret, sizeof(*ret));

	if (n == -ENODATA)
		*ret = 0;
	return n == -ENODATA || n == sizeof(*ret) ? 0 : (int)n;
}

/* 1 there, 0 not, or what failed. */
static int look_at(struct vault *vault, unsigned i, struct file_model *ret)
{
	struct vault_attr attr;
	char name[16];
	int r;

	file_name(i, name);
	ret->there = false;
	r = vault_lookup(vault, VAULT_ROOT_ID, name, &attr);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	ret->there = true;
	ret->size = attr.size;
	if (attr.size > FILE_MOST)
		return -EFBIG;
	r = read_mark(vault, attr.id, &ret->mark);
	if (r == 0)
		r = read_all(vault, attr.id, attr.size, ret->bytes);
	return r < 0 ? r : 1;
}

bool load_look(struct vault *vault, uint64_t ret[N_FILES])
{
	struct file_model *found = calloc(1, sizeof(*found));
	bool good = found != NULL;

	for (unsigned i = 0; i < N_FILES && good; i++) {
		int r = look_at(vault, i, found);

		good = r >= 0;
		ret[i] = r > 0 ? digest(found->bytes, found->size, found->mark) : 0;
	}
	free(found);
	return good;
}

/* ENOENT: what was made by changes that had to be given up. EBADMSG: SQLite calls a database damaged that it cannot read. */
static bool may_fail_with(const struct load *load, int r)
{
	char path[300];
	unsigned kind = fault_first(path, sizeof(path));

	if (kind == 0 || load->follows)
		return false;
	return r == -EIO || r == -EROFS || r == -load->error || (r == -ENOENT && vault_is_read_only(load->vault)) ||
	       (r == -EBADMSG && kind == FAULT_READ);
}

/* A vault that had to give up changes, and said so, shows files as they were before; but each as it was at one time, and not
 * before what was promised. */
static bool is_older_file(const struct load *load, unsigned i, const struct file_model *found)
{
	uint64_t d = found->there ? digest(found->bytes, found->size, found->mark) : 0;
	bool older = false;

	for (unsigned k = load->notes->promised; k < load->notes->n; k++)
		older |= load->notes->files[k][i] == d;
	return older && vault_is_read_only(load->vault);
}

static void compare_one(struct load *load, unsigned i, bool may_fail)
{
	struct file_model *found = calloc(1, sizeof(*found));
	const struct file_model *want = &load->files[i];
	int r = found ? look_at(load->vault, i, found) : -ENOMEM;

	if (r >= 0 && is_older_file(load, i, found)) {
		free(found);
		return;
	}
	if (r < 0 && !(may_fail && may_fail_with(load, r)))
		wrong(load->notes, "file %u: reading fails with %s", i, strerrorname_np(-r));
	else if (r >= 0 && found->there != want->there)
		wrong(load->notes, "file %u: is %s", i, want->there ? "missing" : "there though it was removed");
	else if (r > 0 && (found->size != want->size || found->mark != want->mark))
		wrong(load->notes, "file %u: %" PRIu64 " bytes, mark %" PRIu64 "; should be %" PRIu64 " and %" PRIu64, i,
		      found->size, found->mark, want->size, want->mark);
	else if (r > 0 && memcmp(found->bytes, want->bytes, want->size) != 0)
		wrong(load->notes, "file %u: wrong bytes", i);
	free(found);
}

void load_compare(struct load *load, bool may_fail)
{
	for (unsigned i = 0; i < N_FILES; i++)
		compare_one(load, i, may_fail);
}

/* ---- changes ---- */

static int id_of(struct load *load, unsigned i, uint64_t *ret)
{
	struct vault_attr attr;
	char name[16];
	int r;

	file_name(i, name);
	r = vault_lookup(load->vault, VAULT_ROOT_ID, name, &attr);
	*ret = attr.id;
	return r;
}

static int open_file(struct load *load, unsigned i)
{
	uint64_t id;
	int r = load->open[i] ? 0 : id_of(load, i, &id);

	return r == 0 && !load->open[i] ? vault_file_open(load->vault, id, &load->open[i]) : r;
}

static void close_file(struct load *load, unsigned i)
{
	vault_file_close(load->open[i]);
	load->open[i] = NULL;
}

static int create(struct load *load, unsigned i)
{
	struct vault_attr wanted = { .mode = S_IFREG | 0644 }, made;
	char name[16];
	int r;

	file_name(i, name);
	vault_change_begin(load->vault, 0);
	r = vault_make(load->vault, VAULT_ROOT_ID, name, &wanted, NULL, &made);
	vault_change_end(load->vault);
	if (r == 0) {
		memset(&load->files[i], 0, sizeof(load->files[i]));
		load->files[i].there = true;
	}
	return r;
}

static int write_some(struct load *load, unsigned i)
{
	struct file_model *file = &load->files[i];
	uint64_t size = random_size(&load->random, FILE_MOST / 2);
	uint64_t offset = random_below(&load->random, 2) && file->size + size <= FILE_MOST ?
				  file->size :
				  random_below(&load->random, FILE_MOST - size + 1);
	uint8_t *bytes = malloc(size);
	int r = bytes ? open_file(load, i) : -ENOMEM;

	for (uint64_t k = 0; bytes && k < size; k++)
		bytes[k] = (uint8_t)(random_next(&load->random) >> 32);
	if (r == 0) {
		vault_change_begin(load->vault, size);
		r = vault_write(load->open[i], offset, bytes, size, 0);
		vault_change_end(load->vault);
	}
	if (r == 0) {
		memcpy(file->bytes + offset, bytes, size);
		file->size = file->size > offset + size ? file->size : offset + size;
	}
	free(bytes);
	return r;
}

static int truncate_it(struct load *load, unsigned i)
{
	struct vault_attr values = { .size = random_below(&load->random, FILE_MOST) }, got;
	struct file_model *file = &load->files[i];
	uint64_t id;
	int r = id_of(load, i, &id);

	if (r < 0)
		return r;
	vault_change_begin(load->vault, 0);
	r = vault_setattr(load->vault, id, VAULT_SET_SIZE, &values, &got);
	vault_change_end(load->vault);
	if (r < 0)
		return r;
	if (values.size < file->size)
		memset(file->bytes + values.size, 0, file->size - values.size);
	file->size = values.size;
	return 0;
}

static int punch(struct load *load, unsigned i)
{
	struct file_model *file = &load->files[i];
	uint64_t offset = random_below(&load->random, FILE_MOST / 2);
	uint64_t size = random_size(&load->random, FILE_MOST / 2);
	int r = open_file(load, i);

	if (r < 0)
		return r;
	vault_change_begin(load->vault, 0);
	r = vault_fallocate(load->open[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
	vault_change_end(load->vault);
	if (r == 0)
		memset(file->bytes + offset, 0, size);
	return r;
}

static int mark(struct load *load, unsigned i)
{
	uint64_t value = random_next(&load->random) | 1, id;
	int r = id_of(load, i, &id);

	if (r < 0)
		return r;
	vault_change_begin(load->vault, 0);
	r = vault_setxattr(load->vault, id, MARK, &value, sizeof(value), 0);
	vault_change_end(load->vault);
	if (r == 0)
		load->files[i].mark = value;
	return r;
}

/* Remove the inode that lost its last name. That failing is no failure of the removal. */
static void purge(struct load *load, unsigned i, uint64_t id)
{
	close_file(load, i);
	if (id == 0)
		return;
	vault_change_begin(load->vault, 0);
	(void)vault_purge(load->vault, id);	/* the next open finds what stays */
	vault_change_end(load->vault);
}

static int remove_it(struct load *load, unsigned i)
{
	struct vault_attr gone;
	char name[16];
	int r;

	file_name(i, name);
	vault_change_begin(load->vault, 0);
	r = vault_unlink(load->vault, VAULT_ROOT_ID, name, &gone);
	vault_change_end(load->vault);
	if (r < 0)
		return r;
	load->files[i].there = false;
	purge(load, i, gone.id);
	return 0;
}

static int rename_it(struct load *load, unsigned i)
{
	unsigned to = (unsigned)random_below(&load->random, N_FILES);
	struct vault_attr replaced;
	char name[16], new_name[16];
	int r;

	if (to == i)
		return mark(load, i);
	file_name(i, name);
	file_name(to, new_name);
	vault_change_begin(load->vault, 0);
	r = vault_rename(load->vault, VAULT_ROOT_ID, name, VAULT_ROOT_ID, new_name, 0, &replaced);
	vault_change_end(load->vault);
	if (r < 0)
		return r;
	purge(load, to, replaced.id);
	load->files[to] = load->files[i];
	load->files[i].there = false;
	load->open[to] = load->open[i];
	load->open[i] = NULL;
	return 0;
}

static int copy_to(struct load *load, unsigned i)
{
	unsigned to = (unsigned)random_below(&load->random, N_FILES);
	struct file_model *from = &load->files[i], *into = &load->files[to];
	uint64_t offset = random_below(&load->random, FILE_MOST / 2);
	ssize_t n;
	int r;

	if (to == i || !into->there)
		return mark(load, i);
	r = open_file(load, i);
	if (r == 0)
		r = open_file(load, to);
	if (r < 0)
		return r;
	vault_change_begin(load->vault, 0);
	n = vault_copy_range(load->open[i], 0, load->open[to], offset, FILE_MOST / 2);
	vault_change_end(load->vault);
	if (n <= 0)
		return (int)n;
	memcpy(into->bytes + offset, from->bytes, (size_t)n);
	into->size = into->size > offset + (size_t)n ? into->size : offset + (size_t)n;
	return 0;
}

/* ---- what the indexer would do ---- */

static int job(struct load *load)
{
	struct vault_job job;
	int r;

	vault_change_begin(load->vault, 0);
	r = vault_job_next(load->vault, &job);
	if (r > 0)
		r = random_below(&load->random, 4) ? vault_job_done(load->vault, &job) :
						     vault_job_failed(load->vault, &job, 1, "it is damaged");
	vault_change_end(load->vault);
	return r < 0 ? r : 0;
}

/* A thumbnail or preview, in place of the one before or as well. */
static int derive(struct load *load, unsigned i)
{
	const unsigned number = 1 + (unsigned)random_below(&load->random, 3);
	uint8_t bytes[20000];
	uint64_t size = 1 + random_below(&load->random, sizeof(bytes)), id;
	int r = id_of(load, i, &id);

	for (uint64_t k = 0; k < size; k++)
		bytes[k] = (uint8_t)(random_next(&load->random) >> 32);
	if (r < 0)
		return r;
	vault_change_begin(load->vault, size);
	if (random_below(&load->random, 4))
		r = vault_set_derived(load->vault, id, VAULT_DERIVED_PREVIEW, number, bytes, size);
	else
		r = vault_drop_derived(load->vault, id, VAULT_DERIVED_PREVIEW, number);
	vault_change_end(load->vault);
	return r == 0 ? job(load) : r;
}

/* ---- what the janitor would do ---- */

static int janitor(struct load *load)
{
	static const _Atomic bool go_on;
	int r = picture_write(load->vault, &go_on);

	if (r == 0)
		r = vault_sync(load->vault);
	return r == 0 ? gc_step(load->vault) : r;
}

static int checkpoint(struct load *load)
{
	int r = background_checkpoint(load->vault);

	return r < 0 ? r : 0;
}

/* ---- running ---- */

bool load_sync(struct load *load)
{
	struct notes *notes = load->notes;
	char path[300];
	unsigned kind;
	int r = vault_sync(load->vault);

	kind = fault_first(path, sizeof(path));
	if (r < 0) {
		notes->n_errors++;
		if (!may_fail_with(load, r))
			wrong(notes, "sync fails with %s", strerrorname_np(-r));
		if (r == -EIO && kind == FAULT_SYNC && strstr(path, "/packs"))
			load->no_more_syncs = true;
		return false;
	}
	if (load->no_more_syncs)
		wrong(notes, "a sync succeeds after a failed flush was told");
	notes->promised = notes->n - 1;
	return true;
}

static int change(struct load *load)
{
	static int (*const changes[])(struct load *load, unsigned i) = {
		write_some, write_some, write_some, write_some, write_some, write_some, write_some,
		truncate_it, punch, mark, mark, remove_it, rename_it, copy_to, copy_to, derive, derive,
	};
	unsigned i = (unsigned)random_below(&load->random, N_FILES);
	size_t pick = random_below(&load->random, sizeof(changes) / sizeof(*changes));
	int r = load->files[i].there ? changes[pick](load, i) : create(load, i);

	if (random_below(&load->random, 3) == 0)
		close_file(load, i);
	return r;
}

void load_run(struct load *load, unsigned n)
{
	for (unsigned step = 0; step < n && !load->notes->wrong; step++) {
		size_t pick = random_below(&load->random, 100);
		int r = 0;

		if (pick < 12)
			(void)load_sync(load);
		else if (pick < 15)
			r = janitor(load);
		else if (pick < 18)
			r = checkpoint(load);
		else if (pick < 30 && load->follows)
			(void)search_follow(load->vault);	/* what it meets is its own affair */
		else
			r = change(load);
		load_note(load);
		if (r < 0)
			load->notes->n_errors++;
		if (r < 0 && !may_fail_with(load, r))
			wrong(load->notes, "step %u fails with %s", step, strerrorname_np(-r));
		if (random_below(&load->random, 4) == 0)
			compare_one(load, (unsigned)random_below(&load->random, N_FILES), true);
	}
}

int load_open(struct load *load, const char *path)
{
	int r = vault_open(path, NULL, &load->vault);

	if (r == 0)
		background_stop(load->vault->background);
	if (r == 0)
		search_stop(load->vault->search);
	return r;
}

int load_close(struct load *load)
{
	struct vault *vault = load->vault;

	for (unsigned i = 0; i < N_FILES; i++)
		close_file(load, i);
	load->vault = NULL;
	return vault_close(vault);
}
