/* query.h - queries as words on a command line. */
#ifndef VAULTFS_TOOLS_QUERY_H
#define VAULTFS_TOOLS_QUERY_H

#include "library.h"

/* Put `n` words together, with spaces between them, and take the query apart. One that is wrong is shown on stderr with a
 * mark under the spot, for the command called `what`.
 *   Ownership  vault_query_free() *ret; ret_text, which may be NULL, gets the text: free() it.
 *   Errors     -EINVAL a wrong query; -ENOMEM. Logged. */
int query_from_words(const char *what, char **words, int n, struct vault_query **ret, char **ret_text);

#endif
