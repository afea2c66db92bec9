/* utf8.h - UTF-8 as RFC 3629 has it, for both sides of the helper's socket. */
#ifndef VAULTFS_INDEXER_UTF8_H
#define VAULTFS_INDEXER_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the sequence that begins `text` (`size` at least 1), and its code point; 0: there is none (cut short,
 * overlong, a surrogate, past U+10FFFF). */
static inline size_t utf8_take(const uint8_t *text, size_t size, uint32_t *ret_point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const size_t n = text[0] < 0x80   ? 1
			 : text[0] < 0xc2 ? 0
			 : text[0] < 0xe0 ? 2
			 : text[0] < 0xf0 ? 3
					  : 4;
	uint32_t point = n < 2 ? text[0] : text[0] & (0x7fu >> n);

	if (n == 0 || n > size || text[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3fu);
	}
	if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	*ret_point = point;
	return n;
}

/* Write `point` (a code point that UTF-8 has). Returns how many bytes, at most 4. */
static inline size_t utf8_put(uint32_t point, uint8_t *to)
{
	const size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

	if (n == 1) {
		to[0] = (uint8_t)point;
		return 1;
	}
	for (size_t i = n; --i > 0; point >>= 6)
		to[i] = (uint8_t)(0x80 | (point & 0x3f));
	to[0] = (uint8_t)(0xf00u >> n | point);
	return n;
}

/* Whether a text for search or a title may have it: no control character but tab and newline. */
static inline int utf8_is_plain(uint32_t point)
{
	return point == '\t' || point == '\n' || (point >= 0x20 && point < 0x7f) || point >= 0xa0;
}

#endif
