/*
 * selection_inner - what the files of a selection share; nothing for others to include
 */
#ifndef POSTROOM_STAGE_SELECTION_INNER_H
#define POSTROOM_STAGE_SELECTION_INNER_H

#include "stage/selection.h"

struct opening {
    const struct order *order;
    const struct selection_wants *wants;
    struct selection *out;
};

/* selection_check_reach - online: who is in quarantine, who has no address, and who has none that
 * can be used; as audience_options.check, its ctx a selection_reach */
enum audience_cause selection_check_reach(void *ctx, unsigned thread,
                                          const struct audience_row *row);

/* selection_keep_pieces - how many pieces this row's message has, as one byte; 0: it cannot be
 * made. As audience_options.payload */
enum rc selection_keep_pieces(void *ctx, unsigned thread, const struct audience_row *row,
                              struct buf *out, struct err *err) MUST_CHECK;

/* selection_keep_line - what is kept of a row: key, address, and what the content uses; as
 * audience_options.payload */
enum rc selection_keep_line(void *ctx, unsigned thread, const struct audience_row *row,
                            struct buf *out, struct err *err) MUST_CHECK;

/* selection_open_reach - behind audience_open: the columns, the quarantine, the content. RC_OK;
 * RC_PERM, RC_RANGE; RC_TEMP; RC_NOMEM; RC_IO */
enum rc selection_open_reach(struct opening *o, struct err *err) MUST_CHECK;
void selection_close_reach(struct selection_reach *reach);

#endif
