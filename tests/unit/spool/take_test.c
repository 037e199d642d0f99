/*
 * take, package - copies of directories, and packages good and bad
 *
 * Packages are made with libarchive's writer, then cut, damaged or built to be hostile.
 */
#include "unit/sys/support.h"

#include "spool/take.h"
#include "sys/calls.h"
#include "sys/worker.h"

#include <archive.h>
#include <archive_entry.h>

#define CONF "campaign = \"spring\";\n"

struct member {
    const char *path;
    const char *text;
    unsigned int type; /* AE_IFREG when 0 */
    const char *link;  /* target of a symlink, or with a '=' before it of a hard link */
};

static const struct take_limits plenty = {.total_bytes = (uint64_t)1 << 30};

static int target(const struct place *place)
{
    enum rc gone = fs_remove_tree(place->fd, "dst", NULL);
    assert_true(gone == RC_OK || gone == RC_GONE);
    assert_int_equal(mkdirat(place->fd, "dst", 0700), 0);
    int fd = openat(place->fd, "dst", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static struct archive *open_writer(const struct place *place, enum drop_kind kind, int *fd)
{
    struct archive *archive = archive_write_new();
    assert_int_equal(kind == DROP_ZIP ? archive_write_set_format_zip(archive)
                                      : archive_write_set_format_gnutar(archive),
                     ARCHIVE_OK);
    if (kind == DROP_TAR_GZ) {
        assert_int_equal(archive_write_add_filter_gzip(archive), ARCHIVE_OK);
    } else if (kind == DROP_TAR_ZST) {
        assert_int_equal(archive_write_add_filter_zstd(archive), ARCHIVE_OK);
    }
    *fd = openat(place->fd, "p", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return archive;
}

static void write_member(struct archive *archive, const struct member *member, const void *bytes,
                         size_t len)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_copy_pathname(entry, member->path);
    archive_entry_set_filetype(entry, member->type == 0 ? AE_IFREG : member->type);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)len);
    if (member->link != NULL && member->link[0] == '=') {
        archive_entry_copy_hardlink(entry, member->link + 1);
        archive_entry_set_size(entry, 0);
    } else if (member->link != NULL) {
        archive_entry_copy_symlink(entry, member->link);
    }
    assert_true(archive_write_header(archive, entry) >= ARCHIVE_WARN);
    if (len > 0) {
        assert_int_equal(archive_write_data(archive, bytes, len), len);
    }
    archive_entry_free(entry);
}

/* Makes place/p of the members; returns a descriptor for reading. */
static int pack(const struct place *place, enum drop_kind kind, const struct member *members,
                size_t count)
{
    int fd = -1;
    struct archive *archive = open_writer(place, kind, &fd);
    assert_int_equal(archive_write_open_fd(archive, fd), ARCHIVE_OK);
    for (size_t i = 0; i < count; i++) {
        const char *text = members[i].text == NULL ? "" : members[i].text;
        write_member(archive, &members[i], text, strlen(text));
    }
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    (void)archive_write_free(archive);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static const enum drop_kind all_kinds[] = {DROP_TAR, DROP_TAR_GZ, DROP_TAR_ZST, DROP_ZIP};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void take_package__plain_or_in_one_folder__is_taken(void **state)
{
    struct place *place = *state;
    static const struct member plain[] = {{.path = "delivery.conf", .text = CONF},
                                          {.path = "recipients.csv", .text = "id\n1\n"},
                                          {.path = "empty", .text = ""}};
    static const struct member dotted[] = {{.path = "./", .type = AE_IFDIR},
                                           {.path = "./recipients.csv", .text = "id\n1\n"},
                                           {.path = "./delivery.conf", .text = CONF},
                                           {.path = "./empty", .text = ""}};
    static const struct member folder[] = {{.path = "spring/", .type = AE_IFDIR},
                                           {.path = "spring/delivery.conf", .text = CONF},
                                           {.path = "spring/recipients.csv", .text = "id\n1\n"},
                                           {.path = "other/", .type = AE_IFDIR},
                                           {.path = "./spring/empty", .text = ""}};
    const struct {
        const struct member *members;
        size_t count;
    } cases[] = {{plain, COUNT(plain)}, {dotted, COUNT(dotted)}, {folder, COUNT(folder)}};
    int before = open_descriptors();
    for (size_t k = 0; k < COUNT(all_kinds); k++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct take_result result = {0, 0, false};
            struct err err = {""};
            int dst = target(place);
            int fd = pack(place, all_kinds[k], cases[i].members, cases[i].count);
            enum rc rc = take_package(fd, all_kinds[k], dst, &plenty, &result, &err);
            if (rc != RC_OK) {
                fail_msg("kind %d case %zu: %s", (int)all_kinds[k], i, err.text);
            }
            assert_int_equal(result.files, 3);
            assert_int_equal(result.bytes, strlen(CONF) + 5);
            assert_true(result.has_delivery_conf);
            assert_int_equal(names_in(dst), 3);
            assert_string_equal(text_of(dst, "delivery.conf"), CONF);
            assert_int_equal(mode_of(dst, "delivery.conf"), 0640);
            assert_string_equal(text_of(dst, "recipients.csv"), "id\n1\n");
            assert_int_equal(mode_of(dst, "recipients.csv"), 0600);
            (void)close(fd);
            (void)close(dst);
        }
    }
    assert_int_equal(open_descriptors(), before);
}

