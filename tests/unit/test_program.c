/* test_program.c - where the helper program is looked for, and when it is left alone.
 *
 * This program is copied to where the command would be; the copy says what it finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

/* In a shell, with the directory in $d. */
static void run(const char *script)
{
	char command[400];

	(void)snprintf(command, sizeof(command), "d=%s; %s", directory, script);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* What the copy says: a path below the directory, or an errno. */
static const char *found(void)
{
	static char line[400];
	char command[128];
	FILE *pipe;

	(void)snprintf(command, sizeof(command), "%s/bin/vaultfs find", directory);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	if (!fgets(line, sizeof(line), pipe))
		line[0] = '\0';
	(void)pclose(pipe);
	line[strcspn(line, "\n")] = '\0';
	return strncmp(line, directory, strlen(directory)) == 0 ? line + strlen(directory) : line;
}

static void program__is_found_where_it_was_built_or_installed(void **state)
{
	(void)state;
	assert_string_equal(found(), "No such file or directory");
	run("mkdir -p $d/libexec/vaultfs && install -m 755 /dev/null $d/libexec/vaultfs/vaultfs-helper");
	assert_string_equal(found(), "/bin/../libexec/vaultfs/vaultfs-helper");
	run("install -m 755 /dev/null $d/bin/vaultfs-helper");
	assert_string_equal(found(), "/bin/vaultfs-helper");
}

/* Each of these stands before the one in libexec, which is found then. */
static void program__that_others_may_change_is_left_alone(void **state)
{
	static const char *const scripts[] = {
		"chmod 775 $d/bin/vaultfs-helper",
		"chmod 757 $d/bin/vaultfs-helper",
		"chmod 644 $d/bin/vaultfs-helper",
		"rm $d/bin/vaultfs-helper && mkdir $d/bin/vaultfs-helper",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		run(scripts[i]);
		assert_string_equal(found(), "/bin/../libexec/vaultfs/vaultfs-helper");
	}
	run("chmod 777 $d/libexec/vaultfs/vaultfs-helper");
	assert_string_equal(found(), "Permission denied");
	if (geteuid() == 0) {
		run("chmod 755 $d/libexec/vaultfs/vaultfs-helper && chown 65534 $d/libexec/vaultfs/vaultfs-helper");
		assert_string_equal(found(), "Permission denied");
	}
}

static int copy_self(void **state)
{
	(void)state;
	(void)strcpy(directory, "/tmp/test_program.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	run("mkdir $d/bin && cp /proc/$PPID/exe $d/bin/vaultfs");
	return 0;
}

static int remove_copy(void **state)
{
	(void)state;
	run("rm -rf $d");
	return 0;
}

static int find_as_the_copy(void)
{
	char *path = NULL;
	const int r = helper_program_find(&path);

	(void)puts(r == 0 ? path : strerror(-r));
	free(path);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program__is_found_where_it_was_built_or_installed),
		cmocka_unit_test(program__that_others_may_change_is_left_alone),
	};

	if (argc == 2 && strcmp(argv[1], "find") == 0)
		return find_as_the_copy();
	return cmocka_run_group_tests(tests, copy_self, remove_copy);
}
