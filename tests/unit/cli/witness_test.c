/*
 * witness - heads of the ledgers out of manifests
 */
#include "cli/witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"

static const char MANIFEST[] =
    "{\"delivery\":\"a\",\"ledger\":{\"cost\":{\"number\":3,\"hash\":\"" ONES
    "\"},\"stock\":{\"number\":0,\"hash\":\"" ZEROS "\"}}}\n";

static void witness_parse__manifest__gives_both_heads(void **state)
{
    (void)state;
    struct witness witness;
    assert_int_equal(witness_parse(slice_of(MANIFEST), "m", &witness, NULL), RC_OK);
    assert_int_equal(witness.cost.number, 3);
    assert_string_equal(witness.cost.hash, ONES);
    assert_int_equal(witness.stock.number, 0);
    assert_string_equal(witness.stock.from, "m");
}

static void witness_parse__other_json_or_none__is_refused_by_name(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"ledger\":{}}",
        "{\"ledger\":{\"cost\":{\"number\":-1,\"hash\":\"" ONES
        "\"},\"stock\":{\"number\":0,\"hash\":\"" ZEROS "\"}}}",
        "{\"ledger\":{\"cost\":{\"number\":1,\"hash\":\"11\"},\"stock\":{}}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct witness witness;
        struct err err = {{0}};
        assert_int_equal(witness_parse(slice_of(bad[i]), "FILE", &witness, &err), RC_PERM);
        assert_non_null(strstr(err.text, "FILE: is no manifest"));
    }
}

static void witness_read__file__is_read_and_a_stranger_is_not(void **state)
{
    (void)state;
    char path[] = "/tmp/postroom-witness-XXXXXX";
    struct witness witness;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, MANIFEST, sizeof MANIFEST - 1), sizeof MANIFEST - 1);
    assert_int_equal(witness_read(path, &witness, NULL), RC_OK);
    assert_int_equal(witness.cost.number, 3);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(witness_read(path, &witness, NULL), RC_PERM);
    assert_int_equal(pwrite(fd, "PK\x03\x04 no archive", 15, 0), 15);
    assert_int_equal(witness_read(path, &witness, NULL), RC_PERM);
    (void)close(fd);
    (void)unlink(path);
    assert_int_equal(witness_read(path, &witness, NULL), RC_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(witness_parse__manifest__gives_both_heads),
        cmocka_unit_test(witness_parse__other_json_or_none__is_refused_by_name),
        cmocka_unit_test(witness_read__file__is_read_and_a_stranger_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
