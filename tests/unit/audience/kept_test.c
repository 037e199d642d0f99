/*
 * What a count keeps, and an extraction takes over: the same is delivered as without, or it is not
 * taken over.
 */
#include "case.h"

#include "audience/kept.h"
#include "sys/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ROWS = 40 * 1000, EXCLUDED_BYTES = 4 << 20 };

static const char *const NAME_CITY[] = {"name", "-city"};

/* Names of few letters, so that many stand twice; a city that is quoted now and then */
static struct buf random_rows(size_t count)
{
    static const char *const CITIES[] = {"Lille", "\"A, B\"", "", "\"two\nlines\"", "Paris"};
    uint64_t state = 4711;
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "id,name,city,age\n");
    for (size_t i = 0; i < count; i++) {
        uint64_t random = random_next(&state);
        buf_add_format(&text, "K%zu,%c%c%c%c,%s,%u\n", i, 'a' + (int)(random % 26),
                       'a' + (int)(random >> 8 & 15), 'a' + (int)(random >> 12 & 15),
                       'a' + (int)(random >> 16 & 15), CITIES[(random >> 20) % 5],
                       (unsigned)(random >> 30 & 63));
    }
    return text;
}

struct run {
    struct delivered delivered;
    struct audience_counts counts;
    struct buf excluded;
    bool is_kept;
    bool is_taken_over;
    enum rc rc;
};

static void run_release(struct run *run)
{
    buf_release(&run->delivered.bytes);
    buf_release(&run->excluded);
}

static struct buf file_bytes(int fd)
{
    struct buf bytes = BUF_EMPTY;
    assert_true(buf_reserve(&bytes, EXCLUDED_BYTES));
    ssize_t got = pread(fd, bytes.ptr, EXCLUDED_BYTES, 0);
    assert_true(got >= 0 && got < EXCLUDED_BYTES);
    bytes.len = (size_t)got;
    bytes.ptr[got] = '\0';
    return bytes;
}

static struct run run_with(const struct audience_options *options, int excluded)
{
    struct run run = {.rc = RC_OK};
    struct audience *audience = NULL;
    assert_int_equal(audience_open(options, &audience, NULL), RC_OK);
    run.rc = audience_run(audience, excluded, &run.counts, NULL);
    run.is_kept = audience_is_kept(audience);
    run.is_taken_over = audience_is_taken_over(audience);
    if (run.rc == RC_OK) {
        run.rc = audience_each(audience, take, &run.delivered, NULL);
    }
    run.excluded = file_bytes(excluded);
    audience_free(audience);
    return run;
}

/* A case whose count was kept in `kept`, by so many threads. */
struct kept_case {
    struct small small;
    struct audience_kept kept;
    struct run count;
};

static void count_of(struct kept_case *c, unsigned threads)
{
    struct audience_options counting = c->small.options;
    c->kept = (struct audience_kept){
        .fd = file_of_text(""), .excluded_fd = file_of_text(""), .identity = "abc"};
    counting.payload = NULL;
    counting.keep = &c->kept;
    counting.threads = threads;
    c->count = run_with(&counting, c->kept.excluded_fd);
}

static void kept_init(struct kept_case *c, const char *rows)
{
    small_init(&c->small, rows);
    c->small.options.late_from_bytes = 1;
    c->small.options.order = NAME_CITY;
    c->small.options.order_count = 2;
    c->small.options.dedupe = NAME_CITY;
    c->small.options.dedupe_count = 1;
    c->small.options.where = "age < 50";
}

static void kept_done(struct kept_case *c)
{
    close(c->kept.fd);
    close(c->kept.excluded_fd);
    run_release(&c->count);
    small_done(&c->small);
}

static struct run extraction_of(const struct kept_case *c, bool takes_over, unsigned threads)
{
    struct audience_options options = c->small.options;
    options.kept = takes_over ? &c->kept : NULL;
    options.threads = threads;
    int excluded = file_of_text("");
    struct run run = run_with(&options, excluded);
    close(excluded);
    return run;
}

static void assert_same(const struct run *a, const struct run *b)
{
    assert_int_equal(a->rc, RC_OK);
    assert_int_equal(b->rc, RC_OK);
    assert_memory_equal(&a->counts, &b->counts, sizeof a->counts);
    assert_int_equal(a->delivered.records, b->delivered.records);
    assert_int_equal(a->delivered.seeds, b->delivered.seeds);
    assert_int_equal(a->delivered.bytes.len, b->delivered.bytes.len);
    assert_memory_equal(buf_text(&a->delivered.bytes), buf_text(&b->delivered.bytes),
                        a->delivered.bytes.len);
}

static bool has_rows(const struct kept_case *c)
{
    struct stat status;
    assert_int_equal(fstat(c->kept.fd, &status), 0);
    return status.st_size > 8192;
}

