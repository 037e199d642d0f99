/*
 * csv_scan - where fields and rows end in a run of CSV bytes: plain C, and the choice of a machine
 *
 * Contract in the header.
 */
#include "audience/csv_scan.h"
#include "audience/csv_scan_inner.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>

bool csv_index_grow(struct csv_index *index, size_t ends, size_t rows)
{
    if (index->ends_cap - ends < CSV_INDEX_ROOM) {
        size_t cap = index->ends_cap == 0 ? 8192 : index->ends_cap * 2;
        uint32_t *grown = realloc(index->ends, cap * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        index->ends = grown;
        index->ends_cap = cap;
    }
    if (index->rows_cap - rows < CSV_INDEX_ROOM) {
        size_t cap = index->rows_cap == 0 ? 1024 : index->rows_cap * 2;
        struct csv_row_end *grown = realloc(index->rows, cap * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        index->rows = grown;
        index->rows_cap = cap;
    }
    return true;
}

void csv_index_release(struct csv_index *index)
{
    free(index->ends);
    free(index->rows);
    *index = CSV_INDEX_EMPTY;
}

/* One byte outside quotes. A delimiter or LF sets START; the caller notes the end of the field. */
static inline enum csv_state outside_step(enum csv_state state, char c, char next, char delimiter,
                                          enum csv_fault *fault)
{
    if (c == delimiter || c == '\n') {
        return CSV_START;
    }
    if (c == '\r') {
        if (next != '\n') {
            *fault = CSV_STRAY_CR;
        }
        return CSV_UNQUOTED;
    }
    if (state == CSV_CLOSED) {
        *fault = CSV_TEXT_AFTER_QUOTE;
    }
    return CSV_UNQUOTED;
}

static bool scan_plain(const char *bytes, size_t len, char delimiter, struct csv_index *index)
{
    enum csv_state state = CSV_START;
    enum csv_fault fault = CSV_SOUND;
    uint32_t lines = 0;

    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        lines += c == '\n';
        if (state == CSV_QUOTED) {
            state = c == '"' ? CSV_CLOSED : CSV_QUOTED;
            continue;
        }
        if (c == '"' && state != CSV_UNQUOTED) {
            state = CSV_QUOTED;
            index->has_quotes = true;
            continue;
        }
        state = outside_step(state, c, bytes[i + 1], delimiter, &fault);
        if (state != CSV_START) {
            continue;
        }
        if (!csv_index_room(index, index->ends_count, index->rows_count)) {
            return false;
        }
        index->ends[index->ends_count++] = (uint32_t)i;
        if (c == '\n') {
            index->rows[index->rows_count++] =
                (struct csv_row_end){(uint32_t)(index->ends_count - 1), lines, (uint32_t)fault};
            fault = CSV_SOUND;
        }
    }
    return true;
}

void csv_split_plain(const char *bytes, size_t from, size_t to, char delimiter,
                     struct csv_split *split)
{
    enum csv_state state = split->state;

    for (size_t i = from; i < to; i++) {
        char c = bytes[i];
        split->lines += c == '\n';
        if (state == CSV_QUOTED) {
            state = c == '"' ? CSV_CLOSED : CSV_QUOTED;
        } else if (c == '"' && state != CSV_UNQUOTED) {
            state = CSV_QUOTED;
        } else if (c == delimiter || c == '\n') {
            state = CSV_START;
            split->row_end = c == '\n' ? i + 1 : split->row_end;
        } else {
            state = CSV_UNQUOTED;
        }
    }
    split->state = state;
}

bool csv_machine_is_here(enum csv_machine machine)
{
#if defined(__x86_64__)
    if (machine == CSV_AVX512) {
        return csv_machine_is_here(CSV_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2");
    }
    if (machine == CSV_AVX2) {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
               __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    }
    return true;
#else
    return machine == CSV_PLAIN || machine == CSV_BEST;
#endif
}

static enum csv_machine chosen(enum csv_machine machine)
{
    if (machine != CSV_BEST) {
        return csv_machine_is_here(machine) ? machine : CSV_PLAIN;
    }
    for (machine = CSV_AVX512; !csv_machine_is_here(machine); machine--) {
    }
    return machine;
}

static void index_clear(struct csv_index *index)
{
    index->ends_count = 0;
    index->rows_count = 0;
    index->has_quotes = false;
}

bool csv_scan(enum csv_machine machine, const char *bytes, size_t len, char delimiter,
              struct csv_index *index)
{
    assert(len <= UINT32_MAX - CSV_WORD);
    index_clear(index);
#if defined(__x86_64__)
    enum csv_answer answer = CSV_IRREGULAR;
    machine = chosen(machine);
    if (machine == CSV_AVX512) {
        answer = csv_scan_avx512(bytes, len, delimiter, index);
    } else if (machine == CSV_AVX2) {
        answer = csv_scan_avx2(bytes, len, delimiter, index);
    } else if (machine == CSV_SSE2) {
        answer = csv_scan_sse2(bytes, len, delimiter, index);
    }
    if (answer != CSV_IRREGULAR) {
        return answer == CSV_DONE;
    }
    index_clear(index);
#else
    (void)chosen(machine);
#endif
    return scan_plain(bytes, len, delimiter, index);
}

void csv_split(enum csv_machine machine, const char *bytes, size_t from, size_t to, char delimiter,
               struct csv_split *split)
{
    machine = chosen(machine);
#if defined(__x86_64__)
    if (machine == CSV_AVX512) {
        csv_split_avx512(bytes, from, to, delimiter, split);
        return;
    }
    if (machine == CSV_AVX2) {
        csv_split_avx2(bytes, from, to, delimiter, split);
        return;
    }
    if (machine == CSV_SSE2) {
        csv_split_sse2(bytes, from, to, delimiter, split);
        return;
    }
#endif
    csv_split_plain(bytes, from, to, delimiter, split);
}

bool csv_utf8_is_valid(enum csv_machine machine, const char *bytes, size_t len)
{
#if defined(__x86_64__)
    machine = chosen(machine);
    if (machine == CSV_AVX512) {
        return csv_utf8_avx512(bytes, len);
    }
    if (machine == CSV_AVX2) {
        return csv_utf8_avx2(bytes, len);
    }
#else
    (void)machine;
#endif
    return utf8_is_valid((struct slice){bytes, len});
}
