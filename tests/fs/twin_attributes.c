/* twin_attributes.c - calls on what is known of a file: mode, owner, times, extended attributes. */
#include "twin.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* flags of operations on either a path or, with this, an open file */
enum { BY_SLOT = 0x10000 };

static void make_object(struct twin_maker *maker, struct twin_op *op)
{
	op->slot = twin_make_slot(maker, TWIN_ANY);
	if (random_below(&maker->random, 4) == 0)
		op->flags = BY_SLOT;
	else
		twin_make_at(maker, &op->dir, op->path, TWIN_ANY);
}

/* ---- look ---- */

static void make_stat(struct twin_maker *maker, struct twin_op *op)
{
	make_object(maker, op);
	if (random_below(&maker->random, 2))
		op->flags |= AT_SYMLINK_NOFOLLOW;
}

static void run_stat(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	bool by_slot = op->flags & BY_SLOT;
	int flags = by_slot ? AT_EMPTY_PATH : (int)op->flags;
	char path[TWIN_PATH];
	struct statx st;
	int r = statx(by_slot ? twin_slot(player, op->slot) : twin_dir(player, op->dir),
		      by_slot ? "" : twin_path(player, op->path, path), flags, STATX_BASIC_STATS, &st);

	twin_say_error(answer, r);
	if (r == 0)
		twin_say_stat(answer, player, &st);
}

static void make_same(struct twin_maker *maker, struct twin_op *op)
{
	twin_make_at(maker, &op->dir, op->path, TWIN_ANY);
	twin_make_at(maker, &op->dir2, op->path2, TWIN_ANY);
}

static void run_same(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char a[TWIN_PATH], b[TWIN_PATH];
	struct stat x, y;
	int r = fstatat(twin_dir(player, op->dir), twin_path(player, op->path, a), &x, 0);

	if (r == 0)
		r = fstatat(twin_dir(player, op->dir2), twin_path(player, op->path2, b), &y, 0);
	twin_say_error(answer, r);
	if (r == 0)
		twin_say(answer, " %s", x.st_dev == y.st_dev && x.st_ino == y.st_ino ? "one" : "two");
}

static void make_access(struct twin_maker *maker, struct twin_op *op)
{
	twin_make_at(maker, &op->dir, op->path, TWIN_ANY);
	op->mode = (unsigned)random_below(&maker->random, 8);
	op->flags = AT_EACCESS | (random_below(&maker->random, 4) ? 0 : AT_SYMLINK_NOFOLLOW);
}

/* The system call: glibc asks for the mode and judges by itself. */
static void run_access(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];

	twin_say_error(answer, syscall(SYS_faccessat2, twin_dir(player, op->dir),
				       twin_path(player, op->path, path), op->mode, op->flags));
}

/* ---- change ---- */

static void make_chmod(struct twin_maker *maker, struct twin_op *op)
{
	make_object(maker, op);
	op->mode = random_below(&maker->random, 3) ? 0700 | (unsigned)random_below(&maker->random, 01000)
						   : (unsigned)random_below(&maker->random, 010000);
	if (maker->plain)
		op->mode |= 0700; /* or the tree could not be read at the end */
}

static void run_chmod(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH];

	if (op->flags & BY_SLOT)
		twin_say_error(answer, fchmod(twin_slot(player, op->slot), op->mode));
	else
		twin_say_error(answer, fchmodat(twin_dir(player, op->dir), twin_path(player, op->path, path),
						op->mode, 0));
}

/* Not neither of both: to FUSE that is what comes before a change of a file with privileges to lose, which others may. */
static void make_chown(struct twin_maker *maker, struct twin_op *op)
{
	make_stat(maker, op);
	op->offset = (int64_t)random_below(&maker->random, 4) - 1;
	op->offset2 = (int64_t)random_below(&maker->random, 4) - (op->offset == -1 ? 0 : 1);
}

/* -1 stays, 0 is whoever runs this, 1 and more are others. */
static unsigned owner_of(int64_t number, unsigned zero)
{
	return number <= 0 ? number < 0 ? (unsigned)-1 : zero : 1000 + (unsigned)number;
}

static void run_chown(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	uid_t uid = owner_of(op->offset, getuid());
	gid_t gid = owner_of(op->offset2, getgid());
	char path[TWIN_PATH];

	if (op->flags & BY_SLOT)
		twin_say_error(answer, fchown(twin_slot(player, op->slot), uid, gid));
	else
		twin_say_error(answer, fchownat(twin_dir(player, op->dir), twin_path(player, op->path, path),
						uid, gid, (int)op->flags));
}

