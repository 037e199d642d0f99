/*
 * What the pipeline keeps things in: spill, keyset, pairs, order. Each is compared with a plain
 * array, in memory and beyond it.
 */
#include "support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "audience/duplicates.h"
#include "audience/keyset.h"
#include "audience/order.h"
#include "audience/pairs.h"
#include "audience/rowlog.h"
#include "audience/spill.h"
#include "audience/suspects.h"
#include "base/digest.h"

static char folder[256];
static int dir_fd = -1;

static int setup(void **state)
{
    (void)state;
    folder_make(folder, sizeof folder);
    dir_fd = open(folder, O_RDONLY | O_DIRECTORY);
    return dir_fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    close(dir_fd);
    return rmdir(folder); /* nothing has a name in it */
}

/* ---- spill ---- */

static void spill__any_offset__reads_what_was_added(void **state)
{
    (void)state;
    enum { BYTES = 700000 };
    for (size_t memory = 0; memory <= 1000000; memory += 250000) {
        uint64_t random = memory + 1;
        char *all = malloc(BYTES);
        char *got = malloc(BYTES);
        struct spill spill;
        struct buf scratch = BUF_EMPTY;
        spill_init(&spill, dir_fd, memory);
        size_t len = 0;
        while (len < BYTES) {
            size_t more = random_below(&random, 20) == 0 ? 300000 : random_below(&random, 5000);
            more = more > BYTES - len ? BYTES - len : more;
            for (size_t i = 0; i < more; i++) {
                all[len + i] = (char)random_next(&random);
            }
            assert_int_equal(spill_add(&spill, all + len, more, NULL), RC_OK);
            len += more;
            assert_int_equal(spill_size(&spill), len);
        }
        assert_int_equal(spill.fd >= 0, memory < BYTES);
        for (int i = 0; i < 300; i++) {
            size_t at = random_below(&random, BYTES + 10);
            size_t want = random_below(&random, 2000);
            size_t there = at >= BYTES ? 0 : BYTES - at < want ? BYTES - at : want;
            size_t count = 0;
            struct slice view = {NULL, 0};
            assert_int_equal(spill_read(&spill, at, got, want, &count, NULL), RC_OK);
            assert_int_equal(count, there);
            assert_memory_equal(got, all + (there == 0 ? 0 : at), there);
            assert_int_equal(spill_view(&spill, at, want, &scratch, &view, NULL), RC_OK);
            assert_int_equal(view.len, there);
            assert_true(there == 0 || memcmp(view.ptr, all + at, there) == 0);
        }
        spill_release(&spill);
        spill_release(&spill);
        buf_release(&scratch);
        free(all);
        free(got);
    }
}

static void spill_add__no_directory__is_out_of_range(void **state)
{
    (void)state;
    struct spill spill;
    struct err err = {""};
    spill_init(&spill, -1, 10);
    assert_int_equal(spill_add(&spill, "0123456789", 10, &err), RC_OK);
    assert_int_equal(spill_add(&spill, "x", 1, &err), RC_RANGE);
    assert_contains(err.text, "no directory for temporary data");
    spill_release(&spill);
}

static void spill_add__disk_full__is_temporary(void **state)
{
    (void)state;
    struct rlimit old;
    struct rlimit small = {100000, 100000};
    struct spill spill;
    struct err err = {""};
    char bytes[1000] = {0};
    enum rc rc = RC_OK;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    spill_init(&spill, dir_fd, 0);
    for (int i = 0; i < 2000 && rc == RC_OK; i++) {
        rc = spill_add(&spill, bytes, sizeof bytes, &err);
    }
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(rc, RC_TEMP);
    assert_contains(err.text, "no room for temporary data");
    spill_release(&spill);
}

static void spill_read__file_cut_behind_our_back__is_io(void **state)
{
    (void)state;
    struct spill spill;
    char bytes[1000] = {0};
    size_t got = 0;
    struct err err = {""};
    spill_init(&spill, dir_fd, 0);
    assert_int_equal(spill_add(&spill, bytes, sizeof bytes, NULL), RC_OK);
    assert_int_equal(ftruncate(spill.fd, 500), 0);
    assert_int_equal(spill_read(&spill, 0, bytes, sizeof bytes, &got, &err), RC_IO);
    assert_contains(err.text, "became shorter");
    spill_release(&spill);
}

/* ---- keyset ---- */

