/*
 * layout - rows to records: quoting, widths, encodings, upper case, holes, address lines, counts
 */
#include "layout_support.h"

#include <pthread.h>
#include <stdio.h>

#define E_ACUTE "\xC3\xA9"
#define MARK_ACUTE "\xCC\x81" /* combining */
#define MARK_DOT "\xCC\xA3"

static const char *const abc[] = {"a", "b", "c"};

static struct layout_options options_of(const struct layout_column *list, size_t count)
{
    return (struct layout_options){.columns = list,
                                   .column_count = count,
                                   .encoding = ENCODING_WINDOWS_1252,
                                   .delivery_id = "d-1",
                                   .eol = "\n"};
}

static const struct layout_column plain_abc[] = {
    {"a", NULL, 0, false}, {"b", NULL, 0, false}, {"c", NULL, 0, false}};

static void assert_row(struct bench *bench, const char *a, const char *b, const char *c,
                       const char *expected)
{
    const char *const fields[] = {a, b, c};
    assert_string_equal(bench_row(bench, fields, 3, 1), expected);
}

/* --------------------------------------------------------------------------- csv */

static void layout_payload__csv__quotes_what_needs_it_and_no_more(void **state)
{
    (void)state;
    struct layout_options options = options_of(plain_abc, 3);
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "x", "", "z", "x;;z\n");
    assert_row(&bench, "x;y", "a\"b", "12345678", "\"x;y\";\"a\"\"b\";12345678\n");
    assert_row(&bench, "l1\nl2", "l1\r\nl2", "\r", "\"l1\nl2\";\"l1\r\nl2\";\"\r\"\n");
    assert_row(&bench, "tab\there", " sp ", "a,b'c", "tab\there; sp ;a,b'c\n");
    assert_row(&bench, "a longer text; with the sign in its second word", "\"", "\"\"",
               "\"a longer text; with the sign in its second word\";\"\"\"\";\"\"\"\"\"\"\n");
    bench_close(&bench);
}

static void layout_payload__special_byte_at_every_place__is_seen(void **state)
{
    (void)state;
    struct layout_options options = options_of(plain_abc, 3);
    struct bench bench = bench_open(&options, abc, 3);
    static const char specials[] = {';', '"', '\n', '\r'};
    for (size_t len = 1; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (size_t s = 0; s < sizeof specials; s++) {
                char text[41] = {0};
                char expected[64];
                memset(text, 'm', len);
                text[at] = specials[s];
                size_t n = 0;
                expected[n++] = '"';
                for (size_t i = 0; i < len; i++) {
                    expected[n++] = text[i];
                    if (text[i] == '"') {
                        expected[n++] = '"';
                    }
                }
                memcpy(expected + n, "\";;\n", 5);
                assert_row(&bench, text, "", "", expected);
            }
        }
    }
    bench_close(&bench);
}

static void layout_payload__other_delimiter_and_quote__are_used(void **state)
{
    (void)state;
    struct layout_options options = options_of(plain_abc, 3);
    options.delimiter = '\t';
    options.quote_mark = '\'';
    options.eol = "\r\n";
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "a;b", "a\tb", "it's", "a;b\t'a\tb'\t'it''s'\r\n");
    bench_close(&bench);
}

static void layout_payload__quote_always__quotes_everything(void **state)
{
    (void)state;
    struct layout_options options = options_of(plain_abc, 3);
    options.quote = LAYOUT_QUOTE_ALWAYS;
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "", "x", "a\"b", "\"\";\"x\";\"a\"\"b\"\n");
    bench_close(&bench);
}

static void layout_payload__quote_never__makes_spaces_of_what_would_break(void **state)
{
    (void)state;
    struct layout_options options = options_of(plain_abc, 3);
    options.quote = LAYOUT_QUOTE_NEVER;
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "x;y", "a\"b", "l1\r\nl2\nl3", "x y;a\"b;l1 l2 l3\n");
    /* a full-width semicolon becomes one by transliteration, and is no delimiter either */
    assert_row(&bench, "x\xEF\xBC\x9By", "", "", "x y;;\n");
    bench_close(&bench);
}

