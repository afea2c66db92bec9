/* command.h - what a sub-command is, and the words it shares with the others.
 *
 * Each cmd_NAME.c holds one `const struct command`; main.c lists them in a table. A command parses its words, calls the
 * rooms below and chooses the exit status. Results go to stdout, everything else to stderr. */
#ifndef VAULTFS_TOOLS_COMMAND_H
#define VAULTFS_TOOLS_COMMAND_H

#include <getopt.h>
#include <stddef.h>

enum exit_status { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

struct command {
	const char *name;
	const char *summary; /* one line, for `vaultfs help` */
	const char *usage;   /* what follows "vaultfs NAME"; several forms are separated by newlines */
	const char *help;    /* what it does, its options, an example; ends with a newline */
	/* argv[0] is the command's name. Returns an enum exit_status. */
	int (*run)(const struct command *self, int argc, char **argv);
};

/* getopt_long(3) for a command; -h and --help are added. Returns -1 behind the last option, 'h' when help was asked for
 * (return command_help()), '?' for a bad option, which has been reported (return STATUS_USAGE). `options` ends with
 * COMMAND_LAST_OPTIONS. `letters` that begin with '+' end the options at the first other word. */
int command_option(const struct command *self, int argc, char **argv, const char *letters,
		   const struct option *options);

#define COMMAND_LAST_OPTIONS                \
	{ "help", no_argument, NULL, 'h' }, \
	{                                   \
		NULL, 0, NULL, 0            \
	}

/* Print the usage, options and example on stdout. Returns STATUS_OK, or STATUS_FAILED if stdout cannot be written. */
int command_help(const struct command *self);

/* Say on stderr what is wrong with the words given and where to read more. Returns STATUS_USAGE. */
int command_misused(const struct command *self, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Close stdout. Returns STATUS_OK, or reports and returns STATUS_FAILED when not all of the output could be written. */
int command_finish_output(const struct command *self);

/* NULL if there is no command of that name. */
const struct command *command_find(const char *name);

/* The table, in the order of `vaultfs help`. */
const struct command *const *command_list(size_t *ret_n);

/* Mount as mount(8) wants it done: `argv` is a mount helper's. Returns mount(8)'s exit codes. */
int mount_as_helper(int argc, char **argv);

extern const struct command cmd_init, cmd_mount, cmd_umount, cmd_sync, cmd_stats, cmd_ls, cmd_info, cmd_find, cmd_save, cmd_dups, cmd_similar, cmd_tag,
	cmd_tags, cmd_import, cmd_export, cmd_add, cmd_locations, cmd_index, cmd_jobs, cmd_check, cmd_rebuild, cmd_version, cmd_help;

#endif
