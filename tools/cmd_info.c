/* cmd_info.c - `vaultfs info`: everything known about one file. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "library.h"
#include "listing.h"
#include "log.h"
#include "tags.h"
#include "target.h"
#include "text.h"
#include "vault.h"

/* How the value of an attribute is shown to machines. */
enum form { FORM_TEXT, FORM_TAGS, FORM_NUMBER, FORM_FLAG, FORM_JSON };

/* What is known by attributes, in the order it is printed. */
enum {
	FIELD_MIME,
	FIELD_TAGS,
};

static const struct field {
	const char *attribute;
	const char *key;   /* in JSON */
	const char *label; /* for people; NULL: too much for them */
	enum form form;
} fields[] = {
	[FIELD_MIME] = { "user.mime_type", "mime_type", "Type", FORM_TEXT },
	[FIELD_TAGS] = { "user.xdg.tags", "tags", "Tags", FORM_TAGS },
	{ "user.vaultfs.kind", "kind", "Kind", FORM_TEXT },
	{ "user.baloo.rating", "rating", "Rating", FORM_NUMBER },
	{ "user.xdg.comment", "comment", "Note", FORM_TEXT },
	{ "user.vaultfs.favorite", "favorite", "Favorite", FORM_FLAG },
	{ "user.vaultfs.hidden", "hidden", "Hidden", FORM_FLAG },
	{ "user.vaultfs.seen", "seen", "Seen", FORM_TEXT },
	{ "user.vaultfs.prediction", "prediction", "Predicted", FORM_TEXT },
	{ "user.vaultfs.quality", "quality", "Quality", FORM_NUMBER },
	{ "user.vaultfs.custom", "custom", "Custom", FORM_JSON },
	{ "user.xdg.origin.url", "origin_url", "Origin", FORM_TEXT },
	{ "user.vaultfs.sha256", "sha256", "SHA-256", FORM_TEXT },
	{ "user.vaultfs.media", "media", NULL, FORM_JSON },
	{ "user.vaultfs.error", "index_error", "Error", FORM_TEXT },
};
#define N_FIELDS ((int)(sizeof(fields) / sizeof(fields[0])))

struct findings {
	const char *path;
	struct vault_attr attr;
	struct vault_file_info info; /* of regular files */
	char *values[N_FIELDS];	     /* owned; NULL when there is none */
	char *origin;		     /* "DEVICE:PATH" of the location that brought it in; the same */
};

static void findings_release(struct findings *f)
{
	for (int i = 0; i < N_FIELDS; i++)
		free(f->values[i]);
	free(f->origin);
}

static inline void auto_findings(struct findings *f)
{
	findings_release(f);
}

/* An xattr as text; NULL when there is none. */
static int get_text(struct vault *vault, uint64_t id, const char *name, char **ret)
{
	AUTO(free) char *value = malloc(VAULT_XATTR_MAX + 1);
	ssize_t n;

	if (!value)
		return log_err(-ENOMEM, "info: no memory for %s", name);
	n = vault_getxattr(vault, id, name, value, VAULT_XATTR_MAX);
	if (n == -ENODATA || n == -EOPNOTSUPP)
		return 0;
	if (n < 0)
		return (int)n;
	value[n] = '\0';
	*ret = TAKE(value);
	return 0;
}

struct origin {
	uint64_t device_id, location_id;
	char device[256], path[VAULT_PATH_MAX + 1];
};

static int note_device(void *context, const struct vault_device *device)
{
	struct origin *origin = context;

	if (device->id == origin->device_id)
		(void)snprintf(origin->device, sizeof(origin->device), "%s", device->name);
	return 0;
}

static int note_location(void *context, const struct vault_location *location)
{
	struct origin *origin = context;

	if (location->id == origin->location_id)
		(void)snprintf(origin->path, sizeof(origin->path), "%s", location->path);
	return 0;
}

