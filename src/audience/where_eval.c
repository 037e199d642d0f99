/*
 * where_eval - asking a row
 *
 * Contract in where.h.
 */
#include "audience/where_inner.h"

/* Up to here a list is walked, above it is searched by halves. */
enum { WALK_MAX = 8 };

static inline size_t digits_at(struct slice text, size_t at)
{
    size_t end = at;
    while (end < text.len && text.ptr[end] >= '0' && text.ptr[end] <= '9') {
        end++;
    }
    return end - at;
}

bool where_number_read(struct slice text, struct where_number *out)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0;
    size_t whole = digits_at(text, at);
    size_t point = at + whole;
    size_t fraction = 0;

    if (whole == 0) {
        return false;
    }
    if (point < text.len) {
        if (text.ptr[point] != '.') {
            return false;
        }
        fraction = digits_at(text, point + 1);
        if (fraction == 0 || point + 1 + fraction != text.len) {
            return false;
        }
    }
    out->whole = (struct slice){text.ptr + at, whole};
    out->fraction = (struct slice){text.ptr + point + 1, fraction};
    if (fraction == 0) {
        out->fraction.ptr = "";
    }
    while (out->whole.len > 0 && out->whole.ptr[0] == '0') {
        out->whole.ptr++;
        out->whole.len--;
    }
    while (out->fraction.len > 0 && out->fraction.ptr[out->fraction.len - 1] == '0') {
        out->fraction.len--;
    }
    out->is_negative = at == 1 && (out->whole.len > 0 || out->fraction.len > 0);
    return true;
}

int where_number_compare(const struct where_number *a, const struct where_number *b)
{
    if (a->is_negative != b->is_negative) {
        return a->is_negative ? -1 : 1;
    }
    int order = 0;
    if (a->whole.len != b->whole.len) {
        order = a->whole.len < b->whole.len ? -1 : 1;
    } else {
        order = slice_compare(a->whole, b->whole);
        if (order == 0) {
            /* without closing zeros, fractions compare like text */
            order = slice_compare(a->fraction, b->fraction);
        }
    }
    return a->is_negative ? -order : order;
}

static inline unsigned truth_of(int order)
{
    return order < 0 ? WHERE_LESS : order > 0 ? WHERE_GREATER : WHERE_EQUAL;
}

static inline struct slice operand_text(const struct where_operand *operand,
                                        const struct slice *fields)
{
    return operand->is_field ? fields[operand->column] : operand->text;
}

static inline bool operand_number(const struct where_operand *operand, const struct slice *fields,
                                  struct where_number *out)
{
    if (operand->is_number) {
        *out = operand->number;
        return true;
    }
    return where_number_read(operand_text(operand, fields), out);
}

static bool has_text(const struct where_test *test, struct slice text)
{
    if (test->texts_count <= WALK_MAX) {
        for (size_t i = 0; i < test->texts_count; i++) {
            if (slice_equal(test->texts[i], text)) {
                return true;
            }
        }
        return false;
    }
    size_t low = 0;
    size_t high = test->texts_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(text, test->texts[middle]);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}

static bool has_number(const struct where_test *test, const struct where_number *number)
{
    size_t low = 0;
    size_t high = test->numbers_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = where_number_compare(number, &test->numbers[middle]);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}

/* `not in` asks for every item to be different, and no text is different from a number. */
static bool in_holds(const struct where_test *test, const struct slice *fields)
{
    bool wants_in = test->kind == TEST_IN;

    if (test->numbers_count > 0) {
        struct where_number number;
        if (operand_number(&test->left, fields, &number)) {
            if (has_number(test, &number)) {
                return wants_in;
            }
        } else if (!wants_in) {
            return false;
        }
    }
    return has_text(test, operand_text(&test->left, fields)) == wants_in;
}

static inline size_t next_character(struct slice text, size_t at)
{
    at++;
    while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80) {
        at++;
    }
    return at;
}

/* On a mismatch the last % takes one character more; earlier ones need never be asked again. */
static bool like_holds(struct slice text, struct slice pattern)
{
    size_t at = 0;
    size_t wanted = 0;
    size_t retry_at = 0;
    size_t retry_wanted = SIZE_MAX;

    while (at < text.len) {
        if (wanted < pattern.len && pattern.ptr[wanted] == '%') {
            retry_wanted = ++wanted;
            retry_at = at;
            if (wanted == pattern.len) {
                return true;
            }
        } else if (wanted < pattern.len && pattern.ptr[wanted] == '_') {
            at = next_character(text, at);
            wanted++;
        } else if (wanted < pattern.len && pattern.ptr[wanted] == text.ptr[at]) {
            at++;
            wanted++;
        } else if (retry_wanted != SIZE_MAX) {
            retry_at = next_character(text, retry_at);
            at = retry_at;
            wanted = retry_wanted;
        } else {
            return false;
        }
    }
    while (wanted < pattern.len && pattern.ptr[wanted] == '%') {
        wanted++;
    }
    return wanted == pattern.len;
}

static bool number_holds(const struct where_test *test, const struct slice *fields)
{
    struct where_number left;
    struct where_number right;

    return operand_number(&test->left, fields, &left) &&
           operand_number(&test->right, fields, &right) &&
           (truth_of(where_number_compare(&left, &right)) & test->truth) != 0;
}

/* Most texts that are compared are short, or differ in their first byte. */
static inline bool is_equal(struct slice a, struct slice b)
{
    if (a.len != b.len || a.len == 0) {
        return a.len == b.len;
    }
    return a.ptr[0] == b.ptr[0] && (a.len == 1 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool test_holds(const struct where_test *test, const struct slice *fields)
{
    struct slice left = operand_text(&test->left, fields);

    switch (test->kind) {
    case TEST_TEXT: {
        struct slice right = operand_text(&test->right, fields);
        if (test->truth == WHERE_EQUAL) {
            return is_equal(left, right);
        }
        return (truth_of(slice_compare(left, right)) & test->truth) != 0;
    }
    case TEST_NUMBER:
        return number_holds(test, fields);
    case TEST_IN:
    case TEST_NOT_IN:
        return in_holds(test, fields);
    case TEST_LIKE:
        return like_holds(left, test->right.text);
    case TEST_EMPTY:
        return left.len == 0;
    }
    return false;
}

bool where_matches(const struct where *where, const struct slice *fields)
{
    int at = where->entry;
    while (at >= 0) {
        const struct where_test *test = &where->tests[at];
        at = test_holds(test, fields) ? test->if_true : test->if_false;
    }
    return at == WHERE_YES;
}
