/*
 * Rows that are read again as they are delivered: the same as if they had been kept, whatever they
 * look like; and what happens where they cannot be read again.
 */
#include "case.h"

#include "audience/audience_inner.h"

/* id, a name of few letters, a city that may be quoted, a filler of `filler` bytes at most */
static struct buf random_rows(size_t count, size_t filler)
{
    static const char *const CITIES[] = {"Lille",    "Paris", "\"Saint-\"\"X\"\"\"",
                                         "\"A, B\"", "",      "\"two\nlines\""};
    uint64_t state = 4711;
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "id,name,city,note\r\n");
    for (size_t i = 0; i < count; i++) {
        uint64_t random = random_next(&state);
        buf_add_format(&text, "K%zu,%c%c%c%c,%s,%.*s%s", i, 'a' + (int)(random % 26),
                       'a' + (int)(random >> 8 & 15), 'a' + (int)(random >> 12 & 15),
                       'a' + (int)(random >> 16 & 3), CITIES[(random >> 20) % 6],
                       (int)((random >> 24) % (filler + 1)),
                       "......................................................................",
                       random >> 40 & 1 ? "\n" : "\r\n");
    }
    return text;
}

static const char *const NAME_CITY[] = {"name", "-city"};
static const char *const DEDUPE_NAME[] = {"name", "city"};

struct variant {
    const struct buf *rows;
    const char *seeds; /* NULL: none */
    enum audience_seed_mode seed_mode;
    size_t order_count; /* of NAME_CITY */
    size_t dedupe_count;
    uint64_t limit;
    size_t memory_bytes;
    bool is_narrow;
    bool is_kept; /* rows become items in the end */
};

/* What is delivered where rows are read again (by so many threads; 0: they are not), and whether
 * they were in the end. */
static struct buf deliver(const struct variant *variant, unsigned threads, bool *out_is_on)
{
    struct small small;
    struct audience *audience = NULL;
    small_init(&small, buf_text(variant->rows));
    if (variant->seeds != NULL) {
        small_seeds(&small, variant->seeds, variant->seed_mode);
    }
    small.options.threads = threads == 0 ? 2 : threads;
    small.options.late_from_bytes = threads == 0 ? 0 : 1;
    small.options.order = NAME_CITY;
    small.options.order_count = variant->order_count;
    small.options.dedupe = DEDUPE_NAME;
    small.options.dedupe_count = variant->dedupe_count;
    small.options.limit = variant->limit;
    small.options.random_seed = "1";
    small.options.memory_bytes = variant->memory_bytes;
    assert_int_equal(audience_open(&small.options, &audience, &small.err), RC_OK);
    if (variant->is_narrow) {
        audience_narrow(audience, is_second, NULL);
    }
    assert_int_equal(audience_run(audience, small.fds[1], &small.counts, &small.err), RC_OK);
    *out_is_on = atomic_load(&audience->late.is_on);
    struct delivered delivered = {.bytes = BUF_EMPTY};
    for (int time = 0; time < 2; time++) {
        buf_clear(&delivered.bytes);
        delivered.records = 0;
        enum rc rc = audience_each(audience, take, &delivered, &small.err);
        if (rc != RC_OK) {
            fail_msg("%s", small.err.text);
        }
        assert_int_equal(delivered.records, small.counts.records);
        buf_add_byte(&delivered.bytes, '\n');
    }
    audience_forget(audience);
    audience_free(audience);
    small_done(&small);
    return delivered.bytes;
}

static void expect_same(const struct variant *variant)
{
    bool is_on = true;
    struct buf want = deliver(variant, 0, &is_on);
    assert_false(is_on);
    for (unsigned threads = 1; threads <= 8; threads *= 2) {
        struct buf got = deliver(variant, threads, &is_on);
        assert_int_equal(is_on, !variant->is_kept);
        assert_true(slice_equal(buf_slice(&got), buf_slice(&want)));
        buf_release(&got);
    }
    buf_release(&want);
}

static void late__many_pieces__same_as_kept(void **state)
{
    (void)state;
    struct buf rows = random_rows(70000, 40);
    expect_same(&(struct variant){.rows = &rows, .order_count = 2, .dedupe_count = 2});
    expect_same(&(struct variant){.rows = &rows, .order_count = 1, .limit = 30000});
    expect_same(&(struct variant){.rows = &rows, .order_count = 2, .is_narrow = true});
    buf_release(&rows);
}

