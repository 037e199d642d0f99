/*
 * make-recipients - realistic recipients as CSV, fast and the same for the same seed
 *
 *   make-recipients N [SEED]              N rows with a header row
 *   make-recipients --suppressed N [SEED] recipient_id of about 1 in 100 of those rows
 *   make-recipients --seeds               five control addresses, same columns
 *
 * UTF-8, comma, LF, RFC 4180 quoting only where a field needs it; about 125 bytes a row. The
 * columns are in HEADER. Row i depends on SEED and i alone: its numbers come from splitmix64
 * (Steele, Lea, Flood 2014) started at a mix of SEED, i and a purpose, so that no earlier row has
 * to be remembered to repeat it, and the first rows of a larger file are those of a smaller one.
 *
 * Home       72% FR, 8% DE, 6% ES, 5% NL, 4% BE, 2% PL, 1.5% CZ, 1.5% TR; the last three are
 *            written with letters that windows-1252 has not; 8% of FR have a name from elsewhere
 * Repeats    3% are an earlier person again (same last_name, address1, postcode and city under
 *            another recipient_id), half of them with another first name; 0.3% more by chance in a
 *            million rows. 0.5% carry the recipient_id of an earlier row
 * Facts      8% consent_mail = 0, the others 1; segment 10% gold, 25% silver, 35% bronze, 30% none;
 *            balance 5% empty, 6% negative, up to 999.99, small ones more often
 * Addresses  0.25% no address1, 0.25% no postcode, 0.3% an address1 of more than 38 characters; 18%
 *            address2, 1 in 9 of them with a newline; postcodes keep their leading zero
 * Others     9% company, with quotes and commas; 4% no title, 12% no email, 22% no mobile
 *
 * Mail domains and telephone numbers are reserved ones or unassigned.
 */
#include "base/number.h"
#include "make-recipients-data.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    OUTPUT_BYTES = 1 << 20,
    ROW_BYTES_MAX = 1024, /* the longest row is below 400 */
    MYRIAD = 10000        /* chances are given in ten thousandths */
};
#define ROWS_MAX UINT64_C(1000000000) /* ids keep nine digits; about 125 GB */
#define SEED_DEFAULT 1

static const char HEADER[] =
    "recipient_id,title,first_name,last_name,company,address1,address2,postcode,city,country,email,"
    "mobile,segment,balance,consent_mail,language\n";

static const char SEEDS[] =
    "SEED-1,Mme,Zoé,Contrôle,,1 rue du Témoin,,75011,Paris,FR,zoe@control.example,,none,0.00,1,fr\n"
    "SEED-2,M.,Jean,Contrôle,\"Contrôle, Qualité & Cie\",2 rue du Témoin,Bât. "
    "B,01000,Bourg-en-Bresse,"
    "FR,jean@control.example,,none,0.00,1,fr\n"
    "SEED-3,Herr,Jürgen,Groß,,Hauptstraße "
    "3,,10115,Berlin,DE,juergen@control.example,,none,0.00,1,de\n"
    "SEED-4,Sra.,Begoña,Muñoz,,\"Calle Mayor, 4\",,08001,Barcelona,ES,begona@control.example,,none,"
    "0.00,1,es\n"
    "SEED-5,Mevr.,Daniëlle,de Vries,,Keizersgracht 5,,1012 "
    "AB,Amsterdam,NL,danielle@control.example,,"
    "none,0.00,1,nl\n";

/* --- numbers --- */

enum purpose { FOR_ROW, FOR_PERSON, FOR_SUPPRESSION };

struct draws {
    uint64_t state;
};

static uint64_t mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static struct draws draws_for(uint64_t seed, uint64_t row, enum purpose purpose)
{
    return (struct draws){mixed(mixed(seed + 1) + row * 4 + (uint64_t)purpose)};
}

/* 0 .. limit-1; limit below 2^32. The bias is below limit / 2^32. */
static uint32_t below(struct draws *draws, uint32_t limit)
{
    draws->state += UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(((mixed(draws->state) >> 32) * limit) >> 32);
}

/* true for `chance` of ten thousand */
static bool happens(struct draws *draws, uint32_t chance)
{
    return below(draws, MYRIAD) < chance;
}

/* --- countries and origins of names --- */