static void layout_payload__transliterated_delimiter__is_quoted(void **state)
{
    (void)state;
    struct layout_options options = options_of(plain_abc, 3);
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "x\xEF\xBC\x9By", "", "", "\"x;y\";;\n");
    bench_close(&bench);
}

static void layout_payload__single_empty_value__is_no_empty_line(void **state)
{
    (void)state;
    const struct layout_column one[] = {{"b", NULL, 0, false}};
    struct layout_options options = options_of(one, 1);
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "x", "", "z", "\"\"\n");
    bench_close(&bench);
    options.quote = LAYOUT_QUOTE_NEVER;
    bench = bench_open(&options, abc, 3);
    assert_row(&bench, "x", "", "z", "\n");
    bench_close(&bench);
}

static void layout_payload__csv_width__cuts_and_does_not_pad(void **state)
{
    (void)state;
    const struct layout_column list[] = {
        {"a", NULL, 3, false}, {"b", NULL, 3, true}, {"c", NULL, 0, false}};
    struct layout_options options = options_of(list, 3);
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "abcd", "abcd", "abcd", "abc;ABC;abcd\n");
    assert_row(&bench, "ab", "a;cd", "", "ab;\"A;C\";\n"); /* cut before quoting */
    assert_int_equal(layout_counts(bench.state).cut, 3);
    bench_close(&bench);
}

static void layout_payload__short_and_long_rows__are_taken_as_they_come(void **state)
{
    (void)state;
    struct layout_options options = options_of(plain_abc, 3);
    struct bench bench = bench_open(&options, abc, 3);
    const char *const fields[] = {"1", "2", "3", "4"};
    assert_string_equal(bench_row(&bench, fields, 0, 1), ";;\n");
    assert_string_equal(bench_row(&bench, fields, 2, 1), "1;2;\n");
    assert_string_equal(bench_row(&bench, fields, 4, 1), "1;2;3\n");
    bench_close(&bench);
}

/* --------------------------------------------------------------------------- templates */

static void layout_payload__templates__plain_and_with_sections(void **state)
{
    (void)state;
    const struct layout_column list[] = {
        {"plain", "{{a}} {{{b}}} {{& c }}", 0, false},
        {"section", "{{#a}}[{{a}}]{{/a}}{{^a}}nobody{{/a}}", 0, false},
        {"literal", "fixed; text", 0, false},
        {"empty", "", 0, false},
        {"comment", "x{{! no }}y", 0, true},
        {"braces", "{ {{a}} }", 0, false}};
    struct layout_options options = options_of(list, COUNT(list));
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "<1>", "&2", "3", "<1> &2 3;[<1>];\"fixed; text\";;XY;{ <1> }\n");
    assert_row(&bench, "", ";", "3", "\" ; 3\";nobody;\"fixed; text\";;XY;{  }\n");
    bench_close(&bench);
}

static void layout_payload__column_named_like_a_section__opens_one_all_the_same(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "#a", "/a", "!a"};
    const struct layout_column list[] = {{"t", "{{#a}}x{{/a}}{{!a}}", 0, false}};
    struct layout_options options = options_of(list, 1);
    struct bench bench = bench_open(&options, names, COUNT(names));
    const char *const fields[] = {"yes", "1", "2", "3"};
    assert_string_equal(bench_row(&bench, fields, COUNT(names), 1), "x\n");
    bench_close(&bench);
}

/* --------------------------------------------------------------------------- encodings */

