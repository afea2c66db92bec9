/* twin_processes.c - calls on what a process has: its directory, owner ids, umask, descriptors and locks. */
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the current directory ---- */

/* Mostly back to where names are made. */
static void make_chdir(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_DIRECTORY);
	op->flags = random_below(&maker->random, 5) == 0;
	if (random_below(&maker->random, 2))
		snprintf(op->path, sizeof op->path, "/own%u", maker->process);
	else
		twin_make_path(maker, op->path, TWIN_DIRECTORY);
}

static void run_chdir(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];

	twin_say_error(answer, op->flags ? fchdir(twin_slot(player, op->slot))
					 : chdir(twin_path(player, op->path, path)));
}

static void run_getcwd(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];
	size_t prefix = strlen(player->prefix);

	(void)op;
	if (!getcwd(path, sizeof path))
		twin_say_error(answer, -1);
	else
		twin_say_bytes(answer, path + prefix, strlen(path) < prefix ? 0 : strlen(path) - prefix);
}

/* ---- owner ids, umask ---- */

static void make_nothing(struct twin_maker *maker, struct twin_op *op)
{
	(void)maker;
	(void)op;
}

static void make_become(struct twin_maker *maker, struct twin_op *op)
{
	if (maker->plain)
		return;
	op->offset = random_below(&maker->random, 3) ? (int64_t)random_below(&maker->random, 3) : 0;
	op->offset2 = (int64_t)random_below(&maker->random, 4);
	op->mode = (unsigned)random_below(&maker->random, 8); /* which groups besides */
}

static unsigned id_of(int64_t number)
{
	return number == 0 ? 0 : 1000 + (unsigned)number;
}

/* An ordinary user can do nothing special, but come back. */
static void limit_capabilities(bool user)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	unsigned keep = 1u << CAP_SETUID | 1u << CAP_SETGID;

	if (syscall(SYS_capget, &header, data) < 0)
		twin_fail("capget: %s", strerror(errno));
	data[0].effective = user ? keep : data[0].permitted;
	data[1].effective = user ? 0 : data[1].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		twin_fail("capset: %s", strerror(errno));
}

/* The ids that count in a filesystem, and root's other rights with them. */
static void run_become(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	gid_t groups[3];
	size_t n = 0;

	(void)player;
	if (getuid() != 0)
		return;
	for (unsigned i = 0; i < 3; i++) {
		if (op->mode & 1u << i)
			groups[n++] = 1001 + i;
	}
	limit_capabilities(false);
	twin_say_error(answer, setgroups(n, groups));
	setfsgid(id_of(op->offset2));
	setfsuid(id_of(op->offset));
	twin_say(answer, " %d", setfsuid((uid_t)-1));
	limit_capabilities(op->offset != 0);
}

static void make_umask(struct twin_maker *maker, struct twin_op *op)
{
	static const unsigned
		masks[] = { 022, 022, 0,
			    077, 002, 0777 /* not for others than root, who could not read the tree */ };

	op->mode = masks[random_below(&maker->random, sizeof masks / sizeof *masks - maker->plain)];
}

static void run_umask(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	(void)player;
	twin_say(answer, "%o", umask(op->mode));
}

/* ---- descriptors ---- */

static void make_dup(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_ANY);
	op->slot2 = twin_make_slot(maker, TWIN_ANY);
}

static void run_dup(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	int fd = fcntl(twin_slot(player, op->slot), F_DUPFD_CLOEXEC, 0);

	twin_say_error(answer, fd);
	if (fd >= 0)
		twin_put_slot(player, op->slot2, fd);
}

static void run_close(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	twin_say_error(answer, close(twin_slot(player, op->slot)));
	player->slots[op->slot] = -1;
}

static void make_setfl(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_ANY);
	op->flags = random_below(&maker->random, 2) ? O_APPEND | O_NONBLOCK : O_NONBLOCK;
}

static void run_setfl(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	int fd = twin_slot(player, op->slot);

	twin_say_error(answer, fcntl(fd, F_SETFL, op->flags));
	twin_say(answer, " %x", (unsigned)fcntl(fd, F_GETFL));
}

/* ---- locks ---- */

static void make_flock(struct twin_maker *maker, struct twin_op *op)
{
	static const unsigned kinds[] = { LOCK_SH, LOCK_EX, LOCK_UN };

	op->slot = twin_make_slot(maker, TWIN_ANY);
	op->flags = kinds[random_below(&maker->random, 3)] | LOCK_NB;
}

static void run_flock(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	twin_say_error(answer, flock(twin_slot(player, op->slot), (int)op->flags));
}

static void make_lock(struct twin_maker *maker, struct twin_op *op)
{
	static const int commands[] = { F_SETLK, F_SETLK, F_GETLK, F_OFD_SETLK, F_OFD_GETLK };

	op->slot = twin_make_slot(maker, TWIN_ANY);
	op->mode = (unsigned)commands[random_below(&maker->random, 5)];
	op->flags = (unsigned)random_below(&maker->random, 3);
	op->offset = (int64_t)random_below(&maker->random, 4) * 10;
	op->length = (int64_t)random_below(&maker->random, 4) * 10;
}

static void run_lock(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	static const short kinds[] = { F_RDLCK, F_WRLCK, F_UNLCK };
	struct flock lock = { .l_type = kinds[op->flags % 3], .l_start = op->offset, .l_len = op->length };
	int r = fcntl(twin_slot(player, op->slot), (int)op->mode, &lock);

	twin_say_error(answer, r);
	if (r == 0 && (op->mode == F_GETLK || op->mode == F_OFD_GETLK))
		twin_say(answer, " %d %jd %jd", lock.l_type, (intmax_t)lock.l_start, (intmax_t)lock.l_len);
}

/* ---- the whole ---- */

/* A commit, which on a vault is what an fsync of any directory is. */
static void run_commit(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	(void)op;
	twin_say_error(answer, fsync(player->root));
}

/* Everything cached of every file; root only, and dear. */
static void run_drop_caches(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	(void)op;
	(void)answer;
	if (player->caches >= 0)
		(void)!pwrite(player->caches, "3", 1, 0);
}

const struct twin_call twin_drop_caches = { .name = "drop-caches", .run = run_drop_caches };

const struct twin_call twin_process_calls[] = {
	{ "chdir", 15, make_chdir, run_chdir },
	{ "getcwd", 5, make_nothing, run_getcwd },
	{ "become", 14, make_become, run_become },
	{ "umask", 5, make_umask, run_umask },
	{ "dup", 8, make_dup, run_dup },
	{ "close", 8, make_dup, run_close },
	{ "setfl", 4, make_setfl, run_setfl },
	{ "flock", 8, make_flock, run_flock },
	{ "lock", 12, make_lock, run_lock },
	{ "commit", 1, make_nothing, run_commit },
	{ NULL, 0, NULL, NULL },
};
