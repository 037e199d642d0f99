/*
 * The core cases of the mustache specification, rendered over the nested data they come with.
 * ../shared/vectors/mustache (POSTROOM_VECTORS overrides ../shared/vectors); absent: skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "template/template.h"

/* --- nodes over jansson --- */

static const void *json_find(const void *node, struct slice name)
{
    char key[TEMPLATE_NAME_BYTES_MAX + 1];
    if (!json_is_object((const json_t *)node) || name.len >= sizeof key) {
        return NULL;
    }
    memcpy(key, name.ptr, name.len);
    key[name.len] = '\0';
    return json_object_get(node, key);
}

static enum template_node_kind json_kind(const void *node)
{
    switch (json_typeof((const json_t *)node)) {
    case JSON_OBJECT:
        return TEMPLATE_NODE_MAP;
    case JSON_ARRAY:
        return TEMPLATE_NODE_LIST;
    case JSON_FALSE:
        return TEMPLATE_NODE_FALSE;
    case JSON_NULL:
        return TEMPLATE_NODE_NULL;
    default:
        return TEMPLATE_NODE_VALUE;
    }
}

static struct slice json_text(const void *node, char *room)
{
    const json_t *json = node;
    switch (json_typeof(json)) {
    case JSON_STRING:
        return (struct slice){json_string_value(json), json_string_length(json)};
    case JSON_TRUE:
        return SLICE_LITERAL("true");
    case JSON_FALSE:
        return SLICE_LITERAL("false");
    case JSON_INTEGER:
        (void)snprintf(room, TEMPLATE_NUMBER_BYTES, "%lld", (long long)json_integer_value(json));
        return slice_of(room);
    case JSON_REAL:
        (void)snprintf(room, TEMPLATE_NUMBER_BYTES, "%.15g", json_real_value(json));
        return slice_of(room);
    default:
        return (struct slice){NULL, 0};
    }
}

static size_t json_length(const void *list)
{
    return json_array_size(list);
}

static const void *json_item(const void *list, size_t index)
{
    return json_array_get(list, index);
}

static const struct template_node_ops JSON_OPS = {json_find, json_kind, json_text, json_length,
                                                  json_item};

/* --- cases --- */

static enum rc load_from_case(void *context, struct slice name, struct slice *out_text,
                              const char **out_file, struct err *err)
{
    (void)out_file;
    (void)err;
    const json_t *text = context == NULL ? NULL : json_find(context, name);
    if (text == NULL) {
        return RC_GONE;
    }
    *out_text = (struct slice){json_string_value(text), json_string_length(text)};
    return RC_OK;
}

static bool case_holds(const char *file, json_t *item)
{
    const char *text = json_string_value(json_object_get(item, "template"));
    const char *expected = json_string_value(json_object_get(item, "expected"));
    struct template_options options = {
        .escape = TEMPLATE_HTML,
        .names_are_dynamic = true,
        .load_partial = load_from_case,
        .loader_context = json_object_get(item, "partials"),
    };
    struct template *compiled = NULL;
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    enum rc rc = template_compile(slice_of(text), file, &options, &compiled, &err);
    if (rc == RC_OK) {
        rc = template_render_nodes(compiled, &JSON_OPS, json_object_get(item, "data"), &out, &err);
    }
    bool holds = rc == RC_OK && strcmp(buf_text(&out), expected) == 0;
    if (!holds) {
        print_message("%s: %s: %s %s\n  template: %s\n  expected: %s\n  rendered: %s\n", file,
                      json_string_value(json_object_get(item, "name")), rc_name(rc), err.text, text,
                      expected, buf_text(&out));
    }
    template_free(compiled);
    buf_release(&out);
    return holds;
}

/* count is how many cases it must hold, so that none gets lost */
static void run_file(const char *name, size_t count)
{
    const char *vectors = getenv("POSTROOM_VECTORS");
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/mustache/%s.json",
                   vectors == NULL ? "../shared/vectors" : vectors, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        print_message("SKIPPED: no %s\n", path);
        skip();
    }
    json_error_t error;
    json_t *root = json_loadf(file, 0, &error);
    (void)fclose(file);
    assert_non_null(root);
    json_t *tests = json_object_get(root, "tests");
    size_t held = 0;
    size_t at;
    json_t *item;
    json_array_foreach(tests, at, item)
    {
        held += case_holds(name, item);
    }
    print_message("%s: %zu of %zu cases\n", name, held, json_array_size(tests));
    assert_int_equal(json_array_size(tests), count);
    assert_int_equal(held, count);
    json_decref(root);
}

static void vectors__comments(void **state)
{
    (void)state;
    run_file("comments", 12);
}

static void vectors__delimiters(void **state)
{
    (void)state;
    run_file("delimiters", 14);
}

static void vectors__interpolation(void **state)
{
    (void)state;
    run_file("interpolation", 42);
}

static void vectors__inverted(void **state)
{
    (void)state;
    run_file("inverted", 22);
}

static void vectors__partials(void **state)
{
    (void)state;
    run_file("partials", 12);
}

static void vectors__sections(void **state)
{
    (void)state;
    run_file("sections", 34);
}

/* what the specification leaves open, as template.h has it */
static void template_render_nodes__false_and_empty_text__hide_sections(void **state)
{
    (void)state;
    json_t *item = json_pack(
        "{s:s, s:s, s:s, s:{s:b, s:s, s:i, s:[i], s:{}}}", "name", "own", "template",
        "{{no}}{{#no}}a{{/no}}|{{empty}}{{^empty}}b{{/empty}}|{{#zero}}{{.}}"
        "{{/zero}}|{{list}}{{map}}{{#map}}c{{/map}}",
        "expected", "false|b|0|c", "data", "no", 0, "empty", "", "zero", 0, "list", 1, "map");
    assert_non_null(item);
    assert_true(case_holds("own", item));
    json_decref(item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors__comments),
        cmocka_unit_test(vectors__delimiters),
        cmocka_unit_test(vectors__interpolation),
        cmocka_unit_test(vectors__inverted),
        cmocka_unit_test(vectors__partials),
        cmocka_unit_test(vectors__sections),
        cmocka_unit_test(template_render_nodes__false_and_empty_text__hide_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
