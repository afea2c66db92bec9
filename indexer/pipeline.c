/* pipeline.c - what is done with a file. See pipeline.h.
 *
 * Two rules keep it out of the mount's way: no handle of the vault and no change section is held while the helper is
 * asked or anybody rests; and the thread itself runs at normal priority, because it takes the vault's locks for moments,
 * and one that is scheduled away while it holds them would stall the mount. What costs time is the helper, and that one
 * is nice; reading is done with the disk's idle priority, which matters while no lock is held. */
#include "pipeline.h"
#include "pace.h"
#include "probe.h"

#include "auto.h"
#include "library.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/ioprio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define BLOCK_SIZE ((size_t)1 << 20)   /* read and added up between two looks at what others do */
#define HOLES_MAX (UINT64_C(64) << 30) /* bytes; a file that is nothing but holes would be read for days */
#define PROGRESS_MS 2000               /* between two notes of how far a job is */

struct pipeline {
	struct vault *vault;
	struct indexer_options options;
	bool background;
	struct pace pace;
	struct indexer_probe *probe;
	struct vault_sha256 *sum;
	uint8_t *block; /* BLOCK_SIZE bytes of the file from block_from on, as many as block_size says */
	uint64_t block_from;
	size_t block_size;
};

/* One job. */
struct work {
	struct pipeline *pipeline;
	struct vault_job job;
	struct vault_attr attr;  /* of the file before anything was read */
	struct vault_file *file; /* open while blocks follow one another; NULL */
	int64_t read_at_ns;
	int error; /* why the file cannot be read; the helper's caller gets the same */
	uint8_t sha256[32];
	bool has_sha256;
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now); /* cannot fail for these clocks */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void change_begin(struct pipeline *pipeline, size_t n_bytes)
{
	vault_change_begin(pipeline->vault, n_bytes);
	pace_own(&pipeline->pace, 1);
}

/* ---- reading ---- */

/* For the calling thread only, and only in the background. */
static void set_io_priority(const struct pipeline *pipeline, int class)
{
	if (pipeline->background)
		(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
			      IOPRIO_PRIO_VALUE(class, 0)); /* a favour to others */
}

static void close_file(struct work *work)
{
	vault_file_close(work->file);
	work->file = NULL;
}

/* Read the block that begins at `from` into memory. */
static int read_block(struct work *work, uint64_t from)
{
	struct pipeline *pipeline = work->pipeline;
	ssize_t n;
	int r = work->file ? 0 : vault_file_open(pipeline->vault, work->attr.id, &work->file);

	pipeline->block_size = 0;
	if (r < 0)
		return r;
	set_io_priority(pipeline, IOPRIO_CLASS_IDLE);
	n = vault_read(work->file, from, pipeline->block, BLOCK_SIZE);
	set_io_priority(pipeline, IOPRIO_CLASS_NONE);
	pace_own(&pipeline->pace, 1);
	if (n < 0)
		return (int)n;
	pipeline->block_from = from;
	pipeline->block_size = (size_t)n;
	return 0;
}

static int rest(struct work *work)
{
	if (pace_is_busy(&work->pipeline->pace))
		close_file(work);
	return pace_rest(&work->pipeline->pace);
}

/* Bytes of the block in memory; which block that is follows from `offset`. 0: there are none. */
static ssize_t copy_from_block(struct work *work, uint64_t offset, uint8_t *buffer, size_t size)
{
	struct pipeline *pipeline = work->pipeline;
	const uint64_t from = offset / BLOCK_SIZE * BLOCK_SIZE;
	const size_t at = (size_t)(offset - from);
	int r = 0;

	if (pipeline->block_size == 0 || from != pipeline->block_from)
		r = read_block(work, from);
	if (r < 0 || at >= pipeline->block_size)
		return r;
	if (size > pipeline->block_size - at)
		size = pipeline->block_size - at;
	memcpy(buffer, pipeline->block + at, size);
	return (ssize_t)size;
}

/* What the helper wants to see of the file. */
static ssize_t read_for_helper(void *context, uint64_t offset, void *buffer, size_t size)
{
	struct work *work = context;
	size_t done = 0;
	ssize_t n = 1;

	while (n > 0 && done < size) {
		n = copy_from_block(work, offset + done, (uint8_t *)buffer + done, size - done);
		done += n > 0 ? (size_t)n : 0;
	}
	close_file(work);
	if (n >= 0)
		n = rest(work);
	if (n < 0)
		work->error = (int)n;
	return n < 0 ? n : (ssize_t)done;
}

