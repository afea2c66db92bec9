/* ops_kind.c - cases: files, directories, links, pipes, sockets and devices, and what is the same for all of them. */
#include "ops.h"
#include "ops_fixture.h"
#include "ops_who.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct kind {
	const char *name;
	mode_t type;
	off_t size; /* -1: not said */
	int write;  /* errno of opening it to write without waiting */
} kinds[] = {
	{ "file", S_IFREG, 0, 0 },      { "directory", S_IFDIR, -1, EISDIR }, { "link", S_IFLNK, 6, ELOOP },
	{ "pipe", S_IFIFO, 0, ENXIO },  { "socket", S_IFSOCK, 0, ENXIO },     { "character", S_IFCHR, 0, 0 },
	{ "block", S_IFBLK, 0, ENXIO },
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static bool for_root(const struct kind *kind)
{
	return kind->type == S_IFCHR || kind->type == S_IFBLK;
}

/* As devices: the null device, and one that no driver has. */
static void make(const struct kind *kind, const char *path)
{
	switch (kind->type) {
	case S_IFREG:
		OK(close(FD(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644))));
		break;
	case S_IFDIR:
		OK(mkdir(path, 0755));
		break;
	case S_IFLNK:
		OK(symlink("target", path));
		break;
	case S_IFCHR:
		OK(mknod(path, S_IFCHR | 0644, makedev(1, 3)));
		break;
	case S_IFBLK:
		OK(mknod(path, S_IFBLK | 0644, makedev(4095, 1048575)));
		break;
	default:
		OK(mknod(path, kind->type | 0644, 0));
	}
}

static void unmake(const char *path)
{
	OK(S_ISDIR(ops_lstat(path).st_mode) ? rmdir(path) : unlink(path));
}

/* What readdir says of `name`, with its inode number. */
static unsigned char listed_type(const char *directory, const char *name)
{
	DIR *listing = opendir(directory);
	unsigned char type = DT_UNKNOWN;
	bool met = false;

	CHECK(listing != NULL);
	for (struct dirent *entry; (entry = readdir(listing));) {
		char path[600];

		if (strcmp(entry->d_name, name) != 0)
			continue;
		CHECK(!met);
		met = true;
		type = entry->d_type;
		snprintf(path, sizeof path, "%s/%s", directory, name);
		EQUAL(entry->d_ino, ops_lstat(path).st_ino);
	}
	OK(closedir(listing));
	CHECK(met);
	return type;
}

static void check_stat(const struct kind *kind, const char *path, nlink_t n_links)
{
	struct stat st = ops_lstat(path);

	EQUAL(st.st_mode & S_IFMT, kind->type);
	EQUAL(st.st_nlink, n_links);
	if (kind->size >= 0)
		EQUAL(st.st_size, kind->size);
	if (kind->type == S_IFCHR)
		EQUAL(st.st_rdev, makedev(1, 3));
	else if (kind->type == S_IFBLK)
		EQUAL(st.st_rdev, makedev(4095, 1048575));
	else
		EQUAL(st.st_rdev, 0);
}

static void live_one_life(const struct kind *kind)
{
	nlink_t n = kind->type == S_IFDIR ? 2 : 1;
	ino_t ino;

	make(kind, "here/new");
	ino = ops_lstat("here/new").st_ino;
	check_stat(kind, "here/new", n);
	EQUAL(listed_type("here", "new"), IFTODT(kind->type));
	if (kind->type == S_IFDIR) {
		FAILS(EPERM, link("here/new", "there/again"));
	} else {
		OK(link("here/new", "there/again"));
		check_stat(kind, "here/new", 2);
		EQUAL(ops_lstat("there/again").st_ino, ino);
		EQUAL(listed_type("there", "again"), IFTODT(kind->type));
		OK(unlink("there/again"));
	}
	OK(rename("here/new", "there/moved"));
	check_stat(kind, "there/moved", n);
	EQUAL(ops_lstat("there/moved").st_ino, ino);
	EQUAL(listed_type("there", "moved"), IFTODT(kind->type));
	if (kind->type == S_IFDIR) {
		FAILS(EISDIR, unlink("there/moved"));
		OK(rmdir("there/moved"));
	} else {
		FAILS(ENOTDIR, rmdir("there/moved"));
		OK(unlink("there/moved"));
	}
	CHECK(!ops_there("there/moved"));
	EQUAL(ops_count("here") + ops_count("there"), 0);
	EQUAL(ops_lstat("there").st_nlink, 2);
}

