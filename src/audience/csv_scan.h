/*
 * csv_scan - where fields and rows end in a run of CSV bytes (RFC 4180), found 64 bytes at a time
 *
 * Four machines give the same answer: plain C, SSE2, AVX2 and AVX-512. Plain C is the definition:
 *
 *            +--- delimiter, LF: the field ends ---+
 *            v                                     |
 *         [START] --quote--> [QUOTED] --quote--> [CLOSED] --quote--> [QUOTED]   ("" is one quote)
 *            |                  any byte              | CR LF: the row ends
 *            | other            stays                 | other: fault, on as
 *            v                                        v
 *        [UNQUOTED] <---------------------------------+
 *         a quote here is text; delimiter or LF ends the field; CR that no LF follows is a fault
 *
 * The vector machines pair quotes by parity, which is the same as long as every quote that opens
 * stands at the beginning of a field and every one that closes at its end. Where that does not hold
 * they hand over to plain C.
 */
#ifndef POSTROOM_AUDIENCE_CSV_SCAN_H
#define POSTROOM_AUDIENCE_CSV_SCAN_H

#include "base/slice.h"

#include <stdint.h>

/* Bytes behind the end of a run that must be readable, whatever they hold. */
enum { CSV_SLACK_BYTES = 64 };

enum csv_machine { CSV_PLAIN, CSV_SSE2, CSV_AVX2, CSV_AVX512, CSV_BEST };

enum csv_fault {
    CSV_SOUND,
    CSV_TEXT_AFTER_QUOTE, /* "abc"d */
    CSV_STRAY_CR,         /* a CR outside quotes that no LF follows */
    CSV_FIELD_COUNT,      /* not as many fields as the header */
    CSV_NOT_UTF8,
    CSV_NUL_BYTE
};

struct csv_row_end {
    uint32_t last;  /* index in ends of the row's LF */
    uint32_t lines; /* LFs from the beginning of the run through this row's own, quoted ones too */
    uint32_t fault; /* enum csv_fault as far as the scan sees it */
};

/* Every delimiter and LF outside quotes, by its offset, and the rows among them. */
struct csv_index {
    uint32_t *ends;
    size_t ends_count;
    size_t ends_cap;
    struct csv_row_end *rows;
    size_t rows_count;
    size_t rows_cap;
    bool has_quotes; /* some field may need its quotes taken off */
};

#define CSV_INDEX_EMPTY ((struct csv_index){NULL, 0, 0, NULL, 0, 0, false})

/* csv_machine_is_here - this processor can run it */
bool csv_machine_is_here(enum csv_machine machine);

/*
 * csv_scan - index whole rows
 *
 * bytes      begin at the beginning of a row and end with the LF of one; CSV_SLACK_BYTES more are
 *            readable; len at most UINT32_MAX - 64 (asserted)
 * delimiter  an ASCII byte other than quote, CR, LF, NUL
 * index      what it held is replaced, its memory used again
 * Returns    false where there is no memory
 * Cost       a byte of a usual list: 0.13 ns (AVX-512), 0.18 (AVX2), 0.4 (SSE2), 1.6 (plain)
 */
bool csv_scan(enum csv_machine machine, const char *bytes, size_t len, char delimiter,
              struct csv_index *index);

void csv_index_release(struct csv_index *index);

enum csv_state { CSV_START, CSV_UNQUOTED, CSV_QUOTED, CSV_CLOSED };

/* Where a stream can be cut: carried from one run of bytes to the next. */
struct csv_split {
    enum csv_state state;
    uint64_t lines; /* LFs seen */
    size_t row_end; /* offset behind the last LF that ended a row; 0: none yet */
};

/*
 * csv_split - follow quotes from bytes[from] to bytes[to], looking for ends of rows
 * split      state at `from`; updated to `to`. row_end counts from bytes
 * CSV_SLACK_BYTES behind `to` are readable.
 */
void csv_split(enum csv_machine machine, const char *bytes, size_t from, size_t to, char delimiter,
               struct csv_split *split);

/* csv_utf8_is_valid - as utf8_is_valid, for text that ends with an ASCII byte and has
 * CSV_SLACK_BYTES readable behind it */
bool csv_utf8_is_valid(enum csv_machine machine, const char *bytes, size_t len);

#endif
