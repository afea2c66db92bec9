/* view_xattr.c - extended attributes of view folders: what is set of a tag, and the query that a folder shows. */
#include "view_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "loop.h"
#include "reply.h"

#define QUERY_NAME "user.vaultfs.query"

static const struct {
	const char *name;
	enum vault_tag_text which;
} texts[] = {
	{ "user.vaultfs.color", VAULT_TAG_COLOR },
	{ "user.vaultfs.icon", VAULT_TAG_ICON },
	{ "user.vaultfs.aliases", VAULT_TAG_ALIASES },
	{ "user.vaultfs.implies", VAULT_TAG_IMPLIES },
};
#define N_TEXTS ((int)(sizeof(texts) / sizeof(texts[0])))

static int text_find(const char *name)
{
	for (int i = 0; i < N_TEXTS; i++)
		if (strcmp(texts[i].name, name) == 0)
			return i;
	return -ENODATA;
}

/* The tag whose folder it is; NULL: it is another one. */
static const char *tag_of(const struct view_path *path)
{
	return view_path_last(path)->tag;
}

static ssize_t get_query(struct fs *fs, const struct view_path *path, char *buffer, size_t size)
{
	AUTO(free) char *query = NULL;
	int r = view_path_query(fs->vault, path, &query);
	size_t n;

	if (r < 0)
		return r == -EISDIR ? -ENODATA : r;
	n = strlen(query);
	if (size > 0 && n > size)
		return -ERANGE;
	if (size > 0)
		memcpy(buffer, query, n);
	return (ssize_t)n;
}

static ssize_t get(struct fs *fs, const struct view_path *path, const char *name, char *buffer, size_t size)
{
	int i = text_find(name);

	if (strncmp(name, "user.", 5) != 0)
		return strncmp(name, "system.posix_acl_", 17) == 0 && fs->acls ? -ENODATA : -EOPNOTSUPP;
	if (strcmp(name, QUERY_NAME) == 0)
		return get_query(fs, path, buffer, size);
	if (i < 0 || !tag_of(path))
		return -ENODATA;
	return vault_tag_get_text(fs->vault, tag_of(path), texts[i].which, buffer, size);
}

static ssize_t list_add(char *list, size_t size, ssize_t used, const char *name)
{
	size_t n = strlen(name) + 1;

	if (size == 0)
		return used + (ssize_t)n;
	if ((size_t)used + n > size)
		return -ERANGE;
	memcpy(list + used, name, n);
	return used + (ssize_t)n;
}

/* What is set. The query is not named, as the others that only tell are not. */
static ssize_t list(struct fs *fs, const struct view_path *path, char *buffer, size_t size)
{
	ssize_t used = 0;

	for (int i = 0; i < N_TEXTS && used >= 0 && tag_of(path); i++)
		if (vault_tag_get_text(fs->vault, tag_of(path), texts[i].which, NULL, 0) >= 0)
			used = list_add(buffer, size, used, texts[i].name);
	return used;
}

static int reply(struct view_request *request, const char *buffer, ssize_t n)
{
	if (n < 0)
		return (int)n;
	if (request->size == 0)
		(void)fuse_reply_xattr(request->req, (size_t)n);	/* an interrupted request needs no answer */
	else
		(void)fuse_reply_buf(request->req, buffer, (size_t)n);	/* as above */
	return 0;
}

/* Without a name: the list of them. */
static int serve_get(struct view_request *request)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	size_t room = request->size < VAULT_XATTR_MAX ? request->size : VAULT_XATTR_MAX;
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r < 0)
		return r;
	return reply(request, request->buffer, request->name ? get(fs, path, request->name, request->buffer, room) :
							       list(fs, path, request->buffer, room));
}

void views_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_get, .ino = ino,
					.name = name, .size = size, .buffer = worker_self()->reply };

	view_request_run(&request);
}

void views_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	views_getxattr(req, ino, NULL, size);
}

static int set_query(struct view_request *request, const struct view_path *path)
{
	AUTO(free) char *query = strndup(request->value, request->size);
	int r;

	if (!query)
		return log_err(-ENOMEM, "no memory for the query of %s", view_path_last(path)->name);
	if (strlen(query) != request->size || request->size == 0)
		return -EINVAL;
	view_change_begin(request);
	r = vault_search_put(request->fs->vault, view_path_last(path)->name, query, VAULT_SEARCH_OLD);
	view_change_end(request);
	if (r >= 0)
		reply_done(request->req, 0);
	return r;
}

static int serve_set(struct view_request *request)
{
	struct fs *fs = request->fs;
	AUTO(view_path) struct view_path *path = NULL;
	int i = text_find(request->name);
	int r = view_nodes_path(fs->views->nodes, request->ino, &path);

	if (r < 0)
		return r;
	if (strncmp(request->name, "user.", 5) != 0)
		return -EOPNOTSUPP;
	if (strcmp(request->name, QUERY_NAME) == 0 && view_path_last(path)->shape->kind == VIEW_SAVED_ONE)
		return set_query(request, path);
	if (i < 0 || !tag_of(path))
		return -EPERM;
	view_change_begin(request);
	r = vault_tag_set_text(fs->vault, tag_of(path), texts[i].which, request->value, request->size);
	view_change_end(request);
	if (r >= 0)
		reply_done(request->req, 0);
	return r;
}

void views_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size)
{
	struct view_request request = { .fs = fuse_req_userdata(req), .req = req, .serve = serve_set, .ino = ino,
					.name = name, .value = value, .size = size };

	view_request_run(&request);
}

void views_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	views_setxattr(req, ino, name, "", 0);
}
