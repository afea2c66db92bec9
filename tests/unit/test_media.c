/* test_media.c - what the helper finds in pictures, videos and sound, and that nothing in them gets out of it.
 *
 * The files are made by ffmpeg(1) when the tests begin; what is made of them is looked at by ffprobe(1) and ffmpeg(1),
 * in their own processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../random.h"
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_MEDIA
enum { WITH_MEDIA = 1 };
#else
enum { WITH_MEDIA = 0 };
#endif
#ifdef HAVE_EXIF
enum { WITH_EXIF = 1 };
#else
enum { WITH_EXIF = 0 };
#endif

static char directory[64];

/* ---- the files ---- */

#define VIDEO "-f lavfi -i testsrc=s=160x120:r=10:d="
#define SOUND " -f lavfi -i sine=r=8000:d="
#define ONE "-f lavfi -i testsrc=s=400x300:d=1 -frames:v 1 "

#define MOVES(w, h, s, n, small) \
	.width = (w), .height = (h), .seconds = (s), .n_previews = (n), .thumbnail = (small)
#define STANDS .width = 400, .height = 300, .thumbnail = "256,192"

enum { N_SAMPLES = 18 };

static const struct sample {
	const char *name, *arguments, *mime;
	uint32_t width, height;
	double seconds;
	const char *has[4]; /* stands in the JSON */
	unsigned n_previews;
	const char *thumbnail; /* its size */
} samples[N_SAMPLES] = {
	{ .name = "h264.mp4",
	  .arguments = VIDEO "3" SOUND "3 -c:v libx264 -preset ultrafast -c:a aac -metadata title=Harbour "
			     "-metadata creation_time=2024-02-20T14:30:00Z -metadata location=+40.5-074.25/",
	  .mime = "video/mp4",
	  MOVES(160, 120, 3, 1, "160,120"),
	  .has = { "\"codec\":\"h264\",\"frame_rate\":10",
		   "\"codec\":\"aac\",\"channels\":1,\"sample_rate\":8000", "\"title\":\"Harbour\"",
		   "\"taken\":\"2024-02-20T14:30:00Z\"" } },
	{ .name = "long.mp4",
	  .arguments = VIDEO "14 -c:v libx264 -preset ultrafast -g 30",
	  .mime = "video/mp4",
	  MOVES(160, 120, 14, 3, "160,120"),
	  .has = { "\"container\":\"mov\"" } },
	{ .name = "turned.mp4",
	  .arguments = "-i h264.mp4 -c copy -metadata:s:v rotate=90",
	  .mime = "video/mp4",
	  MOVES(120, 160, 3, 1, "120,160"),
	  .has = { "\"orientation\":" } },
	{ .name = "wide.mkv",
	  .arguments = VIDEO "3" SOUND "3 -vf setsar=2/1 -c:v mpeg4 -c:a flac",
	  .mime = "video/x-matroska",
	  MOVES(160, 120, 3, 1, "256,96"),
	  .has = { "\"container\":\"matroska\"", "\"codec\":\"mpeg4\"", "\"codec\":\"flac\"" } },
	{ .name = "no_index.mkv",
	  .arguments = VIDEO "3 -c:v mpeg4 -g 10 -f matroska - | cat >",
	  .mime = "video/x-matroska",
	  MOVES(160, 120, 0, 1, "160,120"),
	  .has = { "\"codec\":\"mpeg4\"" } },
	{ .name = "vp8.webm",
	  .arguments = VIDEO "3 -c:v libvpx -b:v 100k",
	  .mime = "video/webm",
	  MOVES(160, 120, 3, 1, "160,120"),
	  .has = { "\"codec\":\"vp8\"" } },
	{ .name = "mpeg2.ts",
	  .arguments = VIDEO "3 -r 25 -c:v mpeg2video",
	  MOVES(160, 120, 3, 1, "160,120"),
	  .has = { "\"container\":\"mpegts\"" } },
	{ .name = "wmv2.wmv",
	  .arguments = VIDEO "3 -c:v wmv2",
	  .mime = "video/x-ms-asf",
	  MOVES(160, 120, 3, 1, "160,120"),
	  .has = { "\"codec\":\"wmv2\"" } },
	{ .name = "mpeg4.avi",
	  .arguments = VIDEO "3 -c:v mpeg4",
	  .mime = "video/x-msvideo",
	  MOVES(160, 120, 3, 1, "160,120"),
	  .has = { "\"container\":\"avi\"" } },
	{ .name = "sound.mp3",
	  .arguments = "-f lavfi -i sine=d=3 -metadata artist=Someone -metadata album=Harbour",
	  .mime = "audio/mpeg",
	  .seconds = 3,
	  .has = { "\"codec\":\"mp3\"", "\"artist\":\"Someone\"", "\"album\":\"Harbour\"" } },
	{ .name = "cover.mp3", /* the cover is larger than what is probed */
	  .arguments =
		  "-f lavfi -i sine=d=3 -f lavfi -i color=gray:s=800x600:d=0.04,noise=alls=100 -frames:v 1 "
		  "-c:v png -map 0 -map 1 -disposition:v attached_pic",
	  .mime = "audio/mpeg",
	  .seconds = 3,
	  .has = { "\"codec\":\"mp3\"" },
	  .thumbnail = "256,192" },
	{ .name = "sound.flac",
	  .arguments = "-f lavfi -i sine=d=3",
	  .mime = "audio/flac",
	  .seconds = 3,
	  .has = { "\"sample_rate\":44100" } },
	{ .name = "sound.opus",
	  .arguments = "-f lavfi -i sine=d=3 -c:a libopus -metadata title=Harbour",
	  .mime = "audio/ogg",
	  .seconds = 3,
	  .has = { "\"codec\":\"opus\"", "\"title\":\"Harbour\"" } },
	{ .name = "picture.jpg", .arguments = ONE, .mime = "image/jpeg", STANDS },
	{ .name = "picture.png", .arguments = ONE, .mime = "image/png", STANDS },
	{ .name = "picture.webp", .arguments = ONE, .mime = "image/webp", STANDS },
	{ .name = "picture.bmp", .arguments = ONE, .mime = "image/bmp", STANDS },
	{ .name = "moving.gif",
	  .arguments = "-f lavfi -i testsrc=s=160x120:r=5:d=2",
	  .mime = "image/gif",
	  MOVES(160, 120, 2, 0, "160,120"),
	  .has = { "\"codec\":\"gif\"" } },
};

