/* ops_attribute.c - cases: modes, owners, suid and sgid, link counts. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static mode_t mode_of(const char *path)
{
	return ops_lstat(path).st_mode & 07777;
}

static void chmod_keeps_every_bit(void)
{
	int fd;

	ops_make_file("file", 1);
	OK(mkdir("dir", 0755));
	for (mode_t mode = 0; mode <= 07777; mode = mode * 2 + 1) {
		OK(chmod("file", mode));
		EQUAL(mode_of("file"), mode);
		OK(chmod("dir", mode | 0700));
		EQUAL(mode_of("dir"), mode | 0700);
	}
	for (mode_t bit = 1; bit <= 04000; bit *= 2) {
		OK(chmod("file", bit));
		EQUAL(mode_of("file"), bit);
	}
	OK(chmod("file", 0644));
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	OK(fchmod(fd, 0600));
	EQUAL(mode_of("file"), 0600);
	CHECK(S_ISREG(ops_stat(fd).st_mode));
}

static void umask_is_applied(void)
{
	static const struct {
		mode_t mask, asked, want;
	} rows[] = { { 022, 0666, 0644 },
		     { 077, 0777, 0700 },
		     { 0, 0666, 0666 },
		     { 0777, 0777, 0 },
		     { 027, 01777, 01750 } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		umask(rows[i].mask);
		OK(close(FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, rows[i].asked))));
		OK(mkdir("dir", rows[i].asked));
		OK(mkfifo("pipe", rows[i].asked));
		EQUAL(mode_of("file"), rows[i].want);
		EQUAL(mode_of("dir"), rows[i].want);
		EQUAL(mode_of("pipe"), rows[i].want);
		OK(unlink("file"));
		OK(rmdir("dir"));
		OK(unlink("pipe"));
	}
}

static void chown_sets_what_is_asked(void)
{
	if (geteuid() != 0)
		ops_skip("only root can give files away");
	ops_make_file("file", 1);
	OK(symlink("file", "link"));
	OK(chown("file", 1234, 5678));
	EQUAL(ops_lstat("file").st_uid, 1234);
	EQUAL(ops_lstat("file").st_gid, 5678);
	OK(chown("file", (uid_t)-1, 9));
	EQUAL(ops_lstat("file").st_uid, 1234);
	EQUAL(ops_lstat("file").st_gid, 9);
	OK(chown("file", 8, (gid_t)-1));
	EQUAL(ops_lstat("file").st_gid, 9);
	OK(chown("link", 77, 77));
	EQUAL(ops_lstat("file").st_uid, 77);
	EQUAL(ops_lstat("link").st_uid, 0);
	OK(lchown("link", 66, 66));
	EQUAL(ops_lstat("link").st_uid, 66);
	EQUAL(ops_lstat("file").st_uid, 77);
	OK(chown("file", 4294967294u, 4294967294u));
	EQUAL(ops_lstat("file").st_uid, 4294967294u);
}

/* Which change of content clears which bits, by who it is. */
static void change_content(const char *how)
{
	int fd = FD(open("file", O_RDWR | O_CLOEXEC | (strcmp(how, "O_TRUNC") == 0 ? O_TRUNC : 0)));

	if (strcmp(how, "write") == 0)
		OK(pwrite(fd, "x", 1, 0));
	else if (strcmp(how, "append") == 0)
		OK(pwrite(fd, "x", 1, 1000));
	else if (strcmp(how, "ftruncate") == 0)
		OK(ftruncate(fd, 3));
	OK(close(fd));
	if (strcmp(how, "truncate") == 0)
		OK(truncate("file", 7));
}

static void suid_goes_with_the_content(void)
{
	static const char *const ways[] = { "write", "append", "ftruncate", "truncate", "O_TRUNC" };
	static const struct {
		mode_t before, after;
	} rows[] = { { 04755, 0755 }, { 06755, 0755 }, { 02755, 0755 }, { 01755, 01755 }, { 0755, 0755 } };

	ops_drop_fsetid();
	for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			ops_row(ways[way]);
			ops_make_file("file", 100);
			OK(chmod("file", rows[i].before));
			if (mode_of("file") != rows[i].before)
				continue; /* sgid of a group that is not ours is not for an ordinary user to set */
			change_content(ways[way]);
			EQUAL(mode_of("file"), rows[i].after);
			OK(unlink("file"));
		}
	}
}

static void link_counts(void)
{
	char name[32];

	ops_make_file("file", 1);
	EQUAL(ops_lstat("file").st_nlink, 1);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "link%d", i);
		OK(link("file", name));
		EQUAL(ops_lstat("file").st_nlink, i + 2);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "link%d", i);
		OK(unlink(name));
		EQUAL(ops_lstat("file").st_nlink, 100 - i);
	}
	EQUAL(ops_lstat(".").st_nlink, 2);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "dir%d", i);
		OK(mkdir(name, 0755));
		EQUAL(ops_lstat(".").st_nlink, i + 3);
		EQUAL(ops_lstat(name).st_nlink, 2);
	}
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "dir%d", i);
		OK(rmdir(name));
	}
	EQUAL(ops_lstat(".").st_nlink, 2);
}

static void stat_agrees_with_itself(void)
{
	struct statx a;
	struct stat b, c;
	int fd;

	ops_make_file("file", 12345);
	OK(link("file", "link"));
	fd = FD(open("file", O_RDONLY | O_CLOEXEC));
	b = ops_stat(fd);
	c = ops_lstat("link");
	EQUAL(b.st_ino, c.st_ino);
	EQUAL(b.st_dev, c.st_dev);
	OK(statx(AT_FDCWD, "link", 0, STATX_BASIC_STATS, &a));
	EQUAL(a.stx_ino, b.st_ino);
	EQUAL(a.stx_size, 12345);
	EQUAL(a.stx_nlink, 2);
	EQUAL(a.stx_mode, b.st_mode);
	EQUAL(a.stx_mtime.tv_nsec, b.st_mtim.tv_nsec);
}

static void ordinary_users(void)
{
	OK(chmod(".", 0777));
	ops_become_user(12345, 12345);
	ops_make_file("mine", 5);
	EQUAL(ops_lstat("mine").st_uid, 12345);
	EQUAL(ops_lstat("mine").st_gid, 12345);
	OK(chmod("mine", 04711));
	EQUAL(mode_of("mine"), 04711);
	FAILS(EPERM, chown("mine", 0, (gid_t)-1));
	FAILS(EPERM, chown("mine", (uid_t)-1, 54321));
	/* giving it to oneself is allowed, and clears suid */
	OK(chown("mine", (uid_t)-1, 12345));
	EQUAL(mode_of("mine"), 0711);
	FAILS(EPERM, mknod("device", S_IFCHR | 0600, 0x103));
	OK(chmod("mine", 0));
	FAILS(EACCES, open("mine", O_RDONLY | O_CLOEXEC));
	FAILS(EACCES, access("mine", R_OK));
}

OPS_CASES(attribute) = {
	{ "chmod_keeps_every_bit", chmod_keeps_every_bit },
	{ "umask_is_applied", umask_is_applied },
	{ "chown_sets_what_is_asked", chown_sets_what_is_asked },
	{ "suid_and_sgid_go_with_a_change_of_content", suid_goes_with_the_content },
	{ "link_counts", link_counts },
	{ "stat_agrees_with_itself", stat_agrees_with_itself },
	{ "ordinary_users", ordinary_users },
	{ NULL, NULL },
};
