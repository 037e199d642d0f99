/*
 * house_schema - every setting of postroom.conf, as tables
 *
 * Each row says what a setting is called, what it is, its default and what it does; reading, errors
 * and postroom.conf(5) follow from it.
 */
#include "base/name.h"
#include "conf/house_read.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define AT(type, field) offsetof(struct type, field)
#define PLACED(type) offsetof(struct type, at)
#define MANY(type, field, counter) AT(type, field), .count_offset = AT(type, counter)

const char *const house_channel_words[] = {"mail", "email", "sms", "push", "inapp", NULL};
const char *const house_finish_words[] = {"hand-over", "ack", "report", NULL};
const char *const house_commitment_words[] = {"planned", "reserved", "committed", NULL};
const char *const house_approval_mode_words[] = {"automatic", "manual", NULL};

static const char *const STATUS[] = {"editing", "defined", NULL};
static const char *const EXCESS[] = {"warn", "refuse", NULL};
static const char *const RULES[] = {"fixed", "linear", "linear_by_threshold",
                                    "constant_by_threshold", NULL};
static const char *const FORMATS[] = {"csv", "fixed", NULL};
/* Behind the first four: the characters themselves, in the same order. */
static const char *const EOLS[] = {"crlf", "lf", "cr", "none", "\r\n", "\n", "\r", "", NULL};
static const char *const ENCODINGS[] = {"UTF-8",        "ISO-8859-1", "ISO-8859-15",
                                        "windows-1252", "utf8",       "latin1",
                                        "latin9",       "cp1252",     NULL};
static const char *const CONTAINERS[] = {"zip", "tar.gz", "tar.zst", "gz", NULL};
static const char *const ADDRESSES[] = {"none", "nf-z10-011", NULL};

/* --- people --- */

static const struct schema_row OPERATOR_ROWS[] = {
    {"name", SCHEMA_ID, ROW_REQUIRED, AT(house_operator, name),
     .doc = "What the operator is called here, and the principal of a signature."},
    {"user", SCHEMA_TEXT, 0, AT(house_operator, user), .min = 1, .max = 32,
     .doc = "Login name: files of this user are this operator's. Without it, signatures only."},
    {"email", SCHEMA_TEXT, 0, AT(house_operator, email), .min = 3, .max = 254,
     .doc = "Where notices go."},
    {"groups", SCHEMA_TEXTS, 0, AT(house_operator, groups), .min = 1, .max = ID_BYTES_MAX,
     .doc = "Groups the operator is in, without @; reviewers name them as @GROUP."},
    {"admin", SCHEMA_BOOL, 0, AT(house_operator, is_admin), .initial = "false",
     .doc = "Administrators may always decide, and may weaken what etc/ demands."},
    {"on_behalf", SCHEMA_BOOL, 0, AT(house_operator, may_act_for_others), .initial = "false",
     .doc = "May drop deliveries that name another owner."},
    {"finance", SCHEMA_BOOL, 0, AT(house_operator, is_finance), .initial = "false",
     .doc = "May drop entries about money: invoices, costs, stock."},
};
static const struct schema OPERATOR = {"operator",
                                       sizeof(struct house_operator),
                                       PLACED(house_operator),
                                       AT(house_operator, name),
                                       OPERATOR_ROWS,
                                       COUNT(OPERATOR_ROWS),
                                       NULL,
                                       false};

static const struct schema_row BUDGET_ROWS[] = {
    {"allocated", SCHEMA_DECIMAL, ROW_POSITIVE, AT(house_budget, allocated),
     .doc = "Money granted, in the house's currency; without it there is no limit to compare "
            "with."},
    {"commitment", SCHEMA_ENUM, 0, AT(house_budget, commitment), .initial = "planned",
     .words = house_commitment_words,
     .doc = "Level of the cost entry made when a target is "
            "counted."},
    {"status", SCHEMA_ENUM, 0, AT(house_budget, status), .initial = "defined", .words = STATUS,
     .doc = "While a budget is being edited, its campaign's costs are not consolidated."},
};
static const struct schema BUDGET = {
    "budget",    sizeof(struct house_budget), SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    BUDGET_ROWS, COUNT(BUDGET_ROWS),          NULL,           false};

