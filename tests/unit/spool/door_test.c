/*
 * door, drop - what is looked at, when it is complete, and what may be taken
 */
#include "unit/sys/support.h"

#include "base/instant.h"
#include "spool/door.h"
#include "spool/drop.h"
#include "sys/clock.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

/* One drop as it was told, kept beyond the callback. */
struct told {
    char name[256];
    char fault[DOOR_FAULT_BYTES];
    struct drop drop;
};

struct scan_result {
    struct told told[64];
    int count;
};

static enum rc keep(void *ctx, const struct drop *drop)
{
    struct scan_result *result = ctx;
    if (result->count < 64) {
        struct told *told = &result->told[result->count];
        told->drop = *drop;
        (void)snprintf(told->name, sizeof told->name, "%s", drop->name);
        (void)snprintf(told->fault, sizeof told->fault, "%s", drop->fault);
    }
    result->count++;
    return RC_OK;
}

/* What the door says about its only drop at that age, in nanoseconds after now. */
static struct told look(const struct place *place, bool wants_deliveries, int64_t later_ns,
                        const struct door_moves *moves)
{
    struct scan_result result = {.count = 0};
    const struct door_options options = {.now_ns = clock_now_ns() + later_ns,
                                         .settle_ns = DOOR_SETTLE_DEFAULT_NS,
                                         .wants_deliveries = wants_deliveries,
                                         .moves = moves};
    assert_int_equal(door_scan(place->fd, &options, keep, &result, NULL), RC_OK);
    assert_int_equal(result.count, 1);
    return result.told[0];
}

#define SETTLED (3 * NS_PER_SECOND)

static void make_drop(const struct place *place, const char *id)
{
    char name[300];
    assert_int_equal(mkdirat(place->fd, id, 0755), 0);
    (void)snprintf(name, sizeof name, "%s/delivery.conf", id);
    put_text(place->fd, name, "channel = \"mail\";\n");
    (void)snprintf(name, sizeof name, "%s/recipients.csv", id);
    put_text(place->fd, name, "id\n1\n");
}

static void door_scan__names_of_uploads__are_not_looked_at(void **state)
{
    struct place *place = *state;
    static const char *const names[] = {".x", "a.tmp", "a.part", "a.filepart",
                                        "a~", ".",     "..",     "~"};
    struct scan_result result = {.count = 0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_true(door_is_passed_over(names[i]));
        (void)mkdirat(place->fd, names[i], 0700);
    }
    assert_false(door_is_passed_over("part"));
    assert_false(door_is_passed_over("tmp"));
    const struct door_options options = {.now_ns = clock_now_ns() + SETTLED,
                                         .wants_deliveries = true};
    assert_int_equal(door_scan(place->fd, &options, keep, &result, NULL), RC_OK);
    assert_int_equal(result.count, 0);
}

static void door_scan__directory__is_complete_when_settled(void **state)
{
    struct place *place = *state;
    make_drop(place, "spring");
    struct told told = look(place, true, 0, NULL);
    assert_false(told.drop.is_complete);
    assert_true(told.drop.next_look_ns > told.drop.ctime_ns);
    assert_int_equal(told.drop.next_look_ns, told.drop.ctime_ns + DOOR_SETTLE_DEFAULT_NS);
    told = look(place, true, SETTLED, NULL);
    assert_true(told.drop.is_complete);
    assert_string_equal(told.fault, "");
    assert_int_equal(told.drop.kind, DROP_DIR);
    assert_string_equal(told.drop.id, "spring");
    assert_int_equal(told.drop.size_bytes, 23);
    assert_int_equal(told.drop.uid, geteuid());
    assert_false(told.drop.is_stuck);
}

/* The directory is old; a file in it was just written to. */
static void door_scan__file_inside_still_written__waits(void **state)
{
    struct place *place = *state;
    make_drop(place, "spring");
    struct scan_result result = {.count = 0};
    struct stat status;
    struct stat top;
    int tries = 0;
    do { /* until the file system's clock ticks: some milliseconds */
        assert_int_equal(fchmodat(place->fd, "spring/recipients.csv", 0600, 0), 0);
        assert_int_equal(fstatat(place->fd, "spring/recipients.csv", &status, 0), 0);
        assert_int_equal(fstatat(place->fd, "spring", &top, 0), 0);
    } while (status.st_ctim.tv_sec == top.st_ctim.tv_sec &&
             status.st_ctim.tv_nsec == top.st_ctim.tv_nsec && ++tries < 10000000);
    int64_t at = (int64_t)status.st_ctim.tv_sec * NS_PER_SECOND + status.st_ctim.tv_nsec;
    const struct door_options options = {
        .now_ns = at + 1000, .settle_ns = 1000, .wants_deliveries = true};
    assert_int_equal(door_scan(place->fd, &options, keep, &result, NULL), RC_OK);
    assert_true(result.told[0].drop.is_complete);
    const struct door_options sooner = {
        .now_ns = at + 999, .settle_ns = 1000, .wants_deliveries = true};
    assert_int_equal(door_scan(place->fd, &sooner, keep, &result, NULL), RC_OK);
    assert_false(result.told[1].drop.is_complete);
}

