/*
 * archive - what the packer writes, read by everybody's programs
 */
#include "unit/pack/archive_support.h"

#include "pack/archive.h"

static const int64_t CREATED_NS = INT64_C(1803852000123456789); /* 2027-02-28T22:00:00Z */
static const char *const FILES[CONTAINER_COUNT] = {"a.zip", "a.tar.gz", "a.tar.zst", "a.gz"};

struct sample {
    const char *path;
    struct slice bytes;
};

static void name_make(char *name, size_t len)
{
    memset(name, 'n', len);
    name[len] = '\0';
}

/* An archive of the samples in the place, under its container's file name. */
static void archive_make(const struct place *place, struct packer_options options, const char *name,
                         const struct sample *samples, size_t count)
{
    struct err err = {""};
    struct packer *packer = NULL;
    uint64_t len = 0;
    struct stat stat;
    options.fd =
        openat(place->fd, FILES[options.container], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    options.created_ns = CREATED_NS;
    options.name_bytes = strlen(name);
    assert_ok(packer_open(&options, &packer, &err), &err);
    for (size_t i = 0; i < count; i++) {
        assert_ok(packer_add(packer, samples[i].path, samples[i].bytes, &err), &err);
    }
    assert_ok(packer_finish(packer, name, &len, &err), &err);
    assert_int_equal(packer_count(packer), count);
    for (size_t i = 0; i < count; i++) {
        char sha256[SHA256_HEX_BYTES];
        sha256_hex(samples[i].bytes.ptr, samples[i].bytes.len, sha256);
        assert_string_equal(packer_member(packer, i)->path, samples[i].path);
        assert_string_equal(packer_member(packer, i)->span.sha256, sha256);
    }
    packer_free(packer);
    assert_int_equal(fstat(options.fd, &stat), 0);
    assert_int_equal(stat.st_size, len);
    (void)close(options.fd);
}

/* How each program gives a member's bytes; %s: archive, name, path. */
struct reader {
    enum container container;
    const char *program;
    const char *test; /* whole archive; %s: archive */
    const char *cat;
};

#define PYTHON_ZIP                                                                                 \
    "python3 -c 'import zipfile,sys;sys.stdout.buffer.write("                                      \
    "zipfile.ZipFile(\"%s\").read(\"%s/%s\"))'"
#define PYTHON_TAR                                                                                 \
    "python3 -c 'import tarfile,sys;sys.stdout.buffer.write("                                      \
    "tarfile.open(\"%s\").extractfile(\"%s/%s\").read())'"

static const struct reader READERS[] = {
    {CONTAINER_ZIP, "unzip", "unzip -tq %s", "unzip -p %s %s/%s"},
    {CONTAINER_ZIP, "7z", "7z t %s", "7z x -so %s %s/%s"},
    {CONTAINER_ZIP, "bsdtar", "bsdtar -tf %s", "bsdtar -xOf %s %s/%s"},
    {CONTAINER_ZIP, "python3", "python3 -m zipfile -t %s | grep -vq Bad", PYTHON_ZIP},
    {CONTAINER_TAR_GZ, "tar", "tar -tzf %s", "tar -xzOf %s %s/%s"},
    {CONTAINER_TAR_GZ, "bsdtar", "bsdtar -tf %s", "bsdtar -xOf %s %s/%s"},
    {CONTAINER_TAR_GZ, "gzip", "gzip -t %s", "gzip -dc %s | tar -xO %s/%s"},
    {CONTAINER_TAR_GZ, "7z", "7z t %s", "7z x -so %s | tar -xO %s/%s"},
    {CONTAINER_TAR_GZ, "python3", "python3 -m gzip -d <%s >x.tar || gzip -t %s", PYTHON_TAR},
    {CONTAINER_TAR_ZST, "zstd", "zstd -tq %s", "zstd -dcq %s | tar -xO %s/%s"},
    {CONTAINER_TAR_ZST, "bsdtar", "bsdtar -tf %s", "bsdtar -xOf %s %s/%s"},
    {CONTAINER_TAR_ZST, "zstd", "tar --zstd -tf %s", "tar --zstd -xOf %s %s/%s"},
};

static void assert_readable(const struct place *place, enum container container, const char *name,
                            const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < COUNT(READERS); i++) {
        const struct reader *reader = &READERS[i];
        if (reader->container != container || !can_use(reader->program)) {
            continue;
        }
        char command[COMMAND_BYTES];
        /* clang-format off */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(command, sizeof command, reader->test, FILES[container], FILES[container]);
        assert_int_equal(run_in(place, "%s", command), 0);
        for (size_t j = 0; j < count; j++) {
            char sha256[SHA256_HEX_BYTES];
            char expected[SHA256_HEX_BYTES];
            sha256_hex(samples[j].bytes.ptr, samples[j].bytes.len, expected);
            (void)snprintf(command, sizeof command, reader->cat, FILES[container], name, samples[j].path);
#pragma GCC diagnostic pop
            /* clang-format on */
            digest_of(place, sha256, "%s", command);
            if (strcmp(sha256, expected) != 0) {
                print_message("%s\n", command);
            }
            assert_string_equal(sha256, expected);
        }
    }
}

