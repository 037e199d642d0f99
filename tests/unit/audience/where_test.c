/*
 * The selection language: what it selects, what it refuses, where it points.
 */
#include "support.h"

#include "audience/where.h"

static const char *const NAMES[] = {"segment",   "balance", "consent_mail",
                                    "last name", "in",      "city"};
enum { COLUMNS = sizeof NAMES / sizeof NAMES[0] };

static bool matches(const char *text, const char *segment, const char *balance, const char *city)
{
    struct where *where = NULL;
    struct err err = {""};
    struct slice fields[COLUMNS] = {slice_of(segment),    slice_of(balance),
                                    SLICE_LITERAL("1"),   SLICE_LITERAL("O'Brien"),
                                    SLICE_LITERAL("yes"), slice_of(city)};
    if (where_compile(slice_of(text), NAMES, COLUMNS, &where, &err) != RC_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    bool result = where_matches(where, fields);
    where_free(where);
    return result;
}

#define YES(text, ...) assert_true(matches(text, __VA_ARGS__))
#define NO(text, ...) assert_false(matches(text, __VA_ARGS__))

static void where__the_example_of_the_contract__selects(void **state)
{
    (void)state;
    const char *text = "consent_mail = '1' and segment in ('gold', 'silver') and balance >= 100";
    YES(text, "gold", "100", "");
    YES(text, "silver", "100.000", "");
    NO(text, "bronze", "100", "");
    NO(text, "gold", "99.99", "");
    NO(text, "gold", "", "");
}

static void where__text__compares_as_bytes(void **state)
{
    (void)state;
    YES("segment = 'gold'", "gold", "", "");
    NO("segment = 'gold'", "Gold", "", "");
    NO("segment = 'gold'", "gold ", "", "");
    NO("segment = 'gold'", "golf", "", "");
    NO("segment = 'gold'", "told", "", "");
    NO("segment = 'gold'", "", "", "");
    YES("segment = 'g'", "g", "", "");
    NO("segment = 'g'", "h", "", "");
    YES("segment != 'gold'", "", "", "");
    YES("segment < 'b'", "a", "", "");
    YES("segment < 'b'", "Z", "", "");
    YES("segment < 'aa'", "a", "", "");
    YES("segment > 'z'", "\xc3\xa9", "", "");
    YES("segment <= 'a' and segment >= 'a'", "a", "", "");
    YES("balance > '9'", "", "90", "");
    YES("balance < '9'", "", "100", "");
    YES("segment = city", "x", "", "x");
    NO("segment < city", "x", "", "x");
    YES("'gold' = segment", "gold", "", "");
    YES("\"last name\" = 'O''Brien'", "", "", "");
    YES("\"in\" = 'yes'", "", "", "");
    YES("segment = ''", "", "", "");
}

static void where__numbers__compare_exactly_at_any_length(void **state)
{
    (void)state;
    YES("balance = 1", "", "1.0", "");
    YES("balance = 1.50", "", "001.5", "");
    YES("balance = 0", "", "-0", "");
    YES("balance = -0.0", "", "0", "");
    YES("balance < 10", "", "9", "");
    YES("balance > -10", "", "-9.99", "");
    YES("balance < -9", "", "-9.01", "");
    YES("balance > 123456789012345678901234567890.1", "",
        "123456789012345678901234567890.10000000000000000000000000001", "");
    YES("balance < 123456789012345678901234567890", "", "123456789012345678901234567889", "");
    YES("balance = 0.1", "", "0.1", "");
    NO("balance = 0.1", "", "0.1000000000000000055511151231257827", "");
    YES("100 <= balance", "", "100", "");
    YES("balance > 99", "", "100", "");
    YES("1 < 2", "", "", "");
    YES("'10' > 9", "", "", "");
}

static void where__no_number__makes_the_comparison_false(void **state)
{
    (void)state;
    static const char *const NONE[] = {"",   "abc", "1,5", "1e3", "+1",    " 1",  "1 ",
                                       ".5", "5.",  "-",   "--1", "1.2.3", "0x1", "\xd9\xa1"};
    for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++) {
        NO("balance = 1", "", NONE[i], "");
        NO("balance != 1", "", NONE[i], "");
        NO("balance < 1", "", NONE[i], "");
        NO("balance >= 1", "", NONE[i], "");
        NO("balance in (1, 2)", "", NONE[i], "");
        NO("balance not in (1, 2)", "", NONE[i], "");
        YES("not balance = 1", "", NONE[i], "");
    }
}

