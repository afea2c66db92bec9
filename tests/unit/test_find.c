/* test_find.c - queries answered by a vault: what each term finds, in which order, and that indices find what conditions do. */
#include "fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <time.h>

#include "commit.h"
#include "find.h"
#include "../random.h"
#include "readers.h"

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

static void set(struct fixture *f, uint64_t id, const char *name, const char *value)
{
	assert_int_equal(CHANGE(f, vault_setxattr(f->vault, id, name, value, strlen(value), 0)), 0);
}

static int run_sql_locked(struct fixture *f, const char *sql)
{
	pthread_mutex_t *held = NULL;
	int r = commit_lock(f->vault, &held);

	if (r == 0)
		r = db_exec(&f->vault->db, sql);
	if (held)
		(void)pthread_mutex_unlock(held);
	return r;
}

/* For what only the indexer writes. */
static void run_sql(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void run_sql(struct fixture *f, const char *format, ...)
{
	char sql[1000];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	assert_int_equal(CHANGE(f, run_sql_locked(f, sql)), 0);
}

static void set_size(struct fixture *f, uint64_t id, uint64_t size)
{
	struct vault_attr values = { .size = size };

	assert_int_equal(CHANGE(f, vault_setattr(f->vault, id, VAULT_SET_SIZE, &values, NULL)), 0);
}

/* Noon of a day, local time. */
static int64_t noon_ns(int year, int month, int day)
{
	struct tm fields = {
		.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = 12, .tm_isdst = -1
	};

	return (int64_t)mktime(&fields) * 1000000000;
}

static void set_mtime(struct fixture *f, uint64_t id, int64_t ns)
{
	struct vault_attr values = { .mtime_ns = ns };

	assert_int_equal(CHANGE(f, vault_setattr(f->vault, id, VAULT_SET_MTIME, &values, NULL)), 0);
}

static void set_content(struct fixture *f, uint64_t id, const char *kind, const char *mime, const char *more)
{
	run_sql(f,
		"INSERT INTO content (inode_id, sha256, mime, kind, indexed_at, width, height, duration_ms, taken_at) "
		"VALUES (%" PRIu64 ", CAST(zeroblob(24) || '%08" PRIu64 "' AS BLOB), '%s', '%s', 0, %s)",
		id, id, mime, kind, more);
}

static void set_text(struct fixture *f, uint64_t id, const char *text)
{
	assert_int_equal(vault_sync(f->vault), 0);
	assert_int_equal(vault_set_text(f->vault, id, text, strlen(text)), 0);
}

/* A small library. */
static void fill(struct fixture *f)
{
	uint64_t photos = fixture_directory(f, VAULT_ROOT_ID, "Photos"),
		 rome = fixture_directory(f, photos, "Rome"),
		 videos = fixture_directory(f, VAULT_ROOT_ID, "Videos"),
		 best = fixture_directory(f, VAULT_ROOT_ID, "Best"),
		 trash = fixture_directory(f, VAULT_ROOT_ID, ".Trash-1000"),
		 gone = fixture_directory(f, trash, "files"),
		 other = fixture_directory(f, VAULT_ROOT_ID, "photos");
	uint64_t beach = fixture_file(f, photos, "beach.jpg"), img = fixture_file(f, rome, "IMG_1.JPG"),
		 film = fixture_file(f, videos, "film.mkv"), clip = fixture_file(f, videos, "Clip [2].mp4"),
		 notes = fixture_file(f, VAULT_ROOT_ID, "notes.txt"),
		 secret = fixture_file(f, photos, "secret.jpg"), old = fixture_file(f, gone, "gone.jpg");
	struct vault_attr attr;

	(void)fixture_file(f, other, "x.tar.gz");
	set(f, beach, "user.xdg.tags", "Holiday/Beach,sea");
	set(f, img, "user.xdg.tags", "place/italy/rome");
	set(f, clip, "user.xdg.tags", "holiday");
	set(f, old, "user.xdg.tags", "holiday");
	set(f, photos, "user.xdg.tags", "holiday");
	set(f, secret, "user.xdg.tags", "sea");
	set(f, beach, "user.baloo.rating", "9");
	set(f, img, "user.baloo.rating", "5");
	set(f, beach, "user.vaultfs.favorite", "1");
	set(f, secret, "user.vaultfs.hidden", "1");
	set(f, notes, "user.xdg.comment", "old lighthouse");
	set(f, film, "user.vaultfs.prediction", "1101");
	set(f, clip, "user.vaultfs.prediction", "0001");
	run_sql(f, "UPDATE assets SET seen_at = %" PRId64 " WHERE inode_id = %" PRIu64, noon_ns(2024, 3, 5),
		film);
	set_content(f, beach, "image", "image/jpeg", "4000, 3000, NULL, NULL");
	set_content(f, img, "image", "image/jpeg", "1920, 1080, NULL, NULL");
	run_sql(f, "UPDATE content SET taken_at = %" PRId64 " WHERE inode_id = %" PRIu64, noon_ns(2023, 7, 1),
		img);
	set_content(f, film, "video", "video/x-matroska", "1920, 1080, 5400000, NULL");
	set_content(f, clip, "video", "video/mp4", "640, 480, 60000, NULL");
	set_content(f, notes, "text", "text/plain", "NULL, NULL, NULL, NULL");
	set_size(f, film, 5u << 20);
	set_size(f, beach, 3000);
	set_size(f, clip, 1u << 20);
	set_mtime(f, beach, noon_ns(2024, 2, 29));
	set_mtime(f, img, noon_ns(2024, 2, 29));
	set_mtime(f, film, noon_ns(2022, 12, 31));
	set_text(f, notes, "The keeper of the lighthouse\n");
	set_text(f, film, "a keeper\n");
	assert_int_equal(CHANGE(f, vault_link(f->vault, film, best, "Zfilm.avi", &attr)), 0);
}

struct paths {
	char text[8000];
};

static int add_path(void *context, const struct vault_found *found)
{
	struct paths *paths = context;

	(void)strcat(strcat(paths->text, paths->text[0] ? " | " : ""), found->path);
	return 0;
}

static struct vault_query *parse(const char *text)
{
	struct vault_query *query = NULL;
	struct vault_query_error error;

	if (vault_query_parse(text, &query, &error) != 0)
		fail_msg("'%s': at %zu: %s", text, error.offset, error.message);
	return query;
}

static void check_find(struct fixture *f, const char *text, const struct vault_find_options *options,
		       const char *want)
{
	struct vault_query *query = parse(text);
	struct paths paths = { "" };
	int r = vault_find(f->vault, query, options, add_path, &paths);

	vault_query_free(query);
	if (r != 0 || strcmp(paths.text, want) != 0)
		fail_msg("'%s' finds (%d)\n  %s\nnot\n  %s", text, r, paths.text, want);
}

#define BEACH "Photos/beach.jpg"
#define IMG "Photos/Rome/IMG_1.JPG"
#define FILM "Videos/film.mkv"
#define CLIP "Videos/Clip [2].mp4"
#define NOTES "notes.txt"
#define TAR "photos/x.tar.gz"
#define AND " | "

static const struct {
	const char *query, *want; /* in the order of names */
} finds[] = {
	{ "", BEACH AND CLIP AND FILM AND IMG AND NOTES AND TAR },
	/* tags */
	{ "tag:holiday", BEACH AND CLIP },
	{ "tag:HOLIDAY/BEACH", BEACH },
	{ "tag:place", IMG },
	{ "tag:place/italy", IMG },
	{ "tag:plac", "" },
	{ "tag:nothing", "" },
	{ "-tag:nothing kind:video", CLIP AND FILM },
	{ "tag:holiday tag:sea", BEACH },
	{ "tag:holiday -tag:sea", CLIP },
	{ "tag:sea or tag:place", BEACH AND IMG },
	{ "tag:(holiday -sea)", CLIP },
	{ "tag:*", BEACH AND CLIP AND IMG },
	{ "untagged", FILM AND NOTES AND TAR },
	{ "-untagged", BEACH AND CLIP AND IMG },
	/* hidden, and the trash */
	{ "hidden", "Photos/secret.jpg" },
	{ "tag:sea (hidden or -hidden)", BEACH AND "Photos/secret.jpg" },
	{ "tag:holiday in:.Trash-1000", ".Trash-1000/files/gone.jpg" },
	{ "in:.trash-1000/files", ".Trash-1000/files/gone.jpg" },
	/* kinds and types */
	{ "kind:image", BEACH AND IMG },
	{ "kind:image,text", BEACH AND IMG AND NOTES },
	{ "-kind:image", CLIP AND FILM AND NOTES AND TAR },
	{ "-kind:*", TAR },
	{ "type:image/jpeg", BEACH AND IMG },
	{ "type:video", CLIP AND FILM },
	{ "type:mp4", CLIP },
	{ "type:matroska", FILM },
	{ "-type:*", TAR },
	/* names and folders */
	{ "ext:jpg", BEACH AND IMG },
	{ "ext:gz", TAR },
	{ "ext:tar.gz", TAR },
	{ "ext:g", "" },
	{ "ext:avi", FILM },
	{ "ext:mkv,avi", FILM },
	{ "name:*.jpg", BEACH AND IMG },
	{ "name:img", IMG },
	{ "name:=img_1.jpg", IMG },
	{ "name:=img", "" },
	{ "name:[!a-h]*.jpg", IMG },
	{ "name:\"clip [[]?].mp4\"", CLIP },
	{ "name:=\"clip [2].mp4\"", CLIP },
	{ "name:zfilm", FILM },
	{ "-name:film kind:video", CLIP },
	{ "in:Videos", CLIP AND FILM },
	{ "in:Best", FILM },
	{ "in:photos", BEACH AND IMG AND TAR },
	{ "in:PHOTOS/ROME", IMG },
	{ "in:Photos/Rom", "" },
	{ "in:nowhere", "" },
	{ "-in:photos", CLIP AND FILM AND NOTES },
	{ "in:videos -in:best", CLIP },
	/* numbers */
	{ "size:>1M", FILM },
	{ "size:1M..", CLIP AND FILM },
	{ "size:1M", CLIP },
	{ "size:<1M size:>0", BEACH },
	{ "length:>1m", FILM },
	{ "length:1m", CLIP },
	{ "length:1:30:00", FILM },
	{ "-length:*", BEACH AND IMG AND NOTES AND TAR },
	{ "width:>=1920", BEACH AND FILM AND IMG },
	{ "width:1920 height:<=1080", FILM AND IMG },
	{ "-width:>=1920", CLIP AND NOTES AND TAR },
	{ "rating:>=8", BEACH },
	{ "rating:5..9", BEACH AND IMG },
	{ "rating:<8", IMG },
	{ "rating:0", "" },
	{ "-rating:* kind:image,video", CLIP AND FILM },
	{ "quality:>50", FILM },
	{ "quality:75", FILM },
	{ "quality:..75", CLIP AND FILM },
	{ "quality:*", CLIP AND FILM },
	/* days */
	{ "date:2024-02-29", BEACH },
	{ "date:2023", IMG },
	{ "date:2022..2023", FILM AND IMG },
	{ "date:<2023-07-01", FILM },
	{ "date:<=2023-07-01", FILM AND IMG },
	{ "date:>2024", CLIP AND NOTES AND TAR },
	{ "date:today", CLIP AND NOTES AND TAR },
	{ "date:yesterday", "" },
	{ "modified:2024-02", BEACH AND IMG },
	{ "modified:<week", BEACH AND FILM AND IMG },
	{ "added:today kind:image", BEACH AND IMG },
	{ "added:<today", "" },
	{ "seen:2024-03", FILM },
	{ "seen:2023", "" },
	/* yes and no */
	{ "favorite", BEACH },
	{ "-favorite kind:image", IMG },
	{ "seen", FILM },
	{ "unseen kind:video", CLIP },
	{ "note:*", NOTES },
	/* words, in names, notes, tags and texts */
	{ "beach", BEACH },
	{ "BEACH sea", BEACH },
	{ "img", IMG },
	{ "im", "" },
	{ "im*", IMG },
	{ "lighthouse", NOTES },
	{ "\"old lighthouse\"", NOTES },
	{ "\"lighthouse old\"", "" },
	{ "lighthouse or rome", IMG AND NOTES },
	{ "lighthouse keeper", NOTES },
	{ "keeper -lighthouse", FILM },
	{ "keeper*", FILM AND NOTES },
	{ "-keeper kind:video,text", CLIP },
	{ "-keeper -beach kind:image", IMG },
	{ "(keeper or beach) kind:image", BEACH },
	{ "keeper or kind:image", BEACH AND FILM AND IMG AND NOTES },
	{ "(keeper kind:video) or tag:sea", BEACH AND FILM },
	{ "-(keeper or kind:image)", CLIP AND TAR },
	{ "note:lighthouse", NOTES },
	{ "note:keeper", "" },
	{ "note:lig*", NOTES },
	{ "note:(old -keeper)", NOTES },
	{ "holiday tag:holiday", BEACH AND CLIP },
	{ "secret", "" },
	{ "secret hidden", "Photos/secret.jpg" },
	{ "\"a \\\"quote\"", "" },
	{ "name:EACH", BEACH },
	{ "name:film*", FILM },
	{ "name:ilm.mk?", "" },
	/* people and dates from names */
	{ "person:anna", "" },
	{ "-person:* kind:video", CLIP AND FILM },
	/* put together */
	{ "kind:video (tag:holiday or seen)", CLIP AND FILM },
	{ "kind:video -(tag:holiday or seen)", "" },
	{ "(rating:9 kind:image) or (kind:video size:>1M)", BEACH AND FILM },
	{ "-(rating:<6 or kind:video)", BEACH AND NOTES AND TAR },
	{ "not (width:>1 height:>1)", NOTES AND TAR },
};

static void terms__find_their_files(void **state)
{
	static const struct vault_find_options by_name = { .sort = VAULT_SORT_NAME };
	struct fixture *f = *state;

	fill(f);
	for (size_t i = 0; i < N(finds); i++)
		check_find(f, finds[i].query, &by_name, finds[i].want);
}

static void names__tell_dates_and_people(void **state)
{
	static const struct {
		const char *query, *want;
	} rows[] = {
		{ "person:anna", "anna-2024-02-20_14-30-00.mp4" },
		{ "person:ANNA,carl", "anna-2024-02-20_14-30-00.mp4 | Carl-2023-01-01.jpg" },
		{ "person:*", "anna-2024-02-20_14-30-00.mp4 | Carl-2023-01-01.jpg" },
		{ "person:ann", "" },
		{ "date:2024-02-20", "anna-2024-02-20_14-30-00.mp4" },
		{ "date:..2024-02-19", "Carl-2023-01-01.jpg" },
		{ "date:2023..2024", "anna-2024-02-20_14-30-00.mp4 | Carl-2023-01-01.jpg" },
		{ "-date:today", "anna-2024-02-20_14-30-00.mp4 | Carl-2023-01-01.jpg" },
		{ "modified:2024", "" },
	};
	static const struct vault_find_options by_name = { .sort = VAULT_SORT_NAME };
	struct fixture *f = *state;

	(void)fixture_file(f, VAULT_ROOT_ID, "anna-2024-02-20_14-30-00.mp4");
	(void)fixture_file(f, VAULT_ROOT_ID, "Carl-2023-01-01.jpg");
	(void)fixture_file(f, VAULT_ROOT_ID, "nobody");
	for (size_t i = 0; i < N(rows); i++)
		check_find(f, rows[i].query, &by_name, rows[i].want);
}

/* What trigrams must not pass over. */
static void patterns__find_odd_names(void **state)
{
	static const struct {
		const char *name, *query;
	} rows[] = {
		{ "abc", "name:abc" },
		{ "a[b]c", "name:=a[b]c" },
		{ "a\"bcd", "name:\"a\\\"bcd\"" },
		{ "Größe.txt", "name:GRÖSSE or name:gröSSe or name:GRÖßE" },
		{ "日本語.png", "name:日本語" },
		{ "ПРИВЕТ", "name:привет" },
		{ "x\xff\xfeyzw", "name:yzw" },
		{ "x\xff\xfeyzv", "name:x\xff\xfeyzv" },
		{ "-]abc-", "name:*[]]abc-" },
		{ "q.abc.r", "name:q?abc*" },
		{ "e.x", "ext:x" },
		{ "e.Ж1", "ext:ж1" },
		{ "aab", "name:[^b]ab" },
		{ "l*m", "name:l[*]m" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < N(rows); i++)
		(void)fixture_file(f, VAULT_ROOT_ID, rows[i].name);
	for (size_t i = 0; i < N(rows); i++) {
		struct vault_query *query = parse(rows[i].query);
		struct paths paths = { "" };

		assert_int_equal(vault_find(f->vault, query, NULL, add_path, &paths), 0);
		if (!strstr(paths.text, rows[i].name))
			fail_msg("'%s' finds '%s', not '%s'", rows[i].query, paths.text, rows[i].name);
		vault_query_free(query);
	}
}

static void hashes__are_found_by_their_start(void **state)
{
	struct fixture *f = *state;
	uint64_t one = fixture_file(f, VAULT_ROOT_ID, "one"), two = fixture_file(f, VAULT_ROOT_ID, "two");

	run_sql(f,
		"INSERT INTO content (inode_id, sha256, indexed_at) VALUES (%" PRIu64
		", CAST(x'12345678' || zeroblob(28) AS BLOB), 0)",
		one);
	run_sql(f,
		"INSERT INTO content (inode_id, sha256, indexed_at) VALUES (%" PRIu64
		", CAST(x'123456789f' || zeroblob(27) AS BLOB), 0)",
		two);
	check_find(f, "sha256:12345678", NULL, "two | one");
	check_find(f, "sha256:123456789", NULL, "two");
	check_find(f, "sha256:123456780", NULL, "one");
	check_find(f, "sha256:123456789f0", NULL, "two");
	check_find(f, "sha256:12345677", NULL, "");
	check_find(f, "-sha256:123456789F", NULL, "one");
	check_find(f, "sha256:*", NULL, "two | one");
}

static void results__come_in_the_order_asked_for(void **state)
{
	static const struct {
		const char *query;
		struct vault_find_options options;
		const char *want;
	} rows[] = {
		{ "kind:image,video", { 0 }, CLIP AND FILM AND IMG AND BEACH },
		{ "kind:image,video", { .reverse = true }, BEACH AND IMG AND FILM AND CLIP },
		{ "kind:image,video", { .limit = 2 }, CLIP AND FILM },
		{ "kind:image,video", { .skip = 1, .limit = 2 }, FILM AND IMG },
		{ "kind:image,video", { .skip = 3, .limit = 2 }, BEACH },
		{ "kind:image,video", { .skip = 9 }, "" },
		{ "kind:image,video", { .sort = VAULT_SORT_SIZE }, FILM AND CLIP AND BEACH AND IMG },
		{ "kind:image,video",
		  { .sort = VAULT_SORT_SIZE, .reverse = true },
		  IMG AND BEACH AND CLIP AND FILM },
		{ "kind:image,video", { .sort = VAULT_SORT_SIZE, .skip = 1, .limit = 1 }, CLIP },
		{ "kind:image,video", { .sort = VAULT_SORT_DATE }, CLIP AND BEACH AND IMG AND FILM },
		{ "kind:image,video", { .sort = VAULT_SORT_RATING }, BEACH AND IMG AND CLIP AND FILM },
		{ "kind:image,video",
		  { .sort = VAULT_SORT_RATING, .reverse = true },
		  IMG AND BEACH AND FILM AND CLIP },
		{ "kind:image,video", { .sort = VAULT_SORT_QUALITY }, FILM AND CLIP AND IMG AND BEACH },
		{ "kind:image,video",
		  { .sort = VAULT_SORT_NAME, .limit = UINT64_MAX, .skip = 2 },
		  FILM AND IMG },
		{ "kind:image,video",
		  { .sort = VAULT_SORT_NAME, .reverse = true },
		  IMG AND FILM AND CLIP AND BEACH },
	};
	struct fixture *f = *state;

	fill(f);
	for (size_t i = 0; i < N(rows); i++)
		check_find(f, rows[i].query, &rows[i].options, rows[i].want);
}

static int stop_at_second(void *context, const struct vault_found *found)
{
	unsigned *n = context;

	(void)found;
	return ++*n == 2 ? 7 : 0;
}

static void emit__ends_it(void **state)
{
	static const struct vault_find_options by_size = { .sort = VAULT_SORT_SIZE };
	struct fixture *f = *state;
	struct vault_query *query = parse("");
	unsigned n = 0;

	fill(f);
	assert_int_equal(vault_find(f->vault, query, NULL, stop_at_second, &n), 7);
	assert_int_equal(n, 2);
	n = 0;
	assert_int_equal(vault_find(f->vault, query, &by_size, stop_at_second, &n), 7);
	assert_int_equal(n, 2);
	vault_query_free(query);
}

static int check_beach(void *context, const struct vault_found *found)
{
	bool *seen = context;

	assert_string_equal(found->path, BEACH);
	assert_string_equal(found->name, "beach.jpg");
	assert_string_equal(found->kind, "image");
	assert_string_equal(found->mime, "image/jpeg");
	assert_int_equal(found->attr.size, 3000);
	assert_int_equal(found->attr.nlink, 1);
	assert_int_equal(found->width, 4000);
	assert_int_equal(found->height, 3000);
	assert_int_equal(found->duration_ms, -1);
	assert_int_equal(found->rating, 9);
	assert_int_equal(found->quality, -1);
	assert_true(found->favorite && !found->hidden && !found->is_seen);
	assert_true(found->date_ns == noon_ns(2024, 2, 29));
	assert_null(found->note);
	assert_non_null(found->sha256);
	assert_int_equal(found->n_tags, 2);
	assert_string_equal(found->tags[0], "Holiday/Beach");
	assert_string_equal(found->tags[1], "sea");
	*seen = true;
	return 0;
}

static void results__tell_what_is_known(void **state)
{
	struct fixture *f = *state;
	struct vault_query *query = parse("favorite");
	bool seen = false;

	fill(f);
	assert_int_equal(vault_find(f->vault, query, NULL, check_beach, &seen), 0);
	assert_true(seen);
	vault_query_free(query);
}

static void below__is_a_folder(void **state)
{
	struct fixture *f = *state;
	struct vault_attr photos;
	struct vault_find_options options = { .sort = VAULT_SORT_NAME };

	fill(f);
	assert_int_equal(vault_lookup(f->vault, VAULT_ROOT_ID, "Photos", &photos), 0);
	options.below = photos.id;
	check_find(f, "", &options, BEACH AND IMG);
	check_find(f, "rating:<8", &options, IMG);
	options.below = VAULT_ROOT_ID;
	check_find(f, "kind:video", &options, CLIP AND FILM);
}

static void pages__go_on_behind_an_id(void **state)
{
	struct fixture *f = *state;
	struct vault_find_options options = { .limit = 2 };
	struct vault_attr film;

	fill(f);
	assert_int_equal(vault_resolve(f->vault, FILM, &film), 0);
	options.before = film.id;
	check_find(f, "kind:image,video", &options, IMG AND BEACH);
}

/* A path is longer than any that can be kept. */
static void deep_files__are_found(void **state)
{
	struct fixture *f = *state;
	uint64_t at = VAULT_ROOT_ID;
	struct vault_query *query = parse("name:deep");
	static struct paths paths;
	char name[251];

	memset(name, 'd', 250);
	name[250] = '\0';
	for (int i = 0; i < 15; i++)
		at = fixture_directory(f, at, name);
	for (int i = 0; i < 3; i++) {
		char longer[256] = "eeeee";

		at = fixture_directory(f, at, strcat(longer, name));
	}
	(void)fixture_file(f, at, "deep");
	assert_int_equal(vault_find(f->vault, query, NULL, add_path, &paths), 0);
	assert_int_equal(strlen(paths.text), 15 * 251 + 3 * 256 + 4);
	vault_query_free(query);
}

/* ---- other ways to open a vault ---- */

static void searches__work_beside_the_writer_and_read_only(void **state)
{
	static const unsigned flags[] = { VAULT_OPEN_SHARED, VAULT_OPEN_READ_ONLY };
	struct fixture *f = *state;

	fill(f);
	assert_int_equal(vault_search_sync(f->vault), 0);
	for (size_t i = 0; i < N(flags); i++) {
		const struct vault_open_options options = { .flags = flags[i] };
		struct vault *writer = f->vault;

		if (flags[i] == VAULT_OPEN_READ_ONLY)
			assert_int_equal(vault_close(TAKE(writer)), 0);
		assert_int_equal(vault_open(f->path, &options, &f->vault), 0);
		check_find(f, "tag:holiday tag:sea", NULL, BEACH);
		check_find(f, "keeper lighthouse", NULL, NOTES);
		check_find(f, "name:each.j", NULL, BEACH);
		assert_int_equal(vault_close(f->vault), 0);
		f->vault = writer;
	}
}

static void changes__show_at_once(void **state)
{
	struct fixture *f = *state;
	uint64_t id = fixture_file(f, VAULT_ROOT_ID, "a");

	check_find(f, "tag:new", NULL, "");
	set(f, id, "user.xdg.tags", "new");
	check_find(f, "tag:new", NULL, "a");
	assert_int_equal(CHANGE(f, vault_rename(f->vault, VAULT_ROOT_ID, "a", VAULT_ROOT_ID, "b", 0, NULL)),
			 0);
	check_find(f, "tag:new", NULL, "b");
	set(f, id, "user.xdg.tags", "other");
	check_find(f, "tag:new", NULL, "");
}

static void *search_often(void *context)
{
	struct fixture *f = context;
	struct vault_query *query = parse("tag:holiday");

	for (int i = 0; i < 50; i++) {
		struct paths paths = { "" };

		if (vault_find(f->vault, query, NULL, add_path, &paths) != 0 || !strstr(paths.text, BEACH))
			return context;
	}
	vault_query_free(query);
	return NULL;
}

/* More threads than there are readers. */
static void threads__search_side_by_side(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[10];
	void *result;

	fill(f);
	for (size_t i = 0; i < N(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, search_often, f), 0);
	for (size_t i = 0; i < N(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
}

/* ---- indices and conditions ---- */

static const char *const pool[] = {
	"tag:t1",     "tag:t2",      "tag:t3/x",        "tag:t3",     "tag:none",
	"kind:image", "kind:video",  "type:image/jpeg", "type:mp4",   "rating:5",
	"rating:>=8", "rating:*",    "favorite",        "hidden",     "seen",
	"untagged",   "quality:>40", "size:>500",       "width:>50",  "in:d1",
	"in:d1/d2",   "name:f1",     "ext:jpg",         "date:today", "t1",
	"jpg",        "t*",          "note:x",          "f1*",        "name:f1?.jpg",
};

/* A query of up to `depth` levels, in the text's spelling. */
static void random_query(struct random *random, unsigned depth, char *ret)
{
	size_t shape = random_below(random, depth > 0 ? 6 : 1);

	if (shape == 0) {
		(void)strcat(ret, pool[random_below(random, N(pool))]);
		return;
	}
	if (shape == 1) {
		(void)strcat(ret, "-(");
		random_query(random, depth - 1, ret);
	} else {
		(void)strcat(ret, "(");
		for (size_t n = random_below(random, 3) + 2; n > 0; n--) {
			random_query(random, depth - 1, ret);
			(void)strcat(ret, n == 1 ? "" : shape < 4 ? " " : " or ");
		}
	}
	(void)strcat(ret, ")");
}

static void fill_randomly(struct fixture *f, struct random *random)
{
	static const char *const tags[] = { "t1", "t2", "t3", "t3/x", "t1,t2", "t2,t3/x,t4", "" };
	static const char *const kinds[][2] = { { "image", "image/jpeg" },
						{ "video", "video/mp4" },
						{ "audio", "audio/mpeg" } };
	uint64_t places[3] = { VAULT_ROOT_ID };

	places[1] = fixture_directory(f, places[0], "d1");
	places[2] = fixture_directory(f, places[1], "d2");
	for (int i = 0; i < 200; i++) {
		char name[32], number[8];
		uint64_t id;
		const char *tag = tags[random_below(random, N(tags))];
		const char *const *kind = kinds[random_below(random, N(kinds))];

		(void)snprintf(name, sizeof(name), "f%d.%s", i, random_below(random, 2) ? "jpg" : "mp4");
		id = fixture_file(f, places[random_below(random, 3)], name);
		if (*tag)
			set(f, id, "user.xdg.tags", tag);
		(void)snprintf(number, sizeof(number), "%zu", random_below(random, 11));
		if (random_below(random, 2))
			set(f, id, "user.baloo.rating", number);
		if (random_below(random, 3) == 0)
			set(f, id, "user.vaultfs.favorite", "1");
		if (random_below(random, 5) == 0)
			set(f, id, "user.vaultfs.hidden", "1");
		if (random_below(random, 4) == 0)
			set(f, id, "user.vaultfs.prediction", random_below(random, 2) ? "0111" : "0001");
		if (random_below(random, 4))
			set_content(f, id, kind[0], kind[1],
				    random_below(random, 2) ? "100, 1, 1, NULL" : "NULL, NULL, NULL, NULL");
		set_size(f, id, random_below(random, 1000));
	}
}

/* Every file, one by one, is what the indices give, and in their order. */
static void check_stream(const struct query_context *context, const char *text)
{
	struct vault_query *query = parse(text);
	struct find *stream = NULL, *test = NULL;
	struct find_match match, one;
	uint64_t before = 1000;
	int r;

	assert_int_equal(find_open(context, query, NULL, &stream), 0);
	assert_int_equal(find_open_test(context, query, &test), 0);
	do {
		r = find_next(stream, INT64_MAX, &match);
		assert_true(r >= 0);
		for (uint64_t id = before - 1; id > (r == 1 ? match.id : 0); id--)
			if (find_test(test, id, &one) != 0)
				fail_msg("'%s': inode %" PRIu64 " is missed", text, id);
		if (r == 1 && find_test(test, match.id, &one) != 1)
			fail_msg("'%s': inode %" PRIu64 " does not match", text, match.id);
		before = match.id;
	} while (r == 1);
	find_close(stream);
	find_close(test);
	vault_query_free(query);
}

static void indices__find_what_conditions_do(void **state)
{
	struct fixture *f = *state;
	struct random random = { random_seed() };
	struct reader *reader = NULL;
	struct query_context context;
	struct vault_query *words;

	print_message("VAULTFS_TEST_SEED=%ju\n", (uintmax_t)random.state);
	fill_randomly(f, &random);
	words = parse("a");
	assert_int_equal(reader_get_for(f->vault, words, &reader), 0);
	vault_query_free(words);
	context = reader_context(reader);
	assert_true(context.has_search && context.search_complete);
	for (int i = 0; i < 400; i++) {
		char text[VAULT_QUERY_MAX] = "";

		random_query(&random, 3, text);
		check_stream(&context, text);
	}
	reader_put(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(terms__find_their_files),
		FIXTURE_TEST(names__tell_dates_and_people),
		FIXTURE_TEST(patterns__find_odd_names),
		FIXTURE_TEST(hashes__are_found_by_their_start),
		FIXTURE_TEST(results__come_in_the_order_asked_for),
		FIXTURE_TEST(emit__ends_it),
		FIXTURE_TEST(results__tell_what_is_known),
		FIXTURE_TEST(below__is_a_folder),
		FIXTURE_TEST(pages__go_on_behind_an_id),
		FIXTURE_TEST(deep_files__are_found),
		FIXTURE_TEST(searches__work_beside_the_writer_and_read_only),
		FIXTURE_TEST(changes__show_at_once),
		FIXTURE_TEST(threads__search_side_by_side),
		FIXTURE_TEST(indices__find_what_conditions_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
