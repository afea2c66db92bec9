/* ops_lock.c - cases: flock(2), record locks by process and by open file, and leases. */
#include "ops.h"
#include "ops_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct flock range(short type, off_t start, off_t length)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
}

static int make(void)
{
	return FD(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
}

/* What a process holds, and what another one then gets. */
static void record_locks_conflict(void)
{
	static const struct {
		const char *what;
		short held;
		off_t held_start, held_length;
		short wanted;
		off_t start, length;
		bool conflict;
	} rows[] = {
		{ "write and write", F_WRLCK, 10, 10, F_WRLCK, 10, 10, true },
		{ "write and read", F_WRLCK, 10, 10, F_RDLCK, 10, 10, true },
		{ "read and write", F_RDLCK, 10, 10, F_WRLCK, 10, 10, true },
		{ "read and read", F_RDLCK, 10, 10, F_RDLCK, 10, 10, false },
		{ "right before", F_WRLCK, 10, 10, F_WRLCK, 9, 1, false },
		{ "over the first byte", F_WRLCK, 10, 10, F_WRLCK, 9, 2, true },
		{ "over the last byte", F_WRLCK, 10, 10, F_WRLCK, 19, 1, true },
		{ "right behind", F_WRLCK, 10, 10, F_WRLCK, 20, 5, false },
		{ "up to the end of everything", F_WRLCK, 10, 0, F_WRLCK, INT64_MAX - 1, 1, true },
		{ "wanted up to the end of everything", F_WRLCK, 1000000, 1, F_WRLCK, 0, 0, true },
		{ "a negative length", F_WRLCK, 20, -10, F_WRLCK, 10, 1, true },
		{ "behind a negative length", F_WRLCK, 20, -10, F_WRLCK, 20, 1, false },
		{ "nothing held", F_UNLCK, 0, 0, F_WRLCK, 0, 0, false },
	};
	int fd = make();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct flock all = range(F_UNLCK, 0, 0), lock;
		pid_t pid;

		ops_row(rows[i].what);
		lock = range(rows[i].held, rows[i].held_start, rows[i].held_length);
		OK(fcntl(fd, F_SETLK, &lock));
		pid = ops_fork();
		if (pid == 0) {
			struct flock mine = range(rows[i].wanted, rows[i].start, rows[i].length),
				     asked = mine;
			int other = make();

			OK(fcntl(other, F_GETLK, &asked));
			EQUAL(asked.l_type, rows[i].conflict ? rows[i].held : F_UNLCK);
			if (rows[i].conflict) {
				EQUAL(asked.l_pid, getppid());
				FAILS(EAGAIN, fcntl(other, F_SETLK, &mine));
			} else {
				OK(fcntl(other, F_SETLK, &mine));
			}
			_exit(0);
		}
		ops_join(pid);
		OK(fcntl(fd, F_SETLK, &all));
	}
}

static bool others_may_write(off_t start)
{
	pid_t pid = ops_fork();
	int status;

	if (pid == 0) {
		struct flock mine = range(F_WRLCK, start, 1);

		_exit(fcntl(make(), F_SETLK, &mine) < 0);
	}
	EQUAL(OK(waitpid(pid, &status, 0)), pid);
	return status == 0;
}

static void record_locks_split_and_change(void)
{
	struct flock whole = range(F_WRLCK, 0, 100), middle = range(F_UNLCK, 40, 20),
		     first = range(F_RDLCK, 0, 10);
	int fd = make(), reader = FD(open("file", O_RDONLY | O_CLOEXEC));
	int writer = FD(open("file", O_WRONLY | O_CLOEXEC));

	OK(fcntl(fd, F_SETLK, &whole));
	OK(fcntl(fd, F_SETLK, &middle));
	CHECK(!others_may_write(39) && others_may_write(40) && others_may_write(59) && !others_may_write(60));
	OK(fcntl(fd, F_SETLK, &first)); /* our own locks never are in the way */
	CHECK(!others_may_write(0));
	whole.l_type = F_WRLCK;
	FAILS(EBADF, fcntl(reader, F_SETLK, &whole));
	first.l_type = F_RDLCK;
	FAILS(EBADF, fcntl(writer, F_SETLK, &first));
	first.l_type = 77;
	FAILS(EINVAL, fcntl(fd, F_SETLK, &first));
	first = range(F_WRLCK, -1, 1);
	FAILS(EINVAL, fcntl(fd, F_SETLK, &first));
	/* closing any descriptor of the file gives all up */
	OK(close(reader));
	CHECK(others_may_write(0) && others_may_write(99));
	OK(fcntl(fd, F_SETLK, &whole));
	whole.l_type = F_UNLCK;
	OK(fcntl(writer, F_SETLK, &whole));
	CHECK(others_may_write(0));
}

