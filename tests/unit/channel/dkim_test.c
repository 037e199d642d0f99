/*
 * dkim - canonical forms as RFC 6376 shows them, the signatures of RFC 8463, and keys that are
 * refused. That other verifiers accept what we sign is mime_python_test's to show.
 */
#include "message_support.h"

#include "channel/dkim_relaxed.h"

#include <openssl/sha.h>
#include <stdlib.h>

/* --- canonical forms --- */

static void dkim_relaxed_header__edges__are_as_the_rfc_says(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"A: X\r\n", "a:X\r\n"}, /* RFC 6376 3.4.5 */
                                           {"B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
                                           {"SubJect:  a \t b\t", "subject:a b\r\n"},
                                           {"X:\r\n folded at once\r\n", "x:folded at once\r\n"},
                                           {"X:\r\n", "x:\r\n"},
                                           {"X: \t \r\n", "x:\r\n"},
                                           {"X:a:b\r\n", "x:a:b\r\n"},
                                           {"X: last\r\n \r\n", "x:last\r\n"}};
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_clear(&out);
        dkim_relaxed_header(slice_of(cases[i][0]), &out);
        assert_string_equal(buf_text(&out), cases[i][1]);
    }
    buf_release(&out);
}

static void dkim_relaxed_body__edges__are_as_the_rfc_says(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"}, /* RFC 6376 3.4.5 */
        {"", ""},
        {"\r\n", ""},
        {"\r\n\r\n\r\n", ""},
        {" \t\r\n\r\n", ""},
        {"\r\na", "\r\na\r\n"},
        {"a\r\n\r\nb\r\n \r\n", "a\r\n\r\nb\r\n"},
        {"no line end", "no line end\r\n"},
        {"a\r\n\tb\tc\r\n", "a\r\n b c\r\n"},
        {"a  b   c d\r\n", "a b c d\r\n"}};
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_clear(&out);
        dkim_relaxed_body(slice_of(cases[i][0]), &out);
        assert_string_equal(buf_text(&out), cases[i][1]);
    }
    buf_release(&out);
}

/* --- RFC 8463 appendix A --- */

#define RFC_BODY "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
#define RFC_BODY_HASH "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
#define RFC_SIGNATURE                                                                              \
    "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="

/* The seed of A.2 as PKCS #8: a fixed prefix, then nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A= */
#define RFC_KEY                                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"                           \
    "-----END PRIVATE KEY-----\n"

static void assert_base64(const unsigned char *bytes, size_t len, const char *expected)
{
    unsigned char text[512];
    assert_true(len < 300);
    assert_true(EVP_EncodeBlock(text, bytes, (int)len) > 0);
    assert_string_equal((const char *)text, expected);
}

static void dkim_sign_hash__message_of_rfc_8463__is_its_signature(void **state)
{
    (void)state;
    static const char *const in_order[] = {
        "From: Joe SixPack <joe@football.example.com>\r\n",
        "To: Suzie Q <suzie@shopping.example.net>\r\n",
        "Subject: Is dinner ready?\r\n",
        "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n",
        "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n",
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
        " d=football.example.com; i=@football.example.com;\r\n"
        " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
        " subject : date : message-id : from : subject : date;\r\n"
        " bh=" RFC_BODY_HASH ";\r\n b="};
    struct buf canonical = BUF_EMPTY;
    unsigned char hash[DKIM_HASH_BYTES];
    dkim_relaxed_body(SLICE_LITERAL(RFC_BODY), &canonical);
    SHA256((const unsigned char *)canonical.ptr, canonical.len, hash);
    assert_base64(hash, sizeof hash, RFC_BODY_HASH);
    buf_clear(&canonical);
    for (size_t i = 0; i < COUNT(in_order); i++) {
        dkim_relaxed_header(slice_of(in_order[i]), &canonical);
    }
    SHA256((const unsigned char *)canonical.ptr, canonical.len - 2, hash);
    struct dkim *dkim = make_dkim(RFC_KEY);
    struct dkim_state *one = NULL;
    unsigned char signature[DKIM_SIGNATURE_BYTES_MAX];
    size_t len = 0;
    assert_int_equal(dkim_state_open(dkim, &one, NULL), RC_OK);
    for (int times = 0; times < 2; times++) {
        assert_int_equal(dkim_sign_hash(dkim, one, hash, signature, &len, NULL), RC_OK);
        assert_base64(signature, len, RFC_SIGNATURE);
    }
    dkim_state_free(one);
    dkim_free(dkim);
    buf_release(&canonical);
}

/* --- signing --- */

static void dkim_sign__message__is_this_header(void **state)
{
    (void)state;
    struct dkim *dkim = make_dkim(RFC_KEY);
    struct dkim_state *one = NULL;
    struct buf out = BUF_EMPTY;
    assert_int_equal(dkim_state_open(dkim, &one, NULL), RC_OK);
    struct slice head = SLICE_LITERAL("from: a@b.example\r\nX-Other: x\r\nSUBJECT: b\r\n folded\r\n"
                                      "List-Unsubscribe: <https://u.example>\r\n");
    assert_int_equal(dkim_sign(dkim, one, head, SLICE_LITERAL(RFC_BODY), 12, &out, NULL), RC_OK);
    static const char expected[] =
        "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.net;\r\n"
        " s=pr1; t=12; bh=" RFC_BODY_HASH "; h=From: From:\r\n"
        " To: Subject: Subject: Date: Message-ID: List-Unsubscribe; b=\r\n ";
    assert_memory_equal(out.ptr, expected, strlen(expected));
    buf_clear(&out);
    assert_int_equal(dkim_sign(dkim, one, head, SLICE_LITERAL(""), -1, &out, NULL), RC_OK);
    assert_null(strstr(buf_text(&out), "t=1"));
    /* the hash of an empty relaxed body, RFC 6376 3.4.4 */
    assert_non_null(strstr(buf_text(&out), "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;"));
    buf_release(&out);
    dkim_state_free(one);
    dkim_free(dkim);
}

