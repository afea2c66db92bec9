/* ops_privilege.c - cases: which change takes suid and sgid from a file, by who makes it. */
#include "ops.h"
#include "ops_fixture.h"
#include "ops_who.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static mode_t mode_of(const char *path)
{
	return ops_lstat(path).st_mode & 07777;
}

/* ---- changes of content ---- */

static int fd_of_file(int flags)
{
	return FD(open("file", flags | O_CLOEXEC));
}

static void do_write(void)
{
	OK(pwrite(fd_of_file(O_WRONLY), "x", 1, 0));
}

static void do_append(void)
{
	OK(write(fd_of_file(O_WRONLY | O_APPEND), "x", 1));
}

static void do_write_behind_the_end(void)
{
	OK(pwrite(fd_of_file(O_WRONLY), "x", 1, 100000));
}

static void do_write_direct(void)
{
	static char page[4096] __attribute__((aligned(4096)));
	int fd = open("file", O_WRONLY | O_DIRECT | O_CLOEXEC);

	/* a disk may refuse it; then this is one more plain write */
	OK(pwrite(fd < 0 ? fd_of_file(O_WRONLY) : fd, page, sizeof page, 0));
}

static void do_write_nothing(void)
{
	EQUAL(OK(pwrite(fd_of_file(O_WRONLY), "x", 0, 0)), 0);
}

static void do_ftruncate(void)
{
	OK(ftruncate(fd_of_file(O_WRONLY), 3));
}

static void do_ftruncate_to_the_same(void)
{
	OK(ftruncate(fd_of_file(O_WRONLY), 10000));
}

static void do_truncate(void)
{
	OK(truncate("file", 20000));
}

static void do_open_truncating(void)
{
	(void)fd_of_file(O_WRONLY | O_TRUNC);
}

static void do_creat(void)
{
	(void)FD(creat("file", 0644));
}

static void do_fallocate(void)
{
	OK(fallocate(fd_of_file(O_WRONLY), 0, 0, 50000));
}

static void do_fallocate_keeping_the_size(void)
{
	OK(fallocate(fd_of_file(O_WRONLY), FALLOC_FL_KEEP_SIZE, 0, 50000));
}