static int note_progress(struct work *work, uint64_t done, int64_t *next_ns)
{
	const int64_t now = clock_ns(CLOCK_MONOTONIC);
	int r;

	if (now < *next_ns || !work->pipeline->background)
		return 0;
	*next_ns = now + PROGRESS_MS * INT64_C(1000000);
	change_begin(work->pipeline, 0);
	r = vault_job_progress(work->pipeline->vault, &work->job,
			       (unsigned)(done / (work->attr.size / 100 + 1)));
	vault_change_end(work->pipeline->vault);
	return r;
}

/* The SHA-256 of the whole file. */
static int add_up(struct work *work)
{
	struct pipeline *pipeline = work->pipeline;
	int64_t next_ns = clock_ns(CLOCK_MONOTONIC) + PROGRESS_MS * INT64_C(1000000);
	uint64_t at = 0;
	int r = 0;

	while (r == 0 && at < work->attr.size) {
		r = read_block(work, at);
		if (r == 0 && pipeline->block_size == 0)
			break; /* it became shorter: that is a change, and seen later */
		if (r == 0)
			r = vault_sha256_add(pipeline->sum, pipeline->block, pipeline->block_size);
		at += pipeline->block_size;
		if (r == 0)
			r = rest(work);
		if (r == 0)
			r = note_progress(work, at, &next_ns);
	}
	close_file(work);
	if (vault_sha256_end(pipeline->sum, work->sha256) < 0 &&
	    r == 0) /* also to begin anew after a failure */
		r = -EIO;
	work->has_sha256 = r == 0;
	return r;
}

/* ---- what becomes of a job ---- */

static int end_job(struct work *work, enum pipeline_result result, unsigned attempts, const char *error)
{
	struct pipeline *pipeline = work->pipeline;
	int r;

	if (result == PIPELINE_DONE)
		r = vault_job_done(pipeline->vault, &work->job);
	else if (result == PIPELINE_AGAIN)
		r = vault_job_again(pipeline->vault, &work->job);
	else
		r = vault_job_failed(pipeline->vault, &work->job, attempts, error);
	return r < 0 ? r : 0;
}

/* The same with nothing to store. */
static int end_job_only(struct work *work, enum pipeline_result result, const char *error)
{
	int r;

	change_begin(work->pipeline, 0);
	r = end_job(work, result, 1, error);
	vault_change_end(work->pipeline->vault);
	return r;
}

/* Does the file still have the bytes that were read? A write moves its mtime. */
static bool is_unchanged(const struct work *work)
{
	struct vault_attr attr;

	return vault_getattr(work->pipeline->vault, work->attr.id, &attr) == 0 &&
	       attr.size == work->attr.size && attr.mtime_ns == work->attr.mtime_ns;
}

static int set_derived(struct pipeline *pipeline, uint64_t id, enum vault_derived kind, unsigned number,
		       const void *bytes, size_t size)
{
	int r;

	change_begin(pipeline, size);
	r = vault_set_derived(pipeline->vault, id, kind, number, bytes, size);
	vault_change_end(pipeline->vault);
	pace_own(&pipeline->pace, 1);
	return r;
}

/* Thumbnail and previews, each in a change of its own; what there is none of now goes. */
static int store_derived(struct work *work, const struct indexer_findings *findings)
{
	struct pipeline *pipeline = work->pipeline;
	const uint64_t id = work->attr.id;
	int r = 0;

	if (findings->thumbnail)
		r = set_derived(pipeline, id, VAULT_DERIVED_THUMBNAIL, 1, findings->thumbnail,
				findings->thumbnail_size);
	for (unsigned i = 0; r == 0 && i < findings->n_previews; i++)
		r = set_derived(pipeline, id, VAULT_DERIVED_PREVIEW, i + 1, findings->previews[i].bytes,
				findings->previews[i].size);
	if (r < 0)
		return r;
	change_begin(pipeline, 0);
	if (!findings->thumbnail)
		r = vault_drop_derived(pipeline->vault, id, VAULT_DERIVED_THUMBNAIL, 1);
	if (r == 0)
		r = vault_drop_derived(pipeline->vault, id, VAULT_DERIVED_PREVIEW, findings->n_previews + 1);
	vault_change_end(pipeline->vault);
	return r;
}

