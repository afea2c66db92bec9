/* playlist.c - what can be played of a listing, as extended M3U. See library.h.
 *
 * A line is a path, unless it starts with '#': then it is a comment, so "./" goes before such a name. A name with a line break
 * in it cannot be written at all, and is left out; in titles control characters become spaces. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "casefold.h"
#include "kind.h"
#include "listing_names.h"
#include "listing_queries.h"
#include "readers.h"

#define TITLE_MAX 1000 /* bytes */

/* On one line: what players take for the end of it becomes a space, bytes that are no UTF-8 a '?'. */
static void print_title(FILE *out, const char *title, size_t size)
{
	const bool valid = utf8_is_valid(title, size);

	for (size_t i = 0; i < size; i++) {
		const unsigned char c = (unsigned char)title[i];

		(void)fputc(c < ' ' || c == 0x7f  ? ' '
			    : c >= 0x80 && !valid ? '?'
						  : c,
			    out); /* ferror() is asked at the end */
	}
}

static void print_entry(FILE *out, sqlite3_stmt *media, const char *name)
{
	const char *title = (const char *)sqlite3_column_text(media, 2);
	const int title_size = title ? sqlite3_column_bytes(media, 2) : 0;
	const bool has_title = title_size > 0 && title_size <= TITLE_MAX;
	/* Rounded to seconds; nothing that is known is shorter than one, as 0 would be taken for unknown. */
	const int64_t ms = sqlite3_column_type(media, 1) == SQLITE_NULL ? -1 : sqlite3_column_int64(media, 1);
	const int64_t seconds = ms < 0 ? -1 : ms < 1000 ? 1 : ms / 1000 + (ms % 1000 >= 500);

	(void)fprintf(out, "#EXTINF:%" PRId64 ",", seconds);
	if (has_title)
		print_title(out, title, (size_t)title_size);
	else
		print_title(out, name, listing_extension(name, strlen(name)));
	(void)fprintf(out, "\n%s%s\n", name[0] == '#' ? "./" : "", name);
}

/* Videos and sound files only. */
static int add_file(FILE *out, struct reader *reader, uint64_t id, const char *name)
{
	AUTO(query) sqlite3_stmt *media = db_query(&reader->db, DB_SET_listing, LISTING_MEDIA);
	const char *kind;
	int r;

	bind_u64(media, 1, id);
	r = db_step(&reader->db, media);
	kind = r == 1 ? (const char *)sqlite3_column_text(media, 0) : NULL;
	if (kind && (strcmp(kind, kind_name(KIND_VIDEO)) == 0 || strcmp(kind, kind_name(KIND_AUDIO)) == 0))
		print_entry(out, media, name);
	return r < 0 ? r : 0;
}

static int print_all(FILE *out, struct vault *vault, const struct vault_snapshot *snapshot)
{
	AUTO(reader) struct reader *reader = NULL;
	char name[VAULT_NAME_MAX + 1];
	int r = reader_get_for(vault, NULL, &reader);

	(void)fputs("#EXTM3U\n", out); /* as above */
	for (size_t i = 0; r == 0 && i < vault_snapshot_size(snapshot); i++) {
		const uint64_t id = vault_snapshot_get(snapshot, i, name);

		if (!strpbrk(name, "\r\n"))
			r = add_file(out, reader, id, name);
	}
	return r;
}

int vault_snapshot_playlist(struct vault *vault, const struct vault_snapshot *snapshot, char **ret_text,
			    size_t *ret_size)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool failed = !out;
	int r = out ? print_all(out, vault, snapshot) : 0;

	if (out) {
		failed = ferror(out) != 0;
		failed = fclose(out) != 0 || failed;
	}
	if (failed && r == 0)
		r = log_err(-ENOMEM, "%s: no memory for a playlist", vault_path(vault));
	if (r < 0) {
		free(text);
		return r;
	}
	*ret_text = text;
	*ret_size = size;
	return 0;
}
