/*
 * sms_text - alphabets, parts, numbers
 */
#include "channel/sms_text.h"

#include "base/utf8.h"

#include <assert.h>

enum {
    ESCAPE = 0x1B,
    NO_CODE = -1,
    EXTENDED = 0x100, /* flag of a code that stands behind ESC */
    PAIR_FIRST = 0x10000,
    NUMBER_DIGITS_MIN = 7,
    NUMBER_DIGITS_MAX = 15, /* E.164 */
    SHORT_CODE_DIGITS_MIN = 3,
    SENDER_BYTES_MAX = 11 /* letters: TS 23.040 9.1.2.5 */
};

static_assert(SMS_HEADER_BYTES + SMS_GSM_UNITS_JOINED <= SMS_PART_BYTES_MAX, "a part fits");
static_assert(SMS_HEADER_BYTES + 2 * SMS_UCS2_UNITS_JOINED <= SMS_PART_BYTES_MAX, "a part fits");

/* TS 23.038 6.2.1: the character of each code; ESC is none. */
static const uint16_t ALPHABET[128] = {
    0x0040, 0x00A3, 0x0024, 0x00A5, 0x00E8, 0x00E9, 0x00F9, 0x00EC, 0x00F2, 0x00C7, 0x000A, 0x00D8,
    0x00F8, 0x000D, 0x00C5, 0x00E5, 0x0394, 0x005F, 0x03A6, 0x0393, 0x039B, 0x03A9, 0x03A0, 0x03A8,
    0x03A3, 0x0398, 0x039E, 0x0000, 0x00C6, 0x00E6, 0x00DF, 0x00C9, 0x0020, 0x0021, 0x0022, 0x0023,
    0x00A4, 0x0025, 0x0026, 0x0027, 0x0028, 0x0029, 0x002A, 0x002B, 0x002C, 0x002D, 0x002E, 0x002F,
    0x0030, 0x0031, 0x0032, 0x0033, 0x0034, 0x0035, 0x0036, 0x0037, 0x0038, 0x0039, 0x003A, 0x003B,
    0x003C, 0x003D, 0x003E, 0x003F, 0x00A1, 0x0041, 0x0042, 0x0043, 0x0044, 0x0045, 0x0046, 0x0047,
    0x0048, 0x0049, 0x004A, 0x004B, 0x004C, 0x004D, 0x004E, 0x004F, 0x0050, 0x0051, 0x0052, 0x0053,
    0x0054, 0x0055, 0x0056, 0x0057, 0x0058, 0x0059, 0x005A, 0x00C4, 0x00D6, 0x00D1, 0x00DC, 0x00A7,
    0x00BF, 0x0061, 0x0062, 0x0063, 0x0064, 0x0065, 0x0066, 0x0067, 0x0068, 0x0069, 0x006A, 0x006B,
    0x006C, 0x006D, 0x006E, 0x006F, 0x0070, 0x0071, 0x0072, 0x0073, 0x0074, 0x0075, 0x0076, 0x0077,
    0x0078, 0x0079, 0x007A, 0x00E4, 0x00F6, 0x00F1, 0x00FC, 0x00E0};

/* TS 23.038 6.2.1.1 */
static const struct {
    uint16_t character;
    uint8_t code;
} EXTENSION[] = {{0x000C, 0x0A}, {0x005E, 0x14}, {0x007B, 0x28}, {0x007D, 0x29}, {0x005C, 0x2F},
                 {0x005B, 0x3C}, {0x007E, 0x3D}, {0x005D, 0x3E}, {0x007C, 0x40}, {0x20AC, 0x65}};

/* Letters and digits, blank and the punctuation between: their code is their own. */
static bool is_own_code(int32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= ' ' && c <= '?' && c != '$');
}

/* The GSM code of a character, with EXTENDED where it stands behind ESC; NO_CODE */
static int code_of(int32_t character)
{
    if (is_own_code(character)) {
        return character;
    }
    for (int i = 0; i < 128; i++) {
        if (ALPHABET[i] == character && i != ESCAPE) {
            return i;
        }
    }
    for (size_t i = 0; i < sizeof EXTENSION / sizeof EXTENSION[0]; i++) {
        if (EXTENSION[i].character == character) {
            return EXTENDED | EXTENSION[i].code;
        }
    }
    return NO_CODE;
}

/* --- parts are counted --- */

/* One alphabet's count, with parts filled as far as they go. */
struct tally {
    uint32_t units;
    uint32_t parts;  /* were it joined */
    uint32_t filled; /* units of the last of them */
};

static void count(struct tally *tally, uint32_t units, uint32_t most)
{
    tally->units += units;
    if (tally->parts == 0 || tally->filled + units > most) {
        tally->parts++;
        tally->filled = 0;
    }
    tally->filled += units;
}

static uint32_t parts_of(const struct tally *tally, uint32_t alone)
{
    return tally->units <= alone ? 1 : tally->parts;
}

enum rc sms_measure(struct slice text, struct sms_measure *out, struct err *err)
{
    struct tally gsm = {0};
    struct tally ucs2 = {0};
    bool is_gsm = true;
    for (size_t at = 0; at < text.len;) {
        int32_t c = utf8_next(text, &at);
        if (c <= 0) {
            return err_set(err, RC_PERM, "the text %s", c < 0 ? "is no UTF-8" : "holds a NUL");
        }
        int code = is_gsm ? code_of(c) : NO_CODE;
        is_gsm = code != NO_CODE;
        count(&gsm, (code & EXTENDED) != 0 ? 2 : 1, SMS_GSM_UNITS_JOINED);
        count(&ucs2, c >= PAIR_FIRST ? 2 : 1, SMS_UCS2_UNITS_JOINED);
        if ((is_gsm ? gsm.parts : ucs2.parts) > SMS_PARTS_MAX) {
            return err_set(err, RC_RANGE, "the text needs more than %d parts", SMS_PARTS_MAX);
        }
    }
    *out = is_gsm ? (struct sms_measure){SMS_GSM, gsm.units, parts_of(&gsm, SMS_GSM_UNITS)}
                  : (struct sms_measure){SMS_UCS2, ucs2.units, parts_of(&ucs2, SMS_UCS2_UNITS)};
    return RC_OK;
}