static void door_scan__arrived_by_rename__is_complete_at_once(void **state)
{
    struct place *place = *state;
    struct door_moves *moves = NULL;
    assert_int_equal(door_moves_open(&moves, NULL), RC_OK);
    make_drop(place, "spring");
    assert_false(look(place, true, 0, moves).drop.is_complete);
    door_moves_add(moves, "spring");
    door_moves_add(moves, "spring");
    assert_true(look(place, true, 0, moves).drop.is_complete);
    /* ... but never without delivery.conf. */
    assert_int_equal(unlinkat(place->fd, "spring/delivery.conf", 0), 0);
    assert_false(look(place, true, 0, moves).drop.is_complete);
    door_moves_remove(moves, "spring");
    door_moves_remove(moves, "spring");
    assert_false(door_moves_has(moves, "spring"));
    char name[32];
    for (int i = 0; i <= DOOR_MOVES_MAX; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        door_moves_add(moves, name);
    }
    assert_false(door_moves_has(moves, name)); /* one too many is forgotten */
    assert_true(door_moves_has(moves, "n0"));
    door_moves_free(moves);
    door_moves_free(NULL);
}

static void door_scan__no_delivery_conf__waits_an_hour(void **state)
{
    struct place *place = *state;
    assert_int_equal(mkdirat(place->fd, "spring", 0755), 0);
    struct told told = look(place, true, SETTLED, NULL);
    assert_false(told.drop.is_complete);
    int64_t now_ns = clock_now_ns();
    assert_true(told.drop.next_look_ns > now_ns &&
                told.drop.next_look_ns <= now_ns + SETTLED + 60 * NS_PER_SECOND);
    told = look(place, true, DOOR_GIVE_UP_NS - NS_PER_SECOND, NULL);
    assert_false(told.drop.is_complete);
    told = look(place, true, DOOR_GIVE_UP_NS + NS_PER_SECOND, NULL);
    assert_true(told.drop.is_complete);
    assert_non_null(strstr(told.fault, "incomplete"));
}

static void door_scan__file_inside_named_part__waits_an_hour(void **state)
{
    struct place *place = *state;
    make_drop(place, "spring");
    put_text(place->fd, "spring/big.csv.filepart", "half");
    assert_false(look(place, true, SETTLED, NULL).drop.is_complete);
    struct told told = look(place, true, DOOR_GIVE_UP_NS + NS_PER_SECOND, NULL);
    assert_true(told.drop.is_complete);
    assert_non_null(strstr(told.fault, ".part"));
}

/* Times from before the clock was set back by a day. */
static void door_scan__stamped_in_the_future__counts_as_settled(void **state)
{
    struct place *place = *state;
    make_drop(place, "spring");
    assert_true(look(place, true, -86400 * NS_PER_SECOND, NULL).drop.is_complete);
}

static void door_scan__names_and_kinds(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *name;
        enum drop_kind kind;
        const char *id;
    } cases[] = {{"a.tar", DROP_TAR, "a"},    {"a.b.tar.gz", DROP_TAR_GZ, "a.b"},
                 {"a.tgz", DROP_TAR_GZ, "a"}, {"a.tar.zst", DROP_TAR_ZST, "a"},
                 {"a.zip", DROP_ZIP, "a"},    {"a.csv", DROP_FILE, ""},
                 {".tar", DROP_TAR, ""},      {"-a.zip", DROP_ZIP, ""},
                 {"a b.zip", DROP_ZIP, ""},   {"zip", DROP_FILE, ""},
                 {"a.ZIP", DROP_FILE, ""}};
    char id[ID_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(drop_kind_of(cases[i].name, id), cases[i].kind);
        assert_string_equal(id, cases[i].id);
    }
    char longest[ID_BYTES_MAX + 6];
    memset(longest, 'i', sizeof longest);
    memcpy(longest + ID_BYTES_MAX, ".zip", 5);
    assert_int_equal(drop_kind_of(longest, id), DROP_ZIP);
    assert_int_equal(strlen(id), ID_BYTES_MAX);
    memcpy(longest + ID_BYTES_MAX, "i.zip", 6);
    (void)drop_kind_of(longest, id);
    assert_string_equal(id, "");
    (void)place;
}

