/*
 * entry - checking and writing an entry
 */
#include "ledger/entry.h"

#include "base/decimal.h"
#include "base/instant.h"
#include "base/utf8.h"

#include <assert.h>

__extension__ typedef __int128 wide;

/* Blanks between the longest account and the widest amount, as in the contract's example. */
enum { AMOUNT_GAP = 3, DIGITS_MAX = 4 };

/* The longest posting line: indent, account padded to the longest, gap, amount, quoted commodity.
 */
static_assert(4 + LEDGER_ACCOUNT_BYTES_MAX + AMOUNT_GAP + DECIMAL_TEXT_BYTES +
                      LEDGER_COMMODITY_BYTES_MAX + 4 <
                  LEDGER_LINE_BYTES_MAX,
              "every posting line fits the line limit");
static_assert(LEDGER_DATE_BYTES + LEDGER_KEY_BYTES_MAX + LEDGER_DESCRIPTION_BYTES_MAX + 8 <
                  LEDGER_LINE_BYTES_MAX,
              "every header line fits the line limit");

static bool is_plain(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool is_account(struct slice text)
{
    if (text.len == 0 || !is_plain(text.ptr[0])) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_plain(text.ptr[i]) && text.ptr[i] != ':' && text.ptr[i] != '/') {
            return false;
        }
    }
    return true;
}

static bool is_commodity(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_plain(text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0;
}

/* Between parentheses: anything printable that neither closes them nor begins a comment. */
static bool is_key(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '(' || c == ')' || c == ';') {
            return false;
        }
    }
    return text.len > 0;
}

static bool is_description(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c == 0x7f || c == ';') {
            return false;
        }
    }
    return text.len > 0 && text.ptr[0] != ' ' && text.ptr[text.len - 1] != ' ' &&
           utf8_is_valid(text);
}

static const char *commodity_of(const struct ledger_entry *entry,
                                const struct ledger_posting *posting)
{
    return posting->commodity == NULL ? entry->commodity : posting->commodity;
}

static int digits_of(const struct ledger_entry *entry, const struct ledger_posting *posting)
{
    return posting->commodity == NULL ? entry->digits : posting->digits;
}

static enum rc check_part(bool is_good, const char *what, const char *text, size_t max,
                          const char *key, struct err *err)
{
    if (strlen(text) > max) {
        return err_set(err, RC_RANGE, "ledger entry %.80s: the %s has more than %zu bytes", key,
                       what, max);
    }
    if (!is_good) {
        return err_set(err, RC_PERM, "ledger entry %.80s: the %s has bytes that a %s may not have",
                       key, what, what);
    }
    return RC_OK;
}

static enum rc check_posting(const struct ledger_entry *entry, const struct ledger_posting *posting,
                             struct err *err)
{
    const char *commodity = commodity_of(entry, posting);
    enum rc rc = check_part(is_account(slice_of(posting->account)), "account", posting->account,
                            LEDGER_ACCOUNT_BYTES_MAX, entry->key, err);
    if (rc == RC_OK) {
        rc = check_part(is_commodity(slice_of(commodity)), "commodity", commodity,
                        LEDGER_COMMODITY_BYTES_MAX, entry->key, err);
    }
    if (rc == RC_OK && posting->amount == INT64_MIN) {
        return err_set(err, RC_RANGE, "ledger entry %.80s: an amount has no opposite", entry->key);
    }
    int digits = digits_of(entry, posting);
    if (rc == RC_OK && (digits < 0 || digits > DIGITS_MAX)) {
        return err_set(err, RC_RANGE, "ledger entry %.80s: %d minor digits, at most %d", entry->key,
                       digits, DIGITS_MAX);
    }
    return rc;
}

enum rc ledger_entry_check(const struct ledger_entry *entry, struct err *err)
{
    int32_t day = 0;
    const char *key = entry->key;
    enum rc rc = check_part(is_key(slice_of(key)), "key", key, LEDGER_KEY_BYTES_MAX, key, err);
    if (rc == RC_OK) {
        rc = check_part(is_description(slice_of(entry->description)), "description",
                        entry->description, LEDGER_DESCRIPTION_BYTES_MAX, key, err);
    }
    if (rc == RC_OK && date_parse(slice_of(entry->date), &day) != RC_OK) {
        rc = err_set(err, RC_PERM, "ledger entry %.80s: \"%.20s\" is no date; write YYYY-MM-DD",
                     key, entry->date);
    }
    if (rc == RC_OK && (entry->count < 2 || entry->count > LEDGER_POSTINGS_MAX)) {
        rc = err_set(err, RC_RANGE, "ledger entry %.80s: %zu postings, must be 2 to %d", key,
                     entry->count, LEDGER_POSTINGS_MAX);
    }
    for (size_t i = 0; i < entry->count && rc == RC_OK; i++) {
        rc = check_posting(entry, &entry->postings[i], err);
    }
    return rc;
}

