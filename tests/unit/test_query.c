/* test_query.c - the query language: what is understood, in one spelling; and for what is not, the spot and the advice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "query.h"

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Parses, or fails the test with what the parser says. */
static struct vault_query *parse(const char *text)
{
	struct vault_query *query = NULL;
	struct vault_query_error error;

	if (vault_query_parse(text, &query, &error) != 0)
		fail_msg("'%s': at %zu+%zu: %s", text, error.offset, error.length, error.message);
	return query;
}

static void check_prints(const char *text, const char *want)
{
	struct vault_query *query = parse(text), *again;
	char *printed = vault_query_print(query), *printed_again;

	if (!printed || strcmp(printed, want) != 0)
		fail_msg("'%s' is printed as '%s', not '%s'", text, printed ? printed : "(null)", want);
	again = parse(printed);
	printed_again = vault_query_print(again);
	assert_string_equal(printed_again, printed);
	free(printed);
	free(printed_again);
	vault_query_free(query);
	vault_query_free(again);
}

static void queries__have_one_spelling(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ " \t\n ", "" },
		/* words */
		{ "beach", "beach" },
		{ "  two   words ", "two words" },
		{ "Beach ÄRGER", "Beach ÄRGER" },
		{ "bea*", "bea*" },
		{ "it's", "it's" },
		{ "img_2024-02.jpg", "img_2024-02.jpg" },
		{ "12:30", "\"12:30\"" },
		{ "foo_bar:x", "\"foo_bar:x\"" },
		{ "what?", "what?" },
		{ "\"holiday in rome\"", "\"holiday in rome\"" },
		{ "\"beach\"", "beach" },
		{ "\"two wor\"*", "\"two wor\"*" },
		{ "\"a \\\"b\\\" \\\\ c \\d\"", "\"a \\\"b\\\" \\\\ c \\\\d\"" },
		{ "\"or\" \"and\" \"not\"", "\"or\" \"and\" \"not\"" },
		{ "\"favorite\" \"-x\" \"tag:a\"", "\"favorite\" \"-x\" \"tag:a\"" },
		{ "\"a*\" \"(b)\"", "\"a*\" \"(b)\"" },
		{ "Or And Favorite", "Or And Favorite" },
		/* operators */
		{ "a b or c d", "a b or c d" },
		{ "a (b or c) d", "a (b or c) d" },
		{ "a OR b or c", "a or b or c" },
		{ "a and b AND c", "a b c" },
		{ "(a)", "a" },
		{ "((a b)) c", "a b c" },
		{ "(a or b) or (c or d)", "a or b or c or d" },
		{ "(a b) or (c (d e))", "a b or c d e" },
		{ "-a", "-a" },
		{ "not a", "-a" },
		{ "NOT a b", "-a b" },
		{ "not not a", "a" },
		{ "-(-a)", "a" },
		{ "not -a", "a" },
		{ "-(a b)", "-(a b)" },
		{ "-(a or b) c", "-(a or b) c" },
		{ "not (a)", "-a" },
		{ "a -b or -c", "a -b or -c" },
		{ "-\"a b\"", "-\"a b\"" },
		/* tags, people, types */
		{ "tag:holiday", "tag:holiday" },
		{ "TAG:Holiday/Beach", "tag:Holiday/Beach" },
		{ "tag:\"Italy 2024\"", "tag:\"Italy 2024\"" },
		{ "-tag:work", "-tag:work" },
		{ "tag:/a/b/", "tag:a/b" },
		{ "tag:\" a \"", "tag:a" },
		{ "tag:a,b", "tag:a or tag:b" },
		{ "tag:a,\"b c\",d x", "(tag:a or tag:\"b c\" or tag:d) x" },
		{ "-tag:a,b", "-(tag:a or tag:b)" },
		{ "tag:\"a,b\"", "tag:\"a,b\"" },
		{ "tag:*", "tag:*" },
		{ "tag:\"*\"", "tag:\"*\"" },
		{ "tag:(a or b)", "tag:a or tag:b" },
		{ "tag:(a -(b or \"c d\"))", "tag:a -(tag:b or tag:\"c d\")" },
		{ "tag:(a b,c) d", "tag:a (tag:b or tag:c) d" },
		{ "tag:(favorite)", "tag:favorite" },
		{ "tag:(x:y)", "tag:x:y" },
		{ "tag:-a", "tag:-a" },
		{ "person:\"Anna B\",carl", "person:\"Anna B\" or person:carl" },
		{ "kind:Video", "kind:video" },
		{ "kind:image,video", "kind:image or kind:video" },
		{ "kind:*", "kind:*" },
		{ "type:VIDEO/MP4", "type:video/mp4" },
		{ "type:video/*", "type:video" },
		{ "mime:x-matroska", "type:x-matroska" },
		{ "type:image/svg+xml", "type:image/svg+xml" },
		{ "ext:..JPG", "ext:jpg" },
		{ "ext:jpg,png", "ext:jpg or ext:png" },
		{ "ext:tar.gz", "ext:tar.gz" },
		/* names, folders, notes, hashes */
		{ "name:*.jpg", "name:*.jpg" },
		{ "name:\"my film*\"", "name:\"my film*\"" },
		{ "name:a,b", "name:a,b" },
		{ "name:[a-f]?[!x][]y][^]]", "name:[a-f]?[!x][]y][^]]" },
		{ "name:=film.mkv", "name:=film.mkv" },
		{ "name:=\"a film[.mkv\"", "name:=\"a film[.mkv\"" },
		{ "name:\"=x\"", "name:\"=x\"" },
		{ "filename:x", "name:x" },
		{ "in:Photos/Rome", "in:Photos/Rome" },
		{ "in:/Photos//Rome/", "in:Photos/Rome" },
		{ "folder:\"My Photos\"", "in:\"My Photos\"" },
		{ "in:.hidden/..x", "in:.hidden/..x" },
		{ "note:light*", "note:light*" },
		{ "note:\"old light\"", "note:\"old light\"" },
		{ "note:\"old li\"*", "note:\"old li\"*" },
		{ "note:*", "note:*" },
		{ "sha256:9F86D081884C", "sha256:9f86d081884c" },
		/* numbers */
		{ "size:>1G", "size:>1G" },
		{ "size:>=1.5gib", "size:>=1.5G" },
		{ "size:=10kB", "size:10K" },
		{ "size:1m..2m", "size:1M..2M" },
		{ "size:..100b", "size:..100" },
		{ "size:5T..", "size:5T.." },
		{ "size:0", "size:0" },
		{ "length:>10M", "length:>10m" },
		{ "length:1:02:03", "length:1:02:03" },
		{ "length:1h30m..2h", "length:1h30m..2h" },
		{ "duration:<90", "length:<90" },
		{ "length:*", "length:*" },
		{ "width:>=1920 height:720..1080", "width:>=1920 height:720..1080" },
		{ "rating:>=8", "rating:>=8" },
		{ "-rating:*", "-rating:*" },
		{ "rating:(8 or 10)", "rating:8 or rating:10" },
		{ "quality:>80%", "quality:>80" },
		/* days */
		{ "date:2024", "date:2024" },
		{ "date:2024-02..2024-03", "date:2024-02..2024-03" },
		{ "date:>=2024-02-29", "date:>=2024-02-29" },
		{ "date:Today", "date:today" },
		{ "modified:week", "modified:week" },
		{ "modified:<10d", "modified:<10d" },
		{ "added:2w..yesterday", "added:2w..yesterday" },
		{ "added:today..week", "added:today..week" }, /* both end today */
		{ "seen:2024", "seen:2024" },
		{ "seen:*", "seen" },
		{ "date:1999..", "date:1999.." },
		/* yes or no */
		{ "favorite hidden seen unseen untagged", "favorite hidden seen unseen untagged" },
		{ "favourite", "favorite" },
		{ "is:favorite,seen", "favorite or seen" },
		{ "is:(favorite unseen)", "favorite unseen" },
		{ "-favorite", "-favorite" },
		{ "kind:video tag:holiday size:>1G", "kind:video tag:holiday size:>1G" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		check_prints(rows[i].text, rows[i].want);
}

