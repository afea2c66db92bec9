/* fuzz_packs.c - packs of arbitrary bytes: scanned, visited, searched, read, built into a database, and appended to.
 *
 * The input is a bundle of packs (pack_bundle.h). The mutator works on records and repairs checksums. */
#include "fuzz.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack_bundle.h"
#include "packs.h"
#include "recover.h"
#include "schema.h"
#include "tables.h"

static int packs_fd = -1;
static struct vault vault;	/* with a database that is empty between inputs */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	FUZZ_CHECK(mkdir(fuzz_path("packs"), 0700) == 0);
	packs_fd = open(fuzz_path("packs"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(packs_fd >= 0);
	FUZZ_CHECK(asprintf(&vault.path, "%s", fuzz_directory()) > 0);
	FUZZ_CHECK(db_open(&vault.db, fuzz_path("vault.db"), DB_OPEN_CREATE) == 0);
	tables_prepare(&vault.db);
	return 0;
}

static const char *pack_path(size_t number)
{
	char name[40];

	(void)snprintf(name, sizeof(name), "packs/%08zu.pack", number);
	return fuzz_path(name);
}

static struct packs *open_packs(bool read_only)
{
	struct packs_options options = { .pack_size = 1 << 20, .read_only = read_only };
	struct packs *packs = NULL;

	memcpy(options.uuid, vault.uuid, 16);
	return packs_open(packs_fd, "packs", &options, &packs) == 0 ? packs : NULL;
}

/* ---- reading ---- */

#define ITEMS_MAX 64u

struct items {
	struct packs_item list[ITEMS_MAX];
	size_t n;
	uint64_t sum;		/* of what was handed out, so that it is looked at */
};

static int take_item(void *context, const struct packs_item *item)
{
	struct items *items = context;

	FUZZ_CHECK(item->record.raw_size >= 1 && item->record.raw_size <= RECORD_RAW_MAX);
	FUZZ_CHECK(item->record.stored_size >= 1 && item->record.stored_size <= RECORD_STORED_MAX);
	FUZZ_CHECK(item->record.part < item->record.n_parts);
	if (item->stored)
		items->sum += checksum_xxh3(item->stored, item->record.stored_size);
	if (items->n < ITEMS_MAX)
		items->list[items->n++] = *item;
	return 0;
}

static void read_items(struct packs *packs, const struct items *items)
{
	static uint8_t stored[RECORD_STORED_MAX];

	for (size_t i = 0; i < items->n; i++) {
		const struct packs_item *item = &items->list[i];
		struct record record;
		uint32_t size = item->record.stored_size;

		(void)packs_read_record(packs, item->place, &record, stored, NULL);
		packs_read_ahead(packs, item->place, size, 0, size);
		(void)packs_read(packs, item->place, item->record.type, item->record.id, size, size / 2, size - size / 2, stored);
		(void)packs_read(packs, item->place, item->record.type, item->record.id, size / 2 + 1, 0, size / 2 + 1, stored);
	}
}

static void read_all(void)
{
	static struct items items;
	struct packs *packs = open_packs(true);
	struct place end, from = { 0, 0 };
	struct packs_item found;

	if (!packs)
		return;
	items.n = 0;
	(void)packs_scan(packs, from, 0, take_item, &items, &end);
	(void)packs_scan(packs, from, PACKS_SCAN_DATA, take_item, &items, &end);
	for (uint64_t n = packs_next(packs, 0); n != 0; n = packs_next(packs, n))
		(void)packs_visit(packs, n, take_item, &items);
	read_items(packs, &items);
	for (uint8_t type = 0; type < 3; type++) {
		from = (struct place){ 0, 0 };
		for (unsigned i = 0; i < 20 && packs_search(packs, from, type == 2 ? RECORD_COMMIT : type, &found) == 1; i++) {
			FUZZ_CHECK(found.next.pack > found.place.pack ||
				   (found.next.pack == found.place.pack && found.next.offset > found.place.offset));
			from = found.next;
		}
	}
	packs_close(packs);
}

/* ---- building a database ---- */

static void rebuild(void)
{
	bool damaged = false;

	vault.packs = open_packs(true);
	if (!vault.packs)
		return;
	memset(&vault.state, 0, sizeof(vault.state));
	(void)pthread_mutex_lock(&vault.db.lock);
	if (recover_rebuild_locked(&vault, &damaged) == 0) {
		struct recover_tail tail;
		uint64_t commit = vault.state.commit;

		/* What was built is what stands there: nothing is left to replay, whatever the packs hold. */
		if (recover_inspect(&vault, &tail) == 0 && !damaged)
			FUZZ_CHECK(tail.n_commits == 0 && tail.last.commit == commit);
	}
	db_rollback(&vault.db);
	tables_empty(vault.db.handle);
	(void)pthread_mutex_unlock(&vault.db.lock);
	packs_close(vault.packs);
	vault.packs = NULL;
}

/* ---- appending ---- */

static int count_item(void *context, const struct packs_item *item)
{
	(void)item;
	++*(size_t *)context;
	return 0;
}

static void append(void)
{
	static const uint8_t text[] = "a record of a few bytes";
	static uint8_t stored[RECORD_STORED_MAX];
	struct packs *packs = open_packs(false);
	const struct record record = { .type = RECORD_JOURNAL, .raw_size = sizeof(text), .stored_size = sizeof(text),
				       .n_parts = 1, .id = 77 };
	struct place end, place;
	struct record got;
	size_t n = 0, again = 0;

	if (!packs)
		return;
	if (packs_scan(packs, (struct place){ 0, 0 }, PACKS_SCAN_DATA, count_item, &n, &end) >= 0 &&
	    packs_start_writing(packs, end) == 0 && packs_append(packs, &record, text, &place, NULL) == 0) {
		FUZZ_CHECK(packs_sync(packs) == 0);
		FUZZ_CHECK(packs_read_record(packs, place, &got, stored, NULL) == 0);
		FUZZ_CHECK(got.id == 77 && memcmp(stored, text, sizeof(text)) == 0);
		FUZZ_CHECK(packs_scan(packs, (struct place){ 0, 0 }, PACKS_SCAN_DATA, count_item, &again, &end) == 0);
		FUZZ_CHECK(again > n);
	}
	packs_close(packs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle bundle;

	bundle_split(data, size, &bundle);
	for (size_t i = 0; i < BUNDLE_PACKS_MAX + 1; i++)
		fuzz_write_file(pack_path(i + 1), i < bundle.n ? bundle.packs[i].bytes : NULL,
				i < bundle.n ? bundle.packs[i].size : 0);
	bundle_release(&bundle);
	memset(vault.uuid, 0, sizeof(vault.uuid));
	(void)packs_find_uuid(packs_fd, vault.uuid);	/* there may be none */
	read_all();
	rebuild();
	append();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct bundle bundle;
	size_t made;

	bundle_split(data, size, &bundle);
	bundle_mutate(&bundle, max_size > size + 16 ? max_size - size - 16 : 0, seed, LLVMFuzzerMutate);
	if (seed % 16 != 0)
		bundle_repair(&bundle, seed / 16 % 4 != 0);
	made = bundle_join(&bundle, data, max_size);
	bundle_release(&bundle);
	return made ? made : size;
}
