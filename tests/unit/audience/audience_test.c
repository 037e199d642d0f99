/*
 * The whole pipeline against naive.py, the same selection written in Python, on random files; and
 * what the contract says in single cases.
 */
#include "support.h"

#include <sys/stat.h>
#include <zlib.h>

#include "audience/audience.h"

enum { PATH_BYTES = 512 };

/* What a run delivered, one record behind the other. */
struct delivered {
    struct buf bytes;
    size_t records;
    size_t seeds;
};

static enum rc take(void *ctx, struct slice payload, bool is_seed, struct err *err)
{
    struct delivered *delivered = ctx;
    (void)err;
    buf_add_byte(&delivered->bytes, is_seed ? 'S' : 'R');
    buf_add_slice(&delivered->bytes, payload);
    buf_add_byte(&delivered->bytes, '\x1e');
    delivered->records += !is_seed;
    delivered->seeds += is_seed;
    return RC_OK;
}

static enum rc all_fields(void *ctx, unsigned thread, const struct audience_row *row,
                          struct buf *out, struct err *err)
{
    (void)ctx;
    (void)err;
    assert_true(thread < AUDIENCE_THREADS_MAX);
    for (size_t i = 0; i < row->count; i++) {
        buf_add_text(out, i == 0 ? "" : "\x1f");
        buf_add_slice(out, row->fields[i]);
    }
    return RC_OK;
}

static enum audience_cause by_line(void *ctx, unsigned thread, const struct audience_row *row)
{
    (void)ctx;
    (void)thread;
    return row->line % 13 == 0   ? CAUSE_BAD_ADDRESS
           : row->line % 11 == 0 ? CAUSE_CONTROL_GROUP
                                 : CAUSE_NONE;
}

/* ---- random files ---- */

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

static void run_case(const struct random_case *c, const char *recipients, unsigned threads,
                     size_t memory_bytes)
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
        run_case(&c, "recipients.csv", 1, 0);
        run_case(&c, "recipients.csv", 2, 0);
        run_case(&c, "recipients.csv", 8, 1);
        run_case(&c, "recipients.gz", 2, 0);
        run_case(&c, "recipients.gz", 8, 1);
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

/* ---- single cases ---- */

/* Options over texts; everything is closed by done(). */
static bool is_second(const void *ctx, size_t column)
{
    (void)ctx;
    return column == 1;
}

struct small {
    struct audience_options options;
    bool is_narrow; /* only the second column is looked at by the payload */
    int fds[4];
    char folder[PATH_BYTES];
    int dir;
    struct audience_counts counts;
    struct delivered delivered;
    struct buf excluded;
    struct err err;
    struct audience_list exclude;
};

static void small_init(struct small *small, const char *recipients)
{
    memset(small, 0, sizeof *small);
    folder_make(small->folder, sizeof small->folder);
    small->dir = open(small->folder, O_RDONLY | O_DIRECTORY);
    small->fds[0] = file_of_text(recipients);
    small->fds[1] = file_of_text("");
    small->fds[2] = -1;
    small->fds[3] = -1;
    small->options = (struct audience_options){.fd = small->fds[0],
                                               .name = "r.csv",
                                               .key = "id",
                                               .seeds_fd = -1,
                                               .spill_fd = small->dir,
                                               .threads = 1,
                                               .payload = all_fields};
}

static void small_exclude(struct small *small, const char *text)
{
    small->fds[2] = file_of_text(text);
    small->exclude = (struct audience_list){small->fds[2], "s.csv", NULL, NULL};
    small->options.exclude = &small->exclude;
    small->options.exclude_count = 1;
}

static void small_seeds(struct small *small, const char *text, enum audience_seed_mode mode)
{
    small->fds[3] = file_of_text(text);
    small->options.seeds_fd = small->fds[3];
    small->options.seeds_name = "seeds.csv";
    small->options.seed_mode = mode;
}

static enum rc small_run(struct small *small)
{
    struct audience *audience = NULL;
    buf_clear(&small->delivered.bytes);
    small->delivered.records = 0;
    small->delivered.seeds = 0;
    assert_int_equal(ftruncate(small->fds[1], 0), 0);
    assert_int_equal(lseek(small->fds[1], 0, SEEK_SET), 0);
    enum rc rc = audience_open(&small->options, &audience, &small->err);
    if (rc == RC_OK && small->is_narrow) {
        audience_narrow(audience, is_second, NULL);
    }
    if (rc == RC_OK) {
        rc = audience_run(audience, small->fds[1], &small->counts, &small->err);
    }
    if (rc == RC_OK) {
        rc = audience_each(audience, take, &small->delivered, &small->err);
    }
    audience_free(audience);
    buf_clear(&small->excluded);
    assert_true(buf_reserve(&small->excluded, 65536));
    ssize_t got = pread(small->fds[1], small->excluded.ptr, 65536, 0);
    assert_true(got >= 0);
    small->excluded.len = (size_t)got;
    small->excluded.ptr[got] = '\0';
    return rc;
}

