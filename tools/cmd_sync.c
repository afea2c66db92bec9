/* cmd_sync.c - `vaultfs sync`: have a mount write everything to disk now. sync(2) never reaches a FUSE daemon. */
#include "auto.h"
#include "command.h"
#include "target.h"

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = { COMMAND_LAST_OPTIONS };
	AUTO(target) struct target target = { 0 };
	int c;

	while ((c = command_option(self, argc, argv, "", options)) != -1)
		return c == 'h' ? command_help(self) : STATUS_USAGE;
	if (argc - optind != 1)
		return command_misused(self, argc == optind ? "no mount named" : "one mount at a time");
	if (target_find_mounted(self->name, argv[optind], &target) < 0 ||
	    target_sync(self->name, &target) < 0)
		return STATUS_FAILED;
	return STATUS_OK;
}

const struct command cmd_sync = {
	.name = "sync",
	.summary = "have a mount write everything to disk now",
	.usage = "MOUNT",
	.help = "Returns when all that was written to the mount is on disk. sync(1) does not reach a FUSE\n"
		"filesystem; this does.\n"
		"\n"
		"  -h, --help  this text\n"
		"\n"
		"Example: vaultfs sync ~/Media\n",
	.run = run,
};
