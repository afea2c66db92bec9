/* fuzz_text.c - names, extended attributes, tags, folded text and queries of arbitrary bytes: what was set is read back the
 * same.
 *
 * The input is a list of calls on one file of a vault that stays open. */
#include "fuzz.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "casefold.h"
#include "commit.h"
#include "library.h"
#include "tags.h"
#include "vault_internal.h"

#define CALLS_MAX 24u
#define RUNS_PER_COMMIT 200u	/* what changes is kept in memory till then */

static struct vault *vault;
static uint64_t file, directory;

static uint64_t make(const char *name, uint32_t mode)
{
	struct vault_attr wanted = { .mode = mode }, made = { 0 };

	vault_change_begin(vault, 0);
	FUZZ_CHECK(vault_make(vault, VAULT_ROOT_ID, name, &wanted, NULL, &made) == 0);
	vault_change_end(vault);
	return made.id;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct vault_open_options options = { .commit_seconds = 3600 };

	(void)argc;
	(void)argv;
	fuzz_quiet();
	FUZZ_CHECK(vault_create(fuzz_path("v"), NULL) == 0);
	FUZZ_CHECK(vault_open(fuzz_path("v"), &options, &vault) == 0);
	file = make("file", S_IFREG | 0600);
	directory = make("directory", S_IFDIR | 0700);
	return 0;
}

static int set_value(const char *name, const void *value, size_t size, int flags)
{
	int r;

	vault_change_begin(vault, 0);
	r = vault_setxattr(vault, file, name, value, size, flags);
	vault_change_end(vault);
	return r;
}

static int remove_value(const char *name)
{
	int r;

	vault_change_begin(vault, 0);
	r = vault_removexattr(vault, file, name);
	vault_change_end(vault);
	return r;
}

/* ---- properties ---- */

static bool is_listed(const char *name)
{
	static char list[VAULT_XATTR_MAX];
	ssize_t n = vault_listxattr(vault, file, list, sizeof(list));

	FUZZ_CHECK(n >= 0 && n == vault_listxattr(vault, file, NULL, 0));
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(list + i) + 1)
		if (strcmp(list + i, name) == 0)
			return true;
	return false;
}

static void check_reads_back(const char *name, const void *value, size_t size)
{
	static char got[VAULT_XATTR_MAX];

	FUZZ_CHECK(vault_getxattr(vault, file, name, NULL, 0) == (ssize_t)size);
	FUZZ_CHECK(vault_getxattr(vault, file, name, got, sizeof(got)) == (ssize_t)size);
	FUZZ_CHECK(memcmp(got, value, size) == 0);
	if (size > 1)
		FUZZ_CHECK(vault_getxattr(vault, file, name, got, size - 1) == -ERANGE);
	FUZZ_CHECK(is_listed(name));
}

/* Only what says nothing is not kept: a list of no tags. */
static bool says_nothing(const uint8_t *value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (value[i] != ',' && value[i] != ' ' && value[i] != 0 && (value[i] < 9 || value[i] > 13))
			return false;
	return true;
}

