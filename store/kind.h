/* kind.h - the few kinds that people sort files by, worked out from MIME types. Pure. */
#ifndef VAULTFS_KIND_H
#define VAULTFS_KIND_H

enum kind { KIND_IMAGE, KIND_VIDEO, KIND_AUDIO, KIND_TEXT, KIND_DOCUMENT, KIND_ARCHIVE, KIND_OTHER, KIND_N };

/* What a file of that type is to people, e.g. "application/pdf" a document. Case does not matter. */
enum kind kind_of_mime(const char *mime);

/* "image", "video", ...: what column content.kind holds. */
const char *kind_name(enum kind kind);

/* The kind of that name, or KIND_N. */
enum kind kind_find(const char *name);

#endif
