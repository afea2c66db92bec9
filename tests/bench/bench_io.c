/* bench_io.c - times what programs do with files: one mode, one kind of work, "NAME VALUE" lines out.
 *
 * The data to write comes from a mapped file that is already in memory, so that making it costs nothing. Modes on many
 * small files are in bench_tree.c, delays beside a writer in bench_latency.c. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ((size_t)128 << 10) /* what cp and cat use */
#define SMALL ((size_t)4096)
#define MEGA 1e6 /* MB/s are decimal */

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		bench_die("%s", path);
	return fd;
}

static void sync_or_die(int fd, const char *path)
{
	if (fsync(fd) < 0)
		bench_die("fsync of %s", path);
}

static void close_or_die(int fd, const char *path)
{
	if (close(fd) < 0)
		bench_die("closing %s", path);
}

static uint64_t size_of(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		bench_die("%s", path);
	return (uint64_t)st.st_size;
}

/* With the last fsync and the close inside. */
static void write_whole(char **arguments)
{
	size_t size;
	const char *data = bench_map(arguments[1], &size);
	const double begin = bench_seconds();
	int fd = open_or_die(arguments[0], O_WRONLY | O_CREAT | O_TRUNC);

	for (size_t done = 0; done < size; done += BLOCK)
		bench_write(fd, data + done, size - done < BLOCK ? size - done : BLOCK, arguments[0]);
	sync_or_die(fd, arguments[0]);
	close_or_die(fd, arguments[0]);
	(void)printf("mb_per_s %.3f\n", (double)size / MEGA / (bench_seconds() - begin));
}

static void read_whole(char **arguments)
{
	static char buffer[BLOCK];
	const double begin = bench_seconds();
	int fd = open_or_die(arguments[0], O_RDONLY);
	uint64_t done = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		done += (uint64_t)n;
	if (n < 0)
		bench_die("reading %s", arguments[0]);
	close_or_die(fd, arguments[0]);
	(void)printf("mb_per_s %.3f\n", (double)done / MEGA / (bench_seconds() - begin));
}

/* Places are drawn from slots of `block` bytes, so nothing is read twice in part. */
static void read_at_random(char **arguments)
{
	const size_t block = bench_size(arguments[1]);
	const uint64_t n = bench_size(arguments[2]);
	struct bench_samples samples = { 0 };
	uint64_t state = bench_size(arguments[3]);
	char *buffer = malloc(block);
	int fd = open_or_die(arguments[0], O_RDONLY);
	const uint64_t n_slots = size_of(fd, arguments[0]) / block;

	if (!buffer || n_slots == 0)
		bench_die("%s: nothing to read", arguments[0]);
	for (uint64_t i = 0; i < n; i++) {
		const off_t at = (off_t)(bench_random(&state) % n_slots * block);
		const double begin = bench_seconds();

		if (pread(fd, buffer, block, at) != (ssize_t)block)
			bench_die("reading %s", arguments[0]);
		bench_sample(&samples, bench_seconds() - begin);
	}
	close_or_die(fd, arguments[0]);
	free(buffer);
	(void)printf("p50_ms %.4f\np99_ms %.4f\n", bench_percentile(&samples, 0.5) * 1e3,
		     bench_percentile(&samples, 0.99) * 1e3);
	free(samples.seconds);
}

/* Random places of 4 KiB, an fsync every so many and at the end. */
static void overwrite(char **arguments)
{
	const uint64_t n = bench_size(arguments[1]);
	const uint64_t every = bench_size(arguments[2]);
	uint64_t state = bench_size(arguments[3]);
	char buffer[SMALL];
	int fd = open_or_die(arguments[0], O_RDWR);
	const uint64_t n_slots = size_of(fd, arguments[0]) / SMALL;
	double begin, spent = 0;

	if (n_slots == 0 || every == 0)
		bench_die("%s: nothing to overwrite", arguments[0]);
	for (uint64_t i = 1; i <= n; i++) {
		bench_fill(&state, buffer, sizeof(buffer));
		begin = bench_seconds();
		if (pwrite(fd, buffer, SMALL, (off_t)(bench_random(&state) % n_slots * SMALL)) !=
		    (ssize_t)SMALL)
			bench_die("writing %s", arguments[0]);
		if (i % every == 0 || i == n)
			sync_or_die(fd, arguments[0]);
		spent += bench_seconds() - begin;
	}
	close_or_die(fd, arguments[0]);
	(void)printf("per_s %.3f\n", (double)n / spent);
}