/* Delivered with what is kept and without it: the same, by that way. */
static void assert_taken_over(const struct kept_case *c, bool is_expected)
{
    struct run plain = extraction_of(c, false, 2);
    struct run taken = extraction_of(c, true, 2);
    assert_false(plain.is_taken_over);
    assert_int_equal(taken.is_taken_over, is_expected);
    assert_same(&plain, &taken);
    assert_string_equal(buf_text(&taken.excluded), is_expected ? "" : buf_text(&plain.excluded));
    run_release(&plain);
    run_release(&taken);
}

static void kept__taken_over__the_same_is_delivered(void **state)
{
    (void)state;
    struct buf rows = random_rows(ROWS);
    static const char SEEDS[] = "id,name,city,age\nS1,aaaa,Lille,1\nS2,mmmm,\"A, B\",1\nS3,,,1\n";
    struct variant {
        size_t order_count;
        uint64_t limit;
        const char *seeds;
        enum audience_seed_mode mode;
    } variants[] = {
        {2, 0, NULL, SEEDS_SORTED},      {0, 0, NULL, SEEDS_SORTED},
        {1, 5000, NULL, SEEDS_SORTED},   {2, 0, SEEDS, SEEDS_SORTED},
        {2, 100, SEEDS, SEEDS_RANDOM},   {0, 0, SEEDS, SEEDS_START},
        {2, 30000000, SEEDS, SEEDS_END},
    };
    for (size_t i = 0; i < 2 * sizeof variants / sizeof variants[0]; i++) {
        bool by_lines = i % 2 == 1; /* no rows are kept: who is out is told by the count's list */
        for (unsigned threads = 1; threads <= 8; threads *= 2) {
            struct kept_case c;
            kept_init(&c, buf_text(&rows));
            c.small.options.late_from_bytes = by_lines ? SIZE_MAX : 1;
            c.small.options.order_count = variants[i / 2].order_count;
            c.small.options.limit = variants[i / 2].limit;
            if (variants[i / 2].seeds != NULL) {
                small_seeds(&c.small, variants[i / 2].seeds, variants[i / 2].mode);
            }
            count_of(&c, threads);
            assert_int_equal(c.count.rc, RC_OK);
            assert_true(c.count.is_kept);
            assert_int_equal(has_rows(&c), !by_lines);
            struct run plain = extraction_of(&c, false, 2);
            struct run taken = extraction_of(&c, true, 9 - threads);
            assert_true(taken.is_taken_over);
            assert_same(&plain, &taken);
            assert_true(plain.counts.excluded[CAUSE_DUPLICATE] > 100);
            assert_memory_equal(&plain.counts, &c.count.counts, sizeof plain.counts);
            assert_string_equal(buf_text(&plain.excluded), buf_text(&c.count.excluded));
            assert_string_equal(buf_text(&taken.excluded), "");
            run_release(&plain);
            run_release(&taken);
            kept_done(&c);
        }
    }
    buf_release(&rows);
}

static void kept__another_identity__is_not_taken_over(void **state)
{
    (void)state;
    struct buf rows = random_rows(ROWS);
    struct kept_case c;
    kept_init(&c, buf_text(&rows));
    count_of(&c, 2);
    assert_taken_over(&c, true);
    c.kept.identity[2] = 'd';
    assert_taken_over(&c, false);
    kept_done(&c);
    buf_release(&rows);
}

static void kept__recipients_changed__is_not_taken_over(void **state)
{
    (void)state;
    struct buf rows = random_rows(ROWS);
    for (int kind = 0; kind < 3; kind++) {
        struct kept_case c;
        struct stat before;
        kept_init(&c, buf_text(&rows));
        count_of(&c, 2);
        assert_true(c.count.is_kept);
        int fd = c.small.fds[0];
        assert_int_equal(fstat(fd, &before), 0);
        if (kind == 0) { /* as long, and the time of its change set back */
            struct timespec times[2] = {before.st_atim, before.st_mtim};
            assert_int_equal(pwrite(fd, "X", 1, 18), 1);
            assert_int_equal(futimens(fd, times), 0);
        } else if (kind == 1) {
            assert_int_equal(pwrite(fd, "K,zzzz,Lille,1\n", 15, before.st_size), 15);
        } else { /* another file, with the same in it */
            c.small.options.fd = file_of_text(buf_text(&rows));
        }
        assert_taken_over(&c, false);
        if (kind == 2) {
            close(c.small.options.fd);
        }
        kept_done(&c);
    }
    buf_release(&rows);
}

