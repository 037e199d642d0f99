/*
 * layout against Python's csv and codecs modules: somebody else's reader finds what was written
 *
 * The test writes random fields as NUL-separated UTF-8 to `fields`, the records that layout made of
 * them to `data`, and lets python3 read both. Skipped where there is no python3.
 */
#include "layout_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 2000, FIELDS = 4, FIELD_BYTES = 64 };

static const char *const names[FIELDS] = {"a", "b", "c", "d"};
static const uint32_t widths[FIELDS] = {6, 1, 12, 9};

/* Pieces that fields are made of; the second half has no code in every encoding */
static const char *const pieces[] = {"a",         "Z",         "0",
                                     " ",         ";",         "\"",
                                     "'",         "\n",        "\r\n",
                                     "\t",        ",",         "-",
                                     "mm",        "Rue",       "12345678",
                                     ".",         "\xC3\xA9",  "\xC3\xBF",
                                     "\xC3\x9F",  "\xC2\xA0",  "\xE2\x82\xAC",
                                     "\xC5\x93",  "\xC5\xA0",  "\xE2\x80\x99",
                                     "e\xCC\x81", "o\xCC\x88", "\xC5\x99",
                                     "\xC5\x9F",  "\xC4\x87",  "\xC5\x88",
                                     "\xC4\x8D",  "\xC4\x99"};

/*
 * argv: directory, python codec, mode (csv, always, never, fixed). The oracle: NFC; what has no
 * code is decomposed (NFKD) and loses its marks; the names of two signs are those of postroom's
 * manual.
 */
static const char script[] =
    "import csv, sys, unicodedata\n"
    "folder, codec, mode = sys.argv[1:4]\n"
    "raw = open(folder + '/fields', 'rb').read().decode('utf-8').split('\\0')[:-1]\n"
    "rows = [raw[i:i + 4] for i in range(0, len(raw), 4)]\n"
    "own = {'\\u20ac': 'EUR', '\\u0153': 'oe', '\\u2019': \"'\"}\n"
    "def fits(c):\n"
    "    try: c.encode(codec); return True\n"
    "    except UnicodeEncodeError: return False\n"
    "def nearest(c):\n"
    "    if fits(c): return c\n"
    "    if c in own: return own[c]\n"
    "    return ''.join(d for d in unicodedata.normalize('NFKD', c) if not "
    "unicodedata.combining(d))\n"
    "def flat(t): return t.replace('\\r\\n', ' ').replace('\\n', ' ').replace('\\r', ' "
    "').replace('\\t', ' ')\n"
    "def shown(t): return ''.join(map(nearest, unicodedata.normalize('NFC', t)))\n"
    "data = open(folder + '/data', 'rb').read().decode(codec)\n"
    "widths = [6, 1, 12, 9]\n"
    "if mode == 'fixed':\n"
    "    expect = ''.join(''.join(shown(flat(f))[:w].ljust(w) for f, w in zip(r, widths)) + "
    "'\\r\\n' for r in rows)\n"
    "    ok = data == expect and len(data) == len(rows) * (sum(widths) + 2)\n"
    "elif mode == 'never':\n"
    "    expect = ''.join(';'.join(shown(flat(f)).replace(';', ' ') for f in r) + '\\r\\n' for r "
    "in rows)\n"
    "    ok = data == expect\n"
    "else:\n"
    "    import io\n"
    "    want = [[shown(f) for f in r] for r in rows]\n"
    "    read = list(csv.reader(io.StringIO(data, newline=''), delimiter=';', strict=True))\n"
    "    quoting = csv.QUOTE_ALL if mode == 'always' else csv.QUOTE_MINIMAL\n"
    "    out = io.StringIO(newline='')\n"
    "    csv.writer(out, delimiter=';', quoting=quoting, lineterminator='\\r\\n').writerows(want)\n"
    "    ok = read == want and data == out.getvalue()\n"
    "sys.exit(0 if ok and len(rows) == 2000 else 1)\n";

static bool has_python(void)
{
    return system("python3 -c 'import csv, unicodedata' 2>/dev/null") ==
           0; /* NOLINT: a test's own text */
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 10;
}

