/* shelf: what lies there is used only while directory, settings and journal are the ones read */
#include "stage/shelf.h"

#include "sys/fs.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants those before it */
#include <cmocka.h>

#define LINE(event) "2027-03-01T08:00:00.000000Z " event " postroomd"
#define TAKEN LINE("taken") " revision=1 state=target-ready\n"

/* Frozen settings, as short as they may be. */
#define SETTINGS                                                                                   \
    "id = \"%s\"; owner = \"%s\"; campaign = \"c\"; programme = \"p\"; channel = \"mail\"; "       \
    "provider = \"r\"; service = \"s\"; currency = \"EUR\"; timezone = \"UTC\"; "                  \
    "commitment = \"planned\"; approval_mode = \"automatic\"; finish_on = \"report\"; "            \
    "returns_wait = \"10d\"; confirm = false; approvals = { }; layout = { }; target = { file = "   \
    "\"r.csv\"; key = \"id\"; };"

struct house_of_test {
    char path[64];
    int fd;
    struct stage_env env;
};

static int build(void **state)
{
    struct house_of_test *h = calloc(1, sizeof *h);
    struct err err = {{0}};
    (void)strcpy(h->path, "/tmp/postroom-shelf-XXXXXX");
    assert_non_null(mkdtemp(h->path));
    h->fd = open(h->path, O_RDONLY | O_DIRECTORY);
    struct spool_options options = {.group = -1};
    char path[80];
    (void)snprintf(path, sizeof path, "%s/spool", h->path);
    assert_int_equal(spool_open(path, NULL, &options, &h->env.spool, &err), RC_OK);
    assert_int_equal(shelf_open(&h->env.shelf, &err), RC_OK);
    *state = h;
    return h->fd < 0;
}

static int pull_down(void **state)
{
    struct house_of_test *h = *state;
    shelf_free(h->env.shelf);
    spool_free(h->env.spool);
    assert_int_equal(fs_remove_tree(h->fd, "spool", NULL), RC_OK);
    (void)close(h->fd);
    (void)rmdir(h->path);
    free(h);
    return 0;
}

static void put(int dirfd, const char *name, const char *text)
{
    assert_int_equal(fs_put_volatile(dirfd, name, 0640, text, strlen(text), NULL), RC_OK);
}

/* pending/ID with settings of that owner and a journal of one line, opened */
static struct subject deliver(struct house_of_test *h, const char *id, const char *owner)
{
    char settings[512];
    struct subject subject;
    struct err err = {{0}};
    int dirfd = -1;
    int pending = stage_dir(h->env.spool, STAGE_PENDING);
    (void)snprintf(settings, sizeof settings, SETTINGS, id, owner);
    assert_int_equal(fs_make_dir(pending, id, 0750, -1, &err), RC_OK);
    assert_int_equal(fs_open_dir(pending, id, &dirfd, &err), RC_OK);
    put(dirfd, SETTINGS_FILE, settings);
    put(dirfd, JOURNAL_FILE, TAKEN);
    (void)close(dirfd);
    enum rc rc = subject_open(h->env.spool, id, &subject, &err);
    if (rc != RC_OK) {
        fail_msg("%s: %s", rc_name(rc), err.text);
    }
    return subject;
}

static bool is_on_shelf(struct house_of_test *h, const char *id)
{
    struct subject subject;
    bool is_there = shelf_take(h->env.shelf, h->env.spool, id, &subject);
    if (is_there) {
        assert_string_equal(subject.id, id);
        subject_close(&subject);
    }
    return is_there;
}

static void shelf_take__nothing_changed__is_the_very_one_and_once(void **state)
{
    struct house_of_test *h = *state;
    struct subject subject = deliver(h, "a", "alice");
    const struct order *order = subject.order;
    int dirfd = subject.dirfd;
    assert_false(is_on_shelf(h, "a"));
    shelf_put(h->env.shelf, &subject);
    assert_int_equal(subject.dirfd, -1);
    assert_null(subject.order);
    assert_false(is_on_shelf(h, "b"));
    struct subject again = SUBJECT_NONE;
    assert_true(shelf_take(h->env.shelf, h->env.spool, "a", &again));
    assert_ptr_equal(again.order, order);
    assert_int_equal(again.dirfd, dirfd);
    assert_int_equal(again.view.state, STATE_TARGET_READY);
    subject_close(&again);
    assert_false(is_on_shelf(h, "a"));
}

