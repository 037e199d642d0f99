/*
 * mime-speed - how many messages a second are made: unsigned, Ed25519, RSA-2048
 *
 *     mime-speed [THREADS [SECONDS]]
 *
 * 2 KB of text with five values in it, as a campaign has them, and once with html beside it. Each
 * line: what, threads, messages a second, processor seconds for 10,000, bytes of one message.
 */
#include "channel/mime.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COLUMNS = 4, THREADS_MAX = 64, TEXT_BYTES = 2048, BATCH = 64, DATE_S = 1709330400 };

static const char *const columns[COLUMNS] = {"key", "first_name", "city", "points"};

struct job {
    pthread_t thread;
    const struct mime *mime;
    double seconds;
    unsigned long made;
    size_t bytes;
};

static double now(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void die(const struct err *err)
{
    fprintf(stderr, "mime-speed: %s\n", err->text);
    exit(70);
}

static void *run(void *context)
{
    struct job *job = context;
    struct err err = {""};
    struct mime_state *state = NULL;
    if (mime_state_open(job->mime, &state, &err) != RC_OK) {
        die(&err);
    }
    double end = now(CLOCK_MONOTONIC) + job->seconds;
    while (now(CLOCK_MONOTONIC) < end) {
        for (int i = 0; i < BATCH; i++) {
            char key[32];
            char address[64];
            struct mime_message message;
            int key_len = snprintf(key, sizeof key, "k-%lu", job->made);
            int address_len = snprintf(address, sizeof address, "ann.%lu@example.org", job->made);
            struct slice fields[COLUMNS] = {{key, (size_t)key_len},
                                            SLICE_LITERAL("Zo\xC3\xAB"),
                                            SLICE_LITERAL("M\xC3\xBCnchen"),
                                            SLICE_LITERAL("1234")};
            struct mime_recipient recipient = {.number = job->made + 1,
                                               .key = fields[0],
                                               .address = {address, (size_t)address_len},
                                               .date_s = DATE_S};
            if (mime_render(job->mime, state, fields, &recipient, &message, &err) != RC_OK) {
                die(&err);
            }
            job->bytes = message.bytes.len;
            job->made++;
        }
    }
    mime_state_free(state);
    return NULL;
}

static void measure(const char *what, const struct mime_options *options, long threads,
                    double seconds)
{
    struct mime *mime = NULL;
    struct err err = {""};
    struct job jobs[THREADS_MAX];
    if (mime_open(options, columns, COLUMNS, &mime, &err) != RC_OK) {
        die(&err);
    }
    double start = now(CLOCK_MONOTONIC);
    double used = now(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; i < threads; i++) {
        jobs[i] = (struct job){.mime = mime, .seconds = seconds};
        if (pthread_create(&jobs[i].thread, NULL, run, &jobs[i]) != 0) {
            die(&(struct err){"no thread"});
        }
    }
    double made = 0;
    for (long i = 0; i < threads; i++) {
        pthread_join(jobs[i].thread, NULL);
        made += (double)jobs[i].made;
    }
    printf("%-24s threads=%ld messages/s=%.0f cpu_s/10000=%.3f bytes=%zu\n", what, threads,
           made / (now(CLOCK_MONOTONIC) - start),
           (now(CLOCK_PROCESS_CPUTIME_ID) - used) / made * 10000, jobs[0].bytes);
    fflush(stdout);
    mime_free(mime);
}

static struct dkim *signer(const char *kind)
{
    EVP_PKEY *key = strcmp(kind, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, kind, (size_t)2048)
                                             : EVP_PKEY_Q_keygen(NULL, NULL, kind);
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    long len = BIO_get_mem_data(bio, &bytes);
    struct dkim_options options = {"example.net", "pr1", {bytes, (size_t)len}, "dkim.pem"};
    struct dkim *dkim = NULL;
    struct err err = {""};
    if (dkim_open(&options, &dkim, &err) != RC_OK) {
        die(&err);
    }
    BIO_free(bio);
    EVP_PKEY_free(key);
    return dkim;
}

static void fill(struct buf *out, const char *line, const char *end)
{
    buf_add_text(out, "<p>Dear {{first_name}} of {{city}},</p>\n");
    while (out->len < TEXT_BYTES - 200) {
        buf_add_text(out, line);
    }
    buf_add_text(out, "You have {{points}} points, {{first_name}}: {{unsubscribe}}\n");
    buf_add_text(out, end);
}

int main(int argc, char **argv)
{
    long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
    if (threads < 1 || threads > THREADS_MAX || seconds <= 0) {
        fprintf(stderr, "usage: mime-speed [THREADS [SECONDS]]\n");
        return 64;
    }
    struct buf text = BUF_EMPTY;
    struct buf html = BUF_EMPTY;
    fill(&text, "Spring is coming, and with it a hundred new things in our shop.\n", "");
    fill(&html, "  <tr><td class=\"a\">Spring is coming, and with it new things.</td></tr>\n",
         "</table>\n");
    struct mime_options options = {
        .subject = {SLICE_LITERAL("{{first_name}}, spring is here \xF0\x9F\x8C\xB7"), "d.conf", 1},
        .text = {buf_slice(&text), "mail.txt", 1},
        .from = {SLICE_LITERAL("Shop <shop@example.net>"), "d.conf", 1},
        .unsubscribe_url = "https://example.net/u",
        .unsubscribe_secret = SLICE_LITERAL("0123456789abcdef0123456789abcdef"),
        .delivery = "spring-email",
        .campaign = "spring-2027"};
    struct dkim *ed25519 = signer("ED25519");
    struct dkim *rsa = signer("RSA");
    measure("text", &options, threads, seconds);
    options.dkim = ed25519;
    measure("text, ed25519", &options, threads, seconds);
    options.dkim = rsa;
    measure("text, rsa2048", &options, threads, seconds);
    options.html = (struct mime_text){buf_slice(&html), "mail.html", 1};
    measure("text+html, rsa2048", &options, threads, seconds);
    options.dkim = NULL;
    measure("text+html", &options, threads, seconds);
    dkim_free(ed25519);
    dkim_free(rsa);
    buf_release(&text);
    buf_release(&html);
    return 0;
}