static void dkim_sign__too_many_fields__reports_range_and_leaves_out_alone(void **state)
{
    (void)state;
    struct dkim *dkim = make_dkim(RFC_KEY);
    struct dkim_state *one = NULL;
    struct buf out = BUF_EMPTY;
    struct buf head = BUF_EMPTY;
    assert_int_equal(dkim_state_open(dkim, &one, NULL), RC_OK);
    for (int i = 0; i < DKIM_FIELDS_MAX; i++) {
        buf_add_text(&head, "X: y\r\n");
    }
    buf_add_text(&out, "before");
    assert_int_equal(dkim_sign(dkim, one, buf_slice(&head), SLICE_LITERAL("x"), 0, &out, NULL),
                     RC_OK);
    out.len = 6;
    buf_add_text(&head, "X: y\r\n");
    assert_int_equal(dkim_sign(dkim, one, buf_slice(&head), SLICE_LITERAL("x"), 0, &out, NULL),
                     RC_RANGE);
    assert_string_equal(buf_text(&out), "before");
    buf_release(&out);
    buf_release(&head);
    dkim_state_free(one);
    dkim_free(dkim);
}

/* --- keys --- */

static void assert_refused(struct slice pem, const char *domain, enum rc rc, const char *text)
{
    struct dkim_options options = {domain, "pr1", pem, "dkim.pem"};
    struct dkim *dkim = NULL;
    struct err err = {""};
    assert_int_equal(dkim_open(&options, &dkim, &err), rc);
    assert_null(dkim);
    if (strstr(err.text, text) == NULL) {
        print_message("%s\n", err.text);
    }
    assert_non_null(strstr(err.text, text));
}

static void assert_key_refused(const char *kind, unsigned bits, const char *text)
{
    char *pem = make_key(kind, bits);
    assert_refused(slice_of(pem), "example.net", RC_PERM, text);
    free(pem);
}

static void dkim_open__wrong_keys__are_refused_with_a_mend(void **state)
{
    (void)state;
    assert_key_refused("RSA", 1024, "dkim.pem: an RSA key of 1024 bits; 2048 to 8192 are taken");
    assert_key_refused("RSA", 2040, "an RSA key of 2040 bits");
    assert_key_refused("EC", 0, "dkim.pem: a key of type EC; DKIM takes RSA");
    assert_key_refused("X25519", 0, "a key of type X25519");
    assert_refused(SLICE_LITERAL(""), "example.net", RC_PERM, "dkim.pem: no private key in PEM");
    assert_refused(SLICE_LITERAL("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
                   "example.net", RC_PERM, "no private key in PEM");
    static char large[DKIM_KEY_BYTES_MAX + 1];
    assert_refused((struct slice){large, sizeof large}, "example.net", RC_RANGE, "at most 65536");
}

static void dkim_open__key_with_passphrase__is_refused_without_asking(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    char passphrase[] = "secret";
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), passphrase,
                                                   (int)strlen(passphrase), NULL, NULL),
                     1);
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);
    assert_refused((struct slice){bytes, (size_t)len}, "example.net", RC_PERM,
                   "dkim.pem: the key has a passphrase");
    BIO_free(bio);
    EVP_PKEY_free(key);
}

static void dkim_open__bad_domain__is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    ".net", "example.net.", "a..b",
                                      "a b", "a;b",  "b\xC3\xBC.de", "a_b.net"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_refused(SLICE_LITERAL(RFC_KEY), bad[i], RC_PERM, "dkim.domain: not a name");
    }
}

static void dkim_key_mode__others_may_read__is_not_safe(void **state)
{
    (void)state;
    assert_true(dkim_key_mode_is_safe(0100600) && dkim_key_mode_is_safe(0100400));
    assert_false(dkim_key_mode_is_safe(0100640) || dkim_key_mode_is_safe(0100604) ||
                 dkim_key_mode_is_safe(0100620));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dkim_relaxed_header__edges__are_as_the_rfc_says),
        cmocka_unit_test(dkim_relaxed_body__edges__are_as_the_rfc_says),
        cmocka_unit_test(dkim_sign_hash__message_of_rfc_8463__is_its_signature),
        cmocka_unit_test(dkim_sign__message__is_this_header),
        cmocka_unit_test(dkim_sign__too_many_fields__reports_range_and_leaves_out_alone),
        cmocka_unit_test(dkim_open__wrong_keys__are_refused_with_a_mend),
        cmocka_unit_test(dkim_open__key_with_passphrase__is_refused_without_asking),
        cmocka_unit_test(dkim_open__bad_domain__is_refused),
        cmocka_unit_test(dkim_key_mode__others_may_read__is_not_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