static void expect_refused(const struct place *place, enum drop_kind kind,
                           const struct member *members, size_t count, const char *part)
{
    struct take_result result = {0, 0, false};
    struct err err = {""};
    int dst = target(place);
    int fd = pack(place, kind, members, count);
    enum rc rc = take_package(fd, kind, dst, &plenty, &result, &err);
    if (rc != RC_PERM || strstr(err.text, part) == NULL) {
        fail_msg("kind %d: %s \"%s\" lacks \"%s\"", (int)kind, rc_name(rc), err.text, part);
    }
    assert_false(fs_exists(place->fd, "evil"));
    (void)close(fd);
    (void)close(dst);
}

static void take_package__member_outside_or_odd__is_refused_by_name(void **state)
{
    struct place *place = *state;
    static const struct {
        struct member member;
        const char *part;
    } cases[] = {
        {{.path = "../evil", .text = "x"}, "../evil: leads out"},
        {{.path = "a/../../evil", .text = "x"}, "leads out"},
        {{.path = "..", .text = "x"}, "leads out"},
        {{.path = "/tmp/evil", .text = "x"}, "/tmp/evil: leads out"},
        {{.path = "a/b/c", .text = "x"}, "a/b/c: lies in a folder inside"},
        {{.path = "a/c", .text = "x"}, "a/c: lies in another folder"},
        {{.path = ".hidden", .text = "x"}, ".hidden: is a hidden file"},
        {{.path = "-rf", .text = "x"}, "begins with '-'"},
        {{.path = "a\nb", .text = "x"}, "a\\x0ab: has a slash"},
        {{.path = "journal", .text = "x"}, "journal: has a name that postroom keeps"},
        {{.path = "delivery.conf", .text = "x"}, "delivery.conf: is in the package twice"},
        {{.path = "link", .type = AE_IFLNK, .link = "/etc/passwd"}, "link: is a symbolic link"},
    };
    for (size_t k = 0; k < COUNT(all_kinds); k++) {
        for (size_t i = 0; i < COUNT(cases); i++) {
            const struct member members[] = {{.path = "delivery.conf", .text = CONF},
                                             cases[i].member};
            expect_refused(place, all_kinds[k], members, 2, cases[i].part);
        }
    }
    static const struct {
        struct member member;
        const char *part;
    } tar_only[] = {
        {{.path = "back\\slash", .text = "x"},
         "has a slash"}, /* libarchive's zip makes it a folder */
        {{.path = "hard", .link = "=delivery.conf"}, "hard: is a hard link"},
        {{.path = "fifo", .type = AE_IFIFO}, "fifo: is a FIFO"},
        {{.path = "null", .type = AE_IFCHR}, "null: is a device"},
        {{.path = "sda", .type = AE_IFBLK}, "sda: is a device"},
    };
    for (size_t i = 0; i < COUNT(tar_only); i++) {
        const struct member members[] = {{.path = "delivery.conf", .text = CONF},
                                         tar_only[i].member};
        expect_refused(place, DROP_TAR, members, 2, tar_only[i].part);
    }
}

static void take_package__without_delivery_conf__is_refused(void **state)
{
    struct place *place = *state;
    static const struct member members[] = {{.path = "recipients.csv", .text = "id\n1\n"}};
    for (size_t k = 0; k < COUNT(all_kinds); k++) {
        expect_refused(place, all_kinds[k], members, 1, "delivery.conf: is missing");
    }
}

