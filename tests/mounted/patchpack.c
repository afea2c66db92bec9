/* patchpack.c - change a pack file on purpose: patchpack version N FILE | flip OFFSET FILE | find TEXT FILE.
 *
 * version  sets the format version in the header and makes the header's checksum right again
 * flip     inverts one bit of the byte at OFFSET
 * find     prints the offset of the first occurrence of TEXT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { VERSION_OFFSET = 8, HEADER_MAX = 4096 };

static int set_version(uint8_t *bytes, size_t size, uint32_t version)
{
	/* The checksum stands behind what it covers: look for the place where it is right. */
	for (size_t at = VERSION_OFFSET + 8; at + 8 <= size && at <= HEADER_MAX; at += 8) {
		uint64_t sum;

		memcpy(&sum, bytes + at, 8);
		if (sum != XXH3_64bits(bytes, at))
			continue;
		memcpy(bytes + VERSION_OFFSET, &version, sizeof version);
		sum = XXH3_64bits(bytes, at);
		memcpy(bytes + at, &sum, 8);
		return 0;
	}
	fprintf(stderr, "patchpack: no header with a checksum\n");
	return 1;
}

static int find(const uint8_t *bytes, size_t size, const char *text)
{
	const uint8_t *at = memmem(bytes, size, text, strlen(text));

	if (!at)
		return 1;
	printf("%td\n", at - bytes);
	return 0;
}

int main(int argc, char **argv)
{
	struct stat st;
	uint8_t *bytes;
	size_t offset;
	int fd;

	if (argc != 4)
		return 2;
	fd = open(argv[3], O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
		fprintf(stderr, "patchpack: %s: %s\n", argv[3], strerror(errno));
		return 1;
	}
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return 1;
	offset = strtoull(argv[2], NULL, 10);
	if (strcmp(argv[1], "version") == 0)
		return set_version(bytes, (size_t)st.st_size, (uint32_t)offset);
	if (strcmp(argv[1], "find") == 0)
		return find(bytes, (size_t)st.st_size, argv[2]);
	if (strcmp(argv[1], "flip") != 0 || offset >= (size_t)st.st_size)
		return 2;
	bytes[offset] ^= 0x10;
	return 0;
}