static void small_done(struct small *small)
{
    for (int i = 0; i < 4; i++) {
        if (small->fds[i] >= 0) {
            close(small->fds[i]);
        }
    }
    close(small->dir);
    folder_remove(small->folder);
    buf_release(&small->delivered.bytes);
    buf_release(&small->excluded);
}

static void small_refused(struct small *small, const char *part)
{
    assert_int_equal(small_run(small), RC_PERM);
    assert_contains(small->err.text, part);
    small_done(small);
}

static void expect_ids(const struct small *small, const char *ids)
{
    struct buf got = BUF_EMPTY;
    const char *at = buf_text(&small->delivered.bytes);
    while (*at != '\0') {
        size_t len = strcspn(at + 1, "\x1f\x1e");
        buf_add_format(&got, "%s%.*s", got.len == 0 ? "" : " ", (int)len, at + 1);
        at = strchr(at, '\x1e') + 1;
    }
    assert_string_equal(buf_text(&got), ids);
    buf_release(&got);
}

static void audience_run__each_cause__first_that_applies(void **state)
{
    (void)state;
    struct small small;
    small_init(&small, "id,v,w\n1,a,\n2,b,\n3,a,\n1,a,\n4\n,a,\n5,b,\n1,b,\n");
    small_exclude(&small, "id\n3\n5\n");
    small.options.where = "v = 'a'";
    small.options.excludes_bad_rows = true;
    assert_int_equal(small_run(&small), RC_OK);
    assert_string_equal(buf_text(&small.excluded),
                        "line,key,cause\n3,2,not-selected\n4,3,suppressed\n5,1,duplicate\n"
                        "6,,malformed\n7,,malformed\n8,5,not-selected\n9,1,not-selected\n");
    assert_int_equal(small.counts.rows, 8);
    assert_int_equal(small.counts.records, 1);
    assert_int_equal(small.counts.excluded[CAUSE_MALFORMED], 2);
    assert_int_equal(small.counts.excluded[CAUSE_NOT_SELECTED], 3);
    assert_int_equal(small.counts.excluded[CAUSE_SUPPRESSED], 1);
    assert_int_equal(small.counts.excluded[CAUSE_DUPLICATE], 1);
    small_done(&small);
}

/* Where one dedupe column ends and the next begins counts, whatever stands between them. */
static void audience_run__same_text_cut_elsewhere__is_no_duplicate(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"first", "last"};
    struct small small;
    small_init(&small, "id,first,last\n1,ab,c\n2,a,bc\n3,abc,\n4,,abc\n5,a,bx\n6,axb,\n"
                       "7,\"a\"\"b\",c\n8,\"a\",\"bc\"\n9,,\n10,\"\",\n");
    small.options.dedupe = NAMES;
    small.options.dedupe_count = 2;
    assert_int_equal(small_run(&small), RC_OK);
    expect_ids(&small, "1 2 3 4 5 6 7 9");
    small_done(&small);
}

/* B is a duplicate of A by name; C has B's key: B did not pass, so C does. */
static void audience_run__a_duplicate__blocks_nobody(void **state)
{
    (void)state;
    static const char *const NAME[] = {"name"};
    struct small small;
    small_init(&small, "id,name\n1,x\n2,x\n2,y\n3,y\n3,z\n2,z\n");
    small.options.dedupe = NAME;
    small.options.dedupe_count = 1;
    assert_int_equal(small_run(&small), RC_OK);
    expect_ids(&small, "1 2 3");
    assert_string_equal(buf_text(&small.excluded),
                        "line,key,cause\n3,2,duplicate\n5,3,duplicate\n7,2,duplicate\n");
    small_done(&small);
}

