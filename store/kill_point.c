/* kill_point.c - see kill_point.h. Empty in a normal build. */
#include "kill_point.h"

#ifdef VAULTFS_KILL_POINTS
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KILL_POINT_NAME(name) #name,
static const char *const names[N_KILL_POINTS] = { KILL_POINTS(KILL_POINT_NAME) };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned deadly = N_KILL_POINTS;	/* set once, by read_environment() */
static const char *mark;		/* the same */
static atomic_long left;		/* passings of it until the end */

static void read_environment(void)
{
	const char *wanted = getenv("VAULTFS_KILL");	/* both are inherited, and nobody here changes the environment */
	const char *colon = wanted ? strchr(wanted, ':') : NULL;

	mark = getenv("VAULTFS_KILL_MARK");
	if (!wanted)
		return;
	for (unsigned i = 0; colon && i < N_KILL_POINTS; i++)
		if (strlen(names[i]) == (size_t)(colon - wanted) && strncmp(names[i], wanted, strlen(names[i])) == 0)
			deadly = i;
	if (deadly == N_KILL_POINTS)
		abort();	/* a test asks for a point that is not there */
	atomic_store(&left, strtol(colon + 1, NULL, 10));
}

void kill_point_pass(enum kill_point point)
{
	(void)pthread_once(&once, read_environment);	/* cannot fail */
	if (point != deadly || atomic_fetch_sub(&left, 1) != 1)
		return;
	if (mark)
		(void)close(open(mark, O_RDWR | O_CREAT | O_CLOEXEC, 0600));	/* whoever looks for it misses it */
	(void)raise(SIGKILL);
}
#endif
