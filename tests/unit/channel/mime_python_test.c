/*
 * mime against Python's email package and dkimpy: whatever a recipient's row holds, somebody else's
 * reader finds the headers and parts that were meant, and the signature holds
 *
 * The rows are made of the pieces that have broken mailers; reader.py works out again what each
 * message must be. The interpreter is Debian's, because python3-dkim belongs to it.
 */
#include "message_support.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READER_HAS_NO_DKIMPY = 77 };
enum { ROWS = 400, NAME_BYTES = 600, NOTE_BYTES = 16384, LONG_BYTES = 10240 };

#define PYTHON "/usr/bin/python3"

static const char *const pieces[] = {
    "a",
    "Zo\xC3\xAB",
    " ",
    "  ",
    "\t",
    "\r\n",
    "\n",
    "\r",
    "\x01",
    "\x7F",
    "\r\nBcc: eve@example.com\r\n",
    "\r\n\r\n<script>",
    "\n.\n",
    "\r\n.\r\n",
    "\n..x",
    "\nFrom me",
    "<>",
    "<eve@example.com>",
    "eve@example.com, ",
    "\"",
    "\\",
    "(",
    ")",
    ":",
    ";",
    ",",
    "=",
    "?=",
    "=?utf-8?q?x?=",
    "--",
    "\n--=_a",
    "--=_m",
    "=_",
    ".",
    "&amp;",
    "{{name}}",
    "{{{note}}}",
    "%0d%0a",
    "\xE7\x98\x8D\xE7\x98\x8A", /* U+760D U+760A */
    "\xED\xA0\x80",
    "\xFF",
    "\xC3",
    "\xF0\x9F",
    "\xC0\x8A", /* no UTF-8: a surrogate, cut, overlong */
    "\xC2\x85",
    "\xE2\x80\xA8",
    "\xE2\x80\xA9",                                 /* line ends for some */
    "\xE2\x80\xAE\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D", /* right to left */
    "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7", /* family, ZWJ */
    "\xF0\x9F\x8E\x89",
    "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E",
    "e\xCC\x81",
    "a-word-that-is-longer-than-any-line-of-a-header-may-be-and-so-has-to-be-cut-somehow-into-two",
    "and quite some words of plain text that go on until a line is full, and then further on"};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void make_value(uint32_t *seed, size_t room, struct buf *out)
{
    buf_clear(out);
    buf_add_text(out, "");
    for (size_t count = next_random(seed) % 12; count > 0; count--) {
        const char *piece = pieces[next_random(seed) % COUNT(pieces)];
        if (out->len + strlen(piece) > room) {
            break;
        }
        if (next_random(seed) % 16 == 0) {
            buf_add_byte(out, '\0');
        }
        buf_add_text(out, piece);
    }
}

static void write_file(const char *folder, const char *name, struct slice bytes)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

/* p= of the public key's record: raw for Ed25519, SubjectPublicKeyInfo for RSA */
static void add_record(struct buf *out, const char *pem, bool is_rsa)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    unsigned char raw[1024];
    size_t len = sizeof raw;
    if (is_rsa) {
        unsigned char *at = raw;
        len = (size_t)i2d_PUBKEY(key, &at);
    } else {
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
    }
    unsigned char text[2048];
    assert_true(EVP_EncodeBlock(text, raw, (int)len) > 0);
    buf_add_format(out, "\"%s\": \"v=DKIM1; k=%s; p=%s\"", is_rsa ? "rsa" : "ed25519",
                   is_rsa ? "rsa" : "ed25519", (const char *)text);
    EVP_PKEY_free(key);
    BIO_free(bio);
}

