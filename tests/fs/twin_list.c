/* twin_list.c - operations as text, one a line: what a failing run prints, and what is kept of it.
 *
 *   p1 rename path=a/b path2=c flags=0x2 watch
 * A field that is not named is 0, a directory the current one. */
#include "twin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct field {
	const char *name;
	enum { FIELD_INT, FIELD_HEX, FIELD_OCTAL, FIELD_WIDE, FIELD_TEXT } kind;
	size_t at;
	int usual;
};

#define FIELD(member, kind, usual)                                     \
	{                                                              \
#member, kind, offsetof(struct twin_op, member), usual \
	}
static const struct field fields[] = {
	FIELD(slot, FIELD_INT, 0),     FIELD(slot2, FIELD_INT, 0),       FIELD(dir, FIELD_INT, TWIN_CWD),
	FIELD(path, FIELD_TEXT, 0),    FIELD(dir2, FIELD_INT, TWIN_CWD), FIELD(path2, FIELD_TEXT, 0),
	FIELD(flags, FIELD_HEX, 0),    FIELD(mode, FIELD_OCTAL, 0),      FIELD(offset, FIELD_WIDE, 0),
	FIELD(offset2, FIELD_WIDE, 0), FIELD(length, FIELD_WIDE, 0),
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static void print_field(FILE *out, const struct field *field, const struct twin_op *op)
{
	const char *at = (const char *)op + field->at;

	switch (field->kind) {
	case FIELD_INT:
		if (*(const int *)at != field->usual)
			fprintf(out, " %s=%d", field->name, *(const int *)at);
		break;
	case FIELD_HEX:
	case FIELD_OCTAL:
		if (*(const unsigned *)at != 0)
			fprintf(out, field->kind == FIELD_HEX ? " %s=0x%x" : " %s=0%o", field->name,
				*(const unsigned *)at);
		break;
	case FIELD_WIDE:
		if (*(const int64_t *)at != 0)
			fprintf(out, " %s=%" PRId64, field->name, *(const int64_t *)at);
		break;
	case FIELD_TEXT:
		if (*at)
			fprintf(out, " %s=%s", field->name, at);
	}
}

void twin_print(FILE *out, const struct twin_op *op)
{
	fprintf(out, "p%u %s", op->process, op->call->name);
	for (size_t i = 0; i < N_FIELDS; i++)
		print_field(out, &fields[i], op);
	fprintf(out, "%s\n", op->watch ? " watch" : "");
}

static void parse_field(const char *word, struct twin_op *op)
{
	const char *value = strchr(word, '=');
	const struct field *field = fields;
	char *at;

	while (value && field < fields + N_FIELDS &&
	       (strlen(field->name) != (size_t)(value - word) ||
		strncmp(field->name, word, (size_t)(value - word)) != 0))
		field++;
	if (!value || field == fields + N_FIELDS)
		twin_fail("no such field: %s", word);
	value++;
	at = (char *)op + field->at;
	if (field->kind == FIELD_INT)
		*(int *)at = (int)strtol(value, NULL, 0);
	else if (field->kind == FIELD_WIDE)
		*(int64_t *)at = strtoll(value, NULL, 0);
	else if (field->kind == FIELD_TEXT)
		snprintf(at, TWIN_TEXT, "%s", value);
	else
		*(unsigned *)at = (unsigned)strtoul(value, NULL, 0);
}

static const struct twin_call *call_of(const char *name)
{
	if (strcmp(name, twin_remount.name) == 0)
		return &twin_remount;
	if (strcmp(name, twin_drop_caches.name) == 0)
		return &twin_drop_caches;
	for (size_t group = 0; twin_groups[group]; group++) {
		for (const struct twin_call *call = twin_groups[group]; call->name; call++) {
			if (strcmp(name, call->name) == 0)
				return call;
		}
	}
	twin_fail("no such call: %s", name);
}

bool twin_parse(const char *line, struct twin_op *ret)
{
	char copy[512], *rest, *word;

	snprintf(copy, sizeof copy, "%s", line);
	copy[strcspn(copy, "#\n")] = '\0';
	word = strtok_r(copy, " ", &rest);
	if (!word)
		return false;
	*ret = (struct twin_op){ .dir = TWIN_CWD, .dir2 = TWIN_CWD };
	ret->process = (unsigned)strtoul(word + 1, NULL, 10);
	if (*word != 'p' || ret->process >= TWIN_PROCESSES)
		twin_fail("not an operation: %s", line);
	word = strtok_r(NULL, " ", &rest);
	ret->call = call_of(word ? word : "");
	while ((word = strtok_r(NULL, " ", &rest))) {
		if (strcmp(word, "watch") == 0)
			ret->watch = true;
		else
			parse_field(word, ret);
	}
	return true;
}
