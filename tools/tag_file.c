/* tag_file.c - the tags of a file in a mount. See tag_file.h. */
#include "tag_file.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "auto.h"
#include "log.h"
#include "target.h"

#define XATTR_TAGS "user.xdg.tags"

int tag_file_check(const char *path)
{
	AUTO(free) char *real = realpath(path, NULL);
	struct target target;
	int r;

	if (!real) /* also a symbolic link that leads nowhere: the kernel lets no link have tags of its own */
		return log_err(-errno, "tag: %s: ", path);
	r = target_find_mounted("tag", real, &target);
	target_release(&target);
	return r;
}

int tag_file_read(const char *path, struct tags *ret)
{
	AUTO(free) char *value = malloc(VAULT_XATTR_MAX + 1);
	ssize_t n;

	if (!value)
		return log_err(-ENOMEM, "tag: %s: no memory for its tags", path);
	n = getxattr(path, XATTR_TAGS, value, VAULT_XATTR_MAX);
	if (n < 0)
		return errno == ENODATA ? 0 : log_err(-errno, "tag: %s: cannot read its tags: ", path);
	value[n] = '\0';
	return tags_add(ret, value);
}

int tag_file_write(const char *path, const struct tags *tags)
{
	AUTO(free) char *value = tags_to_text(tags);
	int r;

	if (!value)
		return log_err(-ENOMEM, "tag: %s: no memory for its tags", path);
	r = *value ? setxattr(path, XATTR_TAGS, value, strlen(value), 0) : removexattr(path, XATTR_TAGS);
	if (r < 0 && errno == EINVAL)
		return log_err(
			-EINVAL,
			"tag: %s: cannot change its tags: a tag has at most 255 bytes, a file at most 1000 tags",
			path);
	if (r < 0 && (*value || errno != ENODATA))
		return log_err(-errno, "tag: %s: cannot change its tags: ", path);
	return 0;
}