#define LIST(array) (array), sizeof(array) / sizeof((array)[0])

struct origin {
    const struct name *women;
    uint32_t women_count;
    const struct name *men;
    uint32_t men_count;
    const struct name *last;
    uint32_t last_count;
    struct text titles[2]; /* woman, man */
};

enum { FR, BE, DE, NL, ES, PL, CZ, TR, COUNTRIES };

static const struct origin ORIGINS[COUNTRIES] = {
    [FR] = {LIST(FR_WOMEN), LIST(FR_MEN), LIST(FR_LAST), {T("Mme"), T("M.")}},
    [BE] = {LIST(FR_WOMEN), LIST(NL_MEN), LIST(FR_LAST), {T("Mme"), T("M.")}},
    [DE] = {LIST(DE_WOMEN), LIST(DE_MEN), LIST(DE_LAST), {T("Frau"), T("Herr")}},
    [NL] = {LIST(NL_WOMEN), LIST(NL_MEN), LIST(NL_LAST), {T("Mevr."), T("Dhr.")}},
    [ES] = {LIST(ES_WOMEN), LIST(ES_MEN), LIST(ES_LAST), {T("Sra."), T("Sr.")}},
    [PL] = {LIST(PL_WOMEN), LIST(PL_MEN), LIST(PL_LAST), {T("Pani"), T("Pan")}},
    [CZ] = {LIST(CZ_WOMEN), LIST(CZ_MEN), LIST(CZ_LAST), {T("Paní"), T("Pan")}},
    [TR] = {LIST(TR_WOMEN), LIST(TR_MEN), LIST(TR_LAST), {T("Bayan"), T("Bay")}},
};

enum street_style { NUMBER_FIRST, NUMBER_LAST, NUMBER_AFTER_COMMA };
enum postcode_style { FIVE_DIGITS, FOUR_DIGITS, DUTCH, POLISH, CZECH };

struct country {
    uint32_t chance; /* of ten thousand */
    struct text code;
    struct text language;
    const struct text *streets;
    uint32_t street_count;
    const struct city *cities;
    uint32_t city_count;
    enum street_style street_style;
    enum postcode_style postcode_style;
    struct text mobile; /* then four digits */
};

static const struct country HOME[COUNTRIES] = {
    [FR] = {7200, T("FR"), T("fr"), LIST(FR_STREETS), LIST(FR_CITIES), NUMBER_FIRST, FIVE_DIGITS,
            T("+3363998")},
    [BE] = {400, T("BE"), T("fr"), LIST(BE_STREETS), LIST(BE_CITIES), NUMBER_LAST, FOUR_DIGITS,
            T("+32460000")},
    [DE] = {800, T("DE"), T("de"), LIST(DE_STREETS), LIST(DE_CITIES), NUMBER_LAST, FIVE_DIGITS,
            T("+491713920")},
    [NL] = {500, T("NL"), T("nl"), LIST(NL_STREETS), LIST(NL_CITIES), NUMBER_LAST, DUTCH,
            T("+31600000")},
    [ES] = {600, T("ES"), T("es"), LIST(ES_STREETS), LIST(ES_CITIES), NUMBER_AFTER_COMMA,
            FIVE_DIGITS, T("+34600000")},
    [PL] = {200, T("PL"), T("pl"), LIST(PL_STREETS), LIST(PL_CITIES), NUMBER_LAST, POLISH,
            T("+48500000")},
    [CZ] = {150, T("CZ"), T("cs"), LIST(CZ_STREETS), LIST(CZ_CITIES), NUMBER_LAST, CZECH,
            T("+42060000")},
    [TR] = {150, T("TR"), T("tr"), LIST(TR_STREETS), LIST(TR_CITIES), NUMBER_LAST, FIVE_DIGITS,
            T("+90500000")},
};

/* --- a person --- */

struct given {
    const struct name *name;
    bool is_man;
};

struct person {
    const struct country *country;
    const struct origin *origin;
    struct given given;
    const struct name *last;
    const struct text *street;
    const struct city *city;
    const struct company *company; /* NULL: none */
    const struct text *line2;      /* NULL: none */
    const char *long_start;        /* NULL: the usual short address */
    uint32_t number;
    uint32_t postcode;
    uint32_t letters; /* of a Dutch postcode */
    bool has_bis;
    bool has_address;
    bool has_postcode;
};

