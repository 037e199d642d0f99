/*
 * channel_peer - how a channel's messages leave, and where to
 */
#include "base/number.h"
#include "conf/house_read.h"

#include <string.h>

enum {
    PORT_SUBMISSIONS = 465, /* RFC 8314 */
    PORT_SUBMISSION = 587,
    PORT_SMTP = 25,
    PORT_SMPP_TLS = 3550,
    PORT_SMPP = 2775,
    PORT_HTTPS = 443,
    PORT_HTTP = 80
};

/* Transports of each channel, the embedded one first. */
static const char *const TRANSPORTS[HOUSE_CHANNELS][HOUSE_TRANSPORTS_MAX + 1] = {
    [HOUSE_MAIL] = {NULL},
    [HOUSE_EMAIL] = {"maildir", "smtp", "null", NULL},
    [HOUSE_SMS] = {"file", "smpp", "null", NULL},
    [HOUSE_PUSH] = {"file", "http", "null", NULL},
    [HOUSE_INAPP] = {"file", "http", "null", NULL},
};

const char *const *house_transports(int channel)
{
    return TRANSPORTS[channel];
}

const char *house_transport(const struct house *house, int channel)
{
    const char *set = house->channels[channel].transport;
    return set == NULL ? TRANSPORTS[channel][0] : set;
}

static bool is_by(const struct house *house, int channel, const char *word)
{
    const char *transport = house_transport(house, channel);
    return transport != NULL && strcmp(transport, word) == 0;
}

bool house_connects(const struct house *house, int channel)
{
    return is_by(house, channel, "smtp") || is_by(house, channel, "smpp") ||
           is_by(house, channel, "http");
}

/* scheme://[user@]host[:port]/...; host may be [an IPv6 address]. 0: there is no such port */
static uint16_t port_of_url(const char *url)
{
    const char *at = strstr(url, "://");
    uint64_t port = strncmp(url, "http:", 5) == 0 ? PORT_HTTP : PORT_HTTPS;
    at = at == NULL ? url : at + 3;
    struct slice authority = {at, strcspn(at, "/?#")};
    const char *user = memchr(authority.ptr, '@', authority.len);
    const char *end = authority.ptr + authority.len;
    const char *host = user == NULL ? authority.ptr : user + 1;
    const char *address = memchr(host, ']', (size_t)(end - host));
    host = address == NULL ? host : address;
    const char *colon = memchr(host, ':', (size_t)(end - host));
    if (colon != NULL && colon + 1 < end) {
        struct slice digits = {colon + 1, (size_t)(end - colon - 1)};
        port = number_parse_u64(digits, UINT16_MAX, &port) == RC_OK ? port : 0;
    }
    return (uint16_t)port;
}

uint16_t house_port(const struct house *house, int kind)
{
    const struct house_channel *channel = &house->channels[kind];
    bool is_plain = channel->tls == HOUSE_TLS_NONE;
    if (is_by(house, kind, "http")) {
        return channel->url == NULL ? 0 : port_of_url(channel->url);
    }
    if (!house_connects(house, kind)) {
        return 0;
    }
    if (channel->port > 0) {
        return (uint16_t)channel->port;
    }
    if (is_by(house, kind, "smpp")) {
        return is_plain ? PORT_SMPP : PORT_SMPP_TLS;
    }
    return channel->tls == HOUSE_TLS_STARTTLS ? PORT_SUBMISSION
           : is_plain                         ? PORT_SMTP
                                              : PORT_SUBMISSIONS;
}