static void mistakes__are_pointed_at(void **state)
{
	static const struct {
		const char *text;
		size_t offset, length;
		const char *part; /* of the message */
	} rows[] = {
		/* operators and parentheses */
		{ "a or", 2, 2, "missing behind" },
		{ "or a", 0, 2, "missing before" },
		{ "a or or b", 5, 2, "missing before" },
		{ "a and", 2, 3, "missing behind" },
		{ "AND", 0, 3, "missing before" },
		{ "(a or) b", 3, 2, "missing behind" },
		{ "(or)", 1, 2, "missing before" },
		{ "not", 0, 3, "missing behind" },
		{ "a not", 2, 3, "missing behind" },
		{ "a NOT or b", 6, 2, "missing before" },
		{ "a - b", 2, 1, "without a space" },
		{ "a -", 2, 1, "without a space" },
		{ "(-) a", 1, 1, "without a space" },
		{ "--a", 0, 2, "two mean nothing" },
		{ "(a b", 0, 1, "never closed" },
		{ "x (a (b) ", 2, 1, "never closed" },
		{ "(", 0, 1, "never closed" },
		{ "a)", 1, 1, "closes nothing" },
		{ ")", 0, 1, "closes nothing" },
		{ "a ()", 2, 2, "nothing stands between" },
		{ "( )", 0, 3, "nothing stands between" },
		{ "(a)b", 3, 1, "space is missing" },
		{ "a(b)", 1, 1, "space is missing" },
		{ "a | b", 2, 1, "write or" },
		{ "a || b", 2, 2, "write or" },
		{ "a && b", 2, 2, "leave it out" },
		/* words and quotes */
		{ "a \"b c", 2, 4, "never closed" },
		{ "\"", 0, 1, "never closed" },
		{ "\"a\\\"", 0, 4, "never closed" },
		{ "5\"", 1, 1, "quote in the middle" },
		{ "\"a\"b", 3, 1, "space is missing" },
		{ "\"a\"(b)", 3, 1, "space is missing" },
		{ "*", 0, 1, "end of a word" },
		{ "a *.jpg", 2, 1, "name:*.jpg" },
		{ "a*b", 1, 1, "end of a word" },
		{ "rock & roll", 5, 1, "leave it out" },
		{ "a ... b", 2, 3, "no letter" },
		{ "\"\"", 0, 2, "no letter" },
		{ "\"!?\"", 0, 4, "no letter" },
		/* keys */
		{ "tags:a", 0, 5, "did you mean tag:" },
		{ "x knid:video", 2, 5, "did you mean kind:" },
		{ "Daet:2024", 0, 5, "did you mean date:" },
		{ "http://example.org", 0, 5, "no such key: there are" },
		{ "a bogus:1", 2, 6, "no such key: there are" },
		{ "size>1G", 4, 1, "a ':' is missing" },
		{ "rating=5", 6, 1, "a ':' is missing" },
		{ "tag:", 4, 0, "needs a value, as in tag:" },
		{ "tag: a", 4, 0, "needs a value" },
		{ "tag:a, b", 6, 0, "needs a value" },
		{ "tag:,a", 4, 0, "needs a value" },
		{ "tag:()", 4, 2, "nothing stands between" },
		{ "tag:(a or", 7, 2, "missing behind" },
		{ "tag:(a", 4, 1, "never closed" },
		{ "tag:(a kind:video)", 7, 5, "cannot stand inside tag:" },
		{ "tag:\"a\"b", 7, 1, "space is missing" },
		{ "tag:a\"b\"", 5, 1, "quote in the middle" },
		{ "name:*(1).jpg", 6, 1, "space is missing" },
		/* values */
		{ "tag:/", 4, 1, "no tag" },
		{ "tag:\" \"", 4, 3, "no tag" },
		{ "kind:movie", 5, 5, "there are image, video" },
		{ "x kind:video,pic", 13, 3, "there are image" },
		{ "type:video/mp4/x", 5, 11, "MIME" },
		{ "type:/mp4", 5, 4, "MIME" },
		{ "type:\"a b\"", 5, 5, "MIME" },
		{ "type:\"\"", 5, 2, "no type" },
		{ "ext:.", 4, 1, "end of a name" },
		{ "ext:*.jpg", 4, 5, "end of a name" },
		{ "name:a/b", 5, 3, "in:" },
		{ "name:x[a", 5, 3, "'[' without" },
		{ "name:[]", 5, 2, "'[' without" },
		{ "name:[^]", 5, 3, "'[' without" },
		{ "name:=", 5, 1, "needs a pattern" },
		{ "person:\"\"", 7, 2, "no name" },
		{ "in:/", 3, 1, "no folder" },
		{ "in:a/../b", 3, 6, "without . and .." },
		{ "in:./a", 3, 3, "without . and .." },
		{ "sha256:abc", 7, 3, "64 hexadecimal" },
		{ "sha256:9f86d081884cx", 7, 13, "64 hexadecimal" },
		{ "note:a*b", 6, 1, "end of a word" },
		{ "note:!!", 5, 2, "no letter" },
		{ "is:good", 3, 4, "favorite, hidden" },
		{ "is:Favorite", 3, 8, "favorite, hidden" },
		/* numbers */
		{ "size:big", 5, 3, "size:>1G" },
		{ "size:>", 6, 0, "a number is missing" },
		{ "size:> 1G", 6, 0, "a number is missing" },
		{ "size:1X", 5, 2, "K, M, G or T" },
		{ "size:>1.5", 6, 3, "part of a byte" },
		{ "size:1G..x", 9, 1, "size:>1G" },
		{ "size:..", 5, 2, "at least one end" },
		{ "size:2G..1G", 5, 6, "start is behind" },
		{ "size:>99999999999999999999", 6, 20, "too large" },
		{ "size:9000000000T", 5, 11, "too large" },
		{ "size:\"1G\"", 5, 4, "no quotes" },
		{ "size:-1", 5, 2, "size:>1G" },
		{ "size:*", 5, 1, "size:>1G" },
		{ "length:10x", 7, 3, "1:02:03" },
		{ "length:1:2", 7, 3, "1:02:03" },
		{ "length:1:60", 7, 4, "1:02:03" },
		{ "length:1:02:03:04", 7, 10, "1:02:03" },
		{ "length:10m1h", 7, 5, "1:02:03" },
		{ "length:1h30", 7, 4, "1:02:03" },
		{ "length:99999999999999999h", 7, 18, "too large" },
		{ "width:1.5", 6, 3, "width:>=1920" },
		{ "width:99999999999", 6, 11, "at most 2147483647" },
		{ "rating:11", 7, 2, "at most 10" },
		{ "rating:1..11", 10, 2, "at most 10" },
		{ "quality:>101", 9, 3, "at most 100" },
		{ "rating:>=8x", 9, 2, "rating:>=8" },
		/* days */
		{ "date:2024-13", 5, 7, "no such date" },
		{ "date:2023-02-29", 5, 10, "no such date" },
		{ "date:2024-2", 5, 6, "no such date" },
		{ "date:24", 5, 2, "no such date" },
		{ "date:20.2.2024", 5, 9, "no such date" },
		{ "date:tomorrow", 5, 8, "no such date" },
		{ "date:>", 6, 0, "a date is missing" },
		{ "date:2024..2023", 5, 10, "start is behind" },
		{ "date:0d", 5, 2, "no such date" },
		{ "date:99999d", 5, 6, "no such date" },
		{ "date:2024..2024-13", 11, 7, "no such date" },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct vault_query *query = NULL;
		struct vault_query_error error = { 0 };
		int r = vault_query_parse(rows[i].text, &query, &error);

		if (r != -EINVAL || query)
			fail_msg("'%s' is understood", rows[i].text);
		if (error.offset != rows[i].offset || error.length != rows[i].length)
			fail_msg("'%s': at %zu+%zu, not %zu+%zu: %s", rows[i].text, error.offset,
				 error.length, rows[i].offset, rows[i].length, error.message);
		if (!strstr(error.message, rows[i].part))
			fail_msg("'%s': says '%s', not '%s'", rows[i].text, error.message, rows[i].part);
	}
}