static uint32_t pick_country(struct draws *draws)
{
    uint32_t left = below(draws, MYRIAD);
    uint32_t at = 0;
    while (at + 1 < COUNTRIES && left >= HOME[at].chance) {
        left -= HOME[at++].chance;
    }
    return at;
}

static struct given pick_given(struct draws *draws, const struct origin *origin)
{
    bool is_man = below(draws, 2) == 1;
    return (struct given){is_man ? &origin->men[below(draws, origin->men_count)]
                                 : &origin->women[below(draws, origin->women_count)],
                          is_man};
}

static struct person make_person(uint64_t seed, uint64_t row)
{
    struct draws draws = draws_for(seed, row, FOR_PERSON);
    uint32_t home = pick_country(&draws);
    const struct country *country = &HOME[home];
    uint32_t origin_at = home == FR && happens(&draws, 800) ? below(&draws, COUNTRIES) : home;
    const struct origin *origin = &ORIGINS[origin_at];
    struct person person = {.country = country, .origin = origin};
    person.given = pick_given(&draws, origin);
    person.last = &origin->last[below(&draws, origin->last_count)];
    person.street = &country->streets[below(&draws, country->street_count)];
    person.city = &country->cities[below(&draws, country->city_count)];
    person.postcode = person.city->postcode + person.city->step * below(&draws, person.city->count);
    person.number = 1 + below(&draws, 299);
    person.letters = below(&draws, 26 * 26);
    person.has_bis = happens(&draws, 400);
    person.has_address = !happens(&draws, 25);
    person.has_postcode = !happens(&draws, 25);
    if (happens(&draws, 30)) {
        person.long_start = LONG_STARTS[below(&draws, sizeof LONG_STARTS / sizeof LONG_STARTS[0])];
    }
    if (happens(&draws, 900)) {
        person.company = &COMPANIES[below(&draws, sizeof COMPANIES / sizeof COMPANIES[0])];
    }
    uint32_t line2 = below(&draws, MYRIAD);
    if (line2 < 200) {
        uint32_t with_newline = sizeof LINES2 / sizeof LINES2[0] - LINES2_WITH_NEWLINE;
        person.line2 = &LINES2[LINES2_WITH_NEWLINE + below(&draws, with_newline)];
    } else if (line2 < 1800) {
        person.line2 = &LINES2[below(&draws, LINES2_WITH_NEWLINE)];
    }
    return person;
}

/* --- which row repeats which --- */

enum repeats { REPEATS_NOTHING, REPEATS_PERSON, REPEATS_ID };

static enum repeats repeats_of(struct draws *draws, uint64_t row)
{
    uint32_t chance = below(draws, MYRIAD);
    if (row == 0 || chance >= 350) {
        return REPEATS_NOTHING;
    }
    return chance < 300 ? REPEATS_PERSON : REPEATS_ID;
}

/* An earlier row that repeats nothing itself. Each turn goes to an earlier row: it ends at row 0.
 */
static uint64_t earlier_row(struct draws *draws, uint64_t seed, uint64_t row)
{
    enum repeats repeats = REPEATS_PERSON;
    while (repeats != REPEATS_NOTHING) {
        row = below(draws, (uint32_t)row);
        struct draws there = draws_for(seed, row, FOR_ROW);
        repeats = repeats_of(&there, row);
    }
    return row;
}

/* --- writing; the room behind `at` is ROW_BYTES_MAX --- */

static char *put(char *at, const struct text *text)
{
    memcpy(at, text, sizeof *text); /* always 32 bytes: what is too much is written over */
    return at + text->len;
}

static char *put_byte(char *at, char byte)
{
    *at = byte;
    return at + 1;
}

