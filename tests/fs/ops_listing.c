/* ops_listing.c - cases: getdents64(2) itself: small buffers, places, "." and "..", and listing while others change names. */
#include "ops.h"
#include "ops_child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STABLE = 400, LISTINGS = 60, NAMES_MAX = 200000 };

/* The inode number that the directory `path` lists for `name`; 0 if it does not. */
static ino_t listed(const char *path, const char *name)
{
	DIR *directory = opendir(path);
	ino_t found = 0;

	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory));) {
		if (strcmp(entry->d_name, name) == 0)
			found = entry->d_ino;
	}
	OK(closedir(directory));
	return found;
}

static void small_buffers(void)
{
	static const size_t sizes[] = { 280, 300, 512, 1000, 4096 };
	char buffer[4096], name[256];
	int fd;

	OK(mkdir("dir", 0755));
	OK(chdir("dir"));
	memset(name, 'n', 255);
	name[255] = 0;
	for (int i = 0; i < 26; i++) {
		name[0] = (char)('a' + i);
		ops_make_file(name, 0);
	}
	fd = FD(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	FAILS(EINVAL, getdents64(fd, buffer, 10));
	EQUAL(OK(getdents64(fd, buffer, 24)), 24); /* "." alone */
	EQUAL(OK(getdents64(fd, buffer, 24)), 24);
	FAILS(EINVAL, getdents64(fd, buffer, 100)); /* the next one is too long, and stays the next one */
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		unsigned met = 0;
		ssize_t n;

		OK(lseek(fd, 0, SEEK_SET));
		while ((n = OK(getdents64(fd, buffer, sizes[i]))) > 0) {
			for (ssize_t at = 0; at < n;) {
				struct dirent64 *entry = (struct dirent64 *)(buffer + at);
				unsigned bit = entry->d_name[0] == '.' ? 0 : 1u << (entry->d_name[0] - 'a');

				CHECK((met & bit) == 0);
				met |= bit;
				at += entry->d_reclen;
			}
		}
		EQUAL(met, (1u << 26) - 1);
	}
	OK(close(fd));
	fd = FD(open(name, O_RDONLY | O_CLOEXEC));
	FAILS(ENOTDIR, getdents64(fd, buffer, sizeof buffer));
}

/* From each entry's d_off, the listing goes on behind it. */
static void every_place(void)
{
	static char all[16384], again[16384];
	char name[16];
	ssize_t size;
	int fd;

	OK(mkdir("dir", 0755));
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "dir/f%d", i);
		ops_make_file(name, 0);
	}
	fd = FD(open("dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	size = OK(getdents64(fd, all, sizeof all));
	EQUAL(OK(getdents64(fd, again, sizeof again)), 0);
	for (ssize_t at = 0; at < size;) {
		struct dirent64 *entry = (struct dirent64 *)(all + at);

		OK(lseek(fd, entry->d_off, SEEK_SET));
		at += entry->d_reclen;
		EQUAL(OK(getdents64(fd, again, sizeof again)), size - at);
		for (ssize_t i = 0; i < size - at;) {
			struct dirent64 *want = (struct dirent64 *)(all + at + i),
					*got = (struct dirent64 *)(again + i);

			CHECK(strcmp(got->d_name, want->d_name) == 0);
			EQUAL(got->d_ino, want->d_ino);
			i += want->d_reclen;
		}
	}
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
}

static void dots_are_where_the_directory_is(void)
{
	int fd;

	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mkdir("a/dir", 0755));
	OK(mkdir("b/other", 0755));
	ops_make_file("a/dir/file", 0);
	for (int round = 0; round < 2; round++) { /* the second time from the cache */
		EQUAL(listed("a/dir", "."), ops_lstat("a/dir").st_ino);
		EQUAL(listed("a/dir", ".."), ops_lstat("a").st_ino);
		EQUAL(listed("a", "dir"), ops_lstat("a/dir").st_ino);
	}
	fd = FD(open("a/dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	OK(rename("a/dir", "b/moved"));
	for (int round = 0; round < 2; round++) {
		EQUAL(listed("b/moved", "."), ops_stat(fd).st_ino);
		EQUAL(listed("b/moved", ".."), ops_lstat("b").st_ino);
		EQUAL(listed("b/moved", "file"), ops_lstat("b/moved/file").st_ino);
		EQUAL(listed("a", "dir"), 0);
	}
	EQUAL(listed("b/other", ".."), ops_lstat("b").st_ino);
	OK(rename("b/moved", "a/dir"));
	OK(renameat2(AT_FDCWD, "a/dir", AT_FDCWD, "b/other", RENAME_EXCHANGE));
	EQUAL(listed("a/dir", ".."), ops_lstat("a").st_ino);
	EQUAL(listed("b/other", ".."), ops_lstat("b").st_ino);
	EQUAL(listed("b/other", "file"), ops_lstat("b/other/file").st_ino);
}

/* What a listing meets before and behind a rename of the directory. */
static void the_directory_is_renamed_meanwhile(void)
{
	char name[32];
	DIR *directory;
	int n = 0;

	OK(mkdir("dir", 0755));
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof name, "dir/f%d", i);
		OK(close(FD(open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0644))));
	}
	directory = opendir("dir");
	CHECK(directory != NULL);
	while (readdir(directory)) {
		if (++n == 10)
			OK(rename("dir", "moved"));
	}
	EQUAL(n, 3002);
	OK(closedir(directory));
}

