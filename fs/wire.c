/* wire.c - raw requests. See wire.h. */
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/fuse.h>

static enum wire_kind kind_of(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_SETATTR:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_SYMLINK:
	case FUSE_RENAME:
	case FUSE_RENAME2:
	case FUSE_LINK:
	case FUSE_CREATE:
	case FUSE_WRITE:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
	case FUSE_SETXATTR:
	case FUSE_REMOVEXATTR:
		return WIRE_CHANGE;
	case FUSE_INTERRUPT:
		return WIRE_INTERRUPT;
	case FUSE_INIT:
		return WIRE_INIT;
	default:
		return WIRE_OTHER;
	}
}

static int parse_write(const char *body, size_t size, struct wire_request *ret)
{
	struct fuse_write_in in;

	if (size < sizeof(in))
		return -EINVAL;
	memcpy(&in, body, sizeof(in));
	if (in.size > size - sizeof(in))
		return -EINVAL;
	ret->n_bytes = in.size;
	ret->from_cache = (in.write_flags & FUSE_WRITE_CACHE) != 0;
	ret->kill_priv = (in.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
	return 0;
}

static int parse_setattr(const char *body, size_t size, struct wire_request *ret)
{
	struct fuse_setattr_in in;

	if (size < sizeof(in))
		return -EINVAL;
	memcpy(&in, body, sizeof(in));
	ret->kill_priv = (in.valid & FATTR_KILL_SUIDGID) != 0;
	return 0;
}

int wire_parse(const void *raw, size_t size, struct wire_request *ret)
{
	struct wire_request request = { .kind = WIRE_OTHER };
	struct fuse_in_header header;
	const char *body = (const char *)raw + sizeof(header);
	int r = 0;

	if (size < sizeof(header))
		return -EINVAL;
	memcpy(&header, raw, sizeof(header));
	if (header.len != size)
		return -EINVAL;
	request.kind = kind_of(header.opcode);
	request.unique = header.unique;
	if (header.opcode == FUSE_WRITE)
		r = parse_write(body, size - sizeof(header), &request);
	else if (header.opcode == FUSE_SETATTR)
		r = parse_setattr(body, size - sizeof(header), &request);
	if (r >= 0)
		*ret = request;
	return r;
}

ssize_t wire_shorten_setxattr(void *raw, size_t size, struct wire_request *request)
{
	const size_t plain_end = sizeof(struct fuse_in_header) + FUSE_COMPAT_SETXATTR_IN_SIZE;
	const size_t end = sizeof(struct fuse_in_header) + sizeof(struct fuse_setxattr_in);
	struct fuse_in_header header;
	struct fuse_setxattr_in in;
	char *bytes = raw;

	memcpy(&header, raw, sizeof(header));
	if (header.opcode != FUSE_SETXATTR)
		return (ssize_t)size;
	if (size < end)
		return -EINVAL;
	memcpy(&in, bytes + sizeof(header), sizeof(in));
	request->kill_sgid = (in.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID) != 0;
	header.len -= (uint32_t)(end - plain_end);
	memcpy(bytes, &header, sizeof(header));
	memmove(bytes + plain_end, bytes + end, size - end);
	return (ssize_t)header.len;
}

void wire_refuse(int fd, uint64_t unique, int error)
{
	const struct fuse_out_header out = { .len = sizeof(out), .error = -error, .unique = unique };

	if (write(fd, &out, sizeof(out)) < 0)
		return;		/* nobody waits for it any more */
}