bool ledger_entry_is_balanced(const struct ledger_entry *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        const char *commodity = commodity_of(entry, &entry->postings[i]);
        wide sum = 0;
        bool is_first = true;
        for (size_t j = 0; j < entry->count && is_first; j++) {
            if (strcmp(commodity_of(entry, &entry->postings[j]), commodity) == 0) {
                is_first = j >= i;
                sum += entry->postings[j].amount;
            }
        }
        if (is_first && sum != 0) {
            return false;
        }
    }
    return true;
}

static bool is_currency(struct slice commodity)
{
    if (commodity.len != 3) {
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        if (commodity.ptr[i] < 'A' || commodity.ptr[i] > 'Z') {
            return false;
        }
    }
    return true;
}

void ledger_entry_write(const struct ledger_entry *entry, const char *date, struct buf *out)
{
    char amount[DECIMAL_TEXT_BYTES];
    size_t account_bytes = 0;
    size_t amount_bytes = 0;
    for (size_t i = 0; i < entry->count; i++) {
        const struct ledger_posting *posting = &entry->postings[i];
        size_t account = strlen(posting->account);
        size_t width = strlen(money_format(posting->amount, digits_of(entry, posting), amount));
        account_bytes = account > account_bytes ? account : account_bytes;
        amount_bytes = width > amount_bytes ? width : amount_bytes;
    }
    buf_add_format(out, "%s * (%s) %s\n", date, entry->key, entry->description);
    for (size_t i = 0; i < entry->count; i++) {
        const struct ledger_posting *posting = &entry->postings[i];
        const char *commodity = commodity_of(entry, posting);
        const char *quote = is_currency(slice_of(commodity)) ? "" : "\"";
        buf_add_format(out, "    %-*s%*s %s%s%s\n", (int)account_bytes, posting->account,
                       (int)(AMOUNT_GAP + amount_bytes),
                       money_format(posting->amount, digits_of(entry, posting), amount), quote,
                       commodity, quote);
    }
}

/* Take what stands before `end` off the front of *rest; false when `end` is not in it. */
static bool take_until(struct slice *rest, char end, struct slice *out)
{
    const char *at = rest->len == 0 ? NULL : memchr(rest->ptr, end, rest->len);
    if (at == NULL) {
        return false;
    }
    *out = (struct slice){rest->ptr, (size_t)(at - rest->ptr)};
    rest->ptr = at + 1;
    rest->len -= out->len + 1;
    return true;
}

enum rc ledger_header_parse(struct slice line, struct ledger_view *out)
{
    static const char middle[] = " * (";
    const size_t date_len = LEDGER_DATE_BYTES - 1;
    const size_t skip = date_len + sizeof middle - 1;
    int32_t day = 0;
    if (line.len < skip || memcmp(line.ptr + date_len, middle, sizeof middle - 1) != 0) {
        return RC_PERM;
    }
    struct slice date = {line.ptr, date_len};
    struct slice rest = {line.ptr + skip, line.len - skip};
    struct slice key;
    if (date_parse(date, &day) != RC_OK || !take_until(&rest, ')', &key) || !is_key(key) ||
        key.len > LEDGER_KEY_BYTES_MAX || rest.len < 2 || rest.ptr[0] != ' ') {
        return RC_PERM;
    }
    out->date = date;
    out->key = key;
    out->description = (struct slice){rest.ptr + 1, rest.len - 1};
    return RC_OK;
}

enum rc ledger_line_parse(struct slice line, struct ledger_line *out)
{
    static const char indent[] = "    ";
    const size_t indent_len = sizeof indent - 1;
    if (line.len <= indent_len || memcmp(line.ptr, indent, indent_len) != 0) {
        return RC_PERM;
    }
    struct slice rest = {line.ptr + indent_len, line.len - indent_len};
    struct slice account;
    struct slice amount;
    if (!take_until(&rest, ' ', &account) || !is_account(account) ||
        account.len > LEDGER_ACCOUNT_BYTES_MAX || rest.len == 0 || rest.ptr[0] != ' ') {
        return RC_PERM;
    }
    while (rest.len > 0 && rest.ptr[0] == ' ') {
        rest = (struct slice){rest.ptr + 1, rest.len - 1};
    }
    struct decimal value;
    if (!take_until(&rest, ' ', &amount) || decimal_parse(amount, &value) != RC_OK ||
        value.scale > DIGITS_MAX) {
        return RC_PERM;
    }
    if (rest.len > 2 && rest.ptr[0] == '"' && rest.ptr[rest.len - 1] == '"') {
        rest = (struct slice){rest.ptr + 1, rest.len - 2};
    } else if (!is_currency(rest)) {
        return RC_PERM;
    }
    if (!is_commodity(rest) || rest.len > LEDGER_COMMODITY_BYTES_MAX) {
        return RC_PERM;
    }
    *out = (struct ledger_line){account, rest, value.units, value.scale};
    return RC_OK;
}

bool ledger_view_is_balanced(const struct ledger_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        wide sum = 0;
        bool is_first = true;
        for (size_t j = 0; j < view->count && is_first; j++) {
            if (slice_equal(view->lines[j].commodity, view->lines[i].commodity)) {
                is_first = j >= i;
                sum += view->lines[j].amount;
            }
        }
        if (is_first && sum != 0) {
            return false;
        }
    }
    return true;
}
