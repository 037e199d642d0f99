/*
 * order_content - the setting `content`: what an online delivery sends
 *
 * Layers are merged key by key, and what is not set is not written: a mail delivery's frozen text
 * says nothing of it.
 */
#include "delivery/order_draft.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define AT(type, field) offsetof(struct type, field)

enum {
    DATA_MAX = 64,          /* values that a push message carries: it holds 4 KiB in all */
    NUMBER_TEXT_BYTES = 32, /* any int64 */
    FILES_MAX = 100         /* images, attachments: each is read for every message's template */
};

/* --- groups that may be absent --- */

void order_read_sparse(struct schema_reader *reader, const struct schema_row *row,
                       const config_setting_t *setting, void *field)
{
    if (config_setting_is_group(setting) != CONFIG_TRUE) {
        schema_fault(reader, setting, "%s wants a group { }", row->key);
        return;
    }
    schema_read_group(reader, row->inner, setting, field);
}

void order_write_sparse(const struct schema_row *row, const void *field, struct buf *out, int depth)
{
    struct buf inner = BUF_EMPTY;
    schema_write(row->inner, field, &inner, depth + 1);
    if (inner.is_failed) {
        out->is_failed = true;
    } else if (inner.len > 0) {
        buf_add_format(out, "%*s%s = {\n", depth * 4, "", row->key);
        buf_add_slice(out, buf_slice(&inner));
        buf_add_format(out, "%*s};\n", depth * 4, "");
    }
    buf_release(&inner);
}

/* --- data --- */

static bool read_datum(struct schema_reader *reader, const config_setting_t *setting,
                       struct order_datum *out)
{
    char number[NUMBER_TEXT_BYTES];
    const char *value = number;
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        value = config_setting_get_string(setting);
        out->is_text = true;
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        (void)snprintf(number, sizeof number, "%lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_BOOL:
        value = config_setting_get_bool(setting) != CONFIG_FALSE ? "true" : "false";
        break;
    default:
        schema_fault(reader, setting,
                     "data: %s is no text, whole number, true or false; write it as a text",
                     config_setting_name(setting));
        return false;
    }
    out->name = arena_text(reader->arena, slice_of(config_setting_name(setting)));
    out->value = arena_text(reader->arena, slice_of(value));
    reader->is_no_memory = reader->is_no_memory || out->name == NULL || out->value == NULL;
    return !reader->is_no_memory;
}

/* The field is struct order_content's `data`, its count beside it. The nearest layer's list
 * replaces the farther one. */
static void read_data(struct schema_reader *reader, const struct schema_row *row,
                      const config_setting_t *setting, void *field)
{
    struct order_content *content =
        (struct order_content *)(void *)((char *)field - AT(order_content, data));
    if (config_setting_is_group(setting) != CONFIG_TRUE) {
        schema_fault(reader, setting, "%s wants a group { }", row->key);
        return;
    }
    size_t length = (size_t)config_setting_length(setting);
    if (length > DATA_MAX) {
        schema_fault(reader, setting, "data has more than %d values; shorten it", DATA_MAX);
        return;
    }
    struct order_datum *data = arena_array(reader->arena, length, sizeof *data);
    size_t count = 0;
    if (data == NULL) {
        reader->is_no_memory = true;
        return;
    }
    for (size_t i = 0; i < length; i++) {
        count +=
            read_datum(reader, config_setting_get_elem(setting, (unsigned)i), &data[count]) ? 1 : 0;
    }
    content->data = data;
    content->datum_count = count;
}

/* libconfig reads a number without L as 32 bits */
static bool is_long(const char *number)
{
    int64_t value = strtoll(number, NULL, 10);
    return value < INT32_MIN || value > INT32_MAX;
}

static void write_data(const struct schema_row *row, const void *field, struct buf *out, int depth)
{
    const struct order_content *content =
        (const struct order_content *)(const void *)((const char *)field - AT(order_content, data));
    if (content->datum_count == 0) {
        return;
    }
    buf_add_format(out, "%*s%s = {\n", depth * 4, "", row->key);
    for (size_t i = 0; i < content->datum_count; i++) {
        const struct order_datum *datum = &content->data[i];
        buf_add_format(out, "%*s%s = ", (depth + 1) * 4, "", datum->name);
        if (datum->is_text) {
            conf_write_text(out, datum->value);
        } else {
            buf_add_format(out, "%s%s", datum->value, is_long(datum->value) ? "L" : "");
        }
        buf_add_text(out, ";\n");
    }
    buf_add_format(out, "%*s};\n", depth * 4, "");
}

