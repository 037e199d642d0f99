/*
 * name - ids, and the nearest known name
 */
#include "base/name.h"

#include <string.h>

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool id_is_valid(struct slice text)
{
    if (text.len < 1 || text.len > ID_BYTES_MAX || !is_letter_or_digit(text.ptr[0])) {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        char c = text.ptr[i];
        if (!is_letter_or_digit(c) && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

static char folded(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    if (c == '-') {
        return '_';
    }
    return c;
}

/* Levenshtein distance over at most ID_BYTES_MAX bytes, letters folded, '-' like '_' */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[ID_BYTES_MAX + 1];
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (folded(a.ptr[i - 1]) != folded(b.ptr[j - 1]));
            diagonal = row[j];
            size_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < best ? change : best;
        }
    }
    return row[b.len];
}

const char *name_nearest(struct slice name, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    if (name.len == 0 || name.len > ID_BYTES_MAX) {
        return NULL;
    }
    size_t limit = name.len / 3 < 2 ? 2 : name.len / 3;
    size_t best_distance = limit + 1;
    for (size_t i = 0; i < count; i++) {
        struct slice candidate = slice_of(candidates[i]);
        if (candidate.len > ID_BYTES_MAX) {
            continue;
        }
        size_t distance = edit_distance(name, candidate);
        if (distance < best_distance && distance < name.len) {
            best_distance = distance;
            best = candidates[i];
        }
    }
    return best;
}
