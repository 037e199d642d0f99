/*
 * send_render_test - threads make the messages that one thread makes
 */
#include "unit/delivery/folder.h"

#include "stage/send_render.h"

enum { COUNT = 300, COLUMNS = 1, DATE_S = 1709330400 };
#define TEXT "Dear {{first_name}}, spring is here.\n"

struct desk {
    struct folder *folder;
    struct content *content;
    struct bell bell;
    struct send_draft drafts[COUNT];
    struct send_draft *set[COUNT];
};

static const char *const columns[COLUMNS] = {"first_name"};

static int desk_open(void **state)
{
    static struct house house;
    static struct order order;
    struct desk *desk = calloc(1, sizeof *desk);
    void *folder = NULL;
    if (desk == NULL || folder_make(&folder) != 0) {
        free(desk);
        return -1;
    }
    desk->folder = folder;
    *state = desk;
    folder_put(desk->folder, "mail.txt", SLICE_LITERAL(TEXT), 0600);
    order = (struct order){.id = "spring", .campaign = "spring-2027", .channel = HOUSE_EMAIL};
    order.content.subject = "Hello {{first_name}}";
    order.content.text = "mail.txt";
    order.content.from = "Shop <shop@example.net>";
    struct content_wants wants = {.dirfd = desk->folder->fd, .house = &house, .revision = 1};
    for (size_t i = 0; i < COUNT; i++) {
        desk->set[i] = &desk->drafts[i];
    }
    return content_open(&order, &wants, columns, COLUMNS, &desk->content, NULL) == RC_OK &&
                   bell_open(&desk->bell, NULL) == RC_OK
               ? 0
               : -1;
}

static int desk_close(void **state)
{
    struct desk *desk = *state;
    void *folder = desk->folder;
    for (size_t i = 0; i < COUNT; i++) {
        send_draft_release(&desk->drafts[i]);
    }
    bell_close(&desk->bell);
    content_free(desk->content);
    free(desk);
    return folder_remove(&folder);
}

/* Recipient n from buffers that are written over after each. */
static struct recipient recipient_of(uint32_t number, const char *behind)
{
    static char key[32];
    static char to[64];
    static char name[32];
    static struct slice field;
    (void)snprintf(key, sizeof key, "R%u", number);
    (void)snprintf(to, sizeof to, "ann.%u%s", number, behind);
    (void)snprintf(name, sizeof name, "Ann%u", number);
    field = slice_of(name);
    return (struct recipient){number, slice_of(key), slice_of(to), &field, COLUMNS};
}

static void fill(struct desk *desk, size_t at, const char *behind)
{
    struct recipient recipient = recipient_of((uint32_t)at + 1, behind);
    assert_int_equal(send_draft_fill(&desk->drafts[at], &recipient, NULL), RC_OK);
}

static struct send_render *opened(struct desk *desk, unsigned int threads)
{
    struct send_render_options options = {
        .content = desk->content, .date_s = DATE_S, .threads = threads, .bell = &desk->bell};
    struct send_render *render = NULL;
    assert_int_equal(send_render_open(&options, &render, NULL), RC_OK);
    return render;
}

static void same_as_alone(struct desk *desk, struct content_state *alone, size_t at)
{
    struct recipient recipient = recipient_of((uint32_t)at + 1, "@example.org");
    const struct send_draft *draft = &desk->drafts[at];
    struct content_message message;
    assert_int_equal(content_render(desk->content, alone, &recipient, 0, DATE_S, &message, NULL),
                     RC_OK);
    assert_int_equal(draft->rc, RC_OK);
    assert_true(slice_equal(buf_slice(&draft->bytes), message.bytes));
    assert_true(slice_equal(buf_slice(&draft->from), message.from));
    assert_true(slice_equal(buf_slice(&draft->to), message.to));
    assert_int_equal(draft->needs_smtputf8, message.needs_smtputf8);
}

