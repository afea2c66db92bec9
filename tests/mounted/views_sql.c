/* views_sql.c - thousands of random changes of files, tags and their rules through a mount; then folders of .views, against
 * what plain SQL finds in the vault's database.
 *
 * Every change may be refused: names come from small pools, so that they meet. What a change through a view did is read back
 * from the file. Nothing here asks vaultfs what a folder should show.
 * Usage: views_sql MOUNT VAULT STEPS SEED     seed 0: a new one; no steps: only looks
 * VAULTFS is the command, for `vaultfs sync`. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <sqlite3.h>

#include "../random.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum { PATH_ROOM = 1024, ENTRIES_MAX = 1000, STEPS_PER_LOOK = 40, DEPTH_MAX = 3 };

static const char *const tags[] = { "red",     "Blue",	 "place",      "place/italy", "place/italy/Rome", "place/Red", "Beach",
				    "beach/sand", "holiday", "äpfel", "two words",   "holiday/red",	  "strand" };
static const char *const aliases[] = { "strand", "foto" };
static const char *const directories[] = { "one", "one/in", "two", "two/in", "three", ".Trash", ".Trash-1000" };
static const char *const words[] = { "alpha", "bravo", "carol", "delta" };
static const char *const endings[] = { ".txt", ".jpg", ".tar.gz", "" };
/* Called like folders, and like a person's of a day. */
static const char *const odd_names[] = { "red", "Red", "italy", "beach", "PLAYLIST.m3u8",
					 "someone-2024-02-20_14-30-00.mp4", "someone-2023-11-02_10-00-00.mp4" };

struct entry {
	char name[256];
	uint64_t ino;
	bool is_folder;
};

static const char *mount_point;
static struct random source;
static struct sqlite3 *db;
static int step;
static struct {
	const char *name;
	int done;
} counts[16];

static _Noreturn void fail(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fprintf(stderr, "views_sql: step %d: ", step);
	vfprintf(stderr, format, list);
	fprintf(stderr, "\n");
	va_end(list);
	exit(1);
}

static size_t below(size_t n)
{
	return random_below(&source, n);
}

#define PICK(array) ((array)[below(LENGTH(array))])

