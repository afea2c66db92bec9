/* twin_names.c - calls that make, move and remove names. */
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const unsigned modes[] = { 0777, 0755, 0700,  0644,  0666,  0600,  0777, 0775,
				  0070, 0000, 01777, 02775, 02770, 04755, 06777 };

static unsigned make_mode(struct twin_maker *maker)
{
	return modes[random_below(&maker->random, sizeof modes / sizeof *modes)] | (maker->plain ? 0700 : 0);
}

static void make_named(struct twin_maker *maker, struct twin_op *op)
{
	twin_make_at(maker, &op->dir, op->path, TWIN_FILE);
	op->mode = make_mode(maker);
}

static void make_directory(struct twin_maker *maker, struct twin_op *op)
{
	twin_make_at(maker, &op->dir, op->path, TWIN_DIRECTORY);
	op->mode = make_mode(maker);
}

static void make_two(struct twin_maker *maker, struct twin_op *op)
{
	twin_make_at(maker, &op->dir, op->path, TWIN_ANY);
	twin_make_at(maker, &op->dir2, op->path2, TWIN_ANY);
}

/* ---- open ---- */

static unsigned make_open_flags(struct twin_maker *maker)
{
	static const unsigned common[] = { O_RDONLY,
					   O_RDWR,
					   O_RDWR | O_CREAT,
					   O_RDWR | O_CREAT,
					   O_RDWR | O_CREAT,
					   O_WRONLY | O_CREAT | O_TRUNC,
					   O_RDWR | O_CREAT | O_EXCL,
					   O_RDONLY | O_DIRECTORY,
					   O_RDONLY | O_DIRECTORY,
					   O_PATH,
					   O_WRONLY | O_APPEND,
					   O_RDWR | O_TRUNC };
	static const unsigned any[] = { O_CREAT,    O_EXCL, O_TRUNC,   O_APPEND, O_DIRECTORY,
					O_NOFOLLOW, O_PATH, O_NOATIME, O_DSYNC,  O_SYNC };
	unsigned flags;

	if (random_below(&maker->random, 3))
		return common[random_below(&maker->random, sizeof common / sizeof *common)];
	flags = (unsigned)random_below(&maker->random, 4); /* 3: neither for reading nor for writing */
	for (size_t i = 0; i < sizeof any / sizeof *any; i++) {
		if (random_below(&maker->random, 5) == 0)
			flags |= any[i];
	}
	return flags;
}

static void make_open(struct twin_maker *maker, struct twin_op *op)
{
	enum twin_kind kind;

	op->flags = make_open_flags(maker);
	kind = op->flags & (O_DIRECTORY | O_PATH) ? TWIN_DIRECTORY : TWIN_FILE;
	op->mode = make_mode(maker) | (random_below(&maker->random, 4) ? 0600 : 0);
	op->slot = twin_make_slot(maker, kind);
	twin_make_at(maker, &op->dir, op->path, kind);
}

static void run_open(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];
	int fd = openat(twin_dir(player, op->dir), twin_path(player, op->path, path),
			(int)op->flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, op->mode);

	twin_say_error(answer, fd);
	if (fd >= 0)
		twin_put_slot(player, op->slot, fd);
}

static void run_creat(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];
	const char *name = twin_path(player, op->path, path);
	struct stat st;
	int fd;

	if (stat(name, &st) == 0 && S_ISFIFO(st.st_mode)) { /* it would wait for a reader */
		twin_say(answer, "pipe");
		return;
	}
	fd = creat(name, op->mode);
	twin_say_error(answer, fd);
	if (fd >= 0)
		twin_put_slot(player, op->slot, fd);
}

/* ---- make ---- */

static void run_mkdir(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];

	twin_say_error(answer,
		       mkdirat(twin_dir(player, op->dir), twin_path(player, op->path, path), op->mode));
}

static void make_mknod(struct twin_maker *maker, struct twin_op *op)
{
	static const unsigned types[] = { S_IFIFO, S_IFIFO, S_IFSOCK, S_IFREG, 0, S_IFCHR, S_IFBLK, S_IFDIR };

	make_named(maker, op);
	op->mode |= types[random_below(&maker->random, sizeof types / sizeof *types)];
}

