/* packs.c - the set of packs, and a bounded number of open files. See packs.h.
 *
 * Knows files, not records. A vault may have 100,000 packs: opening the set looks into the lowest and the highest only, and
 * reading a record costs no look at its pack's header, as the record says itself where it belongs. */
#include "packs_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "kill_point.h"
#include "log.h"

/* ---- names and messages ---- */

void pack_file_name(uint64_t number, char ret[PACK_NAME_SIZE])
{
	(void)snprintf(ret, PACK_NAME_SIZE, "%08" PRIu64 ".pack", number); /* always fits */
}

/* The number in a file's name, 0 if it is not a pack's. */
static uint64_t pack_number(const char *file_name)
{
	char canonical[PACK_NAME_SIZE];
	uint64_t number;

	if (file_name[0] < '0' || file_name[0] > '9')
		return 0;
	errno = 0;
	number = strtoull(file_name, NULL, 10);
	if (errno != 0 || number == UINT64_MAX)
		return 0;
	pack_file_name(number, canonical);
	return strcmp(file_name, canonical) == 0 ? number : 0;
}

int pack_damaged(const struct packs *packs, uint64_t number, uint64_t offset, const char *what)
{
	return log_err(-EBADMSG, "%s: pack %" PRIu64 " at %" PRIu64 ": %s", packs->name, number, offset,
		       what);
}

int pack_failed(const struct packs *packs, uint64_t number, int negative_errno, const char *what)
{
	return log_err(negative_errno, "%s: pack %" PRIu64 ": cannot %s: ", packs->name, number, what);
}

struct record_context pack_context(const struct packs *packs, uint64_t number, uint64_t offset)
{
	struct record_context context = { .place = { number, offset } };

	memcpy(context.uuid, packs->options.uuid, sizeof(context.uuid));
	return context;
}

/* ---- the set; set_lock is held ---- */

/* The index of the first pack whose number is at least `number`. */
static size_t set_lower_bound(const struct packs *packs, uint64_t number)
{
	size_t low = 0, high = packs->n_set;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (packs->set[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct pack *set_find(const struct packs *packs, uint64_t number)
{
	size_t i = set_lower_bound(packs, number);

	return i < packs->n_set && packs->set[i]->number == number ? packs->set[i] : NULL;
}

/* Put pack `number` at the end, where it may be out of order. NULL: no memory. */
static struct pack *set_append(struct packs *packs, uint64_t number, uint64_t size)
{
	struct pack *pack;

	if (packs->n_set == packs->set_capacity) {
		size_t capacity = packs->set_capacity ? packs->set_capacity * 2 : 16;
		struct pack **set = realloc(packs->set, capacity * sizeof(struct pack *));

		if (!set)
			return NULL;
		packs->set = set;
		packs->set_capacity = capacity;
	}
	pack = calloc(1, sizeof(*pack));
	if (!pack)
		return NULL;
	pack->owner = packs;
	pack->number = number;
	atomic_init(&pack->size, size);
	pack->fd = -1;
	pack->refs = 1;
	pack->in_set = true;
	packs->set[packs->n_set++] = pack;
	return pack;
}

static struct pack *set_add(struct packs *packs, uint64_t number, uint64_t size)
{
	size_t i = set_lower_bound(packs, number);
	struct pack *pack = set_append(packs, number, size);

	if (pack) {
		memmove(packs->set + i + 1, packs->set + i, (packs->n_set - 1 - i) * sizeof(*packs->set));
		packs->set[i] = pack;
	}
	return pack;
}

static int compare_packs(const void *a, const void *b)
{
	uint64_t first = (*(struct pack *const *)a)->number;
	uint64_t second = (*(struct pack *const *)b)->number;

	return first < second ? -1 : first > second;
}

/* ---- open files; set_lock is held ---- */

static void open_list_remove(struct packs *packs, struct pack *pack)
{
	*(pack->newer ? &pack->newer->older : &packs->newest_open) = pack->older;
	*(pack->older ? &pack->older->newer : &packs->oldest_open) = pack->newer;
	pack->newer = pack->older = NULL;
}

static void open_list_add(struct packs *packs, struct pack *pack)
{
	pack->older = packs->newest_open;
	*(pack->older ? &pack->older->newer : &packs->oldest_open) = pack;
	packs->newest_open = pack;
}

/* Nobody but the set counts it. */
static bool pack_is_idle(const struct pack *pack)
{
	return pack->in_set && pack->refs == 1;
}

static void pack_close_file(struct pack *pack)
{
	if (pack->fd < 0)
		return;
	open_list_remove(pack->owner, pack);
	pack->owner->n_open--;
	/* What was written through it was synced by packs_sync(), or is not wanted. */
	(void)close(pack->fd);
	pack->fd = -1;
}

static void pack_adopt_file(struct pack *pack, int fd)
{
	struct packs *packs = pack->owner;
	struct pack *next;

	pack->fd = fd;
	packs->n_open++;
	open_list_add(packs, pack);
	for (struct pack *idle = packs->oldest_open; idle && packs->n_open > PACKS_OPEN_MAX; idle = next) {
		next = idle->newer;
		if (pack_is_idle(idle) && idle != pack)
			pack_close_file(idle);
	}
}

static void pack_unref_locked(struct pack *pack)
{
	pack->refs--;
	if (pack_is_idle(pack) && pack->owner->n_open > PACKS_OPEN_MAX)
		pack_close_file(pack);
	if (pack->refs > 0)
		return;
	pack_close_file(pack);
	free(pack);
}

/* ---- counted packs ---- */

struct pack *pack_ref(struct pack *pack)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&pack->owner->set_lock);

	pack->refs++;
	return pack;
}

void pack_unref(struct pack *pack)
{
	if (!pack)
		return;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&pack->owner->set_lock);

	pack_unref_locked(pack);
}

