/* index_control.h - how `vaultfs index` and `vaultfs jobs` talk to the process that serves a mount. */
#ifndef VAULTFS_TOOLS_INDEX_CONTROL_H
#define VAULTFS_TOOLS_INDEX_CONTROL_H

#include <stddef.h>
#include <stdint.h>

struct vault;
struct target;

/* Ask the daemon behind `target`, a mount, to look into these files. `what` is the command's name.  Errors are logged. */
int index_control_queue(const char *what, const struct target *target, const uint64_t *ids, size_t n);

/* Ask it to try again what failed. */
int index_control_retry(const char *what, const struct target *target);

/* In the daemon: do what such a text asks for, "index ID..." or "index retry".  [change]  -EINVAL it asks for nothing that is
 * known; of the vault. */
int index_control(struct vault *vault, const char *text);

#endif
