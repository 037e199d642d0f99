/*
 * sms_text - a text message in the alphabets of GSM 03.38 (3GPP TS 23.038) and cut into parts
 * (3GPP TS 23.040)
 *
 * Where every character has a code in the default alphabet or its extension table (ESC and a second
 * code, two units), the message goes as GSM, else as UCS-2, in which a character beyond U+FFFF is a
 * surrogate pair (two units). One part holds 160 or 70 units; each of several gives seven GSM
 * units, or three of UCS-2, to the user data header that joins them. No escape sequence and no
 * surrogate pair is cut by the end of a part.
 *
 * Parts are bytes as SMPP carries them: GSM one code a byte (data_coding 0), UCS-2 as UTF-16 with
 * the high byte first (data_coding 8).
 */
#ifndef POSTROOM_CHANNEL_SMS_TEXT_H
#define POSTROOM_CHANNEL_SMS_TEXT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum sms_encoding { SMS_GSM, SMS_UCS2 };

enum {
    SMS_GSM_UNITS = 160,        /* of the only part */
    SMS_GSM_UNITS_JOINED = 153, /* of one of several */
    SMS_UCS2_UNITS = 70,
    SMS_UCS2_UNITS_JOINED = 67,
    SMS_PARTS_MAX = 255,     /* what the header can count */
    SMS_HEADER_BYTES = 6,    /* 05 00 03 reference parts number (TS 23.040 9.2.3.24.1) */
    SMS_PART_BYTES_MAX = 160 /* header included: 6 + 153 are less */
};

struct sms_measure {
    enum sms_encoding encoding;
    uint32_t units; /* septets, or 16 bit units */
    uint32_t parts; /* at least 1 */
};

/*
 * sms_measure - alphabet and parts of a text
 *
 * text     UTF-8
 * Returns  RC_OK; RC_PERM it is no UTF-8 or holds a NUL; RC_RANGE it needs more than SMS_PARTS_MAX
 * parts
 * Cost     one pass, no allocation
 */
enum rc sms_measure(struct slice text, struct sms_measure *out, struct err *err) MUST_CHECK;

/* sms_odd_character - the first character that the default alphabet and its extension lack; empty:
 * there is none */
struct slice sms_odd_character(struct slice text);

/* One part, ready for short_message. */
struct sms_part {
    bool has_header; /* of user data: the first SMS_HEADER_BYTES */
    uint8_t len;
    unsigned char bytes[SMS_PART_BYTES_MAX];
};

/* Goes through the parts of a text. */
struct sms_cutter {
    struct slice text; /* borrowed */
    struct sms_measure measure;
    size_t at; /* bytes of the text that were given */
    uint32_t given;
    uint8_t reference;
};

/* sms_cut - begin with a text that was measured; reference: the same for all parts of a message */
void sms_cut(struct slice text, const struct sms_measure *measure, uint8_t reference,
             struct sms_cutter *out);

/* sms_cut_next - the next part; false: there is none */
bool sms_cut_next(struct sms_cutter *cutter, struct sms_part *out);

/* sms_encoding_name - "GSM 03.38", "UCS-2" */
const char *sms_encoding_name(enum sms_encoding encoding);

/*
 * sms_number - the digits of a number by E.164: `+` or none, 7 to 15 digits, the first not 0
 *
 * text     as it stands in a row: nothing else may be in it
 * out      the digits without `+`, borrowed from text
 * Returns  RC_OK; RC_PERM
 */
enum rc sms_number(struct slice text, struct slice *out, struct err *err) MUST_CHECK;

/*
 * sms_sender - what may stand as the sender: a number as above, a short code (3 to 6 digits), or 1
 * to 11 letters, digits, blanks and `-_.&+!` with a letter among them
 * Returns  RC_OK; RC_PERM
 */
enum rc sms_sender(struct slice text, struct err *err) MUST_CHECK;

#endif
