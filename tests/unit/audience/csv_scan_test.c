/*
 * The machines of the CSV scan against each other and against a definition written again
 * here, on random bytes that are rich in quotes, delimiters and line ends.
 */
#include "support.h"

#include "audience/csv.h"
#include "base/utf8.h"

enum { BYTES_MAX = 700, EDGES_MAX = 3 * 128 + 2, ROUNDS = 60000 };

static const enum csv_machine MACHINES[] = {CSV_PLAIN, CSV_SSE2, CSV_AVX2, CSV_AVX512, CSV_BEST};

/* Text that ends with a whole row, CSV_SLACK_BYTES of rubbish behind it. */
static size_t random_rows(uint64_t *random, char *out, const char *alphabet)
{
    size_t letters = strlen(alphabet);
    size_t len = random_below(random, BYTES_MAX);
    for (size_t i = 0; i < len; i++) {
        out[i] = alphabet[random_below(random, letters)];
    }
    for (size_t i = 0; i < CSV_SLACK_BYTES; i++) {
        out[len + 2 + i] = "\",\n\r"[random_below(random, 4)];
    }
    out[len] = '\n';
    struct csv_split split = {CSV_START, 0, 0};
    csv_split(CSV_PLAIN, out, 0, len + 1, ',', &split);
    if (split.state == CSV_QUOTED) {
        out[len] = '"';
        out[len + 1] = '\n';
        split = (struct csv_split){CSV_START, 0, 0};
        csv_split(CSV_PLAIN, out, 0, len + 2, ',', &split);
        return split.state == CSV_START ? len + 2 : 0;
    }
    return len + 1;
}

static void assert_same_index(const struct csv_index *a, const struct csv_index *b)
{
    assert_int_equal(a->ends_count, b->ends_count);
    assert_int_equal(a->rows_count, b->rows_count);
    assert_int_equal(a->has_quotes, b->has_quotes);
    assert_memory_equal(a->ends, b->ends, a->ends_count * sizeof *a->ends);
    assert_memory_equal(a->rows, b->rows, a->rows_count * sizeof *a->rows);
}

static void compare_machines(const char *alphabet, uint64_t seed)
{
    char bytes[BYTES_MAX + 2 + CSV_SLACK_BYTES];
    struct csv_index plain = CSV_INDEX_EMPTY;
    struct csv_index other = CSV_INDEX_EMPTY;

    for (int round = 0; round < ROUNDS; round++) {
        size_t len = random_rows(&seed, bytes, alphabet);
        if (len == 0) {
            continue;
        }
        assert_true(csv_scan(CSV_PLAIN, bytes, len, ',', &plain));
        for (size_t i = 1; i < sizeof MACHINES / sizeof MACHINES[0]; i++) {
            if (csv_machine_is_here(MACHINES[i])) {
                assert_true(csv_scan(MACHINES[i], bytes, len, ',', &other));
                assert_same_index(&plain, &other);
            }
        }
    }
    csv_index_release(&plain);
    csv_index_release(&other);
}

static void csv_scan__random_bytes__machines_agree(void **state)
{
    (void)state;
    compare_machines("\"\",,\n\r\nabc", 1);
    compare_machines("\",\nabcdefghijklmnopqrstuvwxyz0123456789", 2);
    compare_machines("\n,ab", 3);
    compare_machines("\"\"\",\n", 4);
    compare_machines(",", 8);
    compare_machines("\n", 9);
    compare_machines("aaaaaaaa,aaaaaaaa\naaaaaaaaa,aaaaaaaaaaaaa\r\naaaaaaaaa,aaaaaaaaaaaa,\"a",
                     10);
}

/* What can go wrong where a vector ends and the next begins. */
static const char *const PIECES[] = {"\"a,b\"",    "\"\n\"",
                                     "\"\r\n\"",   ",\"a\"\r\n",
                                     "\r\n",       "\n",
                                     "\r",         "\"\"",
                                     "\"\"\"\"",   ",\"\"\"\",",
                                     ",\"a\"b,",   ",a\"b\"c,",
                                     "\"\r\"",     ",,,,,,,,,,,,,,,,,,,,",
                                     "\n\n\n\n\n", "\"a\"\r",
                                     ",\"\n,\"\n"};
