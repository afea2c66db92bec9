/* rebuild.h - vault.db built anew from the packs, beside the old one, and put in its place. */
#ifndef VAULTFS_REBUILD_H
#define VAULTFS_REBUILD_H

#include "vault_internal.h"

#define REBUILD_DATABASE "vault.db"	/* its name in a vault's directory */

/* Build the database of a vault whose directory, packs and lock are held and which is not open otherwise. `flags`: enum
 * vault_rebuild_flags.
 *   Errors  as vault_rebuild(); then the old one is still there. */
int rebuild_database(struct vault *vault, unsigned flags);

/* Remove what a rebuild that was cut off left; usually nothing. An old database stays as long as there is no other. */
void rebuild_remove_leftovers(struct vault *vault);

#endif