static void path_in(char path[PATH_ROOM], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void path_in(char path[PATH_ROOM], const char *format, ...)
{
	va_list list;
	int n = snprintf(path, PATH_ROOM, "%s/", mount_point);

	va_start(list, format);
	n += vsnprintf(path + n, PATH_ROOM - (size_t)n, format, list);
	va_end(list);
	if (n >= PATH_ROOM)
		fail("a path is too long");
}

static void count(const char *name, bool done)
{
	for (size_t i = 0; done && i < LENGTH(counts); i++) {
		if (counts[i].name && strcmp(counts[i].name, name) != 0)
			continue;
		counts[i].name = name;
		counts[i].done++;
		return;
	}
}

/* ---- directories ---- */

static int by_ino(const void *a, const void *b)
{
	const struct entry *one = a, *two = b;

	return one->is_folder != two->is_folder ? one->is_folder - two->is_folder
	       : one->is_folder		       ? strcasecmp(one->name, two->name)
	       : one->ino < two->ino	       ? -1
					       : one->ino > two->ino;
}

/* All of a directory but playlists; files by inode, folders by name. -1: there is none. */
static int read_directory(const char *path, struct entry entries[ENTRIES_MAX])
{
	DIR *directory = opendir(path);
	struct dirent *found;
	int n = 0;

	if (!directory)
		return -1;
	while ((errno = 0, found = readdir(directory))) {
		if (found->d_name[0] == '.' || (strcmp(found->d_name, "PLAYLIST.m3u8") == 0 && strstr(path, "/.views/")))
			continue;
		if (n == ENTRIES_MAX)
			fail("%s: more entries than were ever made", path);
		entries[n] = (struct entry){ .ino = found->d_ino, .is_folder = found->d_type == DT_DIR };
		snprintf(entries[n++].name, sizeof(entries->name), "%s", found->d_name);
	}
	if (errno)
		fail("%s: %s", path, strerror(errno));
	closedir(directory);
	qsort(entries, (size_t)n, sizeof(*entries), by_ino);
	return n;
}

/* Some file of a directory; its path goes to `path`. */
static bool some_file(char path[PATH_ROOM], const char *directory, char name[256])
{
	static struct entry entries[ENTRIES_MAX];
	char at[PATH_ROOM];
	int n, n_files = 0;

	path_in(at, "%s", directory);
	n = read_directory(at, entries);
	while (n_files < n && !entries[n_files].is_folder)
		n_files++;
	if (n_files == 0)
		return false;
	snprintf(name, 256, "%s", entries[below((size_t)n_files)].name);
	path_in(path, "%s/%s", directory, name);
	return true;
}

static void some_name(char name[256])
{
	if (below(10) == 0)
		snprintf(name, 256, "%s", PICK(odd_names));
	else
		snprintf(name, 256, "%s %s %zu%s", PICK(words), PICK(words), below(6), PICK(endings));
}

static void tag_folder(char path[PATH_ROOM], const char *tag)
{
	path_in(path, ".views/tags/%s", tag);
}

/* ---- changes of files ---- */

static void make_file(void)
{
	char path[PATH_ROOM], name[256];
	int fd;

	some_name(name);
	path_in(path, "%s/%s", PICK(directories), name);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
	count("create", fd >= 0);
	if (fd >= 0)
		close(fd);
}

static void change_name(void)
{
	char from[PATH_ROOM], to[PATH_ROOM], name[256];

	if (!some_file(from, PICK(directories), name))
		return;
	some_name(name);
	path_in(to, "%s/%s", PICK(directories), name);
	switch (below(4)) {
	case 0:
		count("unlink", unlink(from) == 0);
		break;
	case 1:
		count("link", link(from, to) == 0);
		break;
	default:
		count("rename", rename(from, to) == 0);
	}
}

static void change_directory(void)
{
	const char *one = PICK(directories), *other = PICK(directories);
	char from[PATH_ROOM], to[PATH_ROOM];

	path_in(from, "%s", one);
	path_in(to, "%s", other);
	switch (below(4)) {
	case 0:
		count("rename of a directory", rename(from, to) == 0);
		break;
	case 1:
		count("rmdir", rmdir(from) == 0);
		break;
	default:
		count("mkdir", mkdir(from, 0755) == 0);
	}
}

static void set_attribute(void)
{
	static const char *const attributes[] = { "user.vaultfs.favorite", "user.vaultfs.hidden", "user.vaultfs.hidden" };
	char path[PATH_ROOM], name[256], text[512] = "";

	if (!some_file(path, PICK(directories), name))
		return;
	switch (below(6)) {
	case 0:
		snprintf(text, sizeof(text), "%zu", below(11));
		count("rating", setxattr(path, "user.baloo.rating", text, strlen(text), 0) == 0);
		break;
	case 1:
		count("favorite", setxattr(path, PICK(attributes), below(3) ? "0" : "1", 1, 0) == 0);
		break;
	case 2:
		count("favorite", setxattr(path, "user.vaultfs.favorite", "1", 1, 0) == 0);
		break;
	case 3:
		count("removexattr", removexattr(path, "user.xdg.tags") == 0);
		break;
	default:
		for (size_t i = below(4); i > 0; i--)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? "," : "", PICK(tags));
		count("tags", setxattr(path, "user.xdg.tags", text, strlen(text), 0) == 0);
	}
}

/* ---- changes through views ---- */

