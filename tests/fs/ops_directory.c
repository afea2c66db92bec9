/* ops_directory.c - cases: listing directories while they change, and directories that are gone. */
#include "ops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 2000 };

static void make_many(const char *format, int n)
{
	char name[64];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, format, i);
		OK(close(FD(open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644))));
	}
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Count in `met` how often each of the names "f0", "f1", ... is listed from here on. */
static void list_rest(DIR *directory, uint8_t met[MANY])
{
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (entry->d_name[0] == 'f')
			met[atoi(entry->d_name + 1)]++;
	}
}

static void every_entry_once(void)
{
	uint8_t met[MANY] = { 0 };
	DIR *directory;
	int n_dots = 0;

	make_many("f%d", MANY);
	directory = opendir(".");
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory));) {
		n_dots += is_dot(entry->d_name);
		if (entry->d_name[0] == 'f')
			met[atoi(entry->d_name + 1)]++;
	}
	EQUAL(n_dots, 2);
	for (int i = 0; i < MANY; i++)
		EQUAL(met[i], 1);
	rewinddir(directory);
	list_rest(directory, met);
	for (int i = 0; i < MANY; i++)
		EQUAL(met[i], 2);
	OK(closedir(directory));
}

static void types_and_inodes_as_stat_says(void)
{
	DIR *directory;

	ops_make_file("file", 1);
	OK(mkdir("dir", 0755));
	OK(symlink("file", "link"));
	OK(mkfifo("pipe", 0644));
	OK(mknod("socket", S_IFSOCK | 0644, 0));
	directory = opendir(".");
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory));) {
		struct stat st = ops_lstat(entry->d_name);

		EQUAL(entry->d_type, IFTODT(st.st_mode));
		/* the top of a mount has its own ideas about ".." */
		if (strcmp(entry->d_name, "..") != 0)
			EQUAL(entry->d_ino, st.st_ino);
	}
	OK(closedir(directory));
}

static void telldir_finds_back(void)
{
	static long places[MANY + 2];
	static char names[MANY + 2][256];
	DIR *directory;
	int n = 0;

	make_many("f%d", MANY);
	directory = opendir(".");
	CHECK(directory != NULL);
	for (;;) {
		long place = telldir(directory);
		struct dirent *entry = readdir(directory);

		if (!entry)
			break;
		CHECK(n < MANY + 2);
		places[n] = place;
		strcpy(names[n++], entry->d_name);
	}
	EQUAL(n, MANY + 2);
	for (int i = n - 1; i >= 0; i -= 37) {
		struct dirent *entry;

		seekdir(directory, places[i]);
		entry = readdir(directory);
		CHECK(entry != NULL);
		CHECK(strcmp(entry->d_name, names[i]) == 0);
	}
	OK(closedir(directory));
}

static void deleting_while_listing(void)
{
	DIR *directory;
	int n = 0;

	make_many("f%d", MANY);
	directory = opendir(".");
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (is_dot(entry->d_name))
			continue;
		OK(unlink(entry->d_name));
		n++;
	}
	EQUAL(n, MANY);
	OK(closedir(directory));
	EQUAL(ops_count("."), 0);
}

static void seekdir_over_what_was_deleted(void)
{
	static long places[MANY + 2];
	static char names[MANY + 2][256];
	DIR *directory;
	int n = 0;

	make_many("f%d", MANY);
	directory = opendir(".");
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory)); n++) {
		CHECK(n < MANY + 2);
		strcpy(names[n], entry->d_name);
		places[n] = telldir(directory); /* behind it */
	}
	/* Delete every other one; going on behind a deleted name meets the next that is there. */
	for (int i = 0; i < n; i += 2) {
		if (!is_dot(names[i]))
			OK(unlink(names[i]));
	}
	for (int i = 0; i + 1 < n; i += 2) {
		struct dirent *entry;

		if (is_dot(names[i]) || is_dot(names[i + 1]) || i % 50 != 0)
			continue;
		seekdir(directory, places[i]);
		entry = readdir(directory);
		CHECK(entry != NULL);
		CHECK(strcmp(entry->d_name, names[i + 1]) == 0);
	}
	OK(closedir(directory));
}