#define OPEN                  \
	{                     \
		QUERY_OPEN, 0 \
	}
#define NUMBER(n)               \
	{                       \
		QUERY_NUMBER, n \
	}
#define DAY(n)               \
	{                    \
		QUERY_DAY, n \
	}
#define BACK(n)                         \
	{                               \
		QUERY_DAY_FROM_TODAY, n \
	}

static void ranges__are_worked_out(void **state)
{
	static const struct {
		const char *text;
		struct query_bound low, high;
	} rows[] = {
		{ "size:1G", NUMBER(1073741824), NUMBER(2147483647) },
		{ "size:1.5K", NUMBER(1536), NUMBER(1637) },
		{ "size:1024", NUMBER(1024), NUMBER(1024) },
		{ "size:>1G", NUMBER(1073741825), OPEN },
		{ "size:>=1G", NUMBER(1073741824), OPEN },
		{ "size:<1G", OPEN, NUMBER(1073741823) },
		{ "size:<=1G", OPEN, NUMBER(1073741824) },
		{ "size:1K..2K", NUMBER(1024), NUMBER(2048) },
		{ "size:..2K", OPEN, NUMBER(2048) },
		{ "size:2K..", NUMBER(2048), OPEN },
		{ "size:1P", NUMBER(1ll << 50), NUMBER((2ll << 50) - 1) },
		{ "length:90", NUMBER(90000), NUMBER(90999) },
		{ "length:10m", NUMBER(600000), NUMBER(659999) },
		{ "length:>10m", NUMBER(600001), OPEN },
		{ "length:1:02:03", NUMBER(3723000), NUMBER(3723999) },
		{ "length:2:30", NUMBER(150000), NUMBER(150999) },
		{ "length:1h30m", NUMBER(5400000), NUMBER(5459999) },
		{ "length:1.5h", NUMBER(5400000), NUMBER(5759999) },
		{ "length:0.25s", NUMBER(250), NUMBER(259) },
		{ "width:1920", NUMBER(1920), NUMBER(1920) },
		{ "rating:>=8", NUMBER(8), OPEN },
		{ "date:1970-01-01", DAY(0), DAY(0) },
		{ "date:1969-12-31", DAY(-1), DAY(-1) },
		{ "date:2024", DAY(19723), DAY(20088) },
		{ "date:2024-02", DAY(19754), DAY(19782) },
		{ "date:>2024-02", DAY(19783), OPEN },
		{ "date:>=2024-02", DAY(19754), OPEN },
		{ "date:<2024-02", OPEN, DAY(19753) },
		{ "date:<=2024-02", OPEN, DAY(19782) },
		{ "date:2024-02..2024-03", DAY(19754), DAY(19813) },
		{ "date:2000-02-29", DAY(11016), DAY(11016) },
		{ "date:today", BACK(0), BACK(0) },
		{ "date:yesterday", BACK(-1), BACK(-1) },
		{ "date:week", BACK(-6), BACK(0) },
		{ "date:<week", OPEN, BACK(-7) },
		{ "date:3w", BACK(-20), BACK(0) },
		{ "date:2024..yesterday", DAY(19723), BACK(-1) },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct vault_query *query = parse(rows[i].text);
		const struct query_term *term = &query->root->term;

		if (term->low.kind != rows[i].low.kind || term->low.value != rows[i].low.value ||
		    term->high.kind != rows[i].high.kind || term->high.value != rows[i].high.value)
			fail_msg("'%s': %d/%lld to %d/%lld", rows[i].text, term->low.kind,
				 (long long)term->low.value, term->high.kind, (long long)term->high.value);
		vault_query_free(query);
	}
}