static void take_package__encrypted_zip__is_refused(void **state)
{
    struct place *place = *state;
    int fd = -1;
    static const struct member member = {.path = "delivery.conf"};
    struct archive *archive = open_writer(place, DROP_ZIP, &fd);
    if (archive_write_set_options(archive, "zip:encryption=zipcrypt") != ARCHIVE_OK ||
        archive_write_set_passphrase(archive, "secret") != ARCHIVE_OK) {
        (void)archive_write_free(archive);
        (void)close(fd);
        skip_unless(false, "this libarchive cannot encrypt");
    }
    assert_int_equal(archive_write_open_fd(archive, fd), ARCHIVE_OK);
    write_member(archive, &member, CONF, strlen(CONF));
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    (void)archive_write_free(archive);
    struct take_result result;
    struct err err = {""};
    int dst = target(place);
    assert_int_equal(take_package(fd, DROP_ZIP, dst, &plenty, &result, &err), RC_PERM);
    assert_non_null(strstr(err.text, "delivery.conf: is encrypted"));
    (void)close(fd);
    (void)close(dst);
}

/* Random bytes, so that no package shrinks and every cut hits something. */
static void fill_noise(char *bytes, size_t len)
{
    uint32_t seed = 12345;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525U + 1013904223U;
        bytes[i] = (char)('0' + (seed >> 24) % 75);
    }
}

static void take_package__cut_anywhere__is_refused(void **state)
{
    struct place *place = *state;
    static char noise[3000];
    fill_noise(noise, sizeof noise - 1);
    const struct member members[] = {{.path = "delivery.conf", .text = CONF},
                                     {.path = "recipients.csv", .text = noise}};
    for (size_t k = 0; k < COUNT(all_kinds); k++) {
        int fd = pack(place, all_kinds[k], members, 2);
        off_t size = lseek(fd, 0, SEEK_END);
        off_t first = all_kinds[k] == DROP_TAR ? size - 512 : size - 1; /* record by record */
        /* Of a plain tar only the padding after its end mark may be missing. */
        off_t whole = all_kinds[k] == DROP_TAR ? 512 + 512 + 512 + 3072 + 512 : size;
        for (off_t cut = first; cut >= 0; cut -= cut > 5200 ? 512 : cut > 700 ? 32 : 7) {
            struct take_result result;
            struct err err = {""};
            int dst = target(place);
            assert_int_equal(ftruncate(fd, cut), 0);
            enum rc rc = take_package(fd, all_kinds[k], dst, &plenty, &result, &err);
            if (cut < whole && rc != RC_CORRUPT) {
                fail_msg("kind %d cut at %ld: %s %s", (int)all_kinds[k], (long)cut, rc_name(rc),
                         err.text);
            }
            (void)close(dst);
        }
        (void)close(fd);
    }
}

/* Flipped bits: never taken as something else (a plain tar has no checksum over its data). */
static void take_package__damaged__is_refused_or_equal(void **state)
{
    struct place *place = *state;
    static char noise[3000];
    fill_noise(noise, sizeof noise - 1);
    const struct member members[] = {{.path = "delivery.conf", .text = CONF},
                                     {.path = "recipients.csv", .text = noise}};
    static const enum drop_kind kinds[] = {DROP_TAR_GZ, DROP_ZIP};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        int fd = pack(place, kinds[k], members, 2);
        off_t size = lseek(fd, 0, SEEK_END);
        for (off_t at = 0; at < size; at += 5) {
            char byte = 0;
            struct take_result result;
            int dst = target(place);
            assert_int_equal(pread(fd, &byte, 1, at), 1);
            byte = (char)(byte ^ 0x10);
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            enum rc rc = take_package(fd, kinds[k], dst, &plenty, &result, NULL);
            if (rc == RC_OK) { /* a time stamp, an attribute, a comment */
                assert_string_equal(text_of(dst, "delivery.conf"), CONF);
                const char *text = text_of(dst, "recipients.csv");
                assert_true(text != NULL ||
                            kinds[k] == DROP_ZIP); /* a zip's names have no checksum */
                assert_true(text == NULL || strcmp(text, noise) == 0);
            }
            byte = (char)(byte ^ 0x10);
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            (void)close(dst);
        }
        (void)close(fd);
    }
}

