/*
 * What comes out of a selection: the limit, seeds and their places, payloads, temporary data.
 */
#include "case.h"

#include <sys/stat.h>

static struct buf numbered_rows(size_t count)
{
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "id,v\n");
    for (size_t i = 0; i < count; i++) {
        buf_add_format(&text, "%zu,%s\n", i, i % 3 == 0 ? "x" : "y");
    }
    return text;
}

static void audience_run__limit__picks_as_many_the_same_each_time(void **state)
{
    (void)state;
    struct buf text = numbered_rows(3000);
    struct buf first = BUF_EMPTY;
    struct small small;
    small_init(&small, buf_text(&text));
    small.options.limit = 100;
    small.options.random_seed = "spring-letter 1";
    small.options.where = "v = 'y'";
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.counts.records, 100);
    assert_int_equal(small.counts.excluded[CAUSE_OVER_LIMIT], 1900);
    assert_int_equal(small.delivered.records, 100);
    assert_contains(buf_text(&small.excluded), ",over-limit\n");
    buf_add_slice(&first, buf_slice(&small.delivered.bytes));
    small.options.threads = 8;
    assert_int_equal(small_run(&small), RC_OK);
    assert_string_equal(buf_text(&small.delivered.bytes), buf_text(&first));
    small.options.random_seed = "spring-letter 2";
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.delivered.records, 100);
    assert_string_not_equal(buf_text(&small.delivered.bytes), buf_text(&first));
    small.options.limit = 2000;
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.counts.records, 2000);
    assert_int_equal(small.counts.excluded[CAUSE_OVER_LIMIT], 0);
    small.options.limit = 1999;
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.counts.records, 1999);
    small_done(&small);
    buf_release(&text);
    buf_release(&first);
}

/* 200 draws of 1000 from 3000: each third of the file gets its share, within five deviations */
static void audience_run__limit__favours_no_part_of_the_file(void **state)
{
    (void)state;
    struct buf text = numbered_rows(3000);
    size_t thirds[3] = {0, 0, 0};
    struct small small;
    small_init(&small, buf_text(&text));
    small.options.limit = 1000;
    for (int draw = 0; draw < 200; draw++) {
        char seed[16];
        snprintf(seed, sizeof seed, "%d", draw);
        small.options.random_seed = seed;
        assert_int_equal(small_run(&small), RC_OK);
        const char *at = buf_text(&small.delivered.bytes);
        while (*at != '\0') {
            thirds[strtoul(at + 1, NULL, 10) / 1000]++;
            at = strchr(at, '\x1e') + 1;
        }
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(thirds[i], 200000 / 3 - 900, 200000 / 3 + 900);
    }
    small_done(&small);
    buf_release(&text);
}

static void audience_each__four_seed_modes__place_seeds(void **state)
{
    (void)state;
    static const char *const CITY[] = {"city"};
    const char *text = "id,city\n1,b\n2,a\n3,c\n4,b\n";
    const char *seeds = "city,id\nb,S1\na,S2\nz,S3\n";
    struct small small;
    small_init(&small, text);
    small.options.order = CITY;
    small.options.order_count = 1;
    small_seeds(&small, seeds, SEEDS_SORTED);
    assert_int_equal(small_run(&small), RC_OK);
    expect_ids(&small, "2 S2 1 4 S1 3 S3");
    assert_int_equal(small.counts.seeds, 3);
    assert_int_equal(small.counts.records, 4);
    small.options.seed_mode = SEEDS_START;
    assert_int_equal(small_run(&small), RC_OK);
    expect_ids(&small, "S1 S2 S3 2 1 4 3");
    small.options.seed_mode = SEEDS_END;
    assert_int_equal(small_run(&small), RC_OK);
    expect_ids(&small, "2 1 4 3 S1 S2 S3");
    small.options.seed_mode = SEEDS_SORTED;
    small.options.order_count = 0;
    assert_int_equal(small_run(&small), RC_OK);
    expect_ids(&small, "1 2 3 4 S1 S2 S3");
    small_done(&small);
}

