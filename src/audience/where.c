/*
 * where - the selection language of a target: from text to a list of tests
 *
 * Contract in the header. The text is parsed to a tree by recursive descent; a chain of ands or ors
 * is one node with many children, so that depth comes from parentheses and nots alone. The tree is
 * then laid out as tests that name their successors.
 */
#include "audience/where_inner.h"

#include "base/name.h"

#include <stdlib.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NAME, /* in double quotes */
    TOKEN_TEXT,
    TOKEN_NUMBER,
    TOKEN_COMPARE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA
};

struct token {
    enum token_kind kind;
    struct slice text; /* decoded where it was quoted */
    unsigned truth;    /* TOKEN_COMPARE */
    size_t at;
};

enum node_kind { NODE_TEST, NODE_AND, NODE_OR, NODE_NOT };

struct node {
    enum node_kind kind;
    struct where_test *test;
    struct node *first; /* children in reverse order: that is how they are laid out */
    struct node *next;
};

struct compiler {
    struct where *where;
    struct slice text;
    size_t at; /* behind the token */
    struct token token;
    const char *const *names;
    size_t names_count;
    size_t nodes; /* tests in the tree */
    int depth;
    struct err *err;
};

static enum rc no_memory(struct compiler *c)
{
    err_set(c->err, RC_NOMEM, "no memory");
    return RC_NOMEM; /* stated for analysers, which do not see what err_set returns */
}

/* characters, not bytes: people count those */
static size_t position(const struct compiler *c, size_t at)
{
    size_t count = 1;
    for (size_t i = 0; i < at && i < c->text.len; i++) {
        count += ((unsigned char)c->text.ptr[i] & 0xC0) != 0x80;
    }
    return count;
}

static enum rc wrong(struct compiler *c, const char *what)
{
    err_set(c->err, RC_PERM, "where: position %zu: %s", position(c, c->token.at), what);
    return RC_PERM;
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A run in quotes, its doubled quotes made single. at stands on the opening quote. */
static enum rc read_quoted(struct compiler *c, char quote)
{
    size_t end = c->at + 1;
    while (end < c->text.len && (c->text.ptr[end] != quote ||
                                 (end + 1 < c->text.len && c->text.ptr[end + 1] == quote))) {
        end += c->text.ptr[end] == quote ? 2 : 1;
    }
    if (end >= c->text.len) {
        return wrong(c, quote == '"' ? "a name in double quotes is not closed"
                                     : "a text in quotes is not closed");
    }
    char *out = arena_alloc(&c->where->arena, end - c->at);
    size_t len = 0;
    if (out == NULL) {
        return no_memory(c);
    }
    for (size_t i = c->at + 1; i < end; i++) {
        out[len++] = c->text.ptr[i];
        i += c->text.ptr[i] == quote;
    }
    c->token.text = (struct slice){out, len};
    c->at = end + 1;
    return RC_OK;
}

static enum rc read_number(struct compiler *c)
{
    size_t end = c->at + 1;
    while (end < c->text.len && (is_word_byte(c->text.ptr[end]) || c->text.ptr[end] == '.')) {
        end++;
    }
    struct where_number number;
    c->token.kind = TOKEN_NUMBER;
    c->token.text = (struct slice){c->text.ptr + c->at, end - c->at};
    c->at = end;
    if (!where_number_read(c->token.text, &number)) {
        return wrong(c, "not a number; write it like 12 or -0.5, text in 'quotes'");
    }
    return RC_OK;
}

static enum rc read_compare(struct compiler *c, char first)
{
    /* the text is copied with a NUL behind it */
    char second = c->text.ptr[c->at + 1];
    unsigned truth = 0;
    size_t len = 1;

