/* cmd_mount.c - `vaultfs mount`, and mount(8)'s way to the same: as a helper, or through mount.fuse3(8).
 *
 * The driver forks, mounts and reports; this joins it with the indexer and chooses the exit status. */
#include <errno.h>
#include <stdbool.h>
#include <getopt.h>
#include <string.h>

#include "auto.h"
#include "command.h"
#include "follow.h"
#include "fs.h"
#include "index_control.h"
#include "indexer.h"
#include "log.h"
#include "vault.h"

enum mount_status { MOUNT_OK = 0, MOUNT_USAGE = 1, MOUNT_FAILED = 32 }; /* mount(8), "EXIT STATUS" */

struct running {
	const struct fs_options *options;
	struct vault *vault;
	struct indexer *indexer;
	struct follow *follow;
};

static void on_opened(struct vault *vault, void *context)
{
	struct running *running = context;
	const struct indexer_options options = { .types_only = running->options->index_types_only,
						 .no_previews = !running->options->previews };

	running->vault = vault;
	if (running->options->index)
		(void)indexer_start(vault, &options, &running->indexer); /* logged; a mount without is still a mount */
}

static void on_started(struct fs *fs, void *context)
{
	struct running *running = context;

	(void)follow_start(running->vault, fs, &running->follow); /* logged; a mount that follows nothing is still a mount */
}

static void on_stopping(struct fs *fs, void *context)
{
	struct running *running = context;

	(void)fs;
	follow_stop(TAKE(running->follow));
}

/* What commands ask of a mount: a word that says whom, and the rest for them. */
static int on_control(const char *text, void *context)
{
	static const char location[] = "location ";
	struct running *running = context;

	if (strncmp(text, location, strlen(location)) == 0)
		return follow_command(running->follow, text + strlen(location));
	return index_control(running->vault, text);
}

static void on_closing(struct vault *vault, void *context)
{
	struct running *running = context;

	(void)vault;
	indexer_stop(running->indexer);
	running->indexer = NULL;
}

static int mount_it(const char *vault, const char *mount_point, const struct fs_options *options)
{
	struct running running = { .options = options };
	struct fs_hooks hooks = {
		.context = &running,
		.on_opened = on_opened,
		.on_started = on_started,
		.on_stopping = on_stopping,
		.on_control = on_control,
		.on_closing = on_closing,
	};

	return fs_mount(vault, mount_point, options, &hooks);
}

static int parse(const struct command *self, int argc, char **argv, struct fs_options *options)
{
	static const struct option long_options[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "read-only", no_argument, NULL, 'r' },
		COMMAND_LAST_OPTIONS,
	};
	int c;

	while ((c = command_option(self, argc, argv, "fdrso:", long_options)) != -1) {
		int r = 0;

		switch (c) {
		case 'f':
			options->foreground = true;
			break;
		case 'r':
			options->read_only = true;
			break;
		case 'd':
			r = fs_options_parse(options, "debug");
			break;
		case 's':
			r = fs_options_parse(options, "threads=1");
			break;
		case 'o':
			r = fs_options_parse(options, optarg);
			break;
		case 'h':
			return 'h';
		default:
			return -EINVAL;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int run_with(const struct command *self, int argc, char **argv, struct fs_options *options)
{
	int r = parse(self, argc, argv, options);

	if (r == 'h')
		return command_help(self);
	if (r == -EINVAL)
		return STATUS_USAGE;
	if (r < 0)
		return STATUS_FAILED;
	if (argc - optind != 2)
		return command_misused(self, "name a vault and the directory to mount it on");
	return mount_it(argv[optind], argv[optind + 1], options) < 0 ? STATUS_FAILED : STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct fs_options options;
	int status;

	fs_options_init(&options);
	status = run_with(self, argc, argv, &options);
	fs_options_release(&options);
	return status;
}

/* SOURCE DIRECTORY [-sfnvrw] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]: mount(8), "EXTERNAL HELPERS". */
static int helper_with(int argc, char **argv, struct fs_options *options)
{
	bool fake = false;
	int c;

	opterr = 0;
	while ((c = getopt(argc, argv, "sfnvrwN:o:t:")) != -1) {
		if (c == 'f')
			fake = true;
		else if (c == 'r')
			options->read_only = true;
		else if (c == 'o' && fs_options_parse(options, optarg) < 0)
			return MOUNT_USAGE;
		else if (c == '?')
			break;
	}
	if (c == '?' || argc - optind != 2) {
		log_line(LOG_LEVEL_ERROR, "mount: usage: %s VAULT DIRECTORY [-fnrsvw] [-o OPTIONS]", argv[0]);
		return MOUNT_USAGE;
	}
	if (fake)
		return MOUNT_OK;
	return mount_it(argv[optind], argv[optind + 1], options) < 0 ? MOUNT_FAILED : MOUNT_OK;
}

int mount_as_helper(int argc, char **argv)
{
	struct fs_options options;
	int status;

	fs_options_init(&options);
	status = helper_with(argc, argv, &options);
	fs_options_release(&options);
	return status;
}

const struct command cmd_mount = {
	.name = "mount",
	.summary = "mount a vault on a directory",
	.usage = "[-f] [-r] [-o OPTION[,OPTION...]] VAULT MOUNTPOINT",
	.help = "Mounts VAULT on the directory MOUNTPOINT and returns when it can be used. One process serves\n"
		"the mount until `vaultfs umount MOUNTPOINT`; its messages go to the system log.\n"
		"\n"
		"  -f, --foreground  stay in front and write messages to the terminal; Ctrl-C unmounts\n"
		"  -r, --read-only   change nothing, as -o ro\n"
		"  -d                write every request to the terminal, as -o debug; stays in front\n"
		"  -s                one thread, as -o threads=1\n"
		"  -o OPTIONS        a list separated by commas:\n"
		"       ro             change nothing\n"
		"       allow_other    let other users in (for users: if /etc/fuse.conf has user_allow_other)\n"
		"       commit=N       write everything to disk at the latest after N seconds, default 5\n"
		"       cache=N        MiB of unpacked content kept in memory, default 64\n"
		"       uid=N, gid=N   show everything as owned by this user or group\n"
		"       fsname=NAME    what df and mount show as the source\n"
		"       nonempty       mount although the directory holds something\n"
		"       writeback      let the kernel collect writes: faster for small ones, but what\n"
		"                      programs have written is lost if the daemon is killed\n"
		"       noacl          no access control lists: saves other users a request for each file\n"
		"       inherit=no     what is renamed over a file does not take over its tags and note\n"
		"       seen=no        a video or sound file that is read is not remembered as seen\n"
		"       index=no       do not look into files that changed; index=types: only for their types\n"
		"       previews=no    no short clips of videos\n"
		"       views=shown    ls shows .views, the folders by tag, kind, date and more, which is found by\n"
		"                      name otherwise; views=no: it is not there\n"
		"       readahead=N    KiB the kernel reads ahead; only root can set it\n"
		"       threads=N      how many requests are received at once\n"
		"     and those of mount(8) for every filesystem, such as noexec, nodev, nosuid, noatime\n"
		"  -h, --help        this text\n"
		"\n"
		"Example: vaultfs mount ~/Media.vault ~/Media\n"
		"         vaultfs mount -o ro,allow_other /srv/photos.vault /mnt/photos\n"
		"In /etc/fstab: /srv/photos.vault /mnt/photos fuse.vaultfs allow_other,nofail 0 0\n",
	.run = run,
};
