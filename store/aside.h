/* aside.h - threads for what takes long and is asked for by somebody who must not wait: see vault_aside(). */
#ifndef VAULTFS_ASIDE_H
#define VAULTFS_ASIDE_H

struct aside;

/* No thread is started before there is work.  -ENOMEM (logged). */
int aside_new(struct aside **ret);

/* Run all that was asked for, then end the threads. Nobody asks for more. NULL is fine. */
void aside_free(struct aside *aside);

#endif
