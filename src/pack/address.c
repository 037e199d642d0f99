/*
 * address - NF Z 10-011: lines normalised and judged
 */
#include "pack/address.h"

#include "base/utf8.h"

#include <assert.h>
#include <strings.h>
#include <unicode/uchar.h>

enum { FIRST_PLAIN_LINE = 4, STREET_LINE = 4, POSTCODE_DIGITS = 5, SHARP_S = 0xDF };

/*
 * Kinds of street and their short forms, as the norm's list and the national address files have
 * them. RUE, CITE and the like have no shorter form and stand here so that the search ends at them:
 * in RUE DE LA PLACE it is not the PLACE that is abbreviated.
 */
static const struct {
    const char *full;
    const char *brief;
} street_kinds[] = {
    {"ALLEE", "ALL"},     {"ALLEES", "ALL"},    {"AVENUE", "AV"},       {"BOULEVARD", "BD"},
    {"CARREFOUR", "CAR"}, {"CHAUSSEE", "CHS"},  {"CHEMIN", "CHE"},      {"CITE", "CITE"},
    {"CORNICHE", "COR"},  {"COUR", "COUR"},     {"COURS", "CRS"},       {"DOMAINE", "DOM"},
    {"DESCENTE", "DSC"},  {"ESPLANADE", "ESP"}, {"FAUBOURG", "FG"},     {"GRANDE RUE", "GR"},
    {"HAMEAU", "HAM"},    {"IMPASSE", "IMP"},   {"LIEU DIT", "LD"},     {"LOTISSEMENT", "LOT"},
    {"MARCHE", "MAR"},    {"MONTEE", "MTE"},    {"PASSAGE", "PAS"},     {"PLACE", "PL"},
    {"PLAINE", "PLN"},    {"PLATEAU", "PLT"},   {"PROMENADE", "PRO"},   {"QUAI", "QUAI"},
    {"QUARTIER", "QUA"},  {"RESIDENCE", "RES"}, {"ROCADE", "ROC"},      {"ROND POINT", "RPT"},
    {"ROUTE", "RTE"},     {"RUE", "RUE"},       {"RUELLE", "RLE"},      {"SENTE", "SEN"},
    {"SENTIER", "SEN"},   {"SQUARE", "SQ"},     {"TERRE PLEIN", "TPL"}, {"TRAVERSE", "TRA"},
    {"VILLA", "VLA"},     {"VILLAGE", "VLGE"},  {"VOIE", "VOIE"}};

/* The same letters with their accents, for comparing: one byte for each character below U+0100 */
static char without_accent(int32_t point)
{
    if (point < 0x80) {
        return (char)point;
    }
    switch (point) {
    case 0xC9: /* E acute, as in ALLEE, CITE, MONTEE */
    case 0xC8:
    case 0xCA:
        return 'E';
    case 0xC2:
        return 'A';
    default:
        return '?';
    }
}

static size_t characters(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    }
    return count;
}

/* The bytes of `text` at which `full` ends, when text begins with it as whole words; else 0 */
static size_t matched(struct slice text, const char *full)
{
    size_t at = 0;
    for (; *full != '\0'; full++) {
        if (at >= text.len) {
            return 0;
        }
        int32_t point = utf8_next(text, &at);
        if (point < 0 || without_accent(point) != *full) {
            return 0;
        }
    }
    return at == text.len || text.ptr[at] == ' ' ? at : 0;
}

/* Abbreviate the first kind of street in the line that starts at `start` of out; a name must follow
 */
static void abbreviate_street(struct buf *out, size_t start)
{
    for (size_t at = start; at < out->len; at++) {
        bool begins_word = at == start || out->ptr[at - 1] == ' ';
        if (!begins_word) {
            continue;
        }
        struct slice rest = {out->ptr + at, out->len - at};
        for (size_t i = 0; i < sizeof street_kinds / sizeof street_kinds[0]; i++) {
            size_t full = matched(rest, street_kinds[i].full);
            if (full == 0 || full == rest.len) {
                continue;
            }
            size_t brief = strlen(street_kinds[i].brief);
            memcpy(out->ptr + at, street_kinds[i].brief, brief);
            memmove(out->ptr + at + brief, out->ptr + at + full, rest.len - full);
            out->len -= full - brief;
            out->ptr[out->len] = '\0';
            return;
        }
    }
}

