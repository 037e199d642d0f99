/*
 * Templates over flat rows: names to columns, truth of a field, escapes, partials, limits of a
 * render.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "template/template.h"

static const char *const COLUMNS[] = {"recipient_id", "first_name", "last_name", "consent_mail",
                                      "address.city"};
enum { COLUMN_COUNT = sizeof COLUMNS / sizeof COLUMNS[0] };

static const struct slice ROW[COLUMN_COUNT] = {
    {"R1", 2}, {"Zo\xC3\xAB", 4}, {"O'Neil & <Co> \"x\"", 17}, {"", 0}, {"Lille", 5}};

/* partials: name, text, name, text, ..., NULL */
static enum rc load_from_list(void *context, struct slice name, struct slice *out_text,
                              const char **out_file, struct err *err)
{
    (void)out_file;
    for (const char *const *at = context; at != NULL && *at != NULL; at += 2) {
        if (slice_equal_text(name, at[0])) {
            *out_text = slice_of(at[1]);
            return RC_OK;
        }
    }
    if (slice_equal_text(name, "broken")) {
        return err_set(err, RC_TEMP, "cannot be read now");
    }
    return RC_GONE;
}

static struct template_options flat_options(enum template_escape escape)
{
    return (struct template_options){.escape = escape,
                                     .column_names = COLUMNS,
                                     .column_count = COLUMN_COUNT,
                                     .load_partial = load_from_list};
}

static struct template *compile(const char *text, const struct template_options *options)
{
    struct template *compiled = NULL;
    struct err err = {""};
    enum rc rc = template_compile(slice_of(text), "t.mustache", options, &compiled, &err);
    if (rc != RC_OK) {
        print_message("%s: %s\n", rc_name(rc), err.text);
    }
    assert_int_equal(rc, RC_OK);
    return compiled;
}

static void assert_renders(const char *text, const struct template_options *options,
                           const char *expected)
{
    struct template *compiled = compile(text, options);
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    assert_int_equal(template_render(compiled, ROW, COLUMN_COUNT, &out, &err), RC_OK);
    assert_string_equal(buf_text(&out), expected);
    assert_string_equal(err.text, "");
    buf_release(&out);
    template_free(compiled);
}

static void template_render__columns__are_put_in_place(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    assert_renders("{{first_name}} {{ last_name }}, {{address.city}}!", &options,
                   "Zo\xC3\xAB O'Neil & <Co> \"x\", Lille!");
    assert_renders("", &options, "");
    assert_renders("no tag } } {", &options, "no tag } } {");
    assert_renders("{{=<% %>=}}<%recipient_id%>{{first_name}}", &options, "R1{{first_name}}");
}

static void template_render__section__is_shown_when_the_field_is_not_empty(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    assert_renders("{{#first_name}}[{{.}} {{first_name}}]{{/first_name}}", &options,
                   "[Zo\xC3\xAB Zo\xC3\xAB]");
    assert_renders("{{#consent_mail}}yes{{/consent_mail}}|{{^consent_mail}}no{{/consent_mail}}",
                   &options, "|no");
    assert_renders("{{^first_name}}no{{/first_name}}", &options, "");
    assert_renders("{{#first_name}}{{#address.city}}{{.}}{{/address.city}}{{.}}{{/first_name}}",
                   &options, "LilleZo\xC3\xAB");
    assert_renders("{{#first_name}}{{^consent_mail}}{{.}}{{/consent_mail}}{{/first_name}}",
                   &options, "Zo\xC3\xAB");
}