static void nothing(int signal)
{
	(void)signal;
}

static void waiting_ends_by_a_signal_or_the_lock(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval soon = { .it_value = { .tv_usec = 50000 }, .it_interval = { .tv_usec = 50000 } };
	struct ops_gate held = ops_gate(), go = ops_gate();
	struct flock lock = range(F_WRLCK, 0, 0);
	pid_t pid = ops_fork();
	int fd;

	if (pid == 0) {
		fd = make();
		OK(fcntl(fd, F_SETLK, &lock));
		OK(flock(fd, LOCK_EX));
		ops_gate_pass(held);
		ops_gate_wait(go);
		_exit(0); /* which gives both up */
	}
	ops_gate_wait(held);
	fd = make();
	OK(sigaction(SIGALRM, &action, NULL));
	OK(setitimer(ITIMER_REAL, &soon, NULL));
	FAILS(EINTR, fcntl(fd, F_SETLKW, &lock));
	FAILS(EINTR, flock(fd, LOCK_EX));
	FAILS(EWOULDBLOCK, flock(fd, LOCK_EX | LOCK_NB));
	OK(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL));
	ops_gate_pass(go);
	OK(fcntl(fd, F_SETLKW, &lock));
	OK(flock(fd, LOCK_EX));
	ops_join(pid);
}

static void a_circle_is_told(void)
{
	struct ops_gate held = ops_gate();
	struct flock mine = range(F_WRLCK, 0, 1), theirs = range(F_WRLCK, 1, 1);
	int fd = make();
	pid_t pid;

	OK(fcntl(fd, F_SETLK, &mine));
	pid = ops_fork();
	if (pid == 0) {
		int result;

		OK(fcntl(fd, F_SETLK, &theirs));
		ops_gate_pass(held);
		result = ops_errno(fcntl(fd, F_SETLKW, &mine));
		_exit(result == 0 || result == EDEADLK ? result != 0 : 2);
	}
	ops_gate_wait(held);
	{
		int status, result = ops_errno(fcntl(fd, F_SETLKW, &theirs));

		CHECK(result == 0 || result == EDEADLK);
		mine.l_type = F_UNLCK;
		OK(fcntl(fd, F_SETLK, &mine));
		OK(waitpid(pid, &status, 0));
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		EQUAL((result == EDEADLK) + WEXITSTATUS(status),
		      1); /* one of both was told, the other got it */
	}
}

static void locks_of_open_files(void)
{
	struct flock lock = range(F_WRLCK, 0, 10), asked;
	int a = make(), b = make(), twin;

	OK(fcntl(a, F_OFD_SETLK, &lock));
	FAILS(EAGAIN, fcntl(b, F_OFD_SETLK, &lock)); /* in one process, too */
	FAILS(EAGAIN, fcntl(b, F_SETLK, &lock));
	asked = range(F_WRLCK, 5, 1);
	OK(fcntl(b, F_OFD_GETLK, &asked));
	EQUAL(asked.l_type, F_WRLCK);
	EQUAL(asked.l_pid, -1);
	EQUAL(asked.l_start, 0);
	EQUAL(asked.l_len, 10);
	OK(close(make())); /* closing another one does not give it up */
	FAILS(EAGAIN, fcntl(b, F_OFD_SETLK, &lock));
	twin = FD(fcntl(a, F_DUPFD_CLOEXEC, 0));
	OK(close(a));
	FAILS(EAGAIN, fcntl(b, F_OFD_SETLK, &lock));
	OK(close(twin));
	OK(fcntl(b, F_OFD_SETLK, &lock));
	lock.l_pid = 1;
	FAILS(EINVAL, fcntl(b, F_OFD_SETLK, &lock));
}