static void packer__several_members__every_reader_gives_them_back(void **state)
{
    struct place *place = *state;
    struct buf text = BUF_EMPTY;
    struct buf noise = BUF_EMPTY;
    char name[PACKER_NAME_BYTES_MAX + 1];
    fill_text(&text, 3 * COMPRESS_BLOCK_BYTES + 5);
    fill_random(&noise, COMPRESS_BLOCK_BYTES + 11);
    name_make(name, PACKER_NAME_BYTES_MAX);
    const struct sample samples[] = {{"data-0001.csv", buf_slice(&text)},
                                     {"data-0002.csv", {text.ptr, 511}},
                                     {"data-0003.csv", {NULL, 0}},
                                     {"data-0004.csv", {text.ptr, 512}},
                                     {"documents/brochure.pdf", buf_slice(&noise)},
                                     {"manifest.json", SLICE_LITERAL("{}\n")}};
    for (int container = CONTAINER_ZIP; container <= CONTAINER_TAR_ZST; container++) {
        struct packer_options options = {.container = (enum container)container, .threads = 2};
        archive_make(place, options, name, samples, COUNT(samples));
        assert_readable(place, options.container, name, samples, COUNT(samples));
    }
    buf_release(&text);
    buf_release(&noise);
}

/* Sizes at the edges of blocks: a member alone, and what is behind it. */
static void packer__sizes_and_threads__same_archive_and_back(void **state)
{
    struct place *place = *state;
    enum { B = COMPRESS_BLOCK_BYTES };
    static const size_t sizes[] = {0, 1, B - 1, B, B + 1, 7 * B + 3};
    static const unsigned int threads[] = {1, 2, 8};
    struct buf text = BUF_EMPTY;
    fill_text(&text, sizes[COUNT(sizes) - 1]);
    for (int container = CONTAINER_ZIP; container <= CONTAINER_TAR_ZST; container++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            const struct sample samples[] = {{"data.csv", {text.ptr, sizes[i]}},
                                             {"manifest.json", SLICE_LITERAL("{}\n")}};
            struct buf first = BUF_EMPTY;
            for (size_t t = 0; t < COUNT(threads); t++) {
                struct packer_options options = {
                    .container = (enum container)container, .level = 3, .threads = threads[t]};
                archive_make(place, options, "n_0123456789ab", samples, COUNT(samples));
                struct buf bytes = bytes_of(place->fd, FILES[container]);
                if (t == 0) {
                    first = bytes;
                    continue;
                }
                assert_true(slice_equal(buf_slice(&first), buf_slice(&bytes)));
                buf_release(&bytes);
            }
            buf_release(&first);
            if (has_program("bsdtar")) {
                char expected[SHA256_HEX_BYTES];
                char sha256[SHA256_HEX_BYTES];
                sha256_hex(text.ptr, sizes[i], expected);
                digest_of(place, sha256, "bsdtar -xOf %s n_0123456789ab/data.csv",
                          FILES[container]);
                assert_string_equal(sha256, expected);
            }
        }
    }
    buf_release(&text);
}