static void take_package__not_of_that_kind__is_refused(void **state)
{
    struct place *place = *state;
    static const struct member members[] = {{.path = "delivery.conf", .text = CONF}};
    for (size_t made = 0; made < COUNT(all_kinds); made++) {
        for (size_t named = 0; named < COUNT(all_kinds); named++) {
            struct take_result result;
            struct err err = {""};
            int dst = target(place);
            int fd = pack(place, all_kinds[made], members, 1);
            enum rc rc = take_package(fd, all_kinds[named], dst, &plenty, &result, &err);
            assert_int_equal(rc, made == named ? RC_OK : RC_CORRUPT);
            (void)close(fd);
            (void)close(dst);
        }
    }
    for (size_t k = 0; k < COUNT(all_kinds); k++) {
        struct take_result result;
        int dst = target(place);
        put_text(place->fd, "p", k % 2 == 0 ? "" : "no package at all\n");
        int fd = openat(place->fd, "p", O_RDONLY | O_CLOEXEC);
        assert_int_equal(take_package(fd, all_kinds[k], dst, &plenty, &result, NULL), RC_CORRUPT);
        (void)close(fd);
        (void)close(dst);
    }
}

static void take_package__more_after_the_end__is_refused(void **state)
{
    struct place *place = *state;
    static const struct member members[] = {{.path = "delivery.conf", .text = CONF}};
    static const enum drop_kind kinds[] = {DROP_TAR, DROP_TAR_GZ, DROP_TAR_ZST};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        struct take_result result;
        int dst = target(place);
        int fd = pack(place, kinds[k], members, 1);
        char whole[65536];
        ssize_t size = pread(fd, whole, sizeof whole, 0);
        /* The same package once more behind it: tar, and both packers, would join them. */
        assert_int_equal(pwrite(fd, whole, (size_t)size, size), size);
        assert_int_equal(take_package(fd, kinds[k], dst, &plenty, &result, NULL), RC_CORRUPT);
        (void)close(fd);
        (void)close(dst);
    }
}

static void take_package__more_than_the_limit__is_refused(void **state)
{
    struct place *place = *state;
    static const struct member members[] = {{.path = "delivery.conf", .text = CONF},
                                            {.path = "a", .text = "12345"}};
    uint64_t exact = strlen(CONF) + 5;
    for (size_t k = 0; k < COUNT(all_kinds); k++) {
        for (int less = 0; less <= 1; less++) {
            struct take_result result;
            const struct take_limits limits = {.total_bytes = exact - (uint64_t)less};
            int dst = target(place);
            int fd = pack(place, all_kinds[k], members, 2);
            assert_int_equal(take_package(fd, all_kinds[k], dst, &limits, &result, NULL),
                             less ? RC_RANGE : RC_OK);
            (void)close(fd);
            (void)close(dst);
        }
    }
}

static void take_package__bomb__is_stopped_at_the_ratio(void **state)
{
    struct place *place = *state;
    static const enum drop_kind kinds[] = {DROP_TAR_GZ, DROP_TAR_ZST, DROP_ZIP};
    static char zeros[1 << 20];
    static const struct member conf = {.path = "delivery.conf"};
    static const struct member bomb = {.path = "bomb.csv"};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        int fd = -1;
        struct take_result result;
        struct err err = {""};
        struct archive *archive = open_writer(place, kinds[k], &fd);
        assert_int_equal(archive_write_open_fd(archive, fd), ARCHIVE_OK);
        write_member(archive, &conf, CONF, strlen(CONF));
        struct archive_entry *entry = archive_entry_new();
        archive_entry_copy_pathname(entry, bomb.path);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, (la_int64_t)200 << 20);
        assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
        for (int i = 0; i < 200; i++) {
            assert_int_equal(archive_write_data(archive, zeros, sizeof zeros), sizeof zeros);
        }
        archive_entry_free(entry);
        assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
        (void)archive_write_free(archive);
        int dst = target(place);
        assert_int_equal(take_package(fd, kinds[k], dst, &plenty, &result, &err), RC_RANGE);
        assert_non_null(strstr(err.text, "times its size"));
        struct stat status;
        assert_int_equal(fstatat(dst, "bomb.csv", &status, 0), 0);
        assert_true((uint64_t)status.st_size <= TAKE_RATIO_FREE_BYTES + ((uint64_t)40 << 20));
        (void)close(fd);
        (void)close(dst);
    }
}

