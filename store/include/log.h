/* log.h - the one sink for what people must read when something goes wrong.
 *
 * The function in which a fact becomes an errno says what happened, once, naming the object; callers above pass the
 * number on in silence. The sink is the program's only mutable global. */
#ifndef VAULTFS_LOG_H
#define VAULTFS_LOG_H

#include <stdarg.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Receives each line, without a newline. Must be safe to call from several threads. */
typedef void (*log_sink)(enum log_level level, const char *line, void *context);

/* Where lines go from now on; NULL means stderr as "vaultfs: LINE". Set before other threads run.
 * Lines above `most` in the enum's order are dropped. */
void log_set_sink(log_sink sink, void *context, enum log_level most);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Log an error line and return `negative_errno`; ": " and the errno's text are appended when the format ends in ": ". */
int log_err(int negative_errno, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

#define log_warn(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