    if (first == '=') {
        truth = WHERE_EQUAL;
    } else if (first == '!' && second == '=') {
        truth = WHERE_LESS | WHERE_GREATER;
        len = 2;
    } else if (first == '<' || first == '>') {
        truth = first == '<' ? WHERE_LESS : WHERE_GREATER;
        if (second == '=') {
            truth |= WHERE_EQUAL;
            len = 2;
        }
    } else {
        return wrong(c, "this character has no meaning here; text stands in 'quotes', a column "
                        "with such a name in \"double quotes\"");
    }
    c->token.kind = TOKEN_COMPARE;
    c->token.truth = truth;
    c->at += len;
    return RC_OK;
}

static enum rc next_token(struct compiler *c)
{
    while (c->at < c->text.len && strchr(" \t\r\n", c->text.ptr[c->at]) != NULL &&
           c->text.ptr[c->at] != '\0') {
        c->at++;
    }
    c->token = (struct token){.kind = TOKEN_END, .at = c->at};
    if (c->at == c->text.len) {
        return RC_OK;
    }
    char first = c->text.ptr[c->at];
    if (first == '\'' || first == '"') {
        c->token.kind = first == '"' ? TOKEN_NAME : TOKEN_TEXT;
        return read_quoted(c, first);
    }
    if (is_digit(first) ||
        (first == '-' && c->at + 1 < c->text.len && is_digit(c->text.ptr[c->at + 1]))) {
        return read_number(c);
    }
    if (is_word_byte(first)) {
        size_t end = c->at;
        while (end < c->text.len && is_word_byte(c->text.ptr[end])) {
            end++;
        }
        c->token.kind = TOKEN_WORD;
        c->token.text = (struct slice){c->text.ptr + c->at, end - c->at};
        c->at = end;
        return RC_OK;
    }
    if (first == '(' || first == ')' || first == ',') {
        c->token.kind = first == '(' ? TOKEN_OPEN : first == ')' ? TOKEN_CLOSE : TOKEN_COMMA;
        c->at++;
        return RC_OK;
    }
    return read_compare(c, first);
}

/* is the token this word of the language, in any case? */
static bool is_word(const struct compiler *c, const char *word)
{
    if (c->token.kind != TOKEN_WORD || c->token.text.len != strlen(word)) {
        return false;
    }
    for (size_t i = 0; i < c->token.text.len; i++) {
        int byte = (unsigned char)c->token.text.ptr[i];
        if ((byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte) != word[i]) {
            return false;
        }
    }
    return true;
}

static bool is_language(const struct compiler *c)
{
    static const char *const WORDS[] = {"and", "or", "not", "in", "like", "is", "empty"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (is_word(c, WORDS[i])) {
            return true;
        }
    }
    return false;
}

static enum rc note_column(struct compiler *c, size_t column)
{
    struct where *where = c->where;
    for (size_t i = 0; i < where->columns_count; i++) {
        if (where->columns[i] == column) {
            return RC_OK;
        }
    }
    if (where->columns == NULL) {
        where->columns = arena_array(&where->arena, c->names_count, sizeof *where->columns);
        if (where->columns == NULL) {
            return no_memory(c);
        }
    }
    where->columns[where->columns_count++] = column;
    return RC_OK;
}

static enum rc find_column(struct compiler *c, size_t *out)
{
    struct slice name = c->token.text;
    for (size_t i = 0; i < c->names_count; i++) {
        if (slice_equal_text(name, c->names[i])) {
            *out = i;
            return note_column(c, i);
        }
    }
    int len = name.len < 100 ? (int)name.len : 100;
    size_t at = position(c, c->token.at);
    const char *near = name_nearest(name, c->names, c->names_count);
    if (near == NULL) {
        return err_set(c->err, RC_PERM,
                       "where: position %zu: no column \"%.*s\"; text stands in 'quotes'", at, len,
                       name.ptr);
    }
    return err_set(c->err, RC_PERM,
                   "where: position %zu: no column \"%.*s\"; did you mean \"%.100s\"?", at, len,
                   name.ptr, near);
}

static enum rc parse_operand(struct compiler *c, struct where_operand *out)
{
    enum rc rc = RC_OK;