/* Names are never used again, so that none may be met twice. */
static _Noreturn void make_and_remove(int number)
{
	char old[32], new[32];

	for (int i = 0;; i++) {
		snprintf(new, sizeof new, "made%d.%d", number, i);
		OK(close(FD(open(new, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644))));
		snprintf(old, sizeof old, "made%d.%d", number, i - 50);
		if (i >= 50)
			OK(unlink(old));
	}
}

static _Noreturn void rename_all_the_time(int number)
{
	char old[32], new[32];

	for (int i = 0; i < 50; i++) {
		snprintf(new, sizeof new, "named%d.%d", number, i);
		OK(mkdir(new, 0755));
	}
	for (int i = 50;; i++) {
		snprintf(old, sizeof old, "named%d.%d", number, i - 50);
		snprintf(new, sizeof new, "named%d.%d", number, i);
		OK(rename(old, new));
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_and_check(void)
{
	static char *names[NAMES_MAX];
	uint8_t met[STABLE] = { 0 };
	DIR *directory = opendir(".");
	size_t n = 0;

	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory));) {
		CHECK(n < NAMES_MAX);
		names[n] = strdup(entry->d_name);
		CHECK(names[n++] != NULL);
		if (strncmp(entry->d_name, "stable", 6) == 0)
			met[atoi(entry->d_name + 6)]++;
	}
	OK(closedir(directory));
	for (int i = 0; i < STABLE; i++) {
		if (met[i] != 1)
			ops_fail(__FILE__, __LINE__, "stable%d was met %d times", i, met[i]);
	}
	qsort(names, n, sizeof *names, compare_names);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && strcmp(names[i - 1], names[i]) == 0)
			ops_fail(__FILE__, __LINE__, "%s was met twice", names[i]);
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
}

static void while_others_come_and_go(void)
{
	pid_t pids[3];
	char name[32];

	OK(mkdir("dir", 0755));
	OK(chdir("dir"));
	for (int i = 0; i < STABLE; i++) {
		snprintf(name, sizeof name, "stable%d", i);
		OK(close(FD(open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0644))));
	}
	for (int p = 0; p < 3; p++) {
		pids[p] = ops_fork();
		if (pids[p] == 0 && p == 2)
			rename_all_the_time(p);
		else if (pids[p] == 0)
			make_and_remove(p);
	}
	for (int i = 0; i < LISTINGS; i++)
		list_and_check();
	for (int p = 0; p < 3; p++) {
		int status;

		OK(kill(pids[p], SIGKILL));
		OK(waitpid(pids[p], &status, 0));
		CHECK(WIFSIGNALED(status)); /* it did not fail before */
	}
	list_and_check();
}

OPS_CASES(listing) = {
	{ "getdents64_with_small_buffers", small_buffers },
	{ "getdents64_from_every_place", every_place },
	{ "dots_are_where_the_directory_is", dots_are_where_the_directory_is },
	{ "readdir_of_a_directory_that_is_renamed", the_directory_is_renamed_meanwhile },
	{ "readdir_while_processes_come_and_go", while_others_come_and_go },
	{ NULL, NULL },
};
