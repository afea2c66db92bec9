/* json.h - results for machines: a thin layer over jansson. */
#ifndef VAULTFS_TOOLS_JSON_H
#define VAULTFS_TOOLS_JSON_H

#include <jansson.h>
#include <stdint.h>

/* Set `key` of `object`. Failures (no memory) are remembered in *r as -ENOMEM; with *r already negative nothing is
 * done, so that a row of calls is checked once. */
void json_put(int *r, json_t *object, const char *key, json_t *value);
void json_put_number(int *r, json_t *object, const char *key, uint64_t value);

/* A text that may not be UTF-8: `key` gets it with U+FFFD for what is not, and `key`_hex, then, its bytes. */
void json_put_bytes(int *r, json_t *object, const char *key, const char *text);

/* A time in nanoseconds since 1970, as ISO 8601 in UTC with nine decimals. */
void json_put_time(int *r, json_t *object, const char *key, int64_t ns);

/* Print on stdout, with a newline. -ENOMEM or -EIO, logged. */
int json_print(const json_t *value, size_t flags);

static inline void auto_json(json_t **value)
{
	json_decref(*value);
}

#endif
