/*
 * CSV files as a stream: the vectors of csv-spectrum, headers, both line ends, packed files, limits
 * at the limit and one past it, files that break halfway.
 */
#include "support.h"

#include <dirent.h>
#include <jansson.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include "audience/csv_cursor.h"

static struct csv_cursor *open_text(const void *text, size_t len)
{
    struct csv_cursor *cursor = NULL;
    struct err err = {""};
    int fd = file_of(text, len);
    if (csv_cursor_open(fd, "r.csv", ',', &cursor, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    /* the descriptor stays open until the program ends: it is borrowed for the cursor's life */
    return cursor;
}

static void expect_row(struct csv_cursor *cursor, uint64_t line, size_t count,
                       const char *const *fields)
{
    struct csv_record record;
    struct err err = {""};
    enum rc rc = csv_cursor_next(cursor, &record, &err);
    if (rc != RC_OK) {
        fail_msg("%s %s", rc_name(rc), err.text);
    }
    assert_int_equal(record.line, line);
    assert_int_equal(record.fault, CSV_SOUND);
    assert_int_equal(record.count, count);
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal_text(record.fields[i], fields[i])) {
            fail_msg("line %d field %zu: \"%.*s\", not \"%s\"", (int)line, i,
                     (int)record.fields[i].len, record.fields[i].ptr, fields[i]);
        }
    }
}

#define ROW(cursor, line, ...)                                                                     \
    expect_row(cursor, line, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),               \
               (const char *[]){__VA_ARGS__})

static void expect_end(struct csv_cursor *cursor)
{
    struct csv_record record;
    assert_int_equal(csv_cursor_next(cursor, &record, NULL), RC_GONE);
    assert_int_equal(csv_cursor_next(cursor, &record, NULL), RC_GONE);
    csv_cursor_free(cursor);
}

static void expect_fault(struct csv_cursor *cursor, uint64_t line, enum csv_fault fault)
{
    struct csv_record record;
    assert_int_equal(csv_cursor_next(cursor, &record, NULL), RC_OK);
    assert_int_equal(record.line, line);
    assert_int_equal(record.fault, fault);
    assert_true(strlen(csv_fault_text(fault)) > 5);
}

static void expect_error(struct csv_cursor *cursor, const char *part)
{
    struct csv_record record;
    struct err err = {""};
    assert_int_equal(csv_cursor_next(cursor, &record, &err), RC_PERM);
    assert_contains(err.text, part);
    csv_cursor_free(cursor);
}

static void refuse_header(const void *text, size_t len, const char *part)
{
    struct csv_cursor *cursor = NULL;
    struct err err = {""};
    int fd = file_of(text, len);
    assert_int_equal(csv_cursor_open(fd, "r.csv", ',', &cursor, &err), RC_PERM);
    assert_null(cursor);
    assert_contains(err.text, part);
    close(fd);
}

static const char *vectors(void)
{
    const char *vectors = getenv("POSTROOM_VECTORS");
    return vectors == NULL ? "../shared/vectors" : vectors;
}

/* The vectors named _crlf were stored with LF here; their JSON still speaks of CRLF. */
static int open_vector(const char *path)
{
    char bytes[4096];
    struct buf text = BUF_EMPTY;
    int fd = open(path, O_RDONLY);
    ssize_t len = read(fd, bytes, sizeof bytes);
    assert_true(len > 0 && (size_t)len < sizeof bytes);
    close(fd);
    bool is_mended = strstr(path, "_crlf.") != NULL && memchr(bytes, '\r', (size_t)len) == NULL;
    for (ssize_t i = 0; i < len; i++) {
        buf_add_text(&text, is_mended && bytes[i] == '\n' ? "\r" : "");
        buf_add_byte(&text, bytes[i]);
    }
    fd = file_of(text.ptr, text.len);
    buf_release(&text);
    return fd;
}