static void every_kind_lives_one_life(void)
{
	OK(mkdir("here", 0755));
	OK(mkdir("there", 0755));
	for (size_t i = 0; i < KINDS; i++) {
		ops_row(kinds[i].name);
		if (for_root(&kinds[i]) && geteuid() != 0)
			FAILS(EPERM, mknod("device", kinds[i].type | 0644, makedev(1, 3)));
		else
			live_one_life(&kinds[i]);
	}
}

/* What is there, of whatever kind, is in the way of whatever comes, and a directory only makes room for a directory. */
static int replacing(const struct kind *old, const struct kind *new)
{
	if (old->type == S_IFDIR)
		return new->type == S_IFDIR ? 0 : EISDIR;
	return new->type == S_IFDIR ? ENOTDIR : 0;
}

static void check_pair(const struct kind *old, const struct kind *new)
{
	char what[64];

	snprintf(what, sizeof what, "%s over %s", new->name, old->name);
	ops_row(what);
	make(old, "old");
	EQUAL(fixture_call(CALL_OPEN, "old", NULL, O_CREAT | O_EXCL | O_RDWR), EEXIST);
	EQUAL(fixture_call(CALL_MKDIR, "old", NULL, 0755), EEXIST);
	EQUAL(fixture_call(CALL_SYMLINK, "x", "old", 0), EEXIST);
	EQUAL(fixture_call(CALL_MKNOD, "old", NULL, (int)(S_IFIFO | 0644)), EEXIST);
	EQUAL(fixture_call(CALL_BIND, "old", NULL, 0), EADDRINUSE);
	make(new, "new");
	if (new->type != S_IFDIR)
		EQUAL(fixture_call(CALL_LINK, "new", "old", 0), EEXIST);
	EQUAL(fixture_call(CALL_RENAME, "new", "old", RENAME_NOREPLACE), EEXIST);
	EQUAL(fixture_call(CALL_RENAME, "new", "old", RENAME_EXCHANGE), 0);
	EQUAL(ops_lstat("old").st_mode & S_IFMT, new->type);
	EQUAL(listed_type(".", "new"), IFTODT(old->type));
	EQUAL(fixture_call(CALL_RENAME, "new", "old", RENAME_EXCHANGE), 0);
	EQUAL(fixture_call(CALL_RENAME, "new", "old", 0), replacing(old, new));
	CHECK(ops_there("new") == (replacing(old, new) != 0));
	if (ops_there("new"))
		unmake("new");
	else
		EQUAL(ops_lstat("old").st_mode & S_IFMT, new->type);
	unmake("old");
}

static void every_kind_over_every_other(void)
{
	for (size_t old = 0; old < KINDS; old++) {
		for (size_t new = 0; new < KINDS; new ++) {
			if (geteuid() == 0 || !(for_root(&kinds[old]) || for_root(&kinds[new])))
				check_pair(&kinds[old], &kinds[new]);
		}
	}
}

static void every_kind_keeps_its_attributes(void)
{
	static const struct timespec times[2] = { { 1111, 1 }, { 2222, 2 } };

	for (size_t i = 0; i < KINDS; i++) {
		const struct kind *kind = &kinds[i];
		struct stat st;

		if (for_root(kind) && geteuid() != 0)
			continue;
		ops_row(kind->name);
		make(kind, "new");
		if (geteuid() == 0)
			OK(lchown("new", 123, 456));
		EQUAL(fixture_call(CALL_LCHMOD, "new", NULL, 0604), kind->type == S_IFLNK ? EOPNOTSUPP : 0);
		OK(utimensat(AT_FDCWD, "new", times, AT_SYMLINK_NOFOLLOW));
		st = ops_lstat("new");
		EQUAL(st.st_mode, kind->type | (kind->type == S_IFLNK ? 0777 : 0604));
		if (geteuid() == 0) {
			EQUAL(st.st_uid, 123);
			EQUAL(st.st_gid, 456);
		}
		EQUAL(st.st_atim.tv_sec, 1111);
		EQUAL(st.st_mtim.tv_nsec, 2);
		if (kind->type != S_IFREG && kind->type != S_IFDIR)
			EQUAL(fixture_call(CALL_TRUNCATE, "new", NULL, 0),
			      kind->type == S_IFLNK ? ENOENT : EINVAL);
		unmake("new");
	}
}