/* The device that brought it in, and the folder there while that is still known. */
static int get_origin(struct vault *vault, uint64_t id, char **ret)
{
	struct origin origin = { .path = "" };
	int r = vault_origin_get(vault, id, &origin.device_id, &origin.location_id);

	if (r < 0)
		return r == -ENODATA ? 0 : r;
	r = vault_devices(vault, note_device, &origin);
	if (r == 0)
		r = vault_locations(vault, note_location, &origin);
	if (r == 0 && asprintf(ret, "%s%s%s", origin.device, *origin.path ? ":" : "", origin.path) < 0) {
		*ret = NULL; /* undefined then */
		r = log_err(-ENOMEM, "info: no memory");
	}
	return r;
}

static int find_out(struct vault *vault, const struct target *target, const char *path, struct findings *ret)
{
	uint64_t id;
	int r = target_resolve("info", target, vault, path, &ret->attr);

	if (r < 0)
		return r;
	id = ret->attr.id;
	ret->path = path && *path ? path : target->given;
	if (S_ISREG(ret->attr.mode))
		r = vault_file_info(vault, id, &ret->info);
	for (int i = 0; r == 0 && i < N_FIELDS; i++)
		r = get_text(vault, id, fields[i].attribute, &ret->values[i]);
	return r < 0 ? r : get_origin(vault, id, &ret->origin);
}

static void print_text_line(const char *label, const char *text)
{
	(void)printf("%-10s", label);
	text_print_name(text ? text : "-");
	(void)putchar('\n');
}

/* What there is beside the type and the tags, which are always shown. */
static void print_others(const struct findings *f)
{
	for (int i = FIELD_TAGS + 1; i < N_FIELDS; i++) {
		if (!f->values[i] || !fields[i].label)
			continue;
		print_text_line(fields[i].label, fields[i].form == FORM_FLAG ? "yes" : f->values[i]);
	}
	if (f->origin)
		print_text_line("From", f->origin);
}

static void print_table(const struct findings *f)
{
	const struct vault_file_info *i = &f->info;

	print_text_line("Path", f->path);
	(void)printf("Inode     %" PRIu64 ", a %s with %u name%s\n", f->attr.id, listing_type(f->attr.mode),
		     f->attr.nlink, f->attr.nlink == 1 ? "" : "s");
	print_text_line(fields[FIELD_MIME].label, f->values[FIELD_MIME]);
	(void)printf("Mode      %s, owner %u:%u\n", text_from_mode(f->attr.mode).text, f->attr.uid,
		     f->attr.gid);
	(void)printf("Modified  %s\n", text_from_time(f->attr.mtime_ns).text);
	print_text_line(fields[FIELD_TAGS].label, f->values[FIELD_TAGS]);
	print_others(f);
	if (!S_ISREG(f->attr.mode))
		return;
	(void)printf("Size      %s (%s bytes)", text_from_size(f->attr.size).text,
		     text_from_count(f->attr.size).text);
	if (i->mapped_bytes < f->attr.size)
		(void)printf(", %s of it holes", text_from_size(f->attr.size - i->mapped_bytes).text);
	(void)printf("\nChunks    %s, in %s\n", text_from_count(i->n_chunks).text,
		     text_from_items(i->n_extents, "extent", "extents").text);
	(void)printf("Unique    %s that no other file uses\n", text_from_size(i->unique_bytes).text);
	(void)printf("Shared    %s that others use too\n", text_from_size(i->shared_bytes).text);
	(void)printf("Stored    %s in packs\n", text_from_size(i->stored_bytes).text);
}

static int put_tags(int *r, json_t *object, const char *text)
{
	AUTO(tags) struct tags tags = { 0 };
	json_t *words = json_array();

	if (text)
		*r = tags_add(&tags, text);
	for (size_t i = 0; i < tags.n && *r == 0; i++) {
		AUTO(free) char *utf8 = text_to_utf8(tags.words[i]);

		if (json_array_append_new(words, utf8 ? json_string(utf8) : NULL) < 0)
			*r = log_err(-ENOMEM, "info: no memory for the output");
	}
	json_put(r, object, "tags", words);
	return *r;
}

/* A value that the vault has checked; what is no JSON all the same is given as text. */
static void put_json(int *r, json_t *object, const char *key, const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (value)
		json_put(r, object, key, value);
	else
		json_put_bytes(r, object, key, text);
}