static void do_punch(void)
{
	OK(fallocate(fd_of_file(O_WRONLY), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
}

static void do_zero(void)
{
	OK(fallocate(fd_of_file(O_WRONLY), FALLOC_FL_ZERO_RANGE, 0, 4096));
}

static void do_copy_range(void)
{
	off_t from = 0, to = 0;

	CHECK(OK(copy_file_range(FD(open("source", O_RDONLY | O_CLOEXEC)), &from, fd_of_file(O_WRONLY), &to,
				 5000, 0)) > 0);
}

static void do_sendfile(void)
{
	CHECK(OK(sendfile(fd_of_file(O_WRONLY), FD(open("source", O_RDONLY | O_CLOEXEC)), NULL, 5000)) > 0);
}

static void do_splice(void)
{
	int pipes[2];

	OK(pipe(pipes));
	EQUAL(OK(write(pipes[1], "x", 1)), 1);
	EQUAL(OK(splice(pipes[0], NULL, fd_of_file(O_WRONLY), NULL, 1, 0)), 1);
}

static void do_store(void)
{
	int fd = fd_of_file(O_RDWR);
	char *map = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(map != MAP_FAILED);
	map[5] = 'x';
	OK(msync(map, 10000, MS_SYNC));
	OK(munmap(map, 10000));
	OK(close(fd));
}

static void do_read(void)
{
	char bytes[10];

	EQUAL(OK(pread(fd_of_file(O_RDONLY), bytes, sizeof bytes, 0)), sizeof bytes);
}

static void do_setxattr(void)
{
	OK(fixture_call(CALL_SETXATTR, "file", NULL, 0));
}

static void do_touch(void)
{
	OK(fixture_call(CALL_TOUCH, "file", NULL, 0));
}

static const struct {
	const char *what;
	void (*run)(void);
	bool takes; /* the bits of whoever is not root */
} ways[] = {
	{ "write", do_write, true },
	{ "append", do_append, true },
	{ "write behind the end", do_write_behind_the_end, true },
	{ "write with O_DIRECT", do_write_direct, true },
	{ "write of nothing", do_write_nothing, false },
	{ "ftruncate", do_ftruncate, true },
	{ "ftruncate to the same size", do_ftruncate_to_the_same, true },
	{ "truncate", do_truncate, true },
	{ "O_TRUNC", do_open_truncating, true },
	{ "creat", do_creat, true },
	{ "fallocate", do_fallocate, true },
	{ "fallocate KEEP_SIZE", do_fallocate_keeping_the_size, true },
	{ "punch", do_punch, true },
	{ "zero", do_zero, true },
	{ "copy_file_range", do_copy_range, true },
	{ "sendfile", do_sendfile, true },
	{ "splice", do_splice, true },
	{ "store through a map", do_store, false },
	{ "read", do_read, false },
	{ "setxattr", do_setxattr, false },
	{ "utimensat", do_touch, false },
};

/* After a change that takes. Sgid without group execute is no set-group-ID but a mark of old for locks: who is of the
 * group leaves it. */
static const struct {
	mode_t before, root, of_the_group, another;
} modes[] = {
	{ 04777, 04777, 00777, 00777 }, { 02777, 02777, 00777, 00777 }, { 06777, 06777, 00777, 00777 },
	{ 07777, 07777, 01777, 01777 }, { 01777, 01777, 01777, 01777 }, { 04666, 04666, 00666, 00666 },
	{ 02767, 02767, 02767, 00767 }, { 06767, 06767, 02767, 00767 },

};

static int run_way(void *context)
{
	ways[*(size_t *)context].run();
	return 0;
}

/* Before Linux 6.2 sgid without group execute stayed whoever changed the file. */
static bool sgid_stays_for_all(void)
{
	struct utsname system;
	int major = 0, minor = 0;

	OK(uname(&system));
	CHECK(sscanf(system.release, "%d.%d", &major, &minor) == 2);
	return major < 6 || (major == 6 && minor < 2);
}

static bool without_group_execute(mode_t mode)
{
	return (mode & (S_ISGID | S_IXGRP)) == S_ISGID;
}

static bool is_of_the_group(enum who who)
{
	return who == WHO_OWNER || who == WHO_GROUP || who == WHO_MEMBER;
}

static void check_content(size_t way, size_t mode, enum who who)
{
	mode_t want = !ways[way].takes       ? modes[mode].before
		      : who == WHO_ROOT      ? modes[mode].root
		      : is_of_the_group(who) ? modes[mode].of_the_group
					     : modes[mode].another;
	char what[200];

	snprintf(what, sizeof what, "%04o, %s by %s", (unsigned)modes[mode].before, ways[way].what,
		 who_name(who));
	ops_row(what);
	ops_make_file("file", 10000);
	OK(chown("file", WHO_UID, WHO_GID));
	OK(chmod("file", modes[mode].before));
	EQUAL(mode_of("file"), modes[mode].before);
	EQUAL(who_run(who, run_way, &way), 0);
	if (mode_of("file") != want)
		ops_fail(__FILE__, __LINE__, "the mode is %04o, wanted %04o", (unsigned)mode_of("file"),
			 (unsigned)want);
	OK(unlink("file"));
	ops_row(NULL);
}

static void changes_of_content(void)
{
	who_needed();
	OK(chmod(".", 0777));
	ops_make_file("source", 10000);
	for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
		for (size_t mode = 0; mode < sizeof modes / sizeof *modes; mode++) {
			if (without_group_execute(modes[mode].before) && sgid_stays_for_all())
				continue;
			for (enum who who = 0; who < WHO_COUNT; who++)
				check_content(way, mode, who);
		}
	}
}

/* ---- changes of owner and mode ---- */

struct attribute_row {
	const char *what;
	mode_t type, before;
	enum who who;
	int call, arg;
	mode_t after;
	int want; /* errno */
};

static const struct attribute_row attribute_rows[] = {
	{ "root gives a file away", S_IFREG, 06755, WHO_ROOT, CALL_CHOWN, 77, 0755, 0 },
	{ "root gives it the owner it has", S_IFREG, 06755, WHO_ROOT, CALL_CHOWN, WHO_UID, 0755, 0 },
	{ "root gives it another group", S_IFREG, 06755, WHO_ROOT, CALL_CHGRP, 77, 0755, 0 },
	{ "root gives nothing", S_IFREG, 06755, WHO_ROOT, CALL_CHOWN, -1, 0755, 0 },
	{ "root, no group execute", S_IFREG, 06745, WHO_ROOT, CALL_CHOWN, 77, 02745, 0 },
	{ "root, sticky", S_IFREG, 07755, WHO_ROOT, CALL_LCHOWN, 77, 01755, 0 },
	{ "the owner gives it the owner it has", S_IFREG, 06755, WHO_OWNER, CALL_CHOWN, WHO_UID, 0755, 0 },
	{ "the owner gives it the group it has", S_IFREG, 06755, WHO_OWNER, CALL_CHGRP, WHO_GID, 0755, 0 },
	{ "the owner, no group execute", S_IFREG, 06745, WHO_OWNER, CALL_CHGRP, WHO_GID, 02745, 0 },
	{ "the owner, not of the group, gives it his", S_IFREG, 06755, WHO_OWNER_ONLY, CALL_CHGRP,
	  WHO_OTHER_GID, 0755, 0 },
	{ "the owner, not of the group, no group execute", S_IFREG, 06745, WHO_OWNER_ONLY, CALL_CHOWN,
	  WHO_UID, 0745, 0 },
	{ "another gives nothing", S_IFREG, 06755, WHO_OTHER, CALL_CHOWN, -1, 06755, EPERM },
	{ "root gives a directory away", S_IFDIR, 07755, WHO_ROOT, CALL_CHOWN, 77, 07755, 0 },
	{ "the owner, a directory", S_IFDIR, 07755, WHO_OWNER, CALL_CHGRP, WHO_GID, 07755, 0 },
	{ "root gives a pipe away", S_IFIFO, 06755, WHO_ROOT, CALL_CHOWN, 77, 0755, 0 },
	{ "root gives a socket away", S_IFSOCK, 06755, WHO_ROOT, CALL_CHOWN, 77, 0755, 0 },
	{ "root gives a device away", S_IFCHR, 06755, WHO_ROOT, CALL_CHOWN, 77, 0755, 0 },
	{ "root sets all", S_IFREG, 0644, WHO_ROOT, CALL_CHMOD, 07777, 07777, 0 },
	{ "the owner sets all", S_IFREG, 0644, WHO_OWNER, CALL_CHMOD, 07777, 07777, 0 },
	{ "the owner, not of the group, sets all", S_IFREG, 0644, WHO_OWNER_ONLY, CALL_CHMOD, 07777, 05777,
	  0 },
	{ "the owner, not of the group, sets all without group execute", S_IFREG, 0644, WHO_OWNER_ONLY,
	  CALL_CHMOD, 07767, 05767, 0 },
	{ "the owner, not of the group, sets what it has", S_IFREG, 02755, WHO_OWNER_ONLY, CALL_CHMOD, 02755,
	  0755, 0 },
	{ "the owner sets all of a directory", S_IFDIR, 0755, WHO_OWNER, CALL_CHMOD, 07777, 07777, 0 },
	{ "the owner, not of the group, of a directory", S_IFDIR, 0755, WHO_OWNER_ONLY, CALL_CHMOD, 07777,
	  05777, 0 },
	{ "the owner, not of the group, of a pipe", S_IFIFO, 0644, WHO_OWNER_ONLY, CALL_CHMOD, 07777, 05777,
	  0 },
};

static void make_object(mode_t type)
{
	if (type == S_IFDIR)
		OK(mkdir("object", 0755));
	else
		OK(mknod("object", type | 0644, 0x103));
}

static void changes_of_owner_and_mode(void)
{
	who_needed();
	for (size_t i = 0; i < sizeof attribute_rows / sizeof *attribute_rows; i++) {
		const struct attribute_row *row = &attribute_rows[i];

		if (without_group_execute(row->before) && sgid_stays_for_all())
			continue;
		ops_row(row->what);
		make_object(row->type);
		OK(chown("object", WHO_UID, WHO_GID));
		OK(chmod("object", row->before));
		EQUAL(mode_of("object"), row->before);
		fixture_check(who_call(row->who, row->call, "object", NULL, row->arg), row->want);
		if (mode_of("object") != row->after)
			ops_fail(__FILE__, __LINE__, "the mode is %04o, wanted %04o",
				 (unsigned)mode_of("object"), (unsigned)row->after);
		OK(row->type == S_IFDIR ? rmdir("object") : unlink("object"));
		ops_row(NULL);
	}
}

/* ---- what something new gets ---- */

static const struct {
	const char *what;
	mode_t directory; /* mode of the one it comes into, which is of group WHO_GID */
	enum who who;
	int call;
	mode_t asked, mask, mode;
	bool group_of_the_directory;
} births[] = {
	{ "a file", 0777, WHO_OTHER, CALL_CREAT, 0666, 022, 0644, false },
	{ "a file without a mask", 0777, WHO_OTHER, CALL_CREAT, 0777, 0, 0777, false },
	{ "a file with every bit", 0777, WHO_OTHER, CALL_CREAT, 07777, 0, 07777, false },
	{ "a file with suid, masked", 0777, WHO_OTHER, CALL_CREAT, 06777, 077, 06700, false },
	{ "a directory with every bit", 0777, WHO_OTHER, CALL_MKDIR, 07777, 0, 01777, false },
	{ "a pipe with every bit", 0777, WHO_OTHER, CALL_MKFIFO, 07777, 0, 07777, false },
	{ "a node with every bit", 0777, WHO_OTHER, CALL_MKNOD, S_IFREG | 07777, 0, 07777, false },
	{ "sgid: a file", 02777, WHO_OTHER, CALL_CREAT, 0666, 022, 0644, true },
	{ "sgid: a directory", 02777, WHO_OTHER, CALL_MKDIR, 0777, 022, 02755, true },
	{ "sgid: a directory, masked", 02777, WHO_OTHER, CALL_MKDIR, 0777, 0777, 02000, true },
	{ "sgid: a pipe", 02777, WHO_OTHER, CALL_MKFIFO, 0666, 022, 0644, true },
	{ "sgid: a socket", 02777, WHO_OTHER, CALL_BIND, 0, 022, 0755, true },
	{ "sgid: a link", 02777, WHO_OTHER, CALL_SYMLINK, 0, 022, 0777, true },
	{ "sgid: a file of another with sgid", 02777, WHO_OTHER, CALL_CREAT, 06777, 0, 04777, true },
	{ "sgid: the same, masked", 02777, WHO_OTHER, CALL_CREAT, 06777, 022, 04755, true },
	{ "sgid: the same, without group execute", 02777, WHO_OTHER, CALL_CREAT, 06767, 0, 06767, true },
	{ "sgid: a pipe of another with sgid", 02777, WHO_OTHER, CALL_MKFIFO, 06777, 0, 04777, true },
	{ "sgid: a node of another with sgid", 02777, WHO_OTHER, CALL_MKNOD, S_IFREG | 06777, 0, 04777,
	  true },
	{ "sgid: a file of the group with sgid", 02777, WHO_GROUP, CALL_CREAT, 06777, 0, 06777, true },
	{ "sgid: a file of a member with sgid", 02777, WHO_MEMBER, CALL_CREAT, 06777, 0, 06777, true },
	{ "sgid: a file of root with sgid", 02777, WHO_ROOT, CALL_CREAT, 06777, 0, 06777, true },
	{ "sgid, sticky: a directory", 03777, WHO_OTHER, CALL_MKDIR, 0777, 0, 02777, true },
};

static int be_born(void *context)
{
	size_t row = *(size_t *)context;

	umask(births[row].mask);
	if (births[row].call == CALL_SYMLINK)
		return fixture_call(CALL_SYMLINK, "target", "dir/new", 0);
	return fixture_call(births[row].call, "dir/new", NULL, (int)births[row].asked);
}

static gid_t group_of(enum who who)
{
	return who == WHO_ROOT ? 0 : who == WHO_GROUP ? WHO_GID : WHO_OTHER_GID;
}

static void new_things_get_mode_owner_and_group(void)
{
	who_needed();
	for (size_t i = 0; i < sizeof births / sizeof *births; i++) {
		struct stat st;

		ops_row(births[i].what);
		OK(mkdir("dir", 0755));
		OK(chown("dir", WHO_UID, WHO_GID));
		OK(chmod("dir", births[i].directory));
		fixture_check(who_run(births[i].who, be_born, &i), 0);
		st = ops_lstat("dir/new");
		if ((st.st_mode & 07777) != births[i].mode)
			ops_fail(__FILE__, __LINE__, "the mode is %04o, wanted %04o",
				 (unsigned)(st.st_mode & 07777), (unsigned)births[i].mode);
		EQUAL(st.st_uid, births[i].who == WHO_ROOT ? 0 : WHO_OTHER_UID);
		EQUAL(st.st_gid, births[i].group_of_the_directory ? WHO_GID : group_of(births[i].who));
		OK(S_ISDIR(st.st_mode) ? rmdir("dir/new") : unlink("dir/new"));
		OK(rmdir("dir"));
		ops_row(NULL);
	}
}

OPS_CASES(privilege) = {
	{ "suid_and_sgid_go_by_who_changes_the_content", changes_of_content },
	{ "suid_and_sgid_go_by_who_changes_owner_or_mode", changes_of_owner_and_mode },
	{ "new_things_get_mode_owner_and_group", new_things_get_mode_owner_and_group },
	{ NULL, NULL },
};
