/*
 * rowlog - what is remembered of each row until it is known who is in
 *
 * Contract in the header. A record: tag, line, length of the key, key, and for a candidate with
 * dedupe columns the length of their composite and the composite. Where only the place is kept:
 * tag, line, offset and length of the row. Numbers are base 128, the lowest seven bits first, the
 * eighth set on all bytes but the last.
 */
#include "audience/rowlog.h"

enum { GLANCE_BYTES = 512, READ_BYTES = 256 * 1024, NUMBER_BYTES_MAX = 10 };

static inline char *put_number(char *to, uint64_t number)
{
    while (number >= 128) {
        *to++ = (char)(unsigned char)(number | 128);
        number >>= 7;
    }
    *to++ = (char)(unsigned char)number;
    return to;
}

static inline char *put_bytes(char *to, struct slice bytes)
{
    to = put_number(to, bytes.len);
    memcpy(to, bytes.ptr, bytes.len);
    return to + bytes.len;
}

void rowlog_put(struct buf *out, const struct rowlog_record *record)
{
    size_t most = 1 + 3 * NUMBER_BYTES_MAX + record->key.len + record->dedupe.len;
    if (!buf_reserve(out, most)) {
        return;
    }
    char *to = out->ptr + out->len;
    *to++ = (char)(unsigned char)record->tag;
    to = put_number(to, record->line);
    if (record->tag == ROWLOG_CANDIDATE_PLACE) {
        to = put_number(put_number(to, record->row_at), record->row_len);
    } else {
        to = put_bytes(to, record->key);
    }
    if (record->tag == ROWLOG_CANDIDATE_DEDUPE) {
        to = put_bytes(to, record->dedupe);
    }
    *to = '\0';
    out->len = (size_t)(to - out->ptr);
}

/* These answer false where the record goes on behind the view. */
static bool get_number(struct slice view, size_t *at, uint64_t *out)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && *at < view.len; shift += 7) {
        unsigned char byte = (unsigned char)view.ptr[(*at)++];
        number |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *out = number;
            return true;
        }
    }
    return false;
}

static bool get_bytes(struct slice view, size_t *at, struct slice *out, size_t *out_missing)
{
    uint64_t len = 0;
    if (!get_number(view, at, &len)) {
        return false;
    }
    if (len > view.len - *at) {
        *out_missing = (size_t)(len - (view.len - *at));
        return false;
    }
    *out = (struct slice){view.ptr + *at, (size_t)len};
    *at += (size_t)len;
    return true;
}

static bool parse(struct slice view, struct rowlog_record *out, size_t *out_used,
                  size_t *out_missing)
{
    size_t at = 1;
    *out_missing = NUMBER_BYTES_MAX;
    if (view.len == 0) {
        return false;
    }
    out->tag = (unsigned char)view.ptr[0];
    out->dedupe = (struct slice){"", 0};
    if (!get_number(view, &at, &out->line)) {
        return false;
    }
    if (out->tag == ROWLOG_CANDIDATE_PLACE) {
        bool is_whole = get_number(view, &at, &out->row_at) && get_number(view, &at, &out->row_len);
        *out_missing = (size_t)2 * NUMBER_BYTES_MAX;
        *out_used = at;
        return is_whole;
    }
    if (!get_bytes(view, &at, &out->key, out_missing)) {
        return false;
    }
    *out_missing = NUMBER_BYTES_MAX;
    if (out->tag == ROWLOG_CANDIDATE_DEDUPE && !get_bytes(view, &at, &out->dedupe, out_missing)) {
        return false;
    }
    *out_used = at;
    return true;
}

/* Three views at most: a glance, the key as it says, the composite as that says. */
static enum rc view_record(const struct spill *log, uint64_t at, size_t glance, struct buf *scratch,
                           struct slice *view, struct rowlog_record *out, size_t *out_used,
                           struct err *err)
{
    size_t want = glance;
    for (int i = 0; i < 5; i++) {
        size_t missing = 0;
        enum rc rc = spill_view(log, at, want, scratch, view, err);
        if (rc != RC_OK) {
            return rc;
        }
        if (parse(*view, out, out_used, &missing)) {
            return RC_OK;
        }
        want += missing + NUMBER_BYTES_MAX;
    }
    return err_set(err, RC_IO, "temporary data could not be read back: a record is damaged");
}

