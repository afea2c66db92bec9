/* ops_child.c - cases with more than one process. */
#include "ops_child.h"
#include "ops.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t ops_fork(void)
{
	pid_t pid = (pid_t)OK(fork());

	if (pid == 0)
		OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
	return pid;
}

void ops_join(pid_t pid)
{
	int status;

	EQUAL(OK(waitpid(pid, &status, 0)), pid);
	EQUAL(status, 0);
}

struct ops_gate ops_gate(void)
{
	struct ops_gate gate;

	OK(pipe2(gate.ends, O_CLOEXEC));
	return gate;
}

void ops_gate_wait(struct ops_gate gate)
{
	char byte;

	EQUAL(OK(read(gate.ends[0], &byte, 1)), 1);
}

void ops_gate_pass(struct ops_gate gate)
{
	EQUAL(OK(write(gate.ends[1], "", 1)), 1);
}
