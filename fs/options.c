/* options.c - the words of `-o`. */
#include "fs.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "log.h"

#define DEFAULT_READAHEAD_KIB 1024
#define DEFAULT_THREADS 4
#define MAX_THREADS 32
#define MAX_CACHE_MIB 1048576
#define MAX_COMMIT_SECONDS 86400

void fs_options_init(struct fs_options *options)
{
	*options = (struct fs_options){
		.inherit = true, .index = true, .previews = true, .seen = true, .readahead_kib = DEFAULT_READAHEAD_KIB, .n_threads = DEFAULT_THREADS
	};
}

void fs_options_release(struct fs_options *options)
{
	free(options->fsname);
	free(options->kernel_options);
	fs_options_init(options);
}

/* A decimal number of at most `most`. */
static int parse_number(const char *name, const char *text, uint64_t most, uint64_t *ret)
{
	char *end = NULL;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || text[0] < '0' || text[0] > '9' || *end || n > most)
		return log_err(-EINVAL, "mount option %s=%s: not a number up to %llu", name, text,
			       (unsigned long long)most);
	*ret = (uint64_t)n;
	return 0;
}

static int parse_unsigned(const char *name, const char *text, unsigned least, unsigned most, unsigned *ret)
{
	uint64_t n = 0;
	int r = parse_number(name, text, most, &n);

	if (r < 0)
		return r;
	if (n < least)
		return log_err(-EINVAL, "mount option %s=%s: at least %u", name, text, least);
	*ret = (unsigned)n;
	return 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(word, *words) == 0)
			return true;
	}
	return false;
}

/* For mount(8), systemd and fstab; nothing to us. */
static bool is_ignored(const char *word)
{
	static const char *const words[] = {
		"defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev",
		"relatime", "strictatime", "atime", "diratime", "lazytime", "nolazytime", "mand", "nomand", "loud",
		"silent", "default_permissions", "iversion", "noiversion", NULL,
	};
	static const char *const prefixes[] = { "x-", "X-", "user=", "comment=", "subtype=", NULL };

	for (const char *const *prefix = prefixes; *prefix; prefix++) {
		if (strncmp(word, *prefix, strlen(*prefix)) == 0)
			return true;
	}
	return is_one_of(word, words);
}

static bool is_for_kernel(const char *word)
{
	static const char *const words[] = { "dev", "nodev", "suid", "nosuid", "exec", "noexec", "sync", "async",
					     "dirsync", "noatime", NULL };

	return is_one_of(word, words);
}

static int add_for_kernel(struct fs_options *options, const char *word)
{
	size_t old = options->kernel_options ? strlen(options->kernel_options) : 0;
	size_t n = strlen(word);
	char *list = realloc(options->kernel_options, old + n + 2);

	if (!list)
		return log_err(-ENOMEM, "no memory for the mount option %s", word);
	if (old > 0)
		list[old++] = ',';
	memcpy(list + old, word, n + 1);
	options->kernel_options = list;
	return 0;
}

/* Words without a value. Returns 1 if it was one. */
static int parse_flag(struct fs_options *options, const char *word)
{
	const struct {
		const char *word;
		bool *flag;
		bool value;
	} flags[] = {
		{ "ro", &options->read_only, true },	   { "rw", &options->read_only, false },
		{ "allow_other", &options->allow_other, true }, { "nonempty", &options->nonempty, true },
		{ "writeback", &options->writeback, true },     { "nowriteback", &options->writeback, false },
		{ "debug", &options->debug, true },		{ "nodiratime", &options->nodiratime, true },
		{ "noacl", &options->noacl, true },		{ "acl", &options->noacl, false },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(word, flags[i].word) == 0) {
			*flags[i].flag = flags[i].value;
			return 1;
		}
	}
	return 0;
}

/* yes or no */
static int parse_choice(const char *name, const char *text, bool *ret)
{
	*ret = strcmp(text, "yes") == 0;
	if (!*ret && strcmp(text, "no") != 0)
		return log_err(-EINVAL, "mount option %s=%s: yes or no", name, text);
	return 0;
}

