/* pace.c - keep out of the way. See pace.h. */
#include "pace.h"

#include "library.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#define MS_NS INT64_C(1000000)
#define BUSY_NS (500 * MS_NS) /* whoever was active since then may be again at any moment */
#define SHARE 32              /* while others are active, one part of the time in so many is ours */
#define NAP_MS 100            /* between looks whether they still are */
#define REST_MAX_MS 5000

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000 * MS_NS + now.tv_nsec;
}

void pace_init(struct pace *pace, struct vault *vault, int cancel_fd)
{
	*pace = (struct pace){ .vault = vault, .cancel_fd = cancel_fd };
	if (vault)
		pace->n_others = vault_activity(vault);
	pace_begin(pace);
}

void pace_own(struct pace *pace, uint64_t n)
{
	pace->n_own += n;
}

void pace_begin(struct pace *pace)
{
	pace->worked_from_ns = now_ns();
}

bool pace_is_busy(struct pace *pace)
{
	uint64_t n_others;

	if (!pace->vault)
		return false;
	n_others = vault_activity(pace->vault) - pace->n_own;
	if (n_others != pace->n_others)
		pace->others_ns = now_ns();
	pace->n_others = n_others;
	return pace->others_ns != 0 && now_ns() - pace->others_ns < BUSY_NS;
}

int pace_sleep(const struct pace *pace, int64_t ms)
{
	struct pollfd cancel = { .fd = pace->cancel_fd, .events = POLLIN };
	int n;

	do
		n = poll(&cancel, 1, (int)ms);
	while (n < 0 && errno == EINTR);
	return n > 0 ? -ECANCELED : 0;
}

int pace_rest(struct pace *pace)
{
	int64_t rest_ms = (now_ns() - pace->worked_from_ns) * SHARE / MS_NS;
	int r = pace_sleep(pace, 0);

	if (rest_ms > REST_MAX_MS)
		rest_ms = REST_MAX_MS;
	while (r == 0 && rest_ms > 0 && pace_is_busy(pace)) {
		const int64_t nap_ms = rest_ms < NAP_MS ? rest_ms : NAP_MS;

		r = pace_sleep(pace, nap_ms);
		rest_ms -= nap_ms;
	}
	pace_begin(pace);
	return r;
}