static void layout_payload__each_encoding__has_its_bytes(void **state)
{
    (void)state;
    static const struct {
        enum encoding encoding;
        const char *expected;
    } cases[] = {
        {ENCODING_UTF_8, "\xC3\xA9\xE2\x82\xAC;\xC5\x93;\xC5\x82\n"},
        {ENCODING_ISO_8859_1, "\xE9"
                              "EUR;oe;l\n"},
        {ENCODING_ISO_8859_15, "\xE9\xA4;\xBD;l\n"},
        {ENCODING_WINDOWS_1252, "\xE9\x80;\x9C;l\n"},
    };
    static const uint64_t counts[] = {0, 3, 1, 1};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct layout_options options = options_of(plain_abc, 3);
        options.encoding = cases[i].encoding;
        struct bench bench = bench_open(&options, abc, 3);
        assert_row(&bench, E_ACUTE "\xE2\x82\xAC", "\xC5\x93", "\xC5\x82", cases[i].expected);
        struct layout_counts counted = layout_counts(bench.state);
        assert_int_equal(counted.transliterated, counts[i]);
        assert_int_equal(counted.transliterated_rows, counts[i] > 0);
        bench_close(&bench);
    }
}

static void layout_counts__rows_and_characters__add_up(void **state)
{
    (void)state;
    struct layout_options options = options_of(plain_abc, 3);
    struct bench bench = bench_open(&options, abc, 3);
    (void)bench_row(&bench, (const char *const[]){"\xC5\x82\xC5\x82", "\xF0\x9F\x98\x80", ""}, 3,
                    1);
    (void)bench_row(&bench, (const char *const[]){"plain", "\xC3\xA9", ""}, 3, 2);
    (void)bench_row(&bench, (const char *const[]){"", "", "\xC5\x82"}, 3, 3);
    struct layout_counts counts = layout_counts(bench.state);
    assert_int_equal(counts.transliterated, 4);
    assert_int_equal(counts.transliterated_rows, 2);
    assert_int_equal(counts.replaced, 1);
    assert_int_equal(counts.cut, 0);
    bench_close(&bench);
}

static void layout_payload__upper__is_unicode_and_before_the_width(void **state)
{
    (void)state;
    const struct layout_column list[] = {
        {"a", NULL, 0, true}, {"b", NULL, 3, true}, {"c", "{{a}}-x", 0, true}};
    struct layout_options options = options_of(list, 3);
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "\xC3\xA9t\xC3\xA9", "ma\xC3\x9F", "", "\xC9T\xC9;MAS;\xC9T\xC9-X\n");
    assert_row(&bench, "abcdefghijklmnopqrstuvwxyz@[`{", "09", "",
               "ABCDEFGHIJKLMNOPQRSTUVWXYZ@[`{;09;"
               "ABCDEFGHIJKLMNOPQRSTUVWXYZ@[`{-X\n");
    bench_close(&bench);
}

static void layout_payload__nul_in_a_field__becomes_a_space(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"a", NULL, 0, false},
                                         {"t", "{{reference}}/{{a}}", 0, false},
                                         {"s", "{{#a}}{{reference}}{{a}}{{/a}}", 0, false}};
    struct layout_options options = options_of(list, 3);
    struct bench bench = bench_open(&options, abc, 3);
    const struct slice fields[] = {{"x\0y", 3}, {"", 0}, {"", 0}};
    assert_int_equal(layout_payload(bench.layout, bench.state, fields, 3, &bench.payload, NULL),
                     RC_OK);
    assert_int_equal(layout_emit(bench.layout, buf_slice(&bench.payload), 7, &bench.out, NULL),
                     RC_OK);
    assert_int_equal(bench.out.len, strlen("x y;d-1-7/x y;d-1-7x y\n"));
    assert_string_equal(buf_text(&bench.out), "x y;d-1-7/x y;d-1-7x y\n");
    bench_close(&bench);
}

/* --------------------------------------------------------------------------- fixed */

static struct bench fixed_bench(enum encoding encoding, uint32_t a, uint32_t b)
{
    const struct layout_column list[] = {{"a", NULL, a, false}, {"b", NULL, b, true}};
    struct layout_options options = options_of(list, 2);
    options.format = LAYOUT_FIXED;
    options.encoding = encoding;
    return bench_open(&options, abc, 3);
}

