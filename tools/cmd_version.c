/* cmd_version.c - `vaultfs version`. */
#include <stdio.h>

#include "command.h"

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = { COMMAND_LAST_OPTIONS };
	int c;

	while ((c = command_option(self, argc, argv, "", options)) != -1)
		return c == 'h' ? command_help(self) : STATUS_USAGE;
	if (optind < argc)
		return command_misused(self, "takes no words");
	(void)printf("vaultfs %s\n", VAULTFS_VERSION);
	return command_finish_output(self);
}

const struct command cmd_version = {
	.name = "version",
	.summary = "which version this is",
	.usage = "",
	.help = "  -h, --help  this text\n"
		"\n"
		"Example: vaultfs version\n",
	.run = run,
};