static struct slice key_of(uint64_t number, char out[32])
{
    int len = snprintf(out, 32, "key %llu", (unsigned long long)number * 7);
    return (struct slice){out, (size_t)len};
}

static void keyset__many_keys__holds_those_and_no_others(void **state)
{
    (void)state;
    enum { KEYS = 50000 };
    for (int on_disk = 0; on_disk < 2; on_disk++) {
        struct keyset set;
        struct buf scratch = BUF_EMPTY;
        char text[32];
        bool is_in = true;
        keyset_init(&set, on_disk == 1 ? 1200000 : 64 << 20, dir_fd, 42);
        assert_int_equal(keyset_has(&set, SLICE_LITERAL("x"), &scratch, &is_in, NULL), RC_OK);
        assert_false(is_in);
        for (int twice = 0; twice < 2; twice++) {
            for (uint64_t i = 0; i < KEYS; i++) {
                assert_int_equal(keyset_add(&set, key_of(i, text), NULL), RC_OK);
            }
        }
        assert_int_equal(keyset_add(&set, SLICE_LITERAL(""), NULL), RC_OK);
        assert_int_equal(set.count, KEYS + 1);
        assert_int_equal(set.strings.fd >= 0, on_disk);
        for (uint64_t i = 0; i < 2 * KEYS; i++) {
            assert_int_equal(keyset_has(&set, key_of(i, text), &scratch, &is_in, NULL), RC_OK);
            assert_int_equal(is_in, i < KEYS);
        }
        keyset_release(&set);
        buf_release(&scratch);
    }
}

static void keyset_add__beyond_its_memory__is_out_of_range(void **state)
{
    (void)state;
    struct keyset set;
    struct err err = {""};
    char text[32];
    enum rc rc = RC_OK;
    keyset_init(&set, 200000, dir_fd, 42);
    for (uint64_t i = 0; rc == RC_OK && i < 100000; i++) {
        rc = keyset_add(&set, key_of(i, text), &err);
    }
    assert_int_equal(rc, RC_RANGE);
    assert_contains(err.text, "keys to exclude do not fit into memory");
    keyset_release(&set);
}

static void keyset__equal_hashes__are_told_apart(void **state)
{
    (void)state;
    struct keyset set;
    struct buf scratch = BUF_EMPTY;
    bool is_in = true;
    keyset_init(&set, 1 << 20, dir_fd, 42);
    assert_int_equal(keyset_add(&set, SLICE_LITERAL("anna"), NULL), RC_OK);
    /* the table now says wherever it is asked that "anna" has the hash of "bert" */
    for (size_t i = 1; i < set.slots_count; i++) {
        set.slots[i] = hash64("bert", 4, 42) << 40 | 1;
    }
    set.slots[0] = 0;
    assert_int_equal(keyset_has(&set, SLICE_LITERAL("bert"), &scratch, &is_in, NULL), RC_OK);
    assert_false(is_in);
    keyset_release(&set);
    buf_release(&scratch);
}

/* ---- pairs ---- */

struct pairs_check {
    const struct pair *want;
    size_t at;
};

static enum rc check_pairs(void *ctx, const struct pair *items, size_t count, struct err *err)
{
    struct pairs_check *check = ctx;
    (void)err;
    assert_memory_equal(items, check->want + check->at, count * sizeof *items);
    check->at += count;
    return RC_OK;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;
    if (x->high != y->high) {
        return x->high < y->high ? -1 : 1;
    }
    return x->low < y->low ? -1 : x->low > y->low;
}

static void compare_pairs_with_qsort(size_t count, uint64_t bound, size_t memory)
{
    uint64_t random = count + bound;
    struct pair *want = malloc((count + 1) * sizeof *want);
    struct pairs pairs;
    struct pairs_check check = {want, 0};
    pairs_init(&pairs, memory, dir_fd);
    for (size_t i = 0; i < count; i++) {
        want[i] = (struct pair){bound == 0 ? random_next(&random) : random_below(&random, bound),
                                random_below(&random, 1000000)};
        assert_int_equal(pairs_add(&pairs, want[i], NULL), RC_OK);
    }
    qsort(want, count, sizeof *want, compare_pairs);
    assert_int_equal(pairs_each(&pairs, check_pairs, &check, NULL), RC_OK);
    assert_int_equal(check.at, count);
    pairs_release(&pairs);
    free(want);
}

