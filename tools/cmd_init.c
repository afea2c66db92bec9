/* cmd_init.c - `vaultfs init`: make a vault. */
#include <errno.h>
#include <stdio.h>

#include "command.h"
#include "log.h"
#include "text.h"
#include "vault.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

static int parse_chunk_size(const struct command *self, const char *text,
			    struct vault_create_options *options)
{
	uint64_t size;

	if (text_to_size(text, KIB, 16 * KIB, 512 * KIB, &size) < 0 || (size & (size - 1)) != 0)
		return command_misused(self, "chunk size %s: must be 16K, 32K, 64K, 128K, 256K or 512K",
				       text);
	options->chunk_average = (uint32_t)size;
	return STATUS_OK;
}

static int parse_pack_size(const struct command *self, const char *text, struct vault_create_options *options)
{
	if (text_to_size(text, MIB, MIB, 1024 * MIB, &options->pack_size) < 0)
		return command_misused(self, "pack size %s: must be 1M to 1G", text);
	return STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
		{ "chunk-size", required_argument, NULL, 'c' },
		{ "pack-size", required_argument, NULL, 'p' },
		COMMAND_LAST_OPTIONS,
	};
	struct vault_create_options wanted = { 0 };
	int c, status = STATUS_OK;

	while ((c = command_option(self, argc, argv, "c:p:", options)) != -1) {
		if (c == 'h')
			return command_help(self);
		if (c == 'c')
			status = parse_chunk_size(self, optarg, &wanted);
		else if (c == 'p')
			status = parse_pack_size(self, optarg, &wanted);
		else
			return STATUS_USAGE;
		if (status != STATUS_OK)
			return status;
	}
	if (argc - optind != 1)
		return command_misused(self, argc == optind ? "no vault named" : "one vault at a time");
	return vault_create(argv[optind], &wanted) < 0 ? STATUS_FAILED : STATUS_OK;
}

const struct command cmd_init = {
	.name = "init",
	.summary = "make a new, empty vault",
	.usage = "[--chunk-size SIZE] [--pack-size SIZE] VAULT",
	.help = "Makes the directory VAULT, which must not exist or be empty, into a vault.\n"
		"\n"
		"  -c, --chunk-size SIZE  average size of the chunks files are cut into: a power of two from\n"
		"                         16K to 512K (a bare number counts KiB). Smaller finds more\n"
		"                         duplicates and costs more database; cannot be changed later\n"
		"  -p, --pack-size SIZE   size at which a pack file is finished: 1M to 1G, default 64M\n"
		"                         (a bare number counts MiB)\n"
		"  -h, --help             this text\n"
		"\n"
		"Example: vaultfs init ~/Media.vault\n",
	.run = run,
};