/* The check reads eight bytes at a time: every place in keys of every length around that. */
static void audience_run__control_character_anywhere_in_a_key__is_malformed(void **state)
{
    (void)state;
    enum { LEN_MAX = 26, KEYS = LEN_MAX * (LEN_MAX + 1) / 2 };
    static const char *const BYTES[] = {"\x01", "\x1f", "\x7f", "\t", " ", "~", "\xc3\xa9"};

    for (size_t byte = 0; byte < sizeof BYTES / sizeof BYTES[0]; byte++) {
        struct buf text = BUF_EMPTY;
        struct small small;
        buf_add_text(&text, "id,v\n");
        for (int len = 0; len < LEN_MAX; len++) {
            for (int at = 0; at <= len; at++) {
                static const char *const FILL = "xxxxxxxxxxxxxxxxxxxxxxxxxx";
                buf_add_format(&text, "%.*s%s%.*s,a\n", at, FILL, BYTES[byte], len - at, FILL);
            }
        }
        small_init(&small, buf_text(&text));
        small.options.excludes_bad_rows = true;
        assert_int_equal(small_run(&small), RC_OK);
        assert_int_equal(small.counts.rows, KEYS);
        assert_int_equal(small.counts.excluded[CAUSE_MALFORMED], byte < 4 ? KEYS : 0);
        small_done(&small);
        buf_release(&text);
    }
}

static void audience_run__bad_row__fails_with_its_line_unless_excluded(void **state)
{
    (void)state;
    struct small small;
    small_init(&small, "id,v\n1,a\n2\n3,b\n");
    small_refused(&small, "r.csv:3: not as many fields");
    small_init(&small, "id,v\n1,a\n,a\n");
    small_refused(&small, "r.csv:3: the key is empty");
    small_init(&small, "id,v\n\"1\n\",a\n");
    small_refused(&small, "r.csv:2: the key holds a control character");
    struct buf text = BUF_EMPTY;
    buf_add_text(&text, "id,v\n");
    for (int i = 0; i < AUDIENCE_KEY_BYTES_MAX; i++) {
        buf_add_byte(&text, 'k');
    }
    buf_add_text(&text, ",a\n");
    small_init(&small, buf_text(&text));
    assert_int_equal(small_run(&small), RC_OK);
    small_done(&small);
    buf_clear(&text);
    buf_add_text(&text, "id,v\n");
    for (int i = 0; i < AUDIENCE_KEY_BYTES_MAX + 1; i++) {
        buf_add_byte(&text, 'k');
    }
    buf_add_text(&text, ",a\n");
    small_init(&small, buf_text(&text));
    small_refused(&small, "r.csv:2: the key is longer than 255 bytes");
    buf_release(&text);
}

static void audience_run__file_that_breaks__is_an_error_in_both_modes(void **state)
{
    (void)state;
    for (int excludes = 0; excludes < 2; excludes++) {
        struct small small;
        small_init(&small, "id,v\n1,a\n2,\"b\n3,c\n");
        small.options.excludes_bad_rows = excludes == 1;
        small_refused(&small, "r.csv:3: a quote that opens on this line is never closed");
        struct buf text = BUF_EMPTY;
        buf_add_text(&text, "id,v\n1,");
        for (int i = 0; i < 1024 * 1024 + 1; i++) {
            buf_add_byte(&text, 'x');
        }
        buf_add_text(&text, "\n2,b\n");
        small_init(&small, buf_text(&text));
        small.options.excludes_bad_rows = excludes == 1;
        small_refused(&small, "r.csv:2: a field is longer than 1048576 bytes");
        buf_release(&text);
    }
}

static void audience_open__unknown_columns__are_named_with_their_file(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"citty"};
    static const char *const DOWN[] = {"-citty"};
    struct small small;
    small_init(&small, "id,city\n1,a\n");
    small.options.key = "idd";
    small_refused(&small, "r.csv:1: no column \"idd\"; did you mean \"id\"?");
    small_init(&small, "id,city\n1,a\n");
    small.options.dedupe = WRONG;
    small.options.dedupe_count = 1;
    small_refused(&small, "r.csv:1: no column \"citty\"; did you mean \"city\"?");
    small_init(&small, "id,city\n1,a\n");
    small.options.order = DOWN;
    small.options.order_count = 1;
    small_refused(&small, "r.csv:1: no column \"citty\"; did you mean \"city\"?");
    small_init(&small, "id,city\n1,a\n");
    small.options.where = "citty = 'a'";
    small_refused(&small, "where: position 1: no column \"citty\"; did you mean \"city\"?");
    small_init(&small, "id,city\n1,a\n");
    small_exclude(&small, "ident\n1\n");
    small_refused(&small, "s.csv:1: no column \"id\"");
    small_init(&small, "id,city\n1,a\n");
    small_seeds(&small, "id,citty\n1,a\n", SEEDS_END);
    small_refused(&small, "seeds.csv:1: column \"citty\" is none of the recipients'; did you mean");
}