static void queries__are_bounded(void **state)
{
	static char text[VAULT_QUERY_MAX + 2];
	static const struct {
		const char *what, *start, *part, *end;
		size_t n;
		const char *message;
	} rows[] = {
		{ "terms", "", "a ", "", QUERY_TERMS_MAX, NULL },
		{ "too many terms", "", "a ", "", QUERY_TERMS_MAX + 1, "more than 200 terms" },
		{ "too many values", "tag:", "a,", "a", QUERY_TERMS_MAX, "more than 200 terms" },
		{ "long", "", "xxxxxxxx", "", VAULT_QUERY_MAX / 8, NULL },
		{ "too long", "", "xxxxxxxx", "x", VAULT_QUERY_MAX / 8, "longer than 4096" },
		{ "too deep", "", "(", "", QUERY_DEPTH_MAX + 1, "inside each other" },
		{ "side by side", "", "(a) ", "", 3 * QUERY_DEPTH_MAX, NULL },
		{ "many negations", "", "not ", "a", 1000, NULL },
	};
	struct vault_query_error error;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct vault_query *query = NULL;
		int r;

		(void)strcpy(text, rows[i].start);
		for (size_t n = 0; n < rows[i].n; n++)
			(void)strcat(text, rows[i].part);
		(void)strcat(text, rows[i].end);
		r = vault_query_parse(text, &query, &error);
		if (rows[i].message && (r != -EINVAL || !strstr(error.message, rows[i].message)))
			fail_msg("%s: %d %s", rows[i].what, r, error.message);
		if (!rows[i].message && r != 0)
			fail_msg("%s: %s", rows[i].what, error.message);
		vault_query_free(query);
	}
}

