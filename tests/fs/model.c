/* model.c - the command: model data DIRECTORY SEED N [COPY].
 * SEED 0 takes a new one; it is printed, so that a failure can be had again. */
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void model_fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "FAIL  model: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t seed_of(const char *text)
{
	uint64_t seed = strtoull(text, NULL, 10);
	struct timespec now;

	if (seed == 0) {
		clock_gettime(CLOCK_REALTIME, &now);
		seed = ((uint64_t)now.tv_nsec * 1000003u ^ (uint64_t)getpid()) % 1000000000u + 1;
	}
	printf("seed %ju\n", (uintmax_t)seed);
	fflush(stdout);
	return seed;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && argc <= 6 && strcmp(argv[1], "data") == 0) {
		model_data(argv[2], argv[5], seed_of(argv[3]), (unsigned)strtoul(argv[4], NULL, 10));
		return 0;
	}
	fprintf(stderr,
		"usage: model data DIRECTORY SEED N [COPY]\n");
	return 2;
}
