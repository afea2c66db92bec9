/* main.c - find out which command is meant, and run it.
 *
 * Three ways lead in: `vaultfs COMMAND ...`; `vaultfs SOURCE DIRECTORY -o OPTIONS`, as mount.fuse3(8) writes it; and the
 * name mount.vaultfs or mount.fuse.vaultfs, as mount(8) runs a helper. */
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "log.h"
#include "vault.h"

static const struct command *const commands[] = {
	&cmd_init, &cmd_mount,  &cmd_umount, &cmd_sync,    &cmd_stats,   &cmd_ls,   &cmd_info,
	&cmd_find, &cmd_save, &cmd_dups, &cmd_similar, &cmd_tag, &cmd_tags, &cmd_import, &cmd_export, &cmd_add, &cmd_locations, &cmd_index, &cmd_jobs, &cmd_check, &cmd_rebuild, &cmd_version, &cmd_help,
};

const struct command *const *command_list(size_t *ret_n)
{
	*ret_n = sizeof(commands) / sizeof(commands[0]);
	return commands;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Two words, the first of which is a directory or at least a path: the form of mount.fuse3(8). */
static bool is_mount_form(int argc, char **argv)
{
	struct stat st;

	if (argc < 3)
		return false;
	return strchr(argv[1], '/') || (stat(argv[1], &st) == 0 && S_ISDIR(st.st_mode));
}

static int unknown_word(const char *word)
{
	log_line(LOG_LEVEL_ERROR, "%s: no such %s: `vaultfs help` lists the commands", word,
		 word[0] == '-' ? "option" : "command");
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *command;
	const char *word = argc > 1 ? argv[1] : NULL;

	vault_tune_process();
	if (argc > 0 && strncmp(base_name(argv[0]), "mount.", 6) == 0)
		return mount_as_helper(argc, argv);
	if (!word) {
		log_line(LOG_LEVEL_ERROR, "no command given: `vaultfs help` lists them");
		return STATUS_USAGE;
	}
	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		word = "help";
	else if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
		word = "version";

	command = command_find(word);
	if (command)
		return command->run(command, argc - 1, argv + 1);
	if (word[0] != '-' && is_mount_form(argc, argv))
		return cmd_mount.run(&cmd_mount, argc, argv);
	return unknown_word(word);
}