/* From 1901 to 2446, which ext4 can keep, and out of the way of what is now. */
static int64_t make_seconds(struct twin_maker *maker)
{
	static const int64_t usual[] = {
		0, -1, 1, 0x7fffffff, 0x80000000, 1000000000, -1000000000, 4102444800
	};

	return usual[random_below(&maker->random, sizeof usual / sizeof *usual)];
}

static void make_utimens(struct twin_maker *maker, struct twin_op *op)
{
	static const int64_t parts[] = { UTIME_NOW, UTIME_OMIT, 0, 1, 999999999, 123456789, 1000000000 };

	make_stat(maker, op);
	op->offset = make_seconds(maker);
	op->offset2 = parts[random_below(&maker->random, sizeof parts / sizeof *parts)];
	op->length = parts[random_below(&maker->random, sizeof parts / sizeof *parts)];
}

static void run_utimens(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	const struct timespec times[2] = { { op->offset, op->length }, { op->offset, op->offset2 } };
	char path[TWIN_PATH];

	if (op->flags & BY_SLOT)
		twin_say_error(answer, futimens(twin_slot(player, op->slot), times));
	else
		twin_say_error(answer, utimensat(twin_dir(player, op->dir), twin_path(player, op->path, path),
						 times, (int)op->flags));
}

/* ---- extended attributes ---- */

/* Few and small ones, which ext4 has room for. Of the namespaces the last is nobody's. */
static void make_xattr(struct twin_maker *maker, struct twin_op *op)
{
	static const char *const names[] = { "user.a",    "user.a", "user.b",     "user.b",
					     "user.a",    "user.b", "user.@250",  "user.@251",
					     "trusted.a", "user.",  "security.a", "nobody.a" };

	make_stat(maker, op);
	op->dir = TWIN_CWD;
	snprintf(op->path2, sizeof op->path2, "%s",
		 names[random_below(&maker->random, sizeof names / sizeof *names)]);
	op->length = (int64_t)random_below(&maker->random, 200);
	op->mode = (unsigned)random_below(&maker->random, 3) * (random_below(&maker->random, 2) ? 1 : 0);
	op->offset = (int64_t)random_below(&maker->random, 100);
}

/* Access control lists: six permissions in `offset`, three bits each, and in `offset2` which entries there are. */
enum { ACL_NAMED_USER = 1, ACL_NAMED_GROUP = 2, ACL_WITH_MASK = 4, ACL_WITHOUT_OTHERS = 8, ACL_EMPTY = 16 };

static void make_acl(struct twin_maker *maker, struct twin_op *op)
{
	static const int64_t entries[] = { 0, 0, 1, 2, 4, 5, 6, 7, 5, 7, 5, 7, 3, 8, 13, 16 };

	make_stat(maker, op);
	op->dir = TWIN_CWD;
	snprintf(op->path2, sizeof op->path2, "system.posix_acl_%s",
		 random_below(&maker->random, 2) ? "access" : "default");
	op->offset = (int64_t)random_below(&maker->random, 1 << 18) | (maker->plain ? 7 : 0);
	op->offset2 = entries[random_below(&maker->random, sizeof entries / sizeof *entries)];
}

static size_t add_entry(uint8_t *out, uint16_t tag, int64_t permissions, uint32_t id)
{
	const struct posix_acl_xattr_entry entry = { htole16(tag), htole16((uint16_t)(permissions & 7)),
						     htole32(id) };

	memcpy(out, &entry, sizeof entry);
	return sizeof entry;
}

static size_t acl_value(const struct twin_op *op, uint8_t *out)
{
	const struct posix_acl_xattr_header header = { htole32(POSIX_ACL_XATTR_VERSION) };
	size_t n = sizeof header;

	memcpy(out, &header, n);
	if (op->offset2 & ACL_EMPTY)
		return n;
	n += add_entry(out + n, ACL_USER_OBJ, op->offset, (uint32_t)ACL_UNDEFINED_ID);
	if (op->offset2 & ACL_NAMED_USER)
		n += add_entry(out + n, ACL_USER, op->offset >> 3, 1001);
	n += add_entry(out + n, ACL_GROUP_OBJ, op->offset >> 6, (uint32_t)ACL_UNDEFINED_ID);
	if (op->offset2 & ACL_NAMED_GROUP)
		n += add_entry(out + n, ACL_GROUP, op->offset >> 9, 1002);
	if (op->offset2 & ACL_WITH_MASK)
		n += add_entry(out + n, ACL_MASK, op->offset >> 12, (uint32_t)ACL_UNDEFINED_ID);
	if (!(op->offset2 & ACL_WITHOUT_OTHERS))
		n += add_entry(out + n, ACL_OTHER, op->offset >> 15, (uint32_t)ACL_UNDEFINED_ID);
	return n;
}

