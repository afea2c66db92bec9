/* cmd_stats.c - `vaultfs stats`: what a vault holds, what it costs, and what was saved. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "auto.h"
#include "command.h"
#include "json.h"
#include "target.h"
#include "text.h"
#include "vault.h"

struct findings {
	const struct target *target;
	struct vault_stats stats;
	uint64_t saved_by_dedup; /* bytes */
	uint64_t saved_by_compression;
	char uuid[37];
};

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static int find_out(const struct target *target, struct findings *ret)
{
	AUTO(vault) struct vault *vault = NULL;
	uint8_t u[16];
	int r = target_open("stats", target, &vault);

	if (r < 0)
		return r;
	ret->target = target;
	r = vault_stats(vault, &ret->stats);
	if (r < 0)
		return r;
	vault_uuid(vault, u);
	(void)snprintf(ret->uuid, sizeof(ret->uuid),
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		       u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		       u[15]);
	/* Chunks that only a running write has stored make "unique" exceed "logical" for a moment. */
	ret->saved_by_dedup = difference(ret->stats.logical_bytes + ret->stats.derived_bytes, ret->stats.chunk_bytes);
	ret->saved_by_compression = difference(ret->stats.chunk_bytes, ret->stats.stored_bytes);
	return 0;
}

static int print_json(const struct findings *f)
{
	AUTO(json) json_t *object = json_object();
	const struct vault_stats *s = &f->stats;
	int r = 0;

	json_put_bytes(&r, object, "vault", f->target->vault);
	if (f->target->mount)
		json_put_bytes(&r, object, "mount", f->target->mount);
	else
		json_put(&r, object, "mount", json_null());
	json_put(&r, object, "uuid", json_string(f->uuid));
	json_put_number(&r, object, "files", s->n_files);
	json_put_number(&r, object, "directories", s->n_directories);
	json_put_number(&r, object, "others", s->n_other);
	json_put_number(&r, object, "logical_bytes", s->logical_bytes);
	json_put_number(&r, object, "derived", s->n_derived);
	json_put_number(&r, object, "derived_bytes", s->derived_bytes);
	json_put_number(&r, object, "unique_bytes", s->chunk_bytes);
	json_put_number(&r, object, "stored_bytes", s->stored_bytes);
	json_put_number(&r, object, "dedup_saved_bytes", f->saved_by_dedup);
	json_put_number(&r, object, "compression_saved_bytes", f->saved_by_compression);
	json_put_number(&r, object, "chunks", s->n_chunks);
	json_put_number(&r, object, "chunk_average_bytes", s->chunk_average);
	json_put_number(&r, object, "dead_chunks", s->n_dead_chunks);
	json_put_number(&r, object, "dead_bytes", s->dead_bytes);
	json_put_number(&r, object, "packs", s->n_packs);
	json_put_number(&r, object, "pack_bytes", s->pack_bytes);
	json_put_number(&r, object, "database_bytes", s->database_bytes);
	json_put_number(&r, object, "tags", s->n_tags);
	json_put_number(&r, object, "commit", s->commit);
	return r < 0 ? r : json_print(object, JSON_INDENT(2));
}

static void print_table(const struct findings *f)
{
	const struct vault_stats *s = &f->stats;

	(void)printf("Vault         ");
	text_print_name(f->target->vault);
	if (f->target->mount) {
		(void)printf("\nMounted on    ");
		text_print_name(f->target->mount);
	}
	(void)printf("\nFiles         %s, in %s; %s\n", text_from_count(s->n_files).text,
		     text_from_items(s->n_directories, "directory", "directories").text,
		     text_from_items(s->n_other, "other", "others").text);
	(void)printf("Content       %10s  what the files say they hold\n",
		     text_from_size(s->logical_bytes).text);
	if (s->n_derived > 0)
		(void)printf("Derived       %10s  in %s: thumbnails and previews\n",
			     text_from_size(s->derived_bytes).text, text_from_items(s->n_derived, "file", "files").text);
	(void)printf("Unique        %10s  in %s; deduplication saves %s (%s)\n",
		     text_from_size(s->chunk_bytes).text,
		     text_from_items(s->n_chunks, "chunk", "chunks").text,
		     text_from_size(f->saved_by_dedup).text,
		     text_from_share(f->saved_by_dedup, s->logical_bytes + s->derived_bytes).text);
	(void)printf("Stored        %10s  compression saves %s (%s)\n", text_from_size(s->stored_bytes).text,
		     text_from_size(f->saved_by_compression).text,
		     text_from_share(f->saved_by_compression, s->chunk_bytes).text);
	(void)printf("Packs         %10s  in %s, %s of it no longer used\n",
		     text_from_size(s->pack_bytes).text, text_from_items(s->n_packs, "file", "files").text,
		     text_from_size(s->dead_bytes).text);
	(void)printf("Database      %10s\n", text_from_size(s->database_bytes).text);
	(void)printf("Tags          %10s\n", text_from_count(s->n_tags).text);
	(void)printf("Last commit   %10" PRIu64 "\n", s->commit);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, COMMAND_LAST_OPTIONS };
	AUTO(target) struct target target = { 0 };
	struct findings findings = { 0 };
	bool json = false;
	int c;

	while ((c = command_option(self, argc, argv, "", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c != 'j')
			return STATUS_USAGE;
		json = true;
	}
	if (argc - optind != 1)
		return command_misused(self, argc == optind ? "no vault or mount named"
							    : "one vault or mount at a time");
	if (target_find(self->name, argv[optind], &target) < 0 || find_out(&target, &findings) < 0)
		return STATUS_FAILED;
	if (!json)
		print_table(&findings);
	else if (print_json(&findings) < 0)
		return STATUS_FAILED;
	return command_finish_output(self);
}

const struct command cmd_stats = {
	.name = "stats",
	.summary = "what a vault holds, costs and saves",
	.usage = "[--json] VAULT|MOUNT",
	.help = "Counts files and bytes: what the files hold, what is left after deduplication, and what is\n"
		"stored after compression. A mounted vault is asked to write everything to disk first.\n"
		"\n"
		"      --json  one JSON object, all sizes in bytes; vaultfs(1) lists the keys\n"
		"  -h, --help  this text\n"
		"\n"
		"Example: vaultfs stats ~/Media\n",
	.run = run,
};
