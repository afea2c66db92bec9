/* memory_faults.c - see memory_faults.h. */
#include "memory_faults.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic bool counting, lasting_failure, has_failed;
static _Atomic uint64_t n_asked, failing;

void memory_end_at(uint64_t n, bool lasting)
{
	n_asked = 0;
	failing = n;
	lasting_failure = lasting;
	has_failed = false;
	counting = true;
}

uint64_t memory_is_back(void)
{
	counting = false;
	return n_asked;
}

bool memory_was_refused(void)
{
	return has_failed;
}

/* Is this the one that fails? */
static bool refused(void)
{
	uint64_t n;

	if (!counting)
		return false;
	n = ++n_asked;
	if (failing == 0 || n < failing || (n > failing && !lasting_failure))
		return false;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

/* ---- the store's: `real` is the function, `wrap` what the linker puts in its place ---- */

#define WRAP(type, name, parameters, arguments)          \
	type __real_##name parameters;                   \
	type __wrap_##name parameters;                   \
	type __wrap_##name parameters                    \
	{                                                \
		return refused() ? NULL : __real_##name arguments; \
	}

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *old, size_t size), (old, size))
WRAP(void *, reallocarray, (void *old, size_t n, size_t size), (old, n, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, realpath, (const char *path, char *resolved), (path, resolved))
WRAP(DIR *, fdopendir, (int fd), (fd))
#ifdef HAVE_LIBDEFLATE
WRAP(void *, libdeflate_alloc_decompressor, (void), ())
#endif

int __wrap_asprintf(char **ret, const char *format, ...);
int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list arguments;
	int n;

	if (refused())
		return -1;
	va_start(arguments, format);
	n = vasprintf(ret, format, arguments);
	va_end(arguments);
	return n;
}

int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...);
int __wrap___asprintf_chk(char **ret, int flag, const char *format, ...)
{
	va_list arguments;
	int n;

	(void)flag;
	if (refused())
		return -1;
	va_start(arguments, format);
	n = vasprintf(ret, format, arguments);
	va_end(arguments);
	return n;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	return refused() ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}

/* No preallocation: on a tmpfs it fills 64 MiB with zeros for each vault. */
int __wrap_fallocate64(int fd, int mode, int64_t offset, int64_t size);
int __wrap_fallocate64(int fd, int mode, int64_t offset, int64_t size)
{
	(void)fd;
	(void)mode;
	(void)offset;
	(void)size;
	errno = EOPNOTSUPP;
	return -1;
}

/* ---- SQLite's ---- */

static sqlite3_mem_methods sqlite_own;

static void *sqlite_malloc(int size)
{
	return refused() ? NULL : sqlite_own.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
	return refused() ? NULL : sqlite_own.xRealloc(old, size);
}

static void install_in_sqlite(void)
{
	sqlite3_mem_methods ours;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_own) != SQLITE_OK)
		abort();
	ours = sqlite_own;
	ours.xMalloc = sqlite_malloc;
	ours.xRealloc = sqlite_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) != SQLITE_OK)
		abort();
}

/* ---- libcrypto's ---- */

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return refused() ? NULL : __real_malloc(size);
}

static void *crypto_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return refused() ? NULL : __real_realloc(old, size);
}

static void crypto_free(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

void memory_install(void)
{
	install_in_sqlite();
	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
		abort();
}