static const char *tags_of(const char *path)
{
	static char text[4096];
	ssize_t n = getxattr(path, "user.xdg.tags", text, sizeof(text) - 1);

	if (n < 0 && errno != ENODATA)
		fail("%s: its tags: %s", path, strerror(errno));
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* Has the file the tag, or one below it? By its attribute. */
static bool has_tag(const char *path, const char *tag)
{
	char text[4096];
	size_t size = strlen(tag);

	snprintf(text, sizeof(text), "%s", tags_of(path));
	for (char *one = strtok(text, ","); one; one = strtok(NULL, ","))
		if (strncasecmp(one, tag, size) == 0 && (one[size] == '\0' || one[size] == '/'))
			return true;
	return false;
}

static bool is_alias(const char *tag)
{
	for (size_t i = 0; i < LENGTH(aliases); i++)
		if (strcasecmp(tag, aliases[i]) == 0)
			return true;
	return false;
}

static void link_into_tag(void)
{
	const char *tag = PICK(tags);
	char path[PATH_ROOM], folder[PATH_ROOM], to[PATH_ROOM * 2], name[256];
	struct stat before, after;

	if (!some_file(path, PICK(directories), name) || stat(path, &before) < 0)
		return;
	tag_folder(folder, tag);
	snprintf(to, sizeof(to), "%s/%s", folder, name);
	if (link(path, to) < 0)
		return;
	count("ln", true);
	/* What an alias leads to, or which tag a second step is, depends on what there is. */
	if (!is_alias(tag) && !strchr(tag, '/') && !has_tag(path, tag) && !has_tag(path, aliases[0]) && !has_tag(path, aliases[1]))
		fail("ln %s %s: its tags are %s", path, to, tags_of(path));
	if (stat(path, &after) < 0 || after.st_nlink != before.st_nlink)
		fail("ln %s %s changed the number of its links", path, to);
}

/* STEM~ID.EXT, of names of the pools. */
static void other_name(const char *name, uint64_t id, char ret[300])
{
	const char *dot = strstr(name, ".tar.gz");

	if (!dot)
		dot = strrchr(name, '.');
	if (!dot)
		dot = name + strlen(name);
	snprintf(ret, 300, "%.*s~%" PRIu64 "%s", (int)(dot - name), name, id, dot);
}

/* Its number finds the file again. */
static bool same_file(const char *path, ino_t ino)
{
	struct stat info;

	return stat(path, &info) == 0 && info.st_ino == ino;
}

static void move_or_remove(void)
{
	const char *tag = PICK(tags), *other = PICK(tags);
	char folder[PATH_ROOM], path[PATH_ROOM], to[PATH_ROOM * 2], name[256], numbered[300], real[PATH_ROOM];
	struct stat info;

	snprintf(folder, sizeof(folder), ".views/tags/%s", tag);
	if (!some_file(path, folder, name))
		return;
	if (stat(path, &info) < 0)
		fail("%s is listed: %s", path, strerror(errno));
	if (strchr(name, '~'))
		snprintf(numbered, sizeof(numbered), "%s", name);
	else
		other_name(name, info.st_ino, numbered);
	path_in(real, ".views/search/size:>=0/%s", numbered);
	if (!same_file(real, info.st_ino))
		fail("%s is not found by its number, as %s: %s", path, real, strerror(errno));
	if (below(2)) {
		if (unlink(path) < 0)
			return;
		count("rm", true);
		other = NULL;
	} else {
		tag_folder(to, other);
		snprintf(to + strlen(to), sizeof(to) - strlen(to), "/%s", name);
		if (rename(path, to) < 0 || strcasecmp(tag, other) == 0)
			return;
		count("mv", true);
	}
	if (!same_file(real, info.st_ino))
		fail("%s was taken from %s, and is not found any more: %s", real, path, strerror(errno));
}

static void change_tags(void)
{
	char folder[PATH_ROOM], other[PATH_ROOM];
	const char *tag = PICK(tags);

	tag_folder(folder, tag);
	tag_folder(other, PICK(tags));
	switch (below(8)) {
	case 0: case 1: case 2:
		count("mkdir of a tag", mkdir(folder, 0755) == 0);
		break;
	case 3:
		count("rmdir of a tag", rmdir(folder) == 0);
		break;
	case 4:
		count("mv of a tag", rename(folder, other) == 0);
		break;
	case 5:
		tag = PICK(aliases);
		count("alias", setxattr(folder, "user.vaultfs.aliases", tag, below(2) ? strlen(tag) : 0, 0) == 0);
		break;
	default:
		tag = PICK(tags);
		count("implication", setxattr(folder, "user.vaultfs.implies", tag, below(2) ? strlen(tag) : 0, 0) == 0);
	}
}

static void change(void)
{
	switch (below(16)) {
	case 0: case 1:
		make_file();
		break;
	case 2: case 3:
		change_name();
		break;
	case 4:
		change_directory();
		break;
	case 5: case 6: case 7: case 8:
		set_attribute();
		break;
	case 9: case 10: case 11:
		link_into_tag();
		break;
	case 12: case 13:
		move_or_remove();
		break;
	default:
		change_tags();
	}
}

/* ---- what plain SQL says ---- */

/* The step above: a/b of a/b/c, NULL of a. */
static void sql_above(sqlite3_context *context, int n, sqlite3_value **values)
{
	const char *text = (const char *)sqlite3_value_text(values[0]);
	const char *slash = text ? strrchr(text, '/') : NULL;

	(void)n;
	if (slash)
		sqlite3_result_text(context, text, (int)(slash - text), SQLITE_TRANSIENT);
}

static void sql_last(sqlite3_context *context, int n, sqlite3_value **values)
{
	const char *text = (const char *)sqlite3_value_text(values[0]);
	const char *slash = strrchr(text, '/');

	(void)n;
	sqlite3_result_text(context, slash ? slash + 1 : text, -1, SQLITE_TRANSIENT);
}

/* Run it with ?1 bound; returns the statement at its first row, or NULL. */
static sqlite3_stmt *ask(const char *sql, const char *value)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (code == SQLITE_OK && value)
		code = sqlite3_bind_text(statement, 1, value, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		return statement;
	if (code != SQLITE_DONE)
		fail("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	return NULL;
}

static void tell(const char *sql, const char *value)
{
	sqlite3_finalize(ask(sql, value));
}

/* Names of tags as their rows fold them; an alias and its tag are one, with the rules of both. Below: what makes a file count
 * as having ?1. Above: what it counts as then. */
#define SAME                                                                                                              \
	"UNION SELECT a.folded FROM m JOIN tags g ON g.folded = m.f JOIN tag_aliases a ON a.tag_id = g.id "                 \
	"UNION SELECT g.folded FROM m JOIN tag_aliases a ON a.folded = m.f JOIN tags g ON g.id = a.tag_id) "
#define BELOW                                                                                                             \
	"WITH RECURSIVE m(f) AS (VALUES (?1) "                                                                              \
	"UNION SELECT t.folded FROM m JOIN tags t ON substr(t.folded, 1, length(m.f) + 1) = m.f || '/' "                    \
	"UNION SELECT s.folded FROM m JOIN tags g ON g.folded = m.f JOIN tag_implications x ON x.implied_id = g.id "        \
	"JOIN tags s ON s.id = x.tag_id " SAME
#define ABOVE(first)                                                                                                      \
	"WITH RECURSIVE m(f) AS (" first                                                                                    \
	" UNION SELECT above(f) FROM m WHERE above(f) IS NOT NULL "                                                         \
	"UNION SELECT g.folded FROM m JOIN tags t ON t.folded = m.f JOIN tag_implications x ON x.tag_id = t.id "            \
	"JOIN tags g ON g.id = x.implied_id " SAME
#define HAS_TAG "EXISTS (SELECT 1 FROM asset_tags a JOIN tags t ON t.id = a.tag_id WHERE a.inode_id = i.id AND t.folded IN m)"

static const char prepare_sql[] =
	"CREATE TEMP VIEW trash AS WITH RECURSIVE t(id) AS (SELECT inode_id FROM entries WHERE directory_id = 1 "
	"AND (name = '.Trash' OR name GLOB '.Trash-*') UNION SELECT e.inode_id FROM t JOIN entries e ON e.directory_id = t.id) "
	"SELECT id FROM t;"
	"CREATE TEMP VIEW named AS SELECT i.id, (SELECT e.name FROM entries e WHERE e.inode_id = i.id AND e.directory_id "
	"NOT IN trash ORDER BY e.directory_id, e.cookie LIMIT 1) AS name, s.favorite, s.hidden, s.rating, "
	"(SELECT kind FROM content c WHERE c.inode_id = i.id) AS kind "
	"FROM inodes i LEFT JOIN assets s ON s.inode_id = i.id WHERE i.mode & 61440 = 32768 AND name IS NOT NULL;"
	"CREATE TEMP VIEW steps AS WITH RECURSIVE m(f) AS (SELECT folded FROM tags UNION SELECT above(f) FROM m "
	"WHERE above(f) IS NOT NULL) SELECT f FROM m WHERE f NOT IN (SELECT folded FROM tag_aliases);"
	"CREATE TEMP TABLE found (id INTEGER PRIMARY KEY, name TEXT);"
	"CREATE TEMP TABLE used (f TEXT, place INTEGER);"
	"CREATE TEMP TABLE folders (name TEXT, f TEXT, place INTEGER)";

static void open_database(const char *vault)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s/vault.db", vault);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(db, 10000) != SQLITE_OK ||
	    sqlite3_create_function(db, "above", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sql_above, NULL, NULL) ||
	    sqlite3_create_function(db, "last", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, sql_last, NULL, NULL) ||
	    sqlite3_exec(db, prepare_sql, NULL, NULL, NULL) != SQLITE_OK)
		fail("%s: %s", path, sqlite3_errmsg(db));
}

