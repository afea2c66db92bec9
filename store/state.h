/* state.h - the row of table state, which says up to which commit vault.db was applied, and rows of table packs. */
#ifndef VAULTFS_STATE_H
#define VAULTFS_STATE_H

#include "vault_internal.h"

/* The metadata lock is held for all of these. */

/* -EBADMSG the row is missing or cannot be (logged). */
int state_load_locked(struct vault *vault, struct commit_state *ret);
int state_save_locked(struct vault *vault, const struct commit_state *state);

/* Pack `number` holds a record of commit `commit` that a replay may need. */
int state_note_pack_locked(struct vault *vault, uint64_t number, uint64_t commit);

/* Settings: text and numbers under a key.  -ENOENT (silent). */
int state_get_setting_locked(struct vault *vault, const char *key, void *ret, size_t size);
int state_put_setting_locked(struct vault *vault, const char *key, const void *value, size_t size);
int state_get_number_locked(struct vault *vault, const char *key, uint64_t *ret);
int state_put_number_locked(struct vault *vault, const char *key, uint64_t value);

#endif
