/*
 * push - texts over the columns, put into JSON
 */
#include "unit/sys/support.h"

#include "channel/push.h"

#include <jansson.h>

static const char *const COLUMNS[] = {"first_name", "offer", "unused"};

static const struct push_datum DATA[] = {
    {"off\"er", "o-{{offer}}", true}, {"count", "3", false}, {"is_new", "true", false}};

static struct push_options plain(void)
{
    return (struct push_options){.title = "Hello {{first_name}}",
                                 .body = "Now",
                                 .data = DATA,
                                 .datum_count = 3,
                                 .delivery = "spring",
                                 .campaign = "c",
                                 .request_file = "body"};
}

static json_t *render(const struct push_options *options, uint32_t proof)
{
    const struct slice fields[] = {slice_of("Zo\"\xC3\xA9\n"), slice_of("a\\b"), slice_of("never")};
    struct push *push = NULL;
    struct push_state state = {0};
    const struct push_recipient to = {fields, SLICE_LITERAL("R1"), SLICE_LITERAL("tok"), 7, proof};
    assert_int_equal(push_open(options, COLUMNS, 3, &push, NULL), RC_OK);
    assert_true(push_uses(push, 0));
    assert_true(push_uses(push, 1));
    assert_false(push_uses(push, 2));
    for (int i = 0; i < 2; i++) { /* a second message holds nothing of the first */
        assert_int_equal(push_render(push, &state, &to, NULL), RC_OK);
    }
    json_t *root = json_loadb(buf_text(&state.request), state.request.len, 0, NULL);
    assert_non_null(root);
    push_state_release(&state);
    push_free(push);
    return root;
}

static const char *text(const json_t *root, const char *name)
{
    return json_string_value(json_object_get(root, name));
}

static void push_render__awkward_values__arrive_as_they_are(void **state)
{
    const struct push_options options = plain();
    (void)state;
    json_t *root = render(&options, 0);
    const json_t *data = json_object_get(root, "data");
    assert_string_equal(text(root, "title"), "Hello Zo\"\xC3\xA9\n");
    assert_string_equal(text(root, "reference"), "spring-7");
    assert_string_equal(text(root, "key"), "R1");
    assert_string_equal(text(root, "address"), "tok");
    assert_string_equal(text(data, "off\"er"), "o-a\\b");
    assert_int_equal(json_integer_value(json_object_get(data, "count")), 3);
    assert_true(json_is_true(json_object_get(data, "is_new")));
    json_decref(root);
}

static void push_render__data_as_text__holds_texts_alone(void **state)
{
    struct push_options options = plain();
    (void)state;
    options.request = SLICE_LITERAL("{{{data_as_text}}}");
    json_t *root = render(&options, 0);
    assert_string_equal(text(root, "count"), "3");
    assert_string_equal(text(root, "is_new"), "true");
    json_decref(root);
}

static void push_render__proof__says_so_in_what_is_shown_first(void **state)
{
    struct push_options options = plain();
    (void)state;
    json_t *root = render(&options, 2);
    assert_string_equal(text(root, "title"), "[Proof 2] Hello Zo\"\xC3\xA9\n");
    assert_string_equal(text(root, "body"), "Now");
    json_decref(root);
    options.title = NULL;
    options.body = "{{first_name}}";
    root = render(&options, 2);
    assert_string_equal(text(root, "title"), "");
    assert_string_equal(text(root, "body"), "[Proof 2] Zo\"\xC3\xA9\n");
    json_decref(root);
}

static void push_body_open__what_gives_no_json__is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } ROWS[] = {
        {"{\n\"a\": {{title}} }", "body:2: gives no JSON"},
        {"{\"a\": \"{{{title}}}\"}", "gives no JSON"},
        {"{\"a\": \"{{data}}\" \"b\"}", "gives no JSON"},
        {"{{#title}}{\"a\": 1}{{/title}}", "where title, image and video are empty"},
        {"{\"a\": \"{{titel}}\"}", "did you mean \"title\""},
        {"{\"a\": \"{{title\"}", "body:1:"},
        {"", "gives no JSON"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct push_body *body = NULL;
        struct err err = {""};
        assert_int_equal(push_body_open(slice_of(ROWS[i].text), "body", &body, &err), RC_PERM);
        assert_non_null(strstr(err.text, ROWS[i].says));
        assert_null(body);
    }
}

static void push_open__unknown_column__is_refused_with_its_setting(void **state)
{
    struct push_options options = plain();
    struct push *push = NULL;
    struct err err = {""};
    (void)state;
    options.image = "https://x.example/{{of_fer}}";
    assert_int_equal(push_open(&options, COLUMNS, 3, &push, &err), RC_PERM);
    assert_non_null(strstr(err.text, "(content: image)"));
    assert_null(push);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_render__awkward_values__arrive_as_they_are),
        cmocka_unit_test(push_render__data_as_text__holds_texts_alone),
        cmocka_unit_test(push_render__proof__says_so_in_what_is_shown_first),
        cmocka_unit_test(push_body_open__what_gives_no_json__is_refused_with_its_line),
        cmocka_unit_test(push_open__unknown_column__is_refused_with_its_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
