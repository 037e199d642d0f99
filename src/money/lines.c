/*
 * lines - choosing cost types and adding up their lines
 */
#include "money/lines.h"

#include "base/name.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool is_choice_of(const struct cost_choice *choice, const struct cost_type *type)
{
    return strcmp(choice->category, type->category) == 0 && strcmp(choice->type, type->type) == 0;
}

/* The choice that names this type; NULL: none does. */
static const struct cost_choice *choice_of(const struct cost_type *type,
                                           const struct cost_choice *choices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_choice_of(&choices[i], type)) {
            return &choices[i];
        }
    }
    return NULL;
}

/* The service has no such type: say which one was probably meant. */
static enum rc unknown_choice(const struct cost_choice *choice, const struct cost_type *types,
                              size_t type_count, struct err *err)
{
    const char *names[COST_TYPES_MAX];
    size_t count = 0;
    bool has_category = false;
    for (size_t i = 0; i < type_count; i++) {
        has_category = has_category || strcmp(types[i].category, choice->category) == 0;
    }
    for (size_t i = 0; i < type_count; i++) {
        if (!has_category) {
            names[count++] = types[i].category;
        } else if (strcmp(types[i].category, choice->category) == 0) {
            names[count++] = types[i].type;
        }
    }
    const char *nearest =
        name_nearest(slice_of(has_category ? choice->type : choice->category), names, count);
    return err_set(err, RC_PERM, "the service has no cost %s/%s%s%s%s", choice->category,
                   choice->type, nearest == NULL ? "; name one that it has" : "; did you mean \"",
                   nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
}

static enum rc check_choices(const struct cost_type *types, size_t type_count,
                             const struct cost_choice *choices, size_t choice_count,
                             struct err *err)
{
    for (size_t i = 0; i < choice_count; i++) {
        bool is_known = false;
        for (size_t j = 0; j < type_count && !is_known; j++) {
            is_known = is_choice_of(&choices[i], &types[j]);
        }
        if (!is_known) {
            return unknown_choice(&choices[i], types, type_count, err);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(choices[i].category, choices[j].category) == 0 &&
                strcmp(choices[i].type, choices[j].type) == 0) {
                return err_set(err, RC_PERM, "cost %s/%s is named twice; name it once",
                               choices[i].category, choices[i].type);
            }
        }
    }
    return RC_OK;
}

static bool is_counted(const struct cost_type *type, const struct cost_choice *choices,
                       size_t choice_count)
{
    return choice_count == 0 ? type->is_selected : choice_of(type, choices, choice_count) != NULL;
}

/* A mandatory category needs one of its types among those that count. */
static enum rc check_mandatory(const struct cost_type *types, size_t type_count,
                               const struct cost_choice *choices, size_t choice_count,
                               struct err *err)
{
    for (size_t i = 0; i < type_count; i++) {
        bool is_met = !types[i].is_mandatory;
        for (size_t j = 0; j < type_count && !is_met; j++) {
            is_met = strcmp(types[i].category, types[j].category) == 0 &&
                     is_counted(&types[j], choices, choice_count);
        }
        if (!is_met) {
            return err_set(err, RC_PERM,
                           "a cost type of category %s must be selected; name one under costs",
                           types[i].category);
        }
    }
    return RC_OK;
}

static enum rc add_line(struct cost_lines *lines, struct cost_line line, struct err *err)
{
    if (__builtin_add_overflow(lines->total_minor, line.amount_minor, &lines->total_minor)) {
        return err_set(err, RC_RANGE, "the total cost is larger than can be kept; check amounts");
    }
    lines->lines[lines->count++] = line;
    return RC_OK;
}

static enum rc add_type(const struct cost_type *type, const struct cost_choice *choice,
                        uint64_t quantity, int32_t day, int digits, struct cost_lines *lines,
                        struct err *err)
{
    int64_t amount = 0;
    enum rc rc = cost_amount_minor(&type->rule, quantity, day, digits, &amount, err);
    if (rc != RC_OK) {
        return err_add(err, rc, "cost %s/%s", type->category, type->type);
    }
    rc = add_line(lines,
                  (struct cost_line){.category = type->category,
                                     .type = type->type,
                                     .amount_minor = amount,
                                     .stock = type->stock,
                                     .stock_quantity = type->stock == NULL ? 0 : quantity},
                  err);
    if (rc != RC_OK || choice == NULL || choice->surcharge.units == 0) {
        return rc;
    }
    if (decimal_times_ratio_minor(choice->surcharge, 1, 1, digits, &amount) != RC_OK) {
        return err_set(err, RC_RANGE, "cost %s/%s: the surcharge is larger than can be kept",
                       type->category, type->type);
    }
    return add_line(lines,
                    (struct cost_line){.category = type->category,
                                       .type = type->type,
                                       .amount_minor = amount,
                                       .is_surcharge = true},
                    err);
}

enum rc cost_lines_for(const struct cost_type *types, size_t type_count,
                       const struct cost_choice *choices, size_t choice_count, uint64_t quantity,
                       int32_t day, int digits, struct cost_lines *out, struct err *err)
{
    assert(out->lines == NULL);
    struct cost_lines lines = COST_LINES_EMPTY;
    if (type_count > COST_TYPES_MAX || choice_count > COST_TYPES_MAX) {
        return err_set(err, RC_RANGE, "more than %d cost types; drop some", COST_TYPES_MAX);
    }
    enum rc rc = check_choices(types, type_count, choices, choice_count, err);
    if (rc == RC_OK) {
        rc = check_mandatory(types, type_count, choices, choice_count, err);
    }
    if (rc != RC_OK || type_count == 0) {
        return rc;
    }
    lines.lines = calloc(type_count * 2, sizeof *lines.lines);
    if (lines.lines == NULL) {
        return err_set(err, RC_NOMEM, "no memory for the cost lines");
    }
    for (size_t i = 0; i < type_count && rc == RC_OK; i++) {
        if (is_counted(&types[i], choices, choice_count)) {
            rc = add_type(&types[i], choice_of(&types[i], choices, choice_count), quantity, day,
                          digits, &lines, err);
        }
    }
    if (rc == RC_OK) {
        *out = lines;
    } else {
        cost_lines_release(&lines);
    }
    return rc;
}

void cost_lines_release(struct cost_lines *lines)
{
    free(lines->lines);
    *lines = COST_LINES_EMPTY;
}