static void layout_payload__fixed__pads_and_cuts_at_the_width(void **state)
{
    (void)state;
    struct bench bench = fixed_bench(ENCODING_WINDOWS_1252, 5, 3);
    assert_row(&bench, "ab", "abc", "", "ab   ABC\n");
    assert_row(&bench, "abcdefgh", "", "", "abcde   \n");
    assert_row(&bench, "a;\"b", "l\r\nm", "", "a;\"b L M\n");
    assert_row(&bench, "l1\nl2\tx", "x", "", "l1 l2X  \n");
    assert_int_equal(layout_counts(bench.state).cut, 2);
    bench_close(&bench);
}

static void layout_payload__fixed_utf_8__counts_characters_and_never_splits_one(void **state)
{
    (void)state;
    struct bench bench = fixed_bench(ENCODING_UTF_8, 4, 2);
    /* two-byte, three-byte and four-byte characters at the cut */
    assert_row(&bench, "abc" E_ACUTE "e", "", "", "abc" E_ACUTE "  \n");
    assert_row(&bench, "abcd" E_ACUTE, "", "", "abcd  \n");
    assert_row(&bench, "abc\xE2\x82\xAC\xE2\x82\xAC", "", "", "abc\xE2\x82\xAC  \n");
    assert_row(&bench, "abc\xF0\x9F\x98\x80x", "", "", "abc\xF0\x9F\x98\x80  \n");
    assert_row(&bench, E_ACUTE, E_ACUTE E_ACUTE E_ACUTE, "", E_ACUTE "   \xC3\x89\xC3\x89\n");
    bench_close(&bench);
}

static void layout_payload__mark_beyond_the_width__takes_its_letter_along(void **state)
{
    (void)state;
    struct bench bench = fixed_bench(ENCODING_UTF_8, 4, 1);
    /* q has no composed form with a dot below: letter and mark are two characters */
    assert_row(&bench, "abq" MARK_DOT "x", "", "", "abq" MARK_DOT " \n");
    assert_row(&bench, "abcq" MARK_DOT, "", "", "abc  \n");
    assert_row(&bench, "abcdq" MARK_DOT, "", "", "abcd \n");
    assert_row(&bench, "abq" MARK_DOT MARK_ACUTE, "", "", "ab   \n");
    /* an e with an acute is one character, composed before the width counts */
    assert_row(&bench, "abce" MARK_ACUTE, "", "", "abc" E_ACUTE " \n");
    bench_close(&bench);
}

static void layout_payload__transliterated_characters__count_in_the_width(void **state)
{
    (void)state;
    struct bench bench = fixed_bench(ENCODING_ISO_8859_1, 4, 3);
    assert_row(&bench, "c\xC5\x93ur", "\xC3\x9F\xC3\x9F", "", "coeuSSS\n");
    assert_row(&bench, "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "", "EUR ?  \n");
    bench_close(&bench);
}

static void layout_payload__fixed_without_eol__is_one_run(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"a", NULL, 3, false}};
    struct layout_options options = options_of(list, 1);
    options.format = LAYOUT_FIXED;
    options.eol = "";
    struct bench bench = bench_open(&options, abc, 3);
    assert_row(&bench, "x", "", "", "x  ");
    bench_close(&bench);
}

static void layout_payload__failed_buffer__is_nomem(void **state)
{
    (void)state;
    struct layout_options options = options_of(plain_abc, 3);
    struct bench bench = bench_open(&options, abc, 3);
    const struct slice fields[] = {{"x", 1}, {"y", 1}, {"z", 1}};
    struct buf out = BUF_EMPTY;
    out.is_failed = true;
    assert_int_equal(layout_payload(bench.layout, bench.state, fields, 3, &out, NULL), RC_NOMEM);
    assert_int_equal(layout_emit(bench.layout, fields[0], 1, &out, NULL), RC_NOMEM);
    bench_close(&bench);
}