static void check_vector(const char *csv_path, const char *json_path)
{
    json_t *rows = json_load_file(json_path, 0, NULL);
    assert_non_null(rows);
    if (json_is_object(rows)) { /* location_coordinates.json is its one row */
        json_t *row = rows;
        rows = json_array();
        json_array_append_new(rows, row);
    }
    int fd = open_vector(csv_path);
    struct csv_cursor *cursor = NULL;
    struct csv_record record;
    size_t columns = 0;
    struct err err = {""};
    assert_int_equal(csv_cursor_open(fd, csv_path, ',', &cursor, &err), RC_OK);
    const char *const *names = csv_cursor_names(cursor, &columns);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (csv_cursor_next(cursor, &record, &err) != RC_OK || record.fault != CSV_SOUND) {
            fail_msg("%s row %zu: %s", csv_path, i, err.text);
        }
        assert_int_equal(json_object_size(row), columns);
        for (size_t column = 0; column < columns; column++) {
            const char *want = json_string_value(json_object_get(row, names[column]));
            assert_non_null(want);
            /* this one vector's telephone number is not the one in its CSV */
            if (strcmp(names[column], "Contact Phone Number") == 0) {
                want = "2095257564";
            }
            if (!slice_equal_text(record.fields[column], want)) {
                fail_msg("%s row %zu: %s", csv_path, i, names[column]);
            }
        }
    }
    assert_int_equal(csv_cursor_next(cursor, &record, NULL), RC_GONE);
    csv_cursor_free(cursor);
    close(fd);
    json_decref(rows);
}

static void csv__vectors_of_csv_spectrum__are_read_as_their_json(void **state)
{
    (void)state;
    char path[512];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/csv-spectrum/csvs", vectors());
    DIR *dir = opendir(path);
    if (dir == NULL) {
        puts("SKIPPED: the vectors of csv-spectrum are not here");
        skip();
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        size_t len = strlen(entry->d_name);
        if (len > 4 && strcmp(entry->d_name + len - 4, ".csv") == 0) {
            char json[512];
            snprintf(path, sizeof path, "%s/csv-spectrum/csvs/%s", vectors(), entry->d_name);
            snprintf(json, sizeof json, "%s/csv-spectrum/json/%.*s.json", vectors(), (int)len - 4,
                     entry->d_name);
            check_vector(path, json);
            count++;
        }
    }
    closedir(dir);
    assert_int_equal(count, 12);
}

static void csv_cursor__both_line_ends_and_quotes__keep_lines(void **state)
{
    (void)state;
    const char text[] = "\xef\xbb\xbf"
                        "a,b\r\n1,\"x\r\ny\"\n\n\r\n2,\"\"\"\"\r\n3,a\"b\"c\n\"4\",\"\"";
    struct csv_cursor *cursor = open_text(text, sizeof text - 1);
    assert_int_equal(csv_cursor_column(cursor, "a"), 0);
    assert_int_equal(csv_cursor_column(cursor, "c"), CSV_NO_COLUMN);
    ROW(cursor, 2, "1", "x\r\ny");
    ROW(cursor, 6, "2", "\"");
    ROW(cursor, 7, "3", "a\"b\"c");
    ROW(cursor, 8, "4", "");
    expect_end(cursor);
}

static void csv_cursor__one_column__an_empty_line_is_a_row(void **state)
{
    (void)state;
    struct csv_cursor *cursor = open_text("a\n1\n\n2\n", 7);
    ROW(cursor, 2, "1");
    ROW(cursor, 3, "");
    ROW(cursor, 4, "2");
    expect_end(cursor);
}

static void csv_cursor__malformed_rows__are_told_one_by_one(void **state)
{
    (void)state;
    const char text[] = "a,b\n1\n1,2,3\n\"x\"y,2\n1,2\r3\n1,\xff\n1,\0\n1,2\n";
    struct csv_cursor *cursor = open_text(text, sizeof text - 1);
    expect_fault(cursor, 2, CSV_FIELD_COUNT);
    expect_fault(cursor, 3, CSV_FIELD_COUNT);
    expect_fault(cursor, 4, CSV_TEXT_AFTER_QUOTE);
    expect_fault(cursor, 5, CSV_STRAY_CR);
    expect_fault(cursor, 6, CSV_NOT_UTF8);
    expect_fault(cursor, 7, CSV_NUL_BYTE);
    ROW(cursor, 8, "1", "2");
    expect_end(cursor);
}

