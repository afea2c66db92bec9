/* views_model.c - thousands of random changes to tags and files, by xattrs and through .views, against a model in memory.
 *
 * After each step one tag folder, or one of two tags, is listed and must show what the model says; now and then all of them.
 * Usage: views_model MOUNT STEPS SEED     seed 0: a new one */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../random.h"

enum { N_FILES = 30, N_TAGS = 6, PATH_ROOM = 512 };

/* Each stands below the one named, or -1. */
static const struct {
	const char *name, *folder;
	int above;
} tags[N_TAGS] = {
	{ "red", "red", -1 },	   { "blue", "blue", -1 },	       { "place", "place", -1 },
	{ "place/italy", "place/italy", 2 }, { "place/italy/rome", "place/italy/rome", 3 }, { "place/spain", "place/spain", 2 },
};

static struct {
	bool exists;
	int name;		/* file NAME; changes with renames */
	bool has[N_TAGS];	/* the very tag */
} files[N_FILES];

static const char *mount_point;
static struct random source;
static int step, n_names;

static _Noreturn void fail(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	fprintf(stderr, "views_model: step %d: ", step);
	vfprintf(stderr, format, list);
	fprintf(stderr, "\n");
	va_end(list);
	exit(1);
}

static bool counts_as(int file, int tag)
{
	if (files[file].has[tag])
		return true;
	for (int other = 0; other < N_TAGS; other++)
		if (tags[other].above == tag && counts_as(file, other))
			return true;
	return false;
}

static void take(int file, int tag)
{
	files[file].has[tag] = false;
	for (int other = 0; other < N_TAGS; other++)
		if (tags[other].above == tag)
			take(file, other);
}

static const char *real_path(int file)
{
	static char path[PATH_ROOM];

	snprintf(path, sizeof path, "%s/Files/file %d.txt", mount_point, files[file].name);
	return path;
}

static const char *view_path(int file, int tag, char *path)
{
	snprintf(path, PATH_ROOM, "%s/.views/tags/%s/file %d.txt", mount_point, tags[tag].folder, files[file].name);
	return path;
}

static void expect(const char *what, int file, int tag, bool done, bool wanted)
{
	if (done != wanted)
		fail("%s of file %d (%s), tag %s: %s, wanted it %s", what, file, real_path(file), tags[tag].name,
		     done ? "done" : strerror(errno), wanted ? "done" : "refused");
}

static void write_tags(int file)
{
	char text[PATH_ROOM] = "";

	for (int tag = 0; tag < N_TAGS; tag++) {
		files[file].has[tag] = random_below(&source, 4) == 0;
		if (files[file].has[tag])
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? "," : "", tags[tag].name);
	}
	if (setxattr(real_path(file), "user.xdg.tags", text, strlen(text), 0) < 0)
		fail("setxattr: %s", strerror(errno));
}

static void make(int file)
{
	int fd;

	files[file].exists = true;
	files[file].name = n_names++;
	memset(files[file].has, 0, sizeof files[file].has);
	fd = open(real_path(file), O_CREAT | O_EXCL | O_WRONLY, 0644);
	if (fd < 0)
		fail("open: %s", strerror(errno));
	close(fd);
}

static void move(int file, int from, int to)
{
	char old_path[PATH_ROOM], new_path[PATH_ROOM];
	bool is_there = counts_as(file, from), is_same = counts_as(file, to);
	bool done = rename(view_path(file, from, old_path), view_path(file, to, new_path)) == 0;

	expect("mv", file, from, done, is_there);
	if (is_there && !is_same) {	/* of one inode under both names rename(2) changes nothing */
		take(file, from);
		files[file].has[to] = true;
	}
}

static void change(void)
{
	int file = (int)random_below(&source, N_FILES), tag = (int)random_below(&source, N_TAGS);
	char path[PATH_ROOM], old[PATH_ROOM];
	bool was;

	if (!files[file].exists) {
		make(file);
		return;
	}
	was = counts_as(file, tag);
	switch (random_below(&source, 12)) {
	case 0:
		write_tags(file);
		break;
	case 1:
		if (unlink(real_path(file)) < 0)
			fail("unlink: %s", strerror(errno));
		files[file].exists = false;
		break;
	case 2:
		snprintf(old, sizeof old, "%s", real_path(file));
		files[file].name = n_names++;
		if (rename(old, real_path(file)) < 0)
			fail("rename: %s", strerror(errno));
		break;
	case 3: case 4: case 5:
		expect("rm", file, tag, unlink(view_path(file, tag, path)) == 0, was);
		take(file, tag);
		break;
	case 6: case 7:
		move(file, tag, (int)random_below(&source, N_TAGS));
		break;
	default:
		expect("ln", file, tag, link(real_path(file), view_path(file, tag, path)) == 0, !was);
		files[file].has[tag] |= !was;
		break;
	}
	if (files[file].exists) {
		struct stat info;

		if (stat(real_path(file), &info) < 0 || info.st_nlink != 1)
			fail("%s has %d links", real_path(file), (int)info.st_nlink);
	}
}

/* Does the folder of one tag, or of two, show what it should? */
static void look(int tag, int other)
{
	char path[PATH_ROOM];
	bool shown[N_FILES] = { false };
	struct dirent *entry;
	DIR *dir;

	if (tag == other)
		snprintf(path, sizeof path, "%s/.views/tags/%s", mount_point, tags[tag].folder);
	else if (strchr(tags[tag].name, '/') || strchr(tags[other].name, '/'))
		return;		/* a search is one component */
	else
		snprintf(path, sizeof path, "%s/.views/search/tag:%s tag:%s", mount_point, tags[tag].name, tags[other].name);
	dir = opendir(path);
	if (!dir)
		fail("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		int name, file = 0;

		if (entry->d_type != DT_REG || sscanf(entry->d_name, "file %d.txt", &name) != 1)
			continue;
		while (file < N_FILES && !(files[file].exists && files[file].name == name))
			file++;
		if (file == N_FILES || shown[file])
			fail("%s shows %s, which is %s", path, entry->d_name, file == N_FILES ? "not there" : "there once");
		shown[file] = true;
	}
	closedir(dir);
	for (int file = 0; file < N_FILES; file++)
		if (shown[file] != (files[file].exists && counts_as(file, tag) && counts_as(file, other)))
			fail("%s: file %d is %sshown", path, files[file].name, shown[file] ? "" : "not ");
}

int main(int argc, char **argv)
{
	char path[PATH_ROOM];
	int steps;

	if (argc != 4)
		return 2;
	mount_point = argv[1];
	steps = atoi(argv[2]);
	source.state = random_seed_or(argv[3]);
	snprintf(path, sizeof path, "%s/Files", mount_point);
	if (mkdir(path, 0755) < 0)
		fail("%s: %s", path, strerror(errno));
	for (int tag = 0; tag < N_TAGS; tag++) {
		snprintf(path, sizeof path, "%s/.views/tags/%s", mount_point, tags[tag].folder);
		if (mkdir(path, 0755) < 0)
			fail("%s: %s", path, strerror(errno));
	}
	for (step = 0; step < steps; step++) {
		int tag = (int)random_below(&source, N_TAGS);

		change();
		look(tag, random_below(&source, 2) ? tag : (int)random_below(&source, N_TAGS));
		for (int each = 0; step % 100 == 0 && each < N_TAGS; each++)
			look(each, each);
	}
	return 0;
}