static void where__in__mixes_text_and_numbers(void **state)
{
    (void)state;
    YES("balance in ('x', 1)", "", "1.0", "");
    YES("balance in ('x', 1)", "", "x", "");
    NO("balance in ('1')", "", "1.0", "");
    YES("balance not in (1, 2)", "", "3", "");
    NO("balance not in (1, 2)", "", "2.00", "");
    YES("segment not in ('a')", "b", "", "");
    const char *many = "segment in ('k','a','c','e','g','i','m','o','q','s','u', 'it''s', ')')";
    for (const char *c = "aceghikmoqsu"; *c != '\0'; c++) {
        char text[2] = {*c, '\0'};
        assert_int_equal(matches(many, text, "", ""), *c != 'h');
    }
    YES(many, "it's", "", "");
    YES(many, ")", "", "");
    NO(many, "", "", "");
    YES("balance in (5,-3,12,7,1,2,3,4,6,8,9,10)", "", "-3.0", "");
    NO("balance in (5,-3,12,7,1,2,3,4,6,8,9,10)", "", "11", "");
}

static void where__like__runs_and_characters(void **state)
{
    (void)state;
    YES("city like 'Par%'", "", "", "Paris");
    YES("city like '%'", "", "", "");
    NO("city like '_'", "", "", "");
    YES("city like '_'", "", "", "\xc3\xa9");
    NO("city like '_'", "", "", "ab");
    YES("city like '%a%b%'", "", "", "xxaxxbxx");
    NO("city like '%a%b'", "", "", "xxaxxbxx");
    YES("city like '%ab'", "", "", "aab");
    YES("city like 'a%_b'", "", "", "axxb");
    NO("city like 'a%_b'", "", "", "ab");
    NO("city like 'paris'", "", "", "Paris");
    YES("city not like 'paris'", "", "", "Paris");
    YES("city like 'S_int-\xc3\x89_ienne'", "", "", "Saint-\xc3\x89tienne");
    YES("city like ''", "", "", "");
}

static void where__empty__is_no_bytes_at_all(void **state)
{
    (void)state;
    YES("city is empty", "", "", "");
    NO("city is empty", "", "", " ");
    YES("city is not empty", "", "", " ");
    NO("city IS NOT EMPTY", "", "", "");
}

static void where__precedence__not_before_and_before_or(void **state)
{
    (void)state;
    YES("segment = 'a' or segment = 'b' and city = 'x'", "a", "", "");
    NO("(segment = 'a' or segment = 'b') and city = 'x'", "a", "", "");
    YES("not segment = 'a' and city = 'x'", "b", "", "x");
    NO("not (segment = 'a' or city = 'x')", "b", "", "x");
    YES("not not segment = 'a'", "a", "", "");
    YES("NOT segment = 'b' AND city = '' OR 1 = 2", "a", "", "");
    YES("not not not segment = 'b'", "a", "", "");
}

/* Random expressions over three facts against C's own operators. */
static bool random_expression(uint64_t *random, struct buf *out, const bool facts[3], int depth)
{
    uint64_t kind = depth == 0 ? 0 : random_below(random, 5);
    if (kind <= 1) {
        size_t fact = random_below(random, 3);
        bool is_equal = random_below(random, 2) == 0;
        static const char *const FIELDS[] = {"segment", "balance", "city"};
        buf_add_format(out, "%s %s '1'", FIELDS[fact], is_equal ? "=" : "!=");
        return facts[fact] == is_equal;
    }
    if (kind == 2) {
        buf_add_text(out, "not (");
        bool value = random_expression(random, out, facts, depth - 1);
        buf_add_text(out, ")");
        return !value;
    }
    bool is_and = kind == 3;
    buf_add_text(out, "(");
    bool value = random_expression(random, out, facts, depth - 1);
    size_t more = 1 + random_below(random, 3);
    for (size_t i = 0; i < more; i++) {
        buf_add_text(out, is_and ? " and " : " or ");
        bool next = random_expression(random, out, facts, depth - 1);
        value = is_and ? value && next : value || next;
    }
    buf_add_text(out, ")");
    return value;
}