static void kept__the_list_of_excluded_ones_changed_or_gone__is_not_taken_over(void **state)
{
    (void)state;
    struct buf rows = random_rows(ROWS);
    struct kept_case c;
    kept_init(&c, buf_text(&rows));
    count_of(&c, 2);
    assert_taken_over(&c, true);
    assert_int_equal(pwrite(c.kept.excluded_fd, "x", 1, 30), 1);
    assert_taken_over(&c, false);
    close(c.kept.excluded_fd);
    c.kept.excluded_fd = file_of_text("");
    assert_taken_over(&c, false);
    kept_done(&c);
    buf_release(&rows);
}

static void kept__damaged__is_not_taken_over(void **state)
{
    (void)state;
    struct buf rows = random_rows(ROWS);
    struct kept_case c;
    struct stat status;
    unsigned char byte = 0;
    kept_init(&c, buf_text(&rows));
    count_of(&c, 2);
    assert_int_equal(fstat(c.kept.fd, &status), 0);
    const off_t rows_at = 8192; /* what is behind is only not used: the list of the count is */
    const off_t places[] = {0,
                            9,
                            80,
                            200,
                            400,
                            1500,
                            8192,
                            9001,
                            8192 + (status.st_size - 8192) / 2,
                            status.st_size - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_int_equal(pread(c.kept.fd, &byte, 1, places[i]), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(c.kept.fd, &byte, 1, places[i]), 1);
        assert_taken_over(&c, places[i] >= rows_at);
        byte ^= 0x10;
        assert_int_equal(pwrite(c.kept.fd, &byte, 1, places[i]), 1);
    }
    assert_taken_over(&c, true);
    const off_t lengths[] = {status.st_size - 1, status.st_size - 16, 8192, 100, 0};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_int_equal(ftruncate(c.kept.fd, lengths[i]), 0);
        assert_taken_over(&c, false);
    }
    kept_done(&c);
    buf_release(&rows);
}

static void gone_while_delivered(struct kept_case *c)
{
    struct audience *audience = NULL;
    struct audience_counts counts;
    struct delivered delivered = {.bytes = BUF_EMPTY};
    count_of(c, 2);
    assert_true(has_rows(c));
    struct audience_options options = c->small.options;
    options.kept = &c->kept;
    options.threads = 2;
    assert_int_equal(audience_open(&options, &audience, NULL), RC_OK);
    assert_int_equal(audience_run(audience, -1, &counts, NULL), RC_OK);
    assert_true(audience_is_taken_over(audience));
    assert_int_equal(ftruncate(c->kept.fd, 8192), 0);
    assert_int_equal(audience_each(audience, take, &delivered, NULL), RC_IO);
    audience_free(audience);
    buf_release(&delivered.bytes);
}

static void kept__gone_while_it_is_delivered__is_told_and_nothing_else_happens(void **state)
{
    (void)state;
    struct buf rows = random_rows(ROWS);
    struct buf keys = BUF_EMPTY; /* an empty row is a row there, and begins with zeros */
    static const char *const ID[] = {"id"};
    buf_add_text(&keys, "id\n");
    for (int i = 0; i < ROWS; i++) {
        buf_add_format(&keys, "K%d\n", i * 7);
    }
    for (int i = 0; i < 2; i++) {
        struct kept_case c;
        kept_init(&c, buf_text(i == 0 ? &rows : &keys));
        if (i == 1) {
            c.small.options.order = ID;
            c.small.options.order_count = 1;
            c.small.options.dedupe_count = 0;
            c.small.options.where = NULL;
        }
        gone_while_delivered(&c);
        kept_done(&c);
    }
    buf_release(&rows);
    buf_release(&keys);
}

/* What a list that is no longer the count's would do, were it taken for that. */
static void put_list(struct kept_case *c, const char *text, uint64_t lines_hash)
{
    assert_int_equal(ftruncate(c->kept.excluded_fd, 0), 0);
    assert_int_equal(pwrite(c->kept.excluded_fd, text, strlen(text), 0), strlen(text));
    assert_int_equal(ftruncate(c->kept.fd, 0), 0);
    const struct kept_said said = {.counts = c->count.counts, .lines_hash = lines_hash};
    assert_true(kept_write_head(&c->kept, c->small.options.fd, c->kept.excluded_fd, &said));
}

