/* indexer.c - a thread that follows the files that changed and says what they are. See indexer.h.
 *
 * Knows the vault by its public header and the helper by probe.h. Two rules keep it out of the mount's way: no handle of
 * the vault and no change section is held while the helper is asked; and the thread itself runs at normal priority,
 * because it takes the vault's locks for moments, and one that is scheduled away while it holds them would stall the
 * mount. What costs time is the helper, and that one is nice. */
#include "indexer.h"
#include "probe.h"
#include "queue.h"

#include "auto.h"
#include "library.h"
#include "log.h"
#include "vault.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#define QUEUE_CAPACITY (1u << 18) /* ids; 6 MiB when full */
#define BATCH 64                  /* files looked at between two changes of the vault */
#define SECOND_NS INT64_C(1000000000)
#define QUIET_NS (1 * SECOND_NS)     /* begin when nothing changed for this long ... */
#define PATIENCE_NS (10 * SECOND_NS) /* ... or a file has waited for this long, or the queue is half full */
#define REST_NS (60 * SECOND_NS)     /* an idle helper is sent home */

struct indexer {
	struct vault *vault;         /* never changes */
	struct indexer_probe *probe; /* the thread's own */
	int cancel_fd;               /* an eventfd that is written once, to stop */
	pthread_t thread;
	pthread_mutex_t lock; /* order: last; nothing is called under it */
	pthread_cond_t wake;
	struct id_queue queue; /* guarded by lock */
	int64_t changed_ns;    /* guarded by lock: when the last id came */
	bool stopping;         /* guarded by lock */
};

struct finding {
	uint64_t id;
	char mime[HELPER_MIME_MAX + 1];
};

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void content_changed(void *context, uint64_t id)
{
	struct indexer *indexer = context;
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&indexer->lock);

	indexer->changed_ns = now_ns();
	id_queue_put(&indexer->queue, id, indexer->changed_ns);
	/* The thread sleeps without an end only when there is nothing queued, and too long only when it is half full. */
	if (indexer->queue.count == 1 || indexer->queue.count == QUEUE_CAPACITY / 2)
		(void)pthread_cond_signal(&indexer->wake);
	(void)held;
}

/* When the oldest id may be looked at. The queue is not empty. */
static int64_t due_ns_locked(const struct indexer *indexer)
{
	const int64_t quiet = indexer->changed_ns + QUIET_NS;
	const int64_t patience = indexer->queue.items[indexer->queue.first].since_ns + PATIENCE_NS;

	if (indexer->queue.count >= QUEUE_CAPACITY / 2)
		return 0;
	return quiet < patience ? quiet : patience;
}

static void wait_until_locked(struct indexer *indexer, int64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / SECOND_NS),
					.tv_nsec = (long)(until_ns % SECOND_NS) };

	(void)pthread_cond_timedwait(&indexer->wake, &indexer->lock,
				     &until); /* why it ended does not matter */
}

/* Wait for the next ids. Returns how many; 0: stop. */
static size_t next_batch(struct indexer *indexer, uint64_t ret_ids[BATCH])
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&indexer->lock);
	int64_t rest_ns = now_ns() + REST_NS;

	while (!indexer->stopping) {
		if (indexer->queue.count > 0) {
			const int64_t due_ns = due_ns_locked(indexer);

			if (due_ns <= now_ns())
				return id_queue_take(&indexer->queue, ret_ids, BATCH);
			wait_until_locked(indexer, due_ns);
		} else if (rest_ns != INT64_MAX && rest_ns <= now_ns()) {
			rest_ns = INT64_MAX;
			(void)pthread_mutex_unlock(&indexer->lock);
			indexer_probe_rest(indexer->probe);
			(void)pthread_mutex_lock(&indexer->lock);
		} else if (rest_ns != INT64_MAX) {
			wait_until_locked(indexer, rest_ns);
		} else {
			(void)pthread_cond_wait(&indexer->wake, &indexer->lock);
		}
	}
	(void)held;
	return 0;
}

/* The head of a file, with no handle left open. Returns its length; 0: empty; -ENOENT: not to be looked at. */
static ssize_t read_head(struct indexer *indexer, uint64_t id, void *head)
{
	struct vault_file *file = NULL;
	struct vault_attr attr;
	ssize_t n;
	int r = vault_getattr(indexer->vault, id, &attr);

	if (r < 0)
		return r;
	/* One without a name is about to be purged, which an open handle would prevent. */
	if (!S_ISREG(attr.mode) || attr.nlink == 0)
		return -ENOENT;
	if (attr.size == 0)
		return 0;
	r = vault_file_open(indexer->vault, id, &file);
	if (r < 0)
		return r;
	n = vault_read(file, 0, head, HELPER_HEAD_SIZE);
	vault_file_close(file);
	return n;
}

struct head {
	const char *bytes;
	size_t size;
};

static ssize_t read_of_head(void *context, uint64_t offset, void *buffer, size_t size)
{
	const struct head *head = context;

	if (offset >= head->size)
		return 0;
	if (size > head->size - offset)
		size = head->size - (size_t)offset;
	memcpy(buffer, head->bytes + offset, size);
	return (ssize_t)size;
}

static int type_of(struct indexer *indexer, const void *bytes, size_t size, char ret_mime[HELPER_MIME_MAX + 1])
{
	struct head head = { bytes, size };
	const struct indexer_source source = { .size = size, .read = read_of_head, .context = &head };
	struct indexer_findings findings;
	const int r = indexer_probe_inspect(indexer->probe, &source, STAGE_TYPE, &findings);

	(void)strcpy(ret_mime, findings.mime);
	indexer_findings_release(&findings);
	return r;
}

