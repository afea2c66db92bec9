/* space.c - the disk below the vault, and the reserve. See space.h. */
#include "space.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "kill_point.h"

#define RESERVE_NAME "reserve"
#define PLENTY (4ull * SPACE_RESERVE)	/* bytes free at which a reserve is made, and commits may be large */

int vault_space(struct vault *vault, struct vault_space *ret)
{
	struct statvfs disk;

	if (fstatvfs(vault->dir_fd, &disk) < 0)
		return log_err(-errno, "%s: asking for free space: ", vault->path);
	*ret = (struct vault_space){
		.block_size = disk.f_frsize,
		.blocks = disk.f_blocks,
		.blocks_free = disk.f_bfree,
		.blocks_available = disk.f_bavail,
		.files = disk.f_files,
		.files_free = disk.f_ffree,
	};
	return 0;
}

uint64_t space_available(const struct vault *vault)
{
	struct statvfs disk;

	return fstatvfs(vault->dir_fd, &disk) < 0 ? 0 : (uint64_t)disk.f_bavail * disk.f_frsize;
}

void space_look(struct vault *vault)
{
	vault->scarce = space_available(vault) < PLENTY;
}

int space_to_grow(struct vault *vault)
{
	if (!vault->scarce || space_available(vault) >= SPACE_LEAST)
		return 0;
	space_look(vault);
	return -ENOSPC;
}

void space_renew_reserve(struct vault *vault)
{
	AUTO(fd) int fd = -1;
	struct statvfs disk;
	struct stat now;

	if (fstatat(vault->dir_fd, RESERVE_NAME, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_blocks * 512 >= (blkcnt_t)SPACE_RESERVE)
		return;
	if (fstatvfs(vault->dir_fd, &disk) < 0 || disk.f_bavail * disk.f_frsize < PLENTY)
		return;
	fd = openat(vault->dir_fd, RESERVE_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	KILL_POINT(reserve_make);
	if (fd < 0 || fallocate(fd, 0, 0, SPACE_RESERVE) < 0)
		log_debug("%s: no reserve could be made", vault->path);
	KILL_POINT(reserve_made);
}

bool space_give_up_reserve(struct vault *vault)
{
	struct stat now;
	int r;

	if (fstatat(vault->dir_fd, RESERVE_NAME, &now, AT_SYMLINK_NOFOLLOW) < 0 || now.st_blocks == 0)
		return false;
	log_warn("%s: the disk is full: the reserve of %u MiB is given up to go on", vault->path, SPACE_RESERVE >> 20);
	KILL_POINT(reserve_give_up);
	r = unlinkat(vault->dir_fd, RESERVE_NAME, 0);
	KILL_POINT(reserve_given_up);
	return r == 0;
}