static const char *path_of(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void make(const char *name, const char *arguments)
{
	char command[1024];

	(void)snprintf(command, sizeof(command), "cd %s && ffmpeg -v error -nostdin -y -threads 1 %s %s",
		       directory, arguments, name);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

struct bytes {
	uint8_t *bytes;
	size_t size;
};

static struct bytes read_file(const char *name)
{
	FILE *file = fopen(path_of(name), "rb");
	struct bytes ret = { NULL, 0 };

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	ret.size = (size_t)ftell(file);
	rewind(file);
	ret.bytes = malloc(ret.size);
	assert_non_null(ret.bytes);
	assert_int_equal(fread(ret.bytes, 1, ret.size, file), ret.size);
	(void)fclose(file);
	return ret;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
	FILE *file = fopen(path_of(name), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* What a command prints, up to its first newline. */
static const char *output_of(const char *command)
{
	static char line[256];
	FILE *pipe = popen(command, "r");

	assert_non_null(pipe);
	line[0] = '\0';
	if (!fgets(line, sizeof(line), pipe))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	(void)pclose(pipe);
	return line;
}

static const char *ffprobe(const char *name, const char *entries)
{
	char command[512];

	(void)snprintf(command, sizeof(command),
		       "ffprobe -v error -select_streams v -show_entries %s -of csv=p=0 %s", entries,
		       path_of(name));
	return output_of(command);
}

static ssize_t read_bytes(void *context, uint64_t offset, void *buffer, size_t size)
{
	const struct bytes *file = context;

	assert_true(offset < file->size && size > 0 && size <= file->size - offset);
	memcpy(buffer, file->bytes + offset, size);
	return (ssize_t)size;
}

static int inspect_bytes(struct indexer_probe *probe, struct bytes *bytes, const char *name, unsigned wanted,
			 struct indexer_findings *ret)
{
	const char *dot = strrchr(name, '.');
	const struct indexer_source source = { bytes->size, dot ? dot + 1 : NULL, read_bytes, bytes };

	return indexer_probe_inspect(probe, &source, wanted, ret);
}

static int inspect(struct indexer_probe *probe, const char *name, unsigned wanted,
		   struct indexer_findings *ret)
{
	struct bytes bytes = read_file(name);
	const int r = inspect_bytes(probe, &bytes, name, wanted, ret);

	free(bytes.bytes);
	return r;
}

/* ---- what is found ---- */

static void check_sample(const struct sample *sample, const struct indexer_findings *found)
{
	const double seconds = (double)found->duration_ms / 1000;

	if (sample->mime && strcmp(found->mime, sample->mime) != 0)
		fail_msg("%s: %s", sample->name, found->mime);
	if (found->done != STAGES_ALL || found->failed || found->trouble[0])
		fail_msg("%s: done %u, failed %u, %s", sample->name, found->done, found->failed,
			 found->trouble);
	if (!WITH_MEDIA)
		return;
	if (found->width != sample->width || found->height != sample->height ||
	    fabs(seconds - sample->seconds) > 0.3)
		fail_msg("%s: %u x %u, %.3f s", sample->name, found->width, found->height, seconds);
	for (size_t i = 0; i < 4 && sample->has[i]; i++)
		if (!found->media_json || !strstr(found->media_json, sample->has[i]))
			fail_msg("%s: %s is not in %s", sample->name, sample->has[i], found->media_json);
	if (found->n_previews != sample->n_previews ||
	    (found->thumbnail != NULL) != (sample->thumbnail != NULL))
		fail_msg("%s: %u previews, %zu bytes of a thumbnail", sample->name, found->n_previews,
			 found->thumbnail_size);
}

static void media__says_what_files_are(void **state)
{
	for (size_t i = 0; i < N_SAMPLES; i++) {
		struct indexer_findings found;
		const int r = inspect(*state, samples[i].name, STAGES_ALL, &found);

		if (r != 0)
			fail_msg("%s: %d", samples[i].name, r);
		check_sample(&samples[i], &found);
		indexer_findings_release(&found);
	}
}

static void media__says_when_and_where_a_video_was_taken(void **state)
{
	struct indexer_findings found;

	if (!WITH_MEDIA)
		skip();
	assert_int_equal(inspect(*state, "h264.mp4", STAGE_MEDIA, &found), 0);
	assert_int_equal(found.taken_at_ns, INT64_C(1708439400000000000));
	assert_non_null(strstr(found.media_json, "\"place\":{\"latitude\":40.5,\"longitude\":-74.25}"));
	assert_null(found.thumbnail); /* not wanted */
	indexer_findings_release(&found);
}

/* ---- thumbnails ---- */

static void thumbnail__is_a_jpeg_of_the_right_size(void **state)
{
	if (!WITH_MEDIA)
		skip();
	for (size_t i = 0; i < N_SAMPLES; i++) {
		struct indexer_findings found;

		if (!samples[i].thumbnail)
			continue;
		assert_int_equal(inspect(*state, samples[i].name, STAGE_THUMBNAIL, &found), 0);
		write_file("thumbnail.jpg", found.thumbnail, found.thumbnail_size);
		indexer_findings_release(&found);
		if (strcmp(ffprobe("thumbnail.jpg", "stream=width,height"), samples[i].thumbnail) != 0)
			fail_msg("%s: %s", samples[i].name, ffprobe("thumbnail.jpg", "stream=width,height"));
	}
}

/* The mean colours of the four quarters of a picture: upper left, upper right, lower left, lower right. */
static void quarters_of(const char *name, uint8_t ret[4][3])
{
	char command[512];
	FILE *pipe;

	(void)snprintf(command, sizeof(command),
		       "ffmpeg -v error -nostdin -i %s -vf format=rgb24,scale=2:2:flags=area -f rawvideo "
		       "-pix_fmt rgb24 -frames:v 1 -",
		       path_of(name));
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_int_equal(fread(ret, 1, 12, pipe), 12);
	(void)pclose(pipe);
}

/* Red, green, blue or white, by the first letter. */
static char letter_of(const uint8_t colour[3])
{
	if (colour[0] > 128 && colour[1] > 128)
		return 'w';
	return colour[0] > 128 ? 'r' : colour[1] > 128 ? 'g' : colour[2] > 128 ? 'b' : '?';
}

/* ---- EXIF, written by hand ---- */

struct tiff {
	uint8_t bytes[512];
	size_t size;
};

static void put_16(struct tiff *tiff, unsigned value)
{
	tiff->bytes[tiff->size++] = (uint8_t)(value & 0xff);
	tiff->bytes[tiff->size++] = (uint8_t)(value >> 8);
}

static void put_32(struct tiff *tiff, uint32_t value)
{
	put_16(tiff, value & 0xffff);
	put_16(tiff, value >> 16);
}

static void put_entry(struct tiff *tiff, unsigned tag, unsigned format, uint32_t count, uint32_t value)
{
	put_16(tiff, tag);
	put_16(tiff, format);
	put_32(tiff, count);
	put_32(tiff, value);
}

/* All offsets are counted by hand: the directories stand at 8, 70 and 112, what they point to from 170 on. */
static struct tiff make_exif(unsigned orientation)
{
	struct tiff tiff = { .size = 0 };

	memcpy(tiff.bytes, "Exif\0\0II*\0\x08\0\0\0", 14);
	tiff.size = 14;
	put_16(&tiff, 4);
	put_entry(&tiff, 0x010f, 2, 4, 'A' | 'c' << 8 | 'e' << 16); /* Make */
	put_entry(&tiff, 0x0112, 3, 1, orientation);
	put_entry(&tiff, 0x8769, 4, 1, 70);
	put_entry(&tiff, 0x8825, 4, 1, 112);
	put_32(&tiff, 0);
	tiff.size = 6 + 70;
	put_16(&tiff, 3);
	put_entry(&tiff, 0x8827, 3, 1, 200);  /* ISO */
	put_entry(&tiff, 0x9003, 2, 20, 170); /* DateTimeOriginal */
	put_entry(&tiff, 0x9011, 2, 7, 190);  /* OffsetTimeOriginal */
	put_32(&tiff, 0);
	tiff.size = 6 + 112;
	put_16(&tiff, 4);
	put_entry(&tiff, 1, 2, 2, 'S');
	put_entry(&tiff, 2, 5, 3, 200);
	put_entry(&tiff, 3, 2, 2, 'E');
	put_entry(&tiff, 4, 5, 3, 224);
	put_32(&tiff, 0);
	memcpy(tiff.bytes + 6 + 170, "2023:05:06 07:08:09", 20);
	memcpy(tiff.bytes + 6 + 190, "+02:00", 7);
	tiff.size = 6 + 200;
	for (int i = 0; i < 2; i++) { /* 10 deg 30' 36", 20 deg 30' 36" */
		put_32(&tiff, i ? 20 : 10);
		put_32(&tiff, 1);
		put_32(&tiff, 30);
		put_32(&tiff, 1);
		put_32(&tiff, 360);
		put_32(&tiff, 10);
	}
	return tiff;
}

/* picture.jpg or corners.jpg with an EXIF block behind its first marker. */
static struct bytes with_exif(const char *name, const struct tiff *tiff)
{
	struct bytes plain = read_file(name), ret;

	ret.size = plain.size + 4 + tiff->size;
	ret.bytes = malloc(ret.size);
	assert_non_null(ret.bytes);
	memcpy(ret.bytes, plain.bytes, 2);
	ret.bytes[2] = 0xff;
	ret.bytes[3] = 0xe1;
	ret.bytes[4] = (uint8_t)((tiff->size + 2) >> 8);
	ret.bytes[5] = (uint8_t)((tiff->size + 2) & 0xff);
	memcpy(ret.bytes + 6, tiff->bytes, tiff->size);
	memcpy(ret.bytes + 6 + tiff->size, plain.bytes + 2, plain.size - 2);
	free(plain.bytes);
	return ret;
}

static void exif__says_when_where_and_how(void **state)
{
	static const char *const want[] = { "\"make\":\"Ace\"",
					    "\"iso\":200",
					    "\"latitude\":-10.51",
					    "\"longitude\":20.51",
					    "\"taken\":\"2023-05-06T05:08:09Z\"",
					    "\"orientation\":6" };
	const struct tiff tiff = make_exif(6);
	struct bytes bytes = with_exif("picture.jpg", &tiff);
	struct indexer_findings found;

	if (!WITH_EXIF)
		skip();
	assert_int_equal(inspect_bytes(*state, &bytes, "picture.jpg", STAGE_MEDIA, &found), 0);
	assert_int_equal(found.width, 300); /* as shown */
	assert_int_equal(found.height, 400);
	assert_int_equal(found.taken_at_ns, INT64_C(1683349689000000000));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		if (!strstr(found.media_json, want[i]))
			fail_msg("%s is not in %s", want[i], found.media_json);
	indexer_findings_release(&found);
	free(bytes.bytes);
}

/* That of whoever asks: the helper gets it from there. */
static void exif__without_a_zone_is_local_time(void **state)
{
	struct tiff tiff = make_exif(1);
	struct indexer_findings found;
	struct indexer_probe *probe = NULL;
	struct bytes bytes;

	(void)state;
	if (!WITH_EXIF)
		skip();
	tiff.bytes[6 + 70 + 2 + 2 * 12 + 1] = 0; /* the zone is called something else */
	bytes = with_exif("picture.jpg", &tiff);
	assert_int_equal(setenv("TZ", "XYZ-3", 1), 0);
	assert_int_equal(indexer_probe_new(NULL, -1, &probe), 0);
	assert_int_equal(inspect_bytes(probe, &bytes, "picture.jpg", STAGE_MEDIA, &found), 0);
	assert_int_equal(unsetenv("TZ"), 0);
	assert_int_equal(found.taken_at_ns, INT64_C(1683346089000000000)); /* 04:08:09 */
	indexer_findings_release(&found);
	indexer_probe_free(probe);
	free(bytes.bytes);
}

/* `plain` with `size` bytes put in at `at`. */
static struct bytes with_part(const struct bytes *plain, size_t at, const void *part, size_t size)
{
	struct bytes ret = { malloc(plain->size + size), plain->size + size };

	assert_non_null(ret.bytes);
	memcpy(ret.bytes, plain->bytes, at);
	memcpy(ret.bytes + at, part, size);
	memcpy(ret.bytes + at + size, plain->bytes + at, plain->size - at);
	return ret;
}

static void check_make(struct indexer_probe *probe, struct bytes *bytes, const char *name, uint32_t width)
{
	struct indexer_findings found;

	assert_int_equal(inspect_bytes(probe, bytes, name, STAGE_MEDIA, &found), 0);
	if (found.width != width || !found.media_json || !strstr(found.media_json, "\"make\":\"Ace\""))
		fail_msg("%s: %s, %u, %s", name, found.mime, found.width, found.media_json);
	indexer_findings_release(&found);
	free(bytes->bytes);
}

/* The other formats: the block stands in a part of its own, with its mark or without. The HEIC is what is looked at of one. */
static void exif__is_found_in_png_webp_and_heic(void **state)
{
	static uint8_t heic[] = "\0\0\0\x18"
				"ftypheic\0\0\0\0mif1heic\0\0\0\x14ispe\0\0\0\0\0\0\2\0\0\0\1\x2c";
	const struct bytes head = { heic, sizeof(heic) - 1 };
	const struct tiff tiff = make_exif(6);
	const size_t size = tiff.size - 6;
	struct bytes png = read_file("picture.png"), webp = read_file("picture.webp"), bytes;
	uint8_t part[600] = { 0 };

	if (!WITH_EXIF)
		skip();
	assert_true(size < 256);
	part[3] = (uint8_t)size;
	memcpy(part + 4, "eXIf", 4);
	memcpy(part + 8, tiff.bytes + 6, size);
	bytes = with_part(&png, 33, part, 8 + size + 4); /* the checksum stays 0 */
	check_make(*state, &bytes, "exif.png", 300);

	memcpy(part, "EXIF", 4);
	frame_put_u32(part + 4, (uint32_t)size);
	bytes = with_part(&webp, webp.size, part, 8 + size);
	check_make(*state, &bytes, "exif.webp", 300);

	bytes = with_part(&head, head.size, tiff.bytes, tiff.size);
	check_make(*state, &bytes, "exif.heic", 300);
	free(png.bytes);
	free(webp.bytes);
}

/* The picture has red, green, blue and white quarters. */
static void thumbnail__is_turned_as_the_camera_says(void **state)
{
	static const char *const want[] = { "rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb" };

	if (!WITH_MEDIA || !WITH_EXIF)
		skip();
	for (unsigned i = 0; i < 8; i++) {
		const struct tiff tiff = make_exif(i + 1);
		struct bytes bytes = with_exif("corners.jpg", &tiff);
		struct indexer_findings found;
		uint8_t quarters[4][3];
		char got[5] = "";

		assert_int_equal(inspect_bytes(*state, &bytes, "corners.jpg", STAGE_THUMBNAIL, &found), 0);
		assert_non_null(found.thumbnail);
		write_file("thumbnail.jpg", found.thumbnail, found.thumbnail_size);
		indexer_findings_release(&found);
		free(bytes.bytes);
		quarters_of("thumbnail.jpg", quarters);
		for (int j = 0; j < 4; j++)
			got[j] = letter_of(quarters[j]);
		if (strcmp(got, want[i]) != 0)
			fail_msg("orientation %u: %s, not %s", i + 1, got, want[i]);
	}
}

/* As ffmpeg turns it. */
static void thumbnail__of_a_turned_video_stands_upright(void **state)
{
	struct indexer_findings found;
	uint8_t want[4][3], got[4][3];

	if (!WITH_MEDIA)
		skip();
	assert_int_equal(inspect(*state, "turned_corners.mp4", STAGE_THUMBNAIL | STAGE_PREVIEWS, &found), 0);
	write_file("thumbnail.jpg", found.thumbnail, found.thumbnail_size);
	assert_int_equal(found.n_previews, 1);
	write_file("preview.mp4", found.previews[0].bytes, found.previews[0].size);
	indexer_findings_release(&found);
	quarters_of("turned_corners.mp4", want);
	quarters_of("thumbnail.jpg", got);
	for (int i = 0; i < 4; i++)
		assert_int_equal(letter_of(got[i]), letter_of(want[i]));
	quarters_of("preview.mp4", got);
	for (int i = 0; i < 4; i++)
		assert_int_equal(letter_of(got[i]), letter_of(want[i]));
}

static void thumbnail__is_of_a_frame_that_shows_something(void **state)
{
	struct indexer_findings found;
	uint8_t quarters[4][3];
	bool any = false;

	if (!WITH_MEDIA)
		skip();
	assert_int_equal(inspect(*state, "dark_first.mp4", STAGE_THUMBNAIL, &found), 0);
	write_file("thumbnail.jpg", found.thumbnail, found.thumbnail_size);
	indexer_findings_release(&found);
	quarters_of("thumbnail.jpg", quarters);
	for (int i = 0; i < 4; i++)
		any |= letter_of(quarters[i]) != '?';
	assert_true(any);
}

/* ---- previews ---- */

static size_t place_of(const struct indexer_preview *preview, const char *box)
{
	const uint8_t *at = memmem(preview->bytes, preview->size, box, 4);

	assert_non_null(at);
	return (size_t)(at - (const uint8_t *)preview->bytes);
}

static void previews__play_for_two_seconds_without_sound(void **state)
{
	static const char *const names[] = { "h264.mp4", "long.mp4", "vp8.webm", "mpeg2.ts", "wide.mkv" };

	if (!WITH_MEDIA)
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct indexer_findings found;

		assert_int_equal(inspect(*state, names[i], STAGE_PREVIEWS, &found), 0);
		assert_true(found.n_previews > 0);
		for (unsigned j = 0; j < found.n_previews; j++) {
			double seconds;

			assert_true(place_of(&found.previews[j], "moov") <
				    place_of(&found.previews[j], "mdat"));
			write_file("preview.mp4", found.previews[j].bytes, found.previews[j].size);
			seconds = strtod(ffprobe("preview.mp4", "format=duration"), NULL);
			if (fabs(seconds - 2) > 0.35)
				fail_msg("%s, %u: %.3f s", names[i], j, seconds);
			assert_string_equal(ffprobe("preview.mp4", "format=nb_streams"), "1");
		}
		indexer_findings_release(&found);
	}
}

static void previews__show_different_stretches(void **state)
{
	struct indexer_findings found;

	if (!WITH_MEDIA)
		skip();
	assert_int_equal(inspect(*state, "long.mp4", STAGE_PREVIEWS, &found), 0);
	assert_int_equal(found.n_previews, 3);
	for (unsigned i = 1; i < 3; i++)
		assert_false(found.previews[i].size == found.previews[0].size &&
			     memcmp(found.previews[i].bytes, found.previews[0].bytes,
				    found.previews[0].size) == 0);
	indexer_findings_release(&found);
}

/* ---- hostile files ---- */

/* Whatever comes, it is an answer or one of the two failures, and the next file is looked into. */
static void check_survival(struct indexer_probe *probe, struct bytes *bytes, const char *name,
			   const char *what)
{
	struct indexer_findings found;
	const int r = inspect_bytes(probe, bytes, name, STAGES_ALL, &found);

	if (r != 0 && r != -EPIPE && r != -ETIMEDOUT)
		fail_msg("%s, %s: %d", name, what, r);
	if (r != 0) {
		print_message("%s, %s: the helper %s\n", name, what, r == -EPIPE ? "died" : "hung");
		write_file("killed_it", bytes->bytes, bytes->size);
	}
	indexer_findings_release(&found);
}

static void media__survives_what_is_cut_short_or_changed(void **state)
{
	const uint64_t seed = random_seed_or("0");
	const int n = getenv("VAULTFS_SLOW") ? 3 : 8;
	struct random random = { seed };
	struct indexer_findings found;

	for (size_t i = 0; i < N_SAMPLES; i++) {
		struct bytes whole = read_file(samples[i].name);

		for (int j = 0; j < n; j++) {
			struct bytes bytes = { malloc(whole.size), whole.size };
			size_t flips = random_size(&random, 60);

			assert_non_null(bytes.bytes);
			memcpy(bytes.bytes, whole.bytes, whole.size);
			if (j % 2 == 0)
				bytes.size = 1 + random_below(&random, whole.size);
			else
				for (; flips > 0; flips--) /* mostly in the head, where the lengths are */
					bytes.bytes[random_size(&random, whole.size) - 1] ^=
						(uint8_t)(1u << random_below(&random, 8));
			check_survival(*state, &bytes, samples[i].name, j % 2 ? "bits flipped" : "cut short");
			free(bytes.bytes);
		}
		free(whole.bytes);
	}
	assert_int_equal(inspect(*state, "picture.png", STAGES_ALL, &found), 0);
	assert_int_equal(found.done, STAGES_ALL);
	indexer_findings_release(&found);
}

/* A PNG of 60,000 x 60,000 pixels in 60 bytes. */
static void media__says_the_size_of_a_picture_that_is_too_large(void **state)
{
	static uint8_t png[] =
		"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0\0\0\0\0"
		"\0\0\0\x0aIDAT\x78\x9c\x63\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0IEND\xae\x42\x60\x82";
	struct bytes bytes = { png, sizeof(png) - 1 };
	struct indexer_findings found;

	assert_int_equal(inspect_bytes(*state, &bytes, "bomb.png", STAGES_ALL, &found), 0);
	assert_int_equal(found.width, 60000);
	assert_int_equal(found.height, 60000);
	assert_null(found.thumbnail);
	assert_string_equal(found.trouble, WITH_MEDIA ? "thumbnail: too large" : "");
	indexer_findings_release(&found);
}

/* What names other files is text, or nothing. */
static void media__follows_no_playlist(void **state)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{ "list.m3u8",
		  "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n" },
		{ "list.mp4", "ffconcat version 1.0\nfile /etc/hostname\n" },
		{ "list.mp4", "#EXTM3U\n#EXTINF:10,\n/etc/hostname\n" },
		{ "list.mpd", "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\">\n"
			      "<Period><BaseURL>file:///etc/hostname</BaseURL></Period></MPD>\n" },
		{ "list.sdp",
		  "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes bytes = { (uint8_t *)(uintptr_t)rows[i].text, strlen(rows[i].text) };
		struct indexer_findings found;

		assert_int_equal(inspect_bytes(*state, &bytes, rows[i].name, STAGES_ALL, &found), 0);
		if (found.media_json || found.thumbnail || found.n_previews)
			fail_msg("%s: %s, %s", rows[i].name, found.mime, found.media_json);
		indexer_findings_release(&found);
	}
}

/* ---- the one that looks is shut in ---- */

/* The value of `field` in /proc/PID/status; -1: there is none. */
static long status_of(const char *pid, const char *field)
{
	char path[300], line[256];
	long value = -1;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
			value = strtol(line + strlen(field) + 1, NULL, 10);
	if (file)
		(void)fclose(file);
	return value;
}

static int count_descriptors(const char *pid)
{
	char path[300];
	DIR *directory_of_fds;
	int n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	directory_of_fds = opendir(path);
	assert_non_null(directory_of_fds);
	while (readdir(directory_of_fds))
		n++;
	(void)closedir(directory_of_fds);
	return n - 2;
}

static struct {
	int n_seen;
	long filter, privileges;
	int n_descriptors;
} seen;

/* Called when the child waits for bytes: looks for it among all processes. */
static ssize_t read_and_look(void *context, uint64_t offset, void *buffer, size_t size)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	assert_non_null(proc);
	while ((entry = readdir(proc))) {
		char parent[32];

		(void)snprintf(parent, sizeof(parent), "%ld", status_of(entry->d_name, "PPid"));
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || status_of(parent, "PPid") != getpid())
			continue;
		seen.n_seen++;
		seen.filter = status_of(entry->d_name, "Seccomp");
		seen.privileges = status_of(entry->d_name, "NoNewPrivs");
		seen.n_descriptors = count_descriptors(entry->d_name);
	}
	(void)closedir(proc);
	return read_bytes(context, offset, buffer, size);
}

