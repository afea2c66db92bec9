/* tag_editor.c - change the tags of a vault, mounted or not. See tag_editor.h. */
#include "tag_editor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "auto.h"
#include "log.h"
#include "tags.h"

#define FOLDERS ".views/tags"

static const char *const text_names[] = { "color", "icon", "aliases", "implies" };

/* What an errno means here; NULL: what the system says. */
static const char *meaning(int r)
{
	switch (r) {
	case -ENOENT:
		return "there is no such tag";
	case -EEXIST:
		return "there is such a tag or alias already";
	case -ENOTEMPTY:
		return "files have it, or there are tags below it: --used removes all of that";
	case -ENAMETOOLONG:
		return "a tag has at most 255 bytes";
	case -ENOSPC:
		return "there are as many tags or rules as there may be, or the disk is full";
	default:
		return NULL;
	}
}

/* `invalid`: what -EINVAL means. 0 is passed on. */
static int say(const struct tag_editor *editor, int r, const char *name, const char *invalid)
{
	const char *text = r == -EINVAL ? invalid : meaning(r);

	if (r >= 0)
		return r;
	if (text)
		return log_err(r, "%s: %s: %s", editor->what, name, text);
	errno = -r;
	return log_err(r, "%s: %s: ", editor->what, name);
}

static const char bad_name[] = "a tag has no ',' in its name, no blanks around it and no empty step, \".\" or \"..\"";

/* ---- where it is mounted ---- */

/* The folder of a tag; NULL without memory, or if none can be called so (logged). */
static char *folder_of(const struct tag_editor *editor, const char *name)
{
	char *path = NULL;
	const char *step = name;

	for (;;) {
		size_t n = strcspn(step, "/");

		if (n == 0 || (n == 1 && step[0] == '.') || (n == 2 && step[0] == '.' && step[1] == '.')) {
			(void)say(editor, -EINVAL, name, bad_name);
			return NULL;
		}
		if (step[n] == '\0')
			break;
		step += n + 1;
	}
	if (asprintf(&path, "%s/%s", editor->folders, name) < 0) {
		(void)log_err(-ENOMEM, "%s: no memory for a path", editor->what);
		return NULL;
	}
	return path;
}

/* Make the folders above `path`, and itself if `last`. -EEXIST where the last one is there. */
static int make_folders(const struct tag_editor *editor, char *path, bool last)
{
	char *slash = path + strlen(editor->folders);
	int r = 0;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		r = mkdir(path, 0777);
		*slash = '/';
		if (r < 0 && errno != EEXIST)
			return -errno;
	}
	if (last && mkdir(path, 0777) < 0)
		return -errno;
	return 0;
}

static int mounted_make(struct tag_editor *editor, const char *name)
{
	AUTO(free) char *path = folder_of(editor, name);

	return path ? say(editor, make_folders(editor, path, true), name, bad_name) : -EINVAL;
}

static int mounted_rename(struct tag_editor *editor, const char *from, const char *to)
{
	AUTO(free) char *old = folder_of(editor, from);
	AUTO(free) char *new = old ? folder_of(editor, to) : NULL;
	struct stat st;
	int r;

	if (!new)
		return -EINVAL;
	if (stat(old, &st) < 0)
		return say(editor, -errno, from, bad_name);
	r = make_folders(editor, new, false);
	if (r == 0 && rename(old, new) < 0)
		r = -errno;
	return say(editor, r, to, "no name that the tag can have");
}

/* Take the tag of this folder from the files in it. What counts as having it by a rule stays. */
static int empty_folder(const char *path)
{
	AUTO(dir) DIR *folder = opendir(path);
	struct dirent *entry;

	if (!folder)
		return -errno;
	while (errno = 0, (entry = readdir(folder)))
		if (entry->d_type != DT_DIR && strcmp(entry->d_name, "PLAYLIST.m3u8") != 0 &&
		    unlinkat(dirfd(folder), entry->d_name, 0) < 0 && errno != EPERM && errno != ENOENT)
			return -errno;
	return -errno;
}

/* The folders of `name` and of all tags below it, those below first. */
static int mounted_remove_used(struct tag_editor *editor, const char *name)
{
	AUTO(vault) struct vault *vault = NULL;
	AUTO(vault_tags) struct vault_tags tags = { .tags = NULL };
	int r = target_open(editor->what, editor->target, &vault);

	if (r < 0)
		return r;
	r = say(editor, vault_tag_list(vault, name, VAULT_TAG_LIST_TREE, &tags), name, bad_name);
	for (size_t i = tags.n + 1; r == 0 && i-- > 0;) {
		const char *one = i > 0 ? tags.tags[i - 1].name : name;
		AUTO(free) char *path = folder_of(editor, one);

		r = path ? empty_folder(path) : -EINVAL;
		if (r == 0 && rmdir(path) < 0)
			r = -errno;
		if (path)
			r = say(editor, r, one, bad_name);
	}
	return r;
}

static int mounted_remove(struct tag_editor *editor, const char *name)
{
	AUTO(free) char *path = folder_of(editor, name);

	if (!path)
		return -EINVAL;
	return say(editor, rmdir(path) < 0 ? -errno : 0, name, bad_name);
}

/* "user.vaultfs.color" and its like. */
static void attribute_name(enum vault_tag_text which, char ret[32])
{
	(void)snprintf(ret, 32, "user.vaultfs.%s", text_names[which]); /* fits */
}