/* Files for which the condition holds; ?1 is `value`. */
static void find_files(const char *with, const char *condition, const char *value)
{
	char sql[4096];

	tell("DELETE FROM found", NULL);
	snprintf(sql, sizeof(sql), "%s INSERT INTO found SELECT i.id, i.name FROM named i WHERE %s", with, condition);
	tell(sql, value);
	tell("DELETE FROM folders", NULL);
}

/* ---- comparing ---- */

/* Folders come before files, and are shown as their tags are written. */
static bool is_folder_name(const struct entry *entries, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (entries[i].is_folder && strcmp(entries[i].name, name) == 0)
			return true;
	return strcmp(name, "PLAYLIST.m3u8") == 0;
}

static void check_file(const char *path, const struct entry *entry, uint64_t id, const char *name, bool has_own)
{
	char wanted[300], at[PATH_ROOM * 2];
	struct stat info;

	snprintf(wanted, sizeof(wanted), "%s", name);
	if (!has_own)
		other_name(name, id, wanted);
	if (entry->ino != id)
		fail("%s: shows inode %" PRIu64 " (%s), wanted %" PRIu64 " (%s)", path, entry->ino, entry->name, id, wanted);
	if (strcmp(entry->name, wanted) != 0)
		fail("%s: shows %s, wanted %s", path, entry->name, wanted);
	snprintf(at, sizeof(at), "%s/%s", path, wanted);
	if (stat(at, &info) < 0 || info.st_ino != id)
		fail("%s: is not inode %" PRIu64 ": %s", at, id, strerror(errno));
}

