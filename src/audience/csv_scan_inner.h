/*
 * csv_scan_inner - what the machines of csv_scan share; nothing for others to include
 */
#ifndef POSTROOM_AUDIENCE_CSV_SCAN_INNER_H
#define POSTROOM_AUDIENCE_CSV_SCAN_INNER_H

#include "audience/csv_scan.h"

/* What a machine answers: done, no memory, or a row that only plain C decides. */
enum csv_answer { CSV_DONE, CSV_NO_MEMORY, CSV_IRREGULAR };

enum { CSV_WORD = 64 };

/* bit i of the result: parity of the bits 0..i */
static inline uint64_t csv_parity(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    return bits;
}

/* room for one more word's worth of ends and rows */
bool csv_index_grow(struct csv_index *index);

static inline bool csv_index_room(struct csv_index *index)
{
    if (index->ends_cap - index->ends_count >= CSV_WORD &&
        index->rows_cap - index->rows_count >= CSV_WORD) {
        return true;
    }
    return csv_index_grow(index);
}

/* the definition, byte by byte, from one state to the next; lines and row_end as in csv_split */
void csv_split_plain(const char *bytes, size_t from, size_t to, char delimiter,
                     struct csv_split *split);

#if defined(__x86_64__)
enum csv_answer csv_scan_sse2(const char *bytes, size_t len, char delimiter,
                              struct csv_index *index);
enum csv_answer csv_scan_avx2(const char *bytes, size_t len, char delimiter,
                              struct csv_index *index);
void csv_split_sse2(const char *bytes, size_t from, size_t to, char delimiter,
                    struct csv_split *split);
void csv_split_avx2(const char *bytes, size_t from, size_t to, char delimiter,
                    struct csv_split *split);
bool csv_utf8_avx2(const char *bytes, size_t len);
#endif

#endif