static void where__random_expressions__hold_as_in_c(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (int round = 0; round < 5000; round++) {
        bool facts[3];
        for (int i = 0; i < 3; i++) {
            facts[i] = random_below(&random, 2) == 0;
        }
        struct buf text = BUF_EMPTY;
        bool want = random_expression(&random, &text, facts, 4);
        bool got = matches(buf_text(&text), facts[0] ? "1" : "0", facts[1] ? "1" : "0",
                           facts[2] ? "1" : "0");
        if (got != want) {
            fail_msg("%s", buf_text(&text));
        }
        buf_release(&text);
    }
}

static void refused(const char *text, enum rc want, const char *part)
{
    struct where *where = NULL;
    struct err err = {""};
    enum rc rc = where_compile(slice_of(text), NAMES, COLUMNS, &where, &err);
    if (rc != want) {
        fail_msg("%s: %s (%s)", text, rc_name(rc), err.text);
    }
    assert_null(where);
    assert_contains(err.text, part);
}

static void where_compile__faults__name_the_position(void **state)
{
    (void)state;
    refused("", RC_PERM, "position 1: a column");
    refused("segment", RC_PERM, "position 8: a comparison");
    refused("segment =", RC_PERM, "position 10: a column");
    refused("segmnt = 'a'", RC_PERM, "position 1: no column \"segmnt\"; did you mean \"segment\"?");
    refused("city = '\xc3\xa9' and xyzzy = 1", RC_PERM, "position 16: no column \"xyzzy\"");
    refused("city = 'a", RC_PERM, "position 8: a text in quotes is not closed");
    refused("\"last name = 'a'", RC_PERM, "position 1: a name in double quotes is not closed");
    refused("segment == 'a'", RC_PERM, "position 10");
    refused("segment = 'a' city = 'b'", RC_PERM, "position 15: and, or or the end");
    refused("(segment = 'a'", RC_PERM, "position 15: and, or or )");
    refused("segment = 'a')", RC_PERM, "position 14");
    refused("segment in 'a'", RC_PERM, "position 12: a list");
    refused("segment in ()", RC_PERM, "position 13: a 'text' or a number");
    refused("segment in ('a' 'b')", RC_PERM, "position 17: a comma or )");
    refused("segment in ('a',", RC_PERM, "position 17");
    refused("segment like 5", RC_PERM, "position 14: a 'pattern'");
    refused("segment is full", RC_PERM, "position 12: empty");
    refused("segment not = 'a'", RC_PERM, "position 13: in or like");
    refused("balance > 1x", RC_PERM, "position 11: not a number");
    refused("balance > 1.", RC_PERM, "position 11: not a number");
    refused("balance > -", RC_PERM, "position 11");
    refused("segment = $", RC_PERM, "position 11: this character");
    refused("segment = and", RC_PERM, "position 11: a column");
    refused("not", RC_PERM, "position 4");
    refused("in = 'yes'", RC_PERM, "position 1");
}

