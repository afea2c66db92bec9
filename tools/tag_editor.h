/* tag_editor.h - change the tags of a vault: through its library, or, where it is mounted, through the tag folders of the mount,
 * so that the daemon does it and everything that looks at the mount sees it.
 *
 * Errors are logged in one line that says which tag, and returned as a negative errno. */
#ifndef VAULTFS_TOOLS_TAG_EDITOR_H
#define VAULTFS_TOOLS_TAG_EDITOR_H

#include <stdbool.h>

#include "library.h"
#include "target.h"

struct tag_editor {
	const char *what;	     /* the command's name, for messages */
	const struct target *target; /* borrowed */
	struct vault *vault;	     /* where it is not mounted */
	char *folders;		     /* where it is: of all tags */
};

/* -ENOENT the mount has no views; as vault_open(). */
int tag_editor_open(const char *what, const struct target *target, struct tag_editor *ret);

/* What was changed is durable when this is 0. */
int tag_editor_close(struct tag_editor *editor);

int tag_editor_make(struct tag_editor *editor, const char *name);
int tag_editor_rename(struct tag_editor *editor, const char *from, const char *to);

/* With `used` also from all files, and all tags below it. */
int tag_editor_remove(struct tag_editor *editor, const char *name, bool used);

int tag_editor_set(struct tag_editor *editor, const char *name, enum vault_tag_text which, const char *text);

/* Add a name to one of the lists, or take it out. */
int tag_editor_add(struct tag_editor *editor, const char *name, enum vault_tag_text which, const char *word);
int tag_editor_subtract(struct tag_editor *editor, const char *name, enum vault_tag_text which, const char *word);

static inline void auto_tag_editor(struct tag_editor *editor)
{
	(void)tag_editor_close(editor); /* for ways of failure; the error on the way is the one to tell */
}

#endif