/* Everything else, and the end of the job, in one change. */
static int store_content(struct work *work, const struct indexer_findings *findings, const char *failure)
{
	struct pipeline *pipeline = work->pipeline;
	const struct vault_content content = {
		.sha256 = work->has_sha256 ? work->sha256 : NULL,
		.mime = findings->mime[0] ? findings->mime : NULL,
		.media_json = findings->media_json,
		.width = findings->width,
		.height = findings->height,
		.duration_ms = findings->duration_ms,
		.taken_at_ns = findings->taken_at_ns,
		.error = findings->trouble[0] ? findings->trouble
			 : !work->has_sha256 && !pipeline->options.types_only
				 ? "too many holes to be read whole"
				 : NULL,
		.read_at_ns = work->read_at_ns,
	};
	int r;

	change_begin(pipeline, 0);
	r = vault_set_content(pipeline->vault, work->attr.id, &content);
	/* The helper has made two attempts. */
	if (r == 0)
		r = end_job(work, failure ? PIPELINE_FAILED : PIPELINE_DONE, 2, failure);
	vault_change_end(pipeline->vault);
	return r;
}

static bool was_text(const struct work *work)
{
	char kind[8];
	const ssize_t n =
		vault_getxattr(work->pipeline->vault, work->attr.id, "user.vaultfs.kind", kind, sizeof(kind));

	return n == 4 && memcmp(kind, "text", 4) == 0;
}

/* Words to look for; none where there were some, and for what is taken for text and is not. */
static int store_text(struct work *work, const struct indexer_findings *findings)
{
	int r;

	if (!findings->text && !was_text(work) && strcmp(vault_kind_of_mime(findings->mime), "text") != 0)
		return 0;
	r = vault_set_text(work->pipeline->vault, work->attr.id, findings->text ? findings->text : "",
			   findings->text_size);
	pace_own(&work->pipeline->pace, 1);
	return r == -ENOENT ? -ESTALE : r; /* no commit has it yet, or it lost its name */
}

static int store(struct work *work, const struct indexer_findings *findings, const char *failure)
{
	int r = 0;

	if (!work->pipeline->options.types_only) {
		r = store_derived(work, findings);
		if (r == 0)
			r = store_text(work, findings);
	}
	return r < 0 ? r : store_content(work, findings, failure);
}

/* ---- looking into it ---- */

static const char *extension_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot != name ? dot + 1 : "";
}

static const char *stage_name(unsigned stage)
{
	switch (stage) {
	case STAGE_TYPE:
		return "its type";
	case STAGE_TEXT:
		return "its text";
	case STAGE_MEDIA:
		return "its media data";
	case STAGE_THUMBNAIL:
		return "a thumbnail";
	default:
		return "previews";
	}
}

/* Ask the helper, and store what it says. */
static int inspect(struct work *work, enum pipeline_result *ret_result)
{
	struct pipeline *pipeline = work->pipeline;
	const struct indexer_source source = { .size = work->attr.size,
					       .extension = extension_of(work->job.name),
					       .read = read_for_helper,
					       .context = work };
	unsigned wanted = pipeline->options.types_only ? STAGE_TYPE : STAGES_ALL;
	struct indexer_findings findings;
	char failure[64];
	int r;

	if (pipeline->options.no_previews)
		wanted &= ~(unsigned)STAGE_PREVIEWS;
	r = indexer_probe_inspect(pipeline->probe, &source, wanted, &findings);
	close_file(work);
	if (r == -ECANCELED || work->error == -ECANCELED) {
		r = -ECANCELED;
	} else if (r < 0 && work->error == 0 && findings.failed == 0) {
		r = -EAGAIN; /* there is no helper, or no memory for one: that says nothing of the file */
	} else if (work->error == 0) {
		if (findings.failed)
			(void)snprintf(failure, sizeof(failure), "the helper %s twice, looking for %s",
				       r == -ETIMEDOUT ? "hung" : "died", stage_name(findings.failed));
		*ret_result = r < 0 ? PIPELINE_FAILED : PIPELINE_DONE;
		r = is_unchanged(work) ? store(work, &findings, r < 0 ? failure : NULL) : -ESTALE;
	} else {
		r = work->error;
	}
	indexer_findings_release(&findings);
	return r;
}

/* 1 only attributes changed, and the job is done; 0 it has to be looked into. */
static int skip_if_same(struct work *work)
{
	struct pipeline *pipeline = work->pipeline;
	int r, ended;

	if (work->job.asked || !work->has_sha256 || !is_unchanged(work))
		return 0;
	change_begin(pipeline, 0);
	r = vault_content_same(pipeline->vault, work->attr.id, work->sha256, work->read_at_ns);
	ended = r > 0 ? end_job(work, PIPELINE_DONE, 0, NULL) : 0;
	vault_change_end(pipeline->vault);
	return ended < 0 ? ended : r;
}

