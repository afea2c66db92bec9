/* helper.h - the process that looks at hostile bytes: what is said between it and its caller.
 *
 * The helper's standard input is a stream socket. Over it the helper says HELLO when it has loaded what it needs; then
 * each inspection begins with one byte from the caller that brings a socket of its own (SCM_RIGHTS). The helper forks;
 * the child shuts itself in, knows that one socket, and ends with the inspection. So nothing that a file did to the
 * process is left when the next one comes. The end of its input ends the helper.
 *
 * Over an inspection's socket both talk in frames: u32 type, u32 size, both little-endian, and size bytes.
 *   caller   INSPECT   u64 size of the file, u32 what is wanted, then the extension of its name
 *   helper   STAGE     u32, one of what is wanted; its findings follow. In this order, each once
 *            READ      u64 offset, u32 size (1 to HELPER_READ_MAX): asks for bytes of the file
 *            findings  MIME, TEXT, MEDIA, NUMBERS, THUMBNAIL, PREVIEW, TROUBLE: see findings.h
 *            DONE      nothing follows
 *   caller   BYTES     answers a READ: as many as there are; fewer than asked for inside the file: there will be none,
 *                      because too much was read already */
#ifndef VAULTFS_INDEXER_HELPER_H
#define VAULTFS_INDEXER_HELPER_H

#include <stdint.h>

#define HELPER_PROTOCOL 2u /* said in HELLO: both sides are installed together, or refuse each other */

enum frame_type {
	FRAME_INSPECT = 1,
	FRAME_BYTES = 2,
	FRAME_HELLO = 16, /* u32 HELPER_PROTOCOL */
	FRAME_STAGE = 17,
	FRAME_READ = 18,
	FRAME_DONE = 19,
	FRAME_MIME = 32,      /* a MIME type */
	FRAME_TEXT = 33,      /* UTF-8 */
	FRAME_MEDIA = 34,     /* a JSON object, see vaultfs-format(5) */
	FRAME_NUMBERS = 35,   /* u32 width, u32 height, u64 duration in ms, i64 taken at, ns; 0 = unknown */
	FRAME_THUMBNAIL = 36, /* a JPEG file */
	FRAME_PREVIEW = 37,   /* an MP4 file; one frame for each clip, in order */
	FRAME_TROUBLE = 38,   /* words that say why a finding is missing */
};

/* What can be wanted of a file, a bit each, in the order in which they are worked on. */
enum helper_stage {
	STAGE_TYPE = 1 << 0,
	STAGE_TEXT = 1 << 1,
	STAGE_MEDIA = 1 << 2,
	STAGE_THUMBNAIL = 1 << 3,
	STAGE_PREVIEWS = 1 << 4,
};
#define STAGES_ALL 31u

#define HELPER_FRAME_SIZE 8u /* type and size */
#define HELPER_READ_MAX (256u << 10)
#define HELPER_EXTENSION_MAX 15u
#define HELPER_INSPECT_MAX (12u + HELPER_EXTENSION_MAX)
#define HELPER_NUMBERS_SIZE 24u

/* Bytes of a file's head for its type. Compared with what whole files give, over 1,500 of a system's: 64 KiB differ for
 * 194, 16 KiB for 488, all of them programs called libraries; an ISO 9660 image shows itself at 32 KiB. 1.0 ms a file. */
#define HELPER_HEAD_SIZE (64u << 10)

#define HELPER_MIME_MAX 255u
#define HELPER_TEXT_MAX (1u << 20)
#define HELPER_MEDIA_MAX (16u << 10)
#define HELPER_THUMBNAIL_MAX (1u << 20)
#define HELPER_PREVIEW_MAX (4u << 20)
#define HELPER_N_PREVIEWS 5u
#define HELPER_TROUBLE_MAX 63u

static inline void frame_put_u32(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static inline void frame_put_u64(uint8_t *p, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t frame_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t frame_get_u64(const uint8_t *p)
{
	return frame_get_u32(p) | (uint64_t)frame_get_u32(p + 4) << 32;
}

#endif