/* Does the folder show the files of `found`, and the folders of `folders`? */
static void compare(const char *path)
{
	static struct entry entries[ENTRIES_MAX];
	int n = read_directory(path, entries), at = 0;
	const char *name;
	sqlite3_stmt *rows;

	if (n < 0 && errno == ENOENT && strstr(path, "/people/"))
		n = 0;		/* nobody has a folder without a file */
	if (n < 0)
		fail("%s: %s", path, strerror(errno));
	rows = ask("SELECT id, name, NOT EXISTS (SELECT 1 FROM found o WHERE o.name = f.name AND o.id < f.id) FROM found f "
		   "ORDER BY id", NULL);
	for (int code = rows ? SQLITE_ROW : SQLITE_DONE; code == SQLITE_ROW; code = sqlite3_step(rows), at++) {
		if (at == n || entries[at].is_folder)
			fail("%s: %s is not shown", path, (const char *)sqlite3_column_text(rows, 1));
		name = (const char *)sqlite3_column_text(rows, 1);
		check_file(path, &entries[at], (uint64_t)sqlite3_column_int64(rows, 0), name,
			   sqlite3_column_int(rows, 2) && !is_folder_name(entries, n, name));
	}
	sqlite3_finalize(rows);
	if (at < n && !entries[at].is_folder)
		fail("%s: shows %s", path, entries[at].name);
	rows = ask("SELECT DISTINCT name FROM folders ORDER BY name", NULL);
	for (int code = rows ? SQLITE_ROW : SQLITE_DONE; code == SQLITE_ROW; code = sqlite3_step(rows), at++) {
		const char *wanted = (const char *)sqlite3_column_text(rows, 0);

		if (at == n || strcasecmp(entries[at].name, wanted) != 0)
			fail("%s: folder %s, wanted %s", path, at == n ? "none" : entries[at].name, wanted);
	}
	sqlite3_finalize(rows);
	if (at < n)
		fail("%s: folder %s, wanted none", path, entries[at].name);
}