static void expect_fault(const struct place *place, bool wants_deliveries, const char *part)
{
    struct told told = look(place, wants_deliveries, SETTLED, NULL);
    assert_true(told.drop.is_complete);
    if (strstr(told.fault, part) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", told.fault, part);
    }
}

static void door_scan__what_cannot_be_a_drop__has_its_fault(void **state)
{
    struct place *place = *state;
    assert_int_equal(mkfifoat(place->fd, "fifo", 0600), 0);
    expect_fault(place, true, "no regular file");
    expect_fault(place, false, "no regular file");
    assert_int_equal(unlinkat(place->fd, "fifo", 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", place->fd, "link.tar"), 0);
    expect_fault(place, true, "no regular file");
    expect_fault(place, false, "no regular file");
    assert_int_equal(unlinkat(place->fd, "link.tar", 0), 0);
    put_text(place->fd, "notes.txt", "x");
    expect_fault(place, true, "is no delivery");
    expect_fault(place, false, "");
    assert_int_equal(unlinkat(place->fd, "notes.txt", 0), 0);
    make_drop(place, "a b");
    expect_fault(place, true, "no id");
    assert_int_equal(fs_remove_tree(place->fd, "a b", NULL), RC_OK);
    assert_int_equal(mkdirat(place->fd, "-rf", 0755), 0); /* no delivery.conf: its name is enough */
    expect_fault(place, true, "no id");
    expect_fault(place, false, "is a directory");
    assert_int_equal(fs_remove_tree(place->fd, "-rf", NULL), RC_OK);
    put_text(place->fd, "a\nb", "x");
    expect_fault(place, false, "control character");
    assert_int_equal(unlinkat(place->fd, "a\nb", 0), 0);
    put_text(place->fd, "\xff\xfe.zip", "x");
    expect_fault(place, true, "no id");
    expect_fault(place, false, "no UTF-8");
}

static enum rc stop(void *ctx, const struct drop *drop)
{
    (void)drop;
    ++*(int *)ctx;
    return RC_STATE;
}

static void door_scan__results(void **state)
{
    struct place *place = *state;
    int count = 0;
    const struct door_options options = {.now_ns = clock_now_ns(), .wants_deliveries = true};
    make_drop(place, "a");
    make_drop(place, "b");
    assert_int_equal(door_scan(place->fd, &options, stop, &count, NULL), RC_STATE);
    assert_int_equal(count, 1);
    fault_at(FAULT_OPEN, 1, EMFILE, FAULT_ONCE);
    assert_int_equal(door_scan(place->fd, &options, stop, &count, NULL), RC_TEMP);
    fault_at(FAULT_OPEN, 2, EMFILE, FAULT_ONCE);
    assert_int_equal(door_scan(place->fd, &options, stop, &count, NULL), RC_TEMP);
    fault_at(FAULT_OPEN, 1, EACCES, FAULT_ONCE);
    assert_int_equal(door_scan(place->fd, &options, stop, &count, NULL), RC_PERM);
    fault_at(FAULT_OPEN, 2, EACCES, FAULT_ONCE); /* a directory that we may not open */
    struct scan_result result = {.count = 0};
    assert_int_equal(door_scan(place->fd, &options, keep, &result, NULL), RC_OK);
    fault_clear();
    assert_int_equal(result.count, 2);
    assert_true(result.told[0].drop.is_stuck && result.told[0].drop.is_complete);
    assert_false(result.told[1].drop.is_stuck);
}

/* Without capabilities: directories and unreadable files of others stay. */
static void door_scan__drops_of_others__are_stuck_without_capabilities(void **state)
{
    struct place *place = *state;
    skip_unless(geteuid() == 0, "not root: cannot give drops away");
    assert_int_equal(chmod(place->path, 0777), 0);
    make_drop(place, "theirs");
    put_text(place->fd, "secret.tar", "x");
    assert_int_equal(fchmodat(place->fd, "secret.tar", 0600, 0), 0);
    put_text(place->fd, "open.tar", "x");
    pid_t child = fork();
    if (child == 0) {
        struct scan_result result = {.count = 0};
        const struct door_options options = {.now_ns = clock_now_ns() + SETTLED,
                                             .wants_deliveries = true};
        bool is_ok = setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0 &&
                     door_scan(place->fd, &options, keep, &result, NULL) == RC_OK &&
                     result.count == 3;
        for (int i = 0; is_ok && i < 3; i++) {
            bool is_open = strcmp(result.told[i].name, "open.tar") == 0;
            is_ok = result.told[i].drop.is_stuck == !is_open &&
                    (result.told[i].fault[0] == '\0') == is_open;
        }
        _exit(is_ok ? 0 : 1);
    }
    int code = 1;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

static enum rc count_complete(void *ctx, const struct drop *drop)
{
    *(int *)ctx += drop->is_complete;
    return RC_OK;
}

static void door_scan__ten_thousand_directories__is_quick(void **state)
{
    struct place *place = *state;
    char name[64];
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(name, sizeof name, "d%d", i);
        assert_int_equal(mkdirat(place->fd, name, 0700), 0);
        (void)snprintf(name, sizeof name, "d%d/delivery.conf", i);
        int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        (void)close(fd);
    }
    int complete = 0;
    const struct door_options options = {.now_ns = clock_now_ns() + SETTLED,
                                         .settle_ns = DOOR_SETTLE_DEFAULT_NS,
                                         .wants_deliveries = true};
    struct rusage before;
    struct rusage after;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    assert_int_equal(door_scan(place->fd, &options, count_complete, &complete, NULL), RC_OK);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_int_equal(complete, 10000);
    double used = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
                  (double)(after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                  (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6 +
                  (double)(after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    print_message("10,000 drops: %.3f s of processor time\n", used);
    assert_true(used < 2.0); /* 0.15 s on two idle cores; sanitizers and neighbours are slower */
}

/* ---- drop_check, drop_open_files ---- */

static void expect_refused(const struct place *place, const char *part)
{
    struct err err = {""};
    struct drop_files files = DROP_FILES_EMPTY;
    int fd = openat(place->fd, "drop", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int before = open_descriptors();
    assert_int_equal(drop_check(fd, NULL, &err), RC_PERM);
    if (strstr(err.text, part) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    }
    assert_int_equal(drop_open_files(fd, &files, &err), RC_PERM);
    assert_null(files.files);
    assert_int_equal(open_descriptors(), before);
    (void)close(fd);
}

static void drop_check__each_kind_of_file__has_its_reason(void **state)
{
    struct place *place = *state;
    make_drop(place, "drop");
    assert_int_equal(symlinkat("/etc/passwd", place->fd, "drop/z"), 0);
    expect_refused(place, "z: is a symbolic link");
    (void)unlinkat(place->fd, "drop/z", 0);
    assert_int_equal(mkfifoat(place->fd, "drop/z", 0600), 0);
    expect_refused(place, "z: is a FIFO");
    (void)unlinkat(place->fd, "drop/z", 0);
    assert_int_equal(mkdirat(place->fd, "drop/z", 0700), 0);
    expect_refused(place, "z: is a directory");
    (void)unlinkat(place->fd, "drop/z", AT_REMOVEDIR);
    assert_int_equal(linkat(place->fd, "drop/recipients.csv", place->fd, "drop/z", 0), 0);
    expect_refused(place, "recipients.csv: has 2 names");
    (void)unlinkat(place->fd, "drop/z", 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/z", place->path);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(renameat(place->fd, "z", place->fd, "drop/z"), 0);
    expect_refused(place, "z: is a socket");
    (void)unlinkat(place->fd, "drop/z", 0);
    (void)close(server);
}

static void drop_check__devices_and_files_of_others__are_refused(void **state)
{
    struct place *place = *state;
    skip_unless(geteuid() == 0, "not root: cannot make devices or give files away");
    make_drop(place, "drop");
    if (mknodat(place->fd, "drop/null", S_IFCHR | 0600, makedev(1, 3)) == 0) {
        expect_refused(place, "null: is a device");
        (void)unlinkat(place->fd, "drop/null", 0);
    }
    assert_int_equal(fchownat(place->fd, "drop/recipients.csv", 65534, 65534, 0), 0);
    expect_refused(place, "recipients.csv: belongs to uid 65534");
}

static void drop_check__names_that_are_not_plain__are_refused(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *name;
        const char *part;
    } cases[] = {{".hidden", ".hidden: is a hidden file"},
                 {"-rf", "-rf: has a name that begins"},
                 {"a\nb", "a\\x0ab: has a slash"},
                 {"a\\b", "has a slash"},
                 {"\xff", "\\xff: has a name that is no UTF-8"},
                 {"journal", "journal: has a name that postroom keeps"},
                 {"basis", "postroom keeps"},
                 {"decisions", "postroom keeps"},
                 {"settings.conf", "postroom keeps"},
                 {"target.json", "postroom keeps"},
                 {"excluded.csv", "postroom keeps"}};
    make_drop(place, "drop");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[300];
        (void)snprintf(path, sizeof path, "drop/%s", cases[i].name);
        put_text(place->fd, path, "x");
        expect_refused(place, cases[i].part);
        (void)unlinkat(place->fd, path, 0);
    }
    char longest[DROP_FILE_NAME_BYTES + 2];
    memset(longest, 'x', sizeof longest);
    longest[DROP_FILE_NAME_BYTES + 1] = '\0';
    assert_non_null(drop_name_fault(longest));
    longest[DROP_FILE_NAME_BYTES] = '\0';
    assert_null(drop_name_fault(longest));
    assert_null(drop_name_fault("caf\xc3\xa9 2027.pdf"));
    assert_non_null(drop_name_fault(""));
    assert_null(drop_shape_fault("journal"));
}

static void drop_open_files__good_drop__files_in_order_with_sizes(void **state)
{
    struct place *place = *state;
    struct drop_files files = DROP_FILES_EMPTY;
    make_drop(place, "drop");
    int before = open_descriptors();
    int fd = openat(place->fd, "drop", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(drop_open_files(fd, &files, NULL), RC_OK);
    assert_int_equal(files.count, 2);
    assert_string_equal(files.files[0].name, "delivery.conf");
    assert_string_equal(files.files[1].name, "recipients.csv");
    assert_int_equal(files.files[1].size_bytes, 5);
    assert_int_equal(files.total_bytes, 23);
    assert_int_equal(files.uid, geteuid());
    drop_files_release(&files);
    drop_files_release(&files);
    assert_int_equal(drop_check(fd, &files, NULL), RC_OK);
    assert_int_equal(files.files[0].fd, -1);
    drop_files_release(&files);
    fault_at(FAULT_OPEN, 2, ENOENT, FAULT_ONCE); /* the first lists; then a file is gone */
    assert_int_equal(drop_open_files(fd, &files, NULL), RC_TEMP);
    fault_at(FAULT_OPEN, 3, EMFILE, FAULT_ONCE);
    assert_int_equal(drop_open_files(fd, &files, NULL), RC_TEMP);
    fault_clear();
    (void)close(fd);
    assert_int_equal(open_descriptors(), before);
}

static void drop_check__a_thousand_files__one_more_is_too_many(void **state)
{
    struct place *place = *state;
    char name[64];
    assert_int_equal(mkdirat(place->fd, "drop", 0700), 0);
    for (int i = 0; i < DROP_FILES_MAX; i++) {
        (void)snprintf(name, sizeof name, "drop/f%d", i);
        put_text(place->fd, name, "");
    }
    int fd = openat(place->fd, "drop", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(drop_check(fd, NULL, NULL), RC_OK);
    put_text(place->fd, "drop/g", "");
    assert_int_equal(drop_check(fd, NULL, NULL), RC_RANGE);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(door_scan__names_of_uploads__are_not_looked_at),
        with_place(door_scan__directory__is_complete_when_settled),
        with_place(door_scan__file_inside_still_written__waits),
        with_place(door_scan__arrived_by_rename__is_complete_at_once),
        with_place(door_scan__no_delivery_conf__waits_an_hour),
        with_place(door_scan__file_inside_named_part__waits_an_hour),
        with_place(door_scan__stamped_in_the_future__counts_as_settled),
        with_place(door_scan__names_and_kinds),
        with_place(door_scan__what_cannot_be_a_drop__has_its_fault),
        with_place(door_scan__results),
        with_place(door_scan__drops_of_others__are_stuck_without_capabilities),
        with_place(door_scan__ten_thousand_directories__is_quick),
        with_place(drop_check__each_kind_of_file__has_its_reason),
        with_place(drop_check__devices_and_files_of_others__are_refused),
        with_place(drop_check__names_that_are_not_plain__are_refused),
        with_place(drop_open_files__good_drop__files_in_order_with_sizes),
        with_place(drop_check__a_thousand_files__one_more_is_too_many),
    };
    return cmocka_run_group_tests_name("spool/door", tests, NULL, NULL);
}