static void put_field(int *r, json_t *object, const struct field *field, const char *text)
{
	if (*r < 0)
		return;
	if (field->form == FORM_TAGS)
		(void)put_tags(r, object, text);
	else if (field->form == FORM_FLAG)
		json_put(r, object, field->key, json_boolean(text != NULL));
	else if (!text)
		json_put(r, object, field->key, json_null());
	else if (field->form == FORM_NUMBER)
		json_put(r, object, field->key, json_integer(strtoll(text, NULL, 10)));
	else if (field->form == FORM_JSON)
		put_json(r, object, field->key, text);
	else
		json_put_bytes(r, object, field->key, text);
}

static int print_json(const struct findings *f)
{
	AUTO(json) json_t *object = json_object();
	char mode[16];
	int r = 0;

	(void)snprintf(mode, sizeof(mode), "%04o", f->attr.mode & 07777u);
	json_put_bytes(&r, object, "path", f->path);
	if (f->origin)
		json_put_bytes(&r, object, "origin", f->origin);
	else
		json_put(&r, object, "origin", json_null());
	json_put(&r, object, "type", json_string(listing_type(f->attr.mode)));
	json_put_number(&r, object, "inode", f->attr.id);
	json_put(&r, object, "mode", json_string(mode));
	json_put_number(&r, object, "links", f->attr.nlink);
	json_put_number(&r, object, "uid", f->attr.uid);
	json_put_number(&r, object, "gid", f->attr.gid);
	json_put_number(&r, object, "size", f->attr.size);
	json_put_time(&r, object, "mtime", f->attr.mtime_ns);
	for (int i = 0; i < N_FIELDS; i++)
		put_field(&r, object, &fields[i], f->values[i]);
	if (S_ISREG(f->attr.mode)) {
		json_put_number(&r, object, "mapped_bytes", f->info.mapped_bytes);
		json_put_number(&r, object, "extents", f->info.n_extents);
		json_put_number(&r, object, "chunks", f->info.n_chunks);
		json_put_number(&r, object, "unique_bytes", f->info.unique_bytes);
		json_put_number(&r, object, "shared_bytes", f->info.shared_bytes);
		json_put_number(&r, object, "stored_bytes", f->info.stored_bytes);
	}
	return r < 0 ? r : json_print(object, JSON_INDENT(2));
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, COMMAND_LAST_OPTIONS };
	AUTO(target) struct target target = { 0 };
	AUTO(vault) struct vault *vault = NULL;
	AUTO(findings) struct findings findings = { 0 };
	bool as_json = false;
	int c;

	while ((c = command_option(self, argc, argv, "", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c != 'j')
			return STATUS_USAGE;
		as_json = true;
	}
	if (argc - optind < 1 || argc - optind > 2)
		return command_misused(self, "name a path in a mount, or a vault and a path in it");
	if (target_find(self->name, argv[optind], &target) < 0 ||
	    target_open(self->name, &target, &vault) < 0 ||
	    find_out(vault, &target, argc - optind == 2 ? argv[optind + 1] : NULL, &findings) < 0)
		return STATUS_FAILED;
	if (!as_json)
		print_table(&findings);
	else if (print_json(&findings) < 0)
		return STATUS_FAILED;
	return command_finish_output(self);
}

const struct command cmd_info = {
	.name = "info",
	.summary = "everything known about one file",
	.usage = "[--json] PATH\n"
		 "[--json] VAULT|MOUNT PATH",
	.help = "Shows a file's type, tags, note and what else is known of it, its size, and how it is stored:\n"
		"how many of its bytes no other file uses, how many it shares, and what all of them take in the\n"
		"packs. PATH alone is a path in a mount; behind VAULT or MOUNT it is a path in there.\n"
		"\n"
		"      --json  one JSON object; vaultfs(1) lists the keys\n"
		"  -h, --help  this text\n"
		"\n"
		"Example: vaultfs info ~/Media/Videos/film.mkv\n"
		"         vaultfs info ~/Media.vault Videos/film.mkv\n",
	.run = run,
};