static void audience_run__bad_lists_and_seeds__are_errors_always(void **state)
{
    (void)state;
    struct small small;
    small_init(&small, "id,city\n1,a\n");
    small.options.excludes_bad_rows = true;
    small_exclude(&small, "id,x\n1\n");
    small_refused(&small, "s.csv:2: not as many fields");
    small_init(&small, "id,city\n1,a\n");
    small.options.excludes_bad_rows = true;
    small_seeds(&small, "id,city\n1,a\n2\n", SEEDS_END);
    small_refused(&small, "seeds.csv:3: not as many fields");
}

static void audience_run__expected_numbers__each_has_its_text(void **state)
{
    (void)state;
    struct small small;
    const char *text = "id,v\n1,a\n2,a\n3,b\n";
    small_init(&small, text);
    small.options.where = "v = 'a'";
    small.options.rows = 3;
    small.options.min = 2;
    small.options.max = 2;
    assert_int_equal(small_run(&small), RC_OK);
    small.options.rows = 4;
    assert_int_equal(small_run(&small), RC_PERM);
    assert_contains(small.err.text, "r.csv: 3 rows where rows = 4 was given");
    assert_int_equal(small.counts.rows, 3);
    small.options.rows = 0;
    small.options.min = 3;
    assert_int_equal(small_run(&small), RC_PERM);
    assert_contains(small.err.text, "r.csv: 2 records selected, fewer than min = 3");
    small.options.min = 0;
    small.options.max = 1;
    assert_int_equal(small_run(&small), RC_PERM);
    assert_contains(small.err.text, "r.csv: 2 records selected, more than max = 1");
    small_done(&small);
}

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

static void audience_cause_name__all_causes__are_the_contracts_words(void **state)
{
    (void)state;
    static const char *const WORDS[] = {
        "malformed", "not-selected",       "suppressed",  "quarantined", "control-group",
        "pressure",  "incomplete-address", "bad-address", "duplicate",   "over-limit"};
    for (int i = 0; i < CAUSE_COUNT; i++) {
        assert_string_equal(audience_cause_name((enum audience_cause)i), WORDS[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audience_narrow__one_column_used__the_others_are_empty),
        cmocka_unit_test(audience_run__each_cause__first_that_applies),
        cmocka_unit_test(audience_run__same_text_cut_elsewhere__is_no_duplicate),
        cmocka_unit_test(audience_run__a_duplicate__blocks_nobody),
        cmocka_unit_test(audience_run__control_character_anywhere_in_a_key__is_malformed),
        cmocka_unit_test(audience_run__bad_row__fails_with_its_line_unless_excluded),
        cmocka_unit_test(audience_run__file_that_breaks__is_an_error_in_both_modes),
        cmocka_unit_test(audience_open__unknown_columns__are_named_with_their_file),
        cmocka_unit_test(audience_run__bad_lists_and_seeds__are_errors_always),
        cmocka_unit_test(audience_run__expected_numbers__each_has_its_text),
        cmocka_unit_test(audience_run__limit__picks_as_many_the_same_each_time),
        cmocka_unit_test(audience_run__limit__favours_no_part_of_the_file),
        cmocka_unit_test(audience_each__four_seed_modes__place_seeds),
        cmocka_unit_test(audience_each__random_seeds__are_spread_and_repeatable),
        cmocka_unit_test(audience_run__seeds_past_their_limit__are_refused),
        cmocka_unit_test(audience_run__long_row_of_doubled_quotes__is_read_twice),
        cmocka_unit_test(audience_run__nobody_and_nothing__is_well),
        cmocka_unit_test(audience_run__counting_only__gives_the_same_counts),
        cmocka_unit_test(audience_run__payload_that_fails__ends_with_the_first_line),
        cmocka_unit_test(audience_each__take_that_fails__is_the_result),
        cmocka_unit_test(audience_run__no_directory_and_little_memory__is_out_of_range),
        cmocka_unit_test(audience_run__temporary_data__leaves_no_name_behind),
        cmocka_unit_test(audience_cause_name__all_causes__are_the_contracts_words),
        cmocka_unit_test(audience__random_files__agree_with_python),
        cmocka_unit_test(audience__random_files_beyond_memory__agree_with_python),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