static char *put_long(char *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

/* value with at least `width` digits */
static char *put_number(char *at, uint64_t value, int width)
{
    char digits[20];
    int used = 0;
    while (value > 0 || used < width) {
        digits[used++] = (char)('0' + value % 10);
        value /= 10;
    }
    while (used > 0) {
        *at++ = digits[--used];
    }
    return at;
}

static char *put_id(char *at, uint64_t row)
{
    return put_number(put_byte(at, 'R'), row + 1, 8);
}

static char *put_street(char *at, const struct person *person)
{
    bool is_quoted =
        person->long_start != NULL || person->country->street_style == NUMBER_AFTER_COMMA;
    if (is_quoted) {
        at = put_byte(at, '"');
    }
    if (person->long_start != NULL) {
        at = put_long(at, person->long_start);
    }
    switch (person->country->street_style) {
    case NUMBER_FIRST:
        at = put_number(at, person->number, 1);
        at = person->has_bis ? put_long(at, " bis ") : put_byte(at, ' ');
        at = put(at, person->street);
        break;
    case NUMBER_LAST:
        at = put_number(put_byte(put(at, person->street), ' '), person->number, 1);
        break;
    case NUMBER_AFTER_COMMA:
        at = put_number(put_long(put(at, person->street), ", "), person->number, 1);
        break;
    }
    return is_quoted ? put_byte(at, '"') : at;
}

static char *put_postcode(char *at, const struct person *person)
{
    switch (person->country->postcode_style) {
    case FIVE_DIGITS:
        return put_number(at, person->postcode, 5);
    case FOUR_DIGITS:
        return put_number(at, person->postcode, 4);
    case DUTCH:
        at = put_byte(put_number(at, person->postcode, 4), ' ');
        at = put_byte(at, (char)('A' + person->letters / 26));
        return put_byte(at, (char)('A' + person->letters % 26));
    case POLISH:
        at = put_byte(put_number(at, person->postcode / 1000, 2), '-');
        return put_number(at, person->postcode % 1000, 3);
    case CZECH:
        at = put_byte(put_number(at, person->postcode / 100, 3), ' ');
        return put_number(at, person->postcode % 100, 2);
    }
    return at;
}

/* title to company */
static char *put_names(char *at, const struct person *person, bool has_title)
{
    if (has_title) {
        at = put(at, &person->origin->titles[person->given.is_man]);
    }
    at = put(put_byte(at, ','), &person->given.name->shown);
    at = put(put_byte(at, ','), &person->last->shown);
    at = put_byte(at, ',');
    if (person->company != NULL) {
        at = put(at, &person->company->before);
        at = put(at, &person->last->shown);
        at = put(at, &person->company->after);
    }
    return put_byte(at, ',');
}

/* address1 to country */
static char *put_address(char *at, const struct person *person)
{
    if (person->has_address) {
        at = put_street(at, person);
    }
    at = put_byte(at, ',');
    if (person->line2 != NULL) {
        at = put(at, person->line2);
    }
    at = put_byte(at, ',');
    if (person->has_postcode) {
        at = put_postcode(at, person);
    }
    at = put(put_byte(at, ','), &person->city->name);
    at = put(put_byte(at, ','), &person->country->code);
    return put_byte(at, ',');
}

/* email, mobile */
static char *put_contacts(char *at, const struct person *person, struct draws *draws)
{
    static const struct text domains[] = {T("@example.net"), T("@mail.example"), T("@example.org"),
                                          T("@post.example")};
    uint32_t email = below(draws, MYRIAD);
    if (email >= 1200) {
        at = put(at, &person->given.name->plain);
        at = put(put_byte(at, '.'), &person->last->plain);
        at = put_number(at, below(draws, 1000), 1);
        at = put(at, &domains[email % (sizeof domains / sizeof domains[0])]);
    }
    at = put_byte(at, ',');
    uint32_t mobile = below(draws, MYRIAD);
    if (mobile >= 2200) {
        at = put_number(put(at, &person->country->mobile), mobile, 4);
    }
    return put_byte(at, ',');
}

/* segment, balance, consent_mail */
static char *put_facts(char *at, struct draws *draws)
{
    static const struct text segments[] = {T("gold"), T("silver"), T("bronze"), T("none")};
    uint32_t segment = below(draws, 100);
    at = put(at, &segments[segment < 10 ? 0 : segment < 35 ? 1 : segment < 70 ? 2 : 3]);
    at = put_byte(at, ',');
    uint32_t kind = below(draws, 100);
    if (kind >= 5) {
        /* the product of two even draws leans towards small balances */
        uint32_t cents = (below(draws, 1000) + 1) * (below(draws, 100) + 1) - 1;
        if (kind < 11 && cents > 0) {
            at = put_byte(at, '-');
        }
        at = put_number(put_byte(put_number(at, cents / 100, 1), '.'), cents % 100, 2);
    }
    at = put_byte(at, ',');
    at = put_byte(at, happens(draws, 800) ? '0' : '1');
    return put_byte(at, ',');
}

static char *put_row(char *at, uint64_t seed, uint64_t row)
{
    struct draws draws = draws_for(seed, row, FOR_ROW);
    enum repeats repeats = repeats_of(&draws, row);
    uint64_t earlier = repeats == REPEATS_NOTHING ? row : earlier_row(&draws, seed, row);
    struct person person = make_person(seed, repeats == REPEATS_PERSON ? earlier : row);
    if (repeats == REPEATS_PERSON && below(&draws, 2) == 1) {
        person.given = pick_given(&draws, person.origin);
    }
    at = put_id(at, repeats == REPEATS_ID ? earlier : row);
    at = put_names(put_byte(at, ','), &person, !happens(&draws, 400));
    at = put_address(at, &person);
    at = put_contacts(at, &person, &draws);
    at = put_facts(at, &draws);
    at = put(at, &person.country->language);
    return put_byte(at, '\n');
}

static char *put_suppressed(char *at, uint64_t seed, uint64_t row)
{
    struct draws draws = draws_for(seed, row, FOR_SUPPRESSION);
    struct draws there = draws_for(seed, row, FOR_ROW);
    if (!happens(&draws, 100) || repeats_of(&there, row) == REPEATS_ID) {
        return at; /* the id of a row that repeats another's is in no row */
    }
    return put_byte(put_id(at, row), '\n');
}

/* --- output and arguments --- */

static bool write_whole(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, len);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            (void)fprintf(stderr, "make-recipients: stdout: %s\n", strerror(errno));
            return false;
        }
        bytes += written;
        len -= (size_t)written;
    }
    return true;
}

