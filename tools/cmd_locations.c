/* cmd_locations.c - `vaultfs locations`: the folders that were brought in, and what becomes of them. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "library.h"
#include "locations.h"
#include "log.h"
#include "target.h"
#include "text.h"

/* ---- the list ---- */

struct device {
	uint64_t id;
	uint8_t uuid[16];
	char name[256], system[256];
};

struct list {
	struct device *devices;
	size_t n_devices;
	struct locations_row *rows;
	size_t n_rows;
};

static void list_release(struct list *list)
{
	free(list->devices);
	free(list->rows);
}

static inline void auto_list(struct list *list)
{
	list_release(list);
}

static int add_device(void *context, const struct vault_device *device)
{
	struct list *list = context;
	struct device *devices = realloc(list->devices, (list->n_devices + 1) * sizeof(*devices));
	struct device *added;

	if (!devices)
		return -ENOMEM;
	list->devices = devices;
	added = &devices[list->n_devices++];
	added->id = device->id;
	memcpy(added->uuid, device->uuid, sizeof(added->uuid));
	(void)snprintf(added->name, sizeof(added->name), "%s", device->name);
	(void)snprintf(added->system, sizeof(added->system), "%s", device->system);
	return 0;
}

static int add_row(void *context, const struct vault_location *location)
{
	struct list *list = context;
	struct locations_row *rows = realloc(list->rows, (list->n_rows + 1) * sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	list->rows = rows;
	locations_row_copy(&rows[list->n_rows++], location);
	return 0;
}

static int read_list(struct vault *vault, struct list *ret)
{
	int r = vault_devices(vault, add_device, ret);

	if (r == 0)
		r = vault_locations(vault, add_row, ret);
	for (size_t i = 0; i < ret->n_rows; i++) { /* they have moved since they were copied */
		struct locations_row *row = &ret->rows[i];

		row->location.path = row->path;
		row->location.error = row->location.error ? row->error : NULL;
	}
	return r < 0 ? log_err(r, "locations: they cannot be read: ") : 0;
}

static const struct device *device_of(const struct list *list, uint64_t id)
{
	static const struct device unknown = { .name = "?", .system = "?" };

	for (size_t i = 0; i < list->n_devices; i++)
		if (list->devices[i].id == id)
			return &list->devices[i];
	return &unknown;
}

static void print_table(const struct list *list)
{
	if (list->n_rows == 0)
		return;
	(void)printf("%6s  %-9s %-8s %-5s %9s %10s  %-16s  %s\n", "ID", "STATE", "MODE", "WATCH", "FILES",
		     "SIZE", "SCANNED", "DEVICE:PATH");
	for (size_t i = 0; i < list->n_rows; i++) {
		const struct vault_location *l = &list->rows[i].location;

		(void)printf("%6" PRIu64 "  %-9s %-8s %-5s %9s %10s  %-16s  %s:", l->id,
			     vault_location_state_name(l->state), vault_location_mode_name(l->mode),
			     l->watch ? "yes" : "no", text_from_count(l->n_files).text,
			     text_from_size(l->n_bytes).text,
			     l->scanned_ns ? text_from_time(l->scanned_ns).text : "-",
			     device_of(list, l->device_id)->name);
		text_print_name(l->path);
		if (l->error) {
			(void)printf("\n        ");
			text_print_name(l->error);
		}
		(void)putchar('\n');
	}
}

static json_t *device_json(const struct device *device)
{
	json_t *object = json_object();
	char uuid[33];
	int r = object ? 0 : -ENOMEM;

	for (size_t i = 0; i < sizeof(device->uuid); i++)
		(void)sprintf(uuid + 2 * i, "%02x", (unsigned)device->uuid[i]);
	json_put(&r, object, "uuid", json_string(uuid));
	json_put_bytes(&r, object, "name", device->name);
	json_put_bytes(&r, object, "system", device->system);
	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *row_json(const struct list *list, const struct vault_location *l)
{
	json_t *object = json_object();
	int r = object ? 0 : -ENOMEM;

	json_put_number(&r, object, "id", l->id);
	json_put_bytes(&r, object, "path", l->path);
	json_put(&r, object, "device", device_json(device_of(list, l->device_id)));
	json_put_number(&r, object, "directory_inode", l->directory_id);
	json_put(&r, object, "mode", json_string(vault_location_mode_name(l->mode)));
	json_put(&r, object, "state", json_string(vault_location_state_name(l->state)));
	json_put(&r, object, "watch", json_boolean(l->watch));
	json_put_number(&r, object, "files", l->n_files);
	json_put_number(&r, object, "bytes", l->n_bytes);
	if (l->scanned_ns)
		json_put_time(&r, object, "scanned", l->scanned_ns);
	if (l->error)
		json_put_bytes(&r, object, "error", l->error);
	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

static int print_json(const struct list *list)
{
	json_t *rows = json_array();
	int r = rows ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < list->n_rows; i++)
		if (json_array_append_new(rows, row_json(list, &list->rows[i].location)) < 0)
			r = log_err(-ENOMEM, "locations: no memory for the output");
	if (r == 0)
		r = json_print(rows, JSON_INDENT(2));
	json_decref(rows);
	return r;
}

static int print_list(const struct target *target, bool json)
{
	AUTO(vault) struct vault *vault = NULL;
	AUTO(list) struct list list = { 0 };
	int r = target_open("locations", target, &vault);

	if (r == 0)
		r = read_list(vault, &list);
	if (r < 0)
		return r;
	if (json)
		return print_json(&list);
	print_table(&list);
	return 0;
}

/* ---- changes ---- */

/* In a vault that is not mounted; what is resumed goes on with the next mount. */
static int change(struct vault *vault, const char *verb, uint64_t id)
{
	struct locations_row row;
	int r = vault_is_read_only(vault) ? -EROFS : locations_find_id(vault, id, &row);

	if (r < 0)
		return r;
	row.location.state = strcmp(verb, "pause") == 0 ? VAULT_LOCATION_PAUSED : VAULT_LOCATION_PENDING;
	row.location.error = NULL;
	vault_change_begin(vault, 0);
	r = strcmp(verb, "remove") == 0 ? vault_location_remove(vault, id)
					: vault_location_set(vault, &row.location);
	vault_change_end(vault);
	return r;
}

static int change_unmounted(const struct target *target, const char *verb, const char *given, uint64_t id)
{
	struct vault *vault = NULL;
	int r = vault_open(target->vault, NULL, &vault), closed;

	if (r < 0)
		return r;
	r = change(vault, verb, id);
	if (r < 0)
		(void)locations_refused("locations", given, r);
	closed = vault_close(vault);
	return r < 0 ? r : closed;
}

static int change_one(const struct target *target, const char *verb, const char *given)
{
	uint64_t id;

	if (text_to_number(given, 1, INT64_MAX, &id) < 0)
		return log_err(-EINVAL,
			       "locations: %s: is no number of a location: 'vaultfs locations' lists them",
			       given);
	if (target->kind == TARGET_VAULT)
		return change_unmounted(target, verb, given, id);
	return locations_ask("locations", given, target,
			     json_pack("{s:s, s:I}", "do", verb, "id", (json_int_t)id));
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pause", required_argument, NULL, 'p' },
		{ "resume", required_argument, NULL, 'r' },
		{ "remove", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		COMMAND_LAST_OPTIONS,
	};
	AUTO(target) struct target target = { 0 };
	const char *verb = NULL, *id = NULL;
	bool json = false;
	int c, r;

	while ((c = command_option(self, argc, argv, "", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == 'j')
			json = true;
		else if (c == '?')
			return STATUS_USAGE;
		else if (verb)
			return command_misused(self, "one of --pause, --resume and --remove at a time");
		else {
			verb = c == 'p' ? "pause" : c == 'r' ? "resume" : "remove";
			id = optarg;
		}
	}
	if (argc - optind != 1)
		return command_misused(self, argc == optind ? "no vault or mount named"
							    : "one vault or mount at a time");
	r = target_find(self->name, argv[optind], &target);
	if (r == 0)
		r = verb ? change_one(&target, verb, id) : print_list(&target, json);
	return r < 0 ? STATUS_FAILED : command_finish_output(self);
}

const struct command cmd_locations = {
	.name = "locations",
	.summary = "folders that were brought in: list, pause, resume, remove",
	.usage = "[--json] VAULT|MOUNT\n--pause ID | --resume ID | --remove ID VAULT|MOUNT",
	.help = "Lists the folders that `vaultfs add` has brought in, with the device each stands on, how far it\n"
		"is and what was found in it.\n"
		"\n"
		"      --pause ID   do not follow it, nor go on with it, until it is resumed\n"
		"      --resume ID  go through all of it again, and follow it if it is watched\n"
		"      --remove ID  forget it; the files that it brought stay\n"
		"      --json       one JSON array; vaultfs(1) lists the keys\n"
		"  -h, --help       this text\n"
		"\n"
		"Example: vaultfs locations ~/Media\n"
		"         vaultfs locations --pause 4711 ~/Media\n",
	.run = run,
};
