/* fuzz.c - files and small vaults for the fuzz targets. See fuzz.h. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pack keeps 64 MiB allocated ahead, which a tmpfs fills with zeros: most of the time of a short run. The store takes
 * a disk that cannot preallocate. */
int fallocate(int fd, int mode, off_t offset, off_t size);
int fallocate(int fd, int mode, off_t offset, off_t size)
{
	(void)fd;
	(void)mode;
	(void)offset;
	(void)size;
	errno = EOPNOTSUPP;
	return -1;
}

/* Records are read into blocks of 1 MiB, and a fresh mapping for the shadow of each was most of a short run's time. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "clear_shadow_mmap_threshold=1000000000:quarantine_size_mb=16:thread_local_quarantine_size_kb=256";
}

static char directory[200];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_directory(void)
{
	(void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);	/* the process ends anyhow */
}

const char *fuzz_directory(void)
{
	const char *tmp = getenv("TMPDIR");

	if (directory[0])
		return directory;
	(void)snprintf(directory, sizeof(directory), "%s/vaultfs-fuzz-XXXXXX", tmp ? tmp : "/dev/shm");
	FUZZ_CHECK(mkdtemp(directory) != NULL);
	FUZZ_CHECK(atexit(remove_directory) == 0);
	return directory;
}

const char *fuzz_path(const char *name)
{
	static char paths[4][300];
	static unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", fuzz_directory(), name);
	return path;
}

void fuzz_write_file(const char *path, const void *bytes, size_t size)
{
	int fd;

	if (!bytes) {
		FUZZ_CHECK(unlink(path) == 0 || errno == ENOENT);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	FUZZ_CHECK(close(fd) == 0);
}

uint8_t *fuzz_read_file(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *bytes;

	FUZZ_CHECK(fd >= 0 && fstat(fd, &st) == 0);
	bytes = malloc((size_t)st.st_size + 1);
	FUZZ_CHECK(bytes && read(fd, bytes, (size_t)st.st_size) == st.st_size);
	(void)close(fd);	/* only read */
	*ret_size = (size_t)st.st_size;
	return bytes;
}

static void drop_line(enum log_level level, const char *line, void *context)
{
	(void)context;
	if (getenv("VAULTFS_FUZZ_VERBOSE"))
		fprintf(stderr, "%d %s\n", (int)level, line);
}

void fuzz_quiet(void)
{
	/* Lines are put together, so that what they format is looked at as well. */
	log_set_sink(drop_line, NULL, LOG_LEVEL_DEBUG);
	vault_tune_process();
	/* Parsing statements is half of opening a vault, and the sanitizer's malloc() half of that. */
	FUZZ_CHECK(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 512, 4000) == SQLITE_OK);
}
