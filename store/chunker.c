/* chunker.c - FastCDC: cut where the hash of the last bytes has zeros under a mask.
 *
 * Knows bytes only, and no disk. Endianness never enters: bytes are taken one by one. */
#include "chunker.h"

#include <errno.h>

#define CHUNK_SIZE_MAX (1u << 20) /* the format's bound on raw chunk bytes */
#define NORMALISATION 2           /* bits by which the two masks differ from the average's */

/* gear[b] is the first 8 bytes, read little-endian, of the SHA-256 of the 13 bytes "vaultfs-gear" and b. Changing the
 * table changes every cut: vaults would stay right, but new data would no longer share chunks with old. */
static const uint64_t gear[256] = {
	0x94b0baa6bf0f1295u, 0x670bfd5e013278bcu, 0xfa04402b40f17206u, 0x2343a500f8dfaa17u,
	0xcb6e25e6467ede1fu, 0x38993834d0f11d40u, 0x2eade6604e5997cau, 0xb79f9226eaa701acu,
	0x5df6d6ea98b46164u, 0x3591bfdf1e123594u, 0xd611430cccb8612bu, 0xd09a2a2cd629f163u,
	0x1a44d1c92681dfbeu, 0x9bd34fbdacf4a66eu, 0xf6169dfb78c2c2eeu, 0x3d8c3b3f85f16bf5u,
	0x516d8dd715c78c0bu, 0xd3ef4021f73f4fdau, 0xddaaf75dad1e90a0u, 0xe605fc0b85c54c72u,
	0x4ee5552d09c7344eu, 0x40d271afe6cc7321u, 0x72d4247ecd86a8b0u, 0x11c4be6a78fbd544u,
	0x348cd2301249ef8cu, 0x26b1b5de3f62e362u, 0xab8bec49f99f00c9u, 0xb4fe56d4285eece1u,
	0x20e24f3cf9155993u, 0x27c673a94bfb873bu, 0x7dba8eef1578ffe8u, 0xab0364ad61685b86u,
	0x86fed791d8822b2bu, 0xbeb132e318e21558u, 0xf9413a6e836b059fu, 0xb3e9ae0ce057d65fu,
	0x14ee637e30004c3fu, 0xef4b5c9600b576fcu, 0x61311c8c755c2e63u, 0x863eda303f3887fcu,
	0x3caa4d28a805d51fu, 0x1ad09b5013d0a4b5u, 0x67d72e937c542ce2u, 0x4057eb6f1060932bu,
	0xf916fe19e7147312u, 0xbfddf03c4fa87958u, 0x67cfe72c6ca845f1u, 0xb311da32313d2c52u,
	0x539559b1fe7f76e2u, 0x8bb9d181dc0590f1u, 0xcb607043fd97543bu, 0x4101672708aec93au,
	0xafe4bc28a2e8a65cu, 0x0baa73523677c7e8u, 0x28ddf968b505f904u, 0xfafbc538edfdc8fbu,
	0x9453cc65cf50b13du, 0x7cef1a731788a8f7u, 0x3463b159a8ab7b16u, 0x024698fa30199c6cu,
	0x58dcc811fdb0448au, 0x083f47a87e87fcbbu, 0x59f2e313ca42c9d2u, 0xfc5932ac8a316e11u,
	0xe7440751ee6494d1u, 0x1bb5ff4a389e5d42u, 0x00d7c502c7f0d669u, 0x6c53467f1995383fu,
	0x109d3582cc86c629u, 0xbd3d2b2817646093u, 0x7a51f342a6a9e49eu, 0xb15ba61c43e8bbf7u,
	0x6ddc22bfe1bd6b4eu, 0xf70e1511ce20f0e9u, 0x333b9c4dd8c31355u, 0xb93c59a04bee37d0u,
	0x3def8c766d171611u, 0xe5aa300ed01f4c78u, 0x0f18d32626064e6du, 0xa9821aaaf6b58c26u,
	0x4383ccb0501eb8fdu, 0xcc41a567c892e190u, 0x035e700dcb5d375eu, 0xcfcfbcdcd42df55eu,
	0x71caa721e54ba3d8u, 0x5e6d395bfe04b76bu, 0xb013b9354636baceu, 0xfffad2927841289cu,
	0x770bf47d2425240cu, 0x3f2a9d94ab387aeau, 0x574f1c4c888777cau, 0xb70b13d15018f113u,
	0x1f4418c65145b2d8u, 0x4a25b1688eee5892u, 0x9a759b83073d742cu, 0x1b4388b5081a2181u,
	0x9f5b7325f52dcf0eu, 0x6ce664369ccc2e68u, 0xfa24ea8a3016c009u, 0x1a577688e92bb2f8u,
	0x0582af8e1c33799eu, 0xfb8a1067ffeb6755u, 0x684a328640912457u, 0x3f2b59b49d33a6e6u,
	0x2301153d487744d5u, 0x888010795868bbfeu, 0xf45db4eee39ad0b8u, 0xd5fa9ae65fd3900fu,
	0x8fa12c455227f175u, 0x06c0be67f1bf37ddu, 0x441299100cf7bcd3u, 0x2fd3fe1cc67e8d99u,
	0x19f1325696e5bcceu, 0x79b998211539c7a9u, 0x0aea9bf3fbea5017u, 0x60e3cfe904ff5940u,
	0xe04b2227a0d7018du, 0x2f77f1faaf821c5bu, 0xd1d9d110afd1bbdcu, 0x1fa9f3d7de6a4f28u,
	0x12d4cdb649f025b3u, 0x80ae50166738428du, 0xf9cdd7e87fdf24bbu, 0xc14f6508a9450a4eu,
	0x42a47fefc273e2beu, 0x6c3f419e244e137du, 0xc47e509a15ba3a7eu, 0xaa71da510f41183cu,
	0x4f625e85168359b7u, 0xc7913e2730e9a438u, 0xc97b775effa1fe93u, 0xe93a0ff0f12f414au,
	0x583a3dfe5a3e4e84u, 0x124734d7369004a2u, 0x7058a5d781568941u, 0xa0600a8ab3c23774u,
	0x7f1692aa1695b783u, 0xc4a6428e004ef7f6u, 0x5f977134b8bd68edu, 0x6c59cd6acc99fd12u,
	0x77f89985dd9559f3u, 0x3f6c1f8feea20f99u, 0x1f74cbd2dbbb0961u, 0xf9a8a8e7f847052au,
	0x0c8e45d96905cce0u, 0x844e05c96702d3a8u, 0x8ddb72b91db7f792u, 0x48553b64fa3fb62eu,
	0xb95f26d3715b1ea7u, 0xb71144f63d5c1ecau, 0x818dea899ec501ceu, 0x14305a3bcb9d0bb4u,
	0x7d1b4eda77c3de6au, 0x460a3568a83add19u, 0x81ef125e691daab2u, 0x59ee9775e6c48cc7u,
	0xcb8f9a5b0ff59f5cu, 0x48b95ffdd8df76d9u, 0x602a5718914f60ebu, 0xd9799249fc83f76cu,
	0x9c7ac26feac319a5u, 0x975e4ba7dd7e0eb3u, 0x52625854c7044342u, 0x0c6b12b7c57482b7u,
	0x3e726e6c3e7e3fe5u, 0x49d0e6a289747d29u, 0x81d58cda7905631eu, 0x26f75daa15a12cdcu,
	0x1a9555a269ccff33u, 0xb612a60221e5ba39u, 0x2a5af8fbacbbaff5u, 0x69dae9f686337315u,
	0x3fc7bdb25fb77ab7u, 0xb041cf78e44c5753u, 0xbedb6b689d25df13u, 0xf958bc3244516600u,
	0x67d1227f7a68e890u, 0x33396a39b47b3842u, 0x7fe00e9862d84801u, 0x4b8608b1c3ecc36bu,
	0x71b75fc703de2942u, 0x11a60e4061636d5cu, 0x932f9afaf77a32e7u, 0x559d464a6c4f3c64u,
	0x3d10952cf1b45eddu, 0xab144b5552b0db47u, 0xa0c2b257b38d5f35u, 0x9be3119d4edb0b4bu,
	0xda38601fcda945edu, 0x68de61dad792dd9du, 0x6cf67480fa5384b6u, 0xc7e57e4da878df3au,
	0xd76d750d7a38e9f7u, 0x10bbc4a04f7726ebu, 0x485b4e7158cd8cffu, 0xd2af51b73e6581b0u,
	0x6b3c38cac73e5090u, 0x6314e0c68c554baau, 0xb421c921fd2275c8u, 0x56342d374952a24cu,
	0xcfb9cc3433f463f6u, 0xf3b77a234737890fu, 0x6afcd64beaaece22u, 0x838570883a61fad4u,
	0x2ff55c35c7a87f26u, 0x91f379e87ec339c2u, 0x2bd467774ff57668u, 0x8719fe3e0b77453fu,
	0x6ce10be436c1feb2u, 0x3e066f89b961bb21u, 0xde57ef2697d2a42du, 0xb77609bc91e00607u,
	0xe9edc0c34f7d1dd9u, 0xfee44e612960c8c0u, 0x5aa7e7a11a2b5f9au, 0x266b5e2f697d01d2u,
	0x6c05cb1560471eeau, 0xbb3ffe71471cee47u, 0x059ffe260db7e3b4u, 0xed22eed1e8db13adu,
	0xba41f26fc8df8c8fu, 0x33df0d8d6e71324fu, 0xfda894ed88fc756au, 0x66ea7e28d32cabf8u,
	0xdc34e014eacb0c60u, 0xbaab236cffd8dfe1u, 0xb5154dfb645762aau, 0xa6ff064f4041560bu,
	0x2c3504661fdd385au, 0x381d3159dfd05969u, 0x7705d420173d010fu, 0xdbd735d41d7b493au,
	0x3f6d74a2c483985au, 0x70eef61c97cbd4a2u, 0x55f65608872f306eu, 0x28d67bd1855632a0u,
	0x388a19cec0601187u, 0xafba35efe4eca7b2u, 0x515eda29228c8f15u, 0x54467e4a203ea4ccu,
	0xc066dbc0a775f778u, 0x4b32803b4c668e3bu, 0x1952d6001ebba97fu, 0x2c05b2ad844c7ebau,
	0x60f118baefe2dfa8u, 0xc7278abff4287199u, 0x3779fe7957fb041bu, 0x4faafb3321964fe8u,
	0x3eb24a7580302c80u, 0x622022362352a8e3u, 0x8eb4323b70e4f722u, 0x94bc5bff9f3d0297u,
	0xa366308f248d155au, 0xb353cbbf1ea7bfafu, 0x01e326fe3a5bee97u, 0x1053967c89be47aau,
};