/* What is short with a list of values and long without one. */
static void queries__are_bounded_written_out(void **state)
{
	static char text[VAULT_QUERY_MAX + 1] = "person:";
	struct vault_query_error error;
	struct vault_query *query = NULL;

	(void)state;
	for (int i = 0; i < 190; i++)
		(void)strcat(text, "abcdefghijklmno,");
	(void)strcat(text, "x");
	assert_int_equal(vault_query_parse(text, &query, &error), -EINVAL);
	assert_non_null(strstr(error.message, "written out"));
	assert_int_equal(error.offset, 0);
	assert_int_equal(error.length, strlen(text));
}

static void terms__mean_themselves(void **state)
{
	static const char *const values[] = { "a",      "a b", "*",  "a,b", "\"q\"", "\\",
					      "a\\\"b", "(x)", "=y", "[x",  "-or" };

	(void)state;
	for (size_t i = 0; i < N(values); i++) {
		static const char *const keys[] = { "tag", "name", "person" };

		for (size_t k = 0; k < N(keys); k++) {
			char *text = vault_query_term(keys[k], values[i]);
			struct vault_query *query = parse(text);

			assert_string_equal(query->root->term.text, values[i]);
			assert_false(query->root->term.any);
			assert_int_equal(query->root->term.exact, k == 1);
			vault_query_free(query);
			free(text);
		}
	}
}