static int parse_index(struct fs_options *options, const char *text)
{
	options->index_types_only = strcmp(text, "types") == 0;
	options->index = options->index_types_only || strcmp(text, "yes") == 0;
	if (!options->index && strcmp(text, "no") != 0)
		return log_err(-EINVAL, "mount option index=%s: yes, no or types", text);
	return 0;
}

static int parse_views(const char *text, enum fs_views *ret)
{
	static const char *const words[] = { [FS_VIEWS_HIDDEN] = "hidden", [FS_VIEWS_SHOWN] = "shown", [FS_VIEWS_NO] = "no" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = (enum fs_views)i;
			return 0;
		}
	}
	return log_err(-EINVAL, "mount option views=%s: hidden, shown or no", text);
}

static int parse_fsname(struct fs_options *options, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return log_err(-ENOMEM, "no memory for the mount option fsname");
	free(options->fsname);
	options->fsname = copy;
	return 0;
}

/* `word` is cut at its '='. Returns 1 if it is known, 0 if not. */
static int parse_value(struct fs_options *options, const char *word, const char *value)
{
	uint64_t n = 0;
	int r;

	if (strcmp(word, "uid") == 0) {
		r = parse_number(word, value, UINT32_MAX - 1, &n);
		options->uid = (uid_t)n;
		options->set_uid = true;
	} else if (strcmp(word, "gid") == 0) {
		r = parse_number(word, value, UINT32_MAX - 1, &n);
		options->gid = (gid_t)n;
		options->set_gid = true;
	} else if (strcmp(word, "commit") == 0) {
		r = parse_unsigned(word, value, 1, MAX_COMMIT_SECONDS, &options->commit_seconds);
	} else if (strcmp(word, "cache") == 0) {
		r = parse_number(word, value, MAX_CACHE_MIB, &n);
		options->cache_size = (size_t)n << 20;
	} else if (strcmp(word, "readahead") == 0) {
		r = parse_unsigned(word, value, 0, 1u << 20, &options->readahead_kib);
	} else if (strcmp(word, "threads") == 0) {
		r = parse_unsigned(word, value, 1, MAX_THREADS, &options->n_threads);
	} else if (strcmp(word, "inherit") == 0) {
		r = parse_choice(word, value, &options->inherit);
	} else if (strcmp(word, "index") == 0) {
		r = parse_index(options, value);
	} else if (strcmp(word, "previews") == 0) {
		r = parse_choice(word, value, &options->previews);
	} else if (strcmp(word, "seen") == 0) {
		r = parse_choice(word, value, &options->seen);
	} else if (strcmp(word, "views") == 0) {
		r = parse_views(value, &options->views);
	} else if (strcmp(word, "fsname") == 0) {
		r = parse_fsname(options, value);
	} else {
		return 0;
	}
	return r < 0 ? r : 1;
}

static int parse_word(struct fs_options *options, char *word)
{
	char *equals;
	int r;

	if (is_ignored(word) || parse_flag(options, word) == 1)
		return 0;
	if (is_for_kernel(word)) {
		options->noatime |= strcmp(word, "noatime") == 0;
		return add_for_kernel(options, word);
	}
	equals = strchr(word, '=');
	if (equals) {
		*equals = '\0';
		r = parse_value(options, word, equals + 1);
		if (r != 0)
			return r < 0 ? r : 0;
		*equals = '=';
	}
	if (strcmp(word, "remount") == 0)
		return log_err(-EINVAL, "mount option remount: the kernel's to do; call it with: mount -i -o remount");
	return log_err(-EINVAL, "unknown mount option: %s", word);
}

/* Copy up to the next comma that is not escaped. Returns where the list goes on, or NULL at its end. */
static const char *next_word(const char *list, char *word)
{
	for (; *list && *list != ','; list++) {
		if (*list == '\\' && list[1])
			list++;
		*word++ = *list;
	}
	*word = '\0';
	return *list ? list + 1 : NULL;
}

int fs_options_parse(struct fs_options *options, const char *comma_separated)
{
	AUTO(free) char *word = malloc(strlen(comma_separated) + 1);

	if (!word)
		return log_err(-ENOMEM, "no memory for the mount options");
	while (comma_separated) {
		int r = 0;

		comma_separated = next_word(comma_separated, word);
		if (*word)
			r = parse_word(options, word);
		if (r < 0)
			return r;
	}
	return 0;
}