/* --- the tables --- */

static const struct schema_row UNSUBSCRIBE_ROWS[] = {
    {"url", SCHEMA_TEXT, 0, AT(house_unsubscribe, url), .min = 1, .max = 2048,
     .doc = "HTTPS address that ends a subscription at once (RFC 8058), a template."},
    {"mailto", SCHEMA_TEXT, 0, AT(house_unsubscribe, mailto), .min = 1, .max = 320,
     .doc = "Mail address that does."},
};
static const struct schema UNSUBSCRIBE = {
    "unsubscribe",    sizeof(struct house_unsubscribe), SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    UNSUBSCRIBE_ROWS, COUNT(UNSUBSCRIBE_ROWS),          NULL,           false};

static const struct schema_row CONTENT_ROWS[] = {
    {"subject", SCHEMA_TEXT, 0, AT(order_content, subject), .min = 1, .max = 998,
     .doc = "E-mail: its subject, a template. Required."},
    {"html", SCHEMA_TEXT, 0, AT(order_content, html), .min = 1, .max = 255,
     .doc = "E-mail: file with its body as HTML, a template. Required where there is no text."},
    {"text", SCHEMA_TEXT, ROW_LINES, AT(order_content, text), .min = 1,
     .form = "a file; sms: a template",
     .doc = "E-mail: file with its body as text, a template; sms: the message itself."},
    {"from", SCHEMA_TEXT, 0, AT(order_content, from), .min = 1, .max = 998,
     .doc = "E-mail: sender, like Shop <shop@example.net>, a template. Without it: that of the "
            "channel in etc/."},
    {"reply_to", SCHEMA_TEXT, 0, AT(order_content, reply_to), .min = 1, .max = 998,
     .doc = "E-mail: where answers go, a template. Without it: as in etc/."},
    {"images", SCHEMA_TEXTS, 0, AT(order_content, images), .min = 1, .max = 255,
     .doc = "E-mail: picture files inside it; the HTML shows them by cid:NAME."},
    {"attachments", SCHEMA_TEXTS, 0, AT(order_content, attachments), .min = 1, .max = 255,
     .doc = "E-mail: files that go with it."},
    {"unsubscribe", SCHEMA_CUSTOM, ROW_MANY, AT(order_content, unsubscribe), .inner = &UNSUBSCRIBE,
     .read = order_read_sparse, .write = order_write_sparse, .form = "a group { }",
     .doc = "E-mail: List-Unsubscribe. Without it: that of the channel in etc/, where the key of "
            "the tokens always stands."},
    {"sender", SCHEMA_TEXT, 0, AT(order_content, sender), .min = 1, .max = 64,
     .doc = "Sms: sender that is shown. Without it: as in etc/."},
    {"title", SCHEMA_TEXT, 0, AT(order_content, title), .min = 1,
     .doc = "Push, inapp: title, a template."},
    {"body", SCHEMA_TEXT, ROW_LINES, AT(order_content, body), .min = 1,
     .doc = "Push, inapp: text, a template. Required."},
    {"image", SCHEMA_TEXT, 0, AT(order_content, image), .min = 1, .max = 2048,
     .form = "an address or a file", .doc = "Push, inapp: picture."},
    {"video", SCHEMA_TEXT, 0, AT(order_content, video), .min = 1, .max = 2048,
     .form = "an address or a file", .doc = "Push, inapp: film."},
    {"data", SCHEMA_CUSTOM, 0, AT(order_content, data), .read = read_data, .write = write_data,
     .form = "a group { }", .doc = "Push, inapp: passed on as it is; texts are templates."},
};
const struct schema order_content_schema = {
    "content",    sizeof(struct order_content), SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    CONTENT_ROWS, COUNT(CONTENT_ROWS),          NULL,           false};