static void days__last_until_midnight(void **state)
{
	static const char *const moving[] = { "date:today", "a or -(b modified:week)",
					      "date:2024..yesterday" };
	static const char *const still[] = { "", "a", "date:2024", "size:>1G" };
	int64_t now = 1708400000ll * 1000000000;

	(void)state;
	for (size_t i = 0; i < N(moving); i++) {
		struct vault_query *query = parse(moving[i]);
		int64_t until = vault_query_valid_until(query, now);
		time_t at = (time_t)(until / 1000000000);
		struct tm day;

		assert_true(until > now && until - now <= 25ll * 3600 * 1000000000);
		assert_non_null(localtime_r(&at, &day));
		assert_int_equal(day.tm_min + day.tm_sec, 0);
		vault_query_free(query);
	}
	for (size_t i = 0; i < N(still); i++) {
		struct vault_query *query = parse(still[i]);

		assert_true(vault_query_valid_until(query, now) == INT64_MAX);
		vault_query_free(query);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries__have_one_spelling),
		cmocka_unit_test(mistakes__are_pointed_at),
		cmocka_unit_test(ranges__are_worked_out),
		cmocka_unit_test(queries__are_bounded),
		cmocka_unit_test(queries__are_bounded_written_out),

		cmocka_unit_test(terms__mean_themselves),
		cmocka_unit_test(days__last_until_midnight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
