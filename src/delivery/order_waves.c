/*
 * order_waves - the setting `waves`, and the arithmetic of it
 */
#include "delivery/order_waves.h"

#include "base/decimal.h"
#include "base/number.h"
#include "delivery/order_draft.h"

#define AT(type, field) offsetof(struct type, field)
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

enum {
    WAVES_MAX = 1000,    /* of a calendar */
    SHARE_WHOLE = 10000, /* hundredths of a percent */
    SHARE_DIGITS = 2
};

/* `size` and `every`, or `size` and `after`: both forms into one */
struct wave_draft {
    struct order_wave wave;
    int64_t every_ns;
};

/* "10%", "2.5%" to hundredths of a percent; false: no such thing */
static bool read_share(struct slice text, int64_t *out)
{
    struct decimal value;
    if (text.len < 2 || text.ptr[text.len - 1] != '%' ||
        decimal_parse((struct slice){text.ptr, text.len - 1}, &value) != RC_OK ||
        value.scale > SHARE_DIGITS) {
        return false;
    }
    int64_t share = value.units;
    for (int digits = value.scale; digits < SHARE_DIGITS && share <= SHARE_WHOLE; digits++) {
        share *= 10;
    }
    *out = share;
    return share >= 1 && share <= SHARE_WHOLE;
}

static void read_size(struct schema_reader *reader, const struct schema_row *row,
                      const config_setting_t *setting, void *field)
{
    struct order_wave *wave = field;
    int type = config_setting_type(setting);
    int64_t size = 0;
    bool is_good = false;
    if (type == CONFIG_TYPE_STRING) {
        is_good = read_share(slice_of(config_setting_get_string(setting)), &size);
    } else if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
        size = config_setting_get_int64(setting);
        is_good = size > 0;
    }
    if (!is_good) {
        schema_fault(reader, setting,
                     "%s wants a percentage above 0 with two decimals at most, like \"10%%\", or a "
                     "number of recipients",
                     row->key);
        return;
    }
    wave->size = size;
    wave->is_share = type == CONFIG_TYPE_STRING;
}

static void write_size(const struct schema_row *row, const void *field, struct buf *out, int depth)
{
    const struct order_wave *wave = field;
    buf_add_format(out, "%*s%s = ", depth * 4, "", row->key);
    if (wave->is_share) {
        buf_add_format(out, "\"%lld.%02lld%%\";\n", (long long)(wave->size / 100),
                       (long long)(wave->size % 100));
    } else {
        buf_add_format(out, "%lld%s;\n", (long long)wave->size, wave->size > INT32_MAX ? "L" : "");
    }
}

#define ROW_SIZE                                                                                   \
    {                                                                                              \
        .key = "size", .type = SCHEMA_CUSTOM, .flags = ROW_REQUIRED,                               \
        .offset = AT(wave_draft, wave), .read = read_size, .write = write_size,                    \
        .form = "a percentage like \"10%\", or a number of recipients",                            \
        .doc = "How many a wave takes; the last takes the rest."                                   \
    }

static const struct schema_row REGULAR_ROWS[] = {
    ROW_SIZE,
    {"every", SCHEMA_DURATION, ROW_REQUIRED | ROW_POSITIVE, AT(wave_draft, every_ns),
     .doc = "From the beginning of one wave to that of the next. In a group."},
};
static const struct schema_row CALENDAR_ROWS[] = {
    ROW_SIZE,
    {"after", SCHEMA_DURATION, ROW_REQUIRED | ROW_POSITIVE, AT(wave_draft, wave.after_ns),
     .doc = "It begins this long after the start."},
};
#define WAVES_OF(rows)                                                                             \
    {                                                                                              \
        "waves", sizeof(struct wave_draft), SCHEMA_NOWHERE, SCHEMA_NOWHERE, rows, COUNT(rows),     \
            NULL, false                                                                            \
    }
static const struct schema REGULAR = WAVES_OF(REGULAR_ROWS);
static const struct schema CALENDAR = WAVES_OF(CALENDAR_ROWS);

static const struct schema_row SHOWN_ROWS[] = {
    ROW_SIZE,
    {"every", SCHEMA_DURATION, 0, AT(wave_draft, every_ns),
     .doc = "In a group: from the beginning of one wave to that of the next."},
    {"after", SCHEMA_DURATION, 0, AT(wave_draft, wave.after_ns),
     .doc = "In a list of groups, of which each is a wave: how long after the start it begins."},
};
const struct schema order_waves_schema = WAVES_OF(SHOWN_ROWS);

static bool read_wave(struct schema_reader *reader, const struct schema *schema,
                      const config_setting_t *setting, struct wave_draft *draft)
{
    if (schema_defaults(schema, reader->arena, draft) != RC_OK) {
        reader->is_no_memory = true;
        return false;
    }
    if (config_setting_is_group(setting) != CONFIG_TRUE) {
        schema_fault(reader, setting, "waves wants groups { size = \"10%%\"; after = \"1h\"; }");
        return false;
    }
    schema_read_group(reader, schema, setting, draft);
    return draft->wave.size > 0;
}