/* ---- which folders ---- */

static int n_used;

/* The files with all tags of `used`, and which narrow them. */
static void find_tagged(void)
{
	sqlite3_stmt *all = ask("SELECT f FROM used", NULL);

	if (n_used == 0)
		find_files("", "0", NULL);
	else
		find_files("", "i.hidden IS NOT 1", NULL);
	for (int code = all ? SQLITE_ROW : SQLITE_DONE; code == SQLITE_ROW; code = sqlite3_step(all))
		tell(BELOW "DELETE FROM found WHERE id NOT IN (SELECT i.id FROM named i WHERE " HAS_TAG ")",
		     (const char *)sqlite3_column_text(all, 0));
	sqlite3_finalize(all);
	if (n_used == 0)
		tell("INSERT INTO folders SELECT f, f, 2 FROM steps WHERE above(f) IS NULL", NULL);
	if (n_used == 1)
		tell("INSERT INTO folders SELECT last(f), f, 0 FROM steps WHERE above(f) IN (SELECT f FROM used)", NULL);
	tell("CREATE TEMP TABLE up AS " ABOVE("SELECT f FROM used") "SELECT f FROM m", NULL);
	tell("INSERT INTO folders " ABOVE("SELECT t.folded FROM found JOIN asset_tags a ON a.inode_id = found.id "
					 "JOIN tags t ON t.id = a.tag_id")
	     "SELECT last(f), f, iif(above(f) IS NULL, 2, above(f) IS NOT (SELECT f FROM used ORDER BY place DESC LIMIT 1)) "
	     "FROM m WHERE f NOT IN up AND f NOT IN (SELECT folded FROM tag_aliases) AND (above(f) IS NULL OR above(f) IN up)",
	     NULL);
	tell("DROP TABLE up", NULL);
}

/* Go on into one of the folders. */
static bool descend(char path[PATH_ROOM])
{
	sqlite3_stmt *some = ask("SELECT name FROM folders GROUP BY name ORDER BY name", NULL);
	size_t n = 0, wanted;
	char name[256];

	for (int code = some ? SQLITE_ROW : SQLITE_DONE; code == SQLITE_ROW; code = sqlite3_step(some))
		n++;
	sqlite3_finalize(some);
	if (n == 0)
		return false;
	wanted = below(n);
	some = ask("SELECT name FROM folders GROUP BY name ORDER BY name", NULL);
	while (wanted-- > 0)
		sqlite3_step(some);
	snprintf(name, sizeof(name), "%s", (const char *)sqlite3_column_text(some, 0));
	sqlite3_finalize(some);
	tell("INSERT INTO used SELECT f, (SELECT coalesce(max(place), 0) + 1 FROM used) FROM folders WHERE name = ?1 ORDER BY place, f LIMIT 1", name);
	some = ask("SELECT last(coalesce(t.name, u.f)) FROM used u LEFT JOIN tags t ON t.folded = u.f ORDER BY place DESC LIMIT 1",
		   NULL);
	snprintf(path + strlen(path), PATH_ROOM - strlen(path), "/%s", (const char *)sqlite3_column_text(some, 0));
	sqlite3_finalize(some);
	n_used++;
	return true;
}

