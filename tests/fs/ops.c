/* ops.c - run the cases of system calls in a directory: ops [--vault] [--only TEXT] DIRECTORY.
 *
 * With --make-tree and --read-only, what must be made before a mount becomes read-only, and what is refused afterwards.
 * Knows how to run a case and to say what went wrong; the cases are in ops_*.c. */
#include "ops.h"
#include "ops_fixture.h"
#include "ops_readonly.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CASE_SECONDS = 60, STATUS_SKIPPED = 77 };

/* What OPS_CASES() put there, with names that the linker gives. */
extern const struct ops_case *const __start_ops_tables[], *const __stop_ops_tables[];

bool on_vault;
static const char *current_row;

void ops_row(const char *what)
{
	current_row = what;
}

void ops_fail(const char *file, int line, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	va_list arguments;

	fprintf(stderr, "      %s:%d: ", base ? base + 1 : file, line);
	if (current_row)
		fprintf(stderr, "[%s] ", current_row);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_exit(1);
}

void ops_skip(const char *reason)
{
	fprintf(stderr, "      skipped: %s\n", reason);
	_exit(STATUS_SKIPPED);
}

long ops_ok(long result, const char *file, int line, const char *text)
{
	if (result < 0)
		ops_fail(file, line, "%s: %s", text, strerrorname_np(errno));
	return result;
}

void ops_fails(long result, int want, const char *file, int line, const char *text)
{
	if (result >= 0)
		ops_fail(file, line, "%s succeeded, wanted %s", text, strerrorname_np(want));
	if (errno != want)
		ops_fail(file, line, "%s: %s, wanted %s", text, strerrorname_np(errno),
			 strerrorname_np(want));
}

void ops_equal(intmax_t got, intmax_t want, const char *file, int line, const char *text)
{
	if (got != want)
		ops_fail(file, line, "%s is %jd, wanted %jd", text, got, want);
}

int ops_errno(long result)
{
	return result < 0 ? errno : 0;
}

void ops_pattern(uint8_t *bytes, size_t size, uint64_t offset)
{
	for (size_t i = 0; i < size; i++) {
		uint64_t x = (offset + i) * UINT64_C(0x9e3779b97f4a7c15);

		bytes[i] = (uint8_t)((x >> 56) | 1);
	}
}

bool ops_is_pattern(const uint8_t *bytes, size_t size, uint64_t offset)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t want;

		ops_pattern(&want, 1, offset + i);
		if (bytes[i] != want)
			return false;
	}
	return true;
}

bool ops_is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

void ops_make_file(const char *path, size_t size)
{
	uint8_t *bytes = malloc(size + 1);
	int fd = FD(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));

	CHECK(bytes != NULL);
	ops_pattern(bytes, size, 0);
	EQUAL(OK(write(fd, bytes, size)), size);
	OK(close(fd));
	free(bytes);
}

void ops_check_content(const char *path, const void *bytes, size_t size)
{
	uint8_t *got = malloc(size + 1);
	int fd = FD(open(path, O_RDONLY | O_CLOEXEC));
	size_t at = 0;
	ssize_t n;

	CHECK(got != NULL);
	while (at <= size && (n = OK(read(fd, got + at, size + 1 - at))) > 0)
		at += (size_t)n;
	EQUAL(at, size);
	EQUAL(ops_stat(fd).st_size, size);
	CHECK(size == 0 || memcmp(got, bytes, size) == 0);
	OK(close(fd));
	free(got);
}

void ops_copy_file(const char *from, const char *to, mode_t mode)
{
	int in = FD(open(from, O_RDONLY | O_CLOEXEC));
	int out = FD(open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
	char bytes[65536];
	ssize_t n;

	while ((n = OK(read(in, bytes, sizeof bytes))) > 0)
		EQUAL(OK(write(out, bytes, (size_t)n)), n);
	OK(close(in));
	OK(close(out));
}

struct stat ops_stat(int fd)
{
	struct stat st;

	OK(fstat(fd, &st));
	return st;
}

struct stat ops_lstat(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st;
}

bool ops_there(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return true;
	CHECK(errno == ENOENT);
	return false;
}

size_t ops_count(const char *path)
{
	DIR *directory = opendir(path);
	size_t n = 0;

	CHECK(directory != NULL);
	for (struct dirent *entry; (entry = readdir(directory));)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	OK(closedir(directory));
	return n;
}

void ops_tick(void)
{
	struct timespec before, now;

	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	do {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

void ops_drop_fsetid(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	OK(syscall(SYS_capget, &header, data));
	data[0].effective &= ~(UINT32_C(1) << CAP_FSETID);
	OK(syscall(SYS_capset, &header, data));
}

void ops_become_user(uid_t uid, gid_t gid)
{
	struct stat st;

	if (geteuid() != 0)
		ops_skip("only root can become another user");
	OK(setgroups(0, NULL));
	OK(setresgid(gid, gid, gid));
	OK(setresuid(uid, uid, uid));
	if (stat(".", &st) < 0)
		ops_skip("other users cannot come in here (allow_other is off, or a folder above is closed)");
}

static int run_alone(const struct ops_case *c, const char *directory)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(CASE_SECONDS);
		umask(022);
		OK(chdir(directory));
		OK(mkdir(c->name, 0755));
		OK(chdir(c->name));
		c->run();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("ops: cannot run a case");
		exit(1);
	}
	if (WIFSIGNALED(status))
		fprintf(stderr, "      ended by signal %d (%s)\n", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void clean(const char *directory, const char *name)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0) {
		fprintf(stderr, "FAIL  %s: cannot be removed: %s\n", path, strerror(errno));
		exit(1);
	}
}

static void check_read_only(void)
{
	OK(chdir("tree"));
	readonly_check();
}

static int run_in(const char *directory, void (*run)(void))
{
	OK(chdir(directory));
	run();
	return 0;
}

static int run_cases(const char *directory, const char *only)
{
	int n_passed = 0, n_failed = 0, n_skipped = 0;

	for (const struct ops_case *const *table = __start_ops_tables; table < __stop_ops_tables; table++) {
		for (const struct ops_case *c = *table; c->name; c++) {
			int status;

			if (!strstr(c->name, only))
				continue;
			status = run_alone(c, directory);
			if (status != 0)
				fprintf(stderr, "%s  %s\n", status == STATUS_SKIPPED ? "SKIP" : "FAIL",
					c->name);
			n_passed += status == 0;
			n_skipped += status == STATUS_SKIPPED;
			n_failed += status != 0 && status != STATUS_SKIPPED;
			clean(directory, c->name);
		}
	}
	printf("%d cases hold, %d do not, %d skipped, in %s\n", n_passed, n_failed, n_skipped, directory);
	return n_failed != 0 || n_passed == 0;
}

int main(int argc, char **argv)
{
	const char *only = "", *directory = NULL;
	void (*instead)(void) = NULL;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--vault") == 0)
			on_vault = true;
		else if (strcmp(argv[i], "--make-tree") == 0)
			instead = fixture_make;
		else if (strcmp(argv[i], "--read-only") == 0)
			instead = check_read_only;
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = argv[++i];
		else
			directory = argv[i];
	}
	if (!directory) {
		fprintf(stderr, "usage: ops [--vault] [--only TEXT | --make-tree | --read-only] DIRECTORY\n");
		return 2;
	}
	return instead ? run_in(directory, instead) : run_cases(directory, only);
}
