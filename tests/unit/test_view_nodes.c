/* test_view_nodes.c - the table of view nodes: numbers, counted look-ups, paths, and that nothing stays behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../random.h"
#include "view_nodes.h"
#include "view_shapes.h"

static struct view_nodes *nodes;

static int setup(void **state)
{
	(void)state;
	return view_nodes_new(&view_shape_top, &nodes);
}

static int teardown(void **state)
{
	(void)state;
	view_nodes_free(nodes);
	return 0;
}

static uint64_t look_up(uint64_t parent, const char *name, const char *tag)
{
	const struct view_step step = { .shape = &view_shape_playlist, .name = name, .tag = tag };
	uint64_t id = 0;

	assert_int_equal(view_nodes_look_up(nodes, parent, &step, &id), 0);
	return id;
}

static void same_path_is_the_same_node_while_it_is_known(void **state)
{
	uint64_t foretold = view_nodes_number(nodes, VIEW_TOP_ID, "a");
	uint64_t a = look_up(VIEW_TOP_ID, "a", NULL);

	(void)state;
	assert_true(a > VIEW_TOP_ID && a < VIEW_TOP_ID * 2);
	assert_int_equal(a, foretold);
	assert_int_equal(look_up(VIEW_TOP_ID, "a", NULL), a);
	assert_int_equal(view_nodes_number(nodes, VIEW_TOP_ID, "a"), a);
	assert_int_not_equal(look_up(VIEW_TOP_ID, "b", NULL), a);
	assert_int_not_equal(look_up(a, "a", NULL), a);
	assert_int_equal(view_nodes_count(nodes), 3);
	assert_int_equal(view_nodes_parent(nodes, a), VIEW_TOP_ID);
	assert_int_equal(view_nodes_parent(nodes, VIEW_TOP_ID), 0);
}

static void a_node_goes_with_its_last_look_up_and_what_is_below(void **state)
{
	uint64_t a = look_up(VIEW_TOP_ID, "a", NULL);
	uint64_t b = look_up(a, "b", NULL);

	(void)state;
	(void)look_up(VIEW_TOP_ID, "a", NULL);
	view_nodes_forget(nodes, a, 2);
	assert_int_equal(view_nodes_count(nodes), 2);	/* b stands in it */
	view_nodes_forget(nodes, b, 1);
	assert_int_equal(view_nodes_count(nodes), 0);
	view_nodes_forget(nodes, b, 1);			/* more than were counted */
	view_nodes_forget(nodes, VIEW_TOP_ID, 1000);
	view_nodes_forget(nodes, 12345, 1);
	assert_int_equal(look_up(VIEW_TOP_ID, "c", NULL), view_nodes_number(nodes, VIEW_TOP_ID, "c"));
	view_nodes_forget(nodes, view_nodes_number(nodes, VIEW_TOP_ID, "c"), 7);
	assert_int_equal(view_nodes_count(nodes), 0);
}

static void a_path_has_all_steps_and_outlives_the_node(void **state)
{
	struct view_path *path = NULL;
	uint64_t a = look_up(VIEW_TOP_ID, "a", "x/a");
	uint64_t b = look_up(a, "b", NULL);

	(void)state;
	assert_int_equal(view_nodes_path(nodes, b, &path), 0);
	view_nodes_forget(nodes, b, 1);
	view_nodes_forget(nodes, a, 1);
	assert_int_equal(path->n, 3);
	assert_ptr_equal(path->steps[0].shape, &view_shape_top);
	assert_string_equal(path->steps[1].name, "a");
	assert_string_equal(path->steps[1].tag, "x/a");
	assert_string_equal(path->steps[2].name, "b");
	assert_null(path->steps[2].tag);
	view_path_free(path);
	assert_int_equal(view_nodes_path(nodes, b, &path), -ESTALE);
	assert_int_equal(view_nodes_path(nodes, 1, &path), -ESTALE);
}

static void what_was_removed_is_made_anew_as_another(void **state)
{
	uint64_t a = look_up(VIEW_TOP_ID, "a", NULL), anew;

	(void)state;
	view_nodes_remove(nodes, VIEW_TOP_ID, "a");
	view_nodes_remove(nodes, VIEW_TOP_ID, "a");
	anew = look_up(VIEW_TOP_ID, "a", NULL);
	assert_int_not_equal(anew, a);
	view_nodes_forget(nodes, a, 1);
	assert_int_equal(look_up(VIEW_TOP_ID, "a", NULL), anew);
	view_nodes_forget(nodes, anew, 2);
	assert_int_equal(view_nodes_count(nodes), 0);
}

