/* test_locations.c - devices, locations and origins are kept, told apart, and come back. */
#include "fixture.h"

#include <errno.h>

#include "library.h"

static const struct vault_device laptop = { .uuid = { 1, 2, 3 }, .name = "laptop", .system = "Linux 6.1 x86_64" };
static const struct vault_device nas = { .uuid = { 9 }, .name = "nas", .system = "Linux 5.10 aarch64" };

struct found {
	char text[2000];
	size_t n;
};

static int note_device(void *context, const struct vault_device *device)
{
	struct found *found = context;
	size_t at = strlen(found->text);

	found->n++;
	(void)snprintf(found->text + at, sizeof(found->text) - at, "%d %s %s|", device->uuid[0], device->name, device->system);
	return 0;
}

static int note_location(void *context, const struct vault_location *l)
{
	struct found *found = context;
	size_t at = strlen(found->text);

	found->n++;
	(void)snprintf(found->text + at, sizeof(found->text) - at, "%s %s %s%s %d %d %d %s|", l->path, vault_location_mode_name(l->mode),
		       vault_location_state_name(l->state), l->watch ? " watched" : "", (int)l->n_files, (int)l->n_bytes,
		       (int)l->scanned_ns, l->error ? l->error : "-");
	return 0;
}

static struct found devices(struct fixture *f)
{
	struct found found = { .n = 0 };

	assert_int_equal(vault_devices(f->vault, note_device, &found), 0);
	return found;
}

static struct found locations(struct fixture *f)
{
	struct found found = { .n = 0 };

	assert_int_equal(vault_locations(f->vault, note_location, &found), 0);
	return found;
}

static uint64_t put(struct fixture *f, const struct vault_device *device)
{
	uint64_t id = 0;

	assert_int_equal(CHANGE(f, vault_device_put(f->vault, device, &id)), 0);
	return id;
}

static void device_put__knows_a_machine_by_its_uuid(void **state)
{
	struct fixture *f = *state;
	struct vault_device renamed = laptop;
	uint64_t id = put(f, &laptop), unused;

	assert_int_not_equal(put(f, &nas), id);
	renamed.name = "desk";
	assert_int_equal(put(f, &renamed), id);
	assert_string_equal(devices(f).text, "1 desk Linux 6.1 x86_64|9 nas Linux 5.10 aarch64|");
	renamed.name = "";
	assert_int_equal(CHANGE(f, vault_device_put(f->vault, &renamed, &unused)), -EINVAL);
}

static void location__is_one_path_of_one_device(void **state)
{
	struct fixture *f = *state;
	struct vault_location l = { .device_id = put(f, &laptop), .path = "/home/a/Pictures", .mode = VAULT_LOCATION_DEEP, .watch = true };
	uint64_t id = 0, other = 0;

	l.directory_id = fixture_directory(f, VAULT_ROOT_ID, "Pictures");
	assert_int_equal(CHANGE(f, vault_location_add(f->vault, &l, &id)), 0);
	assert_int_equal(CHANGE(f, vault_location_add(f->vault, &l, &other)), -EEXIST);
	l.device_id = put(f, &nas);
	assert_int_equal(CHANGE(f, vault_location_add(f->vault, &l, &other)), 0);

	/* It cannot be moved to where the other one is. */
	l.device_id = put(f, &laptop);
	l.id = other;
	assert_int_equal(CHANGE(f, vault_location_set(f->vault, &l)), -EEXIST);

	l.id = id;
	l.state = VAULT_LOCATION_ERROR;
	l.error = "it is gone";
	l.n_files = 3;
	l.n_bytes = 4000;
	l.scanned_ns = 77;
	l.watch = false;
	assert_int_equal(CHANGE(f, vault_location_set(f->vault, &l)), 0);
	assert_string_equal(locations(f).text, "/home/a/Pictures deep error 3 4000 77 it is gone|"
					       "/home/a/Pictures deep pending watched 0 0 0 -|");
	assert_int_equal(CHANGE(f, vault_location_remove(f->vault, other)), 0);
	assert_int_equal(CHANGE(f, vault_location_remove(f->vault, other)), -ENOENT);
	assert_int_equal(locations(f).n, 1);
}