static void packer__gz__is_one_member_that_everybody_reads(void **state)
{
    struct place *place = *state;
    struct buf text = BUF_EMPTY;
    char expected[SHA256_HEX_BYTES];
    char sha256[SHA256_HEX_BYTES];
    fill_text(&text, 4 * COMPRESS_BLOCK_BYTES + 100);
    sha256_hex(text.ptr, text.len, expected);
    const struct sample sample = {"data.csv", buf_slice(&text)};
    archive_make(place, (struct packer_options){.container = CONTAINER_GZ, .threads = 2}, "n",
                 &sample, 1);
    if (can_use("gzip")) {
        digest_of(place, sha256, "gzip -dc a.gz");
        assert_string_equal(sha256, expected);
        assert_int_equal(run_in(place, "gzip -l a.gz | grep -q ' %zu '", text.len), 0);
    }
    if (can_use("7z")) {
        digest_of(place, sha256, "7z x -so a.gz");
        assert_string_equal(sha256, expected);
    }
    if (can_use("python3")) { /* one call: knows the first member alone */
        digest_of(place, sha256,
                  "python3 -c 'import zlib,sys;sys.stdout.buffer.write("
                  "zlib.decompress(open(\"a.gz\",\"rb\").read(), 31))'");
        assert_string_equal(sha256, expected);
    }
    buf_release(&text);
}

static void packer__modes_times_owners__are_fixed(void **state)
{
    struct place *place = *state;
    const struct sample sample = {"data.csv", SLICE_LITERAL("a;b\r\n")};
    if (!can_use("bsdtar")) {
        skip();
    }
    for (int container = CONTAINER_ZIP; container <= CONTAINER_TAR_ZST; container++) {
        archive_make(place, (struct packer_options){.container = (enum container)container}, "n",
                     &sample, 1);
        assert_int_equal(run_in(place,
                                "bsdtar --numeric-owner -tvf %s | tr -s ' ' | "
                                "grep -q '^-rw-r--r-- 0 0 0 5 .* n/data.csv$'",
                                FILES[container]),
                         0);
        assert_int_equal(run_in(place,
                                "TZ=UTC bsdtar -xf %s && "
                                "test \"$(stat -c '%%Y %%a' n/data.csv)\" = '1803852000 644'",
                                FILES[container]),
                         0);
    }
}

static void packer__documents_beyond_ascii__keep_their_names(void **state)
{
    struct place *place = *state;
    char longest[PACKER_DOCUMENT_BYTES_MAX + 16] = "documents/";
    memset(longest + 10, 'd', PACKER_DOCUMENT_BYTES_MAX);
    const struct sample samples[] = {{"documents/\xc3\xa9t\xc3\xa9 2027.pdf", SLICE_LITERAL("one")},
                                     {longest, SLICE_LITERAL("two")}};
    char name[PACKER_NAME_BYTES_MAX + 1];
    name_make(name, PACKER_NAME_BYTES_MAX);
    if (!can_use("python3")) {
        skip();
    }
    for (int container = CONTAINER_ZIP; container <= CONTAINER_TAR_GZ; container++) {
        archive_make(place, (struct packer_options){.container = (enum container)container}, name,
                     samples, COUNT(samples));
        assert_int_equal(
            run_in(place,
                   "python3 -c 'import zipfile,tarfile;"
                   "n = zipfile.ZipFile(\"a.zip\").namelist() if %d else "
                   "tarfile.open(\"a.tar.gz\").getnames();"
                   "assert n == [\"n\" * 150 + \"/documents/\\u00e9t\\u00e9 2027.pdf\", "
                   "\"n\" * 150 + \"/documents/\" + \"d\" * 255], n'",
                   container == CONTAINER_ZIP),
            0);
    }
}

