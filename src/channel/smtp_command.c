/*
 * smtp_command - one function puts arguments into commands: put_checked
 */
#include "channel/smtp_command.h"

#include "base/utf8.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* ---- arguments ---- */

/* The one way of outside bytes into a command. */
static enum rc put_checked(struct buf *out, struct slice text, struct err *err)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte < 0x20 || byte == 0x7f || byte == '<' || byte == '>') {
            return err_set(err, RC_PERM, "byte 0x%02x cannot stand in a command", byte);
        }
    }
    buf_add_slice(out, text);
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

/* The @ before the domain: the last one, as a quoted local part may hold others */
static bool has_domain(struct slice address)
{
    for (size_t i = address.len; i > 0; i--) {
        if (address.ptr[i - 1] == '@') {
            return i > 1 && i < address.len;
        }
    }
    return false;
}

enum rc smtp_command_address(struct slice address, bool *out_is_ascii, struct err *err)
{
    bool ascii = is_ascii(address);
    if (address.len > SMTP_PATH_BYTES_MAX) {
        return err_set(err, RC_PERM, "address is longer than %d bytes", (int)SMTP_PATH_BYTES_MAX);
    }
    for (size_t i = 0; i < address.len; i++) {
        unsigned char byte = (unsigned char)address.ptr[i];
        if (byte <= 0x20 || byte == 0x7f || byte == '<' || byte == '>') {
            return err_set(err, RC_PERM, "address holds the byte 0x%02x, which no address may",
                           byte);
        }
    }
    if (!has_domain(address)) {
        return err_set(err, RC_PERM, "address has no @ between name and domain");
    }
    if (!ascii && !utf8_is_valid(address)) {
        return err_set(err, RC_PERM, "address is no UTF-8");
    }
    if (out_is_ascii != NULL) {
        *out_is_ascii = ascii;
    }
    return RC_OK;
}

/* ---- commands ---- */

enum rc smtp_command_plain(struct buf *out, const char *verb, struct slice argument,
                           struct err *err)
{
    size_t before = out->len;
    buf_add_text(out, verb);
    enum rc rc = RC_OK;
    if (argument.len > 0) {
        buf_add_byte(out, ' ');
        rc = put_checked(out, argument, err);
    }
    buf_add_text(out, "\r\n");
    if (rc != RC_OK) {
        out->len = before;
    }
    return rc;
}

static enum rc put_path(struct buf *out, const char *verb, struct slice path, struct err *err)
{
    enum rc rc = path.len == 0 ? RC_OK : smtp_command_address(path, NULL, err);
    if (rc == RC_OK) {
        buf_add_text(out, verb);
        rc = put_checked(out, path, err);
        buf_add_byte(out, '>');
    }
    return rc;
}

enum rc smtp_command_mail(struct buf *out, const struct smtp_mail *mail, struct err *err)
{
    size_t before = out->len;
    enum rc rc = put_path(out, "MAIL FROM:<", mail->from, err);
    if (rc != RC_OK) {
        out->len = before;
        return rc;
    }
    if (mail->size_bytes > 0) {
        buf_add_format(out, " SIZE=%llu", (unsigned long long)mail->size_bytes);
    }
    buf_add_text(out, mail->is_8bit ? " BODY=8BITMIME" : "");
    buf_add_text(out, mail->is_utf8 ? " SMTPUTF8" : "");
    buf_add_text(out, "\r\n");
    return RC_OK;
}

enum rc smtp_command_rcpt(struct buf *out, struct slice to, struct err *err)
{
    size_t before = out->len;
    if (to.len == 0) {
        return err_set(err, RC_PERM, "address is empty");
    }
    enum rc rc = put_path(out, "RCPT TO:<", to, err);
    if (rc != RC_OK) {
        out->len = before;
        return rc;
    }
    buf_add_text(out, "\r\n");
    return RC_OK;
}

/* ---- credentials ---- */

static void put_base64(struct buf *out, const unsigned char *bytes, size_t len)
{
    size_t coded = (len + 2) / 3 * 4;
    if (buf_reserve(out, coded + 1)) {
        (void)EVP_EncodeBlock((unsigned char *)out->ptr + out->len, bytes, (int)len);
        out->len += coded;
    }
    buf_add_text(out, "\r\n");
}

static enum rc check_credential(struct slice text, struct err *err)
{
    if (text.len > SMTP_CREDENTIAL_BYTES_MAX) {
        return err_set(err, RC_PERM, "user or password is longer than %d bytes",
                       (int)SMTP_CREDENTIAL_BYTES_MAX);
    }
    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL) {
        return err_set(err, RC_PERM, "user or password holds a NUL");
    }
    return RC_OK;
}

enum rc smtp_command_base64(struct buf *out, struct slice text, struct err *err)
{
    enum rc rc = check_credential(text, err);
    if (rc == RC_OK) {
        put_base64(out, (const unsigned char *)text.ptr, text.len);
    }
    return rc;
}

enum rc smtp_command_auth_plain(struct buf *out, struct slice user, struct slice password,
                                struct err *err)
{
    unsigned char message[2 * SMTP_CREDENTIAL_BYTES_MAX + 2] = {0};
    enum rc rc = check_credential(user, err);
    if (rc == RC_OK) {
        rc = check_credential(password, err);
    }
    if (rc != RC_OK) {
        return rc;
    }
    size_t len = 1; /* no authorisation identity: NUL user NUL password */
    memcpy(message + len, user.ptr, user.len);
    len += user.len + 1;
    memcpy(message + len, password.ptr, password.len);
    len += password.len;
    buf_add_text(out, "AUTH PLAIN ");
    put_base64(out, message, len);
    OPENSSL_cleanse(message, sizeof message);
    return RC_OK;
}
