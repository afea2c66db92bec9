/* twin_answer.c - one operation by one player: paths and slots made into what a call wants, and what it said into text. */
#include "twin.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONG_PATH = 4096, N_WATCHED = 6 };

/* ---- text ---- */

/* What does not fit is left out, on both sides alike. */
void twin_say(struct twin_answer *answer, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(answer->text + answer->size, sizeof answer->text - answer->size, format, arguments);
	va_end(arguments);
	if (n > 0)
		answer->size += (size_t)n;
	if (answer->size >= sizeof answer->text)
		answer->size = sizeof answer->text - 1;
}

void twin_say_result(struct twin_answer *answer, long result)
{
	if (result < 0)
		twin_say(answer, "%s", strerrorname_np(errno));
	else
		twin_say(answer, "%ld", result);
}

void twin_say_error(struct twin_answer *answer, long result)
{
	twin_say(answer, "%s", result < 0 ? strerrorname_np(errno) : "ok");
}

void twin_say_bytes(struct twin_answer *answer, const void *bytes, size_t size)
{
	uint64_t digest = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < size; i++)
		digest = (digest ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
	twin_say(answer, " %zu:%08" PRIx64, size, digest >> 32);
}

/* A time since the run began is "now": two runs are never at the same time. */
static void say_time(struct twin_answer *answer, const struct twin_player *player, char letter,
		     const struct statx_timestamp *time)
{
	if (time->tv_sec >= player->begin.tv_sec - 1 && time->tv_sec < player->begin.tv_sec + 100000)
		twin_say(answer, " %c=now", letter);
	else
		twin_say(answer, " %c=%jd.%09u", letter, (intmax_t)time->tv_sec, time->tv_nsec);
}

void twin_say_stat(struct twin_answer *answer, const struct twin_player *player, const struct statx *st)
{
	twin_say(answer, " %o %u %u:%u", st->stx_mode, st->stx_nlink, st->stx_uid, st->stx_gid);
	if (S_ISCHR(st->stx_mode) || S_ISBLK(st->stx_mode))
		twin_say(answer, " %u,%u", st->stx_rdev_major, st->stx_rdev_minor);
	if (!S_ISDIR(st->stx_mode))
		twin_say(answer, " %" PRIu64, (uint64_t)st->stx_size);
	if (S_ISFIFO(st->stx_mode))
		return; /* FUSE has its inodes as S_NOCMTIME: writing to a pipe moves no times */
	say_time(answer, player, 'm', &st->stx_mtime);
	say_time(answer, player, 'c', &st->stx_ctime);
}

/* ---- paths and slots ---- */

int twin_slot(const struct twin_player *player, int slot)
{
	return player->slots[slot];
}

void twin_put_slot(struct twin_player *player, int slot, int fd)
{
	if (player->slots[slot] >= 0)
		(void)close(player->slots[slot]); /* cannot fail: nothing is flushed at close */
	player->slots[slot] = fd;
}

int twin_dir(const struct twin_player *player, int dir)
{
	return dir == TWIN_CWD ? AT_FDCWD : player->slots[dir];
}

const char *twin_path(const struct twin_player *player, const char *text, char buffer[TWIN_PATH])
{
	char *out = buffer;

	if (*text == '/')
		out = stpcpy(out, player->prefix);
	while (*text) {
		if (*text != '@') {
			*out++ = *text++;
		} else if (text[1] == 'p') {
			for (; out < buffer + LONG_PATH; out += 2)
				memcpy(out, "./", 2);
			text += 2;
		} else if (text[1] == 'b') {
			out = stpcpy(out, "\xff\x01 \n\\");
			text += 2;
		} else {
			size_t n = strtoul(text + 1, (char **)&text, 10) % 1000;

			memset(out, 'n', n);
			out += n;
		}
	}
	*out = '\0';
	return buffer;
}

/* ---- watched operations ---- */

struct watched {
	char name; /* in the answer */
	bool there;
	struct statx st;
};

static void look(struct watched *w, int dir, const char *path)
{
	w->there = statx(dir, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_BASIC_STATS, &w->st) == 0;
}

/* What `path` names, and the directory that it is in. */
static void look_at_path(const struct twin_player *player, struct watched w[2], int dir, const char *text)
{
	char path[TWIN_PATH], *slash;

	w[0].there = w[1].there = false;
	if (!*text)
		return;
	look(&w[0], twin_dir(player, dir), twin_path(player, text, path));
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		slash[1] = '\0';
	else
		strcpy(path, ".");
	look(&w[1], twin_dir(player, dir), path);
}

static void look_at_all(const struct twin_player *player, const struct twin_op *op,
			struct watched w[N_WATCHED])
{
	static const char names[N_WATCHED] = "aAbBst";

	for (size_t i = 0; i < N_WATCHED; i++)
		w[i].name = names[i];
	look_at_path(player, w, op->dir, op->path);
	look_at_path(player, w + 2, op->dir2, op->path2);
	look(&w[4], player->slots[op->slot], "");
	look(&w[5], player->slots[op->slot2], "");
}

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void say_change(struct twin_answer *answer, const struct watched *before, const struct watched *after)
{
	bool modified, changed;

	if (!before->there && !after->there)
		return;
	if (before->there != after->there || before->st.stx_ino != after->st.stx_ino) {
		twin_say(answer, " %c:%s", after->name,
			 !before->there  ? "new"
			 : !after->there ? "gone"
					 : "other");
		return;
	}
	if (S_ISFIFO(after->st.stx_mode))
		return;
	modified = !same_time(&before->st.stx_mtime, &after->st.stx_mtime);
	changed = !same_time(&before->st.stx_ctime, &after->st.stx_ctime);
	if (modified || changed)
		twin_say(answer, " %c:%s%s", after->name, modified ? "m" : "", changed ? "c" : "");
}

void twin_do(struct twin_player *player, const struct twin_op *op, struct twin_answer *answer)
{
	struct watched before[N_WATCHED], after[N_WATCHED];

	answer->size = 0;
	if (!op->watch) {
		op->call->run(player, op, answer);
		return;
	}
	look_at_all(player, op, before);
	if (player->tick)
		player->tick();
	op->call->run(player, op, answer);
	look_at_all(player, op, after);
	for (size_t i = 0; i < N_WATCHED; i++)
		say_change(answer, &before[i], &after[i]);
	for (size_t i = 0; i < N_WATCHED; i += 2) {
		if (after[i].there)
			twin_say_stat(answer, player, &after[i].st);
	}
}
