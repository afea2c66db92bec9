/* test_lock.c - one writer: who is refused, and what a process that was killed leaves. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "lock.h"

enum { LINGER_MS = 300 };	/* what is left holds the lock for so long */

static int take(const struct fixture *f, int *ret_fd)
{
	int directory = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = lock_take(directory, f->directory, NULL, false, ret_fd);

	(void)close(directory);
	return r;
}

static void wait_for_byte(int fd)
{
	char byte;

	assert_int_equal(read(fd, &byte, 1), 1);
}

/* A process that takes the lock, starts another one as posix_spawn() does before it becomes a program, and is killed. */
static _Noreturn void hold_and_be_killed(const struct fixture *f, int ready)
{
	int fd = -1;

	if (take(f, &fd) != 0)
		_exit(1);
	if (fork() == 0) {
		(void)!write(ready, "", 1);
		(void)poll(NULL, 0, LINGER_MS);
		_exit(0);
	}
	for (;;)
		(void)pause();
}

static void lock__of_a_living_process_is_refused(void **state)
{
	struct fixture *f = *state;
	int first = -1, second = -1;

	assert_int_equal(take(f, &first), 0);
	assert_int_equal(take(f, &second), -EBUSY);
	assert_int_equal(second, -1);
	(void)close(first);
	assert_int_equal(take(f, &second), 0);
	(void)close(second);
}

static void lock__that_a_killed_process_left_with_its_child_is_waited_for(void **state)
{
	struct fixture *f = *state;
	int ends[2], fd = -1, status;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		hold_and_be_killed(f, ends[1]);
	wait_for_byte(ends[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	/* Not waited for here: one that nobody has buried yet has ended, too. */
	assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){ .si_pid = 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(take(f, &fd), 0);
	(void)close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lock__of_a_living_process_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(lock__that_a_killed_process_left_with_its_child_is_waited_for, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
