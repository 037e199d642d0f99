/*
 * setting_text - a libconfig setting written back as libconfig text
 */
#include "operator/setting_text.h"

#include "conf/guard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct writing {
    struct buf *out;
    unsigned line; /* that the next byte stands on, from 1 */
};

static void add_value(struct writing *writing, const config_setting_t *setting, int depth);

static void go_to_line(struct writing *writing, const config_setting_t *setting)
{
    unsigned line = config_setting_source_line(setting);
    while (writing->line < line) {
        buf_add_byte(writing->out, '\n');
        writing->line++;
    }
}

/* libconfig knows \" \\ \n \r \t \f and \xNN */
static void add_string(struct buf *out, const char *text)
{
    buf_add_byte(out, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            buf_add_byte(out, '\\');
            buf_add_byte(out, *text);
        } else if (c < 0x20 || c == 0x7F) {
            buf_add_format(out, "\\x%02X", c);
        } else {
            buf_add_byte(out, *text);
        }
    }
    buf_add_byte(out, '"');
}

/* Exact, and never to be mistaken for an integer */
static void add_float(struct buf *out, double value)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.17g", value);
    buf_add_text(out, text);
    if (strpbrk(text, ".eE") == NULL) {
        buf_add_text(out, ".0");
    }
}

static void add_member(struct writing *writing, const config_setting_t *setting, int depth)
{
    go_to_line(writing, setting);
    buf_add_text(writing->out, config_setting_name(setting));
    buf_add_text(writing->out, " = ");
    add_value(writing, setting, depth);
    buf_add_text(writing->out, "; ");
}

static void add_elements(struct writing *writing, const config_setting_t *setting, int depth)
{
    int count = config_setting_length(setting);
    bool is_group = config_setting_is_group(setting) != 0;
    for (int i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        if (is_group) {
            add_member(writing, element, depth + 1);
            continue;
        }
        if (i > 0) {
            buf_add_text(writing->out, ", ");
        }
        go_to_line(writing, element);
        add_value(writing, element, depth + 1);
    }
}

static void add_value(struct writing *writing, const config_setting_t *setting, int depth)
{
    assert(depth <= GUARD_DEPTH_MAX + 1);
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        buf_add_text(writing->out, "{ ");
        add_elements(writing, setting, depth);
        buf_add_byte(writing->out, '}');
        break;
    case CONFIG_TYPE_LIST:
        buf_add_byte(writing->out, '(');
        add_elements(writing, setting, depth);
        buf_add_byte(writing->out, ')');
        break;
    case CONFIG_TYPE_ARRAY:
        buf_add_byte(writing->out, '[');
        add_elements(writing, setting, depth);
        buf_add_byte(writing->out, ']');
        break;
    case CONFIG_TYPE_INT:
        buf_add_format(writing->out, "%d", config_setting_get_int(setting));
        break;
    case CONFIG_TYPE_INT64:
        buf_add_format(writing->out, "%lldL", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_FLOAT:
        add_float(writing->out, config_setting_get_float(setting));
        break;
    case CONFIG_TYPE_BOOL:
        buf_add_text(writing->out, config_setting_get_bool(setting) != 0 ? "true" : "false");
        break;
    default:
        add_string(writing->out, config_setting_get_string(setting));
        break;
    }
}

void setting_text_add(const config_setting_t *setting, struct buf *out)
{
    struct writing writing = {out, 1};
    assert(config_setting_name(setting) != NULL);
    go_to_line(&writing, setting);
    buf_add_format(out, "%s = ", config_setting_name(setting));
    add_value(&writing, setting, 0);
    buf_add_text(out, ";\n");
}