static void none_missed_none_twice_while_others_come_and_go(void)
{
	uint8_t met[MANY] = { 0 };
	DIR *directory;
	char name[64];
	int n = 0;

	make_many("f%d", MANY);
	make_many("gone%d", MANY / 2);
	directory = opendir(".");
	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory)); n++) {
		if (entry->d_name[0] == 'f')
			met[atoi(entry->d_name + 1)]++;
		if (n % 4 == 0 && n / 4 < MANY / 2) {
			snprintf(name, sizeof name, "gone%d", n / 4);
			OK(unlink(name));
			snprintf(name, sizeof name, "come%d", n / 4);
			OK(mkdir(name, 0755));
		}
	}
	OK(closedir(directory));
	for (int i = 0; i < MANY; i++)
		EQUAL(met[i], 1);
}

static void what_changed_is_seen_after_rewind(void)
{
	DIR *directory = opendir(".");
	int n = 0;

	CHECK(directory != NULL);
	while (readdir(directory))
		n++;
	EQUAL(n, 2);
	make_many("f%d", 10);
	OK(unlink("f3"));
	rewinddir(directory);
	for (n = 0; readdir(directory);)
		n++;
	EQUAL(n, 11);
	OK(closedir(directory));
}

static void a_removed_directory_is_empty_for_ever(void)
{
	int fd;

	OK(mkdir("dir", 0755));
	fd = FD(open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(rmdir("dir"));
	EQUAL(ops_stat(fd).st_nlink, 0);
	FAILS(ENOENT, openat(fd, "new", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	FAILS(ENOENT, mkdirat(fd, "new", 0755));
	FAILS(ENOENT, symlinkat("x", fd, "new"));
	ops_make_file("file", 1);
	FAILS(ENOENT, linkat(AT_FDCWD, "file", fd, "new", 0));
	FAILS(ENOENT, renameat(AT_FDCWD, "file", fd, "new"));
	OK(close(fd));
	OK(mkdir("dir", 0755)); /* the name is free again */
}

static void a_directory_in_use_can_go(void)
{
	OK(mkdir("dir", 0755));
	OK(chdir("dir"));
	OK(rmdir("../dir"));
	FAILS(ENOENT, mkdir("x", 0755));
	FAILS(ENOENT, open("x", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
}

static void fsync_of_a_directory(void)
{
	int fd;

	OK(mkdir("dir", 0755));
	fd = FD(open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(close(FD(openat(fd, "x", O_CREAT | O_RDWR | O_CLOEXEC, 0644))));
	OK(fsync(fd));
	OK(fdatasync(fd));
	FAILS(EISDIR, read(fd, &(char){ 0 }, 1));
	FAILS(EBADF, write(fd, "x", 1));
	OK(close(fd));
}

OPS_CASES(directory) = {
	{ "readdir_lists_every_entry_once", every_entry_once },
	{ "readdir_says_what_stat_says", types_and_inodes_as_stat_says },
	{ "telldir_finds_back", telldir_finds_back },
	{ "readdir_while_deleting", deleting_while_listing },
	{ "seekdir_goes_on_behind_a_deleted_name", seekdir_over_what_was_deleted },
	{ "readdir_while_others_come_and_go", none_missed_none_twice_while_others_come_and_go },
	{ "rewinddir_sees_changes", what_changed_is_seen_after_rewind },
	{ "removed_directory_takes_nothing", a_removed_directory_is_empty_for_ever },
	{ "removed_working_directory", a_directory_in_use_can_go },
	{ "fsync_of_a_directory", fsync_of_a_directory },
	{ NULL, NULL },
};