static const struct schema_row PROGRAMME_ROWS[] = {
    {"name", SCHEMA_ID, ROW_REQUIRED, AT(house_programme, name),
     .doc = "Name, as it stands in the ledger."},
    {"label", SCHEMA_TEXT, 0, AT(house_programme, label), .doc = "Shown to people."},
    {"budget", SCHEMA_GROUP, 0, AT(house_programme, budget), .inner = &BUDGET,
     .doc = "Budget that its campaigns draw on."},
};
static const struct schema PROGRAMME = {"programme",
                                        sizeof(struct house_programme),
                                        PLACED(house_programme),
                                        AT(house_programme, name),
                                        PROGRAMME_ROWS,
                                        COUNT(PROGRAMME_ROWS),
                                        NULL,
                                        false};

static const struct schema_row CAMPAIGN_ROWS[] = {
    {"name", SCHEMA_ID, ROW_REQUIRED, AT(house_campaign, name),
     .doc = "Name that deliveries give."},
    {"label", SCHEMA_TEXT, 0, AT(house_campaign, label), .doc = "Shown to people."},
    {"programme", SCHEMA_ID, ROW_REQUIRED, AT(house_campaign, programme),
     .doc = "Programme that holds it."},
    {"owner", SCHEMA_ID, ROW_REQUIRED, AT(house_campaign, owner),
     .doc = "Operator in charge of the campaign."},
    {"budget", SCHEMA_GROUP, 0, AT(house_campaign, budget), .inner = &BUDGET,
     .doc = "The campaign's own budget."},
    {"approval_mode", SCHEMA_ENUM, ROW_LATER, AT(house_campaign, approval_mode),
     .initial = "automatic", .words = house_approval_mode_words,
     .doc = "Steps open by themselves, or wait for postroom submit-for-approval."},
    {"overspend", SCHEMA_ENUM, ROW_LATER, AT(house_campaign, overspend), .initial = "warn",
     .words = EXCESS, .doc = "What happens where the budget does not suffice."},
};
const struct schema house_campaign_schema = {"campaign",
                                             sizeof(struct house_campaign),
                                             PLACED(house_campaign),
                                             AT(house_campaign, name),
                                             CAMPAIGN_ROWS,
                                             COUNT(CAMPAIGN_ROWS),
                                             NULL,
                                             true};

/* --- providers --- */

static const struct schema_row THRESHOLD_ROWS[] = {
    {"upto", SCHEMA_INT64, ROW_REQUIRED, AT(house_threshold, upto), .min = 1, .max = INT64_MAX,
     .unit = "pieces", .doc = "Last quantity that this price is for."},
    {"amount", SCHEMA_DECIMAL, ROW_REQUIRED | ROW_POSITIVE, AT(house_threshold, amount),
     .doc = "Price of a piece (linear_by_threshold), or of all (constant_by_threshold)."},
};
const struct schema house_threshold_schema = {"threshold",
                                              sizeof(struct house_threshold),
                                              PLACED(house_threshold),
                                              SCHEMA_NOWHERE,
                                              THRESHOLD_ROWS,
                                              COUNT(THRESHOLD_ROWS),
                                              NULL,
                                              false};