/* 0 done; -ESTALE it changed meanwhile; -ECANCELED; -EAGAIN; others: it could not be read. */
static int look_into(struct work *work, enum pipeline_result *ret_result)
{
	struct pipeline *pipeline = work->pipeline;
	bool whole = !pipeline->options.types_only && work->attr.size - work->attr.mapped <= HOLES_MAX;
	int r = whole ? add_up(work) : 0;

	if (r == 0)
		r = skip_if_same(work);
	return r != 0 ? (r < 0 ? r : 0) : inspect(work, ret_result);
}

/* -ENOENT: there is nothing to look into. */
static int find_file(struct work *work)
{
	struct pipeline *pipeline = work->pipeline;
	int r = vault_getattr(pipeline->vault, work->job.inode, &work->attr);

	if (r < 0)
		return r;
	/* One without a name is about to be purged, which an open handle would prevent. */
	if (!S_ISREG(work->attr.mode) || work->attr.nlink == 0)
		return -ENOENT;
	r = work->job.asked ? 1 : vault_origin_is_deep(pipeline->vault, work->attr.id);
	return r == 0 ? -ENOENT : r < 0 ? r : 0;
}

static bool is_of_vault(int r)
{
	return r == -EROFS || r == -ENOSPC || r == -EDQUOT || r == -ENOMEM;
}

/* Every way a claimed job can go. */
static int work_on(struct work *work, enum pipeline_result *ret_result, uint64_t *ret_size)
{
	int r = find_file(work);

	*ret_result = PIPELINE_DONE;
	if (r == -ENOENT)
		return end_job_only(work, PIPELINE_DONE, NULL);
	*ret_size = work->attr.size;
	if (r == 0)
		r = look_into(work, ret_result);
	close_file(work);
	if (r == 0)
		return 0;
	if (r == -ECANCELED || r == -EAGAIN || r == -ESTALE || is_of_vault(r)) {
		int ended = end_job_only(work, PIPELINE_AGAIN, NULL);

		*ret_result = PIPELINE_AGAIN;
		return ended < 0 ? ended : r == -ESTALE ? 0 : r;
	}
	if (r == -ENOENT) /* purged meanwhile */
		return end_job_only(work, PIPELINE_DONE, NULL);
	*ret_result = PIPELINE_FAILED;
	return end_job_only(work, PIPELINE_FAILED, r == -EBADMSG ? "its bytes are damaged" : strerror(-r));
}

int pipeline_step(struct pipeline *pipeline, enum pipeline_result *ret_result, uint64_t *ret_size)
{
	struct work work = { .pipeline = pipeline, .read_at_ns = clock_ns(CLOCK_REALTIME) };
	int r;

	*ret_size = 0;
	pipeline->block_size = 0;
	pace_begin(&pipeline->pace);
	r = pace_sleep(&pipeline->pace, 0); /* is it to stop? */
	if (r < 0)
		return r;
	change_begin(pipeline, 0);
	r = vault_job_next(pipeline->vault, &work.job);
	vault_change_end(pipeline->vault);
	if (r <= 0)
		return r;
	r = work_on(&work, ret_result, ret_size);
	if (r == 0)
		r = pace_rest(&pipeline->pace);
	return r < 0 ? r : 1;
}

void pipeline_rest(struct pipeline *pipeline)
{
	indexer_probe_rest(pipeline->probe);
}

void pipeline_free(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	indexer_probe_free(pipeline->probe);
	vault_sha256_free(pipeline->sum);
	free(pipeline->block);
	free(pipeline);
}

int pipeline_new(struct vault *vault, const struct indexer_options *options, bool background, int cancel_fd,
		 struct pipeline **ret)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
	int r = 0;

	if (pipeline)
		pipeline->block = malloc(BLOCK_SIZE);
	if (!pipeline || !pipeline->block) {
		free(pipeline);
		return log_err(-ENOMEM, "no memory for the indexer");
	}
	pipeline->vault = vault;
	pipeline->options = *options;
	pipeline->background = background;
	pace_init(&pipeline->pace, background ? vault : NULL, cancel_fd);
	r = vault_sha256_new(&pipeline->sum);
	if (r == 0) {
		r = indexer_probe_new(options->helper, cancel_fd, &pipeline->probe);
		if (r < 0)
			(void)log_err(r, "no memory for the indexer");
	}
	if (r < 0) {
		pipeline_free(pipeline);
		return r;
	}
	*ret = pipeline;
	return 0;
}
