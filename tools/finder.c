/* finder.c - the Finder's tags. See finder.h. */
#include "finder.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#ifdef HAVE_PLIST
#include <plist/plist.h>
#endif

#include "auto.h"
#include "log.h"
#include "vault.h"

#define ATTRIBUTE "com.apple.metadata:_kMDItemUserTags"
#define PRIVATE_COLON "\xef\x80\xa2" /* U+F022: what a colon may become on its way through SMB */

/* Pass over `prefix`, if the text starts with it. */
static bool skip(const char **text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(*text, prefix, n) != 0)
		return false;
	*text += n;
	return true;
}

/* "user.com.apple.metadata:_kMDItemUserTags", or Samba's "user.DosStream.com.apple.metadata:_kMDItemUserTags:$DATA". */
static bool is_tags_name(const char *name, bool *ret_stream)
{
	const char *at = ATTRIBUTE;
	size_t colon = strcspn(at, ":");

	if (!skip(&name, "user."))
		return false;
	*ret_stream = skip(&name, "DosStream.");
	if (strncmp(name, at, colon) != 0)
		return false;
	name += colon;
	if (!skip(&name, PRIVATE_COLON) && !skip(&name, ":"))
		return false;
	if (!skip(&name, at + colon + 1))
		return false;
	return *name == '\0' || (*ret_stream && strcmp(name, ":$DATA") == 0);
}

#ifdef HAVE_PLIST

bool finder_is_supported(void)
{
	return true;
}

/* "name", or "name", a newline and the color's number. Cuts `text`. */
static unsigned cut_color(char *text)
{
	char *newline = strrchr(text, '\n');
	unsigned color = 0;

	if (!newline)
		return 0;
	*newline = '\0';
	if (newline[1] >= '1' && newline[1] <= '7' && newline[2] == '\0')
		color = (unsigned)(newline[1] - '0');
	return color;
}

/* One tag of the list; one that is empty, or could not be one here, is passed over. */
static int add_tag(struct finder_tags *tags, const char *text)
{
	AUTO(free) char *name = strdup(text);
	struct finder_tag *grown;
	unsigned color;

	if (!name)
		return log_err(-ENOMEM, "no memory for tags");
	color = cut_color(name);
	for (char *c = name; *c; c++) {
		if ((unsigned char)*c < ' ')
			return 0;
		if (*c == ',')
			*c = ';';
	}
	if (name[strspn(name, " ")] == '\0')
		return 0;
	grown = reallocarray(tags->tags, tags->n + 1, sizeof(*grown));
	if (!grown)
		return log_err(-ENOMEM, "no memory for tags");
	tags->tags = grown;
	tags->tags[tags->n++] = (struct finder_tag){ TAKE(name), color };
	return 0;
}

static int add_item(struct finder_tags *tags, plist_t item)
{
	AUTO(free) char *text = NULL;

	if (plist_get_node_type(item) != PLIST_STRING)
		return -EINVAL;
	plist_get_string_val(item, &text);
	return text ? add_tag(tags, text) : log_err(-ENOMEM, "no memory for tags");
}

static inline void auto_plist(plist_t *list)
{
	plist_free(*list);
}

/* -EINVAL (silent) no list of strings. */
static int parse(const char *bytes, size_t size, struct finder_tags *tags)
{
	AUTO(plist) plist_t list = NULL;
	int r = 0;

	if (plist_is_binary(bytes, (uint32_t)size))
		plist_from_bin(bytes, (uint32_t)size, &list);
	else
		plist_from_xml(bytes, (uint32_t)size, &list);
	if (!list || plist_get_node_type(list) != PLIST_ARRAY)
		return -EINVAL;
	for (uint32_t i = 0; r == 0 && i < plist_array_get_size(list); i++)
		r = add_item(tags, plist_array_get_item(list, i));
	return r;
}

#else

bool finder_is_supported(void)
{
	return false;
}

static int parse(const char *bytes, size_t size, struct finder_tags *tags)
{
	(void)bytes;
	(void)size;
	(void)tags;
	return -EOPNOTSUPP;
}

#endif

static int read_one(const char *path, const char *name, bool is_stream, struct finder_tags *ret)
{
	AUTO(free) char *value = malloc(VAULT_XATTR_MAX);
	ssize_t n;
	int r;

	if (!value)
		return log_err(-ENOMEM, "%s: no memory for its tags", path);
	n = getxattr(path, name, value, VAULT_XATTR_MAX);
	if (n < 0)
		return errno == ENODATA ? 0 : log_err(-errno, "%s: cannot read %s: ", path, name);
	if (is_stream && n > 0 && value[n - 1] == '\0') /* Samba's, behind every stream */
		n--;
	r = n > 0 ? parse(value, (size_t)n, ret) : 0;
	return r == -EINVAL ? log_err(r, "%s: %s is no list of tags", path, name) : r;
}

int finder_read(const char *path, struct finder_tags *ret)
{
	AUTO(free) char *names = malloc(VAULT_XATTR_MAX);
	ssize_t n;
	int r = 0;

	if (!names)
		return log_err(-ENOMEM, "%s: no memory for its attributes", path);
	n = listxattr(path, names, VAULT_XATTR_MAX);
	if (n < 0)
		return log_err(-errno, "%s: cannot list its attributes: ", path);
	for (const char *name = names; name < names + n; name += strlen(name) + 1) {
		bool is_stream;
		int one = is_tags_name(name, &is_stream) ? read_one(path, name, is_stream, ret) : 0;

		r = r < 0 ? r : one;
	}
	return r;
}

const char *finder_color_name(unsigned color)
{
	static const char *const names[] = { NULL, "gray", "green", "purple", "blue", "yellow", "red", "orange" };

	return color < sizeof(names) / sizeof(names[0]) ? names[color] : NULL;
}

void finder_tags_release(struct finder_tags *tags)
{
	for (size_t i = 0; i < tags->n; i++)
		free(tags->tags[i].name);
	free(tags->tags);
	*tags = (struct finder_tags){ 0 };
}
