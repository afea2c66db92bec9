/* bench_data.c - makes what is written in the measurements: noise, realistic text, trees of files and edits of them.
 *
 * Text is the distinct text files of the machine, one behind the other. Where there are too few, the same text follows
 * again with every word replaced by another one of its length, the same one each time within a pass: it compresses as
 * before, and no chunk of it repeats. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define WORD_MIN 4u
#define WORD_MAX 24u
#define TABLE (1u << 19) /* places for words, half of which are used at most */
#define SEEN (1u << 18)  /* places for hashes of files */
#define BLOCK ((size_t)256 << 10)
#define MEBI ((size_t)1 << 20)

static uint64_t hash(const char *data, size_t size)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		h = (h ^ (uint8_t)data[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

static int create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		bench_die("%s", path);
	return fd;
}

/* ---- noise ---- */

static void noise(char **arguments)
{
	const uint64_t size = bench_size(arguments[1]);
	uint64_t state = bench_size(arguments[2]);
	static char buffer[BLOCK];
	int fd = create(arguments[0]);

	for (uint64_t done = 0; done < size; done += BLOCK) {
		bench_fill(&state, buffer, sizeof(buffer));
		bench_write(fd, buffer, size - done < BLOCK ? size - done : BLOCK, arguments[0]);
	}
	(void)close(fd);
}

/* FROM with BYTES of noise put in at OFFSET. */
static void insert(char **arguments)
{
	size_t size;
	const char *data = bench_map(arguments[0], &size);
	const size_t offset = bench_size(arguments[2]), n = bench_size(arguments[3]);
	uint64_t state = 77;
	char *extra = malloc(n);
	int fd = create(arguments[1]);

	if (!extra || offset > size)
		bench_die("%s", arguments[0]);
	bench_fill(&state, extra, n);
	bench_write(fd, data, offset, arguments[1]);
	bench_write(fd, extra, n, arguments[1]);
	bench_write(fd, data + offset, size - offset, arguments[1]);
	(void)close(fd);
	free(extra);
}

/* ---- text ---- */

/* Words of the first pass, in memory that lives as long as the program. */
static struct {
	const char *text[TABLE]; /* open addressing; borrowed from the mapped output */
	uint32_t number[TABLE];  /* of the word among those of its length */
	uint8_t length[TABLE];
	uint32_t *of_length[WORD_MAX + 1]; /* number -> place */
	uint32_t n_of_length[WORD_MAX + 1];
	uint32_t n;
} words;

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static uint32_t place_of(const char *word, size_t length)
{
	uint32_t place = (uint32_t)hash(word, length) % TABLE;

	while (words.text[place] &&
	       (words.length[place] != length || memcmp(words.text[place], word, length) != 0))
		place = (place + 1) % TABLE;
	return place;
}

static void learn(const char *word, size_t length)
{
	const uint32_t place = place_of(word, length);

	if (words.text[place] || words.n >= TABLE / 2)
		return;
	if (!words.of_length[length]) {
		words.of_length[length] = calloc(TABLE / 2, sizeof(uint32_t));
		if (!words.of_length[length])
			bench_die("memory");
	}
	words.text[place] = word;
	words.length[place] = (uint8_t)length;
	words.number[place] = words.n_of_length[length];
	words.of_length[length][words.n_of_length[length]++] = place;
	words.n++;
}

static const char *replacement(const char *word, size_t length, unsigned pass)
{
	const uint32_t place = place_of(word, length);
	uint64_t other;

	if (!words.text[place])
		return word;
	other = (words.number[place] + (uint64_t)pass * 7919) % words.n_of_length[length];
	return words.text[words.of_length[length][other]];
}

/* Calls for each word of 4 to 24 letters; `out` NULL: learn, else write the words' replacements there. */
static void each_word(const char *text, size_t size, unsigned pass, char *out)
{
	size_t i = 0;

	while (i < size) {
		size_t length = 0;

		while (i + length < size && is_word_byte(text[i + length]))
			length++;
		if (length >= WORD_MIN && length <= WORD_MAX) {
			if (out)
				memcpy(out + i, replacement(text + i, length, pass), length);
			else
				learn(text + i, length);
		}
		i += length + (length == 0);
	}
}

static bool seen_before(uint64_t h)
{
	static uint64_t seen[SEEN];
	uint32_t place = (uint32_t)h % SEEN;
	unsigned tries = 0;

	while (seen[place] && seen[place] != h && tries++ < SEEN / 2)
		place = (place + 1) % SEEN;
	if (seen[place] == h)
		return true;
	seen[place] = h;
	return false;
}

/* What people write; generated tables, which shrink to nothing, would flatter whoever compresses. */
static bool is_text(const char *data, size_t size)
{
	static uint8_t out[MEBI + MEBI / 8];
	uLongf n_out = sizeof(out);

	return !memchr(data, '\0', size) &&
	       compress2(out, &n_out, (const Bytef *)data, (uLong)size, 1) == Z_OK && n_out * 4 > size;
}

/* The distinct text files named on standard input. Returns their bytes. */
static uint64_t gather(int out, uint64_t most, const char *out_name)
{
	static char data[MEBI];
	char path[4096];
	uint64_t done = 0;

	while (done < most && fgets(path, sizeof(path), stdin)) {
		ssize_t n;
		int fd;

		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue; /* gone, or not ours to read: the next one */
		n = read(fd, data, sizeof(data));
		(void)close(fd);
		if (n <= 0 || !is_text(data, (size_t)n) || seen_before(hash(data, (size_t)n)))
			continue;
		if ((uint64_t)n > most - done)
			n = (ssize_t)(most - done);
		bench_write(out, data, (size_t)n, out_name);
		done += (uint64_t)n;
	}
	return done;
}

/* zlib level 6 over every eighth block. */
static double zlib_ratio(const char *data, size_t size)
{
	static uint8_t out[BLOCK + BLOCK / 8];
	double in_bytes = 0, out_bytes = 0;

	for (size_t at = 0; at < size; at += BLOCK * 8) {
		const size_t n = size - at < BLOCK ? size - at : BLOCK;
		uLongf n_out = sizeof(out);

		if (compress2(out, &n_out, (const Bytef *)data + at, (uLong)n, 6) != Z_OK)
			bench_die("zlib");
		in_bytes += (double)n;
		out_bytes += (double)n_out;
	}
	return in_bytes > 0 ? out_bytes / in_bytes : 0;
}

static void text(char **arguments)
{
	const uint64_t size = bench_size(arguments[1]);
	int fd = create(arguments[0]);
	const uint64_t base_size = gather(fd, size, arguments[0]);
	size_t mapped;
	const char *data;
	char *copy;

	if (base_size == 0)
		bench_die("no text files on standard input");
	data = bench_map(arguments[0], &mapped);
	copy = malloc(base_size);
	if (!copy)
		bench_die("memory");
	if (base_size < size)
		each_word(data, base_size, 0, NULL);
	for (uint64_t done = base_size, pass = 1; done < size; pass++) {
		const uint64_t n = size - done < base_size ? size - done : base_size;

		memcpy(copy, data, n);
		each_word(data, n, (unsigned)pass, copy);
		bench_write(fd, copy, n, arguments[0]);
		done += n;
	}
	free(copy);
	(void)close(fd);
	data = bench_map(arguments[0], &mapped);
	(void)printf("original_mb %.1f\nzlib6_ratio %.3f\n", (double)base_size / 1e6,
		     zlib_ratio(data, mapped));
}

/* ---- trees ---- */

static const char *const extensions[] = { "c", "h", "c", "py", "txt", "c", "h", "md", "c", "xml" };

static void make_directory(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		bench_die("%s", path);
}

/* N files of LEAST to MOST bytes, like a source tree: area/part/file, consecutive pieces of the corpus. */
static void tree(char **arguments)
{
	const uint64_t n = bench_size(arguments[1]);
	const size_t least = bench_size(arguments[2]), most = bench_size(arguments[3]);
	uint64_t state = 5;
	size_t corpus_size, at = 0;
	const char *corpus = bench_map(arguments[4], &corpus_size);
	char path[4096];

	if (corpus_size <= most)
		bench_die("%s: too small", arguments[4]);
	make_directory(arguments[0]);
	for (uint64_t i = 0; i < n; i++) {
		const size_t size = bench_random_size(&state, least, most);
		int fd;

		(void)snprintf(path, sizeof(path), "%s/area%02llu", arguments[0],
			       (unsigned long long)(i / 800));
		make_directory(path);
		(void)snprintf(path, sizeof(path), "%s/area%02llu/part%03llu", arguments[0],
			       (unsigned long long)(i / 800), (unsigned long long)(i / 25));
		make_directory(path);
		(void)snprintf(path, sizeof(path), "%s/area%02llu/part%03llu/module%05llu.%s", arguments[0],
			       (unsigned long long)(i / 800), (unsigned long long)(i / 25),
			       (unsigned long long)i, extensions[i % 10]);
		if (at + size > corpus_size)
			at = 0;
		fd = create(path);
		bench_write(fd, corpus + at, size, path);
		(void)close(fd);
		at += size;
	}
}

/* Insert one line behind some line of the file. */
static void edit_file(const char *path, uint64_t *state)
{
	static const char line[] = "\tthis line was inserted by hand on an afternoon in autumn;\n";
	static char data[MEBI];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	ssize_t n;
	size_t at;

	if (fd < 0 || (n = read(fd, data, sizeof(data) - sizeof(line))) < 0)
		bench_die("%s", path);
	at = n > 0 ? bench_random(state) % (size_t)n : 0;
	while (at > 0 && data[at - 1] != '\n')
		at--;
	memmove(data + at + sizeof(line) - 1, data + at, (size_t)n - at);
	memcpy(data + at, line, sizeof(line) - 1);
	if (lseek(fd, 0, SEEK_SET) < 0)
		bench_die("%s", path);
	bench_write(fd, data, (size_t)n + sizeof(line) - 1, path);
	(void)close(fd);
}

/* Every tenth of the files named on standard input. */
static void edit(char **arguments)
{
	uint64_t state = bench_size(arguments[0]), n = 0;
	char path[4096];

	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = '\0';
		if (n++ % 10 == 0)
			edit_file(path, &state);
	}
	(void)printf("edited %llu\n", (unsigned long long)((n + 9) / 10));
}

int main(int argc, char **argv)
{
	static const struct bench_mode modes[] = {
		{ "noise", "FILE SIZE SEED", 3, noise },  { "insert", "FROM TO OFFSET BYTES", 4, insert },
		{ "text", "FILE SIZE < PATHS", 2, text }, { "tree", "DIR N LEAST MOST CORPUS", 5, tree },
		{ "edit", "SEED < PATHS", 1, edit },
	};

	return bench_main(modes, sizeof(modes) / sizeof(modes[0]), argc, argv);
}
