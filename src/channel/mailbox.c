/*
 * mailbox - addresses and display names
 */
#include "channel/mailbox.h"

#include "base/utf8.h"

#include <assert.h>
#include <unicode/uidna.h>

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* --- local part --- */

/* RFC 5322 3.2.3; bytes of UTF-8 are checked by their code points (RFC 6531 3.3) */
static bool is_atext(char c)
{
    return is_alnum(c) || (unsigned char)c >= 0x80 ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Code points that show as nothing or turn the writing around: two addresses would look the same */
static bool is_hidden(int32_t point)
{
    return (point >= 0x80 && point <= 0xA0) || (point >= 0x200B && point <= 0x200F) ||
           (point >= 0x2028 && point <= 0x202F) || (point >= 0x2060 && point <= 0x206F) ||
           point == 0xFEFF || point == 0x3000;
}

static enum rc check_points(struct slice text, struct err *err)
{
    for (size_t at = 0; at < text.len;) {
        int32_t point = utf8_next(text, &at);
        if (point < 0) {
            return err_set(err, RC_PERM, "the address is no UTF-8");
        }
        if (point < 0x20 || point == 0x7F || is_hidden(point)) {
            return err_set(err, RC_PERM, "the address holds a control or hidden character");
        }
        if (point == ' ' || point == '<' || point == '>') {
            return err_set(err, RC_PERM, "the address holds a blank or an angle bracket");
        }
    }
    return RC_OK;
}

/* Blanks and brackets were refused before. */
static enum rc check_quoted(struct slice local, struct err *err)
{
    size_t i = 1;
    for (; i + 1 < local.len; i++) {
        if (local.ptr[i] == '"') {
            return err_set(err, RC_PERM, "the local part has a quote inside its quotes");
        }
        i += local.ptr[i] == '\\';
    }
    if (local.len < 3 || i + 1 != local.len || local.ptr[i] != '"') {
        return err_set(err, RC_PERM, "the quotes of the local part do not close");
    }
    return RC_OK;
}

static enum rc check_local(struct slice local, struct err *err)
{
    if (local.len == 0) {
        return err_set(err, RC_PERM, "nothing before the @");
    }
    if (local.len > MAILBOX_LOCAL_BYTES_MAX) {
        return err_set(err, RC_RANGE, "the local part has %zu bytes; at most %d", local.len,
                       MAILBOX_LOCAL_BYTES_MAX);
    }
    if (local.ptr[0] == '"') {
        return check_quoted(local, err);
    }
    for (size_t i = 0; i < local.len; i++) {
        bool is_dot = local.ptr[i] == '.';
        if (is_dot && (i == 0 || i + 1 == local.len || local.ptr[i - 1] == '.')) {
            return err_set(err, RC_PERM, "a dot at the edge of the local part, or two in a row");
        }
        if (!is_dot && !is_atext(local.ptr[i])) {
            return err_set(err, RC_PERM, "the local part holds a sign that needs quotes");
        }
    }
    return RC_OK;
}

/* --- domain --- */

/* Labels of letters, digits and hyphens (RFC 1123 2.1), ASCII */
static enum rc check_domain(struct slice domain, struct err *err)
{
    if (domain.len == 0) {
        return err_set(err, RC_PERM, "nothing behind the @");
    }
    if (domain.len > MAILBOX_DOMAIN_BYTES_MAX) {
        return err_set(err, RC_RANGE, "the domain has %zu bytes; at most %d", domain.len,
                       MAILBOX_DOMAIN_BYTES_MAX);
    }
    size_t label = 0;
    for (size_t i = 0; i <= domain.len; i++) {
        if (i < domain.len && domain.ptr[i] != '.') {
            label++;
            if (!is_alnum(domain.ptr[i]) && domain.ptr[i] != '-') {
                return err_set(err, RC_PERM, "the domain holds a sign that no host name has");
            }
            continue;
        }
        if (label == 0) {
            return err_set(err, RC_PERM, "an empty label in the domain");
        }
        if (label > MAILBOX_LABEL_BYTES_MAX) {
            return err_set(err, RC_RANGE, "a label of the domain has %zu bytes; at most %d", label,
                           MAILBOX_LABEL_BYTES_MAX);
        }
        if (domain.ptr[i - 1] == '-' || domain.ptr[i - label] == '-') {
            return err_set(err, RC_PERM, "a label of the domain begins or ends with a hyphen");
        }
        label = 0;
    }
    return RC_OK;
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

/* An internationalised domain to A-labels; out has room for MAILBOX_DOMAIN_BYTES_MAX bytes */
static enum rc to_a_labels(struct slice domain, char *out, size_t *out_len, struct err *err)
{
    if (domain.len > MAILBOX_DOMAIN_BYTES_MAX) {
        return err_set(err, RC_RANGE, "the domain has %zu bytes; at most %d", domain.len,
                       MAILBOX_DOMAIN_BYTES_MAX);
    }
    UErrorCode code = U_ZERO_ERROR;
    UIDNA *idna = uidna_openUTS46(UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |
                                      UIDNA_NONTRANSITIONAL_TO_ASCII,
                                  &code);
    if (U_FAILURE(code)) {
        return err_set(err, RC_NOMEM, "no converter for internationalised domains");
    }
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    int32_t len = uidna_nameToASCII_UTF8(idna, domain.ptr, (int32_t)domain.len, out,
                                         MAILBOX_DOMAIN_BYTES_MAX, &info, &code);
    uidna_close(idna);
    if (U_FAILURE(code) || info.errors != 0) {
        return err_set(err, RC_PERM, "the domain is no internationalised host name");
    }
    *out_len = (size_t)len;
    return RC_OK;
}

/* --- addresses --- */

enum rc mailbox_address_parse(struct slice text, struct mailbox_address *out, struct err *err)
{
    enum rc rc = check_points(text, err);
    if (rc != RC_OK) {
        return rc;
    }
    size_t at = text.len;
    while (at > 0 && text.ptr[at - 1] != '@') {
        at--;
    }
    if (at == 0) {
        return err_set(err, RC_PERM, "no @ in the address");
    }
    struct slice local = {text.ptr, at - 1};
    struct slice domain = {text.ptr + at, text.len - at};
    char a_labels[MAILBOX_DOMAIN_BYTES_MAX];
    if (!is_ascii(domain)) {
        size_t len = 0;
        rc = to_a_labels(domain, a_labels, &len, err);
        domain = (struct slice){a_labels, len};
    }
    rc = rc == RC_OK ? check_local(local, err) : rc;
    rc = rc == RC_OK ? check_domain(domain, err) : rc;
    if (rc != RC_OK) {
        return rc;
    }
    if (local.len + 1 + domain.len > MAILBOX_ADDRESS_BYTES_MAX) {
        return err_set(err, RC_RANGE, "the address has %zu bytes; at most %d",
                       local.len + 1 + domain.len, MAILBOX_ADDRESS_BYTES_MAX);
    }
    memcpy(out->text, local.ptr, local.len);
    out->text[local.len] = '@';
    memcpy(out->text + local.len + 1, domain.ptr, domain.len);
    out->len = local.len + 1 + domain.len;
    out->text[out->len] = '\0';
    out->domain_at = local.len + 1;
    out->needs_smtputf8 = !is_ascii(local);
    return RC_OK;
}

void mailbox_comparable(struct slice text, struct buf *out)
{
    struct mailbox_address address;
    if (mailbox_address_parse(text, &address, NULL) != RC_OK) {
        buf_add_slice(out, text);
        return;
    }
    for (size_t i = address.domain_at; i < address.len; i++) {
        char c = address.text[i];
        address.text[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    buf_add(out, address.text, address.len);
}

/* --- mailboxes --- */

static struct slice trimmed(struct slice text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Where the quote that begins the name closes: name.len where it does not */
static size_t closing_quote(struct slice name)
{
    for (size_t i = 1; i < name.len; i++) {
        if (name.ptr[i] == '\\') {
            i++;
        } else if (name.ptr[i] == '"') {
            return i;
        }
    }
    return name.len;
}

static struct slice unquoted(struct slice name, struct buf *scratch)
{
    if (name.len < 2 || name.ptr[0] != '"' || closing_quote(name) != name.len - 1) {
        return name;
    }
    for (size_t i = 1; i + 1 < name.len; i++) {
        i += name.ptr[i] == '\\';
        buf_add_byte(scratch, name.ptr[i]);
    }
    return buf_slice(scratch);
}

enum rc mailbox_parse(struct slice text, struct buf *scratch, struct mailbox *out, struct err *err)
{
    buf_clear(scratch);
    out->name = (struct slice){NULL, 0};
    text = trimmed(text);
    if (text.len == 0 || text.ptr[text.len - 1] != '>') {
        return mailbox_address_parse(text, &out->address, err);
    }
    size_t at = text.len - 1;
    while (at > 0 && text.ptr[at] != '<') {
        at--;
    }
    if (text.ptr[at] != '<') {
        return err_set(err, RC_PERM, "a '>' without its '<'");
    }
    struct slice name = trimmed((struct slice){text.ptr, at});
    if (name.len > MAILBOX_NAME_BYTES_MAX) {
        return err_set(err, RC_RANGE, "a name of %zu bytes before the address; at most %d",
                       name.len, MAILBOX_NAME_BYTES_MAX);
    }
    out->name = unquoted(name, scratch);
    enum rc rc = buf_ok(scratch, err);
    return rc == RC_OK ? mailbox_address_parse((struct slice){text.ptr + at + 1, text.len - at - 2},
                                               &out->address, err)
                       : rc;
}

void mailbox_put(struct buf *out, const char *header, struct slice name,
                 const struct mailbox_address *address)
{
    struct header_line line = header_begin(out, header);
    header_phrase(&line, name);
    if (name.len == 0) {
        header_word(&line, mailbox_address_slice(address));
    } else {
        char bracketed[MAILBOX_ADDRESS_BYTES_MAX + 2];
        bracketed[0] = '<';
        memcpy(bracketed + 1, address->text, address->len);
        bracketed[address->len + 1] = '>';
        header_word(&line, (struct slice){bracketed, address->len + 2});
    }
    header_end(&line);
}