static void send_render_begin__several_threads__messages_are_those_of_one(void **state)
{
    struct desk *desk = *state;
    struct content_state *alone = NULL;
    assert_int_equal(content_state_open(desk->content, &alone, NULL), RC_OK);
    for (unsigned int threads = 1; threads <= SEND_RENDER_THREADS_MAX; threads *= 2) {
        struct send_render *render = opened(desk, threads);
        for (size_t round = 0; round < 3; round++) {
            for (size_t i = 0; i < COUNT; i++) {
                fill(desk, i, "@example.org");
            }
            send_render_begin(render, desk->set, COUNT, SIZE_MAX);
            while (send_render_is_busy(render)) { /* the bell ends each wait */
                bell_wait(&desk->bell, -1, 60000);
            }
            for (size_t i = 0; i < COUNT; i++) {
                same_as_alone(desk, alone, i);
                send_draft_clear(&desk->drafts[i]);
            }
        }
        send_render_free(render);
    }
    content_state_free(alone);
}

static void send_render_begin__one_cannot_be_made__says_why_and_others_are(void **state)
{
    struct desk *desk = *state;
    struct send_render *render = opened(desk, 2);
    fill(desk, 0, "@example.org");
    fill(desk, 1, " nowhere");
    fill(desk, 2, "@example.org");
    send_render_begin(render, desk->set, 3, SIZE_MAX);
    send_render_wait(render);
    assert_int_equal(desk->drafts[0].rc, RC_OK);
    assert_int_equal(desk->drafts[1].rc, RC_PERM);
    assert_true(desk->drafts[1].why.text[0] != '\0');
    assert_int_equal(desk->drafts[2].rc, RC_OK);
    send_render_free(render);
}

static void send_render_begin__bytes_are_used_up__the_rest_is_not_begun(void **state)
{
    struct desk *desk = *state;
    struct send_render *render = opened(desk, 1);
    for (size_t i = 0; i < COUNT; i++) {
        fill(desk, i, "@example.org");
    }
    send_render_begin(render, desk->set, COUNT, 1); /* the first one always is */
    send_render_wait(render);
    assert_int_equal(desk->drafts[0].rc, RC_OK);
    for (size_t i = 1; i < COUNT; i++) {
        assert_int_equal(desk->drafts[i].rc, RC_STATE);
    }
    send_render_begin(render, desk->set, COUNT, 10 * desk->drafts[0].bytes.len);
    send_render_wait(render);
    size_t made = 0;
    for (size_t i = 0; i < COUNT; i++) {
        made += desk->drafts[i].rc == RC_OK;
    }
    assert_in_range(made, 10, 11);
    send_render_free(render);
}

static void send_render_free__a_set_under_way__ends(void **state)
{
    struct desk *desk = *state;
    struct send_render *render = opened(desk, 2);
    for (size_t i = 0; i < COUNT; i++) {
        fill(desk, i, "@example.org");
    }
    send_render_begin(render, desk->set, COUNT, SIZE_MAX);
    send_render_free(render);
    send_render_free(NULL);
}

static void send_draft_clear__grown_large__gives_memory_back(void **state)
{
    struct desk *desk = *state;
    struct buf large = BUF_EMPTY;
    while (large.len < 100000) {
        buf_add_text(&large, "0123456789");
    }
    struct slice field = buf_slice(&large);
    struct recipient recipient = {1, SLICE_LITERAL("k"), SLICE_LITERAL("a@example.org"), &field, 1};
    assert_int_equal(send_draft_fill(&desk->drafts[0], &recipient, NULL), RC_OK);
    assert_true(slice_equal(desk->drafts[0].recipient.fields[0], field));
    send_draft_clear(&desk->drafts[0]);
    assert_int_equal(desk->drafts[0].row.cap, 0);
    buf_release(&large);
}

#define at_desk(test) cmocka_unit_test_setup_teardown(test, desk_open, desk_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        at_desk(send_render_begin__several_threads__messages_are_those_of_one),
        at_desk(send_render_begin__one_cannot_be_made__says_why_and_others_are),
        at_desk(send_render_begin__bytes_are_used_up__the_rest_is_not_begun),
        at_desk(send_render_free__a_set_under_way__ends),
        at_desk(send_draft_clear__grown_large__gives_memory_back),
    };
    return cmocka_run_group_tests_name("stage/send_render", tests, NULL, NULL);
}
