/* mounts.c - what is mounted where, and who keeps it busy. Knows /proc, and no vault. See mounts.h. */
#include "mounts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"

/* A path without its last name, in place; "/" stays. */
static void cut_last_name(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == path)
		slash++;
	if (slash)
		*slash = '\0';
}

int mounts_absolute(const char *path, char **ret)
{
	AUTO(free) char *copy = strdup(path);
	AUTO(free) char *above = NULL;
	const char *name;
	char *slash;
	size_t n;

	if (!copy)
		return -ENOMEM;
	for (n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		*ret = realpath(*copy ? copy : ".", NULL);
		return *ret ? 0 : -errno;
	}
	if (slash && slash != copy)
		*slash = '\0';
	above = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (!above)
		return -errno;
	if (asprintf(ret, "%s/%s", strcmp(above, "/") == 0 ? "" : above, name) < 0)
		return -ENOMEM;
	return 0;
}

int mounts_root_of(const char *path, char **ret)
{
	AUTO(free) char *root = strdup(path);
	AUTO(free) char *above = strdup(path);
	struct stat here, there;

	if (!root || !above)
		return -ENOMEM;
	if (lstat(root, &here) < 0)
		return -errno;
	while (strcmp(above, "/") != 0) {
		cut_last_name(above);
		if (lstat(above, &there) < 0)
			return -errno;
		if (there.st_dev != here.st_dev)
			break;
		(void)strcpy(root, above); /* a prefix: it fits */
	}
	*ret = TAKE(root);
	return 0;
}

/* mountinfo writes blank, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && isdigit((unsigned char)s[1]) && isdigit((unsigned char)s[2]) &&
		    isdigit((unsigned char)s[3])) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* The next word of mountinfo, as it was meant. */
static void next_word(char **line, char *ret, size_t size)
{
	const char *word = strsep(line, " \n");

	(void)snprintf(ret, size, "%s", word ? word : "");
	unescape(ret);
}

int mounts_find_at(const char *point, struct mounts_found *ret)
{
	AUTO(file) FILE *f = fopen("/proc/self/mountinfo", "re");
	AUTO(free) char *line = NULL;
	size_t room = 0;
	int r = -ENOENT;

	if (!f)
		return -errno;
	/* id, parent, major:minor, root, mount point, options, optional fields, "-", type, source, options */
	while (getline(&line, &room, f) > 0) {
		char *save = NULL, *field = strtok_r(line, " \n", &save);
		char *type = strstr(save ? save : "", " - ");

		for (int i = 0; field && i < 4; i++)
			field = strtok_r(NULL, " \n", &save);
		if (!field || !type)
			continue;
		unescape(field);
		if (strcmp(field, point) != 0)
			continue;
		type += 3;
		next_word(&type, ret->type, sizeof(ret->type));
		next_word(&type, ret->source, sizeof(ret->source));
		r = 0; /* go on: later lines lie on top */
	}
	return r;
}

int mounts_is_ours(const char *point)
{
	struct mounts_found found;

	return mounts_find_at(point, &found) == 0 && strcmp(found.type, MOUNTS_OUR_TYPE) == 0;
}

static int link_is_on(int dir, const char *name, dev_t device)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 && st.st_dev == device;
}

static int process_uses(int process, dev_t device)
{
	AUTO(dir) DIR *fds = NULL;
	const struct dirent *entry;
	int fd;

	if (link_is_on(process, "cwd", device) || link_is_on(process, "root", device) ||
	    link_is_on(process, "exe", device))
		return 1;
	fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	fds = fdopendir(fd);
	if (!fds) {
		(void)close(fd);
		return 0;
	}
	while ((entry = readdir(fds)) != NULL)
		if (entry->d_name[0] != '.' && link_is_on(dirfd(fds), entry->d_name, device))
			return 1;
	return 0;
}

/* The process's name as the kernel has it, "?" when it is gone. */
static void process_name(int process, char *ret, size_t size)
{
	AUTO(fd) int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n <= 0) {
		(void)snprintf(ret, size, "?");
		return;
	}
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

size_t mounts_users_of(dev_t device, char *ret_names, size_t size)
{
	AUTO(dir) DIR *proc = opendir("/proc");
	const struct dirent *entry;
	size_t n_found = 0, at = 0;

	ret_names[0] = '\0';
	while (proc && (entry = readdir(proc)) != NULL) {
		AUTO(fd) int process = -1;
		char name[32];

		if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == getpid())
			continue; /* we hold what our caller has left open; it is named itself */
		process = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0 || !process_uses(process, device))
			continue;
		process_name(process, name, sizeof(name));
		if (at < size)
			at += (size_t)snprintf(ret_names + at, size - at, "%s%s (%s)", n_found ? ", " : "",
					       name, entry->d_name);
		n_found++;
	}
	return n_found;
}