static void where_compile__limits__are_kept(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    struct where *where = NULL;
    for (int i = 0; i < WHERE_DEPTH_MAX; i++) {
        buf_add_text(&text, "(");
    }
    buf_add_text(&text, "segment = 'a'");
    for (int i = 0; i < WHERE_DEPTH_MAX; i++) {
        buf_add_text(&text, ")");
    }
    assert_int_equal(where_compile(buf_slice(&text), NAMES, COLUMNS, &where, NULL), RC_OK);
    where_free(where);
    struct buf deeper = BUF_EMPTY;
    buf_add_format(&deeper, "(%s)", buf_text(&text));
    refused(buf_text(&deeper), RC_RANGE, "position 65: more than 64");
    buf_clear(&deeper);
    for (int i = 0; i < 40000; i++) {
        buf_add_text(&deeper, "(");
    }
    refused(buf_text(&deeper), RC_RANGE, "more than 64");
    buf_clear(&text);
    buf_add_text(&text, "segment = '");
    while (text.len < WHERE_TEXT_BYTES_MAX - 1) {
        buf_add_byte(&text, 'x');
    }
    buf_add_text(&text, "'");
    where = NULL;
    assert_int_equal(where_compile(buf_slice(&text), NAMES, COLUMNS, &where, NULL), RC_OK);
    where_free(where);
    buf_add_byte(&text, ' ');
    refused(buf_text(&text), RC_RANGE, "longer than 65536 bytes");
    buf_clear(&text);
    buf_add_text(&text, "city like '");
    for (int i = 0; i < WHERE_LIKE_BYTES_MAX + 1; i++) {
        buf_add_byte(&text, '%');
    }
    buf_add_text(&text, "'");
    refused(buf_text(&text), RC_RANGE, "position 11: a pattern is longer than 256");
    buf_release(&text);
    buf_release(&deeper);
}

static void where_compile__random_tokens__never_crash(void **state)
{
    (void)state;
    static const char *const TOKENS[] = {
        "segment", "balance", "'a'", "''",  "5",  "-1.5", "=",  "!=",    "<",  "(", ")",
        ",",       "and",     "or",  "not", "in", "like", "is", "empty", "\"", "'", "\"last name\"",
        "zzz",     "\x80",    "-"};
    struct slice fields[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++) {
        fields[i] = SLICE_LITERAL("1");
    }
    uint64_t random = 12;
    size_t good = 0;
    for (int round = 0; round < 100000; round++) {
        struct buf text = BUF_EMPTY;
        size_t count = 1 + random_below(&random, 12);
        for (size_t i = 0; i < count; i++) {
            buf_add_text(&text, TOKENS[random_below(&random, sizeof TOKENS / sizeof TOKENS[0])]);
            buf_add_text(&text, " ");
        }
        struct where *where = NULL;
        struct err err = {""};
        if (where_compile(buf_slice(&text), NAMES, COLUMNS, &where, &err) == RC_OK) {
            good++;
            (void)where_matches(where, fields);
            where_free(where);
        } else {
            assert_contains(err.text, "where: position ");
        }
        buf_release(&text);
    }
    assert_true(good > 100);
}

static void where_columns__each_read_column__once(void **state)
{
    (void)state;
    struct where *where = NULL;
    size_t count = 0;
    const char *text = "city = 'a' or city = 'b' and (segment = 'x' or city is empty)";
    assert_int_equal(where_compile(slice_of(text), NAMES, COLUMNS, &where, NULL), RC_OK);
    const size_t *columns = where_columns(where, &count);
    assert_int_equal(count, 2);
    assert_int_equal(columns[0], 5);
    assert_int_equal(columns[1], 0);
    where_free(where);
    where_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where__the_example_of_the_contract__selects),
        cmocka_unit_test(where__text__compares_as_bytes),
        cmocka_unit_test(where__numbers__compare_exactly_at_any_length),
        cmocka_unit_test(where__no_number__makes_the_comparison_false),
        cmocka_unit_test(where__in__mixes_text_and_numbers),
        cmocka_unit_test(where__like__runs_and_characters),
        cmocka_unit_test(where__empty__is_no_bytes_at_all),
        cmocka_unit_test(where__precedence__not_before_and_before_or),
        cmocka_unit_test(where__random_expressions__hold_as_in_c),
        cmocka_unit_test(where_compile__faults__name_the_position),
        cmocka_unit_test(where_compile__limits__are_kept),
        cmocka_unit_test(where_compile__random_tokens__never_crash),
        cmocka_unit_test(where_columns__each_read_column__once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
