/* tag_file.h - the tags of a file in a mount, as commands read and change them: through user.xdg.tags, as file managers do, so
 * that the daemon keeps the tables and watchers are told. Errors are logged, naming the path. */
#ifndef VAULTFS_TOOLS_TAG_FILE_H
#define VAULTFS_TOOLS_TAG_FILE_H

#include "tags.h"

/* 0 the path leads into a mount. Tags of a file elsewhere would be set as well, by the disk below; that is not what was
 * meant.  -ENOENT; -EINVAL. */
int tag_file_check(const char *path);

/* Add the tags that the file has to `ret`. */
int tag_file_read(const char *path, struct tags *ret);

/* Make these its tags. */
int tag_file_write(const char *path, const struct tags *tags);

#endif