enum rc rowlog_at(const struct spill *log, uint64_t at, struct buf *scratch,
                  struct rowlog_record *out, struct err *err)
{
    struct slice view;
    size_t used = 0;
    return view_record(log, at, GLANCE_BYTES, scratch, &view, out, &used, err);
}

static enum rc read_again(const struct rowlog_record *record, const struct recall_plan *plan,
                          struct recall *recall, struct err *err)
{
    return recall_row(recall, plan, record->row_at, (size_t)record->row_len, err);
}

static enum rc found(struct slice text, struct slice *out, struct err *err)
{
    *out = text;
    return text.ptr != NULL ? RC_OK : err_set(err, RC_NOMEM, "no memory");
}

enum rc rowlog_key(const struct rowlog_record *record, const struct recall_plan *plan,
                   struct recall *recall, struct slice *out, struct err *err)
{
    if (record->tag != ROWLOG_CANDIDATE_PLACE) {
        *out = record->key;
        return RC_OK;
    }
    enum rc rc = read_again(record, plan, recall, err);
    return rc == RC_OK ? found(recall_key(recall, plan), out, err) : rc;
}

enum rc rowlog_dedupe(const struct rowlog_record *record, const struct recall_plan *plan,
                      struct recall *recall, struct slice *out, struct err *err)
{
    if (record->tag != ROWLOG_CANDIDATE_PLACE) {
        *out = record->dedupe;
        return RC_OK;
    }
    enum rc rc = read_again(record, plan, recall, err);
    return rc == RC_OK ? found(recall_dedupe(recall, plan), out, err) : rc;
}

/* Sixteen bytes are looked at at once: the three numbers of a place end in them, mostly. */
enum { PLACE_GLANCE = 1 + 16 };

/* How long a candidate's place is: as far as the third byte without its eighth bit; 0: further than
 * a glance. view: PLACE_GLANCE bytes at least */
static inline size_t place_size(const char *view)
{
    uint64_t first;
    uint64_t second;
    memcpy(&first, view + 1, sizeof first);
    memcpy(&second, view + 1 + sizeof first, sizeof second);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    first = __builtin_bswap64(first);
    second = __builtin_bswap64(second);
#endif
    first = ~first & UINT64_C(0x8080808080808080);
    second = ~second & UINT64_C(0x8080808080808080);
    for (int i = 0; i < 2; i++) { /* the first two ends are not meant */
        if (first != 0) {
            first &= first - 1;
        } else {
            second &= second - (second != 0);
        }
    }
    if (first != 0) {
        return 2 + (size_t)__builtin_ctzll(first) / 8;
    }
    return second == 0 ? 0 : 2 + sizeof first + (size_t)__builtin_ctzll(second) / 8;
}

/* How many bytes of view are candidates to be passed over; they are counted. */
static size_t pass_over(struct slice view, rowlog_passes *passes, const void *ctx,
                        uint64_t *candidate)
{
    size_t at = 0;
    while (view.len - at >= PLACE_GLANCE && view.ptr[at] == ROWLOG_CANDIDATE_PLACE &&
           passes(ctx, *candidate)) {
        size_t size = place_size(view.ptr + at);
        if (size == 0) {
            break;
        }
        at += size;
        ++*candidate;
    }
    return at;
}

enum rc rowlog_each(const struct spill *log, rowlog_passes *passes, rowlog_take *take, void *ctx,
                    struct err *err)
{
    struct buf scratch = BUF_EMPTY;
    uint64_t candidate = 0;
    uint64_t at = 0;
    enum rc rc = RC_OK;

    while (rc == RC_OK && at < spill_size(log)) {
        struct slice view;
        struct rowlog_record record;
        size_t used = 0;
        size_t missing = 0;
        rc = view_record(log, at, READ_BYTES, &scratch, &view, &record, &used, err);
        while (rc == RC_OK) {
            bool is_candidate = record.tag < ROWLOG_EXCLUDED;
            if (passes == NULL || !is_candidate || !passes(ctx, candidate)) {
                rc = take(ctx, &record, candidate, err);
            }
            candidate += is_candidate;
            view = (struct slice){view.ptr + used, view.len - used};
            at += used;
            if (passes != NULL) {
                size_t passed = pass_over(view, passes, ctx, &candidate);
                view = (struct slice){view.ptr + passed, view.len - passed};
                at += passed;
            }
            if (!parse(view, &record, &used, &missing)) {
                break;
            }
        }
    }
    buf_release(&scratch);
    return rc;
}
