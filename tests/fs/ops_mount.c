/* ops_mount.c - cases: mount points and the edges of a mount, in a mount namespace of the case's own. */
#include "ops.h"
#include "ops_fixture.h"
#include "ops_readonly.h"
#include "ops_who.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The fixture's tree with mounts, which are gone when the case ends: "elsewhere" is another filesystem with a file and a
 * directory, "bound" is "dir" once more, and over "other" lies "file". */
static void make_mounts(void)
{
	if (geteuid() != 0)
		ops_skip("only root can mount");
	if (unshare(CLONE_NEWNS) < 0)
		ops_skip("no mount namespace to be had here");
	OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	fixture_make();
	OK(mkdir("elsewhere", 0755));
	OK(mount("none", "elsewhere", "tmpfs", 0, "size=1m"));
	ops_make_file("elsewhere/file", 5);
	OK(mkdir("elsewhere/dir", 0755));
	OK(mkdir("bound", 0755));
	OK(mount("dir", "bound", NULL, MS_BIND, NULL));
	OK(mount("file", "other", NULL, MS_BIND, NULL));
}

static const struct {
	const char *what;
	int call;
	const char *a, *b;
	int arg, want;
} edge_rows[] = {
	{ "rename out", CALL_RENAME, "file", "elsewhere/new", 0, EXDEV },
	{ "rename in", CALL_RENAME, "elsewhere/file", "new", 0, EXDEV },
	{ "rename a directory out", CALL_RENAME, "dir", "elsewhere/new", 0, EXDEV },
	{ "rename over a file out there", CALL_RENAME, "file", "elsewhere/file", 0, EXDEV },
	{ "rename EXCHANGE", CALL_RENAME, "file", "elsewhere/file", RENAME_EXCHANGE, EXDEV },
	{ "rename NOREPLACE", CALL_RENAME, "file", "elsewhere/file", RENAME_NOREPLACE, EXDEV },
	{ "link out", CALL_LINK, "file", "elsewhere/new", 0, EXDEV },
	{ "link in", CALL_LINK, "elsewhere/file", "new", 0, EXDEV },
	{ "rename into the same directory, bound", CALL_RENAME, "file", "bound/new", 0, EXDEV },
	{ "rename between a directory and itself, bound", CALL_RENAME, "dir/child", "bound/new", 0, EXDEV },
	{ "link into the same directory, bound", CALL_LINK, "file", "bound/new", 0, EXDEV },
	{ "link from what is bound", CALL_LINK, "bound/child", "new", 0, EXDEV },
	{ "rmdir of a mount point", CALL_RMDIR, "elsewhere", NULL, 0, EBUSY },
	{ "rmdir of a bound one", CALL_RMDIR, "bound", NULL, 0, EBUSY },
	{ "rename of a mount point", CALL_RENAME, "elsewhere", "new", 0, EBUSY },
	{ "rename over a mount point", CALL_RENAME, "empty", "bound", 0, EBUSY },
	{ "exchange with a mount point", CALL_RENAME, "empty", "bound", RENAME_EXCHANGE, EBUSY },
	{ "unlink of a mount point", CALL_UNLINK, "elsewhere", NULL, 0, EISDIR },
	{ "unlink of a file that is bound over", CALL_UNLINK, "other", NULL, 0, EBUSY },
	{ "rename of a file that is bound over", CALL_RENAME, "other", "new", 0, EBUSY },
	{ "rename over a file that is bound over", CALL_RENAME, "hard", "other", 0, EBUSY },
	{ "rmdir of dot dot", CALL_RMDIR, "dir/..", NULL, 0, ENOTEMPTY },
	{ "openat2 into a mount", CALL_OPENAT2, "elsewhere/file", NULL, RESOLVE_NO_XDEV, EXDEV },
	{ "rename within what is bound", CALL_RENAME, "bound/child", "bound/moved", 0, 0 },
	{ "link within what is bound", CALL_LINK, "bound/moved", "bound/linked", 0, 0 },
	{ "chroot into what is bound", CALL_CHROOT, "bound", NULL, 0, 0 },
	{ "chroot into a file", CALL_CHROOT, "file", NULL, 0, ENOTDIR },
};