static void late__no_order__same_as_kept(void **state)
{
    (void)state;
    struct buf rows = random_rows(40000, 40);
    expect_same(&(struct variant){.rows = &rows, .dedupe_count = 1});
    expect_same(&(struct variant){.rows = &rows, .limit = 1});
    buf_release(&rows);
    rows = random_rows(0, 0);
    expect_same(&(struct variant){.rows = &rows});
    expect_same(&(struct variant){.rows = &rows, .order_count = 2});
    buf_release(&rows);
}

static void late__seeds__stand_where_they_would(void **state)
{
    (void)state;
    static const char SEEDS[] = "name,id,city\n,S1,\nmmmm,S2,Lille\nzzzzz,S3,Paris\naaaa,S4,\n"
                                "mmmm,S5,Lille\ncabb,S6,\"Saint-\"\"X\"\"\"\n";
    struct buf rows = random_rows(30000, 10);
    struct buf none = random_rows(0, 0);
    for (int mode = SEEDS_SORTED; mode <= SEEDS_RANDOM; mode++) {
        struct variant variant = {
            .rows = &rows, .seeds = SEEDS, .seed_mode = (enum audience_seed_mode)mode};
        expect_same(&variant);
        variant.order_count = 2;
        expect_same(&variant);
        variant.rows = &none;
        expect_same(&variant);
    }
    buf_release(&rows);
    buf_release(&none);
}

static void late__piece_beyond_its_memory__goes_to_disk(void **state)
{
    (void)state;
    enum { MEMORY = 42 << 20 };
    struct buf rows = BUF_EMPTY;
    buf_add_text(&rows, "id,name,city,note\n");
    for (int i = 0; i < 40000; i++) {
        buf_add_format(&rows, "K%d,%d,Lille,%0240d\n", i, i * 7919 % 39989 + 1000000, i);
    }
    expect_same(&(struct variant){.rows = &rows, .order_count = 2, .memory_bytes = MEMORY});
    struct small small;
    small_init(&small, buf_text(&rows));
    small.options.threads = 8;
    small.options.late_from_bytes = 1;
    small.options.order = NAME_CITY;
    small.options.order_count = 2;
    small.options.memory_bytes = MEMORY;
    small.options.spill_fd = -1;
    assert_int_equal(small_run(&small), RC_RANGE);
    assert_contains(small.err.text, "no directory for temporary data; give more memory");
    small_done(&small);
    buf_release(&rows);
}

static void late__keys_that_begin_alike__are_kept(void **state)
{
    (void)state;
    struct buf rows = BUF_EMPTY;
    buf_add_text(&rows, "id,name,city\n");
    for (int i = 0; i < 20000; i++) {
        buf_add_format(&rows, "K%d,the same name%d,Lille\n", i, i * 7919 % 100);
    }
    expect_same(&(struct variant){.rows = &rows, .order_count = 2, .is_kept = true});
    buf_release(&rows);
}

/* Only behind the first block it shows. */
static void late__most_in_one_piece__are_kept(void **state)
{
    (void)state;
    struct buf rows = BUF_EMPTY;
    buf_add_text(&rows, "id,name,city\n");
    for (int i = 0; i < 20000; i++) {
        buf_add_format(&rows, "K%d,%d,Lille\n", i, i * 7919 % 1000);
    }
    for (int i = 20000; i < 130000; i++) {
        buf_add_format(&rows, "K%d,the same name%d,Lille %d\n", i, i * 7919 % 100, i % 90000);
    }
    expect_same(&(struct variant){.rows = &rows, .order_count = 2, .is_kept = true});
    expect_same(&(struct variant){
        .rows = &rows, .order_count = 1, .dedupe_count = 2, .limit = 80000, .is_kept = true});
    buf_release(&rows);
}

/* The first block promises few rows; there are more than memory has places for. */
static void late__more_rows_than_promised__are_kept(void **state)
{
    (void)state;
    struct buf rows = BUF_EMPTY;
    buf_add_text(&rows, "id,name,city\n");
    for (int i = 0; i < 300; i++) {
        buf_add_format(&rows, "K%d,%d,%01000d\n", i, i * 7919 % 1000, 0);
    }
    for (int i = 300; i < 200000; i++) {
        buf_add_format(&rows, "%d,%d,\n", i, i * 7919 % 1000);
    }
    expect_same(
        &(struct variant){.rows = &rows, .order_count = 2, .memory_bytes = 1, .is_kept = true});
    expect_same(&(struct variant){.rows = &rows, .memory_bytes = 1, .is_kept = true});
    buf_release(&rows);
}

