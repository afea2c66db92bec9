/* cmd_add.c - `vaultfs add`: a folder becomes a location: it is brought into the vault, and followed if asked for.
 *
 * Of a mounted vault the process that serves does it (follow.h), and goes on when this command ends; this one asks, and
 * shows how far it is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>

#include <jansson.h>

#include "auto.h"
#include "command.h"
#include "device.h"
#include "fs.h"
#include "import.h"
#include "library.h"
#include "locations.h"
#include "log.h"
#include "progress.h"
#include "target.h"
#include "text.h"

#define POLL_MS 500

struct adding {
	const struct command *self;
	char *source;     /* absolute, owned */
	const char *into; /* where to, below the target */
	enum vault_location_mode mode;
	bool watch, no_wait, quiet;
};

static int say_added(const struct vault_location *location)
{
	if (location->state == VAULT_LOCATION_ERROR)
		return log_err(-EIO, "add: %s: %s", location->path,
			       location->error ? location->error : "it failed");
	log_info("%s: %s, %s", location->path, text_from_items(location->n_files, "file", "files").text,
		 text_from_size(location->n_bytes).text);
	return 0;
}

/* ---- a vault that is not mounted ---- */

static int bring_in(struct vault *vault, const struct adding *adding, struct vault_location *location)
{
	struct import_totals totals = { 0 };
	struct import_options options = {
		.into = "",
		.into_id = location->directory_id,
		.update = true,
		.metadata_only = adding->mode == VAULT_LOCATION_METADATA,
		.device_id = location->device_id,
		.location_id = location->id,
		.progress = progress_new("added", adding->quiet),
		.totals = &totals,
	};
	AUTO(free) char *error = NULL;
	uint64_t n_failed = 0;
	int r = import_tree(vault, adding->source, &options, &n_failed), noted;

	progress_free(options.progress);
	location->n_files = atomic_load_explicit(&totals.n_files, memory_order_relaxed);
	location->n_bytes = atomic_load_explicit(&totals.n_bytes, memory_order_relaxed);
	location->state = VAULT_LOCATION_COMPLETE;
	location->scanned_ns = (int64_t)time(NULL) * 1000000000;
	if (r < 0 || n_failed > 0) {
		location->state = VAULT_LOCATION_ERROR;
		location->scanned_ns = 0;
		if (r == 0 &&
		    asprintf(&error, "%" PRIu64 " files or directories could not be read", n_failed) < 0)
			error = NULL; /* undefined then */
		location->error = r < 0 ? strerror(-r) : error;
	}
	vault_change_begin(vault, 0);
	noted = vault_location_set(vault, location);
	vault_change_end(vault);
	return noted < 0 ? log_err(noted, "add: %s: its state could not be noted: ", adding->source)
			 : say_added(location);
}

static int add_to(struct vault *vault, const struct adding *adding)
{
	struct vault_location location = { .path = adding->source,
					   .mode = adding->mode,
					   .watch = adding->watch,
					   .state = VAULT_LOCATION_SCANNING };
	int r = vault_is_read_only(vault)
			? log_err(-EROFS, "add: %s: could only be opened for reading", vault_path(vault))
			: 0;

	if (r == 0)
		r = device_put(vault, &location.device_id);
	if (r == 0)
		r = import_place(vault, adding->into, &location.directory_id);
	if (r < 0)
		return r;
	vault_change_begin(vault, 0);
	r = vault_location_add(vault, &location, &location.id);
	vault_change_end(vault);
	if (r < 0)
		return locations_refused("add", adding->source, r);
	return bring_in(vault, adding, &location);
}

static int add_unmounted(const struct adding *adding, const struct target *target)
{
	struct vault *vault = NULL;
	int r = vault_open(target->vault, NULL, &vault), closed;

	if (r < 0)
		return r;
	r = add_to(vault, adding);
	closed = vault_close(vault);
	return r < 0 ? r : closed;
}

/* ---- a mounted one ---- */

/* Make the directory `path` below the open one, and all above it. */
static int make_directories(int top, const char *path, struct stat *ret)
{
	AUTO(fd) int at = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(free) char *words = strdup(path);
	char *rest = words;
	const char *name;

	if (!words)
		return -ENOMEM;
	while (at >= 0 && (name = strsep(&rest, "/"))) {
		int below;

		if (*name == '\0')
			continue;
		if (mkdirat(at, name, 0777) < 0 && errno != EEXIST)
			return -errno;
		below = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0)
			return -errno;
		(void)close(at); /* a directory: nothing to lose */
		at = below;
	}
	return at < 0 || fstat(at, ret) < 0 ? -errno : 0;
}