static void take_package__too_many_members__is_refused(void **state)
{
    struct place *place = *state;
    for (int extra = 0; extra <= 1; extra++) {
        int fd = -1;
        struct take_result result;
        struct archive *archive = open_writer(place, DROP_TAR_GZ, &fd);
        assert_int_equal(archive_write_open_fd(archive, fd), ARCHIVE_OK);
        for (int i = 0; i < DROP_FILES_MAX + extra; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "f%d", i);
            const struct member member = {.path = i == 0 ? "delivery.conf" : name};
            write_member(archive, &member, "x", 1);
        }
        assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
        (void)archive_write_free(archive);
        int dst = target(place);
        assert_int_equal(take_package(fd, DROP_TAR_GZ, dst, &plenty, &result, NULL),
                         extra ? RC_RANGE : RC_OK);
        (void)close(fd);
        (void)close(dst);
    }
    /* Folders alone are counted too. */
    int fd = -1;
    struct take_result result;
    struct archive *archive = open_writer(place, DROP_TAR_GZ, &fd);
    assert_int_equal(archive_write_open_fd(archive, fd), ARCHIVE_OK);
    for (int i = 0; i <= 2 * DROP_FILES_MAX; i++) {
        const struct member member = {.path = "folder/", .type = AE_IFDIR};
        write_member(archive, &member, "", 0);
    }
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    (void)archive_write_free(archive);
    int dst = target(place);
    assert_int_equal(take_package(fd, DROP_TAR_GZ, dst, &plenty, &result, NULL), RC_RANGE);
    (void)close(fd);
    (void)close(dst);
}

/* A zip whose directory has more entries than anybody needs: refused before it is held in memory.
 */
static void take_package__zip_with_a_huge_directory__is_refused(void **state)
{
    struct place *place = *state;
    int fd = -1;
    struct take_result result;
    struct err err = {""};
    char padding[201];
    memset(padding, 'p', sizeof padding - 1);
    padding[sizeof padding - 1] = '\0';
    struct archive *archive = open_writer(place, DROP_ZIP, &fd);
    assert_int_equal(archive_write_open_fd(archive, fd), ARCHIVE_OK);
    for (int i = 0; i < 36000; i++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%s%d", padding, i);
        const struct member member = {.path = name};
        write_member(archive, &member, "", 0);
    }
    assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
    (void)archive_write_free(archive);
    int dst = target(place);
    assert_int_equal(take_package(fd, DROP_ZIP, dst, &plenty, &result, &err), RC_RANGE);
    assert_non_null(strstr(err.text, "directory is larger"));
    (void)close(fd);
    (void)close(dst);
}

static void take_package__disk_full_link_or_filled_target__says_so(void **state)
{
    struct place *place = *state;
    static const struct member members[] = {{.path = "delivery.conf", .text = CONF}};
    struct take_result result;
    int dst = target(place);
    int fd = pack(place, DROP_TAR, members, 1);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    assert_int_equal(take_package(fd, DROP_TAR, dst, &plenty, &result, NULL), RC_TEMP);
    fault_clear();
    assert_int_equal(take_package(fd, DROP_TAR, dst, &plenty, &result, NULL), RC_EXISTS);
    (void)close(dst);
    dst = target(place);
    fault_at(FAULT_CLOSE, 1, EIO, FAULT_ONCE);
    assert_int_equal(take_package(fd, DROP_TAR, dst, &plenty, &result, NULL), RC_IO);
    fault_clear();
    (void)close(dst);
    dst = target(place);
    assert_int_equal(linkat(place->fd, "p", place->fd, "q", 0), 0);
    assert_int_equal(take_package(fd, DROP_TAR, dst, &plenty, &result, NULL), RC_PERM);
    (void)close(fd);
    (void)close(dst);
}

/* Names beyond ASCII, as the packers of the world write them. */
static void take_package__accents__arrive_as_utf8(void **state)
{
    struct place *place = *state;
    char command[1024];
    (void)snprintf(
        command, sizeof command,
        "cd %s && python3 -c '\n"
        "import tarfile, zipfile, io\n"
        "n = chr(233) + \"t\" + chr(233) + \".csv\"\n"
        "for f, name in ((tarfile.PAX_FORMAT, \"pax\"), (tarfile.GNU_FORMAT, \"gnu\")):\n"
        "    t = tarfile.open(name, \"w\", format=f, encoding=\"utf-8\")\n"
        "    for m in (n, \"delivery.conf\"):\n"
        "        i = tarfile.TarInfo(m); i.size = 2; t.addfile(i, io.BytesIO(b\"x\\n\"))\n"
        "    t.close()\n"
        "z = zipfile.ZipFile(\"zip\", \"w\", zipfile.ZIP_DEFLATED)\n"
        "z.writestr(n, \"x\\n\"); z.writestr(\"delivery.conf\", \"x\\n\"); z.close()\n"
        "' 2>/dev/null",
        place->path);
    skip_unless(system(command) == 0, "no python3 to pack with");
    static const char *const names[] = {"pax", "gnu", "zip"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct take_result result;
        struct err err = {""};
        int dst = target(place);
        int fd = openat(place->fd, names[i], O_RDONLY | O_CLOEXEC);
        enum rc rc = take_package(fd, i == 2 ? DROP_ZIP : DROP_TAR, dst, &plenty, &result, &err);
        if (rc != RC_OK) {
            fail_msg("%s: %s", names[i], err.text);
        }
        assert_string_equal(text_of(dst, "\xc3\xa9t\xc3\xa9.csv"), "x\n");
        (void)close(fd);
        (void)close(dst);
    }
}