static void append(char **arguments)
{
	const uint64_t n = bench_size(arguments[1]);
	uint64_t state = bench_size(arguments[2]);
	char buffer[SMALL];
	int fd = open_or_die(arguments[0], O_WRONLY | O_CREAT | O_APPEND);
	const double begin = bench_seconds();

	for (uint64_t i = 0; i < n; i++) {
		bench_fill(&state, buffer, sizeof(buffer));
		bench_write(fd, buffer, sizeof(buffer), arguments[0]);
		sync_or_die(fd, arguments[0]);
	}
	(void)printf("per_s %.3f\n", (double)n / (bench_seconds() - begin));
	close_or_die(fd, arguments[0]);
}

/* As many calls as it takes: from the source's begin, over and over, until `total` bytes stand in the target. */
static void copy_range(char **arguments)
{
	const uint64_t total = bench_size(arguments[2]);
	const double begin = bench_seconds();
	int from = open_or_die(arguments[0], O_RDONLY);
	int to = open_or_die(arguments[1], O_WRONLY | O_CREAT | O_TRUNC);
	const uint64_t source = size_of(from, arguments[0]);
	uint64_t done = 0, n_calls = 0;

	while (done < total) {
		off_t at = (off_t)(done % source);
		uint64_t want = source - (uint64_t)at < total - done ? source - (uint64_t)at : total - done;
		ssize_t n = copy_file_range(from, &at, to, NULL, want, 0);

		if (n <= 0)
			bench_die("copy_file_range to %s", arguments[1]);
		done += (uint64_t)n;
		n_calls++;
	}
	close_or_die(to, arguments[1]);
	close_or_die(from, arguments[0]);
	(void)printf("seconds %.4f\ncalls %llu\n", bench_seconds() - begin, (unsigned long long)n_calls);
}

/* `n` islands of 4 KiB spread over `size`, then cut to nothing: the cut is what is timed. */
static void sparse(char **arguments)
{
	const uint64_t size = bench_size(arguments[1]);
	const uint64_t n = bench_size(arguments[2]);
	uint64_t state = 1;
	char buffer[SMALL];
	int fd = open_or_die(arguments[0], O_RDWR | O_CREAT);
	double begin;

	if (ftruncate(fd, (off_t)size) < 0)
		bench_die("extending %s", arguments[0]);
	for (uint64_t i = 0; i < n; i++) {
		bench_fill(&state, buffer, sizeof(buffer));
		if (pwrite(fd, buffer, SMALL, (off_t)(size / n * i)) != (ssize_t)SMALL)
			bench_die("writing %s", arguments[0]);
	}
	sync_or_die(fd, arguments[0]);
	begin = bench_seconds();
	if (ftruncate(fd, 0) < 0)
		bench_die("truncating %s", arguments[0]);
	(void)printf("seconds %.4f\n", bench_seconds() - begin);
	close_or_die(fd, arguments[0]);
}

int main(int argc, char **argv)
{
	static const struct bench_mode modes[] = {
		{ "write", "FILE SOURCE", 2, write_whole },
		{ "read", "FILE", 1, read_whole },
		{ "randread", "FILE BLOCK N SEED", 4, read_at_random },
		{ "overwrite", "FILE N FSYNC_EVERY SEED", 4, overwrite },
		{ "append", "FILE N SEED", 3, append },
		{ "copyrange", "FROM TO TOTAL", 3, copy_range },
		{ "sparse", "FILE SIZE N", 3, sparse },
		{ "create", "DIR N LEAST MOST SEED CORPUS", 6, bench_create },
		{ "walk", "DIR", 1, bench_walk },
		{ "readall", "DIR", 1, bench_readall },
		{ "delete", "DIR", 1, bench_delete },
		{ "latency", "DIR SECONDS LOOKUP_DIR N_LOOKUP", 4, bench_latency },
	};

	return bench_main(modes, sizeof(modes) / sizeof(modes[0]), argc, argv);
}