#define COST_ROWS                                                                                  \
    {"category", SCHEMA_ID, ROW_REQUIRED, AT(house_cost, category),                                \
     .doc = "Kind of cost: envelope, postage, setup."},                                            \
        {"type", SCHEMA_ID, ROW_REQUIRED, AT(house_cost, type), .doc = "Which of that kind."},     \
        {"label", SCHEMA_TEXT, 0, AT(house_cost, label), .doc = "Shown to people."},               \
        {"rule",         SCHEMA_ENUM,                                                              \
         ROW_REQUIRED,   AT(house_cost, rule),                                                     \
         .words = RULES, .doc = "How the quantity makes the cost."},                               \
        {"amount", SCHEMA_DECIMAL, ROW_POSITIVE, AT(house_cost, amount),                           \
         .doc = "Price: of all (fixed), or of every `per' pieces (linear)."},                      \
        {"per",                                                                                    \
         SCHEMA_INT64,                                                                             \
         0,                                                                                        \
         AT(house_cost, per),                                                                      \
         .initial = "1",                                                                           \
         .min = 1,                                                                                 \
         .max = INT32_MAX,                                                                         \
         .unit = "pieces",                                                                         \
         .doc = "Pieces that amount is for."},                                                     \
        {"steps",                                                                                  \
         SCHEMA_LIST,                                                                              \
         0,                                                                                        \
         MANY(house_cost, steps, step_count),                                                      \
         .max = 1000,                                                                              \
         .inner = &house_threshold_schema,                                                         \
         .doc = "Thresholds, the smallest first."},                                                \
        {"beyond", SCHEMA_DECIMAL, ROW_POSITIVE, AT(house_cost, beyond),                           \
         .doc = "Price above the last threshold."},                                                \
        {"minimum", SCHEMA_DECIMAL, ROW_POSITIVE, AT(house_cost, minimum),                         \
         .doc = "The cost is this at least."},                                                     \
        {"valid_from", SCHEMA_DATE, 0, AT(house_cost, valid_from), .doc = "First day it holds."},  \
        {"valid_until", SCHEMA_DATE, 0, AT(house_cost, valid_until), .doc = "Last day it holds."}, \
        {"stock",                                                                                  \
         SCHEMA_TEXT,                                                                              \
         0,                                                                                        \
         AT(house_cost, stock),                                                                    \
         .max = 2 * ID_BYTES_MAX + 1,                                                              \
         .form = "a stock line in double quotes, \"STOCK/LINE\"",                                  \
         .doc = "Stock line that each piece takes one of."},                                       \
        {"tariff", SCHEMA_ID, ROW_LATER, AT(house_cost, tariff),                                   \
         .doc = "Tariff that gives the price."},                                                   \
        {"selected",                                                                               \
         SCHEMA_BOOL,                                                                              \
         0,                                                                                        \
         AT(house_cost, is_selected),                                                              \
         .initial = "true",                                                                        \
         .doc = "Counts where a delivery names no costs."},                                        \
    {                                                                                              \
        "mandatory", SCHEMA_BOOL, 0, AT(house_cost, is_mandatory),                                 \
            .initial = "false", .doc = "A delivery that names costs must name this one too."       \
    }

static const struct schema_row HOUSE_COST_ROWS[] = {COST_ROWS};
const struct schema house_cost_schema = {"cost",
                                         sizeof(struct house_cost),
                                         PLACED(house_cost),
                                         SCHEMA_NOWHERE,
                                         HOUSE_COST_ROWS,
                                         COUNT(HOUSE_COST_ROWS),
                                         NULL,
                                         false};

static const struct schema_row FROZEN_COST_ROWS[] = {
    COST_ROWS,
    {"surcharge", SCHEMA_DECIMAL, ROW_POSITIVE, AT(house_cost, surcharge),
     .doc = "Added by the delivery as a line of its own."},
};
const struct schema house_frozen_cost_schema = {
    "cost",           sizeof(struct house_cost), SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    FROZEN_COST_ROWS, COUNT(FROZEN_COST_ROWS),   NULL,           false};

