#include "CDigest.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define STREAMS SXS_SHA256_STREAMS
/* Bytes of messages after which the caller may have other companions. */
#define ENOUGH (2 << 20)
#define TARGET __attribute__((target("sha,avx")))
#define UNROLL _Pragma("clang loop unroll(full)")

static const uint32_t K[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

int sxs_sha256_has_streams(void) {
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

/* What a stream is at: a message's whole blocks, then its last one or two, which are padded. */
struct stream {
    struct sxs_sha256_job *job;
    const uint8_t *bytes;
    uint32_t state[SXS_SHA256_WORDS];
    /* Blocks until something is to be done: a step's end, that of the whole blocks, or of the padded ones; and those since. */
    size_t blocks, done;
    int is_last;
    int is_companion;
    uint8_t tail[2 * SXS_SHA256_BLOCK];
};

/* Takes so many blocks of each of `count` streams, a constant: the instructions of one wait for those of its round before,
   and those of the others are done meanwhile. */
TARGET static inline __attribute__((always_inline)) void take_blocks(
    struct stream *const *streams, const int count, size_t blocks) {
    const __m128i swap = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
    /* The words a, b, e, f and c, d, g, h, as the instructions have them. */
    __m128i abef[STREAMS], cdgh[STREAMS];
    const uint8_t *bytes[STREAMS];
    UNROLL for (int i = 0; i < count; i++) {
        const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)streams[i]->state), 0xb1);
        const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(streams[i]->state + 4)), 0x1b);
        abef[i] = _mm_alignr_epi8(badc, hgfe, 8);
        cdgh[i] = _mm_blend_epi16(hgfe, badc, 0xf0);
        bytes[i] = streams[i]->bytes;
    }
    for (; blocks > 0; blocks--) {
        __m128i words[STREAMS][4], first[STREAMS], second[STREAMS];
        UNROLL for (int i = 0; i < count; i++) first[i] = abef[i], second[i] = cdgh[i];
        UNROLL for (int round = 0; round < 16; round++) {
            const __m128i constants = _mm_load_si128((const __m128i *)(const void *)(K + 4 * round));
            UNROLL for (int i = 0; i < count; i++) {
                __m128i *w = words[i];
                if (round < 4) {
                    const __m128i *const source = (const __m128i *)(const void *)(bytes[i] + 16 * round);
                    w[round] = _mm_shuffle_epi8(_mm_loadu_si128(source), swap);
                } else {
                    const __m128i last = w[(round + 3) & 3];
                    __m128i next = _mm_sha256msg1_epu32(w[round & 3], w[(round + 1) & 3]);
                    next = _mm_add_epi32(next, _mm_alignr_epi8(last, w[(round + 2) & 3], 4));
                    w[round & 3] = _mm_sha256msg2_epu32(next, last);
                }
                const __m128i known = _mm_add_epi32(w[round & 3], constants);
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], known);
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], _mm_shuffle_epi32(known, 0x0e));
            }
        }
        UNROLL for (int i = 0; i < count; i++) {
            abef[i] = _mm_add_epi32(abef[i], first[i]);
            cdgh[i] = _mm_add_epi32(cdgh[i], second[i]);
            bytes[i] += SXS_SHA256_BLOCK;
        }
    }
    UNROLL for (int i = 0; i < count; i++) {
        const __m128i feba = _mm_shuffle_epi32(abef[i], 0x1b), dchg = _mm_shuffle_epi32(cdgh[i], 0xb1);
        _mm_storeu_si128((__m128i *)(void *)streams[i]->state, _mm_blend_epi16(feba, dchg, 0xf0));
        _mm_storeu_si128((__m128i *)(void *)(streams[i]->state + 4), _mm_alignr_epi8(dchg, feba, 8));
        streams[i]->bytes = bytes[i];
    }
}

TARGET static void take(struct stream *const *streams, int count, size_t blocks) {
    switch (count) {
    case 1: take_blocks(streams, 1, blocks); break;
    case 2: take_blocks(streams, 2, blocks); break;
    case 3: take_blocks(streams, 3, blocks); break;
    default: take_blocks(streams, STREAMS, blocks);
    }
}

/* The last bytes with what FIPS 180-4, 5.1.1, puts behind them. */
static void pad(struct stream *stream) {
    struct sxs_sha256_job *job = stream->job;
    const uint64_t bits = (job->before + job->count) * 8;
    const size_t length = job->count % SXS_SHA256_BLOCK;
    stream->blocks = length + 9 > SXS_SHA256_BLOCK ? 2 : 1;
    memset(stream->tail, 0, sizeof stream->tail);
    if (length > 0) memcpy(stream->tail, stream->bytes, length);
    stream->tail[length] = 0x80;
    uint8_t *end = stream->tail + stream->blocks * SXS_SHA256_BLOCK;
    for (int i = 1; i <= 8; i++) end[-i] = (uint8_t)(bits >> (8 * (i - 1)));
    stream->bytes = stream->tail;
    stream->is_last = 1;
}

/* What a stream does next with its message, if anything: otherwise it has none any more. */
static void plan(struct stream *stream) {
    struct sxs_sha256_job *job = stream->job;
    stream->done = 0;
    const size_t whole = job->count / SXS_SHA256_BLOCK;
    if (whole > 0) {
        stream->blocks = whole;
        const size_t step = job->step_count > 0 ? (job->step - job->before % job->step) / SXS_SHA256_BLOCK : whole;
        if (step < whole) stream->blocks = step;
    } else if (!job->is_open) {
        pad(stream);
    } else {
        job->is_done = 1;
        stream->job = NULL;
    }
}

