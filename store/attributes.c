/* attributes.c - which attribute shows what. See attributes.h; the values are tags.c's, assets.c's and content.c's. */
#include "attributes.h"

#include "assets.h"
#include "content.h"
#include "tags.h"

enum room { TAGS, ASSET, FINDING };

static const struct attribute {
	const char *name;
	enum room room;
	int which; /* enum asset, enum finding */
} attributes[] = {
	/* listed, in this order */
	{ "user.xdg.tags", TAGS, 0 },
	{ "user.xdg.comment", ASSET, ASSET_NOTE },
	{ "user.baloo.rating", ASSET, ASSET_RATING },
	/* read-only */
	{ "user.mime_type", FINDING, FINDING_MIME },
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

int attribute_put_locked(struct vault *vault, uint64_t id, int attribute, const void *value, size_t size)
{
	const char *text = size > 0 ? value : "";

	switch (attributes[attribute].room) {
	case TAGS:
		return tags_put_locked(vault, id, text, size);
	case ASSET:
		return asset_put_locked(vault, id, (enum asset)attributes[attribute].which, text, size);
	case FINDING:
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
		break;
	}
	return -EPERM;
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