static int pack_open_file(const struct packs *packs, uint64_t number, int *ret_fd, uint64_t *ret_size)
{
	char name[PACK_NAME_SIZE];
	AUTO(fd) int fd = -1;
	struct stat st;

	pack_file_name(number, name);
	fd = openat(packs->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : pack_failed(packs, number, -errno, "open it");
	if (fstat(fd, &st) < 0)
		return pack_failed(packs, number, -errno, "stat it");
	if (!S_ISREG(st.st_mode))
		return log_err(-EBADMSG, "%s: pack %" PRIu64 " is no regular file", packs->name, number);
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Open pack `number` without the lock, then give it its file. `pack`, if it is known already, is counted by the caller.
 * A reader beside the process that writes learns of new packs here. */
static int pack_get_closed(struct packs *packs, uint64_t number, struct pack *pack, struct pack **ret)
{
	AUTO(fd) int fd = -1;
	uint64_t size = 0;
	int r = pack_open_file(packs, number, &fd, &size);

	if (r < 0)
		return r;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->set_lock);

	if (!pack) {
		pack = set_find(packs, number);
		if (!pack)
			pack = set_add(packs, number, size);
		if (!pack)
			return log_err(-ENOMEM, "%s: no memory for pack %" PRIu64, packs->name, number);
		pack->refs++;
	}
	if (pack->fd < 0)
		pack_adopt_file(pack, TAKE_FD(fd));
	*ret = pack;
	return 0;
}

int pack_get(struct packs *packs, uint64_t number, struct pack **ret)
{
	struct pack *pack;
	int r;

	{
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->set_lock);

		pack = set_find(packs, number);
		if (!pack && !(packs->options.read_only && number != 0))
			return -ENOENT;
		if (pack)
			pack->refs++;
		if (pack && pack->fd >= 0) {
			open_list_remove(packs, pack);
			open_list_add(packs, pack);
			*ret = pack;
			return 0;
		}
	}
	r = pack_get_closed(packs, number, pack, ret);
	if (r < 0)
		pack_unref(pack);
	return r;
}

/* ---- making and unlinking ---- */

static int pack_create_file(struct packs *packs, uint64_t number, uint64_t allocate, int fd)
{
	int r = 0;

	if (allocate > 0 && !packs->no_fallocate)
		do
			r = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)allocate) < 0 ? -errno : 0;
		while (r == -EINTR);
	if (r == -EOPNOTSUPP) {
		packs->no_fallocate = true;
		r = 0;
	}
	if (r == 0)
		r = pack_header_write(packs, number, fd);
	if (r < 0 && r != -ENOSPC && r != -EDQUOT)
		return pack_failed(packs, number, r, "start it");
	return r;
}

