/* findings.h - what was found in a file, and the check of what the helper says it found.
 *
 * The helper may have been taken over by the file it looked at. What comes from it gets in here only when it is what it
 * has to be: bounded, of the stage that is being worked on, said once, UTF-8 where it is text, JSON that we write anew,
 * a picture that begins and ends like one. */
#ifndef VAULTFS_INDEXER_FINDINGS_H
#define VAULTFS_INDEXER_FINDINGS_H

#include "helper.h"

#include <stddef.h>
#include <stdint.h>

/* Whatever a file has none of is empty, NULL or 0. */
struct indexer_findings {
	char mime[HELPER_MIME_MAX + 1];
	char *text; /* valid UTF-8, no control character but tab and newline; ends with a 0 that text_size leaves out */
	size_t text_size;
	char *media_json;       /* an object, compact; its keys: vaultfs-format(5) */
	uint32_t width, height; /* as shown: turned, if the file says so */
	uint64_t duration_ms;
	int64_t taken_at_ns; /* since 1970; a camera that names no time zone had local time */
	void *thumbnail;     /* JPEG */
	size_t thumbnail_size;
	struct indexer_preview {
		void *bytes; /* MP4 */
		size_t size;
	} previews[HELPER_N_PREVIEWS];
	unsigned n_previews;

	unsigned done;   /* stages (enum helper_stage) that were worked on to their end */
	unsigned failed; /* the stage in which the helper died or hung twice; 0 = none */
	char trouble[HELPER_TROUBLE_MAX +
		     1]; /* why something is missing, for people: "media: damaged"; mostly "" */
};

/* The most bytes a frame of a finding may have; 0 for what is none. */
uint32_t findings_frame_max(uint32_t type);

/* Take the frame of a finding of `stage` over into `findings`. `payload` is borrowed: nothing in it is trusted.
 *   Errors  -EPIPE it is not what it has to be (`findings` is as it was); -ENOMEM. None is logged. */
int findings_take(struct indexer_findings *findings, unsigned stage, uint32_t type, const uint8_t *payload,
		  size_t size);

/* Forget what `stage` has brought so far: it is tried again, or given up. */
void findings_forget(struct indexer_findings *findings, unsigned stage);

/* Free what is in it and set all to 0. Fine for one that is all 0. */
void indexer_findings_release(struct indexer_findings *findings);

#endif