static void flock_belongs_to_the_open_file(void)
{
	int a = make(), b = make(), twin = FD(fcntl(a, F_DUPFD_CLOEXEC, 0));
	pid_t pid;

	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH));
	FAILS(EWOULDBLOCK, flock(a, LOCK_EX | LOCK_NB));
	OK(flock(b, LOCK_UN));
	OK(flock(a, LOCK_EX));
	OK(flock(twin, LOCK_EX)); /* the same */
	FAILS(EWOULDBLOCK, flock(b, LOCK_SH | LOCK_NB));
	OK(close(twin));
	FAILS(EWOULDBLOCK, flock(b, LOCK_SH | LOCK_NB));
	pid = ops_fork();
	if (pid == 0) {
		OK(flock(a, LOCK_UN)); /* inherited: the same again */
		_exit(0);
	}
	ops_join(pid);
	OK(flock(b, LOCK_EX | LOCK_NB));
	OK(flock(b, LOCK_SH));
	OK(flock(a, LOCK_SH | LOCK_NB));
	FAILS(EINVAL, flock(a, 0));
	FAILS(EBADF, flock(FD(open("file", O_PATH | O_CLOEXEC)), LOCK_SH));
	OK(flock(FD(open(".", O_RDONLY | O_CLOEXEC)), LOCK_EX));
	/* flock and record locks do not know each other */
	OK(fcntl(a, F_SETLK, &(struct flock){ .l_type = F_WRLCK }));
}

static void locks_outlive_the_name(void)
{
	struct flock lock = range(F_WRLCK, 0, 0);
	int fd = make();
	pid_t pid;

	OK(fcntl(fd, F_SETLK, &lock));
	OK(flock(fd, LOCK_EX));
	OK(rename("file", "moved"));
	pid = ops_fork();
	if (pid == 0) {
		int other = FD(open("moved", O_RDWR | O_CLOEXEC));

		FAILS(EAGAIN, fcntl(other, F_SETLK, &lock));
		FAILS(EWOULDBLOCK, flock(other, LOCK_SH | LOCK_NB));
		OK(unlink("moved"));
		FAILS(EAGAIN, fcntl(other, F_SETLK, &lock));
		_exit(0);
	}
	ops_join(pid);
	CHECK(others_may_write(0)); /* of a new file of that name */
}

static void leases(void)
{
	int fd = make();
	int reader = FD(open("file", O_RDONLY | O_CLOEXEC));

	FAILS(EINVAL, fcntl(fd, F_SETLEASE, 77));
	CHECK(fcntl(reader, F_SETLEASE, F_RDLCK) < 0 &&
	      (errno == EAGAIN || errno == EINVAL)); /* open for writing */
	EQUAL(OK(fcntl(fd, F_GETLEASE)), F_UNLCK);
	FAILS(EINVAL, fcntl(FD(open(".", O_RDONLY | O_CLOEXEC)), F_SETLEASE, F_RDLCK));
}

OPS_CASES(lock) = {
	{ "record_locks_conflict", record_locks_conflict },
	{ "record_locks_split_and_change", record_locks_split_and_change },
	{ "locks_waited_for", waiting_ends_by_a_signal_or_the_lock },
	{ "record_locks_in_a_circle_are_EDEADLK", a_circle_is_told },
	{ "locks_of_open_files", locks_of_open_files },
	{ "flock_belongs_to_the_open_file", flock_belongs_to_the_open_file },
	{ "locks_outlive_the_name", locks_outlive_the_name },
	{ "leases", leases },
	{ NULL, NULL },
};
