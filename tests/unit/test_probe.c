/* test_probe.c - the helper process, its caller, and what happens when the one hangs, dies or lies.
 *
 * Started under the name of one of the links that setup makes, this program is a helper that misbehaves, in the way that
 * the file it is asked about says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../random.h"
#include "probe.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- the helper that misbehaves ---- */

static void put_frame(int fd, uint32_t type, const void *payload, uint32_t size)
{
	uint8_t header[HELPER_FRAME_SIZE];

	frame_put_u32(header, type);
	frame_put_u32(header + 4, size);
	if (write(fd, header, sizeof(header)) != sizeof(header) ||
	    (size > 0 && write(fd, payload, size) != (ssize_t)size))
		_exit(0); /* the caller has had enough, as it should */
}

static void put_stage(int fd, uint32_t stage)
{
	uint8_t payload[4];

	frame_put_u32(payload, stage);
	put_frame(fd, FRAME_STAGE, payload, sizeof(payload));
}

static void put_read(int fd, uint64_t offset, uint32_t size)
{
	uint8_t payload[12];

	frame_put_u64(payload, offset);
	frame_put_u32(payload + 8, size);
	put_frame(fd, FRAME_READ, payload, sizeof(payload));
}

static void get(int fd, void *to, size_t size)
{
	if (size > 0 && recv(fd, to, size, MSG_WAITALL) != (ssize_t)size)
		_exit(0);
}

static void behave_badly(int fd, const char *how)
{
	static const uint8_t zeroes[64];

	if (strcmp(how, "hang") == 0)
		for (;;)
			(void)pause();
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "no type") == 0)
		put_frame(fd, FRAME_MIME, "no type\n", 8);
	if (strcmp(how, "empty type") == 0)
		put_frame(fd, FRAME_MIME, NULL, 0);
	if (strcmp(how, "two types") == 0)
		for (int i = 0; i < 2; i++)
			put_frame(fd, FRAME_MIME, "text/plain", 10);
	if (strcmp(how, "huge") == 0) {
		uint8_t header[HELPER_FRAME_SIZE];

		frame_put_u32(header, FRAME_MIME);
		frame_put_u32(header + 4, UINT32_MAX);
		(void)!write(fd, header, sizeof(header));
	}
	if (strcmp(how, "no such frame") == 0)
		put_frame(fd, 99, zeroes, 8);
	if (strcmp(how, "text of no stage") == 0)
		put_frame(fd, FRAME_TEXT, "text", 4);
	if (strcmp(how, "stage again") == 0)
		put_stage(fd, STAGE_TYPE);
	if (strcmp(how, "stage not wanted") == 0)
		put_stage(fd, STAGE_PREVIEWS);
	if (strcmp(how, "no such stage") == 0)
		put_stage(fd, 3);
	if (strcmp(how, "read of nothing") == 0)
		put_read(fd, 0, 0);
	if (strcmp(how, "read too long") == 0)
		put_read(fd, 0, HELPER_READ_MAX + 1);
	if (strcmp(how, "read past the end") == 0)
		put_read(fd, 1000, 1);
	while (strcmp(how, "flood of reads") == 0)
		put_read(fd, 0, 1); /* and never takes an answer */
	while (strcmp(how, "flood of words") == 0)
		put_frame(fd, FRAME_TROUBLE, "again", 5);
	if (strcmp(how, "bad text") == 0) {
		put_stage(fd, STAGE_TEXT);
		put_frame(fd, FRAME_TEXT, "caf\xe9", 4);
	}
	if (strcmp(how, "greedy") == 0) {
		uint8_t header[HELPER_FRAME_SIZE], byte;
		char mime[32];
		int n = 1; /* one was read before */

		for (;; n++) {
			put_read(fd, 0, 1);
			get(fd, header, sizeof(header));
			if (frame_get_u32(header + 4) == 0)
				break;
			get(fd, &byte, 1);
		}
		(void)snprintf(mime, sizeof(mime), "reads/%d", n);
		put_frame(fd, FRAME_MIME, mime, (uint32_t)strlen(mime));
	}
	if (strcmp(how, "die later") == 0) {
		put_frame(fd, FRAME_MIME, "text/plain", 10);
		put_stage(fd, STAGE_TEXT);
		put_frame(fd, FRAME_TEXT, "words", 5);
		put_stage(fd, STAGE_MEDIA);
		put_frame(fd, FRAME_MEDIA, "{\"half\":true}", 13);
		abort();
	}
	if (strcmp(how, "good") == 0)
		put_frame(fd, FRAME_MIME, "text/plain", 10);
	put_frame(fd, FRAME_DONE, NULL, 0);
}