static void audience_each__random_seeds__are_spread_and_repeatable(void **state)
{
    (void)state;
    struct buf text = numbered_rows(1000);
    struct buf first = BUF_EMPTY;
    struct buf seeds = BUF_EMPTY;
    buf_add_text(&seeds, "id\n");
    for (int i = 0; i < 50; i++) {
        buf_add_format(&seeds, "S%d\n", i);
    }
    struct small small;
    small_init(&small, buf_text(&text));
    small.options.random_seed = "a";
    small_seeds(&small, buf_text(&seeds), SEEDS_RANDOM);
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.delivered.records, 1000);
    assert_int_equal(small.delivered.seeds, 50);
    buf_add_slice(&first, buf_slice(&small.delivered.bytes));
    size_t half = 0;
    size_t records = 0;
    for (const char *at = buf_text(&first); *at != '\0'; at = strchr(at, '\x1e') + 1) {
        records += *at == 'R';
        half += *at == 'S' && records < 500;
    }
    assert_in_range(half, 10, 40);
    small.options.threads = 4;
    assert_int_equal(small_run(&small), RC_OK);
    assert_string_equal(buf_text(&small.delivered.bytes), buf_text(&first));
    small.options.random_seed = "b";
    assert_int_equal(small_run(&small), RC_OK);
    assert_string_not_equal(buf_text(&small.delivered.bytes), buf_text(&first));
    small_done(&small);
    buf_release(&text);
    buf_release(&first);
    buf_release(&seeds);
}

static void audience_run__seeds_past_their_limit__are_refused(void **state)
{
    (void)state;
    struct buf seeds = BUF_EMPTY;
    buf_add_text(&seeds, "id\n");
    for (int i = 0; i < AUDIENCE_SEEDS_MAX; i++) {
        buf_add_format(&seeds, "S%d\n", i);
    }
    struct small small;
    small_init(&small, "id,v\n1,a\n");
    small_seeds(&small, buf_text(&seeds), SEEDS_START);
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.counts.seeds, AUDIENCE_SEEDS_MAX);
    small_done(&small);
    buf_add_text(&seeds, "one more\n");
    small_init(&small, "id,v\n1,a\n");
    small_seeds(&small, buf_text(&seeds), SEEDS_START);
    small_refused(&small, "seeds.csv:10002: more than 10000 seeds");
    buf_release(&seeds);
}

/* Of all modes alike: in the way in which the recipients are kept, and where they are read again.
 */
static void audience_run__seeds_of_too_many_bytes__are_refused(void **state)
{
    (void)state;
    struct buf seeds = BUF_EMPTY;
    buf_add_text(&seeds, "id,v\n");
    for (int i = 0; i < 20; i++) {
        buf_add_format(&seeds, "S%d,%01000000d\n", i, i);
    }
    for (int mode = SEEDS_SORTED; mode <= SEEDS_RANDOM; mode++) {
        for (uint64_t from = 0; from <= 1; from++) {
            struct small small;
            small_init(&small, "id,v\n1,a\n");
            small_seeds(&small, buf_text(&seeds), (enum audience_seed_mode)mode);
            small.options.late_from_bytes = from;
            small_refused(&small, "seeds.csv:18: seeds take more than 16777216 bytes");
        }
    }
    buf_release(&seeds);
}

/* The column is unquoted for where, and again for the payload: room for one row each time. */
static void audience_run__long_row_of_doubled_quotes__is_read_twice(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY;
    struct small small;
    buf_add_text(&text, "id,v\n1,\"");
    for (int i = 0; i < 100000; i++) {
        buf_add_text(&text, "\"\"xxxxxxx");
    }
    buf_add_text(&text, "\"\n2,\"\"\"\"\n");
    small_init(&small, buf_text(&text));
    small.options.where = "v like '\"%'";
    assert_int_equal(small_run(&small), RC_OK);
    expect_ids(&small, "1 2");
    assert_int_equal(small.delivered.bytes.len, 3 + 800000 + 1 + 3 + 1 + 1);
    small_done(&small);
    buf_release(&text);
}

static void audience_run__nobody_and_nothing__is_well(void **state)
{
    (void)state;
    struct small small;
    small_init(&small, "id,v");
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.counts.rows, 0);
    assert_string_equal(buf_text(&small.excluded), "line,key,cause\n");
    small_done(&small);
    small_init(&small, "id,v\r\n\r\n\r\n");
    small_seeds(&small, "v\nx\n", SEEDS_RANDOM);
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.counts.rows, 0);
    assert_int_equal(small.delivered.seeds, 1);
    small_done(&small);
}

static void audience_run__counting_only__gives_the_same_counts(void **state)
{
    (void)state;
    struct buf text = numbered_rows(50000);
    struct small small;
    _Atomic uint64_t progress[3] = {0};
    buf_add_text(&text, "7,x\n8,x\n");
    small_init(&small, buf_text(&text));
    small_seeds(&small, "id\nS\n", SEEDS_START);
    small.options.payload = NULL;
    small.options.where = "v = 'x'";
    small.options.progress = (struct audience_progress){&progress[0], &progress[1], &progress[2]};
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.counts.rows, 50002);
    assert_int_equal(small.counts.records, 16667 + 2);
    assert_int_equal(small.counts.seeds, 1);
    assert_int_equal(small.delivered.records, 0);
    assert_int_equal(atomic_load(&progress[0]), 50002);
    assert_int_equal(atomic_load(&progress[1]), text.len);
    assert_int_equal(atomic_load(&progress[2]), text.len);
    small_done(&small);
    buf_release(&text);
}