enum { PIECES_COUNT = sizeof PIECES / sizeof PIECES[0] };

static void assert_machines_agree(const char *bytes, size_t len, struct csv_index *plain,
                                  struct csv_index *other)
{
    struct csv_split want = {CSV_START, 0, 0};
    csv_split(CSV_PLAIN, bytes, 0, len, ',', &want);
    bool is_whole = want.state == CSV_START && want.row_end == len;

    assert_true(!is_whole || csv_scan(CSV_PLAIN, bytes, len, ',', plain));
    for (size_t i = 1; i < sizeof MACHINES / sizeof MACHINES[0]; i++) {
        struct csv_split got = {CSV_START, 0, 0};
        csv_split(MACHINES[i], bytes, 0, len, ',', &got);
        assert_int_equal(got.state, want.state);
        assert_int_equal(got.lines, want.lines);
        assert_int_equal(got.row_end, want.row_end);
        if (is_whole) {
            assert_true(csv_scan(MACHINES[i], bytes, len, ',', other));
            assert_same_index(plain, other);
        }
    }
}

/* One piece at every offset, and every other one behind it at a distance that crosses a word. */
static void csv_scan__pieces_at_every_offset__machines_agree(void **state)
{
    (void)state;
    char bytes[EDGES_MAX + CSV_SLACK_BYTES];
    struct csv_index plain = CSV_INDEX_EMPTY;
    struct csv_index other = CSV_INDEX_EMPTY;

    for (size_t first = 0; first < PIECES_COUNT; first++) {
        for (size_t at = 0; at < 140; at++) {
            for (size_t second = 0; second < PIECES_COUNT; second++) {
                size_t len = EDGES_MAX - at % 64;
                size_t behind = at + strlen(PIECES[first]) + 40 + second * 5;
                memset(bytes, 'x', sizeof bytes);
                memset(bytes + len, '"', CSV_SLACK_BYTES);
                memcpy(bytes + at, PIECES[first], strlen(PIECES[first]));
                memcpy(bytes + behind, PIECES[second], strlen(PIECES[second]));
                bytes[len - 1] = '\n';
                assert_machines_agree(bytes, len, &plain, &other);
            }
        }
    }
    csv_index_release(&plain);
    csv_index_release(&other);
}

/* Rows as they should be: nearly every block of a real file. Vector machines must do these
 * themselves, and so must agree on the path that matters. */
static void csv_scan__wellformed_rows__machines_agree(void **state)
{
    (void)state;
    uint64_t random = 5;
    struct csv_index plain = CSV_INDEX_EMPTY;
    struct csv_index other = CSV_INDEX_EMPTY;

    for (int round = 0; round < ROUNDS / 10; round++) {
        struct buf text = BUF_EMPTY;
        size_t rows = 1 + random_below(&random, 30);
        for (size_t row = 0; row < rows; row++) {
            for (size_t field = 0; field < 4; field++) {
                static const char *const FIELDS[] = {
                    "",
                    "a",
                    "\"\"",
                    "\"a,b\"",
                    "\"\"\"\"",
                    "\"\n\"",
                    "\"a\r\nb\"",
                    "plain text",
                    "\"\"\",\"\"\"",
                    "\"\r\"",
                    "0123456789012345678901234567890123456789012345678901234567890123456789"};
                buf_add_text(&text, FIELDS[random_below(&random, 11)]);
                buf_add_text(&text, field < 3                       ? ","
                                    : random_below(&random, 2) == 0 ? "\n"
                                                                    : "\r\n");
            }
        }
        size_t len = text.len;
        assert_true(buf_reserve(&text, CSV_SLACK_BYTES));
        assert_true(csv_scan(CSV_PLAIN, text.ptr, len, ',', &plain));
        assert_int_equal(plain.rows_count, rows);
        assert_int_equal(plain.ends_count, rows * 4);
        for (size_t i = 1; i < sizeof MACHINES / sizeof MACHINES[0]; i++) {
            if (csv_machine_is_here(MACHINES[i])) {
                assert_true(csv_scan(MACHINES[i], text.ptr, len, ',', &other));
                assert_same_index(&plain, &other);
            }
        }
        buf_release(&text);
    }
    csv_index_release(&plain);
    csv_index_release(&other);
}