static void look_at_tags(void)
{
	size_t depth = below(DEPTH_MAX + 1);
	char path[PATH_ROOM];

	path_in(path, ".views/tags");
	tell("DELETE FROM used", NULL);
	n_used = 0;
	find_tagged();
	while (depth-- > 0 && descend(path)) {
		/* A step further down the hierarchy takes the place of the one above it. */
		tell("DELETE FROM used WHERE EXISTS (SELECT 1 FROM used o WHERE o.place > used.place "
		     "AND above(o.f) = used.f AND NOT EXISTS (SELECT 1 FROM used b WHERE b.place > used.place AND b.place < o.place))",
		     NULL);
		sqlite3_stmt *n = ask("SELECT count(*) FROM used", NULL);

		n_used = sqlite3_column_int(n, 0);
		sqlite3_finalize(n);
		find_tagged();
		if (below(2))
			compare(path);
	}
	compare(path);
}

static void look_at_search(const char *search, const char *with, const char *condition, const char *value)
{
	char path[PATH_ROOM];

	path_in(path, ".views/%s", search);
	find_files(with, condition, value);
	compare(path);
}

static void look(void)
{
	static const char *const one_step[] = { "red", "blue", "place", "beach", "holiday" };
	const char *tag = PICK(one_step), *word = PICK(words);
	char text[256];

	for (int i = 0; i < 6; i++)
		look_at_tags();
	look_at_search("favorites", "", "i.favorite = 1 AND i.hidden IS NOT 1", NULL);
	snprintf(text, sizeof(text), "rating/%zu", below(10) + 1);
	look_at_search(text, "", "i.rating = CAST(substr(?1, 8) AS INTEGER) AND i.hidden IS NOT 1", text);
	look_at_search("search/hidden", "", "i.hidden = 1", NULL);
	look_at_search("search/untagged", "", "i.hidden IS NOT 1 AND NOT EXISTS (SELECT 1 FROM asset_tags a WHERE a.inode_id = i.id)",
		       NULL);
	look_at_search("kinds/text", "", "i.kind = 'text' AND i.hidden IS NOT 1", NULL);
	look_at_search("people/someone", "", "i.name LIKE 'someone-%' AND i.hidden IS NOT 1", NULL);
	snprintf(text, sizeof(text), "search/%s", word);
	look_at_search(text, "", "i.hidden IS NOT 1 AND EXISTS (SELECT 1 FROM entries e WHERE e.inode_id = i.id "
		       "AND ' ' || e.name LIKE '% ' || ?1 || ' %')", word);
	snprintf(text, sizeof(text), "search/tag:%s rating:>=5", tag);
	look_at_search(text, BELOW, "i.rating >= 5 AND i.hidden IS NOT 1 AND " HAS_TAG, tag);
	snprintf(text, sizeof(text), "search/favorite or -tag:%s", tag);
	look_at_search(text, BELOW, "(i.favorite = 1 OR NOT " HAS_TAG ") AND i.hidden IS NOT 1", tag);
}

static void sync_vault(void)
{
	char *arguments[] = { getenv("VAULTFS"), (char[]){ "sync" }, (char *)mount_point, NULL };
	extern char **environ;
	pid_t pid;
	int status;

	if (!arguments[0] || posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ) != 0 ||
	    waitpid(pid, &status, 0) < 0 || status != 0)
		fail("vaultfs sync failed");
}

int main(int argc, char **argv)
{
	char path[PATH_ROOM];
	int steps;

	if (argc != 5)
		return 2;
	mount_point = argv[1];
	steps = atoi(argv[3]);
	source.state = random_seed_or(argv[4]);
	for (size_t i = 0; steps > 0 && i < LENGTH(directories); i++) {
		path_in(path, "%s", directories[i]);
		if (mkdir(path, 0755) < 0)
			fail("%s: %s", path, strerror(errno));
	}
	sync_vault();
	open_database(argv[2]);
	for (step = 1; step <= steps; step++) {
		change();
		if (step % STEPS_PER_LOOK == 0) {
			sync_vault();
			look();
		}
	}
	for (int i = 0; i < 20; i++)
		look();
	for (size_t i = 0; i < LENGTH(counts) && counts[i].name; i++)
		printf("%s %d, ", counts[i].name, counts[i].done);
	printf("%d steps\n", steps);
	sqlite3_close(db);
	return 0;
}