static void layout_payload__value_too_long__is_range_and_names_the_column(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"a", NULL, 0, false}, {"t", "{{a}}{{b}}", 0, false}};
    struct layout_options options = options_of(list, 2);
    struct bench bench = bench_open(&options, abc, 3);
    static char text[LAYOUT_VALUE_BYTES_MAX + 1];
    struct err err = {""};
    memset(text, 'x', sizeof text);
    struct slice fields[] = {{text, sizeof text}, {"y", 1}, {"z", 1}};
    buf_add_text(&bench.payload, "before");
    assert_int_equal(layout_payload(bench.layout, bench.state, fields, 3, &bench.payload, &err),
                     RC_RANGE);
    assert_non_null(strstr(err.text, "column a"));
    assert_int_equal(bench.payload.len, 6);
    fields[0].len--;
    assert_int_equal(layout_payload(bench.layout, bench.state, fields, 3, &bench.payload, &err),
                     RC_RANGE);
    assert_non_null(strstr(err.text, "column t"));
    assert_int_equal(bench.payload.len, 6);
    bench_close(&bench);
}

/* --------------------------------------------------------------------------- header */

static void layout_header_row__csv__is_encoded_and_quoted(void **state)
{
    (void)state;
    const struct layout_column list[] = {{"reference", NULL, 0, false},
                                         {"Pr" E_ACUTE "nom; nom", "{{a}}", 0, false},
                                         {"\xC5\x82\nx", "{{a}}", 3, true}};
    struct layout_options options = options_of(list, 3);
    options.has_header = true;
    options.eol = NULL;
    struct bench bench = bench_open(&options, abc, 3);
    layout_header_row(bench.layout, &bench.out);
    assert_string_equal(buf_text(&bench.out), "reference;\"Pr\xE9nom; nom\";l x\r\n");
    bench_close(&bench);
    options.has_header = false;
    bench = bench_open(&options, abc, 3);
    layout_header_row(bench.layout, &bench.out);
    assert_int_equal(bench.out.len, 0);
    bench_close(&bench);
}

static void layout_header_row__fixed__has_the_record_s_length(void **state)
{
    (void)state;
    const struct layout_column list[] = {
        {"reference", NULL, 12, false}, {"a", NULL, 3, false}, {"longer", "{{a}}", 3, false}};
    struct layout_options options = options_of(list, 3);
    options.has_header = true;
    options.format = LAYOUT_FIXED;
    struct bench bench = bench_open(&options, abc, 3);
    layout_header_row(bench.layout, &bench.out);
    assert_string_equal(buf_text(&bench.out), "reference   a  lon\n");
    assert_int_equal(layout_counts(bench.state).cut, 0);
    bench_close(&bench);
}

/* --------------------------------------------------------------------------- threads, random */

struct job {
    const struct layout *layout;
    struct buf payload;
    enum rc rc;
};

static void *render_rows(void *context)
{
    struct job *job = context;
    struct layout_state *state = NULL;
    const struct slice fields[] = {{"\xC5\x81\xC3\xB3"
                                    "d\xC5\xBA",
                                    7},
                                   {"x;y", 3},
                                   {"z", 1}};
    job->rc = layout_state_open(job->layout, &state, NULL);
    for (int i = 0; i < 500 && job->rc == RC_OK; i++) {
        job->rc = layout_payload(job->layout, state, fields, 3, &job->payload, NULL);
    }
    layout_state_free(state);
    return NULL;
}

