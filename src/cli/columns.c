/*
 * columns - which columns a layout wants of the recipients
 */
#include "cli/columns.h"

#include <string.h>

/* What address lines are made of where nothing else is said (pack/layout.h). */
static const char *const ADDRESS_COLUMNS[] = {"title",    "first_name", "last_name", "address2",
                                              "address1", "postcode",   "city"};

static bool add(struct arena *arena, struct columns *out, struct slice name)
{
    if (name.len == 0 || slice_equal_text(name, "reference") || slice_equal_text(name, ".") ||
        out->count == COLUMNS_WANTED_MAX) {
        return true;
    }
    for (size_t i = 0; i < out->count; i++) {
        if (slice_equal_text(name, out->names[i])) {
            return true;
        }
    }
    const char *copy = arena_text(arena, name);
    if (copy != NULL) {
        out->names[out->count++] = copy;
    }
    return copy != NULL;
}

static bool is_address_line(struct slice name)
{
    return name.len == 5 && memcmp(name.ptr, "line", 4) == 0 && name.ptr[4] >= '1' &&
           name.ptr[4] <= '6';
}

/* The names in {{name}}, {{{name}}}, {{&name}}, {{#name}}, {{^name}}; comments and the like are
 * none. */
static bool add_template(struct arena *arena, struct columns *out, const char *text, bool has_lines)
{
    for (const char *at = strstr(text, "{{"); at != NULL; at = strstr(at, "{{")) {
        at += 2;
        at += strspn(at, "{&#^ ");
        size_t len = strcspn(at, "} ");
        struct slice name = {at, len};
        bool is_other = len == 0 || strchr("!>=/", at[0]) != NULL;
        if (!is_other && !(has_lines && is_address_line(name)) && !add(arena, out, name)) {
            return false;
        }
        at += len;
    }
    return true;
}

bool columns_of_layout(const struct house_layout *layout, struct arena *arena, struct columns *out)
{
    bool is_checked = layout->address != HOUSE_ADDRESS_NONE;
    bool is_whole = true;
    out->count = 0;
    for (size_t i = 0; is_whole && i < layout->column_count; i++) {
        const struct house_column *column = &layout->columns[i];
        struct slice name = slice_of(column->name);
        if (column->value != NULL) {
            is_whole = add_template(arena, out, column->value, is_checked);
        } else if (!(is_checked && is_address_line(name))) {
            is_whole = add(arena, out, name);
        }
    }
    for (size_t i = 0;
         is_whole && is_checked && i < sizeof ADDRESS_COLUMNS / sizeof ADDRESS_COLUMNS[0]; i++) {
        is_whole = add(arena, out, slice_of(ADDRESS_COLUMNS[i]));
    }
    return is_whole;
}
