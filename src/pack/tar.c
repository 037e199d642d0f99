/*
 * tar - see tar.h
 */
#include "pack/tar.h"

#include <assert.h>
#include <stdio.h>

/* Offsets and lengths of a ustar header. */
enum {
    AT_NAME = 0,
    NAME_BYTES = 100,
    AT_MODE = 100,
    AT_UID = 108,
    AT_GID = 116,
    AT_SIZE = 124,
    AT_MTIME = 136,
    AT_CHECKSUM = 148,
    AT_TYPE = 156,
    AT_MAGIC = 257,
    AT_DEV_MAJOR = 329,
    AT_DEV_MINOR = 337,
    AT_PREFIX = 345,
    PREFIX_BYTES = 155,
    SHORT_DIGITS = 7,   /* and a NUL */
    LONG_DIGITS = 11,   /* and a NUL */
    CHECKSUM_DIGITS = 6 /* a NUL and a space */
};

static void put_octal(unsigned char *at, int digits, uint64_t value)
{
    at[digits] = '\0';
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (unsigned char)('0' + (value & 7));
        value >>= 3;
    }
}

/* 12 bytes: octal, or from 2^33 on a marked big-endian number. */
static void put_long(unsigned char *at, uint64_t value)
{
    if (value >> (3 * LONG_DIGITS) == 0) {
        put_octal(at, LONG_DIGITS, value);
        return;
    }
    memset(at, 0, LONG_DIGITS + 1);
    at[0] = 0x80;
    for (int i = LONG_DIGITS; i > LONG_DIGITS - 8; i--) {
        at[i] = (unsigned char)(value & 0xFF);
        value >>= 8;
    }
}

static void put_header(struct buf *out, struct slice prefix, struct slice name, char type,
                       uint64_t size, int64_t mtime_s)
{
    static const char MAGIC[8] = {'u', 's', 't', 'a', 'r', '\0', '0', '0'};
    unsigned char header[TAR_BLOCK_BYTES] = {0};
    memcpy(header + AT_NAME, name.ptr, name.len);
    if (prefix.len > 0) {
        memcpy(header + AT_PREFIX, prefix.ptr, prefix.len);
    }
    put_octal(header + AT_MODE, SHORT_DIGITS, 0644);
    put_octal(header + AT_UID, SHORT_DIGITS, 0);
    put_octal(header + AT_GID, SHORT_DIGITS, 0);
    put_long(header + AT_SIZE, size);
    put_long(header + AT_MTIME, (uint64_t)mtime_s);
    header[AT_TYPE] = (unsigned char)type;
    memcpy(header + AT_MAGIC, MAGIC, sizeof MAGIC);
    put_octal(header + AT_DEV_MAJOR, SHORT_DIGITS, 0);
    put_octal(header + AT_DEV_MINOR, SHORT_DIGITS, 0);
    memset(header + AT_CHECKSUM, ' ', CHECKSUM_DIGITS + 2);
    unsigned int sum = 0;
    for (size_t i = 0; i < sizeof header; i++) {
        sum += header[i];
    }
    put_octal(header + AT_CHECKSUM, CHECKSUM_DIGITS, sum);
    buf_add(out, header, sizeof header);
}

/* The last slash that leaves at most 155 bytes before it and 1..100 behind it; false: none does. */
static bool split_path(struct slice path, struct slice *prefix, struct slice *name)
{
    if (path.len <= NAME_BYTES) {
        *prefix = (struct slice){NULL, 0};
        *name = path;
        return true;
    }
    for (size_t i = path.len - 1; i-- > 0;) {
        if (i <= PREFIX_BYTES && path.len - i - 1 <= NAME_BYTES && path.ptr[i] == '/') {
            *prefix = (struct slice){path.ptr, i};
            *name = (struct slice){path.ptr + i + 1, path.len - i - 1};
            return true;
        }
    }
    return false;
}

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

/* "LEN path=VALUE\n", where LEN counts its own digits too. */
static size_t pax_record_bytes(size_t value_len)
{
    size_t rest = sizeof " path=\n" - 1 + value_len;
    size_t total = rest;
    size_t digits;
    do { /* grows by a digit at most twice */
        digits = (size_t)snprintf(NULL, 0, "%zu", total);
        if (rest + digits == total) {
            break;
        }
        total = rest + digits;
    } while (total < (size_t)TAR_PATH_BYTES_MAX * 2);
    return total;
}

static void put_zeros(struct buf *out, size_t count)
{
    static const char ZEROS[TAR_BLOCK_BYTES];
    buf_add(out, ZEROS, count);
}

/* A pax header for the path; then `name` stands for it in the ustar header, for old readers. */
static void put_pax(struct buf *out, struct slice path, int64_t mtime_s, char name[NAME_BYTES])
{
    size_t start = 0;
    for (size_t i = 0; i < path.len; i++) {
        start = path.ptr[i] == '/' ? i + 1 : start;
    }
    size_t len = 0;
    for (size_t i = start; i < path.len && len < NAME_BYTES - 1; i++) {
        name[len++] = (char)((unsigned char)path.ptr[i] >= 0x80 ? '_' : path.ptr[i]);
    }
    name[len] = '\0';
    size_t record = pax_record_bytes(path.len);
    put_header(out, (struct slice){NULL, 0}, SLICE_LITERAL("PaxHeader/path"), 'x', record, mtime_s);
    buf_add_format(out, "%zu path=", record);
    buf_add_slice(out, path);
    buf_add_byte(out, '\n');
    put_zeros(out, tar_padding(record));
}

void tar_header(struct buf *out, const char *path, uint64_t size, int64_t mtime_s)
{
    struct slice whole = slice_of(path);
    struct slice prefix = {NULL, 0};
    struct slice name;
    char short_name[NAME_BYTES];
    assert(whole.len > 0 && whole.len <= TAR_PATH_BYTES_MAX && mtime_s >= 0);
    if (!is_ascii(whole) || !split_path(whole, &prefix, &name)) {
        put_pax(out, whole, mtime_s, short_name);
        prefix.len = 0;
        name = slice_of(short_name);
    }
    put_header(out, prefix, name, '0', size, mtime_s);
}

size_t tar_padding(uint64_t size)
{
    return (size_t)((TAR_BLOCK_BYTES - size % TAR_BLOCK_BYTES) % TAR_BLOCK_BYTES);
}