static void csv_cursor_open__bad_headers__are_refused_with_line_and_mend(void **state)
{
    (void)state;
    refuse_header("", 0, "r.csv:1: the file is empty");
    refuse_header("a,b,a\n", 6, "r.csv:1: the column name \"a\" stands twice");
    refuse_header("a,,b\n1,2,3\n", 11, "r.csv:1: column 2 has no name");
    refuse_header("\n1\n", 3, "r.csv:1: column 1 has no name");
    refuse_header("a,\xff\n", 5, "r.csv:1: not UTF-8");
    refuse_header("a,b\0c\n", 6, "r.csv:1: a NUL byte");
    refuse_header("a,b\r1,2\r", 8, "r.csv:1: a CR stands without its LF");
    refuse_header("a,\"b\n1,2\n", 9, "r.csv:1: a quote that opens on this line is never closed");
    refuse_header("\xff\xfe\x61\0,\0", 6, "r.csv:1: the file is UTF-16");
}

static void csv_cursor_want__unknown_column__names_the_nearest(void **state)
{
    (void)state;
    struct csv_cursor *cursor = open_text("recipient_id,city\n", 18);
    struct err err = {""};
    size_t column = 9;
    assert_int_equal(csv_cursor_want(cursor, "city", &column, &err), RC_OK);
    assert_int_equal(column, 1);
    assert_int_equal(csv_cursor_want(cursor, "recipientid", &column, &err), RC_PERM);
    assert_contains(err.text, "r.csv:1: no column \"recipientid\"; did you mean \"recipient_id\"?");
    assert_int_equal(csv_cursor_want(cursor, "x", &column, &err), RC_PERM);
    assert_contains(err.text, "r.csv:1: no column \"x\"; add it");
    csv_cursor_free(cursor);
}

static void csv_reader_open__delimiters_that_cannot_be__are_refused(void **state)
{
    (void)state;
    static const char WRONG[] = {'"', '\n', '\r', '\0', (char)0xe9};
    int fd = file_of_text("a\n");
    for (size_t i = 0; i < sizeof WRONG; i++) {
        struct csv_reader *reader = NULL;
        assert_int_equal(csv_reader_open(fd, NULL, "r.csv", WRONG[i], &reader, NULL), RC_PERM);
        assert_null(reader);
    }
    close(fd);
}

static void csv_cursor__quote_never_closed__names_the_line_it_opens_on(void **state)
{
    (void)state;
    const char text[] = "a,b\n1,2\n3,\"x\ny\n\nz,\n";
    struct csv_cursor *cursor = open_text(text, sizeof text - 1);
    ROW(cursor, 2, "1", "2");
    expect_error(cursor, "r.csv:3: a quote that opens on this line is never closed");
    const char later[] = "a,b\n\"1\n\",\"x\ny";
    expect_error(open_text(later, sizeof later - 1), "r.csv:3: a quote that opens");
}

/* a row "1,xxx...": a field of `len` bytes */
static void add_long_row(struct buf *text, size_t len, const char *end)
{
    buf_add_text(text, "1,");
    assert_true(buf_reserve(text, len + 64));
    memset(text->ptr + text->len, 'x', len);
    text->len += len;
    buf_add_text(text, end);
}

static void csv_cursor__field_limit__holds_at_and_past_it(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    struct csv_record record;
    buf_add_text(&text, "a,b\n1,2\n");
    add_long_row(&text, CSV_FIELD_BYTES_MAX, "\r\n");
    struct csv_cursor *cursor = open_text(text.ptr, text.len);
    ROW(cursor, 2, "1", "2");
    assert_int_equal(csv_cursor_next(cursor, &record, NULL), RC_OK);
    assert_int_equal(record.fault, CSV_SOUND);
    assert_int_equal(record.fields[1].len, CSV_FIELD_BYTES_MAX);
    expect_end(cursor);
    text.len = 8;
    add_long_row(&text, CSV_FIELD_BYTES_MAX + 1, "\n1,2\n");
    cursor = open_text(text.ptr, text.len);
    ROW(cursor, 2, "1", "2");
    expect_error(cursor, "r.csv:3: a field is longer than 1048576 bytes");
    buf_release(&text);
}