static void pairs_each__any_distribution__is_ascending(void **state)
{
    (void)state;
    static const size_t COUNTS[] = {0, 1, 2, 1000, 1024, 1025, 5000, 100000};
    static const uint64_t BOUNDS[] = {0, 1, 3, 1000, 1 << 24, (uint64_t)1 << 40};
    for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
        for (size_t k = 0; k < sizeof BOUNDS / sizeof BOUNDS[0]; k++) {
            compare_pairs_with_qsort(COUNTS[i], BOUNDS[k], 64 << 20);
            compare_pairs_with_qsort(COUNTS[i], BOUNDS[k], 1);
        }
    }
}

static enum rc refuse_pairs(void *ctx, const struct pair *items, size_t count, struct err *err)
{
    (void)ctx;
    (void)items;
    (void)count;
    return err_set(err, RC_STATE, "no");
}

static void pairs_each__take_that_fails__is_the_result(void **state)
{
    (void)state;
    for (size_t count = 10; count < 10000; count *= 100) {
        struct pairs pairs;
        pairs_init(&pairs, 1, dir_fd);
        for (size_t i = 0; i < count * 5; i++) {
            assert_int_equal(pairs_add(&pairs, (struct pair){i, i}, NULL), RC_OK);
        }
        assert_int_equal(pairs_each(&pairs, refuse_pairs, NULL, NULL), RC_STATE);
        pairs_release(&pairs);
    }
}

/* ---- order ---- */

struct wanted {
    char key[40];
    size_t key_len;
    uint64_t sequence;
};

static int compare_wanted(const void *a, const void *b)
{
    const struct wanted *x = a;
    const struct wanted *y = b;
    int order =
        slice_compare((struct slice){x->key, x->key_len}, (struct slice){y->key, y->key_len});
    return order != 0 ? order : x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

struct order_check {
    const struct wanted *want;
    size_t at;
};

static enum rc check_item(void *ctx, uint64_t sequence, struct slice payload, struct err *err)
{
    struct order_check *check = ctx;
    char text[32];
    (void)err;
    assert_int_equal(sequence, check->want[check->at++].sequence);
    snprintf(text, sizeof text, "payload %llu", (unsigned long long)sequence);
    assert_true(slice_equal_text(payload, text));
    return RC_OK;
}

/* few letters and long shared beginnings: ties at every depth */
static size_t random_key(uint64_t *random, char out[40], int kind)
{
    size_t len = kind == 0 ? 0 : kind == 1 ? random_below(random, 6) : random_below(random, 40);
    for (size_t i = 0; i < len; i++) {
        out[i] = kind == 2 && i < 20 ? 'a' : (char)(unsigned char)(random_below(random, 3) * 127);
    }
    return len;
}

static void compare_order_with_qsort(size_t count, int kind, size_t memory, bool is_sorted,
                                     unsigned threads)
{
    uint64_t random = count + (uint64_t)kind;
    struct wanted *want = calloc(count + 1, sizeof *want);
    struct order order;
    struct order_chunk chunk = {.bytes = BUF_EMPTY};
    uint64_t base = 0;
    order_init(&order, is_sorted, memory, dir_fd, threads);
    for (size_t i = 0; i < count; i++) {
        char text[32];
        want[i].key_len = random_key(&random, want[i].key, kind);
        want[i].sequence = i;
        snprintf(text, sizeof text, "payload %zu", i);
        assert_int_equal(order_chunk_add(&chunk, i - base,
                                         (struct slice){want[i].key, want[i].key_len},
                                         slice_of(text), NULL),
                         RC_OK);
        if (random_below(&random, 500) == 0) {
            assert_int_equal(order_take_chunk(&order, &chunk, base, NULL), RC_OK);
            base = i + 1;
        }
    }
    assert_int_equal(order_take_chunk(&order, &chunk, base, NULL), RC_OK);
    assert_int_equal(order_finish(&order, NULL), RC_OK);
    if (is_sorted) {
        qsort(want, count, sizeof *want, compare_wanted);
    }
    for (int twice = 0; twice < 2; twice++) {
        struct order_check check = {want, 0};
        assert_int_equal(order_each(&order, check_item, &check, NULL), RC_OK);
        assert_int_equal(check.at, count);
    }
    order_release(&order);
    buf_release(&chunk.bytes);
    free(want);
}

static void order_each__any_keys__are_ascending_and_stable(void **state)
{
    (void)state;
    static const size_t COUNTS[] = {0, 1, 13, 600, 70000};
    for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
        for (int kind = 0; kind < 4; kind++) {
            compare_order_with_qsort(COUNTS[i], kind, 64 << 20, true, 2);
            compare_order_with_qsort(COUNTS[i], kind, 500000, true, 1);
            compare_order_with_qsort(COUNTS[i], kind, 500000, false, 1);
            compare_order_with_qsort(COUNTS[i], kind, 64 << 20, false, 1);
        }
    }
}

