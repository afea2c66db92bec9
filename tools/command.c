/* command.c - what all sub-commands share: options, help, usage errors. Knows no vault. See command.h. */
#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "log.h"

int command_misused(const struct command *self, const char *format, ...)
{
	AUTO(free) char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		text = NULL; /* what it points to is undefined then */
	log_line(LOG_LEVEL_ERROR, "%s: %s: see `vaultfs %s --help`", self->name, text ? text : "wrong usage",
		 self->name);
	return STATUS_USAGE;
}

int command_option(const struct command *self, int argc, char **argv, const char *letters,
		   const struct option *options)
{
	char with_help[32];
	const char *word;
	int c;

	(void)snprintf(with_help, sizeof(with_help), "%s:h%s", *letters == '+' ? "+" : "",
		       letters + (*letters == '+')); /* ours; all are short */
	opterr = 0;
	c = getopt_long(argc, argv, with_help, options, NULL);
	if (c != ':' && c != '?')
		return c;

	word = argv[optind - 1];
	if (c == ':')
		(void)command_misused(self, "option %s needs a value", word);
	else if (optopt == 0)
		(void)command_misused(self, "unknown or ambiguous option %s", word);
	else if (strncmp(word, "--", 2) == 0 && strchr(word, '='))
		(void)command_misused(self, "option %.*s takes no value", (int)strcspn(word, "="), word);
	else
		(void)command_misused(self, "unknown option -%c", optopt);
	return '?';
}

int command_finish_output(const struct command *self)
{
	if (ferror(stdout) || fclose(stdout) != 0) {
		log_line(LOG_LEVEL_ERROR, "%s: standard output: not everything could be written", self->name);
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

int command_help(const struct command *self)
{
	const char *form = self->usage;
	const char *lead = "Usage:";

	while (*form) {
		size_t n = strcspn(form, "\n");

		(void)printf("%s vaultfs %s%s%.*s\n", lead, self->name, n > 0 ? " " : "", (int)n, form);
		form += n + (form[n] == '\n');
		lead = "      ";
	}
	if (!*self->usage)
		(void)printf("Usage: vaultfs %s\n", self->name);
	(void)printf("\n%s", self->help);
	return command_finish_output(self);
}
