/* index_control.c - how commands ask for files to be looked into. See index_control.h. */
#include "index_control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "auto.h"
#include "fs.h"
#include "library.h"
#include "log.h"
#include "target.h"

#define WORD "index "
#define RETRY WORD "retry"
#define ID_DIGITS 20
#define IDS_MAX (FS_CONTROL_MAX / 2) /* that fit into a text */

static int ask(const char *what, const struct target *target, const char *text)
{
	if (setxattr(target->mount, FS_CONTROL_XATTR, text, strlen(text), 0) == 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return log_err(-EPERM, "%s: %s: only root and the user who mounted it may ask for that", what,
			       target->given);
	if (errno == EOPNOTSUPP || errno == EINVAL)
		return log_err(-errno, "%s: %s: is served by an older vaultfs: mount it anew", what,
			       target->given);
	return log_err(-errno, "%s: %s: ", what, target->given);
}

int index_control_retry(const char *what, const struct target *target)
{
	return ask(what, target, RETRY);
}

int index_control_queue(const char *what, const struct target *target, const uint64_t *ids, size_t n)
{
	char text[FS_CONTROL_MAX + 1];
	size_t size = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (size == 0)
			size = (size_t)(stpcpy(text, WORD) - text);
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%" PRIu64 " ",
					 ids[i]); /* there is room */
		if (i + 1 < n && size + ID_DIGITS + 1 < sizeof(text))
			continue;
		r = ask(what, target, text);
		size = 0;
	}
	return r;
}

int index_control(struct vault *vault, const char *text)
{
	AUTO(free) uint64_t *ids = NULL;
	size_t n = 0;
	int r;

	if (strcmp(text, RETRY) == 0)
		return vault_jobs_retry(vault) < 0 ? -EIO : 0;
	if (strncmp(text, WORD, strlen(WORD)) != 0)
		return -EINVAL;
	ids = calloc(IDS_MAX, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	for (const char *at = text + strlen(WORD); *at; n++) {
		char *end;

		if (*at < '1' || *at > '9' || n == IDS_MAX)
			return -EINVAL;
		errno = 0;
		ids[n] = strtoull(at, &end, 10);
		if (errno != 0 || (*end != ' ' && *end != '\0'))
			return -EINVAL;
		at = end + (*end == ' ');
	}
	r = n > 0 ? vault_job_queue(vault, ids, n) : -EINVAL;
	return r < 0 ? r : 0;
}
