/* ops_who.c - the same call done by different people. See ops_who.h. */
#include "ops_who.h"
#include "ops.h"
#include "ops_fixture.h"

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	uid_t uid;
	gid_t gid, further;
} people[WHO_COUNT] = {
	[WHO_ROOT] = { "root", 0, 0, 0 },
	[WHO_OWNER] = { "the owner", WHO_UID, WHO_GID, WHO_GID },
	[WHO_OWNER_ONLY] = { "the owner, not of the group", WHO_UID, WHO_OTHER_GID, WHO_OTHER_GID },
	[WHO_GROUP] = { "one of the group", WHO_OTHER_UID, WHO_GID, WHO_GID },
	[WHO_MEMBER] = { "one with the group among others", WHO_OTHER_UID, WHO_OTHER_GID, WHO_GID },
	[WHO_OTHER] = { "another", WHO_OTHER_UID, WHO_OTHER_GID, WHO_OTHER_GID },
};

const char *who_name(enum who who)
{
	return people[who].name;
}

static void become(enum who who)
{
	gid_t groups[] = { people[who].gid, people[who].further };

	OK(setgroups(who == WHO_ROOT ? 0 : 2, groups));
	OK(setresgid(people[who].gid, people[who].gid, people[who].gid));
	OK(setresuid(people[who].uid, people[who].uid, people[who].uid));
}

int who_run(enum who who, int (*run)(void *context), void *context)
{
	int status;
	pid_t pid = (pid_t)OK(fork());

	if (pid == 0) {
		become(who);
		_exit(run(context));
	}
	OK(waitpid(pid, &status, 0));
	if (!WIFEXITED(status))
		ops_fail(__FILE__, __LINE__, "%s was ended by signal %d", who_name(who), WTERMSIG(status));
	return WEXITSTATUS(status);
}

struct call {
	int call, arg;
	const char *a, *b;
};

static int do_call(void *context)
{
	const struct call *c = context;

	return fixture_call(c->call, c->a, c->b, c->arg);
}

int who_call(enum who who, int call, const char *a, const char *b, int arg)
{
	return who_run(who, do_call, &(struct call){ call, arg, a, b });
}

static int come_in(void *context)
{
	struct stat st;

	(void)context;
	return ops_errno(stat(".", &st));
}

void who_needed(void)
{
	if (geteuid() != 0)
		ops_skip("only root can become another user");
	if (who_run(WHO_OTHER, come_in, NULL) != 0)
		ops_skip("other users cannot come in here (allow_other is off, or a folder above is closed)");
}
