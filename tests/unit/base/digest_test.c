/*
 * SHA-256 against the vectors of FIPS 180-4; XXH3 against its published values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/digest.h"

static const char EMPTY[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char ABC[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void sha256_hex__known_texts__have_their_digest(void **state)
{
    (void)state;
    char hex[SHA256_HEX_BYTES];
    sha256_hex("", 0, hex);
    assert_string_equal(hex, EMPTY);
    sha256_hex("abc", 3, hex);
    assert_string_equal(hex, ABC);
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    sha256_hex(two_blocks, strlen(two_blocks), hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void sha256_add__million_bytes_in_pieces__equals_one_run(void **state)
{
    (void)state;
    struct sha256 *sha = sha256_open();
    assert_non_null(sha);
    char piece[1000];
    memset(piece, 'a', sizeof piece);
    for (int i = 0; i < 1000; i++) {
        sha256_add(sha, piece, (size_t)i);
        sha256_add(sha, piece, sizeof piece - (size_t)i);
    }
    char hex[SHA256_HEX_BYTES];
    sha256_end(sha, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    sha256_free(sha);
}

static void sha256_end__afterwards__starts_anew(void **state)
{
    (void)state;
    struct sha256 *sha = sha256_open();
    assert_non_null(sha);
    char hex[SHA256_HEX_BYTES];
    sha256_add(sha, "xyz", 3);
    sha256_end(sha, hex);
    sha256_end(sha, hex);
    assert_string_equal(hex, EMPTY);
    sha256_add(sha, "abc", 3);
    sha256_end(sha, hex);
    assert_string_equal(hex, ABC);
    sha256_free(sha);
    sha256_free(NULL);
}

static void hash64__seed_and_bytes__both_count(void **state)
{
    (void)state;
    assert_true(hash64("", 0, 0) == UINT64_C(0x2D06800538D394C2)); /* XXH3_64bits of nothing */
    assert_true(hash64("abc", 3, 1) == hash64("abc", 3, 1));
    assert_true(hash64("abc", 3, 1) != hash64("abc", 3, 2));
    assert_true(hash64("abc", 3, 1) != hash64("abd", 3, 1));
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void hash64_short__short_texts__differ_in_the_upper_bits_too(void **state)
{
    (void)state;
    enum { TEXTS = 20000 };
    static uint64_t hashes[TEXTS];
    size_t count = 0;
    for (size_t len = 0; len <= 20; len++) {
        for (size_t i = 0; i < TEXTS / 21 && (len > 0 || i == 0); i++) {
            char text[24];
            (void)snprintf(text, sizeof text, "%0*zu", (int)len, i);
            size_t at = strlen(text) - len;
            hashes[count++] = hash64_short(text + at, len, 7) >> 24;
            if (len < 3 && i + 1 == (len == 1 ? 10U : 100U)) {
                break;
            }
        }
    }
    qsort(hashes, count, sizeof hashes[0], compare_hashes);
    for (size_t i = 1; i < count; i++) {
        assert_true(hashes[i] != hashes[i - 1]);
    }
    assert_true(hash64_short("abc", 3, 1) != hash64_short("abc", 3, 2));
    assert_true(hash64_short("0123456789abcdefg", 17, 1) == hash64("0123456789abcdefg", 17, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_hex__known_texts__have_their_digest),
        cmocka_unit_test(sha256_add__million_bytes_in_pieces__equals_one_run),
        cmocka_unit_test(sha256_end__afterwards__starts_anew),
        cmocka_unit_test(hash64__seed_and_bytes__both_count),
        cmocka_unit_test(hash64_short__short_texts__differ_in_the_upper_bits_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
