/*
 * Error texts: set, prefixed, cut; names and exit codes of the result codes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include "base/err.h"

static void err_set__text__is_formatted_and_rc_returned(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(err_set(&err, RC_PERM, "%s:%d: bad", "a.conf", 7), RC_PERM);
    assert_string_equal(err.text, "a.conf:7: bad");
}

static void err_set__null__drops_the_text(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, RC_IO, "x"), RC_IO);
    assert_int_equal(err_add(NULL, RC_TEMP, "x"), RC_TEMP);
}

static void err_set__too_long__is_cut(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(err_set(&err, RC_PERM, "%5000d", 1), RC_PERM);
    assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
}

static void err_add__clauses__stand_before_the_text(void **state)
{
    (void)state;
    struct err err;
    (void)err_set(&err, RC_PERM, "inner");
    assert_int_equal(err_add(&err, RC_PERM, "middle %d", 2), RC_PERM);
    assert_int_equal(err_add(&err, RC_STATE, "outer"), RC_STATE);
    assert_string_equal(err.text, "outer: middle 2: inner");
}

static void err_add__no_room__keeps_the_clause_and_cuts_the_text(void **state)
{
    (void)state;
    struct err err;
    (void)err_set(&err, RC_PERM, "%01000d", 7);
    (void)err_add(&err, RC_PERM, "%0100d", 8);
    assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
    assert_int_equal(err.text[99], '8');
    assert_memory_equal(err.text + 100, ": 000", 5);
    for (int length = ERR_TEXT_BYTES - 6; length < ERR_TEXT_BYTES + 6; length++) {
        (void)err_set(&err, RC_PERM, "inner");
        (void)err_add(&err, RC_PERM, "%0*d", length, 9);
        size_t clause = length < ERR_TEXT_BYTES - 1 ? (size_t)length : ERR_TEXT_BYTES - 1;
        assert_true(strlen(err.text) >= clause && strlen(err.text) < ERR_TEXT_BYTES);
        assert_int_equal(err.text[0], '0');
    }
}

static void rc_name__every_code__has_its_own(void **state)
{
    (void)state;
    for (int a = RC_OK; a <= RC_IO; a++) {
        assert_string_not_equal(rc_name((enum rc)a), "unknown");
        for (int b = RC_OK; b < a; b++) {
            assert_string_not_equal(rc_name((enum rc)a), rc_name((enum rc)b));
        }
    }
    assert_string_equal(rc_name((enum rc)99), "unknown");
}

static void rc_exit__codes__are_those_of_sysexits(void **state)
{
    (void)state;
    static const struct {
        enum rc rc;
        int exit;
    } table[] = {{RC_OK, 0},
                 {RC_TEMP, EX_TEMPFAIL},
                 {RC_PERM, EX_DATAERR},
                 {RC_GONE, EX_NOINPUT},
                 {RC_EXISTS, EX_CANTCREAT},
                 {RC_CORRUPT, EX_DATAERR},
                 {RC_STATE, EX_DATAERR},
                 {RC_RANGE, EX_DATAERR},
                 {RC_NOMEM, EX_OSERR},
                 {RC_IO, EX_IOERR},
                 {(enum rc)99, EX_SOFTWARE}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(rc_exit(table[i].rc), table[i].exit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_set__text__is_formatted_and_rc_returned),
        cmocka_unit_test(err_set__null__drops_the_text),
        cmocka_unit_test(err_set__too_long__is_cut),
        cmocka_unit_test(err_add__clauses__stand_before_the_text),
        cmocka_unit_test(err_add__no_room__keeps_the_clause_and_cuts_the_text),
        cmocka_unit_test(rc_name__every_code__has_its_own),
        cmocka_unit_test(rc_exit__codes__are_those_of_sysexits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