static const struct schema_row COLUMN_ROWS[] = {
    {"name", SCHEMA_TEXT, ROW_REQUIRED, AT(house_column, name), .min = 1, .max = 256,
     .doc = "Title of the column; without a value, the recipients' column of that name. "
            "`reference' is the piece's number, `line1' to `line6' the address."},
    {"value", SCHEMA_TEXT, 0, AT(house_column, value),
     .doc = "Template over the recipients' columns."},
    {"width", SCHEMA_INT32, 0, AT(house_column, width), .min = 1, .max = 32000,
     .unit = "characters", .doc = "Longer values are cut; fixed files pad shorter ones."},
    {"upper", SCHEMA_BOOL, 0, AT(house_column, is_upper), .initial = "false",
     .doc = "Written in capitals."},
};
static const struct schema COLUMN = {"column",
                                     sizeof(struct house_column),
                                     PLACED(house_column),
                                     AT(house_column, name),
                                     COLUMN_ROWS,
                                     COUNT(COLUMN_ROWS),
                                     "name",
                                     false};

static const struct schema_row LAYOUT_ROWS[] = {
    {"format", SCHEMA_ENUM, 0, AT(house_layout, format), .initial = "csv", .words = FORMATS,
     .doc = "Values between delimiters, or columns of fixed widths."},
    {"columns", SCHEMA_LIST, 0, MANY(house_layout, columns, column_count), .max = 512,
     .inner = &COLUMN,
     .form = "a list of names and groups, like ( \"reference\", { name = ...; } )",
     .doc = "Columns in order."},
    {"delimiter", SCHEMA_TEXT, 0, AT(house_layout, delimiter), .initial = ";", .min = 1, .max = 1,
     .form = "one character in double quotes", .doc = "Between the values of a csv file."},
    {"quote", SCHEMA_TEXT, 0, AT(house_layout, quote), .initial = "\"", .max = 7,
     .form = "one character in double quotes, \"\" for none, or \"always\"",
     .doc = "Around values that need it (always: around all, as double quotes)."},
    {"eol", SCHEMA_ENUM, 0, AT(house_layout, eol), .initial = "crlf", .max = 4, .words = EOLS,
     .doc = "End of a line; none is for fixed files."},
    {"encoding", SCHEMA_ENUM, 0, AT(house_layout, encoding), .initial = "UTF-8", .max = 4,
     .words = ENCODINGS, .doc = "What has no code there is transliterated and counted."},
    {"header", SCHEMA_BOOL, 0, AT(house_layout, has_header), .initial = "true",
     .doc = "First line with the titles."},
    {"rows_per_file", SCHEMA_INT64, 0, AT(house_layout, rows_per_file), .initial = "0", .min = 0,
     .max = INT64_MAX, .unit = "rows", .doc = "Data is split into files of so many; 0: one file."},
    {"container", SCHEMA_ENUM, 0, AT(house_layout, container), .initial = "zip",
     .words = CONTAINERS, .doc = "Kind of archive."},
    {"name", SCHEMA_TEXT, 0, AT(house_layout, name),
     .initial = "{{campaign}}_{{delivery}}_{{date}}", .min = 1, .max = 512,
     .doc = "Template of the archive's name; {{hash}} may stand in it."},
    {"level", SCHEMA_INT32, 0, AT(house_layout, level), .initial = "6", .min = 1, .max = 9,
     .doc = "Compression."},
    {"encrypt", SCHEMA_PATH, ROW_LATER, AT(house_layout, encrypt),
     .doc = "Certificate: the archive is sealed for it (CMS)."},
    {"flag", SCHEMA_TEXT, 0, AT(house_layout, flag), .min = 1, .max = 32,
     .form = "a suffix in double quotes, like \".done\"",
     .doc = "An empty file with this suffix appears last."},
    {"address", SCHEMA_ENUM, 0, AT(house_layout, address), .initial = "none", .words = ADDRESSES,
     .doc = "Norm that postal addresses are brought to and checked against."},
};
const struct schema house_layout_schema = {"layout",
                                           sizeof(struct house_layout),
                                           PLACED(house_layout),
                                           SCHEMA_NOWHERE,
                                           LAYOUT_ROWS,
                                           COUNT(LAYOUT_ROWS),
                                           NULL,
                                           false};