static void packer__more_members_than_16_bits_count__zip64(void **state)
{
    struct place *place = *state;
    enum { MEMBERS = 66000 };
    struct sample *samples = calloc(MEMBERS, sizeof *samples);
    char(*paths)[24] = calloc(MEMBERS, sizeof *paths);
    for (size_t i = 0; i < MEMBERS; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "data-%04zu.csv", i + 1);
        samples[i] = (struct sample){paths[i], SLICE_LITERAL("x\n")};
    }
    archive_make(place, (struct packer_options){.container = CONTAINER_ZIP, .level = 1}, "n",
                 samples, MEMBERS);
    if (can_use("python3")) {
        assert_int_equal(run_in(place, "python3 -c 'import zipfile;"
                                       "z = zipfile.ZipFile(\"a.zip\");"
                                       "assert len(z.namelist()) == 66000;"
                                       "assert z.read(\"n/data-66000.csv\") == b\"x\\n\"'"),
                         0);
    }
    if (can_use("unzip")) {
        assert_int_equal(run_in(place, "test \"$(unzip -p a.zip n/data-66000.csv)\" = x"), 0);
    }
    free(paths);
    free(samples);
}

static void packer_begin__bad_paths__are_refused(void **state)
{
    struct place *place = *state;
    static const char *const bad[] = {"",     "/etc/passwd", "../x", "documents/../x", "a//b",
                                      "a/",   "a\nb",        "a\\b", "documents/.",    "a\x7f",
                                      "\xff", "\xc2\x85"};
    struct err err = {""};
    struct packer *packer;
    struct packer_options options = {
        .fd = openat(place->fd, "a", O_RDWR | O_CREAT | O_CLOEXEC, 0600), .name_bytes = 1};
    assert_ok(packer_open(&options, &packer, &err), &err);
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(packer_begin(packer, bad[i], &err), RC_PERM);
    }
    char longer[PACKER_PATH_BYTES_MAX + 2];
    memset(longer, 'p', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(packer_begin(packer, longer, &err), RC_RANGE);
    assert_int_equal(packer_begin(packer, longer + 1, &err), RC_RANGE); /* one component: 255 */
    assert_int_equal(packer_count(packer), 0);
    uint64_t len;
    assert_int_equal(packer_finish(packer, "n", &len, &err), RC_PERM);
    packer_free(packer);
    (void)close(options.fd);
}

