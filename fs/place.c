/* place.c - where our filesystem is mounted by now. See place.h.
 *
 * The path of a mount is only a name: whoever unmounts by it without a look may hit another filesystem, which was mounted
 * over ours or in its place. A filesystem is known by its device number, which /proc/self/mountinfo shows with its paths. */
#include "place.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"

/* The device number of what stands at `path`; 0: not to be had. */
static uint64_t device_at(const char *path)
{
	struct statx info;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &info) < 0)
		return 0;
	return (uint64_t)info.stx_dev_major << 32 | info.stx_dev_minor;
}

void place_note(struct fs *fs)
{
	fs->device = device_at(fs->mount_point);
}

bool place_is_ours(const struct fs *fs, const char *path)
{
	return fs->device != 0 && device_at(path) == fs->device;
}

bool fs_holds(const struct fs *fs, const char *path)
{
	return place_is_ours(fs, path);
}

/* mountinfo writes blanks and the like as a backslash and three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

char *place_find(const struct fs *fs)
{
	AUTO(file) FILE *file = NULL;
	AUTO(free) char *line = NULL;
	size_t room = 0;

	if (place_is_ours(fs, fs->mount_point))
		return strdup(fs->mount_point);
	file = fopen("/proc/self/mountinfo", "re");
	while (file && getline(&line, &room, file) > 0) {
		unsigned major, minor;
		char path[PATH_MAX];

		if (sscanf(line, "%*u %*u %u:%u %*s %4095s", &major, &minor, path) != 3 ||
		    ((uint64_t)major << 32 | minor) != fs->device || fs->device == 0)
			continue;
		unescape(path);
		if (place_is_ours(fs, path))
			return strdup(path);
	}
	return NULL;
}
