/* ops_acl_list.h - access control lists as text, and calls made as somebody else, for the cases of lists.
 *
 * Lists are written "u:rwx u1001:rwx g:r-- g2001:r-- m:rw- o:---": user, named user, group, named group, mask, other. They
 * are turned into the kernel's form here, so that nothing of the store's or of libacl is taken for granted. */
#ifndef VAULTFS_TESTS_OPS_ACL_LIST_H
#define VAULTFS_TESTS_OPS_ACL_LIST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

#define ACL_FULL "u:rwx u1002:rwx g:r-x g2002:rw- m:rwx o:r-x"

enum { ACL_BYTES_MAX = 4096 };

enum { ACL_OWNER = 1001, ACL_OTHER_USER = 1002, ACL_GROUP = 2001, ACL_OTHER_GROUP = 2002 };

/* The bytes of a list; returns their number. */
size_t acl_encode(const char *text, unsigned char bytes[ACL_BYTES_MAX]);
/* One entry of such bytes, for lists too long to write down. */
void acl_put_entry(unsigned char **at, unsigned tag, unsigned permissions, uint32_t id);
/* "rwx" as 7. */
unsigned acl_permissions(const char *text);

/* The list that an object has, or "" for none; valid until the next call. */
const char *acl_of(const char *path, const char *name);
/* setxattr(2) of a list. */
int acl_set(const char *path, const char *name, const char *text);
int acl_set_simple(const char *path); /* an access list that says no more than 0755; 0 or the errno */

void acl_expect(const char *path, const char *name, const char *want);
void acl_expect_mode(const char *path, mode_t want);

struct who {
	uid_t uid;
	gid_t gid;
	gid_t extra; /* a supplementary group; 0: none */
};

/* Skip the case where nobody else can be played. */
void acl_need_root(void);
/* Run `act` as somebody: the number it returns, below 64. */
int acl_act_as(struct who who, int (*act)(const char *path), const char *path);
/* What the caller may do with a file, as the digit of a mode. */
int acl_permissions_on_file(const char *path);

#endif