/* So many that each run is written in parts, by as many threads. */
static void order_each__runs_written_side_by_side__are_ascending_and_stable(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        compare_order_with_qsort(400000, kind, 24 << 20, true, 3);
    }
}

static void order_each__payload_larger_than_a_read__comes_back_whole(void **state)
{
    (void)state;
    enum { BIG = 3 << 20 };
    struct order order;
    struct order_chunk chunk = {.bytes = BUF_EMPTY};
    char *big = malloc(BIG);
    memset(big, 'b', BIG);
    order_init(&order, true, 1 << 20, dir_fd, 1);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(
            order_chunk_add(&chunk, 0, SLICE_LITERAL("k"), (struct slice){big, BIG}, NULL), RC_OK);
        assert_int_equal(order_take_chunk(&order, &chunk, i, NULL), RC_OK);
    }
    assert_int_equal(order_finish(&order, NULL), RC_OK);
    assert_int_equal(order.runs_count, 3);
    order_release(&order);
    assert_int_equal(order_chunk_add(&chunk, 0, SLICE_LITERAL("k"),
                                     (struct slice){big, (size_t)ORDER_PAYLOAD_BYTES_MAX + 1},
                                     NULL),
                     RC_RANGE);
    buf_release(&chunk.bytes);
    free(big);
}

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static void order_key_add__fields__compare_one_after_the_other(void **state)
{
    (void)state;
    static const char *const FIELDS[] = {"", "a", "ab", "b", "\x01", "\xc3\xa9", "a\x01"};
    enum { COUNT = sizeof FIELDS / sizeof FIELDS[0] };
    for (int i = 0; i < COUNT * COUNT * COUNT * COUNT; i++) {
        const char *a1 = FIELDS[i % COUNT];
        const char *a2 = FIELDS[i / COUNT % COUNT];
        const char *b1 = FIELDS[i / COUNT / COUNT % COUNT];
        const char *b2 = FIELDS[i / COUNT / COUNT / COUNT];
        for (int down = 0; down < 2; down++) {
            struct buf a = BUF_EMPTY;
            struct buf b = BUF_EMPTY;
            order_key_add(&a, slice_of(a1), down == 1);
            order_key_add(&a, slice_of(a2), false);
            order_key_add(&b, slice_of(b1), down == 1);
            order_key_add(&b, slice_of(b2), false);
            int first = slice_compare(slice_of(a1), slice_of(b1));
            first = down == 1 ? -first : first;
            int want = first != 0 ? first : slice_compare(slice_of(a2), slice_of(b2));
            assert_int_equal(sign(slice_compare(buf_slice(&a), buf_slice(&b))), sign(want));
            buf_release(&a);
            buf_release(&b);
        }
    }
}

/* ---- duplicates, with hashes that collide ---- */