static void begin(struct stream *stream, struct sxs_sha256_job *job) {
    stream->job = job;
    stream->bytes = job->bytes;
    stream->is_last = 0;
    memcpy(stream->state, job->state.words, sizeof stream->state);
    plan(stream);
}

/* Tells a message what its stream has done since the last time. */
static void take_over(struct stream *stream) {
    struct sxs_sha256_job *job = stream->job;
    /* What was padded and is not over is begun again: it is a block or two. */
    if (stream->done == 0 || (stream->is_last && stream->blocks > 0)) return;
    memcpy(job->state.words, stream->state, sizeof stream->state);
    if (stream->is_last) return;
    const size_t count = stream->done * SXS_SHA256_BLOCK;
    job->bytes += count, job->count -= count, job->before += count;
    stream->done = 0;
    if (job->step_count > 0 && job->before % job->step == 0) {
        *job->steps++ = job->state;
        job->step_count--;
    }
}

/* Goes on with a message, or with what follows it. */
static void go_on(struct stream *stream) {
    struct sxs_sha256_job *job = stream->job;
    take_over(stream);
    if (stream->is_last) {
        job->is_done = 1;
        stream->job = NULL;
        return;
    }
    plan(stream);
    while (stream->job == NULL && job->next != NULL) {
        job->next->state = job->state;
        job->next->before = job->before;
        job = job->next;
        begin(stream, job);
    }
}

static int compare(const void *left, const void *right) {
    const size_t a = (*(struct sxs_sha256_job *const *)left)->count, b = (*(struct sxs_sha256_job *const *)right)->count;
    return a < b ? 1 : a > b ? -1 : 0;
}

/* Puts the longest first: so streams that find no other message are idle for the shortest time. The order of those that have
   less than a hundredth of all bytes makes no difference worth its time. */
static void sort(struct sxs_sha256_job **jobs, size_t count, uint64_t total) {
    size_t longer = 0;
    for (size_t i = 0; i < count; i++) {
        struct sxs_sha256_job *job = jobs[i];
        if (job->count < total / 100) continue;
        jobs[i] = jobs[longer];
        jobs[longer++] = job;
    }
    qsort(jobs, longer, sizeof *jobs, compare);
}

/* How many messages are side by side, so that they take about as long as what keeps them company. */
static int message_limit(uint64_t total, struct sxs_sha256_job *const *companions, size_t companion_count) {
    uint64_t longest = 1;
    for (size_t i = 0; i < companion_count; i++) {
        uint64_t length = 0;
        for (const struct sxs_sha256_job *job = companions[i]; job != NULL; job = job->next) length += job->count;
        if (length > longest) longest = length;
    }
    const uint64_t most = STREAMS - companion_count, limit = companion_count > 0 ? (total + longest / 2) / longest : most;
    return (int)(limit < 1 ? 1 : limit > most ? most : limit);
}

size_t sxs_sha256_many(
    struct sxs_sha256_job **jobs, size_t count, struct sxs_sha256_job **companions, size_t companion_count) {
    struct stream streams[STREAMS];
    struct stream *active[STREAMS];
    uint64_t total = 0, done = 0;
    size_t left = 0, taken = 0;
    for (size_t i = 0; i < count; i++) total += jobs[i]->count;
    sort(jobs, count, total);
    if (companion_count >= STREAMS) companion_count = STREAMS - 1;
    const int company = (int)companion_count;
    int limit = company + message_limit(total, companions, companion_count);
    for (int i = 0; i < STREAMS; i++) streams[i].job = NULL, streams[i].is_companion = i < company;
    for (int i = 0; i < company; i++) begin(&streams[i], companions[i]);
    for (;;) {
        int running = 0, messages = 0;
        size_t blocks = (ENOUGH - done) / SXS_SHA256_BLOCK + 1;
        for (int i = 0; i < limit; i++) {
            struct stream *stream = &streams[i];
            if (stream->job == NULL && stream->is_companion) {
                /* Its place is for a message now, and there may be more of them. */
                stream->is_companion = 0;
                limit = STREAMS;
            }
            while (stream->job == NULL && taken < count) begin(stream, jobs[taken++]);
            if (stream->job == NULL) continue;
            active[running++] = stream;
            if (!stream->is_companion) messages++;
            if (stream->blocks < blocks) blocks = stream->blocks;
        }
        if (messages == 0 || done >= ENOUGH) break;
        take(active, running, blocks);
        done += blocks * SXS_SHA256_BLOCK * (size_t)messages;
        for (int i = 0; i < running; i++) {
            active[i]->blocks -= blocks;
            active[i]->done += blocks;
            if (active[i]->blocks == 0) go_on(active[i]);
        }
    }
    for (int i = 0; i < STREAMS; i++) {
        if (streams[i].job != NULL) take_over(&streams[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (!jobs[i]->is_done) jobs[left++] = jobs[i];
    }
    return left;
}

#else

int sxs_sha256_has_streams(void) { return 0; }

size_t sxs_sha256_many(
    struct sxs_sha256_job **jobs, size_t count, struct sxs_sha256_job **companions, size_t companion_count) {
    (void)jobs, (void)count, (void)companions, (void)companion_count;
    abort();
}

#endif