static void csv_cursor__row_limit__holds_at_and_past_it(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    struct csv_record record;
    for (int past = 0; past < 2; past++) {
        buf_clear(&text);
        buf_add_text(&text, "a,b,c,d,e,f,g,h\n");
        size_t start = text.len;
        /* eight fields, seven of them of half the field limit and a little */
        for (int i = 0; i < 7; i++) {
            size_t len = CSV_ROW_BYTES_MAX / 8;
            assert_true(buf_reserve(&text, len + 2));
            memset(text.ptr + text.len, 'y', len);
            text.len += len;
            buf_add_byte(&text, ',');
        }
        while (text.len - start < (size_t)CSV_ROW_BYTES_MAX + (size_t)past) {
            buf_add_byte(&text, 'z');
        }
        buf_add_text(&text, "\r\n1,2,3,4,5,6,7,8\r\n");
        struct csv_cursor *cursor = open_text(text.ptr, text.len);
        if (past == 1) {
            expect_error(cursor, "r.csv:2: a row is longer than 4194304 bytes");
            continue;
        }
        assert_int_equal(csv_cursor_next(cursor, &record, NULL), RC_OK);
        assert_int_equal(record.fault, CSV_SOUND);
        ROW(cursor, 3, "1", "2", "3", "4", "5", "6", "7", "8");
        expect_end(cursor);
    }
    buf_release(&text);
}

static void csv_cursor__column_limit__holds_at_and_past_it(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    for (int i = 0; i < CSV_COLUMNS_MAX; i++) {
        buf_add_format(&text, "%sc%d", i == 0 ? "" : ",", i);
    }
    buf_add_text(&text, "\n");
    size_t header = text.len;
    for (int i = 0; i < CSV_COLUMNS_MAX; i++) {
        buf_add_text(&text, ",");
    }
    buf_add_text(&text, "\n");
    expect_error(open_text(text.ptr, text.len), "r.csv:2: more than 4096 fields");
    text.len = header - 1;
    buf_add_text(&text, ",one_more\n");
    refuse_header(text.ptr, text.len, "r.csv:1: more than 4096 fields");
    buf_release(&text);
}

/* A hole of a gigabyte is NUL bytes without any line end; with a quote before it, a quoted field.
 */
static void csv_cursor__field_of_a_gigabyte__fails_soon_in_little_memory(void **state)
{
    (void)state;
    static const char *const BEGINNINGS[] = {"a,b\n1,2\n3,", "a,b\n1,2\n3,\"x\n"};
    for (int i = 0; i < 2; i++) {
        int fd = file_of_text(BEGINNINGS[i]);
        assert_int_equal(ftruncate(fd, (off_t)1 << 30), 0);
        struct csv_cursor *cursor = NULL;
        struct rusage before;
        struct rusage after;
        getrusage(RUSAGE_SELF, &before);
        assert_int_equal(csv_cursor_open(fd, "r.csv", ',', &cursor, NULL), RC_OK);
        ROW(cursor, 2, "1", "2");
        expect_error(cursor, i == 0 ? "r.csv:3: a field is longer than 1048576 bytes; shorten"
                                    : "r.csv:3: a field is longer than 1048576 bytes; look for a "
                                      "quote that is never closed");
        getrusage(RUSAGE_SELF, &after);
        assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 64 * 1024);
        close(fd);
    }
}

static struct buf many_rows(size_t count)
{
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "id,text\n");
    for (size_t i = 0; i < count; i++) {
        buf_add_format(&text, i % 7 == 0 ? "%zu,\"line\n%zu\"\r\n" : "%zu,line %zu\n", i, i);
    }
    return text;
}

static void expect_many_rows(struct csv_cursor *cursor, size_t count)
{
    uint64_t line = 2;
    for (size_t i = 0; i < count; i++) {
        char id[24];
        char text[32];
        snprintf(id, sizeof id, "%zu", i);
        snprintf(text, sizeof text, i % 7 == 0 ? "line\n%zu" : "line %zu", i);
        ROW(cursor, line, id, text);
        line += i % 7 == 0 ? 2 : 1;
    }
    expect_end(cursor);
}