static void read_calendar(struct schema_reader *reader, const config_setting_t *setting,
                          struct order_waves *waves)
{
    size_t length = (size_t)config_setting_length(setting);
    if (length > WAVES_MAX) {
        schema_fault(reader, setting, "waves has more than %d entries; shorten it", WAVES_MAX);
        return;
    }
    struct order_wave *list = arena_array(reader->arena, length, sizeof *list);
    size_t count = 0;
    if (list == NULL) {
        reader->is_no_memory = true;
        return;
    }
    for (size_t i = 0; i < length && !reader->is_no_memory; i++) {
        struct wave_draft draft;
        const config_setting_t *entry = config_setting_get_elem(setting, (unsigned)i);
        if (!read_wave(reader, &CALENDAR, entry, &draft)) {
            continue;
        }
        if (count > 0 && draft.wave.after_ns < list[count - 1].after_ns) {
            schema_fault(reader, entry, "waves: after is below that of the wave before; sort them");
        }
        list[count++] = draft.wave;
    }
    *waves = (struct order_waves){count == 0 ? NULL : list, count, SCHEMA_NONE};
}

void order_read_waves(struct schema_reader *reader, const struct schema_row *row,
                      const config_setting_t *setting, void *field)
{
    struct order_waves *waves = field;
    if (config_setting_is_list(setting) == CONFIG_TRUE) {
        read_calendar(reader, setting, waves);
        return;
    }
    struct wave_draft draft;
    if (config_setting_is_group(setting) != CONFIG_TRUE) {
        schema_fault(reader, setting,
                     "%s wants a group { size = \"10%%\"; every = \"1h\"; } or a list of groups",
                     row->key);
        return;
    }
    struct order_wave *wave = arena_alloc(reader->arena, sizeof *wave);
    if (wave == NULL) {
        reader->is_no_memory = true;
    } else if (read_wave(reader, &REGULAR, setting, &draft)) {
        if (draft.every_ns == 0) {
            schema_fault(reader, setting, "waves: every is no time at all; write one like \"1h\"");
        }
        *wave = draft.wave;
        wave->after_ns = SCHEMA_NONE;
        *waves = (struct order_waves){wave, 1, draft.every_ns};
    }
}

void order_write_waves(const struct schema_row *row, const void *field, struct buf *out, int depth)
{
    const struct order_waves *waves = field;
    bool is_regular = waves->every_ns > 0;
    if (waves->count == 0) {
        return;
    }
    buf_add_format(out, "%*s%s = %s\n", depth * 4, "", row->key, is_regular ? "{" : "(");
    for (size_t i = 0; i < waves->count; i++) {
        struct wave_draft draft = {waves->list[i], waves->every_ns};
        if (is_regular) {
            schema_write(&REGULAR, &draft, out, depth + 1);
        } else {
            buf_add_format(out, "%*s{\n", (depth + 1) * 4, "");
            schema_write(&CALENDAR, &draft, out, depth + 2);
            buf_add_format(out, "%*s}%s\n", (depth + 1) * 4, "", i + 1 < waves->count ? "," : "");
        }
    }
    buf_add_format(out, "%*s%s;\n", depth * 4, "", is_regular ? "}" : ")");
}

/* --- arithmetic --- */

/* The end of `share` hundredths of a percent of all. No product overflows below 2^50 recipients. */
static uint64_t share_of(uint64_t total, uint64_t share)
{
    return share >= SHARE_WHOLE
               ? total
               : total / SHARE_WHOLE * share + total % SHARE_WHOLE * share / SHARE_WHOLE;
}

static uint64_t regular_open(const struct order_waves *waves, uint64_t total, uint64_t begun)
{
    const struct order_wave *wave = &waves->list[0];
    uint64_t size = (uint64_t)wave->size;
    uint64_t all = wave->is_share ? SHARE_WHOLE : total;
    if (begun >= all / size + (all % size != 0)) {
        return total;
    }
    uint64_t open = wave->is_share ? share_of(total, size * begun) : size * begun;
    open = open < begun ? begun : open; /* few recipients: one each */
    return open < total ? open : total;
}

static uint64_t calendar_open(const struct order_waves *waves, uint64_t total, int64_t since_ns,
                              int64_t *out_next_ns)
{
    uint64_t open = 0;
    uint64_t share = 0;
    uint64_t counted = 0;
    for (size_t i = 0; i < waves->count && open < total; i++) {
        const struct order_wave *wave = &waves->list[i];
        if (wave->after_ns > since_ns) {
            *out_next_ns = wave->after_ns;
            return open;
        }
        uint64_t before = open;
        share += wave->is_share ? (uint64_t)wave->size : 0;
        counted += wave->is_share ? 0 : (uint64_t)wave->size;
        counted = counted < total ? counted : total;
        open = share_of(total, share) + counted;
        open = open <= before ? before + 1 : open;
        open = open > total || i + 1 == waves->count ? total : open;
    }
    return open;
}

uint64_t order_waves_open(const struct order_waves *waves, uint64_t total, int64_t since_ns,
                          int64_t *out_next_ns)
{
    int64_t since = since_ns < 0 ? 0 : since_ns;
    *out_next_ns = SCHEMA_NONE;
    if (waves->count == 0) {
        return total;
    }
    if (waves->every_ns <= 0) {
        return calendar_open(waves, total, since, out_next_ns);
    }
    int64_t begun = since / waves->every_ns + 1;
    uint64_t open = regular_open(waves, total, (uint64_t)begun);
    if (open < total) {
        *out_next_ns = begun * waves->every_ns;
    }
    return open;
}
