/*
 * Who is selected, and what is refused: what the contract says of rows, lists and counts, in single
 * cases.
 */
#include "case.h"

static void audience_run__each_cause__first_that_applies(void **state)
{
    (void)state;
    struct small small;
    small_init(&small, "id,v,w\n1,a,\n2,b,\n3,a,\n1,a,\n4\n,a,\n5,b,\n1,b,\n");
    small_exclude(&small, "id\n3\n5\n");
    small.options.where = "v = 'a'";
    small.options.excludes_bad_rows = true;
    assert_int_equal(small_run(&small), RC_OK);
    assert_string_equal(buf_text(&small.excluded),
                        "line,key,cause\n3,2,not-selected\n4,3,suppressed\n5,1,duplicate\n"
                        "6,,malformed\n7,,malformed\n8,5,not-selected\n9,1,not-selected\n");
    assert_int_equal(small.counts.rows, 8);
    assert_int_equal(small.counts.records, 1);
    assert_int_equal(small.counts.excluded[CAUSE_MALFORMED], 2);
    assert_int_equal(small.counts.excluded[CAUSE_NOT_SELECTED], 3);
    assert_int_equal(small.counts.excluded[CAUSE_SUPPRESSED], 1);
    assert_int_equal(small.counts.excluded[CAUSE_DUPLICATE], 1);
    small_done(&small);
}

/* Where one dedupe column ends and the next begins counts, whatever stands between them. */
static void audience_run__same_text_cut_elsewhere__is_no_duplicate(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"first", "last"};
    struct small small;
    small_init(&small, "id,first,last\n1,ab,c\n2,a,bc\n3,abc,\n4,,abc\n5,a,bx\n6,axb,\n"
                       "7,\"a\"\"b\",c\n8,\"a\",\"bc\"\n9,,\n10,\"\",\n");
    small.options.dedupe = NAMES;
    small.options.dedupe_count = 2;
    assert_int_equal(small_run(&small), RC_OK);
    expect_ids(&small, "1 2 3 4 5 6 7 9");
    small_done(&small);
}

/* B is a duplicate of A by name; C has B's key: B did not pass, so C does. */
static void audience_run__a_duplicate__blocks_nobody(void **state)
{
    (void)state;
    static const char *const NAME[] = {"name"};
    struct small small;
    small_init(&small, "id,name\n1,x\n2,x\n2,y\n3,y\n3,z\n2,z\n");
    small.options.dedupe = NAME;
    small.options.dedupe_count = 1;
    assert_int_equal(small_run(&small), RC_OK);
    expect_ids(&small, "1 2 3");
    assert_string_equal(buf_text(&small.excluded),
                        "line,key,cause\n3,2,duplicate\n5,3,duplicate\n7,2,duplicate\n");
    small_done(&small);
}

/* The check reads eight bytes at a time: every place in keys of every length around that. */
static void audience_run__control_character_anywhere_in_a_key__is_malformed(void **state)
{
    (void)state;
    enum { LEN_MAX = 26, KEYS = LEN_MAX * (LEN_MAX + 1) / 2 };
    static const char *const BYTES[] = {"\x01", "\x1f", "\x7f", "\t", " ", "~", "\xc3\xa9"};

    for (size_t byte = 0; byte < sizeof BYTES / sizeof BYTES[0]; byte++) {
        struct buf text = BUF_EMPTY;
        struct small small;
        buf_add_text(&text, "id,v\n");
        for (int len = 0; len < LEN_MAX; len++) {
            for (int at = 0; at <= len; at++) {
                static const char *const FILL = "xxxxxxxxxxxxxxxxxxxxxxxxxx";
                buf_add_format(&text, "%.*s%s%.*s,a\n", at, FILL, BYTES[byte], len - at, FILL);
            }
        }
        small_init(&small, buf_text(&text));
        small.options.excludes_bad_rows = true;
        assert_int_equal(small_run(&small), RC_OK);
        assert_int_equal(small.counts.rows, KEYS);
        assert_int_equal(small.counts.excluded[CAUSE_MALFORMED], byte < 4 ? KEYS : 0);
        small_done(&small);
        buf_release(&text);
    }
}

static void audience_run__bad_row__fails_with_its_line_unless_excluded(void **state)
{
    (void)state;
    struct small small;
    small_init(&small, "id,v\n1,a\n2\n3,b\n");
    small_refused(&small, "r.csv:3: not as many fields");
    small_init(&small, "id,v\n1,a\n,a\n");
    small_refused(&small, "r.csv:3: the key is empty");
    small_init(&small, "id,v\n\"1\n\",a\n");
    small_refused(&small, "r.csv:2: the key holds a control character");
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "id,v\n");
    for (int i = 0; i < AUDIENCE_KEY_BYTES_MAX; i++) {
        buf_add_byte(&text, 'k');
    }
    buf_add_text(&text, ",a\n");
    small_init(&small, buf_text(&text));
    assert_int_equal(small_run(&small), RC_OK);
    small_done(&small);
    buf_clear(&text);
    buf_add_text(&text, "id,v\n");
    for (int i = 0; i < AUDIENCE_KEY_BYTES_MAX + 1; i++) {
        buf_add_byte(&text, 'k');
    }
    buf_add_text(&text, ",a\n");
    small_init(&small, buf_text(&text));
    small_refused(&small, "r.csv:2: the key is longer than 255 bytes");
    buf_release(&text);
}

