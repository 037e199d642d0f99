/*
 * guard - the words and brackets of libconfig 1.5, checked without recursion or memory
 *
 * The scanner follows libconfig's scanner.l word for word and the states below follow its
 * grammar.y, so that a file that passes has no syntax error left; what libconfig still refuses are
 * duplicate names and arrays of mixed types.
 *
 *   group   NAME -> EQUALS -> VALUE -> AFTER -(; ,)-> NAME     '}' from NAME and AFTER
 *   list    FIRST -> AFTER -(,)-> NEXT -> AFTER                ')' from FIRST and AFTER
 */
#include "conf/guard.h"

#include "base/number.h"
#include "base/utf8.h"

#include <stdint.h>

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_EQUALS,
    TOKEN_SCALAR,
    TOKEN_STRING,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_SEMICOLON,
    TOKEN_BAD /* the fault is in struct guard */
};

enum level_state {
    WANT_NAME,   /* group: a name or its end */
    WANT_EQUALS, /* group: behind a name */
    WANT_VALUE,  /* group: behind '=' */
    AFTER_VALUE, /* all */
    WANT_FIRST,  /* list, array: a value or its end */
    WANT_NEXT    /* list, array: behind a comma */
};

struct level {
    char opener; /* '{', '(', '[' */
    enum level_state state;
    bool was_string; /* the value before was a string, which may go on */
    int members;
    int line;
};

struct guard {
    struct slice text;
    size_t at;
    int line;
    const char *file;
    struct err *err;
    enum rc rc; /* of TOKEN_BAD */
    struct slice word;
    struct level levels[GUARD_DEPTH_MAX + 1];
    int depth;
    int values;
};

size_t guard_bytes_max(enum guard_kind kind)
{
    switch (kind) {
    case GUARD_ETC:
        return GUARD_ETC_BYTES_MAX;
    case GUARD_DROP:
        return GUARD_DROP_BYTES_MAX;
    case GUARD_DECISION:
        break;
    }
    return GUARD_DECISION_BYTES_MAX;
}

/* --- words --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_name_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*';
}

static bool is_name_byte(char c)
{
    return is_name_start(c) || is_digit(c) || c == '-' || c == '_';
}

/* The byte `ahead` of the current one; NUL behind the end (NUL itself was refused before). */
static char peek(const struct guard *g, size_t ahead)
{
    if (ahead >= g->text.len - g->at) {
        return '\0';
    }
    return g->text.ptr[g->at + ahead];
}

static enum token_kind bad(struct guard *g, enum rc rc, int line, const char *what)
{
    g->rc = err_set(g->err, rc, "%s:%d: %s", g->file, line, what);
    return TOKEN_BAD;
}

/* Blanks and comments. False: a comment that never closes. */
static bool skip_blanks(struct guard *g)
{
    while (g->at < g->text.len) {
        char c = peek(g, 0);
        if (c == '\n') {
            g->line++;
            g->at++;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
            g->at++;
        } else if (c == '#' || (c == '/' && peek(g, 1) == '/')) {
            while (g->at < g->text.len && peek(g, 0) != '\n') {
                g->at++;
            }
        } else if (c == '/' && peek(g, 1) == '*') {
            int opened = g->line;
            g->at += 2;
            while (g->at < g->text.len && !(peek(g, 0) == '*' && peek(g, 1) == '/')) {
                g->line += peek(g, 0) == '\n';
                g->at++;
            }
            if (g->at == g->text.len) {
                (void)bad(g, RC_PERM, opened, "a comment is never closed; end it with */");
                return false;
            }
            g->at += 2;
        } else {
            break;
        }
    }
    return true;
}

static enum token_kind scan_string(struct guard *g)
{
    int opened = g->line;
    g->at++;
    while (g->at < g->text.len) {
        char c = peek(g, 0);
        if (c == '"') {
            g->at++;
            return TOKEN_STRING;
        }
        if (c == '\\' && (peek(g, 1) == '\\' || peek(g, 1) == '"')) {
            g->at += 2;
            continue;
        }
        if (c == '\\' && (peek(g, 1) == 'x' || peek(g, 1) == 'X') && peek(g, 2) == '0' &&
            peek(g, 3) == '0') {
            return bad(g, RC_PERM, g->line, "\\x00 in a text; a text cannot hold a NUL");
        }
        g->line += c == '\n';
        g->at++;
    }
    return bad(g, RC_PERM, opened, "a text is never closed; end it with a double quote");
}