/* Flags and times have one form in which they are read, and one value that is none. */
static bool has_a_form(const char *name)
{
	static const char *const names[] = { "user.vaultfs.favorite", "user.vaultfs.hidden", "user.vaultfs.seen" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* That form is taken, and stays as it is. */
static void check_form(const char *name)
{
	char form[64];
	ssize_t n = vault_getxattr(vault, file, name, form, sizeof(form));

	if (n == -ENODATA) {
		FUZZ_CHECK(!is_listed(name));
		return;
	}
	FUZZ_CHECK(n > 0 && set_value(name, form, (size_t)n, 0) == 0);
	check_reads_back(name, form, (size_t)n);
}

static void check_set(const char *name, const uint8_t *value, size_t size, int flags)
{
	bool was_there = vault_getxattr(vault, file, name, NULL, 0) >= 0;
	int r = set_value(name, value, size, flags);
	bool is_tags = strcmp(name, "user.xdg.tags") == 0;

	FUZZ_CHECK(r != -EIO && r != -ENOMEM && r != -EBADMSG);
	if (r < 0) {
		FUZZ_CHECK(was_there == (vault_getxattr(vault, file, name, NULL, 0) >= 0));
		return;
	}
	/* A list that says no more than the mode is not kept. */
	if (strncmp(name, "system.", 7) == 0 && vault_getxattr(vault, file, name, NULL, 0) == -ENODATA)
		return;
	if (is_tags && says_nothing(value, size))
		FUZZ_CHECK(vault_getxattr(vault, file, name, NULL, 0) == -ENODATA && !is_listed(name));
	else if (has_a_form(name))
		check_form(name);
	else
		check_reads_back(name, value, size);
}

static void check_removed(const char *name)
{
	int r = remove_value(name);

	if (r == 0)
		FUZZ_CHECK(vault_getxattr(vault, file, name, NULL, 0) == -ENODATA && !is_listed(name));
}

static void check_fold(const uint8_t *bytes, size_t size)
{
	char once[CASEFOLD_SIZE(1024)], twice[CASEFOLD_SIZE(CASEFOLD_SIZE(1024))], lower[1024];
	size_t n, again;

	size = size < 1024 ? size : 1024;
	n = casefold((const char *)bytes, size, once);
	FUZZ_CHECK(n <= CASEFOLD_SIZE(size));
	again = casefold(once, n, twice);
	FUZZ_CHECK(again == n && memcmp(once, twice, n) == 0);
	/* ASCII's case makes no difference. */
	for (size_t i = 0; i < size; i++)
		lower[i] = (char)(bytes[i] >= 'A' && bytes[i] <= 'Z' ? bytes[i] + 32 : bytes[i]);
	again = casefold(lower, size, twice);
	FUZZ_CHECK(again == n && memcmp(once, twice, n) == 0);
}

/* A name is taken as it is, found as it is, and can be removed again. */
static void check_name(const uint8_t *bytes, size_t size)
{
	struct vault_attr wanted = { .mode = S_IFREG | 0600 }, made = { 0 }, found = { 0 };
	char name[301];
	int r;

	size = size < 300 ? size : 300;
	memcpy(name, bytes, size);
	name[size] = '\0';
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || name[0] == '\0')
		return;		/* the kernel never asks for these */
	vault_change_begin(vault, 0);
	r = vault_make(vault, directory, name, &wanted, NULL, &made);
	if (strlen(name) > VAULT_NAME_MAX) {
		FUZZ_CHECK(r == -ENAMETOOLONG);
	} else {
		FUZZ_CHECK(r == 0);
		FUZZ_CHECK(vault_lookup(vault, directory, name, &found) == 0 && found.id == made.id);
		FUZZ_CHECK(vault_make(vault, directory, name, &wanted, NULL, &found) == -EEXIST);
		FUZZ_CHECK(vault_unlink(vault, directory, name, &found) == 0 && found.nlink == 0);
		FUZZ_CHECK(vault_lookup(vault, directory, name, &found) == -ENOENT);
		FUZZ_CHECK(vault_purge(vault, made.id) == 0);
	}
	vault_change_end(vault);
}

/* A query that is understood has one spelling, which means the same; else the spot that is wrong lies in it. */
static void check_query(const uint8_t *bytes, size_t size)
{
	static char text[VAULT_QUERY_MAX + 2];
	struct vault_query *query = NULL, *again = NULL;
	struct vault_query_error error = { 0 };
	char *printed, *printed_again;

	size = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
	memcpy(text, bytes, size);
	text[size] = '\0';
	if (vault_query_parse(text, &query, &error) < 0) {
		FUZZ_CHECK(!query && error.message[0] != '\0');
		FUZZ_CHECK(error.offset <= strlen(text) && error.length <= strlen(text) - error.offset);
		return;
	}
	printed = vault_query_print(query);
	FUZZ_CHECK(printed && vault_query_parse(printed, &again, &error) == 0);
	printed_again = vault_query_print(again);
	FUZZ_CHECK(printed_again && strcmp(printed, printed_again) == 0);
	free(printed);
	free(printed_again);
	vault_query_free(query);
	vault_query_free(again);
}

/* Any bytes are a value, if one quotes them. */
static void check_query_term(const uint8_t *bytes, size_t size)
{
	char value[201], *text;

	size = size < sizeof(value) - 1 ? size : sizeof(value) - 1;
	memcpy(value, bytes, size);
	value[size] = '\0';
	text = vault_query_term("person", value);
	FUZZ_CHECK(text);
	if (value[0] != '\0') {
		struct vault_query_error error = { 0 };
		struct vault_query *query = NULL;

		FUZZ_CHECK(vault_query_parse(text, &query, &error) == 0);
		vault_query_free(query);
	}
	free(text);
}

/* ---- calls ---- */

static void take_xattr_name(struct fuzz_input *input, char ret[300])
{
	static const char *const known[] = { "user.xdg.tags", "user.xdg.comment", "user.baloo.rating", "user.mime_type",
					     "user.custom", "trusted.x", "security.capability",
					     "user.vaultfs.favorite", "user.vaultfs.hidden", "user.vaultfs.seen",
					     "user.vaultfs.prediction", "user.vaultfs.custom",
					     "system.posix_acl_access", "system.posix_acl_default" };
	const size_t n_known = sizeof(known) / sizeof(known[0]);
	size_t which = fuzz_below(input, n_known + 3), size = 0;
	const uint8_t *bytes;

	if (which < n_known) {
		(void)strcpy(ret, known[which]);
		return;
	}
	bytes = fuzz_bytes(input, 260, &size);
	(void)strcpy(ret, which == n_known ? "user." : which == n_known + 1 ? "trusted." : "");
	size = size < 280 ? size : 280;
	ret[strlen(ret) + size] = '\0';
	memcpy(ret + strlen(ret), bytes, size);
}

static void call(struct fuzz_input *input)
{
	size_t kind = fuzz_below(input, 9), size = 0;
	const uint8_t *bytes;
	char name[300] = "";

	switch (kind) {
	case 0:
		bytes = fuzz_bytes(input, 1024, &size);
		check_fold(bytes, size);
		break;
	case 1:
		bytes = fuzz_bytes(input, 300, &size);
		check_name(bytes, size);
		break;
	case 2:
		take_xattr_name(input, name);
		check_removed(name);
		break;
	case 3:
		bytes = fuzz_bytes(input, 2000, &size);
		check_set("user.xdg.tags", bytes, size, 0);
		break;
	case 8:
		bytes = fuzz_bytes(input, VAULT_QUERY_MAX + 1, &size);
		check_query(bytes, size);
		check_query_term(bytes, size);
		break;
	default:
		take_xattr_name(input, name);
		bytes = fuzz_bytes(input, 70000, &size);
		check_set(name, bytes, size, (int)fuzz_below(input, 3));
		break;
	}
}

/* Nothing that one input left may meet the next. */
static void forget_all(void)
{
	static char list[VAULT_XATTR_MAX];
	ssize_t n = vault_listxattr(vault, file, list, sizeof(list));

	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(list + i) + 1)
		FUZZ_CHECK(remove_value(list + i) == 0);
	FUZZ_CHECK(vault_listxattr(vault, file, list, sizeof(list)) == 0);
}

/* Tags stay when nothing has them any more: there would be more with every input. */
static void forget_tags(void)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;

	FUZZ_CHECK(commit_lock(vault, &held) == 0);
	FUZZ_CHECK(db_exec(&vault->db, "DELETE FROM tags") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned n_runs;
	struct fuzz_input input = { data, size };

	for (unsigned i = 0; i < CALLS_MAX && input.left > 0; i++)
		call(&input);
	forget_all();
	if (++n_runs % RUNS_PER_COMMIT == 0) {
		forget_tags();
		FUZZ_CHECK(vault_sync(vault) == 0);
	}
	return 0;
}
