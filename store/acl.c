/* acl.c - POSIX access control lists as bytes. See acl.h.
 *
 * A list is worked on where it lies: its length never changes. */
#include "acl.h"

#include <errno.h>

#include "bytes.h"

enum {
	VERSION = 2,
	HEADER_SIZE = 4,
	ENTRY_SIZE = 8,
	UNDEFINED_ID = -1,
};

enum tag {
	USER_OBJ = 0x01,
	USER = 0x02,
	GROUP_OBJ = 0x04,
	GROUP = 0x08,
	MASK = 0x10,
	OTHER = 0x20,
	START = 0x40, /* of no entry: before the first one */
};

static enum tag entry_tag(const uint8_t *entry)
{
	return (enum tag)get_u16(entry);
}

static uint32_t entry_permissions(const uint8_t *entry)
{
	return get_u16(entry + 2);
}

static void entry_set_permissions(uint8_t *entry, uint32_t permissions)
{
	put_u16(entry + 2, (uint16_t)(permissions & 7));
}

static uint32_t entry_id(const uint8_t *entry)
{
	return get_u32(entry + 4);
}

#define FOREACH_ENTRY(entry, value, size)                                                            \
	for (uint8_t *entry = (uint8_t *)(value) + HEADER_SIZE; entry < (uint8_t *)(value) + (size); \
	     entry += ENTRY_SIZE)

/* ---- what is valid ---- */

/* The tags an entry may stand behind; 0 for what is no tag. */
static unsigned may_follow(enum tag tag, bool any_named)
{
	switch (tag) {
	case USER_OBJ:
		return START;
	case USER:
		return USER_OBJ | USER;
	case GROUP_OBJ:
		return USER_OBJ | USER;
	case GROUP:
		return GROUP_OBJ | GROUP;
	case MASK:
		return GROUP_OBJ | GROUP;
	case OTHER:
		return any_named ? MASK : MASK | GROUP_OBJ;
	case START:
		break;
	}
	return 0;
}

/* As in the kernel, an id may be named twice; the first entry counts. */
static int check_entries(const void *value, size_t size)
{
	enum tag last = START;
	bool any_named = false;

	FOREACH_ENTRY(entry, value, size)
	{
		enum tag tag = entry_tag(entry);
		bool named = tag == USER || tag == GROUP;

		if (!(may_follow(tag, any_named) & last) || entry_permissions(entry) > 7)
			return -EINVAL;
		if (named && entry_id(entry) == (uint32_t)UNDEFINED_ID)
			return -EINVAL;
		any_named |= named;
		last = tag;
	}
	return last == OTHER ? 1 : -EINVAL;
}

int acl_check(const void *value, size_t size)
{
	if (size == 0)
		return 0;
	if (size < HEADER_SIZE)
		return -EINVAL;
	if (get_u32(value) != VERSION)
		return -EOPNOTSUPP;
	if (size > ACL_SIZE_MAX)
		return -E2BIG;
	if (size == HEADER_SIZE)
		return 0;
	return (size - HEADER_SIZE) % ENTRY_SIZE ? -EINVAL : check_entries(value, size);
}

/* ---- the mode ---- */

/* Three bits of a mode for each class. */
static unsigned class_shift(enum tag tag)
{
	return tag == USER_OBJ ? 6 : tag == OTHER ? 0 : 3;
}

/* The entry that the group's bits of a mode are about: the mask, or the group's where there is none. `value` may be
 * const: it is only handed back. */
static uint8_t *group_class(const void *value, size_t size)
{
	uint8_t *found = NULL;

	FOREACH_ENTRY(entry, value, size)
	{
		if (entry_tag(entry) == MASK || (entry_tag(entry) == GROUP_OBJ && !found))
			found = entry;
	}
	return found;
}

/* Does this entry stand for three bits of the mode? */
static bool is_in_mode(const uint8_t *entry, const uint8_t *group)
{
	return entry == group || entry_tag(entry) == USER_OBJ || entry_tag(entry) == OTHER;
}

static bool says_more_than_a_mode(size_t size)
{
	return size != HEADER_SIZE + 3 * (size_t)ENTRY_SIZE; /* user, group and other are always there */
}

bool acl_to_mode(const void *value, size_t size, uint32_t *mode)
{
	const uint8_t *group = group_class(value, size);
	uint32_t permissions = 0;

	FOREACH_ENTRY(entry, value, size)
	{
		if (is_in_mode(entry, group))
			permissions |= entry_permissions(entry) << class_shift(entry_tag(entry));
	}
	*mode = (*mode & ~0777u) | permissions;
	return says_more_than_a_mode(size);
}

void acl_chmod(void *value, size_t size, uint32_t mode)
{
	const uint8_t *group = group_class(value, size);

	FOREACH_ENTRY(entry, value, size)
	{
		if (is_in_mode(entry, group))
			entry_set_permissions(entry, mode >> class_shift(entry_tag(entry)));
	}
}

bool acl_inherit(void *value, size_t size, uint32_t *mode)
{
	const uint8_t *group = group_class(value, size);

	FOREACH_ENTRY(entry, value, size)
	{
		if (is_in_mode(entry, group))
			entry_set_permissions(entry, entry_permissions(entry) &
							     (*mode >> class_shift(entry_tag(entry))));
	}
	return acl_to_mode(value, size, mode);
}