static void a_rename_takes_the_node_along(void **state)
{
	const struct view_step to = { .shape = &view_shape_playlist, .name = "to", .tag = "d/to" };
	uint64_t from = look_up(VIEW_TOP_ID, "from", "from");
	uint64_t below = look_up(from, "below", NULL);
	uint64_t directory = look_up(VIEW_TOP_ID, "d", "d");
	uint64_t replaced = look_up(directory, "to", NULL);
	struct view_path *path = NULL;

	(void)state;
	view_nodes_rename(nodes, VIEW_TOP_ID, "from", directory, &to);
	assert_int_equal(view_nodes_number(nodes, directory, "to"), from);
	assert_int_equal(view_nodes_parent(nodes, from), directory);
	assert_int_equal(view_nodes_path(nodes, below, &path), 0);
	assert_int_equal(path->n, 4);
	assert_string_equal(path->steps[2].tag, "d/to");
	view_path_free(path);
	assert_int_not_equal(look_up(VIEW_TOP_ID, "from", NULL), from);
	view_nodes_forget(nodes, directory, 1);
	view_nodes_forget(nodes, replaced, 1);
	view_nodes_forget(nodes, below, 1);
	assert_int_equal(view_nodes_count(nodes), 3);
	view_nodes_forget(nodes, from, 1);
	assert_int_equal(view_nodes_count(nodes), 1);
}

static void the_oldest_is_a_leaf_and_each_gets_its_turn(void **state)
{
	uint64_t a = look_up(VIEW_TOP_ID, "a", NULL), parent = 0;
	char name[256];

	(void)state;
	(void)look_up(a, "b", NULL);
	(void)look_up(VIEW_TOP_ID, "c", NULL);
	assert_true(view_nodes_oldest(nodes, &parent, name));
	assert_string_equal(name, "b");
	assert_int_equal(parent, a);
	assert_true(view_nodes_oldest(nodes, &parent, name));
	assert_string_equal(name, "c");
	assert_true(view_nodes_oldest(nodes, &parent, name));
	assert_string_equal(name, "b");
}

/* What a kernel does: look-ups, FORGETs of as many, names that go and come. In the end nothing is left. */
static void any_order_of_requests_leaves_nothing(void **state)
{
	enum { N = 500, STEPS = 20000 };
	static struct {
		uint64_t id, n;
	} known[N];
	struct random random = { random_seed_or("0") };
	size_t n = 0;

	(void)state;
	for (int i = 0; i < STEPS; i++) {
		uint64_t parent = n > 0 && random_below(&random, 3) ? known[random_below(&random, n)].id : VIEW_TOP_ID;
		size_t at = 0;
		char name[16];
		uint64_t id;

		(void)snprintf(name, sizeof(name), "%u", (unsigned)random_below(&random, 20));
		if (random_below(&random, 20) == 0)
			view_nodes_remove(nodes, parent, name);
		id = look_up(parent, name, NULL);
		while (at < n && known[at].id != id)
			at++;
		if (at == n && n == N) {
			view_nodes_forget(nodes, id, 1);
			at = random_below(&random, n);
			view_nodes_forget(nodes, known[at].id, known[at].n);
			known[at] = known[--n];
			continue;
		}
		if (at == n)
			known[n++].n = 0;
		known[at].id = id;
		known[at].n++;
		assert_true(view_nodes_count(nodes) >= n);
	}
	while (n > 0) {
		n--;
		view_nodes_forget(nodes, known[n].id, known[n].n);
	}
	assert_int_equal(view_nodes_count(nodes), 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(same_path_is_the_same_node_while_it_is_known),
		test(a_node_goes_with_its_last_look_up_and_what_is_below),
		test(a_path_has_all_steps_and_outlives_the_node),
		test(what_was_removed_is_made_anew_as_another),
		test(a_rename_takes_the_node_along),
		test(the_oldest_is_a_leaf_and_each_gets_its_turn),
		test(any_order_of_requests_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