static int mounted_set(struct tag_editor *editor, const char *name, enum vault_tag_text which, const char *text)
{
	AUTO(free) char *path = folder_of(editor, name);
	char attribute[32];
	int r;

	if (!path)
		return -EINVAL;
	attribute_name(which, attribute);
	r = make_folders(editor, path, true);
	if (r < 0 && r != -EEXIST)
		return r;
	if (*text)
		return setxattr(path, attribute, text, strlen(text), 0) < 0 ? -errno : 0;
	return removexattr(path, attribute) < 0 && errno != ENODATA ? -errno : 0;
}

static ssize_t mounted_get(struct tag_editor *editor, const char *name, enum vault_tag_text which, char *buffer, size_t size)
{
	AUTO(free) char *path = folder_of(editor, name);
	char attribute[32];
	ssize_t n;

	if (!path)
		return -EINVAL;
	attribute_name(which, attribute);
	n = getxattr(path, attribute, buffer, size);
	return n < 0 ? -errno : n;
}

/* ---- either ---- */

/* Change, and again while more remains to be changed; each time as a change of its own. */
#define CHANGE(editor, call)                                  \
	__extension__({                                       \
		int result_;                                  \
		do {                                          \
			vault_change_begin((editor)->vault, 0); \
			result_ = (call);                     \
			vault_change_end((editor)->vault);    \
		} while (result_ == 1);                       \
		result_;                                      \
	})

int tag_editor_open(const char *what, const struct target *target, struct tag_editor *ret)
{
	*ret = (struct tag_editor){ .what = what, .target = target };
	if (target->kind == TARGET_VAULT)
		return vault_open(target->vault, NULL, &ret->vault);
	if (asprintf(&ret->folders, "%s/" FOLDERS, target->mount) < 0) {
		ret->folders = NULL; /* undefined then */
		return log_err(-ENOMEM, "%s: no memory for a path", what);
	}
	if (access(ret->folders, F_OK) < 0)
		return log_err(-errno, "%s: %s: the folders of tags cannot be reached: ", what, ret->folders);
	return 0;
}

int tag_editor_close(struct tag_editor *editor)
{
	int r = editor->folders ? 0 : vault_close(TAKE(editor->vault));

	free(TAKE(editor->folders));
	return r;
}

int tag_editor_make(struct tag_editor *editor, const char *name)
{
	if (editor->folders)
		return mounted_make(editor, name);
	return say(editor, CHANGE(editor, vault_tag_make(editor->vault, name)), name, bad_name);
}

int tag_editor_rename(struct tag_editor *editor, const char *from, const char *to)
{
	int r;

	if (editor->folders)
		return mounted_rename(editor, from, to);
	r = CHANGE(editor, vault_tag_rename(editor->vault, from, to));
	return say(editor, r, r == -ENOENT ? from : to, "no name that the tag can have");
}

int tag_editor_remove(struct tag_editor *editor, const char *name, bool used)
{
	if (editor->folders)
		return used ? mounted_remove_used(editor, name) : mounted_remove(editor, name);
	return say(editor, CHANGE(editor, vault_tag_remove(editor->vault, name, used ? VAULT_TAG_REMOVE_USED : 0)), name, bad_name);
}

int tag_editor_set(struct tag_editor *editor, const char *name, enum vault_tag_text which, const char *text)
{
	static const char *const invalid[] = {
		"a color is #rrggbb, or black, blue, brown, cyan, gray, green, magenta, orange, pink, purple, red, white or yellow",
		"an icon has the name of one in an icon theme, such as folder-pictures",
		"an alias is a name that tags can have, and does not begin the tag's own",
		"a tag implies others, not itself, with names that tags can have",
	};
	int r;

	if (editor->folders)
		r = mounted_set(editor, name, which, text);
	else
		r = CHANGE(editor, vault_tag_set_text(editor->vault, name, which, text, strlen(text)));
	if (r == -EEXIST && which == VAULT_TAG_ALIASES)
		return log_err(r, "%s: %s: one of \"%s\" leads to another tag", editor->what, name, text);
	return say(editor, r, name, invalid[which]);
}

/* The list as it is, with one word more or less. */
static int change_list(struct tag_editor *editor, const char *name, enum vault_tag_text which, const char *word, bool add)
{
	AUTO(free) char *old = malloc(VAULT_XATTR_MAX + 1);
	AUTO(free) char *text = NULL;
	AUTO(tags) struct tags words = { 0 };
	AUTO(tags) struct tags given = { 0 };
	ssize_t n;
	int r;

	if (!old)
		return log_err(-ENOMEM, "%s: no memory for a list of tags", editor->what);
	if (editor->folders)
		n = mounted_get(editor, name, which, old, VAULT_XATTR_MAX);
	else
		n = vault_tag_get_text(editor->vault, name, which, old, VAULT_XATTR_MAX);
	if (n < 0 && n != -ENODATA && (n != -ENOENT || !add))
		return say(editor, (int)n, name, bad_name);
	old[n < 0 ? 0 : n] = '\0';
	r = tags_add(&words, old);
	if (r == 0)
		r = tags_add(add ? &words : &given, word);
	if (r < 0)
		return r;
	if (!add) {
		size_t before = words.n;

		tags_subtract(&words, &given);
		if (words.n == before)
			return log_err(-ENOENT, "%s: %s: %s is not among its %s", editor->what, name, word,
				       which == VAULT_TAG_ALIASES ? "aliases" : "implications");
	}
	text = tags_to_text(&words);
	if (!text)
		return log_err(-ENOMEM, "%s: no memory for a list of tags", editor->what);
	return tag_editor_set(editor, name, which, text);
}

int tag_editor_add(struct tag_editor *editor, const char *name, enum vault_tag_text which, const char *word)
{
	return change_list(editor, name, which, word, true);
}

int tag_editor_subtract(struct tag_editor *editor, const char *name, enum vault_tag_text which, const char *word)
{
	return change_list(editor, name, which, word, false);
}
