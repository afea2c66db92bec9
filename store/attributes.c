/* attributes.c - which attribute shows what. See attributes.h; the values are tags.c's, assets.c's and content.c's. */
#include "attributes.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "assets.h"
#include "content.h"
#include "find_queries.h"
#include "given_up.h"
#include "inodes.h"
#include "manifest.h"
#include "readers.h"
#include "tags.h"

#define VAULTFS "user.vaultfs." /* names of ours */

enum count { COUNT_CHUNKS, COUNT_STORED, COUNT_SHARED };
enum room { TAGS, ASSET, QUALITY, FINDING, COUNT };

static const struct attribute {
	const char *name;
	enum room room;
	int which; /* enum asset, enum finding, enum count */
} attributes[] = {
	/* listed, in this order */
	{ "user.xdg.tags", TAGS, 0 },
	{ "user.xdg.comment", ASSET, ASSET_NOTE },
	{ "user.baloo.rating", ASSET, ASSET_RATING },
	{ VAULTFS "favorite", ASSET, ASSET_FAVORITE },
	{ VAULTFS "hidden", ASSET, ASSET_HIDDEN },
	{ VAULTFS "seen", ASSET, ASSET_SEEN },
	{ VAULTFS "prediction", ASSET, ASSET_PREDICTION },
	{ VAULTFS "custom", ASSET, ASSET_CUSTOM },
	/* read-only */
	{ "user.mime_type", FINDING, FINDING_MIME },
	{ VAULTFS "kind", FINDING, FINDING_KIND },
	{ VAULTFS "sha256", FINDING, FINDING_SHA256 },
	{ VAULTFS "media", FINDING, FINDING_MEDIA },
	{ VAULTFS "error", FINDING, FINDING_ERROR },
	{ VAULTFS "quality", QUALITY, 0 },
	{ VAULTFS "chunks", COUNT, COUNT_CHUNKS },
	{ VAULTFS "stored", COUNT, COUNT_STORED },
	{ VAULTFS "shared", COUNT, COUNT_SHARED },
};
#define N_ATTRIBUTES ((int)(sizeof(attributes) / sizeof(attributes[0])))

_Static_assert(ATTRIBUTES_N_LISTED == 1 + ASSET_N, "tags and all assets are listed");

int attribute_find(const char *name)
{
	if (strncmp(name, "user.", 5) != 0)
		return -ENOENT;
	for (int i = 0; i < N_ATTRIBUTES; i++)
		if (strcmp(name, attributes[i].name) == 0)
			return i;
	return -ENOENT;
}

/* Web addresses have no control characters; so nobody needs to quote them. */
static int check_url(const unsigned char *value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (value[i] < ' ' || value[i] == 0x7f)
			return -EINVAL;
	return size > 0 ? 0 : -EINVAL;
}

int attribute_check_kept(const char *name, const void *value, size_t size)
{
	if (strcmp(name, "user.xdg.origin.url") == 0)
		return check_url(value, size);
	return strncmp(name, VAULTFS, strlen(VAULTFS)) == 0 ? -EINVAL : 0;
}

bool attribute_is_read_only(int attribute)
{
	return attribute >= ATTRIBUTES_N_LISTED;
}

const char *attribute_name(int attribute)
{
	return attributes[attribute].name;
}

int attributes_present_locked(struct vault *vault, uint64_t id, bool ret[ATTRIBUTES_N_LISTED])
{
	bool assets[ASSET_N];
	int r = assets_present_locked(vault, id, assets);
	int tagged = r < 0 ? r : tags_has_any_locked(vault, id);

	if (tagged < 0)
		return tagged;
	for (int i = 0; i < ATTRIBUTES_N_LISTED; i++)
		ret[i] = attributes[i].room == TAGS ? tagged : assets[attributes[i].which];
	return 0;
}

static int get_locked(struct vault *vault, uint64_t id, const struct attribute *attribute, struct value *ret)
{
	switch (attribute->room) {
	case TAGS:
		return tags_get_locked(vault, id, ret);
	case ASSET:
		return asset_get_locked(vault, id, (enum asset)attribute->which, ret);
	case QUALITY:
		return asset_quality_locked(vault, id, ret);
	case COUNT:
		break; /* attribute_count() */
	case FINDING:
		return content_get_locked(vault, id, (enum finding)attribute->which, ret);
	}
	return -ENODATA;
}