/* --- the payload --- */

static enum rc count_payloads(void *ctx, unsigned thread, const struct audience_row *row,
                              struct buf *out, struct err *err)
{
    atomic_fetch_add((atomic_int *)ctx, 1);
    return all_fields(ctx, thread, row, out, err);
}

static void late__payload__is_made_for_who_is_delivered_alone(void **state)
{
    (void)state;
    struct buf rows = random_rows(30000, 10);
    struct small small;
    struct audience *audience = NULL;
    atomic_int made = 0;
    small_init(&small, buf_text(&rows));
    small.options.threads = 2;
    small.options.late_from_bytes = 1;
    small.options.order = NAME_CITY;
    small.options.order_count = 1;
    small.options.limit = 700;
    small.options.payload = count_payloads;
    small.options.ctx = &made;
    assert_int_equal(audience_open(&small.options, &audience, &small.err), RC_OK);
    assert_int_equal(audience_run(audience, -1, &small.counts, &small.err), RC_OK);
    assert_int_equal(atomic_load(&made), 0);
    assert_int_equal(audience_each(audience, take, &small.delivered, &small.err), RC_OK);
    assert_int_equal(atomic_load(&made), 700);
    audience_free(audience);
    small_done(&small);
    buf_release(&rows);
}

static enum rc refuse_k777(void *ctx, unsigned thread, const struct audience_row *row,
                           struct buf *out, struct err *err)
{
    (void)ctx;
    (void)thread;
    (void)out;
    return slice_equal(row->fields[0], SLICE_LITERAL("777"))
               ? err_set(err, RC_PERM, "column \"x\": no such thing")
               : RC_OK;
}

static void late__payload_that_fails__is_told_with_its_line(void **state)
{
    (void)state;
    struct buf rows = BUF_EMPTY;
    buf_add_text(&rows, "id,name,city\n");
    for (int i = 0; i < 50000; i++) {
        buf_add_format(&rows, "%d,%d,\"two\nlines\"\n", i, i * 7919 % 5000);
    }
    for (unsigned threads = 1; threads <= 8; threads *= 2) {
        struct small small;
        small_init(&small, buf_text(&rows));
        small.options.threads = threads;
        small.options.late_from_bytes = 1;
        small.options.order = NAME_CITY;
        small.options.order_count = 1;
        small.options.payload = refuse_k777;
        small_refused(&small, "r.csv:1556: column \"x\": no such thing");
    }
    buf_release(&rows);
}

static enum rc stop_later(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    (void)payload;
    (void)is_seed;
    return ++*(int *)ctx == 20000 ? err_set(err, RC_TEMP, "full") : RC_OK;
}

/* --- the file --- */

struct opened {
    struct small small;
    struct audience *audience;
};

static void open_late(struct opened *opened, const struct buf *rows, size_t order_count)
{
    small_init(&opened->small, buf_text(rows));
    opened->small.options.threads = 2;
    opened->small.options.late_from_bytes = 1;
    opened->small.options.order = NAME_CITY;
    opened->small.options.order_count = order_count;
    assert_int_equal(audience_open(&opened->small.options, &opened->audience, &opened->small.err),
                     RC_OK);
    assert_int_equal(audience_run(opened->audience, -1, &opened->small.counts, &opened->small.err),
                     RC_OK);
    assert_true(atomic_load(&opened->audience->late.is_on));
}

static void close_late(struct opened *opened)
{
    audience_free(opened->audience);
    small_done(&opened->small);
}

static void expect_unreadable(struct opened *opened, const char *why)
{
    struct small *small = &opened->small;
    assert_int_equal(audience_each(opened->audience, take, &small->delivered, &small->err), RC_IO);
    assert_contains(small->err.text, why);
    close_late(opened);
}

static void audience_each__take_that_fails_among_pieces__is_the_result(void **state)
{
    (void)state;
    struct buf rows = random_rows(60000, 10);
    struct opened opened;
    int taken = 0;
    open_late(&opened, &rows, 1);
    assert_int_equal(audience_each(opened.audience, stop_later, &taken, &opened.small.err),
                     RC_TEMP);
    assert_int_equal(taken, 20000);
    close_late(&opened);
    buf_release(&rows);
}