static int write_rows(const char *header, uint64_t rows, uint64_t seed,
                      char *(*put_line)(char *at, uint64_t seed, uint64_t row))
{
    static char output[OUTPUT_BYTES];
    char *at = put_long(output, header);
    for (uint64_t row = 0; row < rows; row++) {
        if (output + sizeof output - at < ROW_BYTES_MAX) {
            if (!write_whole(output, (size_t)(at - output))) {
                return EX_IOERR;
            }
            at = output;
        }
        at = put_line(at, seed, row);
    }
    return write_whole(output, (size_t)(at - output)) ? EX_OK : EX_IOERR;
}

static void print_usage(FILE *to)
{
    (void)fputs(
        "usage: make-recipients N [SEED]               N recipients as CSV on stdout\n"
        "       make-recipients --suppressed N [SEED]  ids of about 1% of them\n"
        "       make-recipients --seeds                five seed addresses\n"
        "N is 0 to 1000000000; SEED is a whole number, default 1. The same N and SEED give\n"
        "the same bytes.\n",
        to);
}

static int bad_usage(const char *what)
{
    (void)fprintf(stderr, "make-recipients: %s\n", what);
    print_usage(stderr);
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_usage(stdout);
        return EX_OK;
    }
    if (argc == 2 && strcmp(argv[1], "--seeds") == 0) {
        return write_whole(HEADER, sizeof HEADER - 1) && write_whole(SEEDS, sizeof SEEDS - 1)
                   ? EX_OK
                   : EX_IOERR;
    }
    bool is_suppressed = argc > 1 && strcmp(argv[1], "--suppressed") == 0;
    int first = is_suppressed ? 2 : 1;
    if (argc <= first || argc > first + 2) {
        return bad_usage("give N, and a seed at most");
    }
    uint64_t rows = 0;
    uint64_t seed = SEED_DEFAULT;
    if (number_parse_u64(slice_of(argv[first]), ROWS_MAX, &rows) != RC_OK) {
        return bad_usage("N is no number of rows");
    }
    if (argc > first + 1 &&
        number_parse_u64(slice_of(argv[first + 1]), UINT64_MAX, &seed) != RC_OK) {
        return bad_usage("SEED is no whole number");
    }
    return is_suppressed ? write_rows("recipient_id\n", rows, seed, put_suppressed)
                         : write_rows(HEADER, rows, seed, put_row);
}
