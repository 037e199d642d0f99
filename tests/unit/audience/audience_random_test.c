/*
 * The whole pipeline against naive.py, the same selection written in Python, on random files.
 */
#include "case.h"

#include <zlib.h>

static enum audience_cause by_line(void *ctx, unsigned thread, const struct audience_row *row)
{
    (void)ctx;
    (void)thread;
    return row->line % 13 == 0   ? CAUSE_BAD_ADDRESS
           : row->line % 11 == 0 ? CAUSE_CONTROL_GROUP
                                 : CAUSE_NONE;
}

struct random_case {
    char folder[PATH_BYTES];
    const char *where;
    const char *dedupe[3];
    size_t dedupe_count;
    const char *order[3];
    size_t order_count;
    enum audience_seed_mode seed_mode;
    bool has_check;
    bool has_seeds;
    bool has_suppressed;
    bool has_quarantine;
};

static const char *const HEADER = "id,name,email,city,amount,flag,note";

static void add_quoted(struct buf *out, const char *text, bool is_quoted)
{
    if (!is_quoted) {
        buf_add_text(out, text);
        return;
    }
    buf_add_byte(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            buf_add_byte(out, '"');
        }
        buf_add_byte(out, *text);
    }
    buf_add_byte(out, '"');
}

static void add_field(struct buf *out, uint64_t *random, const char *text)
{
    add_quoted(out, text, strpbrk(text, ",\"\n") != NULL || random_below(random, 8) == 0);
}

static void add_row(struct buf *out, uint64_t *random, size_t row, size_t rows)
{
    static const char *const NAMES[] = {"Martin",     "O'Brien",    "Lef\xc3\xa8vre", "a\"b\"",
                                        "x,y",        "two\nlines", "cr\r\nlf",       "",
                                        "Zo\xc3\xab", "\"\"",       "Martin "};
    static const char *const CITIES[] = {"Paris", "Lille", "Lyon",        "Lyon-sur-Loire-le-Grand",
                                         "Nice",  "",      "Li\xc3\xa8ge"};
    static const char *const AMOUNTS[] = {"10.5", "10.50", "9", "-3",     "499.999",
                                          "500",  "none",  "",  "0010.5", "11111111111111111111"};
    static const char *const NOTES[] = {"", "note", "\xf0\x9f\x98\x80", "\"quoted\"", "a, b"};
    char id[32];
    char email[40];
    uint64_t kind = random_below(random, 60);

    snprintf(id, sizeof id, "K%zu",
             (size_t)(random_below(random, 10) == 0 ? random_below(random, rows) : row));
    snprintf(email, sizeof email, "m%zu@example.net", (size_t)random_below(random, rows));
    if (kind == 0) {
        buf_add_text(out, "only,three,fields");
    } else if (kind == 1) {
        buf_add_text(out, ",no,key,in,this,row,x");
    } else if (kind == 2) {
        buf_add_format(out, "B%zu,bad\xff,x,Paris,1,1,", row);
    } else if (kind == 3) {
        buf_add_format(out, "\"K\n%zu\",key,with,newline,1,1,", row);
    } else if (kind > 4) { /* 4: an empty line */
        add_field(out, random, id);
        buf_add_byte(out, ',');
        add_field(out, random, NAMES[random_below(random, 11)]);
        buf_add_byte(out, ',');
        add_field(out, random, random_below(random, 3) == 0 ? email : "");
        buf_add_byte(out, ',');
        add_field(out, random, CITIES[random_below(random, 7)]);
        buf_add_byte(out, ',');
        add_field(out, random, AMOUNTS[random_below(random, 10)]);
        buf_add_format(out, ",%d,", (int)random_below(random, 2));
        add_field(out, random, NOTES[random_below(random, 5)]);
    }
    buf_add_text(out, random_below(random, 2) == 0 ? "\n" : "\r\n");
}

static void put_file(const char *folder, const char *name, const struct buf *bytes)
{
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    size_t at = 0;
    while (at < bytes->len) {
        ssize_t put = write(fd, bytes->ptr + at, bytes->len - at);
        assert_true(put > 0);
        at += (size_t)put;
    }
    close(fd);
}

static struct buf get_file(const char *folder, const char *name)
{
    char path[PATH_BYTES + 64];
    char bytes[4096];
    struct buf text = BUF_EMPTY;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    for (ssize_t got = read(fd, bytes, sizeof bytes); got > 0;
         got = read(fd, bytes, sizeof bytes)) {
        buf_add(&text, bytes, (size_t)got);
    }
    close(fd);
    return text;
}

