/* device.h - the machine this runs on, as the vault remembers where files came from. */
#ifndef VAULTFS_TOOLS_DEVICE_H
#define VAULTFS_TOOLS_DEVICE_H

#include "library.h"

/* This machine, remembered in the vault: a number that stays the same for it and gives nothing away, worked out from
 * /etc/machine-id (or the host name, where there is none), its host name and its system.  [change]  Logged. */
int device_put(struct vault *vault, uint64_t *ret_id);

#endif