static void layout_payload__several_threads__render_the_same(void **state)
{
    (void)state;
    const struct layout_column list[] = {
        {"a", NULL, 0, true}, {"b", "{{#b}}{{b}}{{/b}}", 0, false}, {"reference", NULL, 0, false}};
    struct layout_options options = options_of(list, 3);
    struct bench bench = bench_open(&options, abc, 3);
    struct job jobs[4];
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        jobs[i] = (struct job){bench.layout, BUF_EMPTY, RC_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, render_rows, &jobs[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(jobs[i].rc, RC_OK);
        assert_true(slice_equal(buf_slice(&jobs[i].payload), buf_slice(&jobs[0].payload)));
    }
    for (size_t i = 0; i < 4; i++) {
        buf_release(&jobs[i].payload);
    }
    bench_close(&bench);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

/* Short and long, so that each way of copying meets each of them. */
static void layout_payload__utf_8__letters_stay__marks_and_controls_do_not(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\xC3\x80" E_ACUTE "\xC5\x93\xCB\xBF", "\xC3\x80" E_ACUTE "\xC5\x93\xCB\xBF"},
        {"e" MARK_ACUTE, E_ACUTE},
        {"a\xC2\x85z", "a z"},
        {"a\xC2\xA0z", "a\xC2\xA0z"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int pad = 0; pad < 40; pad++) {
            struct layout_options options = options_of(plain_abc, 3);
            options.encoding = ENCODING_UTF_8;
            options.quote = LAYOUT_QUOTE_NEVER;
            char field[80];
            char expected[90];
            (void)snprintf(field, sizeof field, "%.*s%s", pad,
                           "0123456789012345678901234567890123456789", cases[i][0]);
            (void)snprintf(expected, sizeof expected, ";%.*s%s;x\n", pad,
                           "0123456789012345678901234567890123456789", cases[i][1]);
            struct bench bench = bench_open(&options, abc, 3);
            assert_row(&bench, "", field, "x", expected);
            bench_close(&bench);
        }
    }
}

enum { LINE_FIELDS = 6, LINE_BYTES = 2000 };

/* A line of the recipients: fields side by side, some in quotes, and none with what stands between
 * them. */
struct line {
    char text[LINE_BYTES];
    size_t len;
    struct slice fields[LINE_FIELDS];
};

#define SEVERAL_LETTERS "71 mont" E_ACUTE "e de la F" E_ACUTE "e"
#define LETTER_AND_MARK "e" MARK_ACUTE

static void make_line(struct line *line, char between, uint32_t *seed)
{
    static const char *const pieces[] = {"a",
                                         "Lefebvre",
                                         SEVERAL_LETTERS,
                                         "\xC5\x93uvre",
                                         LETTER_AND_MARK,
                                         "\xC2\xA0",
                                         "\xC2\x85",
                                         ";",
                                         "\"",
                                         ",",
                                         "\t",
                                         "\r\n",
                                         "\xE2\x82\xAC",
                                         "12345678",
                                         "16 bytes exactly",
                                         "\xCB\xBF",
                                         "\x7F",
                                         "\xF0\x9F\x98\x80"};
    line->len = 0;
    for (size_t i = 0; i < LINE_FIELDS; i++) {
        bool is_quoted = next_random(seed) % 6 == 0;
        size_t start = line->len += is_quoted;
        for (uint32_t n = next_random(seed) % 4; n > 0; n--) {
            /* mostly the first few: else hardly any row would be copied as it stands */
            uint32_t kinds = next_random(seed) % 8 == 0 ? COUNT(pieces) : 4;
            const char *piece = pieces[next_random(seed) % kinds];
            if (strchr(piece, between) == NULL) {
                memcpy(line->text + line->len, piece, strlen(piece));
                line->len += strlen(piece);
            }
        }
        line->fields[i] = (struct slice){line->text + start, line->len - start};
        line->len += is_quoted;
        line->text[line->len++] = between;
    }
}

/* The same row with its fields side by side and apart, by the same layout. */
static void compare_side_by_side(const struct layout_options *options, const char *const *names,
                                 char between, uint32_t *seed)
{
    struct bench together = bench_open(options, names, LINE_FIELDS);
    struct bench apart = bench_open(options, names, LINE_FIELDS);
    layout_state_between(together.state, between);
    for (int round = 0; round < 400; round++) {
        struct line line;
        struct slice copies[LINE_FIELDS];
        char room[LINE_FIELDS][LINE_BYTES / LINE_FIELDS];
        struct err err = {""};
        memset(&line, between, sizeof line);
        make_line(&line, between, seed);
        for (size_t i = 0; i < LINE_FIELDS; i++) {
            memcpy(room[i], line.fields[i].ptr, line.fields[i].len);
            copies[i] = (struct slice){room[i], line.fields[i].len};
        }
        buf_clear(&together.payload);
        buf_clear(&apart.payload);
        assert_int_equal(layout_payload(together.layout, together.state, line.fields, LINE_FIELDS,
                                        &together.payload, &err),
                         RC_OK);
        assert_int_equal(
            layout_payload(apart.layout, apart.state, copies, LINE_FIELDS, &apart.payload, &err),
            RC_OK);
        assert_true(slice_equal(buf_slice(&together.payload), buf_slice(&apart.payload)));
    }
    assert_int_equal(layout_counts(together.state).transliterated,
                     layout_counts(apart.state).transliterated);
    bench_close(&together);
    bench_close(&apart);
}

static void layout_payload__fields_side_by_side__are_the_same_as_apart(void **state)
{
    (void)state;
    static const char *const names[LINE_FIELDS] = {"f0", "f1", "f2", "f3", "f4", "f5"};
    static const struct layout_column all[] = {{"f0", NULL, 0, false}, {"f1", NULL, 0, false},
                                               {"f2", NULL, 0, false}, {"f3", NULL, 0, false},
                                               {"f4", NULL, 0, false}, {"f5", NULL, 0, false}};
    static const struct layout_column some[] = {
        {"reference", NULL, 0, false}, {"f1", NULL, 0, false}, {"f2", NULL, 0, true},
        {"f3", NULL, 0, false},        {"f4", NULL, 0, false}, {"f0", NULL, 9, false},
        {"x", "{{f5}}", 0, false}};
    static const char betweens[] = {',', ';', '\t'};
    uint32_t seed = 7;
    for (int mode = 0; mode < 3 * ENCODING_COUNT * 3 * 2; mode++) {
        struct layout_options options =
            mode % 2 == 0 ? options_of(all, COUNT(all)) : options_of(some, COUNT(some));
        options.quote = (enum layout_quote)(mode / 2 % 3);
        options.encoding = (enum encoding)(mode / 6 % ENCODING_COUNT);
        compare_side_by_side(&options, names, betweens[mode / 6 / ENCODING_COUNT], &seed);
    }
}

static void layout_payload__random_bytes__never_crash_and_fixed_keeps_its_length(void **state)
{
    (void)state;
    static const char *const names[] = {"last_name", "address1", "postcode", "city"};
    static const struct layout_column list[] = {
        {"reference", NULL, 30, false},
        {"last_name", NULL, 7, true},
        {"line1", NULL, 40, false},
        {"line4", NULL, 20, true},
        {"line6", "{{#city}}{{city}}{{reference}}{{/city}}", 12, false},
        {"t", "{{city}}{{reference}}{{line4}}", 9, true},
        {"s", "{{^city}}{{postcode}}{{/city}}", 3, false}};
    uint32_t seed = 3;
    for (int mode = 0; mode < 12; mode++) {
        struct layout_options options = options_of(list, COUNT(list));
        options.format = mode % 2 == 0 ? LAYOUT_FIXED : LAYOUT_CSV;
        options.encoding = (enum encoding)(mode % ENCODING_COUNT);
        options.quote = (enum layout_quote)(mode % 3);
        options.is_address_checked = true;
        options.has_header = true;
        struct bench bench = bench_open(&options, names, COUNT(names));
        for (int round = 0; round < 1500; round++) {
            char text[4][40];
            struct slice fields[4];
            for (size_t i = 0; i < 4; i++) {
                for (size_t j = 0; j < sizeof text[i]; j++) {
                    uint32_t r = next_random(&seed);
                    text[i][j] = (char)(r % 3 == 0 ? r >> 8 : ' ' + (r >> 8) % 95);
                }
                fields[i] = (struct slice){text[i], next_random(&seed) % (sizeof text[i] + 1)};
            }
            enum address_verdict verdict;
            struct err err = {""};
            buf_release(&bench.payload);
            buf_release(&bench.out);
            size_t count = next_random(&seed) % 5;
            assert_int_equal(
                layout_address_check(bench.layout, bench.state, fields, count, &verdict, &err),
                RC_OK);
            assert_int_equal(
                layout_payload(bench.layout, bench.state, fields, count, &bench.payload, &err),
                RC_OK);
            assert_int_equal(
                layout_emit(bench.layout, buf_slice(&bench.payload), 1, &bench.out, &err), RC_OK);
            assert_null(memchr(bench.out.ptr, '\0', bench.out.len));
            if (options.format == LAYOUT_FIXED) {
                size_t characters = 0;
                for (size_t i = 0; i < bench.out.len; i++) {
                    bool is_trail = options.encoding == ENCODING_UTF_8 &&
                                    ((unsigned char)bench.out.ptr[i] & 0xC0) == 0x80;
                    characters += !is_trail;
                }
                assert_int_equal(characters, 30 + 7 + 40 + 20 + 12 + 9 + 3 + 1);
            }
            /* what comes back from disk damaged is an error or nonsense, never a crash */
            size_t at = next_random(&seed) % bench.payload.len;
            bench.payload.ptr[at] = (char)next_random(&seed);
            enum rc rc = layout_emit(bench.layout,
                                     (struct slice){bench.payload.ptr, bench.payload.len - at % 3},
                                     1, &bench.out, &err);
            assert_true(rc == RC_OK || rc == RC_CORRUPT);
        }
        bench_close(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_payload__csv__quotes_what_needs_it_and_no_more),
        cmocka_unit_test(layout_payload__special_byte_at_every_place__is_seen),
        cmocka_unit_test(layout_payload__other_delimiter_and_quote__are_used),
        cmocka_unit_test(layout_payload__quote_always__quotes_everything),
        cmocka_unit_test(layout_payload__quote_never__makes_spaces_of_what_would_break),
        cmocka_unit_test(layout_payload__transliterated_delimiter__is_quoted),
        cmocka_unit_test(layout_payload__single_empty_value__is_no_empty_line),
        cmocka_unit_test(layout_payload__csv_width__cuts_and_does_not_pad),
        cmocka_unit_test(layout_payload__short_and_long_rows__are_taken_as_they_come),
        cmocka_unit_test(layout_payload__templates__plain_and_with_sections),
        cmocka_unit_test(layout_payload__column_named_like_a_section__opens_one_all_the_same),
        cmocka_unit_test(layout_payload__each_encoding__has_its_bytes),
        cmocka_unit_test(layout_counts__rows_and_characters__add_up),
        cmocka_unit_test(layout_payload__upper__is_unicode_and_before_the_width),
        cmocka_unit_test(layout_payload__nul_in_a_field__becomes_a_space),
        cmocka_unit_test(layout_payload__fixed__pads_and_cuts_at_the_width),
        cmocka_unit_test(layout_payload__fixed_utf_8__counts_characters_and_never_splits_one),
        cmocka_unit_test(layout_payload__mark_beyond_the_width__takes_its_letter_along),
        cmocka_unit_test(layout_payload__transliterated_characters__count_in_the_width),
        cmocka_unit_test(layout_payload__fixed_without_eol__is_one_run),
        cmocka_unit_test(layout_payload__failed_buffer__is_nomem),
        cmocka_unit_test(layout_payload__value_too_long__is_range_and_names_the_column),
        cmocka_unit_test(layout_header_row__csv__is_encoded_and_quoted),
        cmocka_unit_test(layout_header_row__fixed__has_the_record_s_length),
        cmocka_unit_test(layout_payload__several_threads__render_the_same),
        cmocka_unit_test(layout_payload__utf_8__letters_stay__marks_and_controls_do_not),
        cmocka_unit_test(layout_payload__fields_side_by_side__are_the_same_as_apart),
        cmocka_unit_test(layout_payload__random_bytes__never_crash_and_fixed_keeps_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
