/*
 * mailbox - addresses and display names: "Shop <shop@example.net>"
 *
 * An address is a local part and a domain (RFC 5321 4.1.2). The local part is a dot-atom or a
 * quoted string without blanks or brackets; the domain is a host name. An internationalised domain
 * becomes its A-labels (IDNA 2008 by UTS 46), so that it travels everywhere; a local part that is
 * not ASCII can only travel where the server offers SMTPUTF8 (RFC 6531). An address literal
 * ([192.0.2.1]) is refused: no campaign goes there.
 */
#ifndef POSTROOM_CHANNEL_MAILBOX_H
#define POSTROOM_CHANNEL_MAILBOX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "channel/header.h"

enum {
    MAILBOX_LOCAL_BYTES_MAX = 64,    /* RFC 5321 4.5.3.1.1 */
    MAILBOX_DOMAIN_BYTES_MAX = 255,  /* RFC 5321 4.5.3.1.2 */
    MAILBOX_LABEL_BYTES_MAX = 63,    /* RFC 1035 2.3.4 */
    MAILBOX_ADDRESS_BYTES_MAX = 254, /* RFC 5321 4.5.3.1.3: a path of 256 with its brackets */
    MAILBOX_NAME_BYTES_MAX = 1024    /* of a display name */
};

struct mailbox_address {
    char text[MAILBOX_ADDRESS_BYTES_MAX + 1]; /* as it goes out: local part as given, A-labels */
    size_t len;
    size_t domain_at;    /* where the domain begins in text */
    bool needs_smtputf8; /* the local part is not ASCII */
};

/* The name is borrowed from what was parsed, or from its scratch */
struct mailbox {
    struct slice name; /* display name, unquoted; empty: none */
    struct mailbox_address address;
};

/*
 * mailbox_address_parse - check an address and make it ready to send to
 *
 * text   without brackets and blanks around it
 * out    valid after RC_OK
 *
 * Returns   RC_OK
 *           RC_PERM   no address; the text says which rule is broken, and never holds the address
 *           RC_RANGE  local part, label, domain or the whole is too long
 *           RC_NOMEM  no converter for internationalised domains
 * Cost      one pass; ICU only for a domain that is not ASCII
 */
enum rc mailbox_address_parse(struct slice text, struct mailbox_address *out,
                              struct err *err) MUST_CHECK;

/*
 * mailbox_parse - "address", "<address>" or "name <address>"
 *
 * text     blanks around it and around the name are dropped. The address stands between the last
 *          '<' and the end, so that nothing in a name can move it. A name wholly in double quotes
 *          is unquoted (RFC 5322 3.2.4); any other is taken as it is
 * scratch  cleared; holds the name where it had to be unquoted; outlives out
 *
 * Returns   as mailbox_address_parse; RC_RANGE also for a name over MAILBOX_NAME_BYTES_MAX;
 *           RC_NOMEM
 */
enum rc mailbox_parse(struct slice text, struct buf *scratch, struct mailbox *out,
                      struct err *err) MUST_CHECK;

/* mailbox_put - the header "Name: display name <address>"; lost memory shows in buf_ok(out) */
void mailbox_put(struct buf *out, const char *header, struct slice name,
                 const struct mailbox_address *address);

/*
 * mailbox_comparable - append an address as it is compared: the domain in lower case and A-labels,
 * the local part as it is; what is no address is appended as it is
 * Lost memory shows in buf_ok(out)
 */
void mailbox_comparable(struct slice text, struct buf *out);

static inline struct slice mailbox_address_slice(const struct mailbox_address *address)
{
    return (struct slice){address->text, address->len};
}

static inline struct slice mailbox_domain(const struct mailbox_address *address)
{
    return (struct slice){address->text + address->domain_at, address->len - address->domain_at};
}

#endif