/* The devices are /dev/null, and one that no system has. */
static void run_mknod(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];
	dev_t device = S_ISCHR(op->mode) ? makedev(1, 3) : S_ISBLK(op->mode) ? makedev(240, 300) : 0;

	twin_say_error(answer, mknodat(twin_dir(player, op->dir), twin_path(player, op->path, path), op->mode,
				       device));
}

static void make_symlink(struct twin_maker *maker, struct twin_op *op)
{
	twin_make_at(maker, &op->dir, op->path, TWIN_ANY);
	do
		twin_make_path(maker, op->path2, TWIN_ANY);
	while (maker->plain && *op->path2 == '/');
}

static void run_symlink(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH], target[TWIN_PATH];

	twin_say_error(answer, symlinkat(twin_path(player, op->path2, target), twin_dir(player, op->dir),
					 twin_path(player, op->path, path)));
}

static void run_readlink(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH], target[TWIN_PATH];
	ssize_t n = readlinkat(twin_dir(player, op->dir), twin_path(player, op->path, path), target,
			       op->length ? (size_t)op->length : sizeof target);

	twin_say_result(answer, n);
	if (n > 0)
		twin_say_bytes(answer, target, (size_t)n);
}

static void make_readlink(struct twin_maker *maker, struct twin_op *op)
{
	twin_make_at(maker, &op->dir, op->path, TWIN_ANY);
	op->length = random_below(&maker->random, 4) ? 0 : (int64_t)random_size(&maker->random, 30);
}

/* ---- link, rename, remove ---- */

static void make_link(struct twin_maker *maker, struct twin_op *op)
{
	make_two(maker, op);
	op->flags = random_below(&maker->random, 4) ? 0 : AT_SYMLINK_FOLLOW;
}

static void run_link(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char from[TWIN_PATH], to[TWIN_PATH];

	twin_say_error(answer,
		       linkat(twin_dir(player, op->dir), twin_path(player, op->path, from),
			      twin_dir(player, op->dir2), twin_path(player, op->path2, to), (int)op->flags));
}

static void make_link_open(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_ANY);
	twin_make_at(maker, &op->dir, op->path, TWIN_ANY);
}

/* Only with CAP_DAC_READ_SEARCH on older kernels: both sides are on the same. */
static void run_link_open(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char to[TWIN_PATH];

	twin_say_error(answer, linkat(twin_slot(player, op->slot), "", twin_dir(player, op->dir),
				      twin_path(player, op->path, to), AT_EMPTY_PATH));
}

static void make_rename(struct twin_maker *maker, struct twin_op *op)
{
	static const unsigned flags[] = { 0,
					  0,
					  0,
					  0,
					  RENAME_NOREPLACE,
					  RENAME_EXCHANGE,
					  RENAME_EXCHANGE,
					  RENAME_NOREPLACE | RENAME_EXCHANGE,
					  1u << 7 };
	size_t n = sizeof flags / sizeof *flags;

	make_two(maker, op);
	op->flags = flags[random_below(&maker->random, random_below(&maker->random, 10) ? n - 2 : n)];
}

static void run_rename(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char from[TWIN_PATH], to[TWIN_PATH];

	twin_say_error(answer,
		       renameat2(twin_dir(player, op->dir), twin_path(player, op->path, from),
				 twin_dir(player, op->dir2), twin_path(player, op->path2, to), op->flags));
}

static void make_remove(struct twin_maker *maker, struct twin_op *op)
{
	op->flags = random_below(&maker->random, 3) ? 0 : AT_REMOVEDIR;
	twin_make_at(maker, &op->dir, op->path, op->flags ? TWIN_DIRECTORY : TWIN_FILE);
}

static void run_remove(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];

	twin_say_error(answer, unlinkat(twin_dir(player, op->dir), twin_path(player, op->path, path),
					(int)op->flags));
}

const struct twin_call twin_name_calls[] = {
	{ "open", 150, make_open, run_open },
	{ "creat", 15, make_open, run_creat },
	{ "mkdir", 50, make_directory, run_mkdir },
	{ "mknod", 15, make_mknod, run_mknod },
	{ "symlink", 20, make_symlink, run_symlink },
	{ "readlink", 8, make_readlink, run_readlink },
	{ "link", 25, make_link, run_link },
	{ "link-open", 8, make_link_open, run_link_open },
	{ "rename", 55, make_rename, run_rename },
	{ "remove", 30, make_remove, run_remove },
	{ NULL, 0, NULL, NULL },
};