ssize_t attribute_get_locked(struct vault *vault, uint64_t id, int attribute, void *buffer, size_t size)
{
	struct value value = { buffer, size, 0 };
	int r = get_locked(vault, id, &attributes[attribute], &value);

	return r < 0 ? r : value_result(&value);
}

bool attribute_is_count(int attribute)
{
	return attributes[attribute].room == COUNT;
}

static int manifest_of(struct vault *vault, uint64_t id, uint64_t *ret)
{
	AUTO(unlock) pthread_mutex_t *held = lock_mutex(&vault->db.lock);
	struct inode inode;
	int r = inode_get_locked(vault, id, &inode);

	if (r < 0)
		return r;
	*ret = inode.manifest_id;
	return S_ISREG(inode.attr.mode) ? 0 : -ENODATA;
}

static int info_of(struct vault *vault, uint64_t manifest, struct vault_file_info *ret)
{
	AUTO(reader) struct reader *reader = NULL;
	AUTO(query) sqlite3_stmt *row = NULL;
	int r = reader_get(vault, &reader);

	if (r < 0)
		return r;
	row = db_query(&reader->db, DB_SET_find, FIND_FILE_INFO);
	return manifest_info_from(&reader->db, row, manifest, ret);
}

ssize_t attribute_count(struct vault *vault, uint64_t id, int attribute, void *buffer, size_t size)
{
	struct value value = { buffer, size, 0 };
	struct vault_file_info info = { 0 };
	uint64_t manifest = 0;
	char text[24];
	int r = manifest_of(vault, id, &manifest);

	if (r == 0)
		r = info_of(vault, manifest, &info);
	if (r < 0)
		return r;
	r = snprintf(text, sizeof(text), "%" PRIu64,
		     attributes[attribute].which == COUNT_CHUNKS   ? info.n_chunks
		     : attributes[attribute].which == COUNT_STORED ? info.stored_bytes
								   : info.shared_bytes);
	value_add(&value, text, (size_t)r); /* 20 digits fit */
	return value_result(&value);
}

int attribute_put_locked(struct vault *vault, uint64_t id, int attribute, const void *value, size_t size)
{
	const char *text = size > 0 ? value : "";

	switch (attributes[attribute].room) {
	case TAGS:
		return tags_put_locked(vault, id, text, size);
	case ASSET:
		return asset_put_locked(vault, id, (enum asset)attributes[attribute].which, text, size);
	case FINDING:
	case QUALITY:
	case COUNT:
		break;
	}
	return -EPERM;
}

int attribute_remove_locked(struct vault *vault, uint64_t id, int attribute)
{
	switch (attributes[attribute].room) {
	case TAGS:
		return tags_put_locked(vault, id, "", 0);
	case ASSET:
		return asset_remove_locked(vault, id, (enum asset)attributes[attribute].which);
	case FINDING:
	case QUALITY:
	case COUNT:
		break;
	}
	return -EPERM;
}

/* 1 it was given something of its own; 0. Vaults of older versions have tags without a row in assets. */
static int has_own_locked(struct vault *vault, uint64_t id)
{
	int r = assets_has_any_locked(vault, id);

	return r == 0 ? tags_has_any_locked(vault, id) : r;
}

int attributes_inherit_locked(struct vault *vault, uint64_t from, uint64_t to)
{
	int r = has_own_locked(vault, to);

	if (r != 0)
		return r < 0 ? r : 0;
	r = has_own_locked(vault, from);
	if (r <= 0)
		return r;
	r = assets_copy_locked(vault, from, to);
	return r < 0 ? r : tags_copy_locked(vault, from, to);
}

int attributes_inherit_by_name_locked(struct vault *vault, uint64_t directory_id, const char *name, uint64_t to)
{
	uint64_t from = given_up_take_locked(vault, directory_id, name);

	return from == 0 || from == to ? 0 : attributes_inherit_locked(vault, from, to);
}

int attributes_forget_locked(struct vault *vault, uint64_t id)
{
	int r = tags_forget_locked(vault, id);

	if (r == 0)
		r = assets_forget_locked(vault, id);
	if (r == 0)
		r = content_forget_locked(vault, id);
	return r;
}
