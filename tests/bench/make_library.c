/* make_library.c - a vault with very many tagged files, for measuring searches and tag folders by hand.
 *
 * Usage: make_library VAULT FILES TAGS TAGS-PER-FILE [SEED]. The vault must not exist. Files are named like a camera's, stand
 * 1,000 to a directory, are a few bytes each and have a type; tag "tag0" is on FILES / 10 of them, the others are spread
 * evenly, and a third of the tags lie below others. Prints how long it took. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "library.h"
#include "random.h"
#include "vault.h"

#define PER_DIRECTORY 1000u
#define TEXT_MAX 4096u

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "make_library: %s: %s\n", what, strerror(-r));
	exit(1);
}

static uint64_t make(struct vault *vault, uint64_t parent, const char *name, uint32_t mode)
{
	const struct vault_attr wanted = { .mode = mode };
	struct vault_attr made;

	check(vault_make(vault, parent, name, &wanted, NULL, &made), name);
	return made.id;
}

static void tag_name(char *text, size_t size, uint64_t tag)
{
	if (tag % 3 == 2)
		(void)snprintf(text, size, "tag%" PRIu64 "/below%" PRIu64, tag / 3, tag);
	else
		(void)snprintf(text, size, "tag%" PRIu64, tag);
}

static void give_tags(struct vault *vault, uint64_t id, uint64_t n, uint64_t n_tags, unsigned per_file, struct random *random)
{
	char text[TEXT_MAX] = "", name[64];
	size_t at = 0;

	for (unsigned i = 0; i < per_file && at + sizeof(name) < sizeof(text); i++) {
		tag_name(name, sizeof(name), i == 0 && n % 10 == 0 ? 0 : 1 + random_next(random) % (n_tags - 1));
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? "," : "", name);
	}
	check(vault_setxattr(vault, id, "user.xdg.tags", text, at, 0), "tags");
}

static void write_bytes(struct vault *vault, uint64_t id, uint64_t n)
{
	struct vault_file *file = NULL;
	char bytes[32];
	int size = snprintf(bytes, sizeof(bytes), "content %" PRIu64 "\n", n % 1000);

	check(vault_file_open(vault, id, &file), "open");
	vault_change_begin(vault, (size_t)size);
	check(vault_write(file, 0, bytes, (size_t)size, 0), "write");
	vault_change_end(vault);
	vault_file_close(file);
}

int main(int argc, char **argv)
{
	static const char *const types[] = { "video/mp4", "image/jpeg", "audio/flac", "text/plain", "application/pdf" };
	static const char *const words[] = { "holiday", "harbour", "garden", "birthday", "mountain", "concert", "workshop" };
	struct vault *vault = NULL;
	struct random random = { argc > 5 ? strtoull(argv[5], NULL, 10) : 1 };
	uint64_t directory = 0;
	uint64_t n_files = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, n_tags = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	unsigned per_file = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
	const time_t start = time(NULL);

	if (n_files == 0 || n_tags < 2) {
		(void)fputs("usage: make_library VAULT FILES TAGS TAGS-PER-FILE [SEED]\n", stderr);
		return 2;
	}
	check(vault_create(argv[1], NULL), argv[1]);
	check(vault_open(argv[1], NULL, &vault), argv[1]);
	for (uint64_t n = 0; n < n_files; n++) {
		char name[128];
		uint64_t id;

		vault_change_begin(vault, 0);
		if (n % PER_DIRECTORY == 0) {
			(void)snprintf(name, sizeof(name), "%05" PRIu64, n / PER_DIRECTORY);
			directory = make(vault, VAULT_ROOT_ID, name, S_IFDIR | 0755);
		}
		(void)snprintf(name, sizeof(name), "%s-20%02u-%02u-%02u_%06" PRIu64 ".bin", words[n % 7], (unsigned)(n % 24),
			       (unsigned)(1 + n % 12), (unsigned)(1 + n % 28), n);
		id = make(vault, directory, name, S_IFREG | 0644);
		give_tags(vault, id, n, n_tags, per_file, &random);
		check(vault_set_content(vault, id, &(struct vault_content){ .mime = types[n % 5] }), "type");
		vault_change_end(vault);
		if (n % 10 == 0)
			write_bytes(vault, id, n);
	}
	check(vault_close(vault), "close");
	(void)printf("%" PRIu64 " files, %" PRIu64 " tags, %u tags a file, seed %s: %ld s\n", n_files, n_tags, per_file,
		     argc > 5 ? argv[5] : "1", (long)(time(NULL) - start));
	return 0;
}