static const struct schema_row SERVICE_ROWS[] = {
    {"name", SCHEMA_ID, ROW_REQUIRED, AT(house_service, name), .doc = "Name that deliveries give."},
    {"label", SCHEMA_TEXT, 0, AT(house_service, label), .doc = "Shown to people."},
    {"channel", SCHEMA_ENUM, ROW_REQUIRED, AT(house_service, channel), .words = house_channel_words,
     .doc = "Channel that it serves."},
    {"notice", SCHEMA_ID, 0, AT(house_service, notice),
     .doc = "Template in templates/ of what the router is told at hand-over."},
    {"finish_on", SCHEMA_ENUM, 0, AT(house_service, finish_on), .initial = "report",
     .words = house_finish_words,
     .doc = "What ends a delivery: the hand-over, the acknowledgement, or answers for all "
            "references."},
    {"returns_wait", SCHEMA_DURATION, ROW_POSITIVE, AT(house_service, returns_wait_ns),
     .initial = "10d", .doc = "A delivery ends after this at the latest."},
    {"after_hand_over", SCHEMA_TEXTS, ROW_LATER, AT(house_service, after_hand_over), .min = 1,
     .doc = "Program and arguments run behind the hand-over, without a shell; {{file}} is the "
            "archive."},
    {"costs", SCHEMA_LIST, 0, MANY(house_service, costs, cost_count), .max = 1000,
     .inner = &house_cost_schema, .doc = "What it costs."},
    {"layout", SCHEMA_GROUP, 0, AT(house_service, layout), .inner = &house_layout_schema,
     .doc = "The file that it wants."},
};
static const struct schema SERVICE = {"service",
                                      sizeof(struct house_service),
                                      PLACED(house_service),
                                      AT(house_service, name),
                                      SERVICE_ROWS,
                                      COUNT(SERVICE_ROWS),
                                      NULL,
                                      false};

static const struct schema_row PROVIDER_ROWS[] = {
    {"name", SCHEMA_ID, ROW_REQUIRED, AT(house_provider, name),
     .doc = "Name that deliveries give, and of its directory in outbox/routers."},
    {"label", SCHEMA_TEXT, 0, AT(house_provider, label), .doc = "Shown to people."},
    {"email", SCHEMA_TEXTS, 0, AT(house_provider, email), .min = 3, .max = 254,
     .doc = "Where its notices go."},
    {"group", SCHEMA_TEXT, 0, AT(house_provider, group), .min = 1, .max = 32,
     .doc = "System group of its SFTP account."},
    {"services", SCHEMA_LIST, 0, MANY(house_provider, services, service_count), .inner = &SERVICE,
     .doc = "What it offers."},
};
static const struct schema PROVIDER = {"provider",
                                       sizeof(struct house_provider),
                                       PLACED(house_provider),
                                       AT(house_provider, name),
                                       PROVIDER_ROWS,
                                       COUNT(PROVIDER_ROWS),
                                       NULL,
                                       false};

/* --- stocks --- */

static const struct schema_row STOCK_ORDER_ROWS[] = {
    {"id", SCHEMA_ID, ROW_REQUIRED, AT(house_stock_order, id), .doc = "Its number."},
    {"date", SCHEMA_DATE, ROW_REQUIRED, AT(house_stock_order, date),
     .doc = "Day on which it is received by itself."},
    {"quantity", SCHEMA_INT64, ROW_REQUIRED, AT(house_stock_order, quantity), .min = 1,
     .max = INT64_MAX, .unit = "pieces", .doc = "Pieces on order."},
};
static const struct schema STOCK_ORDER = {"order",
                                          sizeof(struct house_stock_order),
                                          PLACED(house_stock_order),
                                          AT(house_stock_order, id),
                                          STOCK_ORDER_ROWS,
                                          COUNT(STOCK_ORDER_ROWS),
                                          NULL,
                                          false};