static void template_render__zero_and_false__are_not_empty(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    struct template *compiled = compile("{{#first_name}}x{{/first_name}}", &options);
    struct buf out = BUF_EMPTY;
    struct slice zero[COLUMN_COUNT] = {{"", 0}, {"0", 1}, {"", 0}, {"", 0}, {"", 0}};
    assert_int_equal(template_render(compiled, zero, COLUMN_COUNT, &out, NULL), RC_OK);
    zero[1] = SLICE_LITERAL("false");
    assert_int_equal(template_render(compiled, zero, COLUMN_COUNT, &out, NULL), RC_OK);
    zero[1] = (struct slice){NULL, 0};
    assert_int_equal(template_render(compiled, zero, COLUMN_COUNT, &out, NULL), RC_OK);
    assert_string_equal(buf_text(&out), "xx");
    buf_release(&out);
    template_free(compiled);
}

static void template_render__value_with_tags__is_not_read_as_template(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    struct template *compiled = compile("<{{recipient_id}}>", &options);
    struct slice row[COLUMN_COUNT] = {
        {"{{last_name}}", 13}, {"", 0}, {"secret", 6}, {"", 0}, {"", 0}};
    struct buf out = BUF_EMPTY;
    assert_int_equal(template_render(compiled, row, COLUMN_COUNT, &out, NULL), RC_OK);
    assert_string_equal(buf_text(&out), "<{{last_name}}>");
    buf_release(&out);
    template_free(compiled);
}

static void template_render__standalone_tags__take_their_line(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    assert_renders("a\r\n  {{#first_name}}  \r\nb\n{{! note\n over lines }}\n{{/first_name}}\nc",
                   &options, "a\r\nb\nc");
    assert_renders("a {{! note }}\nb", &options, "a \nb");
    assert_renders("{{! one }} {{! two }}\n", &options, " \n");
}

static void template_render__html__escapes_five_characters(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_HTML);
    assert_renders("{{last_name}}", &options, "O&#39;Neil &amp; &lt;Co&gt; &quot;x&quot;");
    assert_renders("{{{last_name}}}|{{&last_name}}", &options,
                   "O'Neil & <Co> \"x\"|O'Neil & <Co> \"x\"");
    assert_renders("{{first_name}} & {{recipient_id}}", &options, "Zo\xC3\xAB & R1");
    assert_renders("{{=[ ]=}}[{last_name}] [&recipient_id]", &options, "O'Neil & <Co> \"x\" R1");
}