static void audience_run__file_that_breaks__is_an_error_in_both_modes(void **state)
{
    (void)state;
    for (int excludes = 0; excludes < 2; excludes++) {
        struct small small;
        small_init(&small, "id,v\n1,a\n2,\"b\n3,c\n");
        small.options.excludes_bad_rows = excludes == 1;
        small_refused(&small, "r.csv:3: a quote that opens on this line is never closed");
        struct buf text = BUF_EMPTY;
        buf_add_text(&text, "id,v\n1,");
        for (int i = 0; i < 1024 * 1024 + 1; i++) {
            buf_add_byte(&text, 'x');
        }
        buf_add_text(&text, "\n2,b\n");
        small_init(&small, buf_text(&text));
        small.options.excludes_bad_rows = excludes == 1;
        small_refused(&small, "r.csv:2: a field is longer than 1048576 bytes");
        buf_release(&text);
    }
}

static void audience_open__unknown_columns__are_named_with_their_file(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"citty"};
    static const char *const DOWN[] = {"-citty"};
    struct small small;
    small_init(&small, "id,city\n1,a\n");
    small.options.key = "idd";
    small_refused(&small, "r.csv:1: no column \"idd\"; did you mean \"id\"?");
    small_init(&small, "id,city\n1,a\n");
    small.options.dedupe = WRONG;
    small.options.dedupe_count = 1;
    small_refused(&small, "r.csv:1: no column \"citty\"; did you mean \"city\"?");
    small_init(&small, "id,city\n1,a\n");
    small.options.order = DOWN;
    small.options.order_count = 1;
    small_refused(&small, "r.csv:1: no column \"citty\"; did you mean \"city\"?");
    small_init(&small, "id,city\n1,a\n");
    small.options.where = "citty = 'a'";
    small_refused(&small, "where: position 1: no column \"citty\"; did you mean \"city\"?");
    small_init(&small, "id,city\n1,a\n");
    small_exclude(&small, "ident\n1\n");
    small_refused(&small, "s.csv:1: no column \"id\"");
    small_init(&small, "id,city\n1,a\n");
    small_seeds(&small, "id,citty\n1,a\n", SEEDS_END);
    small_refused(&small, "seeds.csv:1: column \"citty\" is none of the recipients'; did you mean");
}

static void audience_run__bad_lists_and_seeds__are_errors_always(void **state)
{
    (void)state;
    struct small small;
    small_init(&small, "id,city\n1,a\n");
    small.options.excludes_bad_rows = true;
    small_exclude(&small, "id,x\n1\n");
    small_refused(&small, "s.csv:2: not as many fields");
    small_init(&small, "id,city\n1,a\n");
    small.options.excludes_bad_rows = true;
    small_seeds(&small, "id,city\n1,a\n2\n", SEEDS_END);
    small_refused(&small, "seeds.csv:3: not as many fields");
}

static void audience_run__expected_numbers__each_has_its_text(void **state)
{
    (void)state;
    struct small small;
    const char *text = "id,v\n1,a\n2,a\n3,b\n";
    small_init(&small, text);
    small.options.where = "v = 'a'";
    small.options.rows = 3;
    small.options.min = 2;
    small.options.max = 2;
    assert_int_equal(small_run(&small), RC_OK);
    small.options.rows = 4;
    assert_int_equal(small_run(&small), RC_PERM);
    assert_contains(small.err.text, "r.csv: 3 rows where rows = 4 was given");
    assert_int_equal(small.counts.rows, 3);
    small.options.rows = 0;
    small.options.min = 3;
    assert_int_equal(small_run(&small), RC_PERM);
    assert_contains(small.err.text, "r.csv: 2 records selected, fewer than min = 3");
    small.options.min = 0;
    small.options.max = 1;
    assert_int_equal(small_run(&small), RC_PERM);
    assert_contains(small.err.text, "r.csv: 2 records selected, more than max = 1");
    small_done(&small);
}

static void audience_cause_name__all_causes__are_the_contracts_words(void **state)
{
    (void)state;
    static const char *const WORDS[] = {
        "malformed", "not-selected",       "suppressed",  "quarantined", "control-group",
        "pressure",  "incomplete-address", "bad-address", "duplicate",   "over-limit"};
    for (int i = 0; i < CAUSE_COUNT; i++) {
        assert_string_equal(audience_cause_name((enum audience_cause)i), WORDS[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audience_run__each_cause__first_that_applies),
        cmocka_unit_test(audience_run__same_text_cut_elsewhere__is_no_duplicate),
        cmocka_unit_test(audience_run__a_duplicate__blocks_nobody),
        cmocka_unit_test(audience_run__control_character_anywhere_in_a_key__is_malformed),
        cmocka_unit_test(audience_run__bad_row__fails_with_its_line_unless_excluded),
        cmocka_unit_test(audience_run__file_that_breaks__is_an_error_in_both_modes),
        cmocka_unit_test(audience_open__unknown_columns__are_named_with_their_file),
        cmocka_unit_test(audience_run__bad_lists_and_seeds__are_errors_always),
        cmocka_unit_test(audience_run__expected_numbers__each_has_its_text),
        cmocka_unit_test(audience_cause_name__all_causes__are_the_contracts_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