static void shelf_take__journal_grew__is_read_anew(void **state)
{
    struct house_of_test *h = *state;
    struct subject subject = deliver(h, "a", "alice");
    int dirfd = dup(subject.dirfd);
    static const char line[] = LINE("ready") " state=extraction-pending\n";
    shelf_put(h->env.shelf, &subject);
    assert_int_equal(journal_append(dirfd, slice_of(line), NULL), RC_OK);
    assert_int_equal(subject_open_next(&h->env, "a", &subject, NULL), RC_OK);
    assert_int_equal(subject.view.state, STATE_EXTRACTION_PENDING);
    subject_close(&subject);
    (void)close(dirfd);
}

static void shelf_take__settings_are_others__is_read_anew(void **state)
{
    struct house_of_test *h = *state;
    struct subject subject = deliver(h, "a", "alice");
    int dirfd = dup(subject.dirfd);
    shelf_put(h->env.shelf, &subject);
    char settings[512];
    (void)snprintf(settings, sizeof settings, SETTINGS, "a", "carol");
    put(dirfd, SETTINGS_FILE, settings);
    assert_int_equal(subject_open_next(&h->env, "a", &subject, NULL), RC_OK);
    assert_string_equal(subject.order->owner, "carol");
    subject_close(&subject);
    (void)close(dirfd);
}

static void shelf_take__moved_or_another_in_its_place__is_not_it(void **state)
{
    struct house_of_test *h = *state;
    struct subject subject = deliver(h, "a", "alice");
    shelf_put(h->env.shelf, &subject);
    assert_int_equal(spool_move(h->env.spool, "a", STAGE_PENDING, STAGE_EXTRACT, NULL), RC_OK);
    assert_false(is_on_shelf(h, "a"));

    subject = deliver(h, "b", "alice");
    struct subject other = deliver(h, "c", "alice");
    int pending = stage_dir(h->env.spool, STAGE_PENDING);
    shelf_put(h->env.shelf, &subject);
    assert_int_equal(fs_exchange(pending, "b", pending, "c", NULL), RC_OK);
    assert_false(is_on_shelf(h, "b"));
    subject_close(&other);
}

static void shelf_put__more_than_there_is_room_for__the_oldest_of_a_set_goes(void **state)
{
    struct house_of_test *h = *state;
    enum { COUNT = SHELF_SETS * SHELF_WAYS * 5 / 4, NEWEST = 50 };
    size_t found = 0;
    size_t newest = 0;
    for (int i = 0; i < COUNT; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "many-%d", i);
        struct subject subject = deliver(h, id, "alice");
        shelf_put(h->env.shelf, &subject);
        shelf_put(h->env.shelf, &subject); /* nothing: SUBJECT_NONE */
    }
    for (int i = 0; i < COUNT; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "many-%d", i);
        bool is_there = is_on_shelf(h, id);
        found += is_there;
        newest += is_there && i >= COUNT - NEWEST;
    }
    assert_in_range(found, COUNT / 2, SHELF_SETS * SHELF_WAYS);
    assert_int_equal(newest, NEWEST);
}

static void shelf_put__no_shelf__is_closed(void **state)
{
    struct house_of_test *h = *state;
    struct subject subject = deliver(h, "a", "alice");
    int dirfd = subject.dirfd;
    shelf_put(NULL, &subject);
    assert_int_equal(fcntl(dirfd, F_GETFD), -1);
    assert_false(shelf_take(NULL, h->env.spool, "a", &subject));
    shelf_free(NULL);
}

int main(void)
{
#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, build, pull_down)
    const struct CMUnitTest tests[] = {
        IN_HOUSE(shelf_take__nothing_changed__is_the_very_one_and_once),
        IN_HOUSE(shelf_take__journal_grew__is_read_anew),
        IN_HOUSE(shelf_take__settings_are_others__is_read_anew),
        IN_HOUSE(shelf_take__moved_or_another_in_its_place__is_not_it),
        IN_HOUSE(shelf_put__more_than_there_is_room_for__the_oldest_of_a_set_goes),
        IN_HOUSE(shelf_put__no_shelf__is_closed),
    };
    return cmocka_run_group_tests_name("stage/shelf", tests, NULL, NULL);
}