static void location_add__refuses_what_cannot_be(void **state)
{
	struct fixture *f = *state;
	uint64_t device = put(f, &laptop), directory = fixture_directory(f, VAULT_ROOT_ID, "d"), file = fixture_file(f, VAULT_ROOT_ID, "f");
	char error[300];
	const struct {
		const char *what;
		struct vault_location location;
		int want;
	} rows[] = {
		{ "a relative path", { .device_id = device, .directory_id = directory, .path = "home" }, -EINVAL },
		{ "no path", { .device_id = device, .directory_id = directory }, -EINVAL },
		{ "no device", { .device_id = 900, .directory_id = directory, .path = "/a" }, -ENOENT },
		{ "no directory", { .device_id = device, .directory_id = 900, .path = "/a" }, -ENOENT },
		{ "a file", { .device_id = device, .directory_id = file, .path = "/a" }, -ENOENT },
		{ "no such mode", { .device_id = device, .directory_id = directory, .path = "/a", .mode = 3 }, -EINVAL },
		{ "no such state", { .device_id = device, .directory_id = directory, .path = "/a", .state = 5 }, -EINVAL },
		{ "a long error", { .device_id = device, .directory_id = directory, .path = "/a", .error = error }, -EINVAL },
	};
	uint64_t id;

	memset(error, 'x', sizeof(error) - 1);
	error[sizeof(error) - 1] = '\0';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = CHANGE(f, vault_location_add(f->vault, &rows[i].location, &id));

		if (r != rows[i].want)
			fail_msg("%s: %d", rows[i].what, r);
	}
	assert_int_equal(locations(f).n, 0);
}

static void origin__is_kept_while_the_file_is(void **state)
{
	struct fixture *f = *state;
	uint64_t file = fixture_file(f, VAULT_ROOT_ID, "a"), device = put(f, &nas), d, l;
	struct vault_location location = { .device_id = device, .path = "/srv", .mode = VAULT_LOCATION_CONTENT };
	uint64_t id = 0;

	location.directory_id = fixture_directory(f, VAULT_ROOT_ID, "srv");
	assert_int_equal(CHANGE(f, vault_location_add(f->vault, &location, &id)), 0);
	assert_int_equal(vault_origin_get(f->vault, file, &d, &l), -ENODATA);
	assert_int_equal(vault_origin_is_deep(f->vault, file), 1);
	assert_int_equal(CHANGE(f, vault_origin_set(f->vault, file, device, id)), 0);
	assert_int_equal(CHANGE(f, vault_origin_set(f->vault, 900, device, id)), -ENOENT);
	assert_int_equal(vault_origin_is_deep(f->vault, file), 0);

	fixture_rebuild(f);
	assert_int_equal(vault_origin_get(f->vault, file, &d, &l), 0);
	assert_int_equal(d, device);
	assert_int_equal(l, id);
	assert_string_equal(devices(f).text, "9 nas Linux 5.10 aarch64|");
	assert_string_equal(locations(f).text, "/srv content pending 0 0 0 -|");

	assert_int_equal(CHANGE(f, vault_location_remove(f->vault, id)), 0);
	assert_int_equal(vault_origin_is_deep(f->vault, file), 1);
	assert_int_equal(CHANGE(f, vault_unlink(f->vault, VAULT_ROOT_ID, "a", &(struct vault_attr){ 0 })), 0);
	assert_int_equal(CHANGE(f, vault_purge(f->vault, file)), 0);
	assert_int_equal(vault_origin_get(f->vault, file, &d, &l), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(device_put__knows_a_machine_by_its_uuid),
		FIXTURE_TEST(location__is_one_path_of_one_device),
		FIXTURE_TEST(location_add__refuses_what_cannot_be),
		FIXTURE_TEST(origin__is_kept_while_the_file_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
