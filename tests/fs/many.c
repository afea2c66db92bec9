/* many.c - one directory with very many entries: many make|remove|churn DIRECTORY FROM TO | many list DIRECTORY N.
 *
 * `list` reads the directory and then goes back to places it has passed; each of "entry-0" up to N - 1 must be met once,
 * with the inode number that stat(2) says. Other names may be there. Says how many milliseconds the listing took. `churn`
 * makes and removes the same names until it is ended. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PLACES = 64 };

struct place {
	long at;
	char name[32]; /* what follows there */
};

static _Noreturn void broken(const char *what, const char *name)
{
	fprintf(stderr, "many: %s: %s: %s\n", name, what, strerror(errno));
	exit(1);
}

static void make(int directory, unsigned from, unsigned to)
{
	char name[32];

	for (unsigned i = from; i < to; i++) {
		int fd;

		snprintf(name, sizeof name, "entry-%u", i);
		fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 || close(fd) < 0)
			broken("cannot be made", name);
	}
}

static void remove_some(int directory, unsigned from, unsigned to)
{
	char name[32];

	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof name, "entry-%u", i);
		if (unlinkat(directory, name, 0) < 0)
			broken("cannot be removed", name);
	}
}

static void check_inode(int directory, const struct dirent *entry)
{
	struct stat st;

	if (fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != entry->d_ino)
		broken("another inode than stat says", entry->d_name);
}

/* Returns how many places were kept. */
static unsigned list_all(DIR *listing, unsigned n, unsigned char *met, struct place places[PLACES])
{
	unsigned n_places = 0, n_listed = 0;

	for (;; n_listed++) {
		bool keep = n_listed % (n / PLACES + 1) == n / PLACES / 2;
		long at = keep ? telldir(listing) : 0;
		struct dirent *entry = readdir(listing);
		unsigned number;

		if (!entry)
			return n_places;
		if (sscanf(entry->d_name, "entry-%u", &number) != 1 || number >= n)
			continue;
		if (met[number]++)
			broken("was met twice", entry->d_name);
		if (keep && n_places < PLACES) {
			check_inode(dirfd(listing), entry);
			places[n_places].at = at;
			snprintf(places[n_places++].name, sizeof places->name, "%.31s", entry->d_name);
		}
	}
}

static void list(const char *path, unsigned n)
{
	unsigned char *met = calloc(n, 1);
	struct place places[PLACES];
	struct timespec from, to;
	DIR *listing = opendir(path);
	unsigned n_places;

	if (!met || !listing)
		broken("cannot be listed", path);
	clock_gettime(CLOCK_MONOTONIC, &from);
	n_places = list_all(listing, n, met, places);
	clock_gettime(CLOCK_MONOTONIC, &to);
	for (unsigned i = 0; i < n; i++) {
		char name[32];

		snprintf(name, sizeof name, "entry-%u", i);
		if (!met[i])
			broken("was not met", name);
	}
	while (n_places-- > 0) {
		struct dirent *entry;

		seekdir(listing, places[n_places].at);
		entry = readdir(listing);
		if (!entry || strcmp(entry->d_name, places[n_places].name) != 0)
			broken("is not where telldir said", places[n_places].name);
	}
	closedir(listing);
	free(met);
	printf("%ld\n", (to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
}

int main(int argc, char **argv)
{
	int directory = argc >= 4 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (argc == 5 && directory >= 0 && strcmp(argv[1], "make") == 0) {
		make(directory, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	} else if (argc == 5 && directory >= 0 && strcmp(argv[1], "remove") == 0) {
		remove_some(directory, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	} else if (argc == 5 && directory >= 0 && strcmp(argv[1], "churn") == 0) {
		for (;;) {
			make(directory, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
			remove_some(directory, (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
		}
	} else if (argc == 4 && directory >= 0 && atoi(argv[3]) > 0 && strcmp(argv[1], "list") == 0) {
		list(argv[2], (unsigned)atoi(argv[3]));
	} else {
		fprintf(stderr, "usage: many make|remove|churn DIRECTORY FROM TO | many list DIRECTORY N\n");
		return 2;
	}
	return 0;
}
