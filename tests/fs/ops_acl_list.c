/* ops_acl_list.c - access control lists as text, and calls made as somebody else. See ops_acl_list.h. */
#include "ops_acl_list.h"
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { TEXT_MAX = 8192 };

/* ---- lists as text and as bytes ---- */

static const struct {
	char letter;
	bool named;
	unsigned char tag;
} tags[] = {
	{ 'u', false, 0x01 }, { 'u', true, 0x02 },  { 'g', false, 0x04 },
	{ 'g', true, 0x08 },  { 'm', false, 0x10 }, { 'o', false, 0x20 },
};

static void put(unsigned char **at, uint32_t value, int size)
{
	for (int i = 0; i < size; i++)
		*(*at)++ = (unsigned char)(value >> (8 * i));
}

void acl_put_entry(unsigned char **at, unsigned tag, unsigned permissions, uint32_t id)
{
	put(at, tag, 2);
	put(at, permissions, 2);
	put(at, id, 4);
}

unsigned acl_permissions(const char *text)
{
	return (text[0] == 'r') * 4u + (text[1] == 'w') * 2u + (text[2] == 'x');
}

size_t acl_encode(const char *text, unsigned char bytes[ACL_BYTES_MAX])
{
	unsigned char *at = bytes;

	put(&at, 2, 4);
	while (*text) {
		char letter = *text++;
		bool named = *text != ':';
		uint32_t id = named ? (uint32_t)strtoul(text, (char **)&text, 10) : UINT32_MAX;
		size_t i = 0;

		while (tags[i].letter != letter || tags[i].named != named)
			i++;
		acl_put_entry(&at, tags[i].tag, acl_permissions(text + 1), id);
		text += 4;
		text += *text == ' ';
	}
	return (size_t)(at - bytes);
}

static uint32_t take(const unsigned char *at, int size)
{
	uint32_t value = 0;

	for (int i = 0; i < size; i++)
		value |= (uint32_t)at[i] << (8 * i);
	return value;
}

const char *acl_of(const char *path, const char *name)
{
	static unsigned char bytes[ACL_BYTES_MAX];
	static char text[TEXT_MAX];
	ssize_t n = getxattr(path, name, bytes, sizeof bytes);
	size_t used = 0;

	text[0] = 0;
	if (n < 0) {
		EQUAL(errno, ENODATA);
		return text;
	}
	EQUAL(take(bytes, 4), 2);
	for (ssize_t at = 4; at < n; at += 8) {
		unsigned permissions = take(bytes + at + 2, 2);
		size_t i = 0;

		while (tags[i].tag != take(bytes + at, 2))
			CHECK(++i < sizeof tags / sizeof *tags);
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%c", used ? " " : "",
					 tags[i].letter);
		if (tags[i].named)
			used += (size_t)snprintf(text + used, sizeof text - used, "%u",
						 take(bytes + at + 4, 4));
		else
			EQUAL(take(bytes + at + 4, 4), UINT32_MAX);
		used += (size_t)snprintf(text + used, sizeof text - used, ":%c%c%c",
					 permissions & 4 ? 'r' : '-', permissions & 2 ? 'w' : '-',
					 permissions & 1 ? 'x' : '-');
	}
	return text;
}

int acl_set(const char *path, const char *name, const char *text)
{
	unsigned char bytes[ACL_BYTES_MAX];

	return setxattr(path, name, bytes, acl_encode(text, bytes), 0);
}

void acl_expect(const char *path, const char *name, const char *want)
{
	const char *got = acl_of(path, name);

	if (strcmp(got, want) != 0)
		ops_fail(__FILE__, __LINE__, "%s of %s is '%s', wanted '%s'", name, path, got, want);
}

void acl_expect_mode(const char *path, mode_t want)
{
	mode_t got = ops_lstat(path).st_mode & 07777;

	if (got != want)
		ops_fail(__FILE__, __LINE__, "mode of %s is %o, wanted %o", path, got, want);
}

/* ---- as somebody else ---- */

void acl_need_root(void)
{
	if (geteuid() != 0)
		ops_skip("only root can become other users");
}

int acl_act_as(struct who who, int (*act)(const char *path), const char *path)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		OK(setgroups(who.extra ? 1 : 0, &who.extra));
		OK(setresgid(who.gid, who.gid, who.gid));
		OK(setresuid(who.uid, who.uid, who.uid));
		if (access("..", X_OK) < 0)
			ops_skip("other users cannot come in here (a folder above is closed)");
		_exit(128 | act(path));
	}
	EQUAL(OK(waitpid(pid, &status, 0)), pid);
	CHECK(WIFEXITED(status));
	if (!(WEXITSTATUS(status) & 128))
		_exit(WEXITSTATUS(status)); /* it said why */
	return WEXITSTATUS(status) & 63;
}

static bool may_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0) {
		EQUAL(errno, EACCES);
		return false;
	}
	OK(close(fd));
	return true;
}

int acl_permissions_on_file(const char *path)
{
	return may_open(path, O_RDONLY) * 4 | may_open(path, O_WRONLY) * 2 | (access(path, X_OK) == 0);
}

int acl_set_simple(const char *path)
{
	return ops_errno(acl_set(path, ACL_ACCESS, "u:rwx g:r-x o:r-x"));
}