static void packer_document_check__plain_names_alone(void **state)
{
    (void)state;
    char name[PACKER_DOCUMENT_BYTES_MAX + 2];
    memset(name, 'd', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(packer_document_check("brochure.pdf", NULL), RC_OK);
    assert_int_equal(packer_document_check("..pdf", NULL), RC_OK);
    assert_int_equal(packer_document_check("..", NULL), RC_PERM);
    assert_int_equal(packer_document_check("a/b", NULL), RC_PERM);
    assert_int_equal(packer_document_check(name, NULL), RC_RANGE);
    assert_int_equal(packer_document_check(name + 1, NULL), RC_OK);
}

static void packer__gz_with_two_files__is_refused(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    struct packer *packer;
    struct packer_options options = {.fd =
                                         openat(place->fd, "a", O_RDWR | O_CREAT | O_CLOEXEC, 0600),
                                     .container = CONTAINER_GZ,
                                     .name_bytes = 1};
    assert_ok(packer_open(&options, &packer, &err), &err);
    assert_ok(packer_add(packer, "data.csv", SLICE_LITERAL("a"), &err), &err);
    assert_int_equal(packer_begin(packer, "data.txt", &err), RC_PERM);
    packer_free(packer);
    (void)close(options.fd);
}

static void packer_add_fd__whole_files_and_others(void **state)
{
    struct place *place = *state;
    struct err err = {""};
    struct packer *packer;
    struct buf noise = BUF_EMPTY;
    char expected[SHA256_HEX_BYTES];
    struct packer_options options = {
        .fd = openat(place->fd, "a.zip", O_RDWR | O_CREAT | O_CLOEXEC, 0600),
        .name_bytes = 1,
        .has_total = true};
    fill_random(&noise, PACKER_READ_BYTES + 1);
    int file = openat(place->fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(file, noise.ptr, noise.len), noise.len); /* the offset is at the end */
    assert_ok(packer_open(&options, &packer, &err), &err);
    assert_int_equal(packer_add_fd(packer, "documents/dir", place->fd, &err), RC_PERM);
    assert_int_not_equal(packer_add_fd(packer, "documents/none", -1, &err), RC_OK);
    int unreadable = openat(place->fd, "file", O_WRONLY | O_CLOEXEC);
    assert_ok(packer_add_fd(packer, "documents/file", file, &err), &err);
    char total[SHA256_HEX_BYTES];
    assert_ok(packer_total(packer, total, &err), &err);
    sha256_hex(noise.ptr, noise.len, expected);
    assert_string_equal(packer_member(packer, 0)->span.sha256, expected);
    assert_string_equal(total, expected);
    assert_int_not_equal(packer_add_fd(packer, "documents/again", unreadable, &err), RC_OK);
    packer_free(packer);
    (void)close(unreadable);
    (void)close(file);
    (void)close(options.fd);
    buf_release(&noise);
}

/* Each write fails once: laid-out data, the headers filled in, the directory, the trailer. */
static void packer__any_write_fails__is_told(void **state)
{
    struct place *place = *state;
    for (int container = CONTAINER_ZIP; container < CONTAINER_COUNT; container++) {
        for (unsigned int nth = 1;; nth++) {
            struct err err = {""};
            struct packer *packer;
            uint64_t len;
            struct packer_options options = {
                .fd = openat(place->fd, "a", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
                .container = (enum container)container,
                .name_bytes = 1};
            assert_ok(packer_open(&options, &packer, &err), &err);
            fault_at(FAULT_WRITE, nth, ENOSPC, FAULT_FOREVER);
            enum rc rc = packer_add(packer, "data.csv", SLICE_LITERAL("hello"), &err);
            if (rc == RC_OK) {
                rc = packer_finish(packer, "n", &len, &err);
            }
            unsigned int writes = fault_count(FAULT_WRITE);
            fault_clear();
            packer_free(packer);
            (void)close(options.fd);
            if (rc == RC_OK) {
                assert_true(nth > 3 && writes == nth - 1);
                break;
            }
            assert_int_equal(rc, RC_TEMP);
            assert_non_null(strstr(err.text, "No space"));
        }
    }
}

static void container_parse__names(void **state)
{
    (void)state;
    struct err err = {""};
    enum container container;
    for (int i = 0; i < CONTAINER_COUNT; i++) {
        assert_int_equal(container_parse(container_name((enum container)i), &container, &err),
                         RC_OK);
        assert_int_equal(container, i);
    }
    assert_int_equal(container_parse("tgz", &container, &err), RC_PERM);
    assert_non_null(strstr(err.text, "tar.zst"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(packer__several_members__every_reader_gives_them_back),
        with_place(packer__sizes_and_threads__same_archive_and_back),
        with_place(packer__gz__is_one_member_that_everybody_reads),
        with_place(packer__modes_times_owners__are_fixed),
        with_place(packer__documents_beyond_ascii__keep_their_names),
        with_place(packer__more_members_than_16_bits_count__zip64),
        with_place(packer_begin__bad_paths__are_refused),
        with_place(packer_document_check__plain_names_alone),
        with_place(packer__gz_with_two_files__is_refused),
        with_place(packer_add_fd__whole_files_and_others),
        with_place(packer__any_write_fails__is_told),
        cmocka_unit_test(container_parse__names),
    };
    return cmocka_run_group_tests_name("pack/archive", tests, NULL, NULL);
}
