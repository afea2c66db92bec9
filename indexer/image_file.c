/* image_file.c - walks through the parts of picture files. See image_file.h. */
#include "image_file.h"

#include "auto.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define N_PARTS_MAX 200
#define SIDE_MAX (1u << 20)
#define SEARCHED (256u << 10) /* of a HEIF file: its meta box, and where cameras put EXIF */

static const char exif_mark[6] = "Exif\0";

static uint32_t big_16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t big_32(const uint8_t *p)
{
	return big_16(p) << 16 | big_16(p + 2);
}

static uint32_t little_24(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static void set_size(struct image_file *file, uint32_t width, uint32_t height)
{
	if (width == 0 || height == 0 || width > SIDE_MAX || height > SIDE_MAX)
		return;
	file->width = width;
	file->height = height;
}

/* Take an EXIF block of `size` bytes at `offset`, with its mark or without. */
static void take_exif(const struct channel *channel, uint64_t offset, size_t size, struct image_file *file)
{
	AUTO(free) uint8_t *exif = NULL;
	size_t head = sizeof(exif_mark);

	if (file->exif || size < 16 || size > IMAGE_EXIF_MAX - sizeof(exif_mark))
		return;
	exif = malloc(size + sizeof(exif_mark));
	if (!exif || channel_read(channel, offset, exif + head, size) != (ssize_t)size)
		return;
	if (memcmp(exif + head, exif_mark, sizeof(exif_mark)) == 0) {
		memmove(exif, exif + head, size);
		head = 0;
	} else {
		memcpy(exif, exif_mark, sizeof(exif_mark));
	}
	file->exif = TAKE(exif);
	file->exif_size = head + size;
}

/* ---- JPEG: markers, each with its length, until the first scan ---- */

static bool is_jpeg_frame(uint8_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static void read_jpeg(const struct channel *channel, struct image_file *file)
{
	uint64_t at = 2;

	for (int i = 0; i < N_PARTS_MAX; i++) {
		uint8_t head[10];
		uint32_t size;

		if (channel_read(channel, at, head, sizeof(head)) < (ssize_t)sizeof(head) || head[0] != 0xff)
			return;
		size = big_16(head + 2);
		if (head[1] == 0xff) { /* fill */
			at++;
			continue;
		}
		if (head[1] == 0xda || head[1] == 0xd9 || size < 2)
			return;
		if (head[1] == 0xe1 && memcmp(head + 4, exif_mark, sizeof(exif_mark)) == 0)
			take_exif(channel, at + 4, size - 2, file);
		if (is_jpeg_frame(head[1])) {
			uint8_t frame[9];

			if (channel_read(channel, at, frame, sizeof(frame)) == (ssize_t)sizeof(frame))
				set_size(file, big_16(frame + 7), big_16(frame + 5));
			return;
		}
		at += 2 + size;
	}
}

/* ---- PNG: chunks: length, type, data, checksum ---- */

static void read_png(const struct channel *channel, struct image_file *file)
{
	uint64_t at = 8;

	for (int i = 0; i < N_PARTS_MAX; i++) {
		uint8_t head[16];
		uint32_t size;

		if (channel_read(channel, at, head, sizeof(head)) < 8)
			return;
		size = big_32(head);
		if (memcmp(head + 4, "IHDR", 4) == 0)
			set_size(file, big_32(head + 8), big_32(head + 12));
		if (memcmp(head + 4, "eXIf", 4) == 0)
			take_exif(channel, at + 8, size, file);
		at += 12 + (uint64_t)size;
	}
}

/* ---- WebP: RIFF chunks: type, length, data, evenly ---- */

static void read_webp(const struct channel *channel, struct image_file *file)
{
	uint64_t at = 12;

	for (int i = 0; i < N_PARTS_MAX; i++) {
		uint8_t head[18];
		uint32_t size;

		if (channel_read(channel, at, head, sizeof(head)) < 8)
			return;
		size = little_24(head + 4) | (uint32_t)head[7] << 24;
		if (memcmp(head, "VP8X", 4) == 0)
			set_size(file, little_24(head + 12) + 1, little_24(head + 15) + 1);
		else if (memcmp(head, "VP8 ", 4) == 0 && !file->width) {
			uint8_t frame[10];

			if (channel_read(channel, at + 8, frame, sizeof(frame)) == (ssize_t)sizeof(frame))
				set_size(file, (little_24(frame + 6) & 0x3fff),
					 (little_24(frame + 7) >> 8) & 0x3fff);
		} else if (memcmp(head, "VP8L", 4) == 0 && !file->width) {
			const uint32_t bits = little_24(head + 9) | (uint32_t)head[12] << 24;

			set_size(file, (bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
		} else if (memcmp(head, "EXIF", 4) == 0) {
			take_exif(channel, at + 8, size, file);
		}
		at += 8 + (uint64_t)size + (size & 1);
	}
}

/* ---- HEIF (HEIC, AVIF): searched, not parsed: the largest picture named is the whole one ---- */

static void read_heif(const struct channel *channel, struct image_file *file)
{
	AUTO(free) uint8_t *bytes = malloc(SEARCHED);
	const ssize_t n = bytes ? channel_read(channel, 0, bytes, SEARCHED) : 0;

	for (ssize_t i = 0; i + 20 <= n; i++) {
		if (memcmp(bytes + i, "\0\0\0\x14ispe", 8) == 0) {
			const uint64_t area = (uint64_t)big_32(bytes + i + 12) * big_32(bytes + i + 16);

			if (area > (uint64_t)file->width * file->height)
				set_size(file, big_32(bytes + i + 12), big_32(bytes + i + 16));
		}
		if (memcmp(bytes + i, exif_mark, sizeof(exif_mark)) == 0 &&
		    (memcmp(bytes + i + 6, "II*", 4) == 0 || memcmp(bytes + i + 6, "MM\0*", 4) == 0)) {
			size_t left = (size_t)(n - i);

			if (left > IMAGE_EXIF_MAX / 2)
				left = IMAGE_EXIF_MAX / 2;
			take_exif(channel, (uint64_t)i, left, file);
		}
	}
}

/* ---- formats that say it at once ---- */

static void read_gif(const struct channel *channel, struct image_file *file)
{
	uint8_t head[10];

	if (channel_read(channel, 0, head, sizeof(head)) == (ssize_t)sizeof(head))
		set_size(file, (uint32_t)head[6] | (uint32_t)head[7] << 8,
			 (uint32_t)head[8] | (uint32_t)head[9] << 8);
}

void image_file_read(const struct channel *channel, const char *mime, struct image_file *ret)
{
	static const struct {
		const char *mime;
		void (*read)(const struct channel *channel, struct image_file *file);
	} rows[] = {
		{ "image/jpeg", read_jpeg }, { "image/png", read_png },   { "image/webp", read_webp },
		{ "image/heic", read_heif }, { "image/heif", read_heif }, { "image/avif", read_heif },
		{ "image/gif", read_gif },
	};

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].mime, mime) == 0)
			rows[i].read(channel, ret);
}

void image_file_release(struct image_file *file)
{
	free(TAKE(file->exif));
}
