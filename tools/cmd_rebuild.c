/* cmd_rebuild.c - `vaultfs rebuild`: make vault.db anew from the packs. */
#include "auto.h"
#include "command.h"
#include "target.h"
#include "vault.h"

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = { { "force", no_argument, NULL, 'f' }, COMMAND_LAST_OPTIONS };
	AUTO(target) struct target target = { 0 };
	unsigned flags = 0;
	int c;

	while ((c = command_option(self, argc, argv, "f", options)) != -1) {
		if (c != 'f')
			return c == 'h' ? command_help(self) : STATUS_USAGE;
		flags = VAULT_REBUILD_FORCE;
	}
	if (argc - optind != 1)
		return command_misused(self, argc == optind ? "no vault named" : "one vault at a time");
	if (target_find_vault(self->name, argv[optind], &target) < 0 || vault_rebuild(target.vault, flags) < 0)
		return STATUS_FAILED;
	return STATUS_OK;
}

const struct command cmd_rebuild = {
	.name = "rebuild",
	.summary = "make a vault's database anew from its packs",
	.usage = "[--force] VAULT",
	.help = "The packs are the truth and vault.db is a picture of them: if it is lost, damaged or older\n"
		"than the packs, this makes it anew. Until that has worked, the old one stays in place. The\n"
		"vault must not be mounted.\n"
		"\n"
		"Damage in the packs is passed over: where chunks are lost, their bytes cannot be read. If\n"
		"commits are lost too, so that the old database knows more, that one is kept.\n"
		"\n"
		"  -f, --force  replace it all the same\n"
		"  -h, --help   this text\n"
		"\n"
		"Example: vaultfs rebuild ~/Media.vault\n",
	.run = run,
};