static void late__file_that_became_shorter__cannot_be_read_again(void **state)
{
    (void)state;
    struct buf rows = random_rows(30000, 10);
    struct opened opened;
    open_late(&opened, &rows, 1);
    assert_int_equal(ftruncate(opened.small.fds[0], 100000), 0);
    expect_unreadable(&opened, "the recipients cannot be read again: a part of the file is gone");
    buf_release(&rows);
}

static void late__row_that_changed_its_shape__is_no_other_row(void **state)
{
    (void)state;
    static const char *const SHAPES[] = {"\n", ",", "\""};
    struct buf rows = random_rows(30000, 10);
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        struct opened opened;
        open_late(&opened, &rows, 1);
        const char *row = strstr(buf_text(&rows), "\nK12345,") + 1;
        off_t at = row - buf_text(&rows) + (SHAPES[i][0] == '"' ? 7 : 2);
        assert_int_equal(pwrite(opened.small.fds[0], SHAPES[i], 1, at), 1);
        expect_unreadable(&opened, "the recipients changed while they were read");
    }
    buf_release(&rows);
}

/* The rest of the last page is there, and holds zeros: nobody is told of them. */
static void late__file_that_lost_its_last_bytes__cannot_be_read_again(void **state)
{
    (void)state;
    struct buf rows = random_rows(30000, 10);
    buf_add_text(&rows, "Z,zzzz,Lille,1234567\n");
    struct opened opened;
    open_late(&opened, &rows, 1);
    assert_int_equal(ftruncate(opened.small.fds[0], (off_t)rows.len - 4), 0);
    expect_unreadable(&opened, "the recipients changed while they were read");
    buf_release(&rows);
}

static void late__row_with_another_key__is_no_such_row(void **state)
{
    (void)state;
    struct buf rows = random_rows(30000, 10);
    struct opened opened;
    open_late(&opened, &rows, 1);
    off_t at = strstr(buf_text(&rows), "\nK12345,") + 8 - buf_text(&rows);
    assert_int_equal(pwrite(opened.small.fds[0], "##", 2, at), 2);
    expect_unreadable(&opened, "the recipients changed while they were read");
    buf_release(&rows);
}

/* As many rows as before, with as many fields; but they begin and end elsewhere. */
static void late__rows_that_moved__are_no_other_rows(void **state)
{
    (void)state;
    static const char MOVED[] = "a,b,c,d\ne,f,g,hhhhhhh\n"
                                "x,y,z,\"bbbbbbbbbbbbbb\n"
                                "aaaaaaaaaaaaaaaaaaaa\"\n";
    struct buf rows = BUF_EMPTY;
    struct opened opened;
    buf_add_text(&rows, "id,name,city,note\n");
    for (int i = 0; i < 30000; i++) {
        buf_add_format(&rows, "R%05d,aaaa,bbbb,cccc\n", i);
    }
    open_late(&opened, &rows, 0);
    off_t at = strstr(buf_text(&rows), "R12345") - buf_text(&rows);
    assert_int_equal(pwrite(opened.small.fds[0], MOVED, sizeof MOVED - 1, at), sizeof MOVED - 1);
    expect_unreadable(&opened, "the recipients changed while they were read");
    buf_release(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late__many_pieces__same_as_kept),
        cmocka_unit_test(late__no_order__same_as_kept),
        cmocka_unit_test(late__seeds__stand_where_they_would),
        cmocka_unit_test(late__piece_beyond_its_memory__goes_to_disk),
        cmocka_unit_test(late__keys_that_begin_alike__are_kept),
        cmocka_unit_test(late__most_in_one_piece__are_kept),
        cmocka_unit_test(late__more_rows_than_promised__are_kept),
        cmocka_unit_test(late__payload__is_made_for_who_is_delivered_alone),
        cmocka_unit_test(late__payload_that_fails__is_told_with_its_line),
        cmocka_unit_test(audience_each__take_that_fails_among_pieces__is_the_result),
        cmocka_unit_test(late__file_that_became_shorter__cannot_be_read_again),
        cmocka_unit_test(late__row_that_changed_its_shape__is_no_other_row),
        cmocka_unit_test(late__file_that_lost_its_last_bytes__cannot_be_read_again),
        cmocka_unit_test(late__row_with_another_key__is_no_such_row),
        cmocka_unit_test(late__rows_that_moved__are_no_other_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
