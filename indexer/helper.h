/* helper.h - the process that looks at hostile bytes: its protocol and its loop.
 *
 * Both ways little-endian, over a stream socket that is the helper's standard input and output:
 *   helper   u16 0                          once, when it is ready
 *   caller   u32 n, n bytes                 the head of a file, 1 <= n <= HELPER_REQUEST_MAX
 *   helper   u16 n, n bytes                 its MIME type; n = 0: it cannot tell
 * The end of its input ends the helper. */
#ifndef VAULTFS_INDEXER_HELPER_H
#define VAULTFS_INDEXER_HELPER_H

#include <stddef.h>

/* Bytes of a file's head. Compared with what whole files give, over 1,500 of a system's: 64 KiB differ for 194, 16 KiB
 * for 488, all of them programs called libraries; an ISO 9660 image shows itself at 32 KiB. 1.0 ms a file either way. */
#define HELPER_REQUEST_MAX 65536u
#define HELPER_MIME_MAX 255u /* bytes of an answer */

/* Says what `head` is; NULL: cannot tell. The string is borrowed until the next call. */
typedef const char *(*helper_classify)(void *context, const void *head, size_t size);

/* Say that we are ready on `fd_out`, then answer what comes from `fd_in` until it ends. Returns the exit status: 0 at
 * the end of the input, 1 when the other side does not keep to the protocol. */
int helper_serve(int fd_in, int fd_out, helper_classify classify, void *context);

#endif