/* Ask the daemon, and learn which location it made of it. */
static int ask(const struct adding *adding, const struct target *target)
{
	AUTO(fd) int root = open(target->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat directory, source;
	json_t *words;
	int r = root < 0 || fstat(root, &directory) < 0 || stat(adding->source, &source) < 0 ? -errno : 0;

	if (r == 0 && source.st_dev == directory.st_dev)
		return log_err(-EINVAL, "add: %s: lies in the vault itself", adding->source);
	if (r == 0)
		r = make_directories(root, adding->into, &directory);

	if (r < 0)
		return log_err(r, "add: %s/%s: ", target->mount, adding->into);
	words = json_pack("{s:s, s:s, s:I, s:s, s:b}", "do", "add", "path", adding->source, "directory",
			  (json_int_t)directory.st_ino, "mode", vault_location_mode_name(adding->mode),
			  "watch", adding->watch);
	return locations_ask("add", adding->source, target, words);
}

/* Until it is brought in, or that failed. */
static int wait_for(const struct adding *adding, const struct target *target, struct vault *vault)
{
	struct progress *progress = progress_new("added", adding->quiet);
	uint64_t files = 0, bytes = 0;
	struct locations_row row;
	int r;

	do {
		(void)poll(NULL, 0, POLL_MS); /* only lets time pass */
		r = target_sync("add", target);
		if (r == 0)
			r = locations_find_path(vault, adding->source, &row);
		if (r == 0 && row.location.n_files > files) {
			progress_add(progress, row.location.n_files - files, row.location.n_bytes - bytes);
			files = row.location.n_files;
			bytes = row.location.n_bytes;
		}
	} while (r == 0 && (row.location.state == VAULT_LOCATION_PENDING ||
			    row.location.state == VAULT_LOCATION_SCANNING));
	progress_free(progress);
	if (r < 0)
		return log_err(r, "add: %s: how far it is cannot be seen: ", adding->source);
	return say_added(&row.location);
}

static int add_mounted(const struct adding *adding, const struct target *target)
{
	AUTO(vault) struct vault *vault = NULL;
	int r = ask(adding, target);

	if (r < 0 || adding->no_wait)
		return r;
	r = target_open("add", target, &vault);
	return r < 0 ? r : wait_for(adding, target, vault);
}

/* ---- words ---- */

static int find_source(struct adding *adding, const char *given)
{
	struct stat st;

	adding->source = realpath(given, NULL);
	if (!adding->source || stat(adding->source, &st) < 0)
		return log_err(-errno, "add: %s: ", given);
	if (!S_ISDIR(st.st_mode))
		return log_err(-ENOTDIR, "add: %s: name a directory", given);
	if (!adding->into && strcmp(adding->source, "/") == 0)
		return log_err(-EINVAL, "add: /: has no name to go by: give it one with --into");
	if (!adding->into)
		adding->into = strrchr(adding->source, '/') + 1;
	return 0;
}

static int add(struct adding *adding, const char *given, const char *where)
{
	AUTO(target) struct target target = { 0 };
	int r = find_source(adding, given);

	if (r == 0)
		r = target_find(adding->self->name, where, &target);
	if (r < 0)
		return r;
	return target.kind == TARGET_MOUNT ? add_mounted(adding, &target) : add_unmounted(adding, &target);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "into", required_argument, NULL, 'i' }, { "mode", required_argument, NULL, 'm' },
		{ "watch", no_argument, NULL, 'w' },      { "no-wait", no_argument, NULL, 'n' },
		{ "quiet", no_argument, NULL, 'q' },      COMMAND_LAST_OPTIONS,
	};
	struct adding adding = { .self = self, .mode = VAULT_LOCATION_DEEP };
	int c, r;

	while ((c = command_option(self, argc, argv, "i:m:wnq", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == 'i')
			adding.into = optarg;
		else if (c == 'm' && vault_location_mode_find(optarg, &adding.mode) < 0)
			return command_misused(self, "mode %s: must be metadata, content or deep", optarg);
		else if (c == 'w')
			adding.watch = true;
		else if (c == 'n')
			adding.no_wait = true;
		else if (c == 'q')
			adding.quiet = true;
		else if (c != 'm')
			return STATUS_USAGE;
	}
	if (argc - optind != 2)
		return command_misused(self, "name a directory, then the vault or mount it goes to");
	r = add(&adding, argv[optind], argv[optind + 1]);
	free(adding.source);
	return r < 0 ? STATUS_FAILED : STATUS_OK;
}

const struct command cmd_add = {
	.name = "add",
	.summary = "bring a folder in, and follow it",
	.usage = "[--into PATH] [--mode MODE] [--watch] [--no-wait] [--quiet] DIRECTORY VAULT|MOUNT",
	.help = "Makes DIRECTORY a location of the vault: its files are brought in, and the vault remembers which\n"
		"came from there and from which device. With --watch it is followed while the vault is mounted on\n"
		"this device: what is new or changed there is brought in, what is moved there is moved here and\n"
		"keeps its tags; what is deleted there stays. `vaultfs locations` lists, pauses and removes.\n"
		"\n"
		"  -i, --into PATH  what it becomes in the vault, default its own name at the top\n"
		"  -m, --mode MODE  deep: bytes, and they are looked into for search (default); content: bytes only;\n"
		"                   metadata: only names, sizes and times\n"
		"  -w, --watch      follow it\n"
		"  -n, --no-wait    do not wait until all is brought in; of a mounted vault only\n"
		"  -q, --quiet      no progress line\n"
		"  -h, --help       this text\n"
		"\n"
		"Example: vaultfs add --watch --into Phone/Camera ~/Sync/DCIM ~/Media\n",
	.run = run,
};