/* The value of the digits in 0..max; false when it is larger. */
static bool digits_fit(struct slice digits, unsigned base, uint64_t max)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        unsigned digit = is_digit(c) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
        if (value > (max - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    return true;
}

static enum token_kind check_integer(struct guard *g, struct slice digits, unsigned base,
                                     bool is_negative)
{
    bool is_long = peek(g, 0) == 'L';
    if (is_long) {
        g->at += peek(g, 1) == 'L' ? 2 : 1;
    }
    uint64_t max = is_long ? (uint64_t)INT64_MAX : (uint64_t)INT32_MAX;
    if (digits_fit(digits, base, max + (is_negative ? 1 : 0))) {
        return TOKEN_SCALAR;
    }
    if (is_long) {
        return bad(g, RC_PERM, g->line, "a number does not fit 64 bits; write a smaller one");
    }
    return bad(g, RC_PERM, g->line,
               "a number does not fit 32 bits; write L behind it (3000000000L), or a smaller one");
}

/* An exponent at `ahead`: its length, or 0. */
static size_t exponent_at(const struct guard *g, size_t ahead)
{
    size_t n = ahead;
    if (peek(g, n) != 'e' && peek(g, n) != 'E') {
        return 0;
    }
    n++;
    n += peek(g, n) == '+' || peek(g, n) == '-';
    if (!is_digit(peek(g, n))) {
        return 0;
    }
    while (is_digit(peek(g, n))) {
        n++;
    }
    return n - ahead;
}

/* Longest match, as flex does: hex, float, integer. */
static enum token_kind scan_number(struct guard *g)
{
    if (peek(g, 0) == '0' && (peek(g, 1) == 'x' || peek(g, 1) == 'X') && is_hex(peek(g, 2))) {
        g->at += 2;
        struct slice digits = {g->text.ptr + g->at, 0};
        while (is_hex(peek(g, 0))) {
            digits.len++;
            g->at++;
        }
        return check_integer(g, digits, 16, false);
    }
    bool is_negative = peek(g, 0) == '-';
    size_t n = peek(g, 0) == '-' || peek(g, 0) == '+';
    struct slice digits = {g->text.ptr + g->at + n, 0};
    while (is_digit(peek(g, n))) {
        digits.len++;
        n++;
    }
    if (peek(g, n) == '.') {
        n++;
        while (is_digit(peek(g, n))) {
            n++;
        }
        g->at += n + exponent_at(g, n);
        return TOKEN_SCALAR;
    }
    if (digits.len == 0) {
        return bad(g, RC_PERM, g->line, "a sign without a number; write the number behind it");
    }
    size_t exponent = exponent_at(g, n);
    g->at += n + exponent;
    return exponent > 0 ? TOKEN_SCALAR : check_integer(g, digits, 10, is_negative);
}

static enum token_kind scan_name(struct guard *g)
{
    g->word = (struct slice){g->text.ptr + g->at, 0};
    while (is_name_byte(peek(g, 0))) {
        g->word.len++;
        g->at++;
    }
    bool is_bool = false;
    for (size_t which = 0; which < 2; which++) {
        const char *word = which == 0 ? "true" : "false";
        bool is_same = g->word.len == strlen(word);
        for (size_t i = 0; is_same && i < g->word.len; i++) {
            is_same = (g->word.ptr[i] | 0x20) == word[i];
        }
        is_bool = is_bool || is_same;
    }
    if (!is_bool && g->word.len > GUARD_NAME_BYTES_MAX) {
        return bad(g, RC_RANGE, g->line, "a name is longer than 64 bytes; no setting is");
    }
    return is_bool ? TOKEN_SCALAR : TOKEN_NAME;
}

static enum token_kind scan_other(struct guard *g)
{
    struct slice rest = {g->text.ptr + g->at, g->text.len - g->at};
    static const struct slice include = {"@include", 8};
    if (rest.len >= include.len && memcmp(rest.ptr, include.ptr, include.len) == 0) {
        return bad(g, RC_PERM, g->line, "@include is not allowed; copy the settings in");
    }
    unsigned char c = (unsigned char)rest.ptr[0];
    bool is_plain = c > ' ' && c < 0x7f;
    g->rc = err_set(g->err, RC_PERM,
                    is_plain ? "%s:%d: '%c' is not expected here; texts stand in double quotes"
                             : "%s:%d: a character that is not expected here (byte %d); texts "
                               "stand in double quotes",
                    g->file, g->line, c);
    return TOKEN_BAD;
}

static enum token_kind scan(struct guard *g)
{
    if (!skip_blanks(g)) {
        return TOKEN_BAD;
    }
    if (g->at == g->text.len) {
        return TOKEN_END;
    }
    char c = peek(g, 0);
    g->word = (struct slice){g->text.ptr + g->at, 1};
    if (c == '"') {
        return scan_string(g);
    }
    if (is_digit(c) || c == '-' || c == '+' || c == '.') {
        return scan_number(g);
    }
    if (is_name_start(c)) {
        return scan_name(g);
    }
    g->at++;
    switch (c) {
    case '=':
    case ':':
        return TOKEN_EQUALS;
    case ',':
        return TOKEN_COMMA;
    case ';':
        return TOKEN_SEMICOLON;
    case '{':
    case '(':
    case '[':
        return TOKEN_OPEN;
    case '}':
    case ')':
    case ']':
        return TOKEN_CLOSE;
    default:
        g->at--;
        return scan_other(g);
    }
}

/* --- brackets --- */

static enum rc refuse(struct guard *g, const char *what)
{
    (void)bad(g, RC_PERM, g->line, what);
    return g->rc;
}

static char closer_of(char opener)
{
    switch (opener) {
    case '{':
        return '}';
    case '(':
        return ')';
    default:
        return ']';
    }
}

static bool wants_value(const struct level *top)
{
    return top->state == WANT_VALUE || top->state == WANT_FIRST || top->state == WANT_NEXT;
}

static enum rc misplaced(struct guard *g, const struct level *top)
{
    switch (top->state) {
    case WANT_NAME:
        return refuse(g, "the name of a setting is expected here; write name = value;");
    case WANT_EQUALS:
        return refuse(g, "no = behind the name of a setting; write name = value;");
    case WANT_VALUE:
        return refuse(g, "no value behind the =; texts stand in double quotes");
    case WANT_FIRST:
    case WANT_NEXT:
        return refuse(g, "a value is expected here; texts stand in double quotes");
    case AFTER_VALUE:
        break;
    }
    return refuse(g, top->opener == '{' ? "a setting is not ended; write ; behind its value"
                                        : "a comma is missing between two values");
}

static enum rc take_value(struct guard *g, struct level *top, enum token_kind kind)
{
    if (kind == TOKEN_STRING && top->state == AFTER_VALUE && top->was_string) {
        return RC_OK; /* "a" "b" is one text */
    }
    if (!wants_value(top)) {
        return misplaced(g, top);
    }
    if (++g->values > GUARD_VALUES_MAX) {
        (void)bad(g, RC_RANGE, g->line, "too many values in one file; split it");
        return g->rc;
    }
    if (kind == TOKEN_OPEN && top->opener == '[') {
        return refuse(g, "[ ] holds plain values only; write ( ) around groups and lists");
    }
    top->state = AFTER_VALUE;
    top->was_string = kind == TOKEN_STRING;
    if (kind != TOKEN_OPEN) {
        return RC_OK;
    }
    if (g->depth == GUARD_DEPTH_MAX) {
        (void)bad(g, RC_RANGE, g->line, "brackets are nested deeper than 32; no setting is");
        return g->rc;
    }
    char opener = g->word.ptr[0];
    g->levels[++g->depth] =
        (struct level){opener, opener == '{' ? WANT_NAME : WANT_FIRST, false, 0, g->line};
    return RC_OK;
}

static enum rc take_close(struct guard *g, const struct level *top)
{
    if (g->depth == 0) {
        return refuse(g, "a closing bracket that nothing opened; remove it");
    }
    if (g->word.ptr[0] != closer_of(top->opener)) {
        g->rc = err_set(g->err, RC_PERM,
                        "%s:%d: '%c' closes the '%c' of line %d; write '%c', or close what is "
                        "open",
                        g->file, g->line, g->word.ptr[0], top->opener, top->line,
                        closer_of(top->opener));
        return g->rc;
    }
    if (top->state == WANT_NEXT) {
        return refuse(g, "a comma before a closing bracket; remove the comma");
    }
    if (top->state == WANT_EQUALS || top->state == WANT_VALUE) {
        return misplaced(g, top);
    }
    g->depth--;
    return RC_OK;
}

static enum rc take_name(struct guard *g, struct level *top)
{
    if (top->opener != '{' || (top->state != WANT_NAME && top->state != AFTER_VALUE)) {
        return misplaced(g, top);
    }
    if (++top->members > GUARD_MEMBERS_MAX) {
        (void)bad(g, RC_RANGE, g->line, "more than 1000 settings in one group; use a list");
        return g->rc;
    }
    top->state = WANT_EQUALS;
    return RC_OK;
}

static enum rc take(struct guard *g, enum token_kind kind)
{
    struct level *top = &g->levels[g->depth];
    switch (kind) {
    case TOKEN_BAD:
        return g->rc;
    case TOKEN_NAME:
        return take_name(g, top);
    case TOKEN_EQUALS:
        if (top->state != WANT_EQUALS) {
            return misplaced(g, top);
        }
        top->state = WANT_VALUE;
        return RC_OK;
    case TOKEN_SCALAR:
    case TOKEN_STRING:
    case TOKEN_OPEN:
        return take_value(g, top, kind);
    case TOKEN_CLOSE:
        return take_close(g, top);
    case TOKEN_SEMICOLON:
    case TOKEN_COMMA:
        if (top->state != AFTER_VALUE || (kind == TOKEN_SEMICOLON && top->opener != '{')) {
            return misplaced(g, top);
        }
        top->state = top->opener == '{' ? WANT_NAME : WANT_NEXT;
        return RC_OK;
    case TOKEN_END:
        break;
    }
    if (g->depth > 0) {
        g->rc = err_set(g->err, RC_PERM, "%s:%d: '%c' is never closed; write '%c' at its end",
                        g->file, top->line, top->opener, closer_of(top->opener));
        return g->rc;
    }
    if (top->state == WANT_EQUALS || top->state == WANT_VALUE) {
        return misplaced(g, top);
    }
    return RC_OK;
}

/* --- the whole --- */

static int line_of(struct slice text, size_t at)
{
    int line = 1;
    for (size_t i = 0; i < at; i++) {
        line += text.ptr[i] == '\n';
    }
    return line;
}

static enum rc check_bytes(struct slice text, enum guard_kind kind, const char *file,
                           struct err *err)
{
    if (text.len > guard_bytes_max(kind)) {
        return err_set(err, RC_RANGE, "%s:1: larger than %zu KiB; a file of settings is not", file,
                       guard_bytes_max(kind) >> 10);
    }
    const char *nul = text.len == 0 ? NULL : memchr(text.ptr, '\0', text.len);
    if (nul != NULL) {
        return err_set(err, RC_PERM, "%s:%d: a NUL byte; save the file as UTF-8 text", file,
                       line_of(text, (size_t)(nul - text.ptr)));
    }
    if (utf8_is_valid(text)) {
        return RC_OK;
    }
    size_t at = 0;
    size_t start = 0;
    while (at < text.len) {
        start = at;
        if (utf8_next(text, &at) < 0) {
            break;
        }
    }
    return err_set(err, RC_PERM, "%s:%d: not UTF-8; save the file as UTF-8", file,
                   line_of(text, start));
}

enum rc guard_check(struct slice text, enum guard_kind kind, const char *file, struct err *err)
{
    enum rc rc = check_bytes(text, kind, file, err);
    if (rc != RC_OK) {
        return rc;
    }
    struct guard g = {.text = text, .line = 1, .file = file, .err = err, .rc = RC_OK};
    g.levels[0] = (struct level){'{', WANT_NAME, false, 0, 1};
    for (;;) { /* ends: each token moves on by a byte at least */
        enum token_kind token = scan(&g);
        rc = take(&g, token);
        if (rc != RC_OK || token == TOKEN_END) {
            return rc;
        }
    }
}