int chunker_params_init(struct chunker_params *ret, uint32_t average)
{
	uint32_t max = 4 * average;

	if (average < CHUNK_AVERAGE_MIN || average > CHUNK_AVERAGE_MAX || (average & (average - 1)) != 0)
		return -EINVAL;
	ret->min = average / 4;
	ret->average = average;
	ret->max = max < CHUNK_SIZE_MAX ? max : CHUNK_SIZE_MAX;
	return 0;
}

/* `n_bits` bits, every second one from bit 62 down. Bit k of the hash depends on the last k + 1 bytes, so high bits
 * look far back, and gaps between them spread the mask over more bytes. Bit 63 stays free: scan() shifts by one. */
static uint64_t mask_of(unsigned n_bits)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < n_bits; i++)
		mask |= UINT64_C(1) << (62 - 2 * i);
	return mask;
}

void chunker_init(struct chunker *chunker, const struct chunker_params *params)
{
	unsigned n_bits = (unsigned)__builtin_ctz(params->average);

	chunker->params = *params;
	chunker->mask_small = mask_of(n_bits + NORMALISATION);
	chunker->mask_large = mask_of(n_bits - NORMALISATION);
	chunker_reset(chunker);
}

void chunker_reset(struct chunker *chunker)
{
	chunker->position = 0;
	chunker->hash = 0;
}