static void duplicates_resolve__every_hash_equal__compares_in_full(void **state)
{
    (void)state;
    enum { ROWS = 400, ROUNDS = 40 };
    uint64_t random = 31;
    for (int round = 0; round < ROUNDS; round++) {
        struct duplicates duplicates;
        struct spill log;
        struct bits dropped = {NULL, 0};
        bool want[ROWS];
        unsigned keys[ROWS];
        unsigned names[ROWS];
        bool has_dedupe = round % 2 == 0;
        duplicates_init(&duplicates, NULL, has_dedupe, 1, dir_fd);
        spill_init(&log, dir_fd, round % 3 == 0 ? 0 : 1 << 20);
        for (unsigned row = 0; row < ROWS; row++) {
            keys[row] = (unsigned)random_below(&random, ROWS / 2);
            names[row] = (unsigned)random_below(&random, ROWS / 2);
            want[row] = false;
            for (unsigned before = 0; before < row; before++) {
                want[row] |= !want[before] && (keys[before] == keys[row] ||
                                               (has_dedupe && names[before] == names[row]));
            }
            char key[700];
            snprintf(key, sizeof key, "%0*u", keys[row] % 2 == 0 ? 600 : 20, keys[row]);
            char name[16];
            snprintf(name, sizeof name, "n%u", names[row]);
            struct buf record = BUF_EMPTY;
            rowlog_put(&record, &(struct rowlog_record){.tag = has_dedupe ? ROWLOG_CANDIDATE_DEDUPE
                                                                          : ROWLOG_CANDIDATE,
                                                        .line = row + 2,
                                                        .key = slice_of(key),
                                                        .dedupe = slice_of(name)});
            struct candidate candidate = {7, 7, 0};
            assert_int_equal(duplicates_add(&duplicates, &candidate, 1, spill_size(&log), NULL),
                             RC_OK);
            assert_int_equal(spill_add(&log, record.ptr, record.len, NULL), RC_OK);
            buf_release(&record);
        }
        assert_int_equal(duplicates_resolve(&duplicates, &log, 2, &dropped, NULL), RC_OK);
        for (unsigned row = 0; row < ROWS; row++) {
            assert_int_equal(bits_get(&dropped, row), want[row]);
        }
        bits_release(&dropped);
        duplicates_release(&duplicates);
        spill_release(&log);
    }
}

/* A row that is known by its two numbers. */
static void add_numbered(struct duplicates *duplicates, struct spill *log, uint64_t key,
                         uint64_t name)
{
    char key_text[24];
    char name_text[24];
    struct buf record = BUF_EMPTY;
    (void)snprintf(key_text, sizeof key_text, "%llu", (unsigned long long)key);
    (void)snprintf(name_text, sizeof name_text, "n%llu", (unsigned long long)name);
    rowlog_put(&record, &(struct rowlog_record){.tag = ROWLOG_CANDIDATE_DEDUPE,
                                                .line = 2,
                                                .key = slice_of(key_text),
                                                .dedupe = slice_of(name_text)});
    struct candidate candidate = {hash64(&key, sizeof key, 1), hash64(&name, sizeof name, 2), 0};
    assert_int_equal(duplicates_add(duplicates, &candidate, 1, spill_size(log), NULL), RC_OK);
    assert_int_equal(spill_add(log, record.ptr, record.len, NULL), RC_OK);
    buf_release(&record);
}

/* Enough rows for suspects; in memory, with the sightings on disk, with everything there. */
static void duplicates_resolve__many_rows__drops_what_a_table_drops(void **state)
{
    (void)state;
    enum { ROWS = 30000, KINDS = 40000 };
    static const size_t MEMORY[] = {64 << 20, 512 * 1024, 64 * 1024, 1};
    static bool key_passed[KINDS];
    static bool name_passed[KINDS];
    static bool want[ROWS];
    for (size_t i = 0; i < sizeof MEMORY / sizeof MEMORY[0]; i++) {
        struct duplicates duplicates;
        struct spill log;
        struct bits dropped = {NULL, 0};
        uint64_t random = 5 + i;
        duplicates_init(&duplicates, NULL, true, MEMORY[i], dir_fd);
        spill_init(&log, dir_fd, 16 << 20);
        memset(key_passed, 0, sizeof key_passed);
        memset(name_passed, 0, sizeof name_passed);
        for (size_t row = 0; row < ROWS; row++) {
            uint64_t key = random_below(&random, KINDS);
            uint64_t name = random_below(&random, KINDS);
            want[row] = key_passed[key] || name_passed[name];
            key_passed[key] |= !want[row];
            name_passed[name] |= !want[row];
            add_numbered(&duplicates, &log, key, name);
        }
        assert_int_equal(duplicates_resolve(&duplicates, &log, 2, &dropped, NULL), RC_OK);
        for (size_t row = 0; row < ROWS; row++) {
            assert_int_equal(bits_get(&dropped, row), want[row]);
        }
        bits_release(&dropped);
        duplicates_release(&duplicates);
        spill_release(&log);
    }
}