static void edges_of_mounts(void)
{
	make_mounts();
	for (size_t i = 0; i < sizeof edge_rows / sizeof *edge_rows; i++) {
		uint64_t before = fixture_digest();

		ops_row(edge_rows[i].what);
		fixture_check(
			fixture_call(edge_rows[i].call, edge_rows[i].a, edge_rows[i].b, edge_rows[i].arg),
			edge_rows[i].want);
		CHECK(edge_rows[i].want == 0 || fixture_digest() == before);
		ops_row(NULL);
	}
	CHECK(ops_there("dir/linked"));
	EQUAL(ops_lstat("bound/..").st_ino, ops_lstat(".").st_ino);
	OK(umount("elsewhere"));
	OK(rmdir("elsewhere"));
	OK(umount("bound"));
	OK(umount("other"));
	OK(unlink("other"));
}

static void remount_bound(unsigned long flags)
{
	OK(mount("none", "bound", NULL, MS_BIND | MS_REMOUNT | flags, NULL));
}

static void a_read_only_bind_refuses_changes(void)
{
	make_mounts();
	OK(umount("bound"));
	OK(umount("other"));
	OK(umount("elsewhere"));
	OK(chdir(".."));
	OK(mount("tree", "tree", NULL, MS_BIND, NULL));
	OK(mount("none", "tree", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	OK(chdir("tree"));
	readonly_check();
}

static void flags_of_a_mount_are_obeyed(void)
{
	static char program[] = "bound/program";

	make_mounts();
	ops_make_file("dir/program", 10);
	OK(chmod("dir/program", 0755));
	OK(mknod("dir/null", S_IFCHR | 0666, makedev(1, 3)));
	EQUAL(fixture_call(CALL_EXEC, program, NULL, 0), 0);
	EQUAL(fixture_call(CALL_ACCESS, program, NULL, X_OK), 0);
	remount_bound(MS_NOEXEC);
	EQUAL(fixture_call(CALL_EXEC, program, NULL, 0), EACCES);
	EQUAL(fixture_call(CALL_ACCESS, program, NULL, X_OK), EACCES);
	remount_bound(0);
	EQUAL(fixture_call(CALL_OPEN, "bound/null", NULL, O_RDWR), 0);
	remount_bound(MS_NODEV);
	EQUAL(fixture_call(CALL_OPEN, "bound/null", NULL, O_RDWR), EACCES);
	EQUAL(fixture_call(CALL_STAT, "bound/null", NULL, 0), 0);
}

/* The effective user of `id`, run by somebody with a number for a name. */
static int run_id(void *context)
{
	int *pipes = context;

	OK(dup2(pipes[1], 1));
	execl("bound/id", "id", "-u", (char *)NULL);
	return 1;
}

static long effective_user(void)
{
	char answer[16] = "";
	int pipes[2];

	OK(pipe2(pipes, O_CLOEXEC));
	EQUAL(who_run(WHO_OTHER, run_id, pipes), 0);
	OK(read(pipes[0], answer, sizeof answer - 1));
	OK(close(pipes[0]));
	OK(close(pipes[1]));
	return strtol(answer, NULL, 10);
}

static void suid_programs_run_as_their_owner(void)
{
	who_needed();
	make_mounts();
	ops_copy_file("/usr/bin/id", "dir/id", 0755);
	EQUAL(effective_user(), WHO_OTHER_UID);
	OK(chown("dir/id", WHO_UID, WHO_GID));
	OK(chmod("dir/id", 04755));
	EQUAL(effective_user(), WHO_UID);
	remount_bound(MS_NOSUID);
	EQUAL(effective_user(), WHO_OTHER_UID);
}

OPS_CASES(mount) = {
	{ "mounts_have_edges", edges_of_mounts },
	{ "mounts_that_are_read_only", a_read_only_bind_refuses_changes },
	{ "mounts_with_flags", flags_of_a_mount_are_obeyed },
	{ "mounts_run_suid_programs_as_their_owner", suid_programs_run_as_their_owner },
	{ NULL, NULL },
};