static const struct schema_row STOCK_LINE_ROWS[] = {
    {"name", SCHEMA_ID, ROW_REQUIRED, AT(house_stock_line, name),
     .doc = "Article; costs name it as STOCK/LINE."},
    {"label", SCHEMA_TEXT, 0, AT(house_stock_line, label), .doc = "Shown to people."},
    {"initial", SCHEMA_INT64, 0, AT(house_stock_line, initial), .initial = "0", .min = INT64_MIN,
     .max = INT64_MAX, .unit = "pieces", .doc = "Quantity at the opening."},
    {"alert", SCHEMA_INT64, 0, AT(house_stock_line, alert), .min = 0, .max = INT64_MAX,
     .unit = "pieces", .doc = "Quantity at which people are told."},
    {"orders", SCHEMA_LIST, 0, MANY(house_stock_line, orders, order_count), .inner = &STOCK_ORDER,
     .doc = "What is on order."},
};
static const struct schema STOCK_LINE = {"stock line",
                                         sizeof(struct house_stock_line),
                                         PLACED(house_stock_line),
                                         AT(house_stock_line, name),
                                         STOCK_LINE_ROWS,
                                         COUNT(STOCK_LINE_ROWS),
                                         NULL,
                                         false};

static const struct schema_row STOCK_ROWS[] = {
    {"name", SCHEMA_ID, ROW_REQUIRED, AT(house_stock, name),
     .doc = "Name, first half of STOCK/LINE."},
    {"label", SCHEMA_TEXT, 0, AT(house_stock, label), .doc = "Shown to people."},
    {"provider", SCHEMA_ID, 0, AT(house_stock, provider), .doc = "Provider that keeps it."},
    {"shortage", SCHEMA_ENUM, ROW_LATER, AT(house_stock, shortage), .initial = "warn",
     .words = EXCESS, .doc = "What happens where a stock does not suffice."},
    {"lines", SCHEMA_LIST, 0, MANY(house_stock, lines, line_count), .inner = &STOCK_LINE,
     .doc = "Its articles."},
};
static const struct schema STOCK = {"stock",
                                    sizeof(struct house_stock),
                                    PLACED(house_stock),
                                    AT(house_stock, name),
                                    STOCK_ROWS,
                                    COUNT(STOCK_ROWS),
                                    NULL,
                                    false};

/* --- the house --- */

static const struct schema_row EXTRACT_ROWS[] = {
    {"memory", SCHEMA_SIZE, 0, AT(house_extract, memory_bytes), .initial = "256MiB",
     .min = 32 << 20, .max = INT64_C(1) << 40, .doc = "Most that one extraction takes."},
    {"threads", SCHEMA_INT32, 0, AT(house_extract, threads), .initial = "0", .min = 0, .max = 256,
     .doc = "Threads of one extraction; 0: one for each core."},
    {"window", SCHEMA_CUSTOM, 0, AT(house_extract, window_start_min), .read = house_read_window,
     .write = house_write_window, .form = "local times in double quotes, \"22:00-06:00\"",
     .doc = "When extractions may begin. Without it: always."},
};
static const struct schema EXTRACT = {
    "extract",    sizeof(struct house_extract), SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    EXTRACT_ROWS, COUNT(EXTRACT_ROWS),          NULL,           false};

static const struct schema_row RETENTION_ROWS[] = {
    {"pickup", SCHEMA_DURATION, ROW_POSITIVE, AT(house_retention, pickup_ns), .initial = "15d",
     .doc = "Archives in pickup/, from the acknowledgement or the end."},
    {"done", SCHEMA_DURATION, ROW_POSITIVE, AT(house_retention, done_ns), .initial = "90d",
     .doc = "Recipients of finished deliveries; counts, digests and decisions stay."},
    {"refused", SCHEMA_DURATION, ROW_POSITIVE, AT(house_retention, refused_ns),
     .doc = "Drops in refused/. Without it: kept."},
};
static const struct schema RETENTION = {
    "retention",    sizeof(struct house_retention), SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    RETENTION_ROWS, COUNT(RETENTION_ROWS),          NULL,           false};