/* Hash `size` bytes until a cut. Returns how many were hashed and whether a cut is behind the last of them.
 *
 * Two bytes a step, as in FastCDC 2020: with h1 = 2h + gear[a] and h2 = 2h1 + gear[b], d = 2h1 answers for h1 under the
 * mask shifted by one, and h2 is d + gear[b]: the same cuts with one shift less between two steps. */
static size_t scan(const uint8_t *data, size_t size, uint64_t mask, uint64_t *hash, bool *ret_cut)
{
	const uint64_t mask_doubled = mask << 1;
	uint64_t h = *hash;
	size_t i = 0;

	*ret_cut = true;
	for (; i + 8 <= size; i += 8) {
		for (unsigned k = 0; k < 8; k += 2) {
			h = (h << 2) + (gear[data[i + k]] << 1);
			if (!(h & mask_doubled))
				return i + k + 1;
			h += gear[data[i + k + 1]];
			if (!(h & mask))
				return i + k + 2;
		}
	}
	for (; i < size; i++) {
		h = (h << 1) + gear[data[i]];
		if (!(h & mask))
			return i + 1;
	}
	*hash = h;
	*ret_cut = false;
	return size;
}

size_t chunker_feed(struct chunker *chunker, const uint8_t *data, size_t size, bool *ret_cut)
{
	const struct chunker_params *params = &chunker->params;
	const struct {
		uint32_t end;
		uint64_t mask;
	} zones[] = {
		{ params->average, chunker->mask_small },
		{ params->max, chunker->mask_large },
	};
	size_t used = 0;

	*ret_cut = false;
	if (chunker->position < params->min) {
		used = params->min - chunker->position;
		if (used > size)
			used = size;
		chunker->position += (uint32_t)used;
	}

	for (unsigned i = 0; i < 2 && !*ret_cut; i++) {
		size_t n = size - used;

		if (chunker->position >= zones[i].end)
			continue;
		if (n > zones[i].end - chunker->position)
			n = zones[i].end - chunker->position;
		if (n == 0)
			break;
		n = scan(data + used, n, zones[i].mask, &chunker->hash, ret_cut);
		used += n;
		chunker->position += (uint32_t)n;
	}

	if (chunker->position >= params->max)
		*ret_cut = true;
	if (*ret_cut)
		chunker_reset(chunker);
	return used;
}