/* What a character of a line becomes: itself, its upper case, ' ', or -1 for the sharp s (SS) */
static inline int32_t normal_point(int32_t point, bool is_plain)
{
    if (point >= 'a' && point <= 'z') {
        return is_plain ? point - 0x20 : point;
    }
    if ((point >= 'A' && point <= 'Z') || (point >= '0' && point <= '9') || point == 0) {
        return point;
    }
    if (point < 0x80) {
        return is_plain || point <= ' ' || point == 0x7F ? ' ' : point;
    }
    if (u_isUWhiteSpace(point) || u_charType(point) == U_CONTROL_CHAR) {
        return ' ';
    }
    if (!is_plain) {
        return point;
    }
    if (point == SHARP_S) {
        return -1;
    }
    bool is_mark = (U_GET_GC_MASK(point) & U_GC_M_MASK) != 0;
    return u_isalnum(point) || is_mark ? u_toupper(point) : ' ';
}

/* One character beyond ASCII, or one that is no UTF-8; ' ' counts as in ASCII */
static inline int32_t wide_point(struct slice text, size_t *at, bool is_plain)
{
    int32_t point = utf8_next(text, at);
    return normal_point(point < 0 ? 0xFFFD : point, is_plain);
}

void address_line(int number, struct slice text, struct buf *out)
{
    assert(number >= 1 && number <= ADDRESS_LINES);
    bool is_plain = number >= FIRST_PLAIN_LINE;
    /* At most 3 bytes for one: U+FFFD for a byte that is no UTF-8. Upper case adds one to two at
     * most. */
    if (!buf_reserve(out, 3 * text.len + 4)) {
        return;
    }
    size_t start = out->len;
    char *const first = out->ptr + start;
    char *to = first;
    bool is_space_due = false;
    for (size_t at = 0; at < text.len;) {
        unsigned char c = (unsigned char)text.ptr[at];
        int32_t point = c < 0x80 ? normal_point(c, is_plain) : wide_point(text, &at, is_plain);
        at += c < 0x80;
        if (point == ' ') {
            is_space_due = to != first;
            continue;
        }
        if (is_space_due) {
            *to++ = ' ';
            is_space_due = false;
        }
        if (point < 0) {
            *to++ = 'S';
            *to++ = 'S';
        } else if (point < 0x80) {
            *to++ = (char)point;
        } else {
            to += utf8_put(point, to);
        }
    }
    out->len = (size_t)(to - out->ptr);
    *to = '\0';
    struct slice line = {first, out->len - start};
    if (number == STREET_LINE && line.len > ADDRESS_STREET_CHARACTERS_FULL &&
        characters(line) > ADDRESS_STREET_CHARACTERS_FULL) {
        abbreviate_street(out, start);
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Line 6 in France: postcode, space, town */
static enum address_verdict check_town(struct slice line)
{
    size_t digits = 0;
    size_t any_digits = 0;
    while (digits < line.len && is_digit(line.ptr[digits])) {
        digits++;
    }
    for (size_t i = 0; i < line.len; i++) {
        any_digits += is_digit(line.ptr[i]);
    }
    if (any_digits == 0) {
        return ADDRESS_INCOMPLETE; /* empty, or a town without postcode */
    }
    if (digits != POSTCODE_DIGITS) {
        return ADDRESS_BAD;
    }
    if (digits == line.len) {
        return ADDRESS_INCOMPLETE;
    }
    return line.ptr[digits] == ' ' ? ADDRESS_OK : ADDRESS_BAD;
}

enum address_verdict address_check(const struct slice lines[ADDRESS_LINES], bool is_france)
{
    bool is_empty =
        lines[0].len == 0 || (lines[3].len == 0 && lines[4].len == 0) || lines[5].len == 0;
    enum address_verdict town = is_france && !is_empty ? check_town(lines[5]) : ADDRESS_OK;
    if (is_empty || town == ADDRESS_INCOMPLETE) {
        return ADDRESS_INCOMPLETE;
    }
    for (int i = 0; i < ADDRESS_LINES; i++) {
        if (lines[i].len > ADDRESS_LINE_CHARACTERS_MAX &&
            characters(lines[i]) > ADDRESS_LINE_CHARACTERS_MAX) {
            return ADDRESS_BAD;
        }
    }
    return town;
}

bool address_is_france(struct slice country)
{
    static const char *const names[] = {"", "FR", "FRA", "FRANCE"};
    while (country.len > 0 && country.ptr[0] == ' ') {
        country = (struct slice){country.ptr + 1, country.len - 1};
    }
    while (country.len > 0 && country.ptr[country.len - 1] == ' ') {
        country.len--;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (country.len == strlen(names[i]) &&
            (country.len == 0 || strncasecmp(country.ptr, names[i], country.len) == 0)) {
            return true;
        }
    }
    return false;
}

const char *address_verdict_name(enum address_verdict verdict)
{
    switch (verdict) {
    case ADDRESS_OK:
        return "ok";
    case ADDRESS_INCOMPLETE:
        return "incomplete-address";
    case ADDRESS_BAD:
        return "bad-address";
    }
    return "unknown";
}