static void set_xattr(struct twin_player *player, const struct twin_op *op, size_t size,
		      struct twin_answer *answer)
{
	char path[TWIN_PATH], name[TWIN_PATH];
	const char *file = twin_path(player, op->path, path), *key = twin_path(player, op->path2, name);
	const void *value = player->buffer;
	int r;

	if (op->flags & BY_SLOT)
		r = fsetxattr(twin_slot(player, op->slot), key, value, size, (int)op->mode);
	else
		r = (op->flags & AT_SYMLINK_NOFOLLOW ? lsetxattr : setxattr)(file, key, value, size,
									     (int)op->mode);
	twin_say_error(answer, r);
}

static void run_setxattr(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	memset(player->buffer, (int)op->offset, (size_t)op->length);
	set_xattr(player, op, (size_t)op->length, answer);
}

static void run_setacl(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	set_xattr(player, op, acl_value(op, player->buffer), answer);
}

static void run_getxattr(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH], name[TWIN_PATH];
	const char *file = twin_path(player, op->path, path), *key = twin_path(player, op->path2, name);
	size_t size = op->mode ? (size_t)op->length : TWIN_IO_MAX;
	ssize_t n;

	if (op->flags & BY_SLOT)
		n = fgetxattr(twin_slot(player, op->slot), key, player->buffer, size);
	else
		n = (op->flags & AT_SYMLINK_NOFOLLOW ? lgetxattr : getxattr)(file, key, player->buffer, size);
	twin_say_result(answer, n);
	if (n > 0 && size > 0)
		twin_say_bytes(answer, player->buffer, (size_t)n);
}

static void run_removexattr(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH], name[TWIN_PATH];
	const char *file = twin_path(player, op->path, path), *key = twin_path(player, op->path2, name);

	if (op->flags & BY_SLOT)
		twin_say_error(answer, fremovexattr(twin_slot(player, op->slot), key));
	else
		twin_say_error(answer,
			       (op->flags & AT_SYMLINK_NOFOLLOW ? lremovexattr : removexattr)(file, key));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In no order of the filesystem's own, and without what a vault knows by itself. */
static void say_names(struct twin_answer *answer, char *list, size_t size)
{
	char *names[64];
	size_t n = 0;

	for (size_t at = 0; at < size && n < 64; at += strlen(list + at) + 1) {
		if (strcmp(list + at, "user.mime_type") != 0)
			names[n++] = list + at;
	}
	qsort(names, n, sizeof *names, by_text);
	for (size_t i = 0; i < n; i++)
		twin_say(answer, " %.24s", names[i]);
}

static void run_listxattr(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	char path[TWIN_PATH], *list = (char *)player->buffer;
	const char *file = twin_path(player, op->path, path);
	ssize_t n;

	if (op->flags & BY_SLOT)
		n = flistxattr(twin_slot(player, op->slot), list, TWIN_IO_MAX);
	else
		n = (op->flags & AT_SYMLINK_NOFOLLOW ? llistxattr : listxattr)(file, list, TWIN_IO_MAX);
	twin_say_result(answer, n);
	if (n > 0)
		say_names(answer, list, (size_t)n);
}

const struct twin_call twin_attribute_calls[] = {
	{ "stat", 60, make_stat, run_stat },           { "same", 10, make_same, run_same },
	{ "access", 15, make_access, run_access },     { "chmod", 25, make_chmod, run_chmod },
	{ "chown", 20, make_chown, run_chown },        { "utimens", 20, make_utimens, run_utimens },
	{ "setxattr", 22, make_xattr, run_setxattr },  { "setacl", 15, make_acl, run_setacl },
	{ "getacl", 6, make_acl, run_getxattr },       { "removeacl", 4, make_acl, run_removexattr },
	{ "getxattr", 12, make_xattr, run_getxattr },  { "removexattr", 10, make_xattr, run_removexattr },
	{ "listxattr", 8, make_xattr, run_listxattr }, { NULL, 0, NULL, NULL },
};