struct slice sms_odd_character(struct slice text)
{
    for (size_t at = 0; at < text.len;) {
        size_t begin = at;
        if (code_of(utf8_next(text, &at)) == NO_CODE) {
            return (struct slice){text.ptr + begin, at - begin};
        }
    }
    return (struct slice){NULL, 0};
}

/* --- parts are made --- */

void sms_cut(struct slice text, const struct sms_measure *measure, uint8_t reference,
             struct sms_cutter *out)
{
    *out = (struct sms_cutter){.text = text, .measure = *measure, .reference = reference};
}

/* The bytes of one character; returns how many */
static size_t encode(enum sms_encoding encoding, int32_t c, unsigned char out[4])
{
    if (encoding == SMS_GSM) {
        int code = code_of(c);
        assert(code != NO_CODE);
        out[0] = (code & EXTENDED) != 0 ? ESCAPE : (unsigned char)code;
        out[1] = (unsigned char)(code & 0xFF);
        return (code & EXTENDED) != 0 ? 2 : 1;
    }
    uint32_t first = (uint32_t)c;
    uint32_t second = 0;
    if (c >= PAIR_FIRST) {
        second = 0xDC00U | ((first - PAIR_FIRST) & 0x3FFU);
        first = 0xD800U | ((first - PAIR_FIRST) >> 10);
    }
    out[0] = (unsigned char)(first >> 8);
    out[1] = (unsigned char)first;
    out[2] = (unsigned char)(second >> 8);
    out[3] = (unsigned char)second;
    return c >= PAIR_FIRST ? 4 : 2;
}

bool sms_cut_next(struct sms_cutter *cutter, struct sms_part *out)
{
    const struct sms_measure *measure = &cutter->measure;
    bool is_gsm = measure->encoding == SMS_GSM;
    if (cutter->given == measure->parts) {
        return false;
    }
    cutter->given++;
    *out = (struct sms_part){.has_header = measure->parts > 1};
    size_t most = is_gsm ? SMS_GSM_UNITS : 2 * SMS_UCS2_UNITS;
    size_t len = 0;
    if (out->has_header) {
        const unsigned char header[SMS_HEADER_BYTES] = {5,
                                                        0,
                                                        3,
                                                        cutter->reference,
                                                        (unsigned char)measure->parts,
                                                        (unsigned char)cutter->given};
        memcpy(out->bytes, header, sizeof header);
        len = sizeof header;
        most = len + (is_gsm ? SMS_GSM_UNITS_JOINED : 2 * SMS_UCS2_UNITS_JOINED);
    }
    while (cutter->at < cutter->text.len) {
        unsigned char bytes[4];
        size_t next = cutter->at;
        size_t more = encode(measure->encoding, utf8_next(cutter->text, &next), bytes);
        if (len + more > most) {
            break;
        }
        memcpy(out->bytes + len, bytes, more);
        len += more;
        cutter->at = next;
    }
    assert(len <= SMS_PART_BYTES_MAX);
    out->len = (uint8_t)len;
    return true;
}

const char *sms_encoding_name(enum sms_encoding encoding)
{
    return encoding == SMS_GSM ? "GSM 03.38" : "UCS-2";
}

/* --- numbers --- */

static size_t leading_digits(struct slice text)
{
    size_t len = 0;
    while (len < text.len && text.ptr[len] >= '0' && text.ptr[len] <= '9') {
        len++;
    }
    return len;
}

enum rc sms_number(struct slice text, struct slice *out, struct err *err)
{
    if (text.len > 0 && text.ptr[0] == '+') {
        text.ptr++;
        text.len--;
    }
    if (leading_digits(text) != text.len || text.len < NUMBER_DIGITS_MIN ||
        text.len > NUMBER_DIGITS_MAX || text.ptr[0] == '0') {
        return err_set(err, RC_PERM,
                       "the number is none by E.164: country code and %d to %d digits in all, "
                       "nothing between",
                       NUMBER_DIGITS_MIN, NUMBER_DIGITS_MAX);
    }
    *out = text;
    return RC_OK;
}

enum rc sms_sender(struct slice text, struct err *err)
{
    struct slice number;
    if (sms_number(text, &number, NULL) == RC_OK) {
        return RC_OK;
    }
    size_t digits = leading_digits(text);
    if (digits == text.len && digits >= SHORT_CODE_DIGITS_MIN && digits < NUMBER_DIGITS_MIN) {
        return RC_OK;
    }
    bool has_letter = false;
    bool is_good = text.len > 0 && text.len <= SENDER_BYTES_MAX;
    for (size_t i = 0; is_good && i < text.len; i++) {
        char c = text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_other = (c >= '0' && c <= '9') || (c != '\0' && strchr(" -_.&+!", c) != NULL);
        has_letter = has_letter || is_letter;
        is_good = is_letter || is_other;
    }
    return is_good && has_letter
               ? RC_OK
               : err_set(err, RC_PERM,
                         "the sender is neither a number, nor a short code, nor 1 to %d letters "
                         "and digits",
                         SENDER_BYTES_MAX);
}
