/* test_sandbox.c - what a process can still do that was shut in, and what it cannot.
 *
 * Each attempt runs in a child that shuts itself in first and says by its exit status what came of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { WITH_FILTER = 0 };
#elif defined(__x86_64__) || defined(__aarch64__)
enum { WITH_FILTER = 1 };
#else
enum { WITH_FILTER = 0 };
#endif

/* Exit statuses of a child. */
enum { WORKED = 0, REFUSED = 1, NOT_SHUT_IN = 2 };

static pid_t parent; /* of the child that tries: who is shut in may not ask */

/* What `attempt` comes to: it answers with what the system call returned. */
static int outcome_of(long (*attempt)(void))
{
	int status = 0;
	pid_t pid;

	parent = getpid();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_enter_child() < 0)
			_exit(NOT_SHUT_IN);
		_exit(attempt() < 0 ? REFUSED : WORKED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static long open_a_file(void)
{
	return open("/etc/hostname", O_RDONLY | O_CLOEXEC);
}

static long duplicate(void)
{
	return dup(STDIN_FILENO);
}

static long open_a_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long start_a_process(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long run_a_program(void)
{
	static char path[] = "/bin/true";
	char *const argv[] = { path, NULL };

	return execv(path, argv);
}

static long kill_the_parent(void)
{
	return kill(parent, 0);
}

static long signal_the_parent_by_thread(void)
{
	return syscall(SYS_tgkill, parent, parent, 0);
}

static long look_into_the_parent(void)
{
	return syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, parent, NULL, NULL);
}

static long map_what_can_be_run(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? -1 : 0;
}

static long remove_a_file(void)
{
	return unlink("/nowhere/at/all") < 0 && errno == ENOENT ? 0 : -1; /* asked, and answered */
}

static long raise_a_limit(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_CPU, &all);
}

static long map_memory(void)
{
	char *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -1;
	at[4096] = 1;
	return munmap(at, 1 << 20);
}

static long abort_itself(void)
{
	abort();
}

static void sandbox__lets_nothing_out(void **state)
{
	static const struct {
		const char *what;
		long (*attempt)(void);
		int without_filter; /* what the limits alone come to */
		int want;
	} rows[] = {
		{ "open", open_a_file, REFUSED, REFUSED },
		{ "dup", duplicate, REFUSED, REFUSED },
		{ "socket", open_a_socket, REFUSED, REFUSED },
		{ "clone", start_a_process, -1, REFUSED },
		{ "execve", run_a_program, -1, REFUSED },
		{ "kill", kill_the_parent, -1, REFUSED },
		{ "tgkill", signal_the_parent_by_thread, -1, REFUSED },
		{ "ptrace", look_into_the_parent, -1, REFUSED },
		{ "mmap of code", map_what_can_be_run, -1, REFUSED },
		{ "unlink", remove_a_file, -1, REFUSED },
		{ "setrlimit", raise_a_limit, -1, REFUSED },
		{ "mmap", map_memory, WORKED, WORKED },
		{ "abort", abort_itself, 128 + SIGABRT, 128 + SIGABRT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int want = WITH_FILTER ? rows[i].want : rows[i].without_filter;
		int got;

		if (want < 0)
			continue;
		got = outcome_of(rows[i].attempt);
		if (got != want)
			fail_msg("%s: %d, not %d", rows[i].what, got, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sandbox__lets_nothing_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
