/* log.c - the log sink. See log.h. */
#include "log.h"

#include <stdio.h>
#include <string.h>

static struct {
	log_sink sink;		/* set before threads start, then constant */
	void *context;
	enum log_level most;
} state = { NULL, NULL, LOG_LEVEL_INFO };

void log_set_sink(log_sink sink, void *context, enum log_level most)
{
	state.sink = sink;
	state.context = context;
	state.most = most;
}

static void emit(enum log_level level, const char *line)
{
	if (state.sink)
		state.sink(level, line, state.context);
	else
		(void)fprintf(stderr, "vaultfs: %s\n", line);	/* nowhere left to report a failing stderr */
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (level > state.most)
		return;
	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);	/* a longer line is cut, which is meant */
	va_end(args);
	emit(level, line);
}

int log_err(int negative_errno, const char *format, ...)
{
	char line[1024];
	size_t n = strlen(format);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n >= 2 && strcmp(format + n - 2, ": ") == 0) {
		char text[128];

		n = strlen(line);
		(void)snprintf(line + n, sizeof(line) - n, "%s",
			       strerror_r(-negative_errno, text, sizeof(text)));
	}
	emit(LOG_LEVEL_ERROR, line);
	return negative_errno;
}
