/* json.c - results for machines: a thin layer over jansson. See json.h. */
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "auto.h"
#include "log.h"
#include "text.h"

void json_put(int *r, json_t *object, const char *key, json_t *value)
{
	if (*r < 0)
		json_decref(value);
	else if (json_object_set_new(object, key, value) < 0) /* takes `value` over, also when it fails */
		*r = log_err(-ENOMEM, "no memory for the output");
}

void json_put_number(int *r, json_t *object, const char *key, uint64_t value)
{
	json_put(r, object, key, json_integer((json_int_t)value));
}

void json_put_bytes(int *r, json_t *object, const char *key, const char *text)
{
	AUTO(free) char *utf8 = text_to_utf8(text);
	AUTO(free) char *hex = NULL;
	AUTO(free) char *hex_key = NULL;
	size_t n = strlen(text);

	json_put(r, object, key, utf8 ? json_string(utf8) : NULL);
	if (*r < 0 || text_is_utf8(text))
		return;
	hex = malloc(2 * n + 1);
	if (asprintf(&hex_key, "%s_hex", key) < 0)
		hex_key = NULL; /* undefined then */
	for (size_t i = 0; hex && i < n; i++)
		(void)sprintf(hex + 2 * i, "%02x", (unsigned)(unsigned char)text[i]);
	json_put(r, object, hex_key ? hex_key : "hex", hex && hex_key ? json_string(hex) : NULL);
}

void json_put_time(int *r, json_t *object, const char *key, int64_t ns)
{
	int64_t rest = ns % 1000000000;
	time_t seconds = (time_t)(ns / 1000000000 - (rest < 0));
	char text[64], day[40];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
		json_put(r, object, key, json_null());
		return;
	}
	(void)snprintf(text, sizeof(text), "%s.%09lldZ", day,
		       (long long)(rest < 0 ? rest + 1000000000 : rest));
	json_put(r, object, key, json_string(text));
}

int json_print(const json_t *value, size_t flags)
{
	if (!value || json_dumpf(value, stdout, flags | JSON_ENSURE_ASCII) < 0)
		return log_err(-EIO, "standard output: not everything could be written");
	(void)putchar('\n'); /* checked by command_finish_output() */
	return 0;
}