static void assert_escapes(enum template_escape escape, struct slice text, const char *expected)
{
    struct buf out = BUF_EMPTY;
    template_escape_text(escape, text, &out);
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void template_escape_text__json__escapes_controls_and_bad_utf8(void **state)
{
    (void)state;
    assert_escapes(TEMPLATE_JSON, SLICE_LITERAL("a\"b\\c\n\t\x01\0\x7Fz"),
                   "a\\\"b\\\\c\\n\\u0009\\u0001\\u0000\\u007Fz");
    assert_escapes(TEMPLATE_JSON, SLICE_LITERAL("\xFFz\xC3\xA9\xED\xA0\x80"),
                   "\xEF\xBF\xBDz\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_escapes(TEMPLATE_JSON, SLICE_LITERAL(""), "");
}

static void template_escape_text__url__leaves_only_unreserved(void **state)
{
    (void)state;
    assert_escapes(TEMPLATE_URL, SLICE_LITERAL("aZ09-._~ /?&=%\xC3\xA9\n"),
                   "aZ09-._~%20%2F%3F%26%3D%25%C3%A9%0A");
}

static void template_escape_text__plain_and_html__bytes_stay(void **state)
{
    (void)state;
    assert_escapes(TEMPLATE_PLAIN, SLICE_LITERAL("<\xFF>"), "<\xFF>");
    assert_escapes(TEMPLATE_HTML, SLICE_LITERAL("<\xFF>\xC3\xA9"), "&lt;\xFF&gt;\xC3\xA9");
}

static void template_render__partials__are_indented_and_nest(void **state)
{
    (void)state;
    static const char *const partials[] = {"sign", "Best,\n{{>name}}\n", "name",
                                           "{{first_name}}\n\n{{last_name}}", NULL};
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    options.loader_context = (void *)partials;
    assert_renders("Hi\n  {{>sign}}\nEnd", &options,
                   "Hi\n  Best,\n  Zo\xC3\xAB\n  \n  O'Neil & <Co> \"x\"End");
    assert_renders("({{>name}})", &options, "(Zo\xC3\xAB\n\nO'Neil & <Co> \"x\")");
}

static void template_render__indented_partial__inline_tags_keep_their_lines(void **state)
{
    (void)state;
    static const char *const partials[] = {"p",
                                           "{{#first_name}}a{{/first_name}}\n{{! c "
                                           "}}x\n{{#first_name}}\nb\n{{/first_name}}\n{{>q}}y\n",
                                           "q", "1\n2", NULL};
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    options.loader_context = (void *)partials;
    assert_renders(" {{>p}}\n", &options, " a\n x\n b\n 1\n2y\n");
    assert_renders("\t{{>q}}\n", &options, "\t1\n\t2");
}

static void template_render__dot_in_partial__is_the_section_around_the_tag(void **state)
{
    (void)state;
    static const char *const partials[] = {"dot", "<{{.}}>", "more", "{{>dot}}{{>dot}}", NULL};
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    options.loader_context = (void *)partials;
    assert_renders("{{#recipient_id}}{{>more}}{{/recipient_id}}", &options, "<R1><R1>");
}

static void template_render__unknown_names_allowed__are_empty(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    options.allows_unknown = true;
    assert_renders("[{{nobody}}{{#nobody}}x{{/nobody}}{{^nobody}}y{{/nobody}}{{>nothing}}{{.}}]",
                   &options, "[y]");
}

static void template_render__appends__and_keeps_what_was_there(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    struct template *compiled = compile("{{recipient_id}};", &options);
    struct buf out = BUF_EMPTY;
    buf_add_text(&out, "before ");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(template_render(compiled, ROW, COLUMN_COUNT, &out, NULL), RC_OK);
    }
    assert_string_equal(buf_text(&out), "before R1;R1;R1;");
    buf_release(&out);
    template_free(compiled);
}

static void template_render__row_too_short__is_refused(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    struct template *compiled = compile("{{recipient_id}}", &options);
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    assert_int_equal(template_render(compiled, ROW, COLUMN_COUNT - 1, &out, &err), RC_PERM);
    assert_non_null(strstr(err.text, "4 fields"));
    assert_int_equal(out.len, 0);
    buf_release(&out);
    template_free(compiled);
}

static void template_render__output_over_the_limit__leaves_out_as_it_was(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_HTML);
    struct template *compiled = compile("{{recipient_id}}{{first_name}}", &options);
    size_t len = TEMPLATE_OUTPUT_BYTES_MAX;
    char *big = malloc(len + 1);
    assert_non_null(big);
    memset(big, 'x', len + 1);
    struct slice row[COLUMN_COUNT] = {{big, len}, {"", 0}, {"", 0}, {"", 0}, {"", 0}};
    struct buf out = BUF_EMPTY;
    struct err err = {""};
    buf_add_text(&out, "keep");
    assert_int_equal(template_render(compiled, row, COLUMN_COUNT, &out, &err), RC_OK);
    assert_int_equal(out.len, len + 4);
    out.len = 4;
    row[1] = SLICE_LITERAL("x");
    assert_int_equal(template_render(compiled, row, COLUMN_COUNT, &out, &err), RC_RANGE);
    assert_string_equal(buf_text(&out), "keep");
    assert_int_equal(out.len, 4);
    row[0] = (struct slice){big, len + 1};
    assert_int_equal(template_render(compiled, row, COLUMN_COUNT, &out, &err), RC_RANGE);
    big[0] = '&'; /* fits as it is, not as &amp; */
    row[0] = (struct slice){big, len};
    row[1] = SLICE_LITERAL("");
    assert_int_equal(template_render(compiled, row, COLUMN_COUNT, &out, &err), RC_RANGE);
    assert_string_equal(buf_text(&out), "keep");
    buf_release(&out);
    free(big);
    template_free(compiled);
}