static enum rc refuse_seventh(void *ctx, unsigned thread, const struct audience_row *row,
                              struct buf *out, struct err *err)
{
    (void)thread;
    (void)out;
    return row->line % 7 == 0 ? err_set(err, *(enum rc *)ctx, "no such thing") : RC_OK;
}

static void audience_run__payload_that_fails__ends_with_the_first_line(void **state)
{
    (void)state;
    struct buf text = numbered_rows(100000);
    for (unsigned threads = 1; threads <= 8; threads *= 2) {
        enum rc rc = RC_PERM;
        struct small small;
        small_init(&small, buf_text(&text));
        small.options.threads = threads;
        small.options.payload = refuse_seventh;
        small.options.ctx = &rc;
        small_refused(&small, "r.csv:7: no such thing");
    }
    buf_release(&text);
}

static enum rc stop_at_once(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    (void)ctx;
    (void)payload;
    (void)is_seed;
    return err_set(err, RC_TEMP, "full");
}

static void audience_each__take_that_fails__is_the_result(void **state)
{
    (void)state;
    struct small small;
    struct audience *audience = NULL;
    small_init(&small, "id,v\n1,a\n");
    assert_int_equal(audience_open(&small.options, &audience, NULL), RC_OK);
    assert_int_equal(audience_run(audience, -1, &small.counts, NULL), RC_OK);
    assert_int_equal(audience_run(audience, -1, &small.counts, NULL), RC_STATE);
    assert_int_equal(audience_each(audience, stop_at_once, NULL, &small.err), RC_TEMP);
    audience_free(audience);
    small_done(&small);
}

static void audience_run__no_directory_and_little_memory__is_out_of_range(void **state)
{
    (void)state;
    struct buf text = numbered_rows(400000);
    struct small small;
    small_init(&small, buf_text(&text));
    small.options.spill_fd = -1;
    small.options.memory_bytes = 1;
    assert_int_equal(small_run(&small), RC_RANGE);
    assert_contains(small.err.text, "no directory for temporary data; give more memory");
    small_done(&small);
    buf_release(&text);
}

static void audience_run__temporary_data__leaves_no_name_behind(void **state)
{
    (void)state;
    struct buf text = numbered_rows(300000);
    struct small small;
    small_init(&small, buf_text(&text));
    small.options.memory_bytes = 1;
    assert_int_equal(small_run(&small), RC_OK);
    assert_int_equal(small.delivered.records, 300000);
    assert_int_equal(rmdir(small.folder), 0);
    assert_int_equal(mkdir(small.folder, 0700), 0);
    small_done(&small);
    buf_release(&text);
}

/* The key, dedupe and order are the audience's own columns: they work all the same. */
static void audience_narrow__one_column_used__the_others_are_empty(void **state)
{
    (void)state;
    static const char *const dedupe[] = {"c"};
    static const char *const order[] = {"-d"};
    struct small small;
    small_init(&small, "id,a,b,c,d\n1,x,\"p, q\",k,1\n2,y,p,k,2\n3,z,p,l,3\n");
    small.options.dedupe = dedupe;
    small.options.dedupe_count = 1;
    small.options.order = order;
    small.options.order_count = 1;
    small.is_narrow = true;
    assert_int_equal(small_run(&small), RC_OK);
    assert_string_equal(buf_text(&small.delivered.bytes), "R3\x1fz\x1f\x1fl\x1f"
                                                          "3\x1e"
                                                          "R1\x1fx\x1f\x1fk\x1f"
                                                          "1\x1e");
    small_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audience_run__limit__picks_as_many_the_same_each_time),
        cmocka_unit_test(audience_run__limit__favours_no_part_of_the_file),
        cmocka_unit_test(audience_each__four_seed_modes__place_seeds),
        cmocka_unit_test(audience_each__random_seeds__are_spread_and_repeatable),
        cmocka_unit_test(audience_run__seeds_past_their_limit__are_refused),
        cmocka_unit_test(audience_run__seeds_of_too_many_bytes__are_refused),
        cmocka_unit_test(audience_run__long_row_of_doubled_quotes__is_read_twice),
        cmocka_unit_test(audience_run__nobody_and_nothing__is_well),
        cmocka_unit_test(audience_run__counting_only__gives_the_same_counts),
        cmocka_unit_test(audience_run__payload_that_fails__ends_with_the_first_line),
        cmocka_unit_test(audience_each__take_that_fails__is_the_result),
        cmocka_unit_test(audience_run__no_directory_and_little_memory__is_out_of_range),
        cmocka_unit_test(audience_run__temporary_data__leaves_no_name_behind),
        cmocka_unit_test(audience_narrow__one_column_used__the_others_are_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