enum { MANY = 60000 }; /* several blocks */

static void csv_cursor__several_blocks__lines_run_on(void **state)
{
    (void)state;
    struct buf text = many_rows(MANY);
    expect_many_rows(open_text(text.ptr, text.len), MANY);
    buf_release(&text);
}

static size_t gzip_member(const char *in, size_t len, unsigned char *out, size_t cap)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (unsigned char *)(uintptr_t)in;
    stream.avail_in = (uInt)len;
    stream.next_out = out;
    stream.avail_out = (uInt)cap;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return cap - stream.avail_out;
}

static void csv_cursor__gzip_of_several_members__is_read_whole(void **state)
{
    (void)state;
    struct buf text = many_rows(MANY);
    size_t cap = text.len + 4096;
    unsigned char *packed = malloc(cap);
    size_t cut = text.len / 3;
    size_t len = gzip_member(text.ptr, cut, packed, cap);
    len += gzip_member("", 0, packed + len, cap - len);
    len += gzip_member(text.ptr + cut, text.len - cut, packed + len, cap - len);
    memset(packed + len, 0, 512); /* padding, as tapes have it */
    expect_many_rows(open_text(packed, len + 512), MANY);

    struct csv_cursor *cursor = open_text(packed, len - 5);
    struct csv_record record;
    struct err err = {""};
    enum rc rc = RC_OK;
    while (rc == RC_OK) {
        rc = csv_cursor_next(cursor, &record, &err);
    }
    assert_int_equal(rc, RC_PERM);
    assert_contains(err.text, "the packed data is cut short");
    csv_cursor_free(cursor);

    packed[len - 5] ^= 0x55; /* the checksum */
    cursor = open_text(packed, len);
    rc = RC_OK;
    while (rc == RC_OK) {
        rc = csv_cursor_next(cursor, &record, &err);
    }
    assert_int_equal(rc, RC_PERM);
    assert_contains(err.text, "damaged gzip data");
    csv_cursor_free(cursor);

    packed[len - 5] ^= 0x55;
    memcpy(packed + len, "more", 4);
    cursor = open_text(packed, len + 4);
    rc = RC_OK;
    while (rc == RC_OK) {
        rc = csv_cursor_next(cursor, &record, &err);
    }
    assert_int_equal(rc, RC_PERM);
    assert_contains(err.text, "r.csv:");
    assert_contains(err.text, "other bytes follow the gzip data");
    csv_cursor_free(cursor);
    free(packed);
    buf_release(&text);
}

static void csv_cursor__zstd_of_several_frames__is_read_whole(void **state)
{
    (void)state;
    struct buf text = many_rows(MANY);
    size_t cap = ZSTD_compressBound(text.len) + 4096;
    char *packed = malloc(cap);
    size_t cut = text.len / 2;
    size_t len = ZSTD_compress(packed, cap, text.ptr, cut, 3);
    len += ZSTD_compress(packed + len, cap - len, text.ptr + cut, text.len - cut, 1);
    expect_many_rows(open_text(packed, len), MANY);

    struct csv_cursor *cursor = open_text(packed, len - 1);
    struct csv_record record;
    struct err err = {""};
    enum rc rc = RC_OK;
    while (rc == RC_OK) {
        rc = csv_cursor_next(cursor, &record, &err);
    }
    assert_int_equal(rc, RC_PERM);
    assert_contains(err.text, "the packed data is cut short");
    csv_cursor_free(cursor);
    memset(packed + len / 2, 0x5a, 64);
    cursor = open_text(packed, len);
    rc = RC_OK;
    while (rc == RC_OK) {
        rc = csv_cursor_next(cursor, &record, &err);
    }
    assert_int_equal(rc, RC_PERM);
    csv_cursor_free(cursor);
    free(packed);
    buf_release(&text);
}