int pack_create(struct packs *packs, uint64_t number, uint64_t allocate, struct pack **ret)
{
	char name[PACK_NAME_SIZE];
	AUTO(fd) int fd = -1;
	struct pack *pack = NULL;
	int r;

	pack_file_name(number, name);
	KILL_POINT(pack_create);
	fd = openat(packs->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT ? -errno
							  : pack_failed(packs, number, -errno, "create it");
	KILL_POINT(pack_named);
	r = pack_create_file(packs, number, allocate, fd);
	KILL_POINT(pack_created);
	if (r == 0) {
		AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->set_lock);

		pack = set_add(packs, number, PACK_HEADER_SIZE);
		if (pack) {
			pack->refs++;
			pack_adopt_file(pack, TAKE_FD(fd));
		} else {
			r = log_err(-ENOMEM, "%s: no memory for pack %" PRIu64, packs->name, number);
		}
	}
	if (r < 0) {
		(void)unlinkat(packs->dir_fd, name, 0); /* else an empty pack stays, which does no harm */
		return r;
	}
	atomic_store(&packs->directory_unsynced, true);
	*ret = pack;
	return 0;
}

int pack_remove(struct packs *packs, uint64_t number)
{
	char name[PACK_NAME_SIZE];
	size_t i;

	pack_file_name(number, name);
	KILL_POINT(pack_unlink);
	if (unlinkat(packs->dir_fd, name, 0) < 0 && errno != ENOENT)
		return pack_failed(packs, number, -errno, "unlink it");
	KILL_POINT(pack_unlinked);
	atomic_store(&packs->directory_unsynced, true);

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->set_lock);

	i = set_lower_bound(packs, number);
	if (i < packs->n_set && packs->set[i]->number == number) {
		struct pack *pack = packs->set[i];

		pack->in_set = false;
		packs->n_set--;
		memmove(packs->set + i, packs->set + i + 1, (packs->n_set - i) * sizeof(*packs->set));
		pack_unref_locked(pack);
	}
	return 0;
}

int packs_unlink(struct packs *packs, uint64_t number)
{
	if (packs->options.read_only)
		return -EROFS;
	if (!packs_has(packs, number))
		return -ENOENT;
	if (number == packs_last(packs))
		return log_err(-EINVAL, "%s: pack %" PRIu64 " is the newest and stays", packs->name, number);
	return pack_remove(packs, number);
}

/* ---- opening and closing ---- */

int pack_each_file(int dir_fd, const char *name, pack_file_visitor found, void *context)
{
	AUTO(fd) int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *dir = NULL;

	if (fd < 0)
		return log_err(-errno, "%s: cannot open the directory: ", name);
	dir = fdopendir(fd);
	if (!dir)
		return log_err(-errno, "%s: cannot read the directory: ", name);
	fd = -1;
	for (;;) {
		const struct dirent *entry;
		uint64_t number;
		int r;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno ? log_err(-errno, "%s: cannot read the directory: ", name) : 0;
		number = pack_number(entry->d_name);
		r = number ? found(context, dir_fd, entry->d_name, number) : 0;
		if (r != 0)
			return r;
	}
}

