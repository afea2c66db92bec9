/* auto.h - release what a function holds on every way out of it.
 *
 * AUTO(kind) marks a variable to be handed to auto_##kind() when it goes out of scope; TAKE(p) yields p and leaves NULL
 * (or -1, TAKE_FD) behind, so that the guard finds nothing to do. Always initialise what AUTO guards. A module that
 * wants a guard of its own kind defines auto_KIND(TYPE *) as a static inline beside the type. */
#ifndef VAULTFS_AUTO_H
#define VAULTFS_AUTO_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <dirent.h>

#define AUTO(kind) __attribute__((cleanup(auto_##kind), unused))

#define TAKE(p)                       \
	__extension__({               \
		__auto_type taken_ = (p); \
		(p) = NULL;           \
		taken_;               \
	})

#define TAKE_FD(fd)            \
	__extension__({        \
		int taken_ = (fd); \
		(fd) = -1;     \
		taken_;        \
	})

/* free() what the variable points to. */
static inline void auto_free(void *pointer_to_variable)
{
	free(*(void **)pointer_to_variable);
}

/* close() a descriptor, unless it is negative. */
static inline void auto_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);	/* read-only, or already synced by whoever cares */
}

static inline void auto_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);	/* as above */
}

static inline void auto_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Unlock a mutex: `AUTO(unlock) pthread_mutex_t *held = lock_mutex(&x->lock);`. Set it to NULL to unlock early by hand. */
static inline void auto_unlock(pthread_mutex_t **mutex)
{
	if (*mutex)
		(void)pthread_mutex_unlock(*mutex);
}

static inline pthread_mutex_t *lock_mutex(pthread_mutex_t *mutex)
{
	(void)pthread_mutex_lock(mutex);	/* fails only for a mutex that was never initialised */
	return mutex;
}

#endif