static void csv_scan__known_text__gives_ends_rows_lines(void **state)
{
    (void)state;
    char text[64 + CSV_SLACK_BYTES] = "a,\"b\nc\"\r\nd,e\n";
    struct csv_index index = CSV_INDEX_EMPTY;
    for (size_t i = 0; i < sizeof MACHINES / sizeof MACHINES[0]; i++) {
        assert_true(csv_scan(MACHINES[i], text, 13, ',', &index));
        assert_int_equal(index.ends_count, 4);
        assert_int_equal(index.ends[0], 1);
        assert_int_equal(index.ends[1], 8);
        assert_int_equal(index.ends[3], 12);
        assert_int_equal(index.rows_count, 2);
        assert_int_equal(index.rows[0].last, 1);
        assert_int_equal(index.rows[0].lines, 2);
        assert_int_equal(index.rows[1].lines, 3);
        assert_true(index.has_quotes);
    }
    csv_index_release(&index);
}

static void csv_scan__broken_rows__are_named_and_the_next_is_sound(void **state)
{
    (void)state;
    char text[96 + CSV_SLACK_BYTES] = "\"a\"b,c\nd\re,f\ng\"h\"i,\"j\"\nk,\"l\"\rm\nn,o\n";
    struct csv_index index = CSV_INDEX_EMPTY;
    for (size_t i = 0; i < sizeof MACHINES / sizeof MACHINES[0]; i++) {
        assert_true(csv_scan(MACHINES[i], text, strlen(text), ',', &index));
        assert_int_equal(index.rows_count, 5);
        assert_int_equal(index.rows[0].fault, CSV_TEXT_AFTER_QUOTE);
        assert_int_equal(index.rows[1].fault, CSV_STRAY_CR);
        assert_int_equal(index.rows[2].fault, CSV_SOUND);
        assert_int_equal(index.rows[3].fault, CSV_STRAY_CR);
        assert_int_equal(index.rows[4].fault, CSV_SOUND);
    }
    csv_index_release(&index);
}

static void csv_split__random_cuts__machines_agree(void **state)
{
    (void)state;
    static const char *const ALPHABETS[] = {"\"\",,\n\r\nabc", "\",\nabcdefghijklmnopqrstuvwxyz",
                                            "\"\"\",\n"};
    char bytes[BYTES_MAX + CSV_SLACK_BYTES] = {0};
    uint64_t random = 6;

    for (int round = 0; round < ROUNDS; round++) {
        const char *alphabet = ALPHABETS[round % 3];
        for (size_t i = 0; i < BYTES_MAX; i++) {
            bytes[i] = alphabet[random_below(&random, strlen(alphabet))];
        }
        struct csv_split want = {CSV_START, 0, 0};
        csv_split(CSV_PLAIN, bytes, 0, BYTES_MAX, ',', &want);
        for (size_t i = 1; i < sizeof MACHINES / sizeof MACHINES[0]; i++) {
            struct csv_split got = {CSV_START, 0, 0};
            size_t cut = random_below(&random, BYTES_MAX + 1);
            csv_split(MACHINES[i], bytes, 0, cut, ',', &got);
            csv_split(MACHINES[i], bytes, cut, BYTES_MAX, ',', &got);
            assert_int_equal(got.state, want.state);
            assert_int_equal(got.lines, want.lines);
            assert_int_equal(got.row_end, want.row_end);
        }
    }
}