/* ---- directories ---- */

static int source(const struct place *place)
{
    enum rc gone = fs_remove_tree(place->fd, "src", NULL);
    assert_true(gone == RC_OK || gone == RC_GONE);
    assert_int_equal(mkdirat(place->fd, "src", 0700), 0);
    int fd = openat(place->fd, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put_text(fd, "delivery.conf", CONF);
    put_text(fd, "recipients.csv", "id\n1\n");
    return fd;
}

static void take_directory__good__copies_with_modes(void **state)
{
    struct place *place = *state;
    struct take_result result = {0, 0, false};
    int before = open_descriptors();
    int src = source(place);
    int dst = target(place);
    assert_int_equal(take_directory(src, dst, &plenty, &result, NULL), RC_OK);
    assert_int_equal(result.files, 2);
    assert_int_equal(result.bytes, strlen(CONF) + 5);
    assert_string_equal(text_of(dst, "recipients.csv"), "id\n1\n");
    assert_int_equal(mode_of(dst, "recipients.csv"), 0600);
    assert_int_equal(mode_of(dst, "delivery.conf"), 0640);
    assert_int_equal(names_in(src), 2);
    assert_int_equal(take_directory(src, dst, &plenty, &result, NULL), RC_EXISTS);
    (void)close(src);
    (void)close(dst);
    assert_int_equal(open_descriptors(), before);
}

static void take_directory__sparse_or_large__meets_the_limit(void **state)
{
    struct place *place = *state;
    struct take_result result;
    int src = source(place);
    int dst = target(place);
    const struct take_limits exact = {.total_bytes = strlen(CONF) + 5};
    const struct take_limits less = {.total_bytes = strlen(CONF) + 4};
    assert_int_equal(take_directory(src, dst, &less, &result, NULL), RC_RANGE);
    assert_int_equal(take_directory(src, dst, &exact, &result, NULL), RC_OK);
    int fd = openat(src, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, (off_t)8 << 40), 0);
    (void)close(fd);
    (void)close(dst);
    dst = target(place);
    assert_int_equal(take_directory(src, dst, &plenty, &result, NULL), RC_RANGE);
    assert_int_equal(names_in(dst), 0); /* nothing was read */
    (void)close(src);
    (void)close(dst);
}

static void take_directory__without_delivery_conf_or_with_a_link__is_refused(void **state)
{
    struct place *place = *state;
    struct take_result result;
    int src = source(place);
    int dst = target(place);
    assert_int_equal(unlinkat(src, "delivery.conf", 0), 0);
    assert_int_equal(take_directory(src, dst, &plenty, &result, NULL), RC_PERM);
    (void)close(dst);
    dst = target(place);
    assert_int_equal(symlinkat("/etc/passwd", src, "delivery.conf"), 0);
    assert_int_equal(take_directory(src, dst, &plenty, &result, NULL), RC_PERM);
    assert_int_equal(names_in(dst), 0);
    (void)close(src);
    (void)close(dst);
}

static int touched_fd = -1;
static ssize_t (*real_write)(int fd, const void *bytes, size_t len);

/* A writer that is quicker than us: it adds to the source between our read and our second look. */
static ssize_t write_and_touch(int fd, const void *bytes, size_t len)
{
    ssize_t ignored = write(touched_fd, "2\n", 2);
    (void)ignored;
    return real_write(fd, bytes, len);
}

/* The same size, another time: somebody wrote over what was copied. */
static ssize_t write_and_set_time(int fd, const void *bytes, size_t len)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000}};
    (void)!futimens(touched_fd, times);
    return real_write(fd, bytes, len);
}

