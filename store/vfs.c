/* vfs.c - SQLite's file access, but for one function. See vfs.h.
 *
 * SQLite opens the log and its index when they are needed, and removes them when the last connection closes, each time by
 * the full path that it worked out when the database was opened. A vault's directory may have been renamed till then,
 * and another vault may stand under its old name. */
#include "vfs.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "log.h"

#define NAME "vaultfs"
#define HELD "/proc/self/fd/"

static sqlite3_vfs own;	/* written once, by registering; SQLite keeps it for the life of the process */
static sqlite3_vfs *base;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int full_path(sqlite3_vfs *vfs, const char *path, int size, char *ret)
{
	size_t length = strlen(path);

	(void)vfs;
	if (strncmp(path, HELD, sizeof(HELD) - 1) != 0)
		return base->xFullPathname(base, path, size, ret);
	if (length >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(ret, path, length + 1);
	return SQLITE_OK;
}

static void register_own(void)
{
	base = sqlite3_vfs_find("unix");
	if (!base)
		return;
	own = *base;
	own.zName = NAME;
	own.xFullPathname = full_path;
	if (sqlite3_vfs_register(&own, 0) != SQLITE_OK)
		base = NULL;
}

const char *vfs_name(void)
{
	(void)pthread_once(&once, register_own);	/* cannot fail for a valid control */
	if (base)
		return NAME;
	(void)log_err(-ENOTSUP, "SQLite has no file access called unix");
	return NULL;
}
