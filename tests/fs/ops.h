/* ops.h - the frame in which the cases of system calls run, on any filesystem.
 *
 * Each case runs in a process of its own, in an empty directory of its own, with a time limit; a claim that does not
 * hold ends the process. Cases hold on ext4 too: one that fails there is a wrong case, and ctest runs them there first.
 * What only a vault does asks on_vault. */
#ifndef VAULTFS_TESTS_OPS_H
#define VAULTFS_TESTS_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct ops_case {
	const char *name; /* the claim */
	void (*run)(void);
};

/* The cases of one subject, ended by one without a name; ops.c finds them in the section:
 * OPS_CASES(name) = { { "a_claim", its_function }, { NULL, NULL } }; */
#define OPS_CASES(subject)                                                                                 \
	extern const struct ops_case ops_##subject##_cases[];                                              \
	static const struct ops_case *const subject##_table                                                \
		__attribute__((used, section("ops_tables"))) = ops_##subject##_cases;                      \
	const struct ops_case ops_##subject##_cases[]

extern bool on_vault;

/* Of a table: which row is being run, for the message of a claim that fails. */
void ops_row(const char *what);

_Noreturn void ops_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void ops_skip(const char *reason);
long ops_ok(long result, const char *file, int line, const char *text);
void ops_fails(long result, int want, const char *file, int line, const char *text);
void ops_equal(intmax_t got, intmax_t want, const char *file, int line, const char *text);

/* A claim; a call that must succeed, and its result; the same as a descriptor; a call that must fail with an errno. */
#define CHECK(claim) ((claim) ? (void)0 : ops_fail(__FILE__, __LINE__, "not so: %s", #claim))
#define OK(call) ops_ok((long)(call), __FILE__, __LINE__, #call)
#define FD(call) ((int)OK(call))
#define FAILS(want, call) ops_fails((long)(call), want, __FILE__, __LINE__, #call)
#define EQUAL(got, want) ops_equal((intmax_t)(got), (intmax_t)(want), __FILE__, __LINE__, #got)

/* Run `call` with errno 0 before it: the result is 0 or the errno. */
int ops_errno(long result);

/* A file with `size` bytes of ops_pattern(), made anew. */
void ops_make_file(const char *path, size_t size);
void ops_pattern(uint8_t *bytes, size_t size, uint64_t offset);
bool ops_is_pattern(const uint8_t *bytes, size_t size, uint64_t offset);
bool ops_is_zero(const uint8_t *bytes, size_t size);
/* The file's size and bytes are these. */
void ops_check_content(const char *path, const void *bytes, size_t size);

void ops_copy_file(const char *from, const char *to, mode_t mode);

struct stat ops_stat(int fd);
struct stat ops_lstat(const char *path);
/* Is there something of this name? */
bool ops_there(const char *path);
/* How many entries a directory has, without "." and "..". */
size_t ops_count(const char *path);

/* Wait until the clock that stamps files has moved past what it says now: the next change gets a later time. */
void ops_tick(void);

/* Drop CAP_FSETID, which root has and which keeps suid and sgid alive. */
void ops_drop_fsetid(void);
/* Become an ordinary user for good; skips where that cannot be tried. */
void ops_become_user(uid_t uid, gid_t gid);

#endif
