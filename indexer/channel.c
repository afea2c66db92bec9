/* channel.c - frames over the inspecting child's socket. See channel.h. */
#include "channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void read_all(int fd, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		const ssize_t n = read(fd, (char *)buffer + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		done += (size_t)n;
	}
}

static void write_all(int fd, const void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		const ssize_t n = write(fd, (const char *)buffer + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		done += (size_t)n;
	}
}

/* Returns the size of the payload that follows, at most `max`. */
static uint32_t expect(const struct channel *channel, uint32_t type, uint32_t max)
{
	uint8_t header[HELPER_FRAME_SIZE];
	uint32_t size;

	read_all(channel->fd, header, sizeof(header));
	size = frame_get_u32(header + 4);
	if (frame_get_u32(header) != type || size > max)
		_exit(1);
	return size;
}

void channel_open(struct channel *channel, int fd)
{
	uint8_t payload[HELPER_INSPECT_MAX];
	uint32_t size;

	*channel = (struct channel){ .fd = fd };
	size = expect(channel, FRAME_INSPECT, sizeof(payload));
	if (size < 12)
		_exit(1);
	read_all(fd, payload, size);
	channel->size = frame_get_u64(payload);
	channel->wanted = frame_get_u32(payload + 8);
	memcpy(channel->extension, payload + 12, size - 12);
}

static size_t read_some(const struct channel *channel, uint64_t offset, void *buffer, size_t size)
{
	uint8_t payload[12];
	uint32_t n;

	if (size > HELPER_READ_MAX)
		size = HELPER_READ_MAX;
	frame_put_u64(payload, offset);
	frame_put_u32(payload + 8, (uint32_t)size);
	channel_send(channel, FRAME_READ, payload, sizeof(payload));
	n = expect(channel, FRAME_BYTES, (uint32_t)size);
	read_all(channel->fd, buffer, n);
	return n;
}

ssize_t channel_read(const struct channel *channel, uint64_t offset, void *buffer, size_t size)
{
	size_t done = 0;

	if (offset >= channel->size)
		return 0;
	if (size > channel->size - offset)
		size = (size_t)(channel->size - offset);
	while (done < size) {
		const size_t n = read_some(channel, offset + done, (char *)buffer + done, size - done);

		if (n == 0)
			return done > 0 ? (ssize_t)done : -EFBIG;
		done += n;
	}
	return (ssize_t)done;
}

void channel_send(const struct channel *channel, enum frame_type type, const void *payload, size_t size)
{
	uint8_t header[HELPER_FRAME_SIZE];

	frame_put_u32(header, type);
	frame_put_u32(header + 4, (uint32_t)size);
	write_all(channel->fd, header, sizeof(header));
	write_all(channel->fd, payload, size);
}

void channel_enter(const struct channel *channel, enum helper_stage stage)
{
	uint8_t payload[4];

	frame_put_u32(payload, stage);
	channel_send(channel, FRAME_STAGE, payload, sizeof(payload));
}

void channel_send_trouble(const struct channel *channel, const char *what, int error)
{
	char words[HELPER_TROUBLE_MAX + 1];
	const char *why = error == -EFBIG       ? "too much would have to be read"
			  : error == -ENOMEM    ? "too large"
			  : error == -ENOTSUP   ? "of a kind that is not supported"
			  : error == -ETIMEDOUT ? "takes too long"
						: "damaged";

	(void)snprintf(words, sizeof(words), "%s: %s", what, why);
	channel_send(channel, FRAME_TROUBLE, words, strlen(words));
}