static void make_field(uint32_t *seed, char out[FIELD_BYTES])
{
    out[0] = '\0';
    size_t count = next_random(seed) % 8;
    bool is_ascii = next_random(seed) % 2 == 0;
    for (size_t i = 0; i < count; i++) {
        size_t range = is_ascii ? COUNT(pieces) / 2 : COUNT(pieces);
        strcat(out, pieces[next_random(seed) % range]);
    }
}

static void write_file(const char *folder, const char *name, struct slice bytes)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

static int run_python(const char *folder, const char *codec, const char *mode)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execlp("python3", "python3", "-c", script, folder, codec, mode, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static struct layout_options options_of(enum encoding encoding, const char *mode,
                                        struct layout_column columns[FIELDS])
{
    bool is_fixed = strcmp(mode, "fixed") == 0;
    for (size_t i = 0; i < FIELDS; i++) {
        columns[i] = (struct layout_column){names[i], i == 2 ? "{{c}}" : NULL,
                                            is_fixed ? widths[i] : 0, false};
    }
    return (struct layout_options){.format = is_fixed ? LAYOUT_FIXED : LAYOUT_CSV,
                                   .columns = columns,
                                   .column_count = FIELDS,
                                   .quote = strcmp(mode, "always") == 0  ? LAYOUT_QUOTE_ALWAYS
                                            : strcmp(mode, "never") == 0 ? LAYOUT_QUOTE_NEVER
                                                                         : LAYOUT_QUOTE_MINIMAL,
                                   .encoding = encoding};
}

static void assert_python_agrees(const char *folder, enum encoding encoding, const char *codec,
                                 const char *mode)
{
    struct layout_column columns[FIELDS];
    struct layout_options options = options_of(encoding, mode, columns);
    struct bench bench = bench_open(&options, names, FIELDS);
    struct buf fields = BUF_EMPTY;
    struct buf data = BUF_EMPTY;
    uint32_t seed = 42;
    for (uint64_t row = 1; row <= ROWS; row++) {
        char texts[FIELDS][FIELD_BYTES];
        const char *pointers[FIELDS];
        for (size_t i = 0; i < FIELDS; i++) {
            make_field(&seed, texts[i]);
            pointers[i] = texts[i];
            buf_add(&fields, texts[i], strlen(texts[i]) + 1);
        }
        buf_add_text(&data, bench_row(&bench, pointers, FIELDS, row));
    }
    write_file(folder, "fields", buf_slice(&fields));
    write_file(folder, "data", buf_slice(&data));
    int result = run_python(folder, codec, mode);
    buf_release(&fields);
    buf_release(&data);
    bench_close(&bench);
    if (result != 0) {
        fail_msg("python3 reads %s, %s differently (exit %d)", codec, mode, result);
    }
}

static void layout__every_encoding_and_mode__python_reads_what_was_meant(void **state)
{
    (void)state;
    if (!has_python()) {
        print_message("SKIPPED: no python3\n");
        skip();
    }
    static const char *const modes[] = {"csv", "always", "never", "fixed"};
    static const struct {
        enum encoding encoding;
        const char *codec;
    } encodings[] = {{ENCODING_UTF_8, "utf-8"},
                     {ENCODING_ISO_8859_1, "iso-8859-1"},
                     {ENCODING_ISO_8859_15, "iso-8859-15"},
                     {ENCODING_WINDOWS_1252, "cp1252"}};
    const char *top = getenv("TMPDIR");
    char folder[96];
    (void)snprintf(folder, sizeof folder, "%.60s/postroom-layout-XXXXXX",
                   top == NULL ? "/tmp" : top);
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < COUNT(encodings); i++) {
        for (size_t j = 0; j < COUNT(modes); j++) {
            assert_python_agrees(folder, encodings[i].encoding, encodings[i].codec, modes[j]);
        }
    }
    static const char *const files[] = {"fields", "data"};
    for (size_t i = 0; i < COUNT(files); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout__every_encoding_and_mode__python_reads_what_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
