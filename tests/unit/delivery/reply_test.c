/*
 * reply_test - what is kept of another side's words
 */
#include "unit/sys/support.h"

#include "delivery/reply.h"

static void assert_blotted(const char *text, size_t max_bytes, const char *wanted)
{
    struct buf out = BUF_EMPTY;
    reply_blot(&out, slice_of(text), max_bytes);
    assert_int_equal(buf_ok(&out, NULL), RC_OK);
    assert_string_equal(buf_text(&out), wanted);
    buf_release(&out);
}

static void reply_blot__addresses_and_long_numbers__are_stars(void **state)
{
    (void)state;
    assert_blotted("4.7.0 <r3@example.net> try  later", 120, " 4.7.0 * try later");
    assert_blotted("to +33612345678, in 300 s", 120, " to * in 300 s");
    assert_blotted("caf\xc3\xa9", 120, " caf??");
    assert_blotted("one two", 6, " one t");
    assert_blotted("", 120, "");
}

static void reply_begin__reason__is_behind_the_first_code(void **state)
{
    (void)state;
    const char *reason = "localhost:465: the peer refuses to go on: 421 4.7.0 later: 421 again";
    assert_int_equal(reply_begin(reason), strstr(reason, " 4.7.0") - reason);
    assert_int_equal(reply_begin("a:25: refused: 421"), strlen("a:25: refused: 421"));
    assert_int_equal(reply_begin("a:25: connect: refused"), strlen("a:25: connect: refused"));
    assert_int_equal(reply_begin("a:25: waited 4210 s: 42"), strlen("a:25: waited 4210 s: 42"));
    assert_int_equal(reply_begin(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_blot__addresses_and_long_numbers__are_stars),
        cmocka_unit_test(reply_begin__reason__is_behind_the_first_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
