/*
 * value - one setting's value between text and field (inside conf only)
 */
#ifndef POSTROOM_CONF_VALUE_H
#define POSTROOM_CONF_VALUE_H

#include "conf/schema.h"

/* schema_type_name - "a decimal in double quotes", for people; never NULL */
const char *schema_type_name(enum schema_type type);

/* value_unset - the field holds "not set" of its type (groups and custom rows: nothing is done) */
void value_unset(const struct schema_row *row, void *field);

enum { VALUE_WHY_BYTES = 256 };

/*
 * value_from_text - a text in double quotes (or a default) into the field of a plain row
 *
 * root    folder for paths, or NULL
 * why     VALUE_WHY_BYTES, filled where RC_PERM: "wants ..., like ..."
 * Returns RC_OK; RC_PERM; RC_NOMEM
 */
enum rc value_from_text(const struct schema_row *row, struct slice text, struct arena *arena,
                        const char *root, void *field, char *why) MUST_CHECK;

/* value_int_fits - is the number in the row's range? else why is filled */
bool value_int_fits(const struct schema_row *row, int64_t value, char *why);

/* value_number - decimal and duration as text, exact */
void value_write_decimal(struct decimal value, struct buf *out);
void value_write_duration(int64_t ns, struct buf *out);

#endif
