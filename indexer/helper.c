/* helper.c - a process that knows libmagic and nothing else: no vault, no file, no network.
 *
 * Before the first hostile byte it gives away what it does not need: memory, files, processes, and by a seccomp filter
 * every system call but those that allocate, answer and end. A forbidden call fails with EPERM instead of killing: some
 * of libmagic's branches try to open a time zone or locale and do well without. The caller guards against hangs with a
 * timeout of its own; the alarm here is for the case that the caller is stopped. */
#include "helper.h"
#include "indexer.h"

#include "auto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_MAX ((rlim_t)256 << 20) /* address space: the magic database takes 8 MiB of it */
#define REQUEST_SECONDS 10u            /* a request that lives longer has lost its caller */
#define NICENESS 15 /* not SCHED_IDLE: on a busy machine that would pass the caller's timeout */

/* Sanitizers map terabytes and start threads at exit. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#else
#define FILTER_ARCH 0 /* no filter here: the limits stay */
#endif

/* Returns 1, 0 at the end of the input before the first byte, or -1. */
static int read_all(int fd, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)buffer + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 && done == 0 ? 0 : -1;
		done += (size_t)n;
	}
	return 1;
}

static int write_all(int fd, const void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, (const char *)buffer + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static int answer(int fd, const char *mime)
{
	uint8_t frame[2 + HELPER_MIME_MAX];
	size_t size = mime ? strlen(mime) : 0;

	if (size > HELPER_MIME_MAX)
		size = 0; /* no type is that long: cannot tell */
	frame[0] = (uint8_t)(size & 0xff);
	frame[1] = (uint8_t)(size >> 8);
	if (size > 0)
		memcpy(frame + 2, mime, size);
	return write_all(fd, frame, 2 + size);
}

int helper_serve(int fd_in, int fd_out, helper_classify classify, void *context)
{
	AUTO(free) uint8_t *head = malloc(HELPER_REQUEST_MAX);

	if (!head || answer(fd_out, NULL) < 0)
		return 1;
	for (;;) {
		uint8_t frame[4];
		uint32_t size;
		int r = read_all(fd_in, frame, sizeof(frame));

		if (r <= 0)
			return r < 0;
		size = (uint32_t)frame[0] | (uint32_t)frame[1] << 8 | (uint32_t)frame[2] << 16 |
		       (uint32_t)frame[3] << 24;
		if (size == 0 || size > HELPER_REQUEST_MAX || read_all(fd_in, head, size) != 1)
			return 1;
		(void)alarm(REQUEST_SECONDS);
		if (answer(fd_out, classify(context, head, size)) < 0)
			return 1;
		(void)alarm(0);
	}
}

static const char *classify_by_magic(void *context, const void *head, size_t size)
{
	return magic_buffer(context, head, size);
}

/* Half or less of the defaults: they bound how long a crafted file keeps us busy, and no honest file comes near. */
static void lower_limits(magic_t magic)
{
	static const struct {
		int what;
		size_t value;
	} rows[] = {
		{ MAGIC_PARAM_INDIR_MAX, 16 },
		{ MAGIC_PARAM_NAME_MAX, 30 },
		{ MAGIC_PARAM_ELF_PHNUM_MAX, 256 },
		{ MAGIC_PARAM_ELF_SHNUM_MAX, 1024 },
		{ MAGIC_PARAM_ELF_NOTES_MAX, 64 },
		{ MAGIC_PARAM_REGEX_MAX, 4096 },
		{ MAGIC_PARAM_BYTES_MAX, HELPER_REQUEST_MAX },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)magic_setparam(magic, rows[i].what,
				     &rows[i].value); /* an older library keeps its own */
}

static int limit(int what, rlim_t value)
{
	const struct rlimit both = { .rlim_cur = value, .rlim_max = value };

	return setrlimit((__rlimit_resource_t)what, &both);
}

/* What must hold while the database is loaded, already. */
static int shut_in_early(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	(void)prctl(PR_SET_NAME, "vaultfs-types"); /* for ps(1): the file it runs is called exe */
	(void)prctl(PR_SET_DUMPABLE, 0);           /* a courtesy: core dumps are off by limit, too */
	(void)setpriority(PRIO_PROCESS, 0,
			  NICENESS);  /* allowed to everyone; without it we are only less polite */
	(void)close_range(3, ~0U, 0); /* all of the caller's are close-on-exec: second line */
	if (chdir("/") < 0 || limit(RLIMIT_CORE, 0) < 0 || limit(RLIMIT_FSIZE, 0) < 0)
		return -1;
	return SANITIZED ? 0 : limit(RLIMIT_AS, MEMORY_MAX);
}

static int install_filter(void)
{
#define ALLOW(name) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read),
		ALLOW(write),
		ALLOW(brk),
		ALLOW(mmap),
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(madvise),
		ALLOW(futex),
		ALLOW(clock_gettime),
		ALLOW(gettimeofday),
		ALLOW(setitimer),
#ifdef __NR_alarm
		ALLOW(alarm),
#endif
		ALLOW(getpid),
		ALLOW(gettid),
		ALLOW(tgkill), /* abort() of a hardened libc, so that it ends as what it is */
		ALLOW(rt_sigprocmask),
		ALLOW(rt_sigreturn),
		ALLOW(exit),
		ALLOW(exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
#undef ALLOW
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* The rest, when everything is loaded. A kernel without seccomp (EINVAL) leaves us with the limits. */
static int shut_in(void)
{
	if (limit(RLIMIT_NOFILE, 0) < 0 || limit(RLIMIT_NPROC, 0) < 0)
		return -1;
	if (SANITIZED || FILTER_ARCH == 0)
		return 0;
	return install_filter() < 0 && errno != EINVAL ? -1 : 0;
}

int indexer_helper_main(void)
{
	magic_t magic;
	int status;

	if (shut_in_early() < 0)
		return 1;
	tzset(); /* reads its file now, while it can */
	magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS);
	if (!magic)
		return 1;
	lower_limits(magic);
	if (magic_load(magic, NULL) < 0 || shut_in() < 0) {
		magic_close(magic);
		return 1;
	}
	status = helper_serve(STDIN_FILENO, STDOUT_FILENO, classify_by_magic, magic);
	magic_close(magic);
	return status;
}
