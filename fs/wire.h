/* wire.h - raw requests: the little of the kernel's protocol that libfuse does not show.
 *
 * Knows linux/fuse.h, and is the only file besides negotiate.c that does. */
#ifndef VAULTFS_WIRE_H
#define VAULTFS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum wire_kind {
	WIRE_OTHER,
	WIRE_CHANGE,		/* changes something, so it takes part in a commit */
	WIRE_INTERRUPT,		/* somebody waiting for a request was sent a signal */
	WIRE_INIT,
};

struct wire_request {
	enum wire_kind kind;
	uint64_t unique;	/* what a reply names */
	uint64_t n_bytes;	/* of file content that a WIRE_CHANGE brings */
	bool from_cache;	/* a write of pages that programs changed through mmap, or of the writeback cache */
	bool kill_priv;		/* suid and sgid are to be cleared; libfuse 3.14 drops the bit */
	bool kill_sgid;		/* sgid is to be cleared with an access control list: see wire_shorten_setxattr() */
};

/* Look at the request in `raw`.  -EINVAL its lengths do not fit. */
int wire_parse(const void *raw, size_t size, struct wire_request *ret);

/* With SETXATTR_EXT, SETXATTR has a word more, which libfuse does not know or not hand on. If the request in `raw` is one, note
 * the word in `request` and take it out. Returns the request's size afterwards, or -EINVAL. */
ssize_t wire_shorten_setxattr(void *raw, size_t size, struct wire_request *request);

/* Reply `error` (positive) without libfuse. */
void wire_refuse(int fd, uint64_t unique, int error);

#endif