static bool knows_already(struct indexer *indexer, const struct finding *finding)
{
	char known[HELPER_MIME_MAX + 1];
	const ssize_t n = vault_getxattr(indexer->vault, finding->id, "user.mime_type", known, sizeof(known));

	return n >= 0 && (size_t)n == strlen(finding->mime) && memcmp(known, finding->mime, (size_t)n) == 0;
}

/* 1: `ret` is news; 0: nothing to say; -ECANCELED. */
static int look_at(struct indexer *indexer, uint64_t id, void *head, struct finding *ret)
{
	ssize_t n = read_head(indexer, id, head);
	int r;

	if (n < 0)
		return 0; /* gone, or damaged: then the store has said so */
	ret->id = id;
	r = type_of(indexer, head, (size_t)n, ret->mime);
	if (r == -ECANCELED)
		return r;
	if (r < 0)
		log_warn("inode %" PRIu64 ": left without a type, the type helper %s", id,
			 r == -ETIMEDOUT ? "hung twice" : "died or did not start, twice");
	return r == 0 && ret->mime[0] && !knows_already(indexer, ret);
}

static void store_findings(struct indexer *indexer, const struct finding *findings, size_t n)
{
	if (n == 0)
		return;
	vault_change_begin(indexer->vault, 0);
	for (size_t i = 0; i < n; i++) {
		const struct vault_content content = { .mime = findings[i].mime };

		(void)vault_set_content(indexer->vault, findings[i].id, &content); /* gone, or logged there */
	}
	vault_change_end(indexer->vault);
}

static void *run(void *context)
{
	struct indexer *indexer = context;
	AUTO(free) struct finding *findings = calloc(BATCH, sizeof(*findings));
	AUTO(free) void *head = malloc(HELPER_HEAD_SIZE);
	uint64_t ids[BATCH];
	size_t n;
	int r = 0;

	if (!findings || !head) {
		log_warn("no memory for the indexer: files are left without a type");
		return NULL;
	}
	while (r >= 0 && (n = next_batch(indexer, ids)) > 0) {
		size_t n_findings = 0;

		for (size_t i = 0; i < n && r >= 0; i++) {
			r = look_at(indexer, ids[i], head, &findings[n_findings]);
			n_findings += r > 0;
		}
		store_findings(indexer, findings, n_findings);
	}
	indexer_probe_rest(indexer->probe); /* here: the helper dies with this thread anyway */
	return NULL;
}

static void indexer_free(struct indexer *indexer)
{
	indexer_probe_free(indexer->probe);
	id_queue_release(&indexer->queue);
	if (indexer->cancel_fd >= 0)
		(void)close(indexer->cancel_fd); /* an eventfd: nothing to lose */
	(void)pthread_cond_destroy(&indexer->wake);
	(void)pthread_mutex_destroy(&indexer->lock);
	free(indexer);
}

static int indexer_new(struct vault *vault, struct indexer **ret)
{
	struct indexer *indexer = calloc(1, sizeof(*indexer));
	pthread_condattr_t clock;
	int r = 0;

	if (!indexer)
		return -ENOMEM;
	indexer->vault = vault;
	(void)pthread_mutex_init(&indexer->lock, NULL); /* these four cannot fail on Linux */
	(void)pthread_condattr_init(&clock);
	(void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&indexer->wake, &clock);
	(void)pthread_condattr_destroy(&clock);
	indexer->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (indexer->cancel_fd < 0)
		r = -errno;
	if (r == 0)
		r = id_queue_init(&indexer->queue, QUEUE_CAPACITY);
	if (r == 0)
		r = indexer_probe_new(NULL, indexer->cancel_fd, &indexer->probe);
	if (r < 0) {
		indexer_free(indexer);
		return r;
	}
	*ret = indexer;
	return 0;
}

/* Signals are for the program's own threads. */
static int start_thread(struct indexer *indexer)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&indexer->thread, NULL, run, indexer);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int indexer_start(struct vault *vault, struct indexer **ret)
{
	struct indexer *indexer = NULL;
	int r;

	if (vault_is_read_only(vault)) {
		*ret = NULL;
		return 0;
	}
	r = indexer_new(vault, &indexer);
	if (r < 0)
		return log_err(r, "starting the indexer: ");
	r = start_thread(indexer);
	if (r < 0) {
		indexer_free(indexer);
		return log_err(r, "starting the indexer's thread: ");
	}
	(void)pthread_setname_np(indexer->thread, "indexer"); /* for people with top(1) */
	vault_on_content_changed(vault, content_changed, indexer);
	*ret = indexer;
	return 0;
}

void indexer_stop(struct indexer *indexer)
{
	const uint64_t one = 1;

	if (!indexer)
		return;
	vault_on_content_changed(indexer->vault, NULL, NULL);
	(void)pthread_mutex_lock(&indexer->lock);
	indexer->stopping = true;
	(void)pthread_cond_signal(&indexer->wake);
	(void)pthread_mutex_unlock(&indexer->lock);
	if (write(indexer->cancel_fd, &one, sizeof(one)) < 0)
		log_warn("the indexer ends after its present file only"); /* an eventfd at 0 takes a 1 */
	(void)pthread_join(indexer->thread, NULL);
	if (indexer->queue.n_dropped > 0)
		log_info("%" PRIu64
			 " files were left without a type: they changed faster than they could be looked at",
			 indexer->queue.n_dropped);
	indexer_free(indexer);
}
