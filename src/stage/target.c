/*
 * target - target.json: what the count of a delivery's target said
 */
#include "stage/target.h"

#include "base/decimal.h"
#include "stage/env.h"
#include "sys/fs.h"

#include <jansson.h>

static json_t *texts_of(const char *const *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_string(texts[i]));
    }
    return list;
}

static json_t *costs_of(const struct cost_lines *costs, const char *currency)
{
    int digits = currency_digits(currency);
    char amount[DECIMAL_TEXT_BYTES];
    json_t *list = json_array();
    for (size_t i = 0; i < costs->count; i++) {
        const struct cost_line *line = &costs->lines[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "category", line->category,
                                              "type", line->type, "amount",
                                              money_format(line->amount_minor, digits, amount),
                                              "surcharge", line->is_surcharge));
    }
    return list;
}

enum rc target_text(const struct audience_counts *counts, uint64_t quantity, uint64_t bytes,
                    const char *const *columns, size_t column_count, const char *const *warnings,
                    size_t warning_count, const struct cost_lines *costs, const char *currency,
                    struct buf *out, struct err *err)
{
    json_t *excluded = json_object();
    for (size_t i = 0; i < CAUSE_COUNT; i++) {
        if (counts->excluded[i] > 0) {
            json_object_set_new(excluded, audience_cause_name((enum audience_cause)i),
                                json_integer((json_int_t)counts->excluded[i]));
        }
    }
    json_t *names = texts_of(columns, column_count);
    char total[DECIMAL_TEXT_BYTES] = "";
    if (costs != NULL) {
        money_format(costs->total_minor, currency_digits(currency), total);
    }
    json_t *root =
        json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:s, s:s}", "rows",
                  (json_int_t)counts->rows, "records", (json_int_t)counts->records, "seeds",
                  (json_int_t)counts->seeds, "bytes", (json_int_t)bytes, "excluded", excluded,
                  "columns", names, "warnings", texts_of(warnings, warning_count), "cost",
                  costs == NULL ? json_array() : costs_of(costs, currency), "cost_total", total,
                  "currency", currency);
    if (root != NULL && quantity != counts->records + counts->seeds) {
        json_object_set_new(root, "parts", json_integer((json_int_t)quantity));
    }
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    enum rc rc = RC_OK;
    if (text == NULL) {
        rc = err_set(err, RC_NOMEM, "no memory for target.json");
    } else {
        buf_add_text(out, text);
        rc = buf_ok(out, err);
    }
    free(text);
    json_decref(root);
    return rc;
}

enum rc target_put(int dirfd, const struct buf *text, struct err *err)
{
    return fs_put_new(dirfd, TARGET_FILE, 0640, text->ptr, text->len, err);
}

static uint64_t count_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

static const char *const *read_texts(struct arena *arena, const json_t *list, size_t *out_count)
{
    size_t count = json_array_size(list);
    const char **texts = arena_array(arena, count + 1, sizeof *texts);
    for (size_t i = 0; texts != NULL && i < count; i++) {
        const json_t *item = json_array_get(list, i);
        texts[i] =
            arena_text(arena, (struct slice){json_string_value(item), json_string_length(item)});
        if (texts[i] == NULL) {
            return NULL;
        }
    }
    *out_count = count;
    return texts;
}

enum rc target_read(int dirfd, struct target_facts *out, struct err *err)
{
    *out = (struct target_facts){.arena = ARENA_EMPTY, .text = BUF_EMPTY};
    enum rc rc = fs_read_small(dirfd, TARGET_FILE, TARGET_BYTES_MAX, &out->text, err);
    json_t *root = rc == RC_OK ? json_loadb(buf_text(&out->text), out->text.len, 0, NULL) : NULL;
    if (rc == RC_OK && !json_is_object(root)) {
        rc = err_set(err, RC_CORRUPT, "target.json is not what was written");
    }
    if (rc == RC_OK) {
        const json_t *excluded = json_object_get(root, "excluded");
        out->rows = count_of(root, "rows");
        out->records = count_of(root, "records");
        out->seeds = count_of(root, "seeds");
        out->bytes = count_of(root, "bytes");
        out->quantity = json_object_get(root, "parts") != NULL ? count_of(root, "parts")
                                                               : out->records + out->seeds;
        for (size_t i = 0; i < CAUSE_COUNT; i++) {
            out->excluded[i] = count_of(excluded, audience_cause_name((enum audience_cause)i));
        }
        out->columns =
            read_texts(&out->arena, json_object_get(root, "columns"), &out->column_count);
        out->warnings =
            read_texts(&out->arena, json_object_get(root, "warnings"), &out->warning_count);
        const char *total = json_string_value(json_object_get(root, "cost_total"));
        out->cost_total = arena_text(&out->arena, slice_of(total == NULL ? "" : total));
        if (out->columns == NULL || out->warnings == NULL || out->cost_total == NULL) {
            rc = err_set(err, RC_NOMEM, "no memory for target.json");
        }
    }
    json_decref(root);
    if (rc != RC_OK) {
        target_release(out);
    }
    return rc;
}

void target_release(struct target_facts *facts)
{
    arena_release(&facts->arena);
    buf_release(&facts->text);
    *facts = (struct target_facts){.arena = ARENA_EMPTY, .text = BUF_EMPTY};
}