static void opened_to_write_without_waiting(void)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (for_root(&kinds[i]) && geteuid() != 0)
			continue;
		ops_row(kinds[i].name);
		make(&kinds[i], "new");
		fixture_check(fixture_call(CALL_OPEN, "new", NULL, O_WRONLY | O_NONBLOCK | O_NOFOLLOW),
			      kinds[i].write);
		unmake("new");
	}
}

static void device_numbers_are_exact(void)
{
	static const struct {
		unsigned major, minor;
	} rows[] = { { 0, 0 },          { 1, 3 },       { 8, 255 },       { 8, 256 },
		     { 255, 255 },      { 256, 0 },     { 259, 1048575 }, { 4095, 0 },
		     { 4095, 1048575 }, { 0, 1048575 }, { 10, 229 },      { 4094, 65536 } };

	if (geteuid() != 0)
		ops_skip("only root can make devices");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		dev_t device = makedev(rows[i].major, rows[i].minor);
		struct statx stx;

		OK(mknod("c", S_IFCHR | 0600, device));
		OK(mknod("b", S_IFBLK | 0600, device));
		EQUAL(ops_lstat("c").st_rdev, device);
		EQUAL(ops_lstat("b").st_rdev, device);
		OK(statx(AT_FDCWD, "b", 0, STATX_BASIC_STATS, &stx));
		EQUAL(stx.stx_rdev_major, rows[i].major);
		EQUAL(stx.stx_rdev_minor, rows[i].minor);
		OK(unlink("c"));
		OK(unlink("b"));
	}
}

/* A character device 0:0 stands for a name that is not there (overlayfs); anybody may make one. */
static void whiteouts_are_for_all(void)
{
	OK(mknod("whiteout", S_IFCHR | 0600, 0));
	EQUAL(ops_lstat("whiteout").st_rdev, 0);
	CHECK(S_ISCHR(ops_lstat("whiteout").st_mode));
}

static void mknod_makes_only_what_may_be(void)
{
	EQUAL(fixture_call(CALL_MKNOD, "new", NULL, (int)(S_IFDIR | 0755)), EPERM);
	EQUAL(fixture_call(CALL_MKNOD, "new", NULL, (int)(S_IFLNK | 0755)), EINVAL);
	EQUAL(fixture_call(CALL_MKNOD, "new", NULL, 0170000 | 0644), EINVAL);
	CHECK(!ops_there("new"));
	/* no type at all is a file */
	EQUAL(fixture_call(CALL_MKNOD, "new", NULL, 0640), 0);
	EQUAL(ops_lstat("new").st_mode, S_IFREG | 0640);
}

static void devices_work(void)
{
	char byte = 'x';
	int fd;

	if (geteuid() != 0)
		ops_skip("only root can make devices");
	OK(mknod("zero", S_IFCHR | 0666, makedev(1, 5)));
	fd = FD(open("zero", O_RDONLY | O_CLOEXEC));
	EQUAL(OK(read(fd, &byte, 1)), 1);
	EQUAL(byte, 0);
	EQUAL(ops_stat(fd).st_rdev, makedev(1, 5));
	OK(mknod("nobody's", S_IFCHR | 0666, makedev(4000, 5)));
	FAILS(ENXIO, open("nobody's", O_RDONLY | O_CLOEXEC));
}

