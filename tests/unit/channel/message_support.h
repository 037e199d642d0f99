/*
 * message_support - what the tests of messages share: options to start from, and one message
 */
#ifndef POSTROOM_TESTS_CHANNEL_MESSAGE_SUPPORT_H
#define POSTROOM_TESTS_CHANNEL_MESSAGE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "channel/mime.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { TEST_DATE_S = 1709330400 /* Fri, 01 Mar 2024 22:00:00 +0000 */ };

static const char *const test_columns[] = {"key", "name", "note"};

#define TEST_TEXT(text, file) ((struct mime_text){SLICE_LITERAL(text), file, 1})
#define TEST_SECRET SLICE_LITERAL("0123456789abcdef0123456789abcdef")

static inline struct mime_options test_options(void)
{
    return (struct mime_options){.subject = TEST_TEXT("Hello {{name}}", "delivery.conf"),
                                 .text = TEST_TEXT("Dear {{name}},\n{{note}}\n", "mail.txt"),
                                 .from = TEST_TEXT("Shop <shop@example.net>", "delivery.conf"),
                                 .delivery = "spring-email",
                                 .revision = 1,
                                 .campaign = "spring-2027"};
}

struct bench {
    struct mime *mime;
    struct mime_state *state;
    struct mime_message message;
};

static inline struct bench bench_open(const struct mime_options *options)
{
    struct bench bench = {NULL, NULL, {{NULL, 0}, {NULL, 0}, {NULL, 0}, false, false}};
    struct err err = {""};
    enum rc rc = mime_open(options, test_columns, COUNT(test_columns), &bench.mime, &err);
    if (rc != RC_OK) {
        print_message("%s: %s\n", rc_name(rc), err.text);
    }
    assert_int_equal(rc, RC_OK);
    assert_int_equal(mime_state_open(bench.mime, &bench.state, &err), RC_OK);
    return bench;
}

static inline void bench_close(struct bench *bench)
{
    mime_state_free(bench->state);
    mime_free(bench->mime);
}

static inline enum rc bench_try(struct bench *bench, const struct slice fields[3],
                                const char *address, uint32_t proof, struct err *err)
{
    struct mime_recipient recipient = {.number = 7,
                                       .key = fields[0],
                                       .address = slice_of(address),
                                       .proof = proof,
                                       .date_s = TEST_DATE_S};
    return mime_render(bench->mime, bench->state, fields, &recipient, &bench->message, err);
}

/* The message of one recipient as text; it stays in the state */
static inline const char *bench_message(struct bench *bench, const char *name, const char *note)
{
    struct slice fields[3] = {SLICE_LITERAL("k-1"), slice_of(name), slice_of(note)};
    struct err err = {""};
    enum rc rc = bench_try(bench, fields, "ann@example.org", 0, &err);
    if (rc != RC_OK) {
        print_message("%s: %s\n", rc_name(rc), err.text);
    }
    assert_int_equal(rc, RC_OK);
    assert_int_equal(strlen(bench->message.bytes.ptr), bench->message.bytes.len);
    return bench->message.bytes.ptr;
}

/* A fresh private key as PEM: "RSA" with its bits, or a curve's name; the caller frees it */
static inline char *make_key(const char *kind, unsigned bits)
{
    EVP_PKEY *key = bits > 0                  ? EVP_PKEY_Q_keygen(NULL, NULL, kind, (size_t)bits)
                    : strcmp(kind, "EC") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, kind, "P-256")
                                              : EVP_PKEY_Q_keygen(NULL, NULL, kind);
    assert_non_null(key);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)len);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return text;
}

static inline struct dkim *make_dkim(const char *pem)
{
    struct dkim_options options = {.domain = "example.net",
                                   .selector = "pr1",
                                   .key_pem = slice_of(pem),
                                   .key_file = "dkim.pem"};
    struct dkim *dkim = NULL;
    struct err err = {""};
    assert_int_equal(dkim_open(&options, &dkim, &err), RC_OK);
    return dkim;
}

#endif
