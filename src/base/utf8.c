/*
 * utf8 - decoding and checking, RFC 3629
 */
#include "base/utf8.h"

#include <assert.h>

int32_t utf8_next(struct slice text, size_t *at)
{
    assert(*at < text.len);
    const unsigned char *p = (const unsigned char *)text.ptr + *at;
    size_t left = text.len - *at;
    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    size_t need = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    int32_t point = p[0] & (0xFF >> (need + 1));
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < need) {
        *at += 1;
        return -1;
    }
    for (size_t i = 1; i < need; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            *at += 1;
            return -1;
        }
        point = point << 6 | (p[i] & 0x3F);
    }
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[need] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
        *at += 1;
        return -1;
    }
    *at += need;
    return point;
}

bool utf8_is_valid(struct slice text)
{
    size_t at = 0;
    while (at < text.len) {
        uint64_t eight;
        while (text.len - at >= sizeof eight) {
            memcpy(&eight, text.ptr + at, sizeof eight);
            uint64_t high = eight & UINT64_C(0x8080808080808080);
            if (high != 0) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
                at += (size_t)__builtin_ctzll(high) / 8;
#endif
                break;
            }
            at += sizeof eight;
        }
        if (at < text.len && utf8_next(text, &at) < 0) {
            return false;
        }
    }
    return true;
}

size_t utf8_put(int32_t code_point, char out[4])
{
    assert(code_point >= 0 && code_point <= 0x10FFFF);
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xC0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xE0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}
