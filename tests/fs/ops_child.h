/* ops_child.h - cases with more than one process. */
#ifndef VAULTFS_TESTS_OPS_CHILD_H
#define VAULTFS_TESTS_OPS_CHILD_H

#include <sys/types.h>

/* Fork; the child ends with the case, and should end with _exit(0). */
pid_t ops_fork(void);
/* Wait for a child that must have ended with 0. */
void ops_join(pid_t pid);

/* One process waits until another says so, as often as it says so. Make it before the fork. */
struct ops_gate {
	int ends[2];
};
struct ops_gate ops_gate(void);
void ops_gate_wait(struct ops_gate gate);
void ops_gate_pass(struct ops_gate gate);

#endif