static void kept__a_list_that_does_not_fit__is_not_taken_over_or_told(void **state)
{
    (void)state;
    struct kept_case c;
    kept_init(&c, "id,name,city,age\nK1,a,Lille,1\nK2,b,Lille,90\nK3,c,Lille,2\nK4,a,Lille,3\n");
    count_of(&c, 1);
    assert_string_equal(buf_text(&c.count.excluded),
                        "line,key,cause\n3,K2,not-selected\n5,K4,duplicate\n");
    const uint64_t hash = outcome_hash_line(outcome_hash_line(0, 3), 5);
    put_list(&c, buf_text(&c.count.excluded), hash);
    assert_taken_over(&c, true);
    static const char *const FEW[] = {
        "line,key,cause\n3,K2,not-selected\n",
        "line,key,cause\n3,K2,not-selected\n5,K4,duplicate\n6,K5,duplicate\n",
        "line,key,cause\n3,K2,not-selected\n3,K4,duplicate\n",
        "line,key,cause\n5,K4,duplicate\n3,K2,not-selected\n",
        "line,key,cause\n3,K2,not-selected\nfive,K4,duplicate\n",
        "line,key,cause\n3,K2,not-selected\n99999999999,K4,duplicate\n",
        "line,key,cause\n3,K2\n5,K4,duplicate\n",
        "line,key,cause\n4,K2,not-selected\n5,K4,duplicate\n",
        "",
    };
    for (size_t i = 0; i < sizeof FEW / sizeof FEW[0]; i++) {
        put_list(&c, FEW[i], hash);
        struct run run = extraction_of(&c, true, 1);
        assert_int_equal(run.rc, RC_OK);
        assert_false(run.is_taken_over);
        run_release(&run);
    }
    put_list(&c, "line,key,cause\n3,K2,not-selected\n7,K4,duplicate\n",
             outcome_hash_line(outcome_hash_line(0, 3), 7));
    struct run run = extraction_of(&c, true, 1);
    assert_int_equal(run.rc, RC_IO);
    run_release(&run);
    kept_done(&c);
}

static void kept__keys_alike__bad_rows__by_the_list_of_the_count(void **state)
{
    (void)state;
    struct buf alike = BUF_EMPTY;
    struct kept_case c;
    /* keys that begin alike would make uneven pieces */
    buf_add_text(&alike, "id,name,city,age\n");
    for (int i = 0; i < ROWS * 3; i++) {
        buf_add_format(&alike, "K%d,same name,city %d,1\n", i, i % 7);
    }
    kept_init(&c, buf_text(&alike));
    c.small.options.dedupe_count = 0;
    count_of(&c, 2);
    assert_int_equal(c.count.counts.records, ROWS * 3);
    assert_true(c.count.is_kept);
    assert_false(has_rows(&c));
    assert_taken_over(&c, true);
    kept_done(&c);
    /* rows that are none are on the list, too */
    for (int i = 0; i < 2; i++) {
        kept_init(&c, "id,name,city,age\nK1,a,Lille,1\ntoo,few\n,b,no key,1\n\nK3,c,\"two\n\n"
                      "lines\",2\nK4,d,x\"y,3\nK5,e,,4\n");
        c.small.options.excludes_bad_rows = true;
        c.small.options.late_from_bytes = i == 0 ? 1 : SIZE_MAX;
        count_of(&c, 1);
        assert_int_equal(c.count.counts.excluded[CAUSE_MALFORMED], 2);
        assert_true(c.count.is_kept);
        assert_int_equal(has_rows(&c), i == 0);
        assert_taken_over(&c, true);
        kept_done(&c);
    }
    buf_release(&alike);
}

static void kept__nobody_is_in__too_few_are__a_full_disk(void **state)
{
    (void)state;
    struct buf rows = random_rows(ROWS);
    struct kept_case c;
    kept_init(&c, buf_text(&rows));
    c.small.options.where = "age > 1000";
    count_of(&c, 2);
    assert_int_equal(c.count.counts.records, 0);
    assert_taken_over(&c, true);
    kept_done(&c);
    kept_init(&c, buf_text(&rows));
    c.small.options.min = ROWS;
    count_of(&c, 2);
    assert_int_equal(c.count.rc, RC_PERM);
    kept_done(&c);
    /* the count is good all the same */
    kept_init(&c, buf_text(&rows));
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_FOREVER);
    count_of(&c, 2);
    fault_clear();
    assert_int_equal(c.count.rc, RC_OK);
    assert_false(c.count.is_kept);
    assert_taken_over(&c, false);
    kept_done(&c);
    buf_release(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept__taken_over__the_same_is_delivered),
        cmocka_unit_test(kept__another_identity__is_not_taken_over),
        cmocka_unit_test(kept__recipients_changed__is_not_taken_over),
        cmocka_unit_test(kept__the_list_of_excluded_ones_changed_or_gone__is_not_taken_over),
        cmocka_unit_test(kept__damaged__is_not_taken_over),
        cmocka_unit_test(kept__gone_while_it_is_delivered__is_told_and_nothing_else_happens),
        cmocka_unit_test(kept__a_list_that_does_not_fit__is_not_taken_over_or_told),
        cmocka_unit_test(kept__keys_alike__bad_rows__by_the_list_of_the_count),
        cmocka_unit_test(kept__nobody_is_in__too_few_are__a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