static void csv_utf8__random_sequences__agrees_with_the_decoder(void **state)
{
    (void)state;
    static const char *const SEQUENCES[] = {"a",
                                            "0123456789abcdefghijklmnopqrstuv",
                                            "\xc3\xa9",
                                            "\xe2\x82\xac",
                                            "\xf0\x9f\x98\x80",
                                            "\xc0\x80",
                                            "\xc1\xbf",
                                            "\xe0\x80\x80",
                                            "\xe0\x9f\xbf",
                                            "\xe0\xa0\x80",
                                            "\xed\x9f\xbf",
                                            "\xed\xa0\x80",
                                            "\xf0\x80\x80\x80",
                                            "\xf0\x8f\xbf\xbf",
                                            "\xf0\x90\x80\x80",
                                            "\xf4\x8f\xbf\xbf",
                                            "\xf4\x90\x80\x80",
                                            "\xf5\x80\x80\x80",
                                            "\x80",
                                            "\xbf",
                                            "\xc3",
                                            "\xe2\x82",
                                            "\xf0\x9f\x98",
                                            "\xff",
                                            "\xfe"};
    uint64_t random = 7;
    size_t valid = 0;

    for (int round = 0; round < ROUNDS; round++) {
        struct buf text = BUF_EMPTY;
        size_t pieces = random_below(&random, 40);
        size_t choice = round % 2 == 0 ? 5 : sizeof SEQUENCES / sizeof SEQUENCES[0];
        for (size_t i = 0; i < pieces; i++) {
            buf_add_text(&text, SEQUENCES[random_below(&random, choice)]);
        }
        if (round % 2 == 0 && text.len > 0 && random_below(&random, 2) == 0) {
            text.ptr[random_below(&random, text.len)] = (char)random_below(&random, 256);
        }
        buf_add_byte(&text, '\n');
        size_t len = text.len;
        assert_true(buf_reserve(&text, CSV_SLACK_BYTES));
        memset(text.ptr + len, 0x80, CSV_SLACK_BYTES);
        bool want = utf8_is_valid((struct slice){text.ptr, len});
        valid += want;
        for (size_t i = 0; i < sizeof MACHINES / sizeof MACHINES[0]; i++) {
            assert_int_equal(csv_utf8_is_valid(MACHINES[i], text.ptr, len), want);
        }
        buf_release(&text);
    }
    assert_in_range(valid, ROUNDS / 10, ROUNDS);
}

/* Whole and broken characters at every offset in ASCII: across vectors, and in the last one. */
static void csv_utf8__sequences_at_every_offset__agrees_with_the_decoder(void **state)
{
    (void)state;
    static const char *const SEQUENCES[] = {
        "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc3",     "\xe2\x82", "\xf0\x9f\x98",
        "\x80",     "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80", "\xff"};
    char bytes[EDGES_MAX + CSV_SLACK_BYTES];

    for (size_t piece = 0; piece < sizeof SEQUENCES / sizeof SEQUENCES[0]; piece++) {
        size_t size = strlen(SEQUENCES[piece]);
        for (size_t len = EDGES_MAX - 130; len < EDGES_MAX; len += 13) {
            for (size_t at = 0; at + size < len; at++) {
                memset(bytes, 'x', len);
                memset(bytes + len, 0x80, CSV_SLACK_BYTES);
                memcpy(bytes + at, SEQUENCES[piece], size);
                bytes[len - 1] = '\n';
                for (size_t i = 0; i < sizeof MACHINES / sizeof MACHINES[0]; i++) {
                    assert_int_equal(csv_utf8_is_valid(MACHINES[i], bytes, len), piece < 3);
                }
            }
        }
    }
}

static void csv_block_is_clean__nul_anywhere__says_no(void **state)
{
    (void)state;
    char bytes[EDGES_MAX + CSV_SLACK_BYTES];
    struct csv_block block = {.bytes = bytes, .len = EDGES_MAX};

    memset(bytes, 'x', sizeof bytes);
    memset(bytes + EDGES_MAX, 0, CSV_SLACK_BYTES);
    bytes[EDGES_MAX - 1] = '\n';
    assert_true(csv_block_is_clean(&block));
    for (size_t at = 0; at < EDGES_MAX; at++) {
        char before = bytes[at];
        bytes[at] = '\0';
        assert_false(csv_block_is_clean(&block));
        bytes[at] = before;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_scan__known_text__gives_ends_rows_lines),
        cmocka_unit_test(csv_scan__broken_rows__are_named_and_the_next_is_sound),
        cmocka_unit_test(csv_scan__random_bytes__machines_agree),
        cmocka_unit_test(csv_scan__pieces_at_every_offset__machines_agree),
        cmocka_unit_test(csv_scan__wellformed_rows__machines_agree),
        cmocka_unit_test(csv_split__random_cuts__machines_agree),
        cmocka_unit_test(csv_utf8__random_sequences__agrees_with_the_decoder),
        cmocka_unit_test(csv_utf8__sequences_at_every_offset__agrees_with_the_decoder),
        cmocka_unit_test(csv_block_is_clean__nul_anywhere__says_no),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