static void misbehave(int fd)
{
	uint8_t header[HELPER_FRAME_SIZE], payload[64];
	char how[64] = "";

	get(fd, header, sizeof(header));
	get(fd, payload, frame_get_u32(header + 4));
	put_stage(fd, STAGE_TYPE);
	put_read(fd, 0, sizeof(how));
	get(fd, header, sizeof(header));
	get(fd, how, frame_get_u32(header + 4));
	behave_badly(fd, how);
}

static int receive_socket(void)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fd = -1;

	if (recvmsg(STDIN_FILENO, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void say_hello(uint32_t version)
{
	uint8_t payload[4];

	frame_put_u32(payload, version);
	put_frame(STDIN_FILENO, FRAME_HELLO, payload, sizeof(payload));
}

/* Returns what main() shall; -1: this is not a helper. */
static int helper_main(const char *program)
{
	const char *name = strrchr(program, '/');
	int fd;

	name = name ? name + 1 : program;
	if (strcmp(name, "dead") == 0)
		return 1;
	if (strcmp(name, "mute") == 0)
		for (;;)
			(void)pause();
	if (strcmp(name, "older") == 0) {
		say_hello(HELPER_PROTOCOL - 1);
		for (;;)
			(void)pause();
	}
	if (strcmp(name, "misbehaves") != 0)
		return -1;
	say_hello(HELPER_PROTOCOL);
	while ((fd = receive_socket()) >= 0) {
		misbehave(fd);
		(void)close(fd);
	}
	return 0;
}

/* ---- what is tested with ---- */

static struct {
	char directory[64]; /* holds the links */
	char link[128];
} test;

static const char *link_to_self(const char *name)
{
	char self[PATH_MAX] = "";

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	(void)snprintf(test.link, sizeof(test.link), "%s/%s", test.directory, name);
	(void)unlink(test.link);
	assert_int_equal(symlink(self, test.link), 0);
	return test.link;
}

static int make_directory(void **state)
{
	(void)state;
	(void)strcpy(test.directory, "/tmp/test_probe.XXXXXX");
	return mkdtemp(test.directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	static const char *const names[] = { "misbehaves", "mute", "dead", "older" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(test.link, sizeof(test.link), "%s/%s", test.directory, names[i]);
		(void)unlink(test.link);
	}
	return rmdir(test.directory);
}

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct memory {
	const void *bytes;
	size_t size;
};

static ssize_t read_memory(void *context, uint64_t offset, void *buffer, size_t size)
{
	const struct memory *memory = context;

	assert_true(offset < memory->size && size > 0 && size <= memory->size - offset);
	memcpy(buffer, (const char *)memory->bytes + offset, size);
	return (ssize_t)size;
}

static int inspect(struct indexer_probe *probe, const void *bytes, size_t size, const char *extension,
		   unsigned wanted, struct indexer_findings *ret)
{
	struct memory memory = { bytes, size };
	const struct indexer_source source = { size, extension, read_memory, &memory };

	return indexer_probe_inspect(probe, &source, wanted, ret);
}

/* Only the type, only whether it works. */
static int ask(struct indexer_probe *probe, const char *text)
{
	struct indexer_findings findings;
	const int r = inspect(probe, text, strlen(text), NULL, STAGE_TYPE, &findings);

	indexer_findings_release(&findings);
	return r;
}

static int new_probe(void **state)
{
	return indexer_probe_new(NULL, -1, (struct indexer_probe **)state);
}

static int free_probe(void **state)
{
	indexer_probe_free(*state);
	return 0;
}

/* ---- the helper ---- */

static void helper__tells_types(void **state)
{
	static const struct {
		const char *what, *head;
		size_t size;
		const char *extension, *want;
	} rows[] = {
		{ "png", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0", 29, "",
		  "image/png" },
		{ "pdf", "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", 15, "", "application/pdf" },
		{ "mp4",
		  "\0\0\0\x18"
		  "ftypmp42\0\0\0\0mp42isom",
		  24, "avi", "video/mp4" },
		{ "text", "A line of text.\nAnd another one.\n", 33, NULL, "text/plain" },
		{ "text by its name", "# Title\nAnd text.\n", 18, "MD", "text/markdown" },
		{ "a name of more", "# Title\nAnd text.\n", 18, "../../md", "text/plain" },
		{ "script", "#!/bin/sh\necho hello\n", 21, "", "text/x-shellscript" },
		{ "elf",
		  "\x7f"
		  "ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0"
		  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\x40\0\0\0\0\0",
		  64, "mp3", "application/x-executable" },
		{ "one byte", "\xff", 1, "", "application/octet-stream" },
		{ "one byte of a name", "\xff", 1, "mp3", "audio/mpeg" },
		{ "nothing", "", 0, "txt", "inode/x-empty" },
		{ "jpeg", "\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0", 20, "", "image/jpeg" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct indexer_findings findings;
		const int r = inspect(*state, rows[i].head, rows[i].size, rows[i].extension, 0, &findings);

		if (r != 0 || strcmp(findings.mime, rows[i].want) != 0 || findings.done != STAGE_TYPE)
			fail_msg("%s: %d \"%s\", not \"%s\"", rows[i].what, r, findings.mime, rows[i].want);
		indexer_findings_release(&findings);
	}
}

static void helper__makes_utf8_of_text(void **state)
{
#define BYTES(text) text, sizeof(text) - 1
	static const struct {
		const char *what, *bytes;
		size_t size;
		const char *want;
	} rows[] = {
		{ "ascii", BYTES("two\r\nlines\rof text\n"), "two\nlines\nof text\n" },
		{ "utf-8", BYTES("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x8e\xac text\n"),
		  "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x8e\xac text\n" },
		{ "utf-8 with a mark", BYTES("\xef\xbb\xbfsome text\n"), "some text\n" },
		{ "latin-1", BYTES("caf\xe9 na\xefve gar\xe7on, \xfc\x62\x65r all\n"),
		  "caf\xc3\xa9 na\xc3\xafve gar\xc3\xa7on, \xc3\xbc\x62\x65r all\n" },
		{ "utf-16, little", BYTES("\xff\xfeh\0i\0 \0\xe9\0 \0\x3c\xd8\xac\xdf\n\0"),
		  "hi \xc3\xa9 \xf0\x9f\x8e\xac\n" },
		{ "utf-16, big", BYTES("\xfe\xff\0h\0i\0 \0\xe9\0 \xd8\x3c\xdf\xac\0\n"),
		  "hi \xc3\xa9 \xf0\x9f\x8e\xac\n" },
		{ "utf-16 with half a pair", BYTES("\xff\xfeh\0i\0 \0\x3c\xd8i\0\n\0"),
		  "hi \xef\xbf\xbdi\n" },
		{ "escapes", BYTES("\033[1mbold\033[0m words\n"), "[1mbold[0m words\n" },
		{ "no text at all", BYTES("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), NULL },
	};
#undef BYTES

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct indexer_findings findings;
		const int r = inspect(*state, rows[i].bytes, rows[i].size, "txt", STAGE_TEXT, &findings);
		const char *got = findings.text ? findings.text : "(none)";

		if (r != 0 || strcmp(got, rows[i].want ? rows[i].want : "(none)") != 0 ||
		    findings.text_size != (rows[i].want ? strlen(rows[i].want) : 0))
			fail_msg("%s: %d, %s: %s", rows[i].what, r, findings.mime, got);
		indexer_findings_release(&findings);
	}
}

/* A character on the border is left out; letters that become longer do not pass it. */
static void helper__gives_one_mib_of_a_longer_text(void **state)
{
	enum { SIZE = 3 << 20 };
	static char text[SIZE];
	static const char *const letters[] = { "x", "\xc3\xa4", "\xe4" };

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		struct indexer_findings findings;

		(void)strcpy(text, "A line of text.\n");
		for (size_t at = 16; at < SIZE; at++)
			text[at] = at % 79 == 0 ? '\n' : letters[i][at % strlen(letters[i])];
		assert_int_equal(inspect(*state, text, SIZE, "txt", STAGE_TEXT, &findings), 0);
		if (findings.text_size < HELPER_TEXT_MAX - 8 || findings.text_size > HELPER_TEXT_MAX)
			fail_msg("%zu: %zu bytes", i, findings.text_size);
		indexer_findings_release(&findings);
	}
}

static void helper__survives_random_bytes_of_every_length(void **state)
{
	static uint8_t bytes[4 * HELPER_HEAD_SIZE];
	struct random random = { random_seed_or("0") };

	for (size_t size = 1; size <= sizeof(bytes); size = size * 2 + random_below(&random, 3)) {
		struct indexer_findings findings;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)random_next(&random);
		assert_int_equal(inspect(*state, bytes, size, "mp3", STAGES_ALL, &findings), 0);
		assert_int_equal(findings.done, STAGES_ALL);
		indexer_findings_release(&findings);
	}
}

/* ---- the probe ---- */

static void probe__gives_a_bad_file_up_and_takes_the_next(void **state)
{
	static const struct {
		const char *text;
		int want;
		double least, most; /* seconds */
	} rows[] = {
		{ "hang", -ETIMEDOUT, 4, 12 },
		{ "abort", -EPIPE, 0, 6 },
		{ "no type", -EPIPE, 0, 6 },
		{ "empty type", -EPIPE, 0, 6 },
		{ "two types", -EPIPE, 0, 6 },
		{ "huge", -EPIPE, 0, 6 },
		{ "no such frame", -EPIPE, 0, 6 },
		{ "text of no stage", -EPIPE, 0, 6 },
		{ "stage again", -EPIPE, 0, 6 },
		{ "stage not wanted", -EPIPE, 0, 6 },
		{ "no such stage", -EPIPE, 0, 6 },
		{ "read of nothing", -EPIPE, 0, 6 },
		{ "read too long", -EPIPE, 0, 6 },
		{ "read past the end", -EPIPE, 0, 6 },
		{ "flood of reads", -ETIMEDOUT, 4, 12 },
		{ "flood of words", -ETIMEDOUT, 4, 12 },
		{ "bad text", -EPIPE, 0, 6 },
		{ "nothing", 0, 0, 6 },
	};
	struct indexer_probe *probe = NULL;

	(void)state;
	assert_int_equal(indexer_probe_new(link_to_self("misbehaves"), -1, &probe), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct indexer_findings findings;
		const double begin = seconds();
		const int r = inspect(probe, rows[i].text, strlen(rows[i].text), "", STAGE_TEXT, &findings);
		const double took = seconds() - begin;

		if (r != rows[i].want || took < rows[i].least || took > rows[i].most)
			fail_msg("%s: %d after %.1f s", rows[i].text, r, took);
		if (findings.mime[0] || findings.text || (r < 0) != (findings.failed != 0))
			fail_msg("%s: something was found: %s, failed %u", rows[i].text, findings.mime,
				 findings.failed);
		indexer_findings_release(&findings);
		assert_int_equal(ask(probe, "good"), 0);
	}
	indexer_probe_free(probe);
}

/* The second attempt is not for the text again, so that it ends even earlier. */
static void probe__keeps_what_was_found_before_the_end(void **state)
{
	struct indexer_probe *probe = NULL;
	struct indexer_findings findings;

	(void)state;
	assert_int_equal(indexer_probe_new(link_to_self("misbehaves"), -1, &probe), 0);
	assert_int_equal(inspect(probe, "die later", 9, "", STAGES_ALL, &findings), -EPIPE);
	assert_string_equal(findings.mime, "text/plain");
	assert_string_equal(findings.text, "words");
	assert_null(findings.media_json);
	assert_int_equal(findings.done, STAGE_TYPE | STAGE_TEXT);
	indexer_findings_release(&findings);
	indexer_probe_free(probe);
}

/* One that asks for the same byte again and again gets it 256 times: each counts as 4 KiB of 1 MiB. */
static void probe__bounds_what_is_read(void **state)
{
	struct indexer_probe *probe = NULL;
	struct indexer_findings findings;

	(void)state;
	assert_int_equal(indexer_probe_new(link_to_self("misbehaves"), -1, &probe), 0);
	assert_int_equal(inspect(probe, "greedy", 6, "", STAGE_TYPE, &findings), 0);
	assert_string_equal(findings.mime, "reads/256");
	indexer_findings_release(&findings);
	indexer_probe_free(probe);
}

static ssize_t read_slowly(void *context, uint64_t offset, void *buffer, size_t size)
{
	const struct timespec longer_than_a_type_may_take = { .tv_sec = 2, .tv_nsec = 300000000 };

	(void)nanosleep(&longer_than_a_type_may_take, NULL);
	return read_memory(context, offset, buffer, size);
}

static void probe__does_not_count_the_time_of_reading(void **state)
{
	struct memory memory = { "some text\n", 10 };
	const struct indexer_source source = { memory.size, "", read_slowly, &memory };
	struct indexer_findings findings;

	assert_int_equal(indexer_probe_inspect(*state, &source, STAGE_TYPE, &findings), 0);
	assert_string_equal(findings.mime, "text/plain");
	indexer_findings_release(&findings);
}

static ssize_t read_damaged(void *context, uint64_t offset, void *buffer, size_t size)
{
	(void)context;
	(void)offset;
	(void)buffer;
	(void)size;
	return -EBADMSG;
}

static void probe__hands_on_what_reading_failed_with(void **state)
{
	const struct indexer_source source = { 100, "", read_damaged, NULL };
	struct indexer_findings findings;

	assert_int_equal(indexer_probe_inspect(*state, &source, STAGES_ALL, &findings), -EBADMSG);
	indexer_findings_release(&findings);
	assert_int_equal(ask(*state, "and on we go"), 0);
}

static void probe__backs_off_from_a_helper_that_never_starts(void **state)
{
	struct indexer_probe *probe = NULL;
	double begin;

	(void)state;
	assert_int_equal(indexer_probe_new(link_to_self("dead"), -1, &probe), 0);
	assert_int_equal(ask(probe, "1"), -EPIPE); /* at once, at once */
	begin = seconds();
	assert_int_equal(ask(probe, "2"), -EPIPE); /* 0.1 s, 0.2 s */
	assert_int_equal(ask(probe, "3"), -EPIPE); /* 0.4 s, 0.8 s */
	assert_true(seconds() - begin >= 1.45);
	indexer_probe_free(probe);

	assert_int_equal(indexer_probe_new("/nowhere/at/all", -1, &probe), 0);
	assert_int_equal(ask(probe, "1"), -ENOENT);
	indexer_probe_free(probe);

	assert_int_equal(indexer_probe_new(link_to_self("older"), -1, &probe), 0);
	assert_int_equal(ask(probe, "1"), -EPROTO);
	indexer_probe_free(probe);
}

static void *cancel_soon(void *fd)
{
	const uint64_t one = 1;

	(void)usleep(200000);
	assert_int_equal(write(*(int *)fd, &one, sizeof(one)), sizeof(one));
	return NULL;
}

static void probe__can_be_cancelled_while_it_waits(void **state)
{
	static const char *const rows[] = { "mute", "misbehaves" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = eventfd(0, EFD_CLOEXEC);
		struct indexer_probe *probe = NULL;
		const double begin = seconds();
		pthread_t thread;

		assert_true(fd >= 0);
		assert_int_equal(indexer_probe_new(link_to_self(rows[i]), fd, &probe), 0);
		assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &fd), 0);
		assert_int_equal(ask(probe, "hang"), -ECANCELED);
		assert_true(seconds() - begin < 2);
		assert_int_equal(pthread_join(thread, NULL), 0);
		indexer_probe_free(probe);
		(void)close(fd);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(helper__tells_types, new_probe, free_probe),
		cmocka_unit_test_setup_teardown(helper__makes_utf8_of_text, new_probe, free_probe),
		cmocka_unit_test_setup_teardown(helper__gives_one_mib_of_a_longer_text, new_probe,
						free_probe),
		cmocka_unit_test_setup_teardown(helper__survives_random_bytes_of_every_length, new_probe,
						free_probe),
		cmocka_unit_test(probe__gives_a_bad_file_up_and_takes_the_next),
		cmocka_unit_test(probe__keeps_what_was_found_before_the_end),
		cmocka_unit_test(probe__bounds_what_is_read),
		cmocka_unit_test_setup_teardown(probe__does_not_count_the_time_of_reading, new_probe,
						free_probe),
		cmocka_unit_test_setup_teardown(probe__hands_on_what_reading_failed_with, new_probe,
						free_probe),
		cmocka_unit_test(probe__backs_off_from_a_helper_that_never_starts),
		cmocka_unit_test(probe__can_be_cancelled_while_it_waits),
	};
	const int status = argc > 0 ? helper_main(argv[0]) : -1;

	if (status >= 0)
		return status;
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
