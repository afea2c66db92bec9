/* digest.c - SHA-256 by libcrypto, XXH3 by libxxhash.
 *
 * Knows bytes only. In OpenSSL 3 looking an algorithm up and making a context cost more than hashing a small chunk, so
 * the looked-up EVP_MD is kept for the process and one context for each thread. Both are written once before they are
 * used and never change what comes out. */
#include "digest.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>

#include "auto.h"
#include "log.h"

struct digest_stream {
	EVP_MD_CTX *md;
};

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;	/* guards the making of the rest; a leaf */
static _Atomic bool ready;        /* the rest is there, and never changes any more */
static const EVP_MD *sha256;      /* never freed: other threads' contexts use it */
static bool has_key;
static pthread_key_t context_key;

/* What the key holds, readable without a call; the key is there for its destructor at the thread's end. */
static _Thread_local EVP_MD_CTX *thread_context;

static void context_destroy(void *context)
{
	EVP_MD_CTX_free(context);
	thread_context = NULL;
}

static int init_locked(void)
{
	if (!has_key && pthread_key_create(&context_key, context_destroy) != 0)
		return log_err(-ENOMEM, "SHA-256: no thread-specific key left");
	has_key = true;
	sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	if (sha256)
		return 0;
	if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
		return log_err(-ENOMEM, "SHA-256: no memory for it");
	return log_err(-ENOTSUP, "SHA-256: libcrypto does not offer it");
}

/* Tried again where it failed: there may be memory again. */
int digest_init(void)
{
	AUTO(unlock) pthread_mutex_t *held = NULL;
	int r;

	if (atomic_load_explicit(&ready, memory_order_acquire))
		return 0;
	held = lock_mutex(&init_lock);
	if (ready)
		return 0;
	r = init_locked();
	if (r == 0)
		atomic_store_explicit(&ready, true, memory_order_release);
	return r;
}

/* A stream hashes on its own object: the thread's context may be in use between two updates. */
static int context_new(EVP_MD_CTX **ret)
{
	int r = digest_init();

	if (r < 0)
		return r;
	*ret = EVP_MD_CTX_new();
	return *ret ? 0 : log_err(-ENOMEM, "SHA-256: no memory for a context");
}

static int thread_context_get(EVP_MD_CTX **ret)
{
	EVP_MD_CTX *context = NULL;
	int r;

	if (thread_context) {
		*ret = thread_context;
		return 0;
	}
	r = context_new(&context);
	if (r < 0)
		return r;
	if (pthread_setspecific(context_key, context) != 0) {
		EVP_MD_CTX_free(context);
		return log_err(-ENOMEM, "SHA-256: no memory for a thread's context");
	}
	thread_context = context;
	*ret = context;
	return 0;
}

static int failed(void)
{
	return log_err(-EIO, "SHA-256: libcrypto failed");
}

/* A context that begins a digest it knows needs nothing but memory. */
static int start(EVP_MD_CTX *context)
{
	return EVP_DigestInit_ex2(context, sha256, NULL) == 1 ? 0 : log_err(-ENOMEM, "SHA-256: no memory to begin");
}

static int final(EVP_MD_CTX *context, struct digest *ret)
{
	struct digest digest;
	unsigned size = 0;

	if (EVP_DigestFinal_ex(context, digest.bytes, &size) != 1 || size != sizeof(digest.bytes))
		return failed();
	*ret = digest;
	return 0;
}

int digest_sha256(const void *data, size_t size, struct digest *ret)
{
	EVP_MD_CTX *context = NULL;
	int r = thread_context_get(&context);

	if (r == 0)
		r = start(context);
	if (r < 0)
		return r;
	if (size > 0 && EVP_DigestUpdate(context, data, size) != 1)
		return failed();
	return final(context, ret);
}

int digest_stream_new(struct digest_stream **ret)
{
	AUTO(digest_stream) struct digest_stream *stream = calloc(1, sizeof(*stream));
	int r;

	if (!stream)
		return log_err(-ENOMEM, "SHA-256: no memory for a stream");
	r = context_new(&stream->md);
	if (r == 0)
		r = start(stream->md);
	if (r < 0)
		return r;
	*ret = TAKE(stream);
	return 0;
}

int digest_stream_update(struct digest_stream *stream, const void *data, size_t size)
{
	if (size > 0 && EVP_DigestUpdate(stream->md, data, size) != 1)
		return failed();
	return 0;
}

int digest_stream_final(struct digest_stream *stream, struct digest *ret)
{
	struct digest digest;
	int r = final(stream->md, &digest);
	int started = start(stream->md);

	if (r == 0)
		r = started;
	if (r == 0)
		*ret = digest;
	return r;
}

void digest_stream_free(struct digest_stream *stream)
{
	if (!stream)
		return;
	EVP_MD_CTX_free(stream->md);
	free(stream);
}

uint64_t checksum_xxh3(const void *data, size_t size)
{
	return XXH3_64bits(data, size);
}

uint64_t checksum_xxh3_seeded(const void *data, size_t size, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, size, seed);
}
