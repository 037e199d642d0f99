/*
 * undo - what an extraction brought about is taken back: for restart, stop and a revision
 */
#ifndef POSTROOM_STAGE_UNDO_H
#define POSTROOM_STAGE_UNDO_H

#include "stage/subject.h"

/*
 * undo_extraction - reverse its ledger entries, put extraction/ away as revisions/extraction-N; may
 * run twice Returns RC_OK, also when there was no extraction; RC_TEMP, RC_IO, RC_CORRUPT, RC_NOMEM
 */
enum rc undo_extraction(const struct stage_env *env, struct subject *subject, int64_t now_ns,
                        struct err *err) MUST_CHECK;

/*
 * undo_set_layout - put the layout of a restart into settings.conf; the same again changes nothing
 *
 * layout  "layout = { ... };" of an approval file;  file  its name, for texts
 * Returns RC_OK; RC_PERM the layout is wrong (FILE:LINE); RC_TEMP, RC_NOMEM
 */
enum rc undo_set_layout(struct subject *subject, const char *layout, const char *file,
                        struct err *err) MUST_CHECK;

/* undo_read_layout - check a layout without changing anything: the order as it would be; RC_PERM
 * with FILE:LINE */
enum rc undo_check_layout(const struct subject *subject, const char *layout, const char *file,
                          struct err *err) MUST_CHECK;

#endif