    *out = (struct where_operand){.text = c->token.text};
    if (c->token.kind == TOKEN_NAME || (c->token.kind == TOKEN_WORD && !is_language(c))) {
        out->is_field = true;
        rc = find_column(c, &out->column);
    } else if (c->token.kind == TOKEN_NUMBER) {
        out->is_number = where_number_read(c->token.text, &out->number);
    } else if (c->token.kind != TOKEN_TEXT) {
        rc = wrong(c, "a column, a 'text' or a number is expected here");
    }
    return rc == RC_OK ? next_token(c) : rc;
}

static int compare_slices(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static int compare_numbers(const void *a, const void *b)
{
    return where_number_compare(a, b);
}

/* Items of the list that begins behind c->at: its commas, and one. */
static size_t count_items(const struct compiler *c)
{
    size_t items = 1;
    bool is_text = false;
    for (size_t i = c->at; i < c->text.len && (is_text || c->text.ptr[i] != ')'); i++) {
        is_text ^= c->text.ptr[i] == '\'';
        items += !is_text && c->text.ptr[i] == ',';
    }
    return items;
}

static enum rc parse_list(struct compiler *c, struct where_test *test)
{
    size_t most = count_items(c);
    test->texts = arena_array(&c->where->arena, most, sizeof *test->texts);
    test->numbers = arena_array(&c->where->arena, most, sizeof *test->numbers);
    if (test->texts == NULL || test->numbers == NULL) {
        return no_memory(c);
    }
    if (c->token.kind != TOKEN_OPEN) {
        return wrong(c, "a list in ( ) is expected behind in");
    }
    do {
        enum rc rc = next_token(c);
        if (rc != RC_OK) {
            return rc;
        }
        if (c->token.kind == TOKEN_TEXT) {
            test->texts[test->texts_count++] = c->token.text;
        } else if (c->token.kind == TOKEN_NUMBER) {
            (void)where_number_read(c->token.text, &test->numbers[test->numbers_count++]);
        } else {
            return wrong(c, "a 'text' or a number is expected in the list");
        }
        rc = next_token(c);
        if (rc != RC_OK) {
            return rc;
        }
    } while (c->token.kind == TOKEN_COMMA);
    if (c->token.kind != TOKEN_CLOSE) {
        return wrong(c, "a comma or ) is expected in the list");
    }
    qsort(test->texts, test->texts_count, sizeof *test->texts, compare_slices);
    qsort(test->numbers, test->numbers_count, sizeof *test->numbers, compare_numbers);
    return next_token(c);
}

static enum rc parse_like(struct compiler *c, struct where_test *test)
{
    test->kind = TEST_LIKE;
    if (c->token.kind != TOKEN_TEXT) {
        return wrong(c, "a 'pattern' is expected behind like");
    }
    if (c->token.text.len > WHERE_LIKE_BYTES_MAX) {
        return err_set(c->err, RC_RANGE, "where: position %zu: a pattern is longer than %d bytes",
                       position(c, c->token.at), WHERE_LIKE_BYTES_MAX);
    }
    test->right.text = c->token.text;
    return next_token(c);
}

static enum rc parse_is(struct compiler *c, struct where_test *test, bool *is_negated)
{
    test->kind = TEST_EMPTY;
    if (is_word(c, "not")) {
        *is_negated = true;
        enum rc rc = next_token(c);
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (!is_word(c, "empty")) {
        return wrong(c, "empty or not empty is expected behind is");
    }
    return next_token(c);
}

/* What stands behind the left operand. Negation of like and is becomes a node of its own. */
static enum rc parse_relation(struct compiler *c, struct where_test *test, bool *is_negated)
{
    enum rc rc = RC_OK;

    if (c->token.kind == TOKEN_COMPARE) {
        test->truth = c->token.truth;
        rc = next_token(c);
        if (rc == RC_OK) {
            rc = parse_operand(c, &test->right);
        }
        test->kind = test->left.is_number || test->right.is_number ? TEST_NUMBER : TEST_TEXT;
        return rc;
    }
    if (is_word(c, "is")) {
        rc = next_token(c);
        return rc == RC_OK ? parse_is(c, test, is_negated) : rc;
    }
    bool is_not = is_word(c, "not");
    if (is_not) {
        rc = next_token(c);
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (is_word(c, "in")) {
        test->kind = is_not ? TEST_NOT_IN : TEST_IN;
        rc = next_token(c);
        return rc == RC_OK ? parse_list(c, test) : rc;
    }
    if (is_word(c, "like")) {
        *is_negated = is_not;
        rc = next_token(c);
        return rc == RC_OK ? parse_like(c, test) : rc;
    }
    return wrong(c, is_not ? "in or like is expected behind not"
                           : "a comparison (= != < <= > >= in like is) is expected here");
}

static struct node *new_node(struct compiler *c, enum node_kind kind, struct node *first)
{
    struct node *node = arena_alloc(&c->where->arena, sizeof *node);
    if (node != NULL) {
        node->kind = kind;
        node->first = first;
    }
    return node;
}

static enum rc parse_test(struct compiler *c, struct node **out)
{
    bool is_negated = false;
    struct node *node = new_node(c, NODE_TEST, NULL);
    if (node == NULL) {
        return no_memory(c);
    }
    node->test = arena_alloc(&c->where->arena, sizeof *node->test);
    if (node->test == NULL) {
        return no_memory(c);
    }
    c->nodes++;
    enum rc rc = parse_operand(c, &node->test->left);
    if (rc == RC_OK) {
        rc = parse_relation(c, node->test, &is_negated);
    }
    if (rc == RC_OK && is_negated) {
        node = new_node(c, NODE_NOT, node);
        if (node == NULL) {
            return no_memory(c);
        }
    }
    *out = node;
    return rc;
}

static enum rc parse_chain(struct compiler *c, enum node_kind kind, struct node **out);

static enum rc parse_unit(struct compiler *c, struct node **out)
{
    bool is_not = is_word(c, "not");

    if (!is_not && c->token.kind != TOKEN_OPEN) {
        return parse_test(c, out);
    }
    if (c->depth == WHERE_DEPTH_MAX) {
        return err_set(c->err, RC_RANGE,
                       "where: position %zu: more than %d parentheses and nots within each other",
                       position(c, c->token.at), WHERE_DEPTH_MAX);
    }
    c->depth++;
    enum rc rc = next_token(c);
    if (rc == RC_OK) {
        rc = is_not ? parse_unit(c, out) : parse_chain(c, NODE_OR, out);
    }
    c->depth--;
    if (rc != RC_OK) {
        return rc;
    }
    if (is_not) {
        *out = new_node(c, NODE_NOT, *out);
        return *out == NULL ? no_memory(c) : RC_OK;
    }
    if (c->token.kind != TOKEN_CLOSE) {
        return wrong(c, "and, or or ) is expected here");
    }
    return next_token(c);
}

/* units joined by `and`, or such chains joined by `or` */
static enum rc parse_chain(struct compiler *c, enum node_kind kind, struct node **out)
{
    struct node *chain = new_node(c, kind, NULL);
    if (chain == NULL) {
        return no_memory(c);
    }
    for (;;) {
        struct node *child = NULL;
        enum rc rc = kind == NODE_OR ? parse_chain(c, NODE_AND, &child) : parse_unit(c, &child);
        if (rc != RC_OK) {
            return rc;
        }
        if (child == NULL) {
            return no_memory(c); /* never: stated for analysers */
        }
        child->next = chain->first;
        chain->first = child;
        if (!is_word(c, kind == NODE_OR ? "or" : "and")) {
            *out = chain;
            return RC_OK;
        }
        rc = next_token(c);
        if (rc != RC_OK) {
            return rc;
        }
    }
}

/* Lay a tree out so that it goes on at if_true or if_false; returns where it begins. What stands
 * behind is laid out first, so that its place is known. */
static int lay_out(struct where *where, const struct node *node, int if_true, int if_false)
{
    int entry = if_true;

    switch (node->kind) {
    case NODE_TEST:
        entry = (int)where->tests_count++;
        where->tests[entry] = *node->test;
        where->tests[entry].if_true = if_true;
        where->tests[entry].if_false = if_false;
        return entry;
    case NODE_NOT:
        return lay_out(where, node->first, if_false, if_true);
    case NODE_AND:
        for (const struct node *child = node->first; child != NULL; child = child->next) {
            entry = lay_out(where, child, entry, if_false);
        }
        return entry;
    case NODE_OR:
        entry = if_false;
        for (const struct node *child = node->first; child != NULL; child = child->next) {
            entry = lay_out(where, child, if_true, entry);
        }
        return entry;
    }
    return entry;
}

static enum rc compile(struct compiler *c)
{
    struct node *root = NULL;
    enum rc rc = next_token(c);

    if (rc == RC_OK) {
        rc = parse_chain(c, NODE_OR, &root);
    }
    if (rc == RC_OK && c->token.kind != TOKEN_END) {
        rc = wrong(c, "and, or or the end is expected here");
    }
    if (rc != RC_OK) {
        return rc;
    }
    c->where->tests = arena_array(&c->where->arena, c->nodes, sizeof *c->where->tests);
    if (c->where->tests == NULL) {
        return no_memory(c);
    }
    c->where->entry = lay_out(c->where, root, WHERE_YES, WHERE_NO);
    return RC_OK;
}

enum rc where_compile(struct slice text, const char *const *names, size_t count, struct where **out,
                      struct err *err)
{
    if (text.len > WHERE_TEXT_BYTES_MAX) {
        return err_set(err, RC_RANGE, "where: position %d: longer than %d bytes",
                       WHERE_TEXT_BYTES_MAX, WHERE_TEXT_BYTES_MAX);
    }
    struct where *where = calloc(1, sizeof *where);
    if (where == NULL) {
        return err_set(err, RC_NOMEM, "no memory");
    }
    where->arena = ARENA_EMPTY;
    char *copy = arena_text(&where->arena, text);
    struct compiler c = {.where = where, .names = names, .names_count = count, .err = err};
    c.text = (struct slice){copy, text.len};
    enum rc rc = copy == NULL ? no_memory(&c) : compile(&c);
    if (rc != RC_OK) {
        where_free(where);
        return rc;
    }
    *out = where;
    return RC_OK;
}

const size_t *where_columns(const struct where *where, size_t *out_count)
{
    *out_count = where->columns_count;
    return where->columns;
}

void where_free(struct where *where)
{
    if (where == NULL) {
        return;
    }
    arena_release(&where->arena);
    free(where);
}
