/* kind.c - kinds of files. See kind.h. Types are those of libmagic and of the shared MIME database. */
#include "kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char *const names[KIND_N] = {
	[KIND_IMAGE] = "image",	      [KIND_VIDEO] = "video",	  [KIND_AUDIO] = "audio", [KIND_TEXT] = "text",
	[KIND_DOCUMENT] = "document", [KIND_ARCHIVE] = "archive", [KIND_OTHER] = "other",
};

/* A row counts for every type that begins with it, the first one wins. A full stop at the end: the whole type only. */
static const struct {
	const char *start;
	enum kind kind;
} rows[] = {
	{ "image/vnd.djvu", KIND_DOCUMENT },
	{ "image/", KIND_IMAGE },
	{ "video/", KIND_VIDEO },
	{ "audio/", KIND_AUDIO },
	{ "text/rtf", KIND_DOCUMENT },
	{ "text/", KIND_TEXT },
	{ "message/", KIND_TEXT },
	{ "application/ogg.", KIND_AUDIO },
	{ "application/vnd.rn-realmedia", KIND_VIDEO },
	{ "application/mxf", KIND_VIDEO },
	{ "application/x-matroska", KIND_VIDEO },
	{ "application/json", KIND_TEXT },
	{ "application/x-ndjson", KIND_TEXT },
	{ "application/xml", KIND_TEXT },
	{ "application/javascript", KIND_TEXT },
	{ "application/x-sh", KIND_TEXT },
	{ "application/x-perl", KIND_TEXT },
	{ "application/x-wine-extension-ini", KIND_TEXT },
	{ "application/pdf", KIND_DOCUMENT },
	{ "application/postscript", KIND_DOCUMENT },
	{ "application/rtf", KIND_DOCUMENT },
	{ "application/epub+zip", KIND_DOCUMENT },
	{ "application/x-mobipocket-ebook", KIND_DOCUMENT },
	{ "application/msword", KIND_DOCUMENT },
	{ "application/vnd.ms-cab-compressed", KIND_ARCHIVE },
	{ "application/vnd.ms-", KIND_DOCUMENT },
	{ "application/vnd.openxmlformats-officedocument", KIND_DOCUMENT },
	{ "application/vnd.oasis.opendocument", KIND_DOCUMENT },
	{ "application/vnd.sun.xml", KIND_DOCUMENT },
	{ "application/CDFV2", KIND_DOCUMENT },
	{ "application/x-abiword", KIND_DOCUMENT },
	{ "application/x-tex", KIND_DOCUMENT },
	{ "application/zip", KIND_ARCHIVE },
	{ "application/gzip", KIND_ARCHIVE },
	{ "application/zstd", KIND_ARCHIVE },
	{ "application/java-archive", KIND_ARCHIVE },
	{ "application/x-7z-compressed", KIND_ARCHIVE },
	{ "application/x-archive", KIND_ARCHIVE },
	{ "application/x-bzip", KIND_ARCHIVE },
	{ "application/x-compress", KIND_ARCHIVE },
	{ "application/x-cpio", KIND_ARCHIVE },
	{ "application/x-gtar", KIND_ARCHIVE },
	{ "application/x-iso9660-image", KIND_ARCHIVE },
	{ "application/x-lz", KIND_ARCHIVE },
	{ "application/x-rar", KIND_ARCHIVE },
	{ "application/vnd.rar", KIND_ARCHIVE },
	{ "application/vnd.debian.binary-package", KIND_ARCHIVE },
	{ "application/x-rpm", KIND_ARCHIVE },
	{ "application/x-tar", KIND_ARCHIVE },
	{ "application/x-xz", KIND_ARCHIVE },
	{ "application/x-zip", KIND_ARCHIVE },
};

enum kind kind_of_mime(const char *mime)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].start);
		bool whole = rows[i].start[n - 1] == '.';

		if (strncasecmp(mime, rows[i].start, n - whole) == 0 && (!whole || mime[n - 1] == '\0'))
			return rows[i].kind;
	}
	return KIND_OTHER;
}

const char *kind_name(enum kind kind)
{
	return names[kind < KIND_N ? kind : KIND_OTHER];
}

enum kind kind_find(const char *name)
{
	for (enum kind kind = 0; kind < KIND_N; kind++)
		if (strcmp(names[kind], name) == 0)
			return kind;
	return KIND_N;
}
