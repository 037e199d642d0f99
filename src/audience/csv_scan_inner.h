/*
 * csv_scan_inner - what the machines of csv_scan share; nothing for others to include
 */
#ifndef POSTROOM_AUDIENCE_CSV_SCAN_INNER_H
#define POSTROOM_AUDIENCE_CSV_SCAN_INNER_H

#include "audience/csv_scan.h"

/* What a machine answers: done, no memory, or a row that only plain C decides. */
enum csv_answer { CSV_DONE, CSV_NO_MEMORY, CSV_IRREGULAR };

/* A word holds up to 64 ends and rows, and up to 16 more ends are written ahead of the next one. */
enum { CSV_WORD = 64, CSV_AHEAD = 16, CSV_INDEX_ROOM = CSV_WORD + CSV_AHEAD };

/* What the vector machines carry from one word to the next. */
struct csv_carry {
    uint64_t inside;  /* all ones: the last word ended inside quotes */
    uint64_t open_ok; /* 1: the last byte lets a field begin, or doubles a quote */
    uint64_t closed;  /* 1: the last byte closed a quoted field */
    uint64_t cr;      /* 1: the last byte was a CR outside quotes */
    uint64_t quotes;  /* not 0: there were quotes */
};

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

/* the state behind a byte outside quotes that is no quote itself */
static inline enum csv_state csv_state_behind(char byte, char delimiter)
{
    return byte == delimiter || byte == '\n' ? CSV_START : CSV_UNQUOTED;
}

/* make room for one more word's worth behind so many ends and rows; false: no memory */
bool csv_index_grow(struct csv_index *index, size_t ends, size_t rows);

static inline bool csv_index_room(struct csv_index *index, size_t ends, size_t rows)
{
    if (index->ends_cap - ends >= CSV_INDEX_ROOM && index->rows_cap - rows >= CSV_INDEX_ROOM) {
        return true;
    }
    return csv_index_grow(index, ends, rows);
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
enum csv_answer csv_scan_avx512(const char *bytes, size_t len, char delimiter,
                                struct csv_index *index);
void csv_split_avx512(const char *bytes, size_t from, size_t to, char delimiter,
                      struct csv_split *split);
bool csv_utf8_avx512(const char *bytes, size_t len);
#endif

#endif
