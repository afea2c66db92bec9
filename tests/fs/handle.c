/* handle.c - file handles over remounts: handle save PATH FILE | handle read MOUNT FILE, which writes out what it opens. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

union any_handle {
	struct file_handle h;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static int save(const char *path, const char *file)
{
	union any_handle handle = { .h = { .handle_bytes = MAX_HANDLE_SZ } };
	FILE *out = fopen(file, "we");
	int mount;

	if (!out || name_to_handle_at(AT_FDCWD, path, &handle.h, &mount, 0) < 0 ||
	    fwrite(&handle, sizeof handle, 1, out) != 1 || fclose(out) != 0) {
		perror("handle: save");
		return 1;
	}
	return 0;
}

static int read_back(const char *mount, const char *file)
{
	union any_handle handle;
	char bytes[4096];
	FILE *in = fopen(file, "re");
	int top = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	ssize_t n;

	if (!in || fread(&handle, sizeof handle, 1, in) != 1 || top < 0) {
		perror("handle: read");
		return 2;
	}
	fclose(in);
	fd = open_by_handle_at(top, &handle.h, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		puts(strerrorname_np(errno));
		return 1;
	}
	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		fwrite(bytes, 1, (size_t)n, stdout);
	if (n < 0 && errno == EISDIR) {
		puts("a directory");
		return 0;
	}
	return n < 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "save") == 0)
		return save(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "read") == 0)
		return read_back(argv[2], argv[3]);
	fprintf(stderr, "usage: handle save PATH FILE | handle read MOUNT FILE\n");
	return 2;
}