/* 400 MB of one byte, a few hundred kB packed: lines keep the row limits out of it */
static void csv_cursor__bomb__is_refused_by_its_ratio(void **state)
{
    (void)state;
    enum { PIECE = 1 << 20, PIECES = 400 };
    char *piece = malloc(PIECE);
    memset(piece, '\n', PIECE);
    memcpy(piece, "a\n", 2);
    size_t cap = ZSTD_compressBound(PIECE);
    char *one = malloc(cap);
    size_t len = ZSTD_compress(one, cap, piece, PIECE, 19);
    struct buf packed = BUF_EMPTY;
    for (int i = 0; i < PIECES; i++) {
        buf_add(&packed, one, len);
    }
    struct csv_cursor *cursor = open_text(packed.ptr, packed.len);
    struct csv_record record;
    struct err err = {""};
    enum rc rc = RC_OK;
    while (rc == RC_OK) {
        rc = csv_cursor_next(cursor, &record, &err);
    }
    assert_int_equal(rc, RC_PERM);
    assert_contains(err.text, "unpacks to more than 400 times its size");
    csv_cursor_free(cursor);
    buf_release(&packed);
    free(one);
    free(piece);
}

static void csv_cursor__pipe__is_read_as_it_comes(void **state)
{
    (void)state;
    int ends[2];
    struct csv_cursor *cursor = NULL;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "a,b\n1,2\n", 8), 8);
    close(ends[1]);
    assert_int_equal(csv_cursor_open(ends[0], "r.csv", ',', &cursor, NULL), RC_OK);
    ROW(cursor, 2, "1", "2");
    expect_end(cursor);
    close(ends[0]);
}

static void csv_cursor_open__what_is_no_file__is_refused(void **state)
{
    (void)state;
    struct csv_cursor *cursor = NULL;
    struct err err = {""};
    int fd = open("/", O_RDONLY);
    assert_int_equal(csv_cursor_open(fd, "r.csv", ',', &cursor, &err), RC_PERM);
    assert_contains(err.text, "r.csv: a directory");
    close(fd);
    assert_int_equal(csv_cursor_open(fd, "r.csv", ',', &cursor, &err), RC_IO);
}

static void csv_put_field__what_needs_quotes__gets_them(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    csv_put_field(&out, SLICE_LITERAL("plain"), ',');
    buf_add_byte(&out, ',');
    csv_put_field(&out, SLICE_LITERAL("a,b\"c\nd"), ',');
    assert_string_equal(buf_text(&out), "plain,\"a,b\"\"c\nd\"");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv__vectors_of_csv_spectrum__are_read_as_their_json),
        cmocka_unit_test(csv_cursor__both_line_ends_and_quotes__keep_lines),
        cmocka_unit_test(csv_cursor__one_column__an_empty_line_is_a_row),
        cmocka_unit_test(csv_cursor__malformed_rows__are_told_one_by_one),
        cmocka_unit_test(csv_cursor_open__bad_headers__are_refused_with_line_and_mend),
        cmocka_unit_test(csv_cursor_want__unknown_column__names_the_nearest),
        cmocka_unit_test(csv_reader_open__delimiters_that_cannot_be__are_refused),
        cmocka_unit_test(csv_cursor__quote_never_closed__names_the_line_it_opens_on),
        cmocka_unit_test(csv_cursor__field_limit__holds_at_and_past_it),
        cmocka_unit_test(csv_cursor__row_limit__holds_at_and_past_it),
        cmocka_unit_test(csv_cursor__column_limit__holds_at_and_past_it),
        cmocka_unit_test(csv_cursor__field_of_a_gigabyte__fails_soon_in_little_memory),
        cmocka_unit_test(csv_cursor__several_blocks__lines_run_on),
        cmocka_unit_test(csv_cursor__gzip_of_several_members__is_read_whole),
        cmocka_unit_test(csv_cursor__zstd_of_several_frames__is_read_whole),
        cmocka_unit_test(csv_cursor__bomb__is_refused_by_its_ratio),
        cmocka_unit_test(csv_cursor__pipe__is_read_as_it_comes),
        cmocka_unit_test(csv_cursor_open__what_is_no_file__is_refused),
        cmocka_unit_test(csv_put_field__what_needs_quotes__gets_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