static void take_files__overwritten_meanwhile__is_tried_later(void **state)
{
    struct place *place = *state;
    struct take_result result;
    struct err err = {""};
    int src = source(place);
    int dst = target(place);
    touched_fd = openat(src, "recipients.csv", O_WRONLY | O_CLOEXEC);
    real_write = sys_calls.write;
    sys_calls.write = write_and_set_time;
    enum rc rc = take_directory(src, dst, &plenty, &result, &err);
    sys_calls_reset();
    assert_int_equal(rc, RC_TEMP);
    assert_non_null(strstr(err.text, "still changing"));
    (void)close(touched_fd);
    (void)close(src);
    (void)close(dst);
}

static void take_files__changing_meanwhile__is_tried_later(void **state)
{
    struct place *place = *state;
    struct take_result result;
    struct err err = {""};
    struct drop_files files = DROP_FILES_EMPTY;
    int src = source(place);
    int dst = target(place);
    assert_int_equal(drop_open_files(src, &files, NULL), RC_OK);
    touched_fd = openat(src, "recipients.csv", O_WRONLY | O_APPEND | O_CLOEXEC);
    real_write = sys_calls.write;
    sys_calls.write = write_and_touch;
    enum rc rc = take_files(&files, dst, &plenty, NULL, &result, &err);
    sys_calls_reset();
    assert_int_equal(rc, RC_TEMP);
    assert_non_null(strstr(err.text, "recipients.csv: is still changing"));
    (void)close(touched_fd);
    (void)close(dst);
    /* The same descriptors again, their offsets at the end: everything is copied all the same. */
    dst = target(place);
    assert_int_equal(take_files(&files, dst, &plenty, NULL, &result, NULL), RC_OK);
    assert_string_equal(text_of(dst, "delivery.conf"), CONF);
    fault_at(FAULT_WRITE, 1, ENOSPC, FAULT_ONCE);
    (void)close(dst);
    dst = target(place);
    assert_int_equal(take_files(&files, dst, &plenty, NULL, &result, NULL), RC_TEMP);
    fault_clear();
    drop_files_release(&files);
    (void)close(src);
    (void)close(dst);
}

static void take_files__the_largest_is_begun__read_by_somebody_and_finished(void **state)
{
    struct place *place = *state;
    struct take_result result;
    struct take_copy last = TAKE_COPY_NONE;
    struct drop_files files = DROP_FILES_EMPTY;
    struct err err = {""};
    char large[3 * 4096 + 1];
    char part[100];
    size_t got = 0;
    int before = open_descriptors();
    int src = source(place);
    int dst = target(place);
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    put_text(src, "large", large);
    assert_int_equal(drop_open_files(src, &files, NULL), RC_OK);
    assert_int_equal(take_files(&files, dst, &plenty, &last, &result, NULL), RC_OK);
    assert_int_equal(result.files, 3);
    assert_int_equal(result.bytes, strlen(CONF) + 5 + strlen(large));
    assert_string_equal(last.name, "large");
    assert_string_equal(text_of(dst, "recipients.csv"), "id\n1\n");
    assert_string_equal(text_of(dst, "large"), "");
    assert_int_equal(tee_read(&last.tee, part, sizeof part, &got, NULL), RC_OK);
    assert_int_equal(take_finish(&last, NULL), RC_OK);
    assert_string_equal(text_of(dst, "large"), large);
    assert_null(last.name);
    assert_int_equal(take_finish(&last, NULL), RC_OK);
    /* What changed while it was read is told, once. */
    for (int kind = 0; kind < 2; kind++) {
        (void)close(dst);
        dst = target(place);
        assert_int_equal(take_files(&files, dst, &plenty, &last, &result, NULL), RC_OK);
        int fd = openat(src, "large", O_WRONLY | O_CLOEXEC);
        assert_int_equal(kind == 0 ? pwrite(fd, "y", 1, 9000) : ftruncate(fd, 9000), kind == 0);
        const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000 + kind}};
        assert_int_equal(futimens(fd, times), 0);
        (void)close(fd);
        assert_int_equal(take_finish(&last, &err), RC_TEMP);
        assert_string_equal(err.text, "large: is still changing");
        assert_int_equal(take_finish(&last, NULL), RC_OK);
    }
    drop_files_release(&files);
    (void)close(src);
    (void)close(dst);
    assert_int_equal(open_descriptors(), before);
}

