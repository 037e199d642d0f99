/*
 * tls_reason - what verification found, said so that somebody can mend it
 *
 * Names come from a stranger's certificate: only printable ASCII is passed on.
 */
#include "channel/tls_reason.h"

#include "base/buf.h"

#include <openssl/x509v3.h>

enum { NAMES_SHOWN = 5, NAME_BYTES_SHOWN = 100, TIME_BYTES = 64 };

static void add_printable(struct buf *out, const unsigned char *bytes, int len)
{
    for (int i = 0; i < len && i < NAME_BYTES_SHOWN; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f) {
            buf_add_byte(out, (char)bytes[i]);
        } else {
            buf_add_format(out, "\\x%02x", (unsigned int)bytes[i]);
        }
    }
}

static void add_address(struct buf *out, const unsigned char *bytes, int len)
{
    if (len == 4) {
        buf_add_format(out, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
        return;
    }
    for (int i = 0; i + 1 < len && i < 16; i += 2) {
        buf_add_format(out, "%s%x", i == 0 ? "" : ":",
                       (unsigned int)bytes[i] << 8 | (unsigned int)bytes[i + 1]);
    }
}

/* The names and addresses that the certificate is for; false: none */
static bool add_names(struct buf *out, const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int shown = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD) {
            continue;
        }
        if (shown == NAMES_SHOWN) {
            buf_add_text(out, ", ...");
            break;
        }
        buf_add_text(out, shown++ == 0 ? "" : ", ");
        const ASN1_STRING *text = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
        (name->type == GEN_DNS ? add_printable : add_address)(out, ASN1_STRING_get0_data(text),
                                                              ASN1_STRING_length(text));
    }
    GENERAL_NAMES_free(names);
    return shown > 0;
}

static void add_name_mismatch(struct buf *out, const X509 *certificate, const char *host)
{
    struct buf names = BUF_EMPTY;
    if (certificate != NULL && add_names(&names, certificate)) {
        buf_add_format(out, "certificate is for %s, not %s", buf_text(&names), host);
    } else {
        buf_add_format(out,
                       "certificate has no subject alternative name, so it is not for %s "
                       "(a common name does not count)",
                       host);
    }
    buf_release(&names);
}

static void add_time(struct buf *out, const char *before, const ASN1_TIME *when)
{
    char text[TIME_BYTES] = "";
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && ASN1_TIME_print(bio, when) == 1) {
        int len = BIO_read(bio, text, (int)sizeof text - 1);
        text[len < 0 ? 0 : len] = '\0';
    }
    BIO_free(bio);
    buf_add_format(out, "%s %s", before, text);
}

static void add_issuer(struct buf *out, const X509 *certificate)
{
    char name[NAME_BYTES_SHOWN * 2] = "";
    /* X509_NAME_oneline writes what is not printable as \xHH. */
    (void)X509_NAME_oneline(X509_get_issuer_name(certificate), name, (int)sizeof name);
    buf_add_text(out, "certificate was issued by ");
    add_printable(out, (const unsigned char *)name, (int)strlen(name));
    buf_add_text(out, ", who is not trusted");
}

static void add_reason(struct buf *out, long found, const X509 *certificate, const char *host)
{
    if (found == X509_V_ERR_HOSTNAME_MISMATCH || found == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        add_name_mismatch(out, certificate, host);
    } else if (found == X509_V_ERR_CERT_HAS_EXPIRED && certificate != NULL) {
        add_time(out, "certificate (or one above it) has expired; its own ends",
                 X509_get0_notAfter(certificate));
    } else if (found == X509_V_ERR_CERT_NOT_YET_VALID && certificate != NULL) {
        add_time(out, "certificate is not valid before", X509_get0_notBefore(certificate));
    } else if (found == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
               found == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN) {
        buf_add_text(out, "certificate is signed by itself, and not among those that are trusted");
    } else if ((found == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                found == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE) &&
               certificate != NULL) {
        add_issuer(out, certificate);
    } else {
        buf_add_format(out, "certificate refused: %s", X509_verify_cert_error_string(found));
    }
}

enum rc tls_reason(struct err *err, long found, const X509 *certificate, const char *host)
{
    struct buf text = BUF_EMPTY;
    add_reason(&text, found, certificate, host);
    enum rc rc = err_set(err, RC_PERM, "%s", buf_text(&text));
    buf_release(&text);
    return rc;
}