static void pipes_carry_bytes(void)
{
	char bytes[5];
	int status, fd;
	pid_t pid;

	OK(mkfifo("pipe", 0600));
	FAILS(ENXIO, open("pipe", O_WRONLY | O_NONBLOCK | O_CLOEXEC));
	OK(close(FD(open("pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC))));
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		fd = FD(open("pipe", O_WRONLY | O_CLOEXEC));
		EQUAL(OK(write(fd, "bytes", 5)), 5);
		_exit(0);
	}
	fd = FD(open("pipe", O_RDONLY | O_CLOEXEC));
	OK(rename("pipe", "moved"));
	EQUAL(OK(read(fd, bytes, 5)), 5);
	CHECK(memcmp(bytes, "bytes", 5) == 0);
	EQUAL(OK(read(fd, bytes, 5)), 0);
	OK(waitpid(pid, &status, 0));
	EQUAL(status, 0);
	FAILS(ESPIPE, lseek(fd, 0, SEEK_SET));
	FAILS(ESPIPE, pread(fd, bytes, 5, 0));
	FAILS(EINVAL, ftruncate(FD(open("moved", O_RDWR | O_CLOEXEC)), 0));
	FAILS(ESPIPE, fallocate(FD(open("moved", O_RDWR | O_CLOEXEC)), 0, 0, 100));
	EQUAL(ops_lstat("moved").st_size, 0);
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, path);
	return address;
}

static int try_connect(const char *path)
{
	struct sockaddr_un address = address_of(path);
	int fd = FD(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int r = ops_errno(connect(fd, (struct sockaddr *)&address, sizeof address));

	OK(close(fd));
	return r;
}

static void sockets_are_reached_by_name(void)
{
	struct sockaddr_un address = address_of("socket");
	int fd = FD(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	OK(bind(fd, (struct sockaddr *)&address, sizeof address));
	EQUAL(ops_lstat("socket").st_mode, S_IFSOCK | 0755);
	EQUAL(try_connect("socket"), ECONNREFUSED);
	OK(listen(fd, 5));
	EQUAL(try_connect("socket"), 0);
	OK(rename("socket", "moved"));
	EQUAL(try_connect("moved"), 0);
	EQUAL(try_connect("socket"), ENOENT);
	OK(link("moved", "linked"));
	EQUAL(try_connect("linked"), 0);
	FAILS(ENXIO, open("moved", O_RDONLY | O_CLOEXEC));
	OK(close(fd));
	EQUAL(try_connect("moved"), ECONNREFUSED);
	ops_make_file("file", 1);
	EQUAL(try_connect("file"), ECONNREFUSED);
}

static int connect_as(void *path)
{
	return try_connect(path);
}

static void sockets_need_permission_to_write(void)
{
	static char name[] = "socket";
	struct sockaddr_un address = address_of(name);
	int fd;

	who_needed();
	fd = FD(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	OK(bind(fd, (struct sockaddr *)&address, sizeof address));
	OK(listen(fd, 5));
	OK(chmod(name, 0755));
	EQUAL(who_run(WHO_OTHER, connect_as, name), EACCES);
	OK(chmod(name, 0722));
	EQUAL(who_run(WHO_OTHER, connect_as, name), 0);
}

static void readlink_cuts_what_does_not_fit(void)
{
	char target[4096], got[4096];

	memset(target, 't', sizeof target);
	target[4095] = 0;
	OK(symlink(target, "link"));
	for (size_t size = 1; size <= 4095; size = size * 2 + 1) {
		memset(got, '.', sizeof got);
		EQUAL(OK(readlink("link", got, size)), size);
		CHECK(memcmp(got, target, size) == 0);
		CHECK(got[size] == '.'); /* no byte more, and no end */
	}
	EQUAL(OK(readlink("link", got, 4096)), 4095);
	FAILS(EINVAL, readlink("link", got, 0));
	memset(target, 't', sizeof target);
	FAILS(ENAMETOOLONG, symlink(target, "longer"));
}

OPS_CASES(kind) = {
	{ "kinds_live_one_life", every_kind_lives_one_life },
	{ "kinds_over_every_other", every_kind_over_every_other },
	{ "kinds_keep_their_attributes", every_kind_keeps_its_attributes },
	{ "kinds_opened_to_write_without_waiting", opened_to_write_without_waiting },
	{ "device_numbers_are_exact", device_numbers_are_exact },
	{ "device_0_0_is_for_all", whiteouts_are_for_all },
	{ "device_of_mknod", mknod_makes_only_what_may_be },
	{ "devices_work", devices_work },
	{ "pipes_carry_bytes", pipes_carry_bytes },
	{ "sockets_are_reached_by_name", sockets_are_reached_by_name },
	{ "sockets_need_permission_to_write", sockets_need_permission_to_write },
	{ "readlink_cuts_what_does_not_fit", readlink_cuts_what_does_not_fit },
	{ NULL, NULL },
};