static void put_lists(struct random_case *c, uint64_t *random, size_t rows)
{
    struct buf text = BUF_EMPTY;
    if (c->has_suppressed) {
        buf_add_text(&text, "why,id\n");
        for (size_t i = 0; i < rows / 20 + 1; i++) {
            buf_add_format(&text, "\"a,b\",K%zu\r\n", (size_t)random_below(random, rows));
        }
        buf_add_text(&text, "none,\n");
        put_file(c->folder, "suppressed.csv", &text);
        buf_clear(&text);
    }
    if (c->has_quarantine) {
        buf_add_text(&text, "address,reason,since\n");
        for (size_t i = 0; i < rows / 20 + 1; i++) {
            buf_add_format(&text, "m%zu@example.net,bounced,\n",
                           (size_t)random_below(random, rows));
        }
        put_file(c->folder, "quarantine.csv", &text);
        buf_clear(&text);
    }
    if (c->has_seeds) {
        buf_add_text(&text, "city,id,name\n");
        for (size_t i = 0; i < 7; i++) {
            buf_add_format(&text, "%s,SEED%zu,\"Seed \"\"%zu\"\"\"\n",
                           i % 3 == 0   ? "Lyon"
                           : i % 3 == 1 ? "Paris"
                                        : "",
                           i, i);
        }
        put_file(c->folder, "seeds.csv", &text);
        buf_clear(&text);
    }
    buf_release(&text);
}

static void put_names(struct buf *out, const char *setting, const char *const *names, size_t count)
{
    buf_add_format(out, "\"%s\": [", setting);
    for (size_t i = 0; i < count; i++) {
        buf_add_format(out, "%s\"%s\"", i == 0 ? "" : ", ", names[i]);
    }
    buf_add_text(out, "], ");
}

static void put_settings(const struct random_case *c)
{
    static const char *const MODES[] = {"sorted", "start", "end"};
    struct buf text = BUF_EMPTY;
    buf_add_format(&text, "{\"where\": \"%s\", ", c->where);
    put_names(&text, "dedupe", c->dedupe, c->dedupe_count);
    put_names(&text, "order", c->order, c->order_count);
    buf_add_format(&text, "\"check\": %s, \"seed_mode\": \"%s\"}", c->has_check ? "true" : "false",
                   MODES[c->seed_mode]);
    put_file(c->folder, "case.json", &text);
    buf_release(&text);
}

static void make_case(struct random_case *c, uint64_t *random, size_t rows)
{
    static const char *const WHERES[] = {"", "flag = '1' or city like 'L%'",
                                         "amount >= 10.5 and amount < 500",
                                         "not (city in ('Paris', 'Lille') or note is empty)"};
    static const char *const DEDUPES[] = {"name", "city", "email"};
    static const char *const ORDERS[] = {"city", "-name", "amount", "-city", "id", "name"};
    struct buf text = BUF_EMPTY;

    memset(c, 0, sizeof *c);
    folder_make(c->folder, sizeof c->folder);
    c->where = WHERES[random_below(random, 4)];
    c->dedupe_count = random_below(random, 4);
    for (size_t i = 0; i < c->dedupe_count; i++) {
        c->dedupe[i] = DEDUPES[i];
    }
    c->order_count = random_below(random, 4);
    for (size_t i = 0; i < c->order_count; i++) {
        c->order[i] = ORDERS[random_below(random, 6)];
    }
    c->seed_mode = (enum audience_seed_mode)random_below(random, 3);
    c->has_check = random_below(random, 2) == 0;
    c->has_seeds = random_below(random, 2) == 0;
    c->has_suppressed = random_below(random, 2) == 0;
    c->has_quarantine = random_below(random, 2) == 0;
    buf_add_format(&text, "%s\r\n", HEADER);
    for (size_t i = 0; i < rows; i++) {
        add_row(&text, random, i, rows);
    }
    put_file(c->folder, "recipients.csv", &text);
    put_lists(c, random, rows);
    put_settings(c);
    buf_release(&text);
}

static int open_in(const char *folder, const char *name)
{
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    return fd;
}

static void expect_file(const char *folder, const char *name, struct slice got, const char *what)
{
    struct buf want = get_file(folder, name);
    size_t at = 0;
    while (at < got.len && at < want.len && got.ptr[at] == want.ptr[at]) {
        at++;
    }
    if (got.len != want.len || at < got.len) {
        fail_msg("%s of %s: %zu bytes, not %zu, and different from byte %zu on", what, folder,
                 got.len, want.len, at);
    }
    buf_release(&want);
}

/* The same file packed: its rows cannot be read again where they lie. */
static void pack_recipients(const char *folder)
{
    char path[PATH_BYTES + 64];
    struct buf bytes = get_file(folder, "recipients.csv");
    snprintf(path, sizeof path, "%s/recipients.gz", folder);
    gzFile out = gzopen(path, "wb1");
    assert_non_null(out);
    assert_int_equal(gzwrite(out, bytes.ptr, (unsigned)bytes.len), (int)bytes.len);
    assert_int_equal(gzclose(out), Z_OK);
    buf_release(&bytes);
}

