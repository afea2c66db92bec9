/* helper_main.c - vaultfs-helper: loads what it needs, then forks a child that is shut in for every file that its caller
 * wants to know about. See helper.h.
 *
 * This process sees no byte of any file. It has the caller's socket, and for a moment that of the next child. */
#include "helper.h"
#include "inspect.h"
#include "sandbox.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns the next inspection's socket; -1 at the end of the input. */
static int receive_socket(void)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	const struct cmsghdr *header;
	ssize_t n;
	int fd = -1;

	do
		n = recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	header = n == 1 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static int say_hello(void)
{
	uint8_t hello[HELPER_FRAME_SIZE + 4];

	frame_put_u32(hello, FRAME_HELLO);
	frame_put_u32(hello + 4, 4);
	frame_put_u32(hello + 8, HELPER_PROTOCOL);
	return write(STDIN_FILENO, hello, sizeof(hello)) == sizeof(hello) ? 0 : -1;
}

/* Whether a child can be shut in here. Where it cannot (under another filter, say), no helper is better than one whose
 * children all die: then it is not the files that are to blame. */
static bool can_shut_in(void)
{
	const pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(sandbox_enter_child() < 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && status == 0;
}

static void inspect_in_child(struct inspector *inspector, int fd)
{
	const pid_t pid = fork();

	if (pid == 0) {
		if (dup2(fd, STDIN_FILENO) < 0 || close(fd) < 0 || sandbox_enter_child() < 0)
			_exit(1);
		inspector_serve(inspector, STDIN_FILENO);
		_exit(0);
	}
	(void)close(fd); /* now, so that the child's death is an end for the caller */
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		; /* how it ended, the caller sees */
}

int main(int argc, char **argv)
{
	struct inspector *inspector;
	int fd;

	(void)argv;
	if (argc != 1 || isatty(STDIN_FILENO)) {
		(void)fprintf(stderr,
			      "vaultfs-helper looks into files for vaultfs, which starts it by itself\n");
		return 2;
	}
	if (sandbox_enter_helper() < 0 || !can_shut_in())
		return 1;
	inspector = inspector_new();
	if (!inspector || say_hello() < 0)
		return 1;
	while ((fd = receive_socket()) >= 0)
		inspect_in_child(inspector, fd);
	return 0;
}