/* ---- inside a confined worker, as the engine runs it ---- */

struct job {
    int package;
    int dst;
    enum drop_kind kind;
    struct drop_files *files;
};

static int take_in_worker(void *ctx, int report_fd)
{
    struct job *job = ctx;
    struct take_result result;
    struct err err = {""};
    enum rc rc = job->files != NULL
                     ? take_files(job->files, job->dst, &plenty, NULL, &result, &err)
                     : take_package(job->package, job->kind, job->dst, &plenty, &result, &err);
    ssize_t wrote = write(report_fd, err.text, strlen(err.text));
    (void)wrote;
    return (int)rc;
}

static void run_in_worker(struct job *job, const int *keep, size_t keep_count)
{
    struct worker worker = WORKER_NONE;
    int status = -1;
    const struct worker_dir dir = {job->dst, WORKER_WRITE};
    const struct worker_options options = {.name = "pr-intake",
                                           .keep_fds = keep,
                                           .keep_count = keep_count,
                                           .dirs = &dir,
                                           .dir_count = 1,
                                           .memory_bytes = (uint64_t)256 << 20,
                                           .body = take_in_worker,
                                           .ctx = job};
    assert_int_equal(worker_start(&options, &worker, NULL), RC_OK);
    assert_int_equal(worker_wait(&worker, &status, NULL), RC_OK);
    if (status != 0) {
        char text[ERR_TEXT_BYTES] = "";
        char end[WORKER_END_BYTES];
        ssize_t got = read(worker.report_fd, text, sizeof text - 1);
        (void)got;
        fail_msg("kind %d: %s: %s", (int)job->kind, worker_end_text(status, end), text);
    }
    worker_release(&worker);
}

static void take__in_a_confined_worker__works_for_every_kind(void **state)
{
    struct place *place = *state;
    static const struct member members[] = {{.path = "delivery.conf", .text = CONF},
                                            {.path = "caf\xc3\xa9.csv", .text = "id\n1\n"}};
    for (size_t k = 0; k < COUNT(all_kinds); k++) {
        struct job job = {.kind = all_kinds[k], .dst = target(place)};
        job.package = pack(place, all_kinds[k], members, 2);
        const int keep[] = {job.package, job.dst};
        run_in_worker(&job, keep, 2);
        assert_string_equal(text_of(job.dst, "caf\xc3\xa9.csv"), "id\n1\n");
        (void)close(job.package);
        (void)close(job.dst);
    }
    struct drop_files files = DROP_FILES_EMPTY;
    struct job job = {.kind = DROP_DIR, .dst = target(place), .files = &files};
    int src = source(place);
    assert_int_equal(drop_open_files(src, &files, NULL), RC_OK);
    const int keep[] = {job.dst, files.files[0].fd, files.files[1].fd};
    run_in_worker(&job, keep, 3);
    assert_string_equal(text_of(job.dst, "recipients.csv"), "id\n1\n");
    drop_files_release(&files);
    (void)close(src);
    (void)close(job.dst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(take_package__plain_or_in_one_folder__is_taken),
        with_place(take_package__member_outside_or_odd__is_refused_by_name),
        with_place(take_package__without_delivery_conf__is_refused),
        with_place(take_package__encrypted_zip__is_refused),
        with_place(take_package__cut_anywhere__is_refused),
        with_place(take_package__damaged__is_refused_or_equal),
        with_place(take_package__not_of_that_kind__is_refused),
        with_place(take_package__more_after_the_end__is_refused),
        with_place(take_package__more_than_the_limit__is_refused),
        with_place(take_package__bomb__is_stopped_at_the_ratio),
        with_place(take_package__too_many_members__is_refused),
        with_place(take_package__zip_with_a_huge_directory__is_refused),
        with_place(take_package__disk_full_link_or_filled_target__says_so),
        with_place(take_package__accents__arrive_as_utf8),
        with_place(take_directory__good__copies_with_modes),
        with_place(take_directory__sparse_or_large__meets_the_limit),
        with_place(take_directory__without_delivery_conf_or_with_a_link__is_refused),
        with_place(take_files__overwritten_meanwhile__is_tried_later),
        with_place(take_files__changing_meanwhile__is_tried_later),
        with_place(take_files__the_largest_is_begun__read_by_somebody_and_finished),
        with_place(take__in_a_confined_worker__works_for_every_kind),
    };
    return cmocka_run_group_tests_name("spool/take", tests, NULL, NULL);
}