static const struct schema_row HOUSE_ROWS[] = {
    {"spool", SCHEMA_PATH, 0, AT(house, spool), .doc = "The spool. Required."},
    {"templates", SCHEMA_PATH, 0, AT(house, templates),
     .doc = "What postroom itself sends. Without it: templates beside etc/."},
    {"routers", SCHEMA_PATH, 0, AT(house, routers),
     .doc = "Another place for outbox/routers, on the same file system."},
    {"group", SCHEMA_TEXT, 0, AT(house, group), .min = 1, .max = 32,
     .doc = "System group of the operators. Without it: that of the daemon."},
    {"settle", SCHEMA_SECONDS, 0, AT(house, settle_ns), .initial = "2", .min = 0, .max = 3600,
     .doc = "A drop that did not arrive by rename is complete after so long without change."},
    {"timezone", SCHEMA_TEXT, 0, AT(house, timezone), .initial = "UTC", .min = 1, .max = 64,
     .doc = "Zone of windows and of the ledger's dates, as in /usr/share/zoneinfo."},
    {"currency", SCHEMA_TEXT, 0, AT(house, currency), .initial = "EUR", .min = 3, .max = 3,
     .doc = "ISO 4217 code of all amounts."},
    {"owner_confirmation", SCHEMA_BOOL, 0, AT(house, owner_confirmation), .initial = "false",
     .doc = "The owner may decide although reviewers are named."},
    {"four_eyes", SCHEMA_BOOL, 0, AT(house, four_eyes), .initial = "false",
     .doc = "Nobody decides on what they dropped themselves."},
    {"notices", SCHEMA_BOOL, 0, AT(house, notices), .initial = "true",
     .doc = "People and routers are told by e-mail."},
    {"defaults", SCHEMA_CUSTOM, ROW_MANY, AT(house, defaults), .read = house_read_defaults,
     .form = "a group { }, as in delivery.conf",
     .doc = "What every delivery inherits; see postroom-delivery(5)."},
    {"extract", SCHEMA_GROUP, 0, AT(house, extract), .inner = &EXTRACT, .doc = "Extractions."},
    {"retention", SCHEMA_GROUP, ROW_LATER, AT(house, retention), .inner = &RETENTION,
     .doc = "How long things are kept."},
    {"min_free", SCHEMA_SIZE, ROW_LATER, AT(house, min_free_bytes), .initial = "0",
     .doc = "Nothing is begun while the spool's disk has less than this free."},
    {"allowed_signers", SCHEMA_PATH, ROW_LATER, AT(house, allowed_signers),
     .doc = "Keys of operators, as in ssh-keygen(1)."},
    {"signature_above", SCHEMA_DECIMAL, ROW_POSITIVE, AT(house, signature_above),
     .doc = "Deliveries that cost more need signed decisions. This version has no signatures: "
            "nothing lets such a delivery go."},
    {"operators", SCHEMA_LIST, 0, MANY(house, operators, operator_count), .inner = &OPERATOR,
     .doc = "Persons who may act."},
    {"programmes", SCHEMA_LIST, 0, MANY(house, programmes, programme_count), .inner = &PROGRAMME,
     .doc = "What holds campaigns."},
    {"campaigns", SCHEMA_LIST, 0, MANY(house, campaigns, campaign_count),
     .inner = &house_campaign_schema,
     .doc = "What holds deliveries. Any setting of postroom-delivery(5) that may be inherited can "
            "stand in a campaign too."},
    {"providers", SCHEMA_LIST, 0, MANY(house, providers, provider_count), .inner = &PROVIDER,
     .doc = "Companies that do work for money."},
    {"stocks", SCHEMA_LIST, 0, MANY(house, stocks, stock_count), .inner = &STOCK,
     .doc = "What is kept in store."},
    {"channels", SCHEMA_GROUP, 0, AT(house, channels), .inner = &house_channels_schema,
     .doc = "How each channel sends."},
};
const struct schema house_schema = {
    "postroom.conf", sizeof(struct house), SCHEMA_NOWHERE, SCHEMA_NOWHERE,
    HOUSE_ROWS,      COUNT(HOUSE_ROWS),    NULL,           false};
