/*
 * content_sms - the text messages of a delivery: its text and sender over the recipients' columns
 *
 * A message's bytes are its text in UTF-8: what the embedded transport keeps can be read, and the
 * one that sends encodes it (channel/sms_text.h).
 */
#ifndef POSTROOM_STAGE_CONTENT_SMS_H
#define POSTROOM_STAGE_CONTENT_SMS_H

#include "stage/content.h"

struct content_sms;
struct content_sms_state; /* one thread's */

/* content_sms_open, content_sms_check, content_sms_render - as content_open, content_check and
 * content_render; RC_PERM also: the text of this recipient is empty or its sender is none */
enum rc content_sms_open(const struct order *order, const char *const *columns, size_t count,
                         struct content_sms **out, struct err *err) MUST_CHECK;
void content_sms_free(struct content_sms *sms);
enum rc content_sms_check(const struct order *order, const char *const *columns, size_t count,
                          struct problems *problems, struct err *err) MUST_CHECK;
bool content_sms_uses(const struct content_sms *sms, size_t column);

enum rc content_sms_state_open(struct content_sms_state **out, struct err *err) MUST_CHECK;
void content_sms_state_free(struct content_sms_state *state);

enum rc content_sms_render(const struct content_sms *sms, struct content_sms_state *state,
                           const struct recipient *recipient, uint32_t proof,
                           struct content_message *out, struct err *err) MUST_CHECK;

/* content_sms_pieces - the parts of one recipient's message; fields by column. Returns as
 * content_sms_render */
enum rc content_sms_pieces(const struct content_sms *sms, struct content_sms_state *state,
                           const struct slice *fields, uint32_t *out, struct err *err) MUST_CHECK;

#endif