static int add_found(void *context, int dir_fd, const char *file_name, uint64_t number)
{
	struct packs *packs = context;
	struct stat st;

	if (fstatat(dir_fd, file_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : pack_failed(packs, number, -errno, "stat it");
	if (!S_ISREG(st.st_mode))
		return log_err(-EBADMSG, "%s: pack %" PRIu64 " is no regular file", packs->name, number);

	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&packs->set_lock);

	if (!set_append(packs, number, (uint64_t)st.st_size))
		return log_err(-ENOMEM, "%s: no memory for the packs", packs->name);
	return 0;
}

static int check_ends(struct packs *packs)
{
	uint64_t ends[2] = { packs_first(packs), packs_last(packs) };

	for (size_t i = 0; i < 2 && ends[i] != 0; i++) {
		AUTO(pack) struct pack *pack = NULL;
		int r = pack_get_checked(packs, ends[i], &pack);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

int packs_open(int dir_fd, const char *name, const struct packs_options *options, struct packs **ret)
{
	struct packs *packs = calloc(1, sizeof(*packs));
	int r;

	if (!packs || !(packs->name = strdup(name))) {
		free(packs);
		return log_err(-ENOMEM, "%s: no memory for the packs", name);
	}
	packs->dir_fd = dir_fd;
	packs->options = *options;
	/* With default attributes this cannot fail on Linux. */
	(void)pthread_mutex_init(&packs->sync_lock, NULL);
	(void)pthread_mutex_init(&packs->write_lock, NULL);
	(void)pthread_mutex_init(&packs->set_lock, NULL);

	r = pack_each_file(dir_fd, name, add_found, packs);
	if (packs->n_set > 1)
		qsort(packs->set, packs->n_set, sizeof(*packs->set), compare_packs);
	if (r == 0)
		r = check_ends(packs);
	if (r < 0) {
		packs_close(packs);
		return r;
	}
	*ret = packs;
	return 0;
}

/* Give back what was preallocated, and let go of the pack in writing. */
static void stop_writing(struct packs *packs)
{
	struct pack *next;

	if (packs->current && packs->allocated > packs->position && !packs->no_fallocate &&
	    ftruncate(packs->current->fd, (off_t)packs->position) < 0)
		(void)pack_failed(packs, packs->current->number, -errno, "give back its preallocated space");
	pack_unref(packs->current);
	for (struct pack *pack = packs->unsynced; pack; pack = next) {
		next = pack->next_unsynced;
		pack_unref(pack);
	}
	free(packs->list.bytes);
	free(packs->older.bytes);
}

void packs_close(struct packs *packs)
{
	if (!packs)
		return;
	stop_writing(packs);
	for (size_t i = 0; i < packs->n_set; i++)
		pack_unref(packs->set[i]);
	/* Nobody holds them: the caller has ended all other users. */
	(void)pthread_mutex_destroy(&packs->sync_lock);
	(void)pthread_mutex_destroy(&packs->write_lock);
	(void)pthread_mutex_destroy(&packs->set_lock);
	free(packs->set);
	free(packs->name);
	free(packs);
}

/* ---- questions ---- */

/* The lock is no part of what a reader sees as the value. */
static pthread_mutex_t *set_lock_of(const struct packs *packs)
{
	return (pthread_mutex_t *)&packs->set_lock;
}

uint64_t packs_first(const struct packs *packs)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(set_lock_of(packs));

	return packs->n_set ? packs->set[0]->number : 0;
}

uint64_t packs_last(const struct packs *packs)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(set_lock_of(packs));

	return packs->n_set ? packs->set[packs->n_set - 1]->number : 0;
}

bool packs_has(const struct packs *packs, uint64_t number)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(set_lock_of(packs));

	return set_find(packs, number) != NULL;
}

uint64_t packs_next(const struct packs *packs, uint64_t number)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(set_lock_of(packs));
	size_t i = number == UINT64_MAX ? packs->n_set : set_lower_bound(packs, number + 1);

	return i < packs->n_set ? packs->set[i]->number : 0;
}

uint64_t packs_size(const struct packs *packs, uint64_t number)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(set_lock_of(packs));
	struct pack *pack = set_find(packs, number);

	return pack ? atomic_load(&pack->size) : 0;
}

uint64_t packs_total_size(const struct packs *packs)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(set_lock_of(packs));
	uint64_t total = 0;

	for (size_t i = 0; i < packs->n_set; i++)
		total += atomic_load(&packs->set[i]->size);
	return total;
}

uint64_t packs_recent(const struct packs *packs, uint64_t n_bytes)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(set_lock_of(packs));
	uint64_t total = 0;
	size_t i = packs->n_set;

	while (i > 0 && total < n_bytes)
		total += atomic_load(&packs->set[--i]->size);
	return i < packs->n_set ? packs->set[i]->number : 0;
}
