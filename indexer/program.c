/* program.c - where the helper program is. See program.h. */
#include "program.h"

#include "auto.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

/* Nobody may change it who could not change the running program as well. */
static bool is_trusted(const struct stat *st, uid_t owner)
{
	return (st->st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
	       (st->st_uid == 0 || st->st_uid == owner || st->st_uid == geteuid());
}

static int try_candidate(const char *directory, const char *below, uid_t owner, char **ret_path)
{
	AUTO(free) char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s/%s", directory, below) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & S_IXUSR))
		return -ENOENT;
	if (!is_trusted(&st, owner))
		return -EACCES;
	*ret_path = TAKE(path);
	return 0;
}

int helper_program_find(char **ret_path)
{
	static const char *const below[] = { "vaultfs-helper", VAULTFS_HELPER_FROM_BIN };
	char directory[PATH_MAX];
	struct stat self;
	char *slash;
	ssize_t n = readlink(SELF, directory, sizeof(directory) - 1);
	int r = -ENOENT;

	if (n < 0 || stat(SELF, &self) < 0)
		return -errno;
	directory[n] = '\0';
	slash = strrchr(directory, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		const int tried = try_candidate(directory, below[i], self.st_uid, ret_path);

		if (tried != -ENOENT)
			r = tried;
		if (tried == 0 || tried == -ENOMEM)
			return tried;
	}
	return r;
}