/* late_from_bytes: 1, rows are read again as they are delivered; 0, they are not */
static void run_case(const struct random_case *c, const char *recipients, unsigned threads,
                     size_t memory_bytes, uint64_t late_from_bytes)
{
    struct audience *audience = NULL;
    struct audience_counts counts;
    struct delivered delivered = {.bytes = BUF_EMPTY};
    struct err err = {""};
    int dir = open(c->folder, O_RDONLY | O_DIRECTORY);
    int fds[5] = {open_in(c->folder, recipients), -1, -1, -1, -1};
    fds[1] = c->has_suppressed ? open_in(c->folder, "suppressed.csv") : -1;
    fds[2] = c->has_quarantine ? open_in(c->folder, "quarantine.csv") : -1;
    fds[3] = c->has_seeds ? open_in(c->folder, "seeds.csv") : -1;
    fds[4] = openat(dir, "excluded.csv", O_RDWR | O_CREAT | O_TRUNC, 0600);
    const struct audience_list exclude = {fds[1], "suppressed.csv", NULL, NULL};
    const struct audience_list quarantine = {fds[2], "quarantine.csv", "address", "email"};
    struct audience_options options = {.fd = fds[0],
                                       .name = "recipients.csv",
                                       .key = "id",
                                       .where = c->where,
                                       .exclude = &exclude,
                                       .exclude_count = c->has_suppressed,
                                       .quarantine = &quarantine,
                                       .quarantine_count = c->has_quarantine,
                                       .dedupe = c->dedupe,
                                       .dedupe_count = c->dedupe_count,
                                       .order = c->order,
                                       .order_count = c->order_count,
                                       .seeds_fd = fds[3],
                                       .seeds_name = "seeds.csv",
                                       .seed_mode = c->seed_mode,
                                       .excludes_bad_rows = true,
                                       .memory_bytes = memory_bytes,
                                       .late_from_bytes = late_from_bytes,
                                       .spill_fd = dir,
                                       .threads = threads,
                                       .check = c->has_check ? by_line : NULL,
                                       .payload = all_fields};
    if (audience_open(&options, &audience, &err) != RC_OK ||
        audience_run(audience, fds[4], &counts, &err) != RC_OK ||
        audience_each(audience, take, &delivered, &err) != RC_OK) {
        fail_msg("%s: %s", c->folder, err.text);
    }
    expect_file(c->folder, "naive.delivered", buf_slice(&delivered.bytes), "delivered");
    struct buf excluded = get_file(c->folder, "excluded.csv");
    expect_file(c->folder, "naive.excluded", buf_slice(&excluded), "excluded.csv");
    uint64_t sum = counts.records;
    for (int i = 0; i < CAUSE_COUNT; i++) {
        sum += counts.excluded[i];
    }
    assert_int_equal(counts.rows, sum);
    assert_int_equal(counts.records, delivered.records);
    assert_int_equal(counts.seeds, delivered.seeds);
    buf_clear(&delivered.bytes);
    assert_int_equal(audience_each(audience, take, &delivered, &err), RC_OK);
    expect_file(c->folder, "naive.delivered", buf_slice(&delivered.bytes), "second delivery");
    buf_release(&excluded);
    buf_release(&delivered.bytes);
    audience_free(audience);
    for (int i = 0; i < 5; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    close(dir);
}

static bool has_python(void)
{
    return system("python3 -c pass >/dev/null 2>&1") == 0;
}

static void compare_cases(uint64_t seed, int rounds, size_t rows)
{
    if (!has_python()) {
        puts("SKIPPED: python3 is not here");
        skip();
    }
    for (int round = 0; round < rounds; round++) {
        struct random_case c;
        char command[PATH_BYTES * 2];
        make_case(&c, &seed, rows);
        snprintf(command, sizeof command, "python3 tests/unit/audience/naive.py %s", c.folder);
        assert_int_equal(system(command), 0);
        pack_recipients(c.folder);
        run_case(&c, "recipients.csv", 1, 0, 0);
        run_case(&c, "recipients.csv", 2, 0, 0);
        run_case(&c, "recipients.csv", 8, 1, 0);
        run_case(&c, "recipients.csv", 1, 0, 1);
        run_case(&c, "recipients.csv", 3, 0, 1);
        run_case(&c, "recipients.csv", 8, (size_t)32 << 20, 1);
        run_case(&c, "recipients.gz", 2, 0, 1);
        run_case(&c, "recipients.gz", 8, 1, 0);
        folder_remove(c.folder);
    }
}

static void audience__random_files__agree_with_python(void **state)
{
    (void)state;
    compare_cases(21, 40, 250);
}

/* Several blocks, and more than fits into the least memory: runs on disk, merged. */
static void audience__random_files_beyond_memory__agree_with_python(void **state)
{
    (void)state;
    compare_cases(22, 5, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audience__random_files__agree_with_python),
        cmocka_unit_test(audience__random_files_beyond_memory__agree_with_python),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
