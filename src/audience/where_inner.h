/*
 * where_inner - the compiled form of where: what the compiler hands to the evaluation
 *
 * A list of tests. Each says which test is next when it holds and when it does not, so that and, or
 * and not cost nothing at run time and evaluation needs no stack.
 */
#ifndef POSTROOM_AUDIENCE_WHERE_INNER_H
#define POSTROOM_AUDIENCE_WHERE_INNER_H

#include "audience/where.h"
#include "base/arena.h"

#include <stdint.h>

/* Ends of the list: the row belongs, the row does not. */
enum { WHERE_YES = -1, WHERE_NO = -2 };

enum where_test_kind { TEST_TEXT, TEST_NUMBER, TEST_IN, TEST_NOT_IN, TEST_LIKE, TEST_EMPTY };

/* Results of a comparison that make it true. */
enum { WHERE_LESS = 1, WHERE_EQUAL = 2, WHERE_GREATER = 4 };

/* A decimal number, without leading zeros before and closing zeros behind the point. */
struct where_number {
    struct slice whole;
    struct slice fraction;
    bool is_negative; /* never for zero */
};

struct where_operand {
    bool is_field;
    bool is_number;    /* a number literal */
    size_t column;     /* is_field */
    struct slice text; /* literal */
    struct where_number number;
};

struct where_test {
    enum where_test_kind kind;
    unsigned truth; /* WHERE_LESS | WHERE_EQUAL | WHERE_GREATER */
    struct where_operand left;
    struct where_operand right; /* TEST_TEXT, TEST_NUMBER; TEST_LIKE: the pattern */
    struct slice *texts;        /* TEST_IN: sorted */
    size_t texts_count;
    struct where_number *numbers; /* TEST_IN: sorted */
    size_t numbers_count;
    int if_true;
    int if_false;
};

struct where {
    struct arena arena;
    struct where_test *tests;
    size_t tests_count;
    int entry;
    size_t *columns;
    size_t columns_count;
};

/* false: the text is no number */
bool where_number_read(struct slice text, struct where_number *out);
int where_number_compare(const struct where_number *a, const struct where_number *b);

#endif
