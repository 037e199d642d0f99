/*
 * content_push - an order's texts handed to channel/push
 *
 * image and video are addresses, or files of the delivery: these go along as data: addresses
 * (RFC 2397), for services that take them.
 */
#include "stage/content_push.h"

#include "sys/fs.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

static const char *type_of(const char *name)
{
    static const struct {
        const char *suffix;
        const char *type;
    } TYPES[] = {{".png", "image/png"},  {".jpg", "image/jpeg"},  {".jpeg", "image/jpeg"},
                 {".gif", "image/gif"},  {".webp", "image/webp"}, {".mp4", "video/mp4"},
                 {".webm", "video/webm"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (strcasecmp(dot, TYPES[i].suffix) == 0) {
            return TYPES[i].type;
        }
    }
    return "application/octet-stream";
}

/* In base64 nothing can be taken for a tag of a template. */
static enum rc read_file(const struct content_wants *wants, const char *name, struct buf *out,
                         struct err *err)
{
    struct buf bytes = BUF_EMPTY;
    enum rc rc = fs_read_small(wants->dirfd, name, CONTENT_PUSH_FILE_BYTES_MAX, &bytes, err);
    if (rc == RC_RANGE) {
        rc = err_set(err, RC_RANGE, "%s: larger than %d KiB; write its address, https://...", name,
                     CONTENT_PUSH_FILE_BYTES_MAX >> 10);
    }
    buf_add_format(out, "data:%s;base64,", type_of(name));
    if (rc == RC_OK && buf_reserve(out, (bytes.len + 2) / 3 * 4 + 1)) {
        int len = EVP_EncodeBlock((unsigned char *)out->ptr + out->len,
                                  (const unsigned char *)buf_text(&bytes), (int)bytes.len);
        out->len += (size_t)len;
    }
    buf_release(&bytes);
    return rc == RC_OK ? buf_ok(out, err) : rc;
}

static enum rc place_of(const struct content_wants *wants, const char *place, struct buf *file,
                        const char **out, struct err *err)
{
    if (!order_names_file(place)) {
        *out = place;
        return RC_OK;
    }
    enum rc rc = read_file(wants, place, file, err);
    *out = buf_text(file);
    return rc;
}

enum rc content_push_open(const struct order *order, const struct content_wants *wants,
                          const char *const *columns, size_t count, struct push **out,
                          struct err *err)
{
    const struct order_content *content = &order->content;
    const struct house_channel *channel = &wants->house->channels[order->channel];
    struct push_datum data[PUSH_DATA_MAX];
    struct buf image = BUF_EMPTY;
    struct buf video = BUF_EMPTY;
    struct push_options options = {
        .title = content->title,
        .body = content->body,
        .data = data,
        .datum_count = content->datum_count,
        .delivery = order->id,
        .campaign = order->campaign,
        .request =
            channel->body_text == NULL ? (struct slice){NULL, 0} : slice_of(channel->body_text),
        .request_file = channel->body == NULL ? "the built-in body" : channel->body,
    };
    if (channel->body != NULL && channel->body_text == NULL) {
        return err_set(err, RC_PERM, "%s: the channel's body cannot be opened", channel->body);
    }
    if (content->datum_count > PUSH_DATA_MAX) {
        return err_set(err, RC_RANGE, "delivery.conf: data has more than %d values", PUSH_DATA_MAX);
    }
    for (size_t i = 0; i < content->datum_count; i++) {
        const struct order_datum *datum = &content->data[i];
        data[i] = (struct push_datum){datum->name, datum->value, datum->is_text};
    }
    enum rc rc = place_of(wants, content->image, &image, &options.image, err);
    rc = rc == RC_OK ? place_of(wants, content->video, &video, &options.video, err) : rc;
    rc = rc == RC_OK ? push_open(&options, columns, count, out, err) : rc;
    buf_release(&image);
    buf_release(&video);
    return rc;
}