static void helper__is_shut_in_when_it_sees_a_file(void **state)
{
	struct bytes bytes = read_file("picture.png");
	const struct indexer_source source = { bytes.size, "png", read_and_look, &bytes };
	struct indexer_findings found;

	assert_int_equal(indexer_probe_inspect(*state, &source, STAGE_TYPE, &found), 0);
	indexer_findings_release(&found);
	free(bytes.bytes);
	assert_int_equal(seen.n_seen, 1);
	assert_int_equal(seen.privileges, 1);
	assert_int_equal(seen.n_descriptors, 3); /* its socket, and /dev/null twice */
#if !defined(__SANITIZE_ADDRESS__) && (defined(__x86_64__) || defined(__aarch64__))
	assert_int_equal(seen.filter, 2);
#endif
}

/* ---- */

static int make_files(void **state)
{
	(void)strcpy(directory, "/tmp/test_media.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	for (size_t i = 0; i < N_SAMPLES; i++)
		make(samples[i].name, samples[i].arguments);
	make("corners.jpg",
	     "-f lavfi -i color=red:s=80x60 -f lavfi -i color=0x00ff00:s=80x60 -f lavfi -i color=blue:s=80x60 "
	     "-f lavfi -i color=white:s=80x60 -filter_complex xstack=4:layout='0_0|w0_0|0_h0|w0_h0' -frames:v 1");
	make("corners.mp4",
	     "-loop 1 -i corners.jpg -t 2 -r 5 -c:v libx264 -preset ultrafast -pix_fmt yuv420p");
	make("turned_corners.mp4", "-i corners.mp4 -c copy -metadata:s:v rotate=90");
	make("dark_first.mp4",
	     "-f lavfi -i color=black:s=160x120:r=5:d=4 -f lavfi -i testsrc=s=160x120:r=5:d=6 "
	     "-filter_complex concat=n=2 -c:v libx264 -preset ultrafast -g 5");
	return indexer_probe_new(NULL, -1, (struct indexer_probe **)state);
}

static int remove_files(void **state)
{
	char command[128];

	indexer_probe_free(*state);
	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media__says_what_files_are),
		cmocka_unit_test(media__says_when_and_where_a_video_was_taken),
		cmocka_unit_test(exif__says_when_where_and_how),
		cmocka_unit_test(exif__without_a_zone_is_local_time),
		cmocka_unit_test(exif__is_found_in_png_webp_and_heic),
		cmocka_unit_test(thumbnail__is_a_jpeg_of_the_right_size),
		cmocka_unit_test(thumbnail__is_turned_as_the_camera_says),
		cmocka_unit_test(thumbnail__of_a_turned_video_stands_upright),
		cmocka_unit_test(thumbnail__is_of_a_frame_that_shows_something),
		cmocka_unit_test(previews__play_for_two_seconds_without_sound),
		cmocka_unit_test(previews__show_different_stretches),
		cmocka_unit_test(media__survives_what_is_cut_short_or_changed),
		cmocka_unit_test(media__says_the_size_of_a_picture_that_is_too_large),
		cmocka_unit_test(media__follows_no_playlist),
		cmocka_unit_test(helper__is_shut_in_when_it_sees_a_file),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
