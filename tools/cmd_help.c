/* cmd_help.c - `vaultfs help`: the commands, or one of them. */
#include <stdio.h>

#include "command.h"
#include "log.h"

static int list_commands(const struct command *self)
{
	size_t n;
	const struct command *const *commands = command_list(&n);

	(void)printf(
		"Usage: vaultfs COMMAND [OPTIONS] ...\n\n"
		"A folder you mount, with a vault behind it that keeps every distinct piece of content once.\n\n");
	for (size_t i = 0; i < n; i++)
		(void)printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
	(void)printf("\n`vaultfs COMMAND --help` explains one. Start: vaultfs init ~/Media.vault\n"
		     "                                             vaultfs mount ~/Media.vault ~/Media\n");
	return command_finish_output(self);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = { COMMAND_LAST_OPTIONS };
	const struct command *asked;
	int c;

	while ((c = command_option(self, argc, argv, "", options)) != -1)
		return c == 'h' ? list_commands(self) : STATUS_USAGE;
	if (optind == argc)
		return list_commands(self);
	asked = command_find(argv[optind]);
	if (!asked) {
		log_line(LOG_LEVEL_ERROR, "help: %s: no such command: `vaultfs help` lists them",
			 argv[optind]);
		return STATUS_USAGE;
	}
	return command_help(asked);
}

const struct command cmd_help = {
	.name = "help",
	.summary = "list the commands, or explain one",
	.usage = "[COMMAND]",
	.help = "Example: vaultfs help mount\n",
	.run = run,
};
