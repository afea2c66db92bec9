/* sandbox.c - limits and the seccomp filter. See sandbox.h. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMORY_MAX \
	((rlim_t)768 << 20) /* address space; what is loaded takes some 250 MiB of it, mostly not resident */
#define CPU_SECONDS 120
#define NICENESS 15 /* not SCHED_IDLE: on a busy machine that would pass the caller's timeouts */

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

static int limit(int what, rlim_t value)
{
	const struct rlimit both = { .rlim_cur = value, .rlim_max = value };

	return setrlimit((__rlimit_resource_t)what, &both);
}

/* A machine that runs out of memory shall take it from us, not from the daemon. */
static void offer_to_oom_killer(void)
{
	static const char worst[] = "1000";
	const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* no /proc: then not */
	(void)!write(fd, worst, sizeof(worst) - 1);
	(void)close(fd);
}

int sandbox_enter_helper(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	(void)prctl(PR_SET_DUMPABLE, 0); /* a courtesy: core dumps are off by limit, too */
	(void)setpriority(PRIO_PROCESS, 0,
			  NICENESS); /* allowed to everyone; without it we are only less polite */
	offer_to_oom_killer();
	(void)close_range(3, ~0U, 0); /* all of the caller's are close-on-exec: second line */
	if (chdir("/") < 0 || limit(RLIMIT_CORE, 0) < 0 || limit(RLIMIT_FSIZE, 0) < 0)
		return -1;
	return SANITIZED ? 0 : limit(RLIMIT_AS, MEMORY_MAX);
}

/* Memory may be mapped, but none that could be run; and a signal may be sent to nobody but oneself, which abort() does. */
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
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(madvise),
		ALLOW(futex),
		ALLOW(clock_gettime),
		ALLOW(gettimeofday),
		ALLOW(getpid),
		ALLOW(gettid),
		ALLOW(rt_sigprocmask),
		ALLOW(rt_sigreturn),
		ALLOW(exit),
		ALLOW(exit_group),
		/* Of the third argument, the low half is all that is looked at here, and all that the kernel looks at. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 5, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_tgkill, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)getpid(), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
#undef ALLOW
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int sandbox_enter_child(void)
{
	const struct rlimit cpu = { .rlim_cur = CPU_SECONDS, .rlim_max = CPU_SECONDS + 1 };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setrlimit(RLIMIT_CPU, &cpu) < 0 ||
	    limit(RLIMIT_NOFILE, 0) < 0 || limit(RLIMIT_NPROC, 0) < 0)
		return -1;
	if (SANITIZED || FILTER_ARCH == 0)
		return 0;
	return install_filter() < 0 && errno != EINVAL ? -1 : 0;
}
