/* changeset.c - the strict reader of changesets. See changeset.h. */
#include "changeset.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "schema.h"

enum state {
	AT_CHANGE,	/* a table's head, or a change of the table before */
	AT_COLUMNS,
	AT_KEYS,
	AT_NAME,
	AT_INDIRECT,	/* behind the operation */
	AT_VALUE,
	AT_LENGTH,
	IN_VALUE,
};

#define UNDEFINED 0u	/* the type of a value that an update leaves alone */
#define VARINT_MAX 4u	/* bytes of a length: 28 bits */

/* ---- a table's head ---- */

static int take_columns(struct changeset_check *c, uint8_t byte)
{
	if (byte == 0 || byte > sizeof(c->keys))	/* our tables have fewer than 17 */
		return -EBADMSG;
	c->n_columns = byte;
	c->column = 0;
	c->state = AT_KEYS;
	return 0;
}

static void take_key(struct changeset_check *c, uint8_t byte)
{
	c->keys[c->column++] = byte;
	if (c->column < c->n_columns)
		return;
	c->name_size = 0;
	c->state = AT_NAME;
}

static int take_name(struct changeset_check *c, uint8_t byte)
{
	if (c->name_size == sizeof(c->name))
		return -EBADMSG;
	c->name[c->name_size++] = (char)byte;
	if (byte != 0)
		return 0;
	c->table = schema_shape_find(c->name);
	if (!c->table || (c->table->n_columns != c->n_columns && c->table->n_columns_first != c->n_columns) || memcmp(c->table->keys, c->keys, c->n_columns) != 0)
		return -EBADMSG;
	c->state = AT_CHANGE;
	return 0;
}

/* ---- changes ---- */

static int take_operation(struct changeset_check *c, uint8_t byte)
{
	if (byte == 'T') {
		c->state = AT_COLUMNS;
		return 0;
	}
	if (!c->table || (byte != SQLITE_INSERT && byte != SQLITE_UPDATE && byte != SQLITE_DELETE))
		return -EBADMSG;
	c->operation = byte;
	c->second = false;
	c->column = 0;
	c->state = AT_INDIRECT;
	return 0;
}

static int take_indirect(struct changeset_check *c, uint8_t byte)
{
	c->state = AT_VALUE;
	return byte > 1 ? -EBADMSG : 0;
}

static void end_value(struct changeset_check *c)
{
	c->state = AT_VALUE;
	if (++c->column < c->n_columns)
		return;
	c->column = 0;
	if (c->operation == SQLITE_UPDATE && !c->second)
		c->second = true;
	else
		c->state = AT_CHANGE;
}

/* Only an update leaves values out: what did not change, and never the key by which it finds the row. */
static bool may_be_undefined(const struct changeset_check *c)
{
	return c->operation == SQLITE_UPDATE && (c->second || c->keys[c->column] == 0);
}

static int take_type(struct changeset_check *c, uint8_t byte)
{
	switch (byte) {
	case UNDEFINED:
		if (!may_be_undefined(c))
			return -EBADMSG;
		end_value(c);
		return 0;
	case SQLITE_NULL:
		end_value(c);
		return 0;
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		c->left = 8;
		c->state = IN_VALUE;
		return 0;
	case SQLITE_TEXT:
	case SQLITE_BLOB:
		c->left = 0;
		c->n_varint = 0;
		c->state = AT_LENGTH;
		return 0;
	default:
		return -EBADMSG;
	}
}

static int take_length(struct changeset_check *c, uint8_t byte)
{
	c->left = c->left << 7 | (byte & 0x7f);
	if (++c->n_varint == VARINT_MAX && byte & 0x80)
		return -EBADMSG;
	if (byte & 0x80)
		return 0;
	if (c->left > CHANGESET_VALUE_MAX)
		return -EBADMSG;
	c->state = IN_VALUE;
	if (c->left == 0)
		end_value(c);
	return 0;
}

static int take_byte(struct changeset_check *c, uint8_t byte)
{
	switch ((enum state)c->state) {
	case AT_CHANGE:
		return take_operation(c, byte);
	case AT_COLUMNS:
		return take_columns(c, byte);
	case AT_KEYS:
		take_key(c, byte);
		return 0;
	case AT_NAME:
		return take_name(c, byte);
	case AT_INDIRECT:
		return take_indirect(c, byte);
	case AT_VALUE:
		return take_type(c, byte);
	case AT_LENGTH:
		return take_length(c, byte);
	case IN_VALUE:
		break;	/* changeset_check() passes over these */
	}
	return -EBADMSG;
}

int changeset_check(struct changeset_check *check, const uint8_t *bytes, size_t size)
{
	int r = 0;

	while (r == 0 && size > 0) {
		size_t n = 1;

		if (check->state == IN_VALUE) {
			n = size < check->left ? size : check->left;
			check->left -= (uint32_t)n;
			if (check->left == 0)
				end_value(check);
		} else {
			r = take_byte(check, *bytes);
		}
		bytes += n;
		size -= n;
	}
	return r;
}

bool changeset_is_whole(const struct changeset_check *check)
{
	return check->state == AT_CHANGE;
}