static void template_render__failed_buffer__reports_no_memory(void **state)
{
    (void)state;
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    struct template *compiled = compile("{{recipient_id}}", &options);
    struct buf out = BUF_EMPTY;
    assert_false(buf_reserve(&out, SIZE_MAX / 2));
    assert_int_equal(template_render(compiled, ROW, COLUMN_COUNT, &out, NULL), RC_NOMEM);
    buf_release(&out);
    template_free(compiled);
}

static void template_uses__names_the_columns_of_tags_sections_and_partials(void **state)
{
    (void)state;
    static const char *const partials[] = {"p", "{{address.city}}", NULL};
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    options.loader_context = (void *)partials;
    struct template *compiled =
        compile("{{>p}}{{#last_name}}{{last_name}}{{/last_name}}", &options);
    assert_true(template_uses(compiled, 2));
    assert_true(template_uses(compiled, 4));
    assert_false(template_uses(compiled, 0));
    assert_false(template_uses(compiled, 99));
    assert_int_equal(template_used_count(compiled), 2);
    assert_int_equal(template_used_column(compiled, 0), 2);
    assert_int_equal(template_used_column(compiled, 1), 4);
    template_free(compiled);
    compiled = compile("constant", &options);
    assert_int_equal(template_used_count(compiled), 0);
    template_free(compiled);
    template_free(NULL);
}

static void template_compile__text_and_options__are_not_kept(void **state)
{
    (void)state;
    char text[] = "a{{first_name}}{{>p}}";
    char name[] = "first_name";
    char partial[] = "[{{first_name}}]";
    const char *columns[] = {name};
    const char *partials[] = {"p", partial, NULL};
    struct template_options options = flat_options(TEMPLATE_PLAIN);
    options.column_names = columns;
    options.column_count = 1;
    options.loader_context = (void *)partials;
    struct template *compiled = compile(text, &options);
    memset(text, '#', sizeof text);
    memset(name, '#', sizeof name);
    memset(partial, '#', sizeof partial);
    struct buf out = BUF_EMPTY;
    assert_int_equal(template_render(compiled, &ROW[0], 1, &out, NULL), RC_OK);
    assert_string_equal(buf_text(&out), "aR1[R1]");
    buf_release(&out);
    template_free(compiled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(template_render__columns__are_put_in_place),
        cmocka_unit_test(template_render__section__is_shown_when_the_field_is_not_empty),
        cmocka_unit_test(template_render__zero_and_false__are_not_empty),
        cmocka_unit_test(template_render__value_with_tags__is_not_read_as_template),
        cmocka_unit_test(template_render__standalone_tags__take_their_line),
        cmocka_unit_test(template_render__html__escapes_five_characters),
        cmocka_unit_test(template_escape_text__json__escapes_controls_and_bad_utf8),
        cmocka_unit_test(template_escape_text__url__leaves_only_unreserved),
        cmocka_unit_test(template_escape_text__plain_and_html__bytes_stay),
        cmocka_unit_test(template_render__partials__are_indented_and_nest),
        cmocka_unit_test(template_render__indented_partial__inline_tags_keep_their_lines),
        cmocka_unit_test(template_render__dot_in_partial__is_the_section_around_the_tag),
        cmocka_unit_test(template_render__unknown_names_allowed__are_empty),
        cmocka_unit_test(template_render__appends__and_keeps_what_was_there),
        cmocka_unit_test(template_render__row_too_short__is_refused),
        cmocka_unit_test(template_render__output_over_the_limit__leaves_out_as_it_was),
        cmocka_unit_test(template_render__failed_buffer__reports_no_memory),
        cmocka_unit_test(template_uses__names_the_columns_of_tags_sections_and_partials),
        cmocka_unit_test(template_compile__text_and_options__are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