/* Its own path as argv[0]: from that Python finds its library, and so dkimpy */
static int run_reader(const char *folder)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(PYTHON, PYTHON, "tests/unit/channel/reader.py", folder, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Two signed plans and an unsigned one over the same content */
struct plans {
    struct bench bench[3];
    struct dkim *dkim[3];
    char *pem[3];
};

static const char *const key_names[3] = {"", "ed25519", "rsa"};

static void open_plans(struct plans *plans, const char *folder)
{
    static unsigned char all_bytes[256];
    for (size_t i = 0; i < sizeof all_bytes; i++) {
        all_bytes[i] = (unsigned char)i;
    }
    struct mime_file images[] = {{"dot.gif", {"GIF89a", 6}}};
    struct mime_file files[] = {{"terms \xC3\xA9.pdf", {(char *)all_bytes, sizeof all_bytes}}};
    struct mime_options options = test_options();
    options.subject = TEST_TEXT("Hello {{name}}!", "d.conf");
    options.from = TEST_TEXT("{{name}} of Shop <shop@example.net>", "d.conf");
    options.reply_to = TEST_TEXT("help@example.net", "d.conf");
    options.domain = "example.net";
    options.text = TEST_TEXT("Dear {{name}},\n{{note}}", "mail.txt");
    options.html = TEST_TEXT("<p>{{name}}</p>\n{{note}}<img src='cid:dot.gif'>\n", "mail.html");
    options.images = images;
    options.image_count = 1;
    options.attachments = files;
    options.attachment_count = 1;
    options.unsubscribe_url = "https://example.net/u";
    options.unsubscribe_mailto = "no@example.net";
    options.unsubscribe_secret = TEST_SECRET;
    *plans = (struct plans){.pem = {NULL, make_key("ED25519", 0), make_key("RSA", 2048)}};
    struct buf keys = BUF_EMPTY;
    buf_add_byte(&keys, '{');
    for (size_t i = 0; i < 3; i++) {
        if (plans->pem[i] != NULL) {
            plans->dkim[i] = make_dkim(plans->pem[i]);
            add_record(&keys, plans->pem[i], i == 2);
            buf_add_byte(&keys, i == 2 ? '}' : ',');
        }
        options.dkim = plans->dkim[i];
        plans->bench[i] = bench_open(&options);
    }
    write_file(folder, "keys", buf_slice(&keys));
    buf_release(&keys);
}

static void close_plans(struct plans *plans)
{
    for (size_t i = 0; i < 3; i++) {
        bench_close(&plans->bench[i]);
        dkim_free(plans->dkim[i]);
        free(plans->pem[i]);
    }
}

static void put_case(const char *folder, struct plans *plans, size_t row, struct slice name,
                     struct slice note, struct buf *cases)
{
    size_t which = row % 3;
    char file[32];
    (void)snprintf(file, sizeof file, "%zu.eml", row);
    struct slice fields[3] = {SLICE_LITERAL("k-1"), name, note};
    struct err err = {""};
    enum rc rc = bench_try(&plans->bench[which], fields, "ann@example.org", 0, &err);
    if (rc != RC_OK) {
        print_message("row %zu: %s\n", row, err.text);
    }
    assert_int_equal(rc, RC_OK);
    write_file(folder, file, plans->bench[which].message.bytes);
    buf_add_format(cases, "{\"file\": \"%s\", \"key\": \"%s\", \"name\": ", file, key_names[which]);
    buf_add_json(cases, name);
    buf_add_text(cases, ", \"note\": ");
    buf_add_json(cases, note);
    buf_add_text(cases, "}\n");
}

/* The first rows are chosen, the others random */
static void make_row(uint32_t *seed, size_t row, struct buf *name, struct buf *note)
{
    make_value(seed, NAME_BYTES, name);
    make_value(seed, NOTE_BYTES, note);
    if (row < COUNT(pieces)) {
        buf_clear(name);
        buf_add_text(name, pieces[row]);
    } else if (row < COUNT(pieces) + 6) {
        bool is_wide = row % 2 == 0;
        for (size_t i = 0; i < LONG_BYTES; i += is_wide ? 4 : 1) {
            buf_add_text(note, is_wide ? "\xF0\x9F\x8E\x89" : "x");
        }
    }
}

static void remove_files(const char *folder)
{
    char path[160];
    for (size_t row = 0; row < ROWS; row++) {
        (void)snprintf(path, sizeof path, "%s/%zu.eml", folder, row);
        assert_int_equal(unlink(path), 0);
    }
    (void)snprintf(path, sizeof path, "%s/cases", folder);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/keys", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void mime_render__hostile_rows__python_reads_what_was_meant(void **state)
{
    (void)state;
    if (access(PYTHON, X_OK) != 0 || access("tests/unit/channel/reader.py", R_OK) != 0) {
        print_message("SKIPPED: no " PYTHON ", or not run from the top folder\n");
        skip();
    }
    const char *top = getenv("TMPDIR");
    char folder[96];
    (void)snprintf(folder, sizeof folder, "%.60s/postroom-mime-XXXXXX", top == NULL ? "/tmp" : top);
    assert_non_null(mkdtemp(folder));
    struct plans plans;
    open_plans(&plans, folder);
    struct buf cases = BUF_EMPTY;
    struct buf name = BUF_EMPTY;
    struct buf note = BUF_EMPTY;
    uint32_t seed = 20270301;
    for (size_t row = 0; row < ROWS; row++) {
        make_row(&seed, row, &name, &note);
        put_case(folder, &plans, row, buf_slice(&name), buf_slice(&note), &cases);
    }
    write_file(folder, "cases", buf_slice(&cases));
    int result = run_reader(folder);
    buf_release(&cases);
    buf_release(&name);
    buf_release(&note);
    close_plans(&plans);
    if (result != 0 && result != READER_HAS_NO_DKIMPY) {
        fail_msg("reader.py %s ends with %d", folder, result);
    }
    remove_files(folder);
    if (result == READER_HAS_NO_DKIMPY) {
        print_message("SKIPPED: signatures: no python3-dkim and python3-nacl\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mime_render__hostile_rows__python_reads_what_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
