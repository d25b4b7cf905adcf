#include "CScan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Bytes of a distance or a 32-bit address. */
#define WIDTH 4

/* The ModRM byte of an operand at a distance from the next instruction: mod 00 and r/m 101, and any register. */
#define DESCRIPTOR_MASK 0xc7
#define DESCRIPTOR 0x05

static uint32_t word_at(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Whether an address may be wanted. */
static int is_wanted(const struct sxs_addresses *wanted, uint64_t address) {
    const uint64_t distance = address - wanted->base;
    if (distance >= wanted->span) return 0;
    const uint64_t bit = distance >> wanted->shift;
    return wanted->bits[bit / 64] >> bit % 64 & 1;
}

/* What a loop looks for at a place: a word that is an address, or one that is a distance from the place behind it, with
   a ModRM byte before it that says so. Places are those of the words. */
struct search {
    const uint8_t *bytes;
    const struct sxs_addresses *wanted;
    /* The address of the first byte; not of use for absolute words. */
    uint64_t address;
    int is_relative;
};

static int is_hit(const struct search *search, size_t place) {
    const uint32_t word = word_at(search->bytes + place);
    if (!search->is_relative) return is_wanted(search->wanted, word);
    if ((search->bytes[place - 1] & DESCRIPTOR_MASK) != DESCRIPTOR) return 0;
    const uint64_t target = search->address + place + WIDTH + (uint64_t)(int64_t)(int32_t)word;
    return is_wanted(search->wanted, target) || is_wanted(search->wanted, target + SXS_LONGEST_IMMEDIATE);
}

#if defined(__x86_64__)

/* Most places are told by the low halves of their addresses: the word, plus a number that may grow with the place, is
   not below a limit. A block of places is looked at in four phases of words side by side. There is only a signed
   comparison: both sides are moved down by half the range. */
struct filter {
    uint32_t number, growth, limit;
};

static struct filter filter_of(const struct search *search) {
    const struct sxs_addresses *wanted = search->wanted;
    const uint32_t half = UINT32_C(0x80000000);
    if (!search->is_relative) return (struct filter){half - (uint32_t)wanted->base, 0, (uint32_t)wanted->span - half};
    /* An immediate may move the target up into the first range. */
    const uint64_t base = wanted->base - SXS_LONGEST_IMMEDIATE;
    const uint64_t span = wanted->span + SXS_LONGEST_IMMEDIATE;
    return (struct filter){(uint32_t)(search->address + WIDTH - base) + half, 1, (uint32_t)span - half};
}

/* Bytes ahead that are fetched: processors do not read ahead past the end of a page by themselves. */
#define AHEAD 2048

static void fetch_ahead(const struct search *search, size_t from) {
    _mm_prefetch((const char *)(search->bytes + from + AHEAD), _MM_HINT_T0);
}

/* The first of the places from `from` on whose bits are set that is a hit; `none` if none is. */
static size_t first_hit(const struct search *search, size_t from, uint32_t mask, size_t none) {
    for (; mask != 0; mask &= mask - 1) {
        const size_t place = from + (unsigned)__builtin_ctz(mask);
        if (is_hit(search, place)) return place;
    }
    return none;
}

/* The first hit from `from` on; where the last whole block ends if there is none, with `end` the end of all places. */
static size_t search_blocks(const struct search *search, size_t from, size_t end) {
    const struct filter filter = filter_of(search);
    const __m128i limit = _mm_set1_epi32((int)filter.limit);
    const __m128i lanes = _mm_setr_epi32(0, WIDTH, 2 * WIDTH, 3 * WIDTH);
    const __m128i growth = _mm_set1_epi32(filter.growth ? 16 : 0);
    __m128i numbers[WIDTH];
    for (uint32_t phase = 0; phase < WIDTH; phase++) {
        const uint32_t number = filter.number + filter.growth * ((uint32_t)from + phase);
        numbers[phase] = _mm_add_epi32(
            _mm_set1_epi32((int)number), filter.growth ? lanes : _mm_setzero_si128());
    }
    for (; from + 16 <= end; from += 16) {
        fetch_ahead(search, from);
        __m128i near[WIDTH];
        for (uint32_t phase = 0; phase < WIDTH; phase++) {
            const __m128i words = _mm_loadu_si128((const __m128i *)(const void *)(search->bytes + from + phase));
            near[phase] = _mm_cmplt_epi32(_mm_add_epi32(words, numbers[phase]), limit);
            numbers[phase] = _mm_add_epi32(numbers[phase], growth);
        }
        const __m128i any = _mm_or_si128(_mm_or_si128(near[0], near[1]), _mm_or_si128(near[2], near[3]));
        if (_mm_movemask_epi8(any) == 0) continue;
        /* Of each phase's words, the byte whose number in the block is that of the place. */
        __m128i places = _mm_setzero_si128();
        for (int phase = 0; phase < WIDTH; phase++) {
            places = _mm_or_si128(places, _mm_and_si128(near[phase], _mm_set1_epi32((int)(0xffu << 8 * phase))));
        }
        if (search->is_relative) {
            const __m128i before = _mm_loadu_si128((const __m128i *)(const void *)(search->bytes + from - 1));
            const __m128i kind = _mm_and_si128(before, _mm_set1_epi8((char)DESCRIPTOR_MASK));
            places = _mm_and_si128(places, _mm_cmpeq_epi8(kind, _mm_set1_epi8(DESCRIPTOR)));
        }
        const size_t hit = first_hit(search, from, (uint32_t)_mm_movemask_epi8(places), end);
        if (hit < end) return hit;
    }
    return from;
}

/* The same, twice as wide, for processors that can. */
__attribute__((target("avx2"))) static size_t search_wide_blocks(
    const struct search *search, size_t from, size_t end) {
    const struct filter filter = filter_of(search);
    const __m256i limit = _mm256_set1_epi32((int)filter.limit);
    const __m256i lanes = _mm256_setr_epi32(
        0, WIDTH, 2 * WIDTH, 3 * WIDTH, 4 * WIDTH, 5 * WIDTH, 6 * WIDTH, 7 * WIDTH);
    const __m256i growth = _mm256_set1_epi32(filter.growth ? 32 : 0);
    __m256i numbers[WIDTH];
    for (uint32_t phase = 0; phase < WIDTH; phase++) {
        const uint32_t number = filter.number + filter.growth * ((uint32_t)from + phase);
        numbers[phase] = _mm256_add_epi32(
            _mm256_set1_epi32((int)number), filter.growth ? lanes : _mm256_setzero_si256());
    }
    for (; from + 32 <= end; from += 32) {
        fetch_ahead(search, from);
        __m256i near[WIDTH];
        for (uint32_t phase = 0; phase < WIDTH; phase++) {
            const __m256i words = _mm256_loadu_si256((const __m256i *)(const void *)(search->bytes + from + phase));
            near[phase] = _mm256_cmpgt_epi32(limit, _mm256_add_epi32(words, numbers[phase]));
            numbers[phase] = _mm256_add_epi32(numbers[phase], growth);
        }
        const __m256i any =
            _mm256_or_si256(_mm256_or_si256(near[0], near[1]), _mm256_or_si256(near[2], near[3]));
        if (_mm256_testz_si256(any, any)) continue;
        __m256i places = _mm256_setzero_si256();
        for (int phase = 0; phase < WIDTH; phase++) {
            const __m256i one = _mm256_set1_epi32((int)(0xffu << 8 * phase));
            places = _mm256_or_si256(places, _mm256_and_si256(near[phase], one));
        }
        if (search->is_relative) {
            const __m256i before = _mm256_loadu_si256((const __m256i *)(const void *)(search->bytes + from - 1));
            const __m256i kind = _mm256_and_si256(before, _mm256_set1_epi8((char)DESCRIPTOR_MASK));
            places = _mm256_and_si256(places, _mm256_cmpeq_epi8(kind, _mm256_set1_epi8(DESCRIPTOR)));
        }
        const size_t hit = first_hit(search, from, (uint32_t)_mm256_movemask_epi8(places), end);
        if (hit < end) return hit;
    }
    return from;
}

#endif

/* The first hit among the places from `from` to before `end`; `end` if there is none. */
static size_t next(const struct search *search, size_t from, size_t end) {
    size_t place = from;
#if defined(__x86_64__)
    /* Where all low halves are near, or what is looked for has no low half of its own, they tell nothing. */
    const int is_narrow = search->wanted->span < UINT32_MAX - SXS_LONGEST_IMMEDIATE;
    if (is_narrow && (search->is_relative || search->wanted->base <= UINT32_MAX)) {
        if (__builtin_cpu_supports("avx2")) place = search_wide_blocks(search, place, end);
        else place = search_blocks(search, place, end);
    }
#endif
    while (place < end && !is_hit(search, place)) place++;
    return place < end ? place : end;
}

size_t sxs_next_absolute(
    const uint8_t *bytes, size_t from, size_t count, const struct sxs_addresses *wanted) {
    if (count < WIDTH || from > count - WIDTH) return count;
    const struct search search = {bytes, wanted, 0, 0};
    const size_t end = count - WIDTH + 1;
    const size_t place = next(&search, from, end);
    return place < end ? place : count;
}

size_t sxs_next_relative(
    const uint8_t *bytes, size_t from, size_t count, uint64_t address, const struct sxs_addresses *wanted) {
    if (count < WIDTH + 1 || from > count - WIDTH - 1) return count;
    const struct search search = {bytes, wanted, address, 1};
    const size_t end = count - WIDTH + 1;
    const size_t place = next(&search, from + 1, end);
    return place < end ? place - 1 : count;
}
