/*
 * zstd_rows - see zstd_rows.h
 *
 * A frame is made of blocks of BLOCK_BYTES, each of sequences: so many literals, then a repetition.
 * One without a repetition ends a block. libzstd finds out by itself which repeat the distance of
 * one before them, and checks that none lies outside.
 */
#define ZSTD_STATIC_LINKING_ONLY /* sequences; zstd_rows_is_possible() */
#include "pack/zstd_rows.h"

#include "pack/rows_match.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <zstd.h>

enum {
    BLOCK_BYTES = ZSTD_BLOCKSIZE_MAX,
    BLOCKS_MAX = ZSTD_ROWS_BYTES_MAX / BLOCK_BYTES,
    SEQUENCES_MAX = ZSTD_ROWS_BYTES_MAX / 8, /* with more it does not shrink to a third */
    NOISE_BYTES = 8192, /* what begins with so many that do not repeat is no rows */
    WINDOW_LOG = 19,
    TABLE_LOG = 6, /* zstd's own tables are not used: the smallest */
    VERSION_FIRST = 10504,
    VERSION_BEHIND = 10600
};

struct zstd_rows {
    ZSTD_CCtx *zstd;
    unsigned int lazy_max;
    struct rows_places places;
    ZSTD_Sequence sequences[SEQUENCES_MAX + BLOCKS_MAX]; /* those that end blocks */
    size_t count;
    size_t literals; /* bytes of the piece that no repetition covers */
};

bool zstd_rows_is_possible(void)
{
    unsigned int version = ZSTD_versionNumber();
    return version >= VERSION_FIRST && version < VERSION_BEHIND;
}

/* No level: what it would set is set here, or belongs to zstd's own search. */
static bool set_all(ZSTD_CCtx *zstd)
{
    static const struct {
        ZSTD_cParameter parameter;
        int value;
    } SETTINGS[] = {
        {ZSTD_c_checksumFlag, 1},
        {ZSTD_c_windowLog, WINDOW_LOG},
        {ZSTD_c_strategy, ZSTD_lazy}, /* codes are chosen by what they cost */
        {ZSTD_c_hashLog, TABLE_LOG},
        {ZSTD_c_chainLog, TABLE_LOG},
        {ZSTD_c_minMatch, ROWS_MATCH_MIN},
        {ZSTD_c_useRowMatchFinder, ZSTD_ps_disable},
        {ZSTD_c_blockDelimiters, ZSTD_sf_explicitBlockDelimiters},
        {ZSTD_c_searchForExternalRepcodes, ZSTD_ps_enable},
        {ZSTD_c_validateSequences, 1},
    };
    for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++) {
        if (ZSTD_isError(ZSTD_CCtx_setParameter(zstd, SETTINGS[i].parameter, SETTINGS[i].value))) {
            return false;
        }
    }
    return true;
}

struct zstd_rows *zstd_rows_open(unsigned int lazy_max)
{
    assert(zstd_rows_is_possible());
    struct zstd_rows *rows = malloc(sizeof *rows);
    if (rows == NULL) {
        return NULL;
    }
    rows->lazy_max = lazy_max;
    rows->zstd = ZSTD_createCCtx();
    if (rows->zstd == NULL || !set_all(rows->zstd)) {
        zstd_rows_free(rows);
        return NULL;
    }
    return rows;
}

void zstd_rows_free(struct zstd_rows *rows)
{
    if (rows != NULL) {
        (void)ZSTD_freeCCtx(rows->zstd);
        free(rows);
    }
}

static inline void put(struct zstd_rows *rows, size_t literals, const struct repetition *found)
{
    rows->sequences[rows->count++] = (ZSTD_Sequence){
        .offset = found->distance,
        .litLength = (unsigned int)literals,
        .matchLength = found->length,
    };
    rows->literals += literals;
}

/* The sequences of one block; false where there would be too many, or these are no rows. */
static bool collect(struct zstd_rows *rows, const unsigned char *bytes, size_t at, size_t end)
{
    const struct rows_search search = {
        .window = ZSTD_ROWS_BYTES_MAX, .length_max = BLOCK_BYTES, .lazy_max = rows->lazy_max};
    size_t literals_at = at;
    while (at + ROWS_TAIL < end) {
        struct repetition found = rows_next(&rows->places, bytes, &at, end, &search);
        if (found.length == 0) {
            at++;
            if (rows->count == 0 && at >= NOISE_BYTES) {
                return false;
            }
            continue;
        }
        if (rows->count >= SEQUENCES_MAX) {
            return false;
        }
        put(rows, at - literals_at, &found);
        at += found.length;
        literals_at = at;
    }
    put(rows, end - literals_at, &(struct repetition){0, 0});
    return true;
}

size_t zstd_rows_pack(struct zstd_rows *rows, struct slice raw, unsigned char *out, size_t out_cap,
                      size_t most)
{
    static_assert(ZSTD_ROWS_BYTES_MAX <= 1 << WINDOW_LOG, "the window holds a piece");
    const unsigned char *bytes = (const unsigned char *)raw.ptr;
    assert(raw.len <= ZSTD_ROWS_BYTES_MAX &&
           out_cap >= ZSTD_compressBound(raw.len) + sizeof(uint32_t));
    rows->count = 0;
    rows->literals = 0;
    rows_begin(&rows->places, bytes, 0, raw.len);
    for (size_t at = 0; at < raw.len;) {
        size_t end = raw.len - at < BLOCK_BYTES ? raw.len : at + BLOCK_BYTES;
        if (!collect(rows, bytes, at, end) || rows->literals > end / 4 * 3) {
            return 0;
        }
        at = end;
    }
    (void)ZSTD_CCtx_reset(rows->zstd, ZSTD_reset_session_only); /* also after a fault */
    size_t len = ZSTD_compressSequences(rows->zstd, out, out_cap, rows->sequences, rows->count,
                                        bytes, raw.len);
    return ZSTD_isError(len) || len > most ? 0 : len;
}