/* Even numbers are noted once, odd ones twice. Returns how many of the even ones are suspected. */
static size_t suspected_of(size_t count, size_t memory)
{
    struct suspects suspects;
    size_t found = 0;
    assert_int_equal(suspects_init(&suspects, count, memory, NULL), RC_OK);
    for (uint64_t pass = 0; pass < 2; pass++) {
        for (uint64_t i = pass; i < count / 3 * 2; i += 1 + pass) {
            suspects_note(&suspects, hash64(&i, sizeof i, 3) >> (64 - SUSPECTS_HASH_BITS));
        }
    }
    for (uint64_t i = 0; i < count / 3 * 2; i++) {
        bool is_asked =
            suspects_ask(&suspects, hash64(&i, sizeof i, 3) >> (64 - SUSPECTS_HASH_BITS));
        assert_true(is_asked || i % 2 == 0);
        found += is_asked && i % 2 == 0;
    }
    suspects_release(&suspects);
    return found;
}

static void suspects_ask__noted_twice__is_suspected_always__once__seldom(void **state)
{
    (void)state;
    enum { COUNT = 300000, ONCE = COUNT / 3 };
    assert_int_equal(suspected_of(300, 1 << 20), 100); /* too few to look */
    assert_int_equal(suspected_of(COUNT, 1000), ONCE); /* no memory for it */
    assert_in_range(suspected_of(COUNT, 1 << 20), 1, ONCE / 5);
    assert_in_range(suspected_of(COUNT, COUNT / 2), ONCE / 5, ONCE / 2);
}

/* ---- rows read again ---- */

static void recall_row__as_it_was_or_not__gives_its_fields_or_is_io(void **state)
{
    (void)state;
    static const char TEXT[] = "id,name\n1,\"a \"\"b\"\"\nc\"\r\n2,last";
    static const size_t DEDUPE[] = {1, 0};
    int fd = file_of_text(TEXT);
    struct recall recall = {.index = CSV_INDEX_EMPTY};
    struct recall_plan plan = {
        .fd = fd, .delimiter = ',', .columns = 2, .dedupe = DEDUPE, .dedupe_count = 2};
    assert_int_equal(recall_row(&recall, &plan, 8, 13, NULL), RC_OK);
    assert_true(slice_equal_text(recall_key(&recall, &plan), "1"));
    assert_true(slice_equal(recall_dedupe(&recall, &plan), (struct slice){"a \"b\"\nc\0"
                                                                          "1\0",
                                                                          10}));
    assert_int_equal(recall_row(&recall, &plan, 23, 6, NULL), RC_OK);
    assert_true(slice_equal(recall_dedupe(&recall, &plan), (struct slice){"last\0"
                                                                          "2\0",
                                                                          7}));
    assert_int_equal(recall_row(&recall, &plan, 23, 7, NULL), RC_IO); /* the file ends before */
    assert_int_equal(recall_row(&recall, &plan, 23, 1, NULL), RC_IO); /* one field */
    assert_int_equal(recall_row(&recall, &plan, 0, 8, NULL), RC_IO);  /* more than a row */
    assert_int_equal(recall_row(&recall, &plan, 8, 5, NULL), RC_IO);  /* a quote stays open */
    recall_release(&recall);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spill__any_offset__reads_what_was_added),
        cmocka_unit_test(spill_add__no_directory__is_out_of_range),
        cmocka_unit_test(spill_add__disk_full__is_temporary),
        cmocka_unit_test(spill_read__file_cut_behind_our_back__is_io),
        cmocka_unit_test(keyset__many_keys__holds_those_and_no_others),
        cmocka_unit_test(keyset_add__beyond_its_memory__is_out_of_range),
        cmocka_unit_test(keyset__equal_hashes__are_told_apart),
        cmocka_unit_test(pairs_each__any_distribution__is_ascending),
        cmocka_unit_test(pairs_each__take_that_fails__is_the_result),
        cmocka_unit_test(order_each__any_keys__are_ascending_and_stable),
        cmocka_unit_test(order_each__runs_written_side_by_side__are_ascending_and_stable),
        cmocka_unit_test(order_each__payload_larger_than_a_read__comes_back_whole),
        cmocka_unit_test(order_key_add__fields__compare_one_after_the_other),
        cmocka_unit_test(duplicates_resolve__every_hash_equal__compares_in_full),
        cmocka_unit_test(duplicates_resolve__many_rows__drops_what_a_table_drops),
        cmocka_unit_test(recall_row__as_it_was_or_not__gives_its_fields_or_is_io),
        cmocka_unit_test(suspects_ask__noted_twice__is_suspected_always__once__seldom),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
