/* id_stream.c - ids in descending order from several indices. See id_stream.h. */
#include "id_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "log.h"

enum stream_kind { STREAM_SELECT, STREAM_ANY, STREAM_EACH };

struct id_stream {
	enum stream_kind kind;
	struct db *db;
	sqlite3_stmt *statement; /* of a select */
	unsigned seek;
	bool started, ended;
	uint64_t at;              /* while started and not ended: the last id that was read */
	struct id_stream **parts; /* of the others */
	size_t n_parts, room;
};

static int stream_new(struct db *db, enum stream_kind kind, struct id_stream **ret)
{
	struct id_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return log_err(-ENOMEM, "no memory for a search");
	stream->kind = kind;
	stream->db = db;
	*ret = stream;
	return 0;
}

int id_stream_select(struct db *db, const struct sql_text *sql, unsigned seek, struct id_stream **ret)
{
	AUTO(id_stream) struct id_stream *stream = NULL;
	int r = stream_new(db, STREAM_SELECT, &stream);

	if (r < 0)
		return r;
	stream->seek = seek;
	r = sql_prepare(sql, db, &stream->statement);
	if (r < 0)
		return r;
	*ret = TAKE(stream);
	return 0;
}

int id_stream_any(struct db *db, struct id_stream **ret)
{
	return stream_new(db, STREAM_ANY, ret);
}

int id_stream_each(struct db *db, struct id_stream **ret)
{
	return stream_new(db, STREAM_EACH, ret);
}

int id_stream_add(struct id_stream *stream, struct id_stream *part)
{
	if (stream->n_parts == stream->room) {
		size_t room = 2 * stream->room + 4;
		struct id_stream **parts = reallocarray(stream->parts, room, sizeof(struct id_stream *));

		if (!parts) {
			id_stream_free(part);
			return log_err(-ENOMEM, "no memory for a search");
		}
		stream->parts = parts;
		stream->room = room;
	}
	stream->parts[stream->n_parts++] = part;
	return 0;
}

void id_stream_free(struct id_stream *stream)
{
	if (!stream)
		return;
	for (size_t i = 0; i < stream->n_parts; i++)
		id_stream_free(stream->parts[i]);
	free(stream->parts);
	(void)sqlite3_finalize(stream->statement); /* repeats the error of the last step */
	free(stream);
}

static int step(struct id_stream *stream)
{
	int r = sql_step(stream->db, stream->statement);

	if (r == 1)
		stream->at = column_u64(stream->statement, 0);
	stream->ended = r != 1;
	return r;
}

static int seek(struct id_stream *stream, uint64_t most)
{
	(void)sqlite3_reset(stream->statement); /* it was read without an error so far */
	bind_u64(stream->statement, 1, most);
	stream->started = true;
	return step(stream);
}

static int select_next(struct id_stream *stream, uint64_t most, uint64_t *ret)
{
	int r = 1;

	if (stream->started && !stream->ended)
		for (unsigned i = 0; r == 1 && stream->at > most && i < stream->seek; i++)
			r = step(stream);
	if (r < 0 || stream->ended)
		return r < 0 ? r : 0;
	if (!stream->started || stream->at > most)
		r = seek(stream, most);
	if (r == 1)
		*ret = stream->at;
	return r;
}

static int any_next(struct id_stream *stream, uint64_t most, uint64_t *ret)
{
	uint64_t best = 0;
	int found = 0;

	for (size_t i = 0; i < stream->n_parts; i++) {
		uint64_t id = 0;
		int r = id_stream_next(stream->parts[i], most, &id);

		if (r < 0)
			return r;
		if (r == 1 && (!found || id > best))
			best = id;
		found = found || r == 1;
	}
	*ret = best;
	return found;
}

static int each_next(struct id_stream *stream, uint64_t most, uint64_t *ret)
{
	size_t n_agree = 0;

	if (stream->n_parts == 0)
		return 0;
	for (size_t i = 0; n_agree < stream->n_parts; i = (i + 1) % stream->n_parts) {
		uint64_t id = 0;
		int r = id_stream_next(stream->parts[i], most, &id);

		if (r <= 0)
			return r;
		n_agree = id == most || n_agree == 0 ? n_agree + 1 : 1;
		most = id;
	}
	*ret = most;
	return 1;
}

int id_stream_next(struct id_stream *stream, uint64_t most, uint64_t *ret)
{
	switch (stream->kind) {
	case STREAM_SELECT:
		return select_next(stream, most, ret);
	case STREAM_ANY:
		return any_next(stream, most, ret);
	case STREAM_EACH:
		break;
	}
	return each_next(stream, most, ret);
}
