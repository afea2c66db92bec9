/* query.h - a search query, taken apart: what query_parse.c makes of a text and query_sql.c turns into SQL.
 *
 * A query is a tree of terms under and, or, not. And and or have two children or more, none of their own kind; a not
 * never stands on a not. A query without terms is every file. Trees never change once made: any thread reads them. */
#ifndef VAULTFS_QUERY_H
#define VAULTFS_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "library.h"

#define QUERY_TERMS_MAX 200u
#define QUERY_DEPTH_MAX 32u /* of parentheses */

enum query_key {
	/* text */
	QUERY_WORDS, /* in the name, note, tags or text: no key */
	QUERY_NOTE,
	QUERY_NAME,
	QUERY_EXT,
	QUERY_TAG,
	QUERY_PERSON,
	QUERY_KIND,
	QUERY_TYPE,
	QUERY_IN,
	QUERY_SHA256,
	/* numbers */
	QUERY_SIZE,   /* bytes */
	QUERY_LENGTH, /* ms */
	QUERY_WIDTH,
	QUERY_HEIGHT,
	QUERY_RATING,
	QUERY_QUALITY, /* percent */
	/* days */
	QUERY_DATE,
	QUERY_MODIFIED,
	QUERY_ADDED,
	QUERY_SEEN, /* without a value: ever */
	/* yes or no */
	QUERY_FAVORITE,
	QUERY_HIDDEN,
	QUERY_UNSEEN,
	QUERY_UNTAGGED,
	QUERY_N_KEYS,
};

/* One end of a range, which it is part of. */
struct query_bound {
	enum query_bound_kind {
		QUERY_OPEN,           /* there is no end */
		QUERY_NUMBER,         /* in the key's unit */
		QUERY_DAY,            /* days since 1970-01-01 in the local calendar */
		QUERY_DAY_FROM_TODAY, /* 0 today, -1 yesterday */
	} kind;
	int64_t value;
};

struct query_term {
	enum query_key key;
	bool any;                     /* '*': it has a value, whichever */
	bool prefix;                  /* words: what begins with the last of them, too */
	bool exact;                   /* name: as it is, no pattern */
	struct query_bound low, high; /* numbers and days; both open where there is no range */
	char *text; /* the value, as the canonical form has it, without quotes; "" if there is none */
};

enum query_node_kind { QUERY_AND, QUERY_OR, QUERY_NOT, QUERY_TERM };

struct query_node {
	enum query_node_kind kind;
	struct query_node *first; /* child */
	struct query_node *last;
	struct query_node *next; /* sibling */
	struct query_term term;
};

struct vault_query {
	struct query_node *root; /* NULL: every file */
};

/* The name of a key, "" for words. */
const char *query_key_name(enum query_key key);

/* A new node without children, NULL without memory (logged); with all below it: free. NULL is fine. */
struct query_node *query_node_new(enum query_node_kind kind);
void query_node_free(struct query_node *node);

/* Put `child` below an and, an or, or a not, as the last; one of the same kind is dissolved. Takes it over. */
void query_node_add(struct query_node *node, struct query_node *child);

/* Whether a term of this key stands anywhere in the query. */
bool query_names(const struct vault_query *query, enum query_key key);

/* Whether one stands in it that search.db answers faster. */
bool query_uses_search(const struct vault_query *query);

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
int64_t query_day_of(int64_t year, int month, int day);

static inline void auto_query_node(struct query_node **node)
{
	query_node_free(*node);
}

#endif
