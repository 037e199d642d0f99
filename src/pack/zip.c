/*
 * zip - see zip.h. Section numbers are those of APPNOTE.TXT 6.3.10.
 */
#include "pack/zip.h"

#include <assert.h>
#include <time.h>

#define LIMIT_16 UINT64_C(0xFFFF)
#define LIMIT_32 UINT64_C(0xFFFFFFFF)

enum {
    VERSION_DEFLATE = 20,
    VERSION_ZIP64 = 45,
    MADE_BY_UNIX = 3 << 8,
    FLAG_UTF8 = 1 << 11,
    METHOD_DEFLATE = 8,
    FIELD_ZIP64 = 0x0001,
    FIELD_TIME = 0x5455,   /* Info-ZIP's extended timestamp */
    FIELD_GROWTH = 0xA220, /* room to grow: bytes that readers step over */
    GROWTH_MARK = 0xA028,
    TIME_FIELD_BYTES = 4 + 5,
    LOCAL_ZIP64_BYTES = 16
};

static void put_16(struct buf *out, uint64_t value)
{
    char bytes[2] = {(char)(value & 0xFF), (char)(value >> 8 & 0xFF)};
    buf_add(out, bytes, sizeof bytes);
}

static void put_32(struct buf *out, uint64_t value)
{
    put_16(out, value & LIMIT_16);
    put_16(out, value >> 16 & LIMIT_16);
}

static void put_64(struct buf *out, uint64_t value)
{
    put_32(out, value & LIMIT_32);
    put_32(out, value >> 32);
}

static uint64_t capped(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

/* Time and date as MS-DOS writes them (4.4.6), 1980 to 2107, in UTC: reproducible anywhere. */
static void put_dos_time(struct buf *out, int64_t mtime_s)
{
    struct tm tm;
    time_t at = (time_t)mtime_s;
    if (gmtime_r(&at, &tm) == NULL || tm.tm_year < 80 || tm.tm_year > 207) {
        put_16(out, 0);
        put_16(out, 1 << 5 | 1); /* 1980-01-01 */
        return;
    }
    put_16(out, (unsigned int)(tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2));
    put_16(out, (unsigned int)((tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday));
}

static bool has_time_field(const struct zip_member *member)
{
    return member->mtime_s >= 0 && member->mtime_s <= INT32_MAX;
}

static void put_time_field(struct buf *out, const struct zip_member *member)
{
    if (has_time_field(member)) {
        put_16(out, FIELD_TIME);
        put_16(out, TIME_FIELD_BYTES - 4);
        buf_add_byte(out, 1); /* the time of change alone */
        put_32(out, (uint64_t)member->mtime_s);
    }
}

static bool is_large(const struct zip_member *member)
{
    return member->raw_bytes >= LIMIT_32 || member->packed_bytes >= LIMIT_32;
}

/* What local and central headers have in common, from the version to the length of the path. */
static void put_common(struct buf *out, const struct zip_member *member, bool is_zip64)
{
    bool is_ascii = true;
    for (const char *at = member->path; *at != '\0'; at++) {
        is_ascii = is_ascii && (unsigned char)*at < 0x80;
    }
    size_t path_len = strlen(member->path);
    assert(path_len <= ZIP_PATH_BYTES_MAX);
    put_16(out, is_zip64 ? VERSION_ZIP64 : VERSION_DEFLATE);
    put_16(out, is_ascii ? 0 : FLAG_UTF8);
    put_16(out, METHOD_DEFLATE);
    put_dos_time(out, member->mtime_s);
    put_32(out, member->crc);
    put_32(out, is_large(member) ? LIMIT_32 : member->packed_bytes);
    put_32(out, is_large(member) ? LIMIT_32 : member->raw_bytes);
    put_16(out, path_len);
}

void zip_local_header(struct buf *out, const struct zip_member *member)
{
    put_32(out, 0x04034B50);
    put_common(out, member, is_large(member));
    put_16(out, (has_time_field(member) ? TIME_FIELD_BYTES : 0) + 4U + LOCAL_ZIP64_BYTES);
    buf_add_text(out, member->path);
    put_time_field(out, member);
    if (is_large(member)) { /* 4.5.3: both sizes, whichever is large */
        put_16(out, FIELD_ZIP64);
        put_16(out, LOCAL_ZIP64_BYTES);
        put_64(out, member->raw_bytes);
        put_64(out, member->packed_bytes);
    } else {
        put_16(out, FIELD_GROWTH);
        put_16(out, LOCAL_ZIP64_BYTES);
        put_16(out, GROWTH_MARK);
        put_16(out, 0);
        put_32(out, 0);
        put_64(out, 0);
    }
}

void zip_central_header(struct buf *out, const struct zip_member *member)
{
    bool is_far = member->head_at >= LIMIT_32;
    unsigned int zip64_bytes = (is_large(member) ? 16U : 0U) + (is_far ? 8U : 0U);
    put_32(out, 0x02014B50);
    put_16(out, MADE_BY_UNIX | (zip64_bytes > 0 ? VERSION_ZIP64 : VERSION_DEFLATE));
    put_common(out, member, zip64_bytes > 0);
    put_16(out, (has_time_field(member) ? TIME_FIELD_BYTES : 0) +
                    (zip64_bytes > 0 ? 4U + zip64_bytes : 0U));
    put_16(out, 0); /* no comment */
    put_16(out, 0); /* first disk */
    put_16(out, 0); /* internal attributes */
    put_32(out, UINT64_C(0100644) << 16);
    put_32(out, capped(member->head_at, LIMIT_32));
    buf_add_text(out, member->path);
    put_time_field(out, member);
    if (zip64_bytes > 0) {
        put_16(out, FIELD_ZIP64);
        put_16(out, zip64_bytes);
        if (is_large(member)) {
            put_64(out, member->raw_bytes);
            put_64(out, member->packed_bytes);
        }
        if (is_far) {
            put_64(out, member->head_at);
        }
    }
}

static void put_end_64(struct buf *out, uint64_t members, uint64_t directory_at,
                       uint64_t directory_bytes)
{
    put_32(out, 0x06064B50);
    put_64(out, 44); /* what follows in this record */
    put_16(out, MADE_BY_UNIX | VERSION_ZIP64);
    put_16(out, VERSION_ZIP64);
    put_32(out, 0);
    put_32(out, 0);
    put_64(out, members);
    put_64(out, members);
    put_64(out, directory_bytes);
    put_64(out, directory_at);
    put_32(out, 0x07064B50); /* where that record is (4.3.15) */
    put_32(out, 0);
    put_64(out, directory_at + directory_bytes);
    put_32(out, 1);
}

void zip_end(struct buf *out, uint64_t members, uint64_t directory_at, uint64_t directory_bytes)
{
    if (members >= LIMIT_16 || directory_at >= LIMIT_32 || directory_bytes >= LIMIT_32) {
        put_end_64(out, members, directory_at, directory_bytes);
    }
    put_32(out, 0x06054B50);
    put_16(out, 0);
    put_16(out, 0);
    put_16(out, capped(members, LIMIT_16));
    put_16(out, capped(members, LIMIT_16));
    put_32(out, capped(directory_bytes, LIMIT_32));
    put_32(out, capped(directory_at, LIMIT_32));
    put_16(out, 0);
}
