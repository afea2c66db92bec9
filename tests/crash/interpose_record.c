/* interpose_record.c - the mode "record": every change goes into a log. See interpose.h for the log's form.
 *
 * The log begins with what is below the root already, as if it had just been made and flushed; so it says all that there
 * is to know. A flush stands there twice, before and after: what is written in between is not covered by it. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_SIZE 65536u
#define IOV_MAX_HERE 16

static struct {
	int fd;
	uint64_t n_syncs; /* begun so far; guarded by the interposer's lock */
} recorder = { .fd = -1 };

/* Append a record; its sizes of names and data are set here. */
static void put(struct log_record *record, const char *name, const char *other_name, const struct iovec *data,
		int n_data)
{
	struct iovec iov[IOV_MAX_HERE];
	size_t size = 0;
	int n = 3;

	if (n_data > IOV_MAX_HERE - 3)
		interpose_die("a write in %d pieces is not supported", n_data);
	record->magic = LOG_MAGIC;
	record->name_size = (uint8_t)strlen(name);
	record->other_name_size = (uint8_t)strlen(other_name);
	iov[0] = (struct iovec){ record, sizeof(*record) };
	iov[1] = (struct iovec){ (void *)name, record->name_size };
	iov[2] = (struct iovec){ (void *)other_name, record->other_name_size };
	for (int i = 0; i < n_data; i++) {
		iov[n++] = data[i];
		record->data_size += data[i].iov_len;
	}
	for (int i = 0; i < n; i++)
		size += iov[i].iov_len;
	if (interpose_real_writev(recorder.fd, iov, n) != (ssize_t)size)
		interpose_die("cannot write the log: %s", strerror(errno));
}

static void put_plain(enum log_kind kind, uint64_t file, uint64_t offset, uint64_t size)
{
	struct log_record record = { .kind = (uint16_t)kind, .file = file, .offset = offset, .size = size };

	put(&record, "", "", NULL, 0);
}

/* ---- what is there already ---- */

static int found(void *context, const struct interpose_file *directory, const struct interpose_file *file,
		 int fd)
{
	struct log_record make = { .kind = LOG_CREATE, .file = directory->number, .other = file->number };
	uint8_t bytes[PIECE_SIZE];
	struct iovec iov = { bytes, 0 };
	uint64_t offset = 0;
	struct stat st;
	ssize_t n;

	(void)context;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		make.kind = LOG_MKDIR;
	put(&make, file->name, "", NULL, 0);
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? 0 : -EINVAL;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		struct log_record write = { .kind = LOG_WRITE, .file = file->number, .offset = offset };

		iov.iov_len = (size_t)n;
		if (bytes[0] != 0 || memcmp(bytes, bytes + 1, (size_t)n - 1) != 0)
			put(&write, "", "", &iov, 1);
		offset += (uint64_t)n;
	}
	put_plain(LOG_GROW, file->number, 0, offset);
	return n < 0 ? -errno : 0;
}

static int start(const char *log)
{
	int r;

	if (!log)
		return -EINVAL;
	recorder.fd = interpose_real_openat(AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC,
					    0600);
	if (recorder.fd < 0)
		return -errno;
	recorder.n_syncs = 1;
	r = interpose_each(found, NULL);
	put_plain(LOG_SYNC_BEGIN, 0, 0, 0);
	put_plain(LOG_SYNC_END, 0, recorder.n_syncs, 0);
	return r;
}

static void stop(void)
{
	(void)close(recorder.fd); /* read back by this machine only */
	recorder.fd = -1;
}

/* ---- while it runs ---- */

static int enter(struct interpose_call *call)
{
	if (call->kind == INTERPOSE_SYNC) {
		call->ticket = ++recorder.n_syncs;
		put_plain(LOG_SYNC_BEGIN, call->file ? call->file->number : 0, 0, 0);
	}
	return 0;
}

/* The first `size` bytes of a write. */
static void put_write(const struct interpose_call *call, uint64_t size)
{
	struct log_record record = { .kind = LOG_WRITE, .file = call->file->number, .offset = call->offset };
	struct iovec iov[IOV_MAX_HERE];
	int n = 0;

	for (; n < call->n_iov && n < IOV_MAX_HERE && size > 0; n++) {
		iov[n] = call->iov[n];
		if (iov[n].iov_len > size)
			iov[n].iov_len = size;
		size -= iov[n].iov_len;
	}
	if (size > 0)
		interpose_die("a write in %d pieces is not supported", call->n_iov);
	put(&record, "", "", iov, n);
}

static void put_allocate(const struct interpose_call *call)
{
	uint64_t number = call->file->number;

	if (call->allocate_mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		interpose_die("fallocate with mode %x is not supported", (unsigned)call->allocate_mode);
	if (call->allocate_mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		put_plain(LOG_ZERO, number, call->offset, call->size);
	if (!(call->allocate_mode & FALLOC_FL_KEEP_SIZE))
		put_plain(LOG_GROW, number, 0, call->offset + call->size);
}

static void put_names(const struct interpose_call *call, enum log_kind kind)
{
	struct log_record record = { .kind = (uint16_t)kind,
				     .file = call->file->number,
				     .other = call->other ? call->other->number : 0 };

	put(&record, call->name, call->other_name, NULL, 0);
}

static void leave(struct interpose_call *call, int64_t result)
{
	if (result < 0)
		return;
	switch (call->kind) {
	case INTERPOSE_WRITE:
		put_write(call, (uint64_t)result);
		break;
	case INTERPOSE_TRUNCATE:
		put_plain(LOG_SIZE, call->file->number, 0, call->size);
		break;
	case INTERPOSE_ALLOCATE:
		put_allocate(call);
		break;
	case INTERPOSE_SYNC:
		put_plain(LOG_SYNC_END, call->file ? call->file->number : 0, call->ticket, 0);
		break;
	case INTERPOSE_MAP:
		put_plain(LOG_MAPPED, call->file->number, 0, 0);
		break;
	case INTERPOSE_CREATE:
		put_names(call, LOG_CREATE);
		break;
	case INTERPOSE_MKDIR:
		put_names(call, LOG_MKDIR);
		break;
	case INTERPOSE_LINK:
		put_names(call, LOG_LINK);
		break;
	case INTERPOSE_UNLINK:
		put_names(call, LOG_UNLINK);
		break;
	case INTERPOSE_RENAME:
		put_names(call, LOG_RENAME);
		break;
	}
}

int interpose_mark_in(const char *log)
{
	if (recorder.fd >= 0)
		stop();
	if (log)
		recorder.fd = interpose_real_openat(AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	return log && recorder.fd < 0 ? -errno : 0;
}

void interpose_mark(const void *data, size_t size)
{
	struct log_record record = { .kind = LOG_MARK };
	struct iovec iov = { (void *)data, size };

	if (recorder.fd >= 0)
		put(&record, "", "", &iov, 1);
}

const struct interpose_mode interpose_record = {
	.name = "record", .start = start, .enter = enter, .leave = leave, .stop = stop
};
