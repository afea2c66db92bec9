/* seen.c - an open-addressing table from (device, inode) to a number. See seen.h. */
#include "seen.h"

#include <errno.h>
#include <stdlib.h>

#include "auto.h"
#include "log.h"

#define FIRST_SLOTS 256u

/* Where the pair is, or the free slot where it belongs; there always is a free one. */
static struct seen_entry *slot_of(struct seen_entry *slots, size_t n_slots, uint64_t device, uint64_t inode)
{
	uint64_t hash = (inode ^ (device << 32 | device >> 32)) * UINT64_C(0x9E3779B97F4A7C15);
	size_t i = (size_t)(hash >> 20) & (n_slots - 1);

	while (slots[i].value && (slots[i].device != device || slots[i].inode != inode))
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

uint64_t seen_find(const struct seen *seen, uint64_t device, uint64_t inode)
{
	return seen->n_slots ? slot_of(seen->slots, seen->n_slots, device, inode)->value : 0;
}

static int grow(struct seen *seen)
{
	size_t n = seen->n_slots ? 2 * seen->n_slots : FIRST_SLOTS;
	struct seen_entry *slots = calloc(n, sizeof(*slots));

	if (!slots)
		return log_err(-ENOMEM, "no memory to remember hard links");
	for (size_t i = 0; i < seen->n_slots; i++) {
		const struct seen_entry *old = &seen->slots[i];

		if (old->value)
			*slot_of(slots, n, old->device, old->inode) = *old;
	}
	free(seen->slots);
	seen->slots = slots;
	seen->n_slots = n;
	return 0;
}

int seen_put(struct seen *seen, uint64_t device, uint64_t inode, uint64_t value)
{
	int r = 0;

	if (4 * (seen->n_used + 1) > 3 * seen->n_slots)
		r = grow(seen);
	if (r < 0)
		return r;
	*slot_of(seen->slots, seen->n_slots, device, inode) =
		(struct seen_entry){ .device = device, .inode = inode, .value = value };
	seen->n_used++;
	return 0;
}

void seen_release(struct seen *seen)
{
	free(seen->slots);
	*seen = (struct seen){ 0 };
}
