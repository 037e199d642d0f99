/*
 * house_check - the rules between settings
 *
 * The tables look at one setting at a time; here every name that one setting gives of another is
 * looked up, and what only makes sense together is held together.
 */
#include "base/name.h"
#include "conf/house_read.h"

#include <stdio.h>
#include <sys/stat.h>

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* An entry whose name was missing or wrong was told by the reader already; its name is NULL. */
static const char *shown(const char *name)
{
    return name == NULL ? "?" : name;
}

static void check_timezone(const struct house *house, struct place at, struct problems *problems)
{
    const char *zone = house->timezone;
    char path[256];
    struct stat about;
    bool is_plain = zone[0] != '/' && strstr(zone, "..") == NULL;
    int used = snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zone);
    /* "UTC" means the same where no zone files are installed. */
    if (strcmp(zone, "UTC") == 0) {
        return;
    }
    if (!is_plain || used < 0 || (size_t)used >= sizeof path || stat(path, &about) != 0 ||
        !S_ISREG(about.st_mode)) {
        problems_add(problems, at,
                     "timezone '%s' is not in /usr/share/zoneinfo; write one like "
                     "\"Europe/Paris\" (package tzdata)",
                     zone);
    }
}

static void check_globals(const struct house *house, struct problems *problems)
{
    struct place at = {house->file, 0};
    if (house->spool == NULL) {
        problems_add(problems, at, "spool is missing; add spool = \"../spool\";");
    }
    check_timezone(house, house->timezone_at.line > 0 ? house->timezone_at : at, problems);
    const char *c = house->currency;
    if (!is_capital(c[0]) || !is_capital(c[1]) || !is_capital(c[2])) {
        problems_add(problems, at, "currency '%s' is no ISO 4217 code; write one like \"EUR\"", c);
    }
    if (house->operator_count == 0) {
        problems_add(problems, at, "there are no operators; add operators = ( { name = ...; } );");
    }
}

static void check_operators(const struct house *house, struct problems *problems)
{
    for (size_t i = 0; i < house->operator_count; i++) {
        const struct house_operator *op = &house->operators[i];
        for (size_t g = 0; g < op->groups.count; g++) {
            if (!id_is_valid(slice_of(op->groups.items[g]))) {
                problems_add(problems, op->at,
                             "operator %s: group '%s' is no name; write it without @",
                             shown(op->name), op->groups.items[g]);
            }
        }
        for (size_t j = 0; op->user != NULL && j < i; j++) {
            const struct house_operator *other = &house->operators[j];
            if (other->user != NULL && strcmp(other->user, op->user) == 0) {
                problems_add(problems, op->at,
                             "operator %s: user '%s' is operator %s already; one user is one "
                             "operator",
                             shown(op->name), op->user, shown(other->name));
                break;
            }
        }
    }
}

static void check_campaigns(const struct house *house, struct problems *problems)
{
    for (size_t i = 0; i < house->campaign_count; i++) {
        const struct house_campaign *campaign = &house->campaigns[i];
        if (campaign->programme != NULL && house_programme(house, campaign->programme) == NULL) {
            problems_add(problems, campaign->at,
                         "campaign %s: there is no programme '%s'; add it to programmes",
                         shown(campaign->name), campaign->programme);
        }
        if (campaign->owner != NULL && house_operator_by_name(house, campaign->owner) == NULL) {
            problems_add(problems, campaign->at,
                         "campaign %s: there is no operator '%s'; add them to operators",
                         shown(campaign->name), campaign->owner);
        }
    }
}

/* --- costs --- */

static void check_steps(const struct house_cost *cost, struct problems *problems)
{
    for (size_t i = 1; i < cost->step_count; i++) {
        if (cost->steps[i].upto <= cost->steps[i - 1].upto) {
            problems_add(problems, cost->steps[i].at,
                         "upto is not above that of the step before; sort the steps");
        }
    }
}

static void check_rule(const struct house_cost *cost, struct problems *problems)
{
    bool has_amount = decimal_is_set(cost->amount);
    bool by_threshold =
        cost->rule == HOUSE_LINEAR_BY_THRESHOLD || cost->rule == HOUSE_CONSTANT_BY_THRESHOLD;
    const char *category = shown(cost->category);
    const char *type = shown(cost->type);
    if (!by_threshold && !has_amount) {
        problems_add(problems, cost->at, "cost %s/%s: amount is missing; add it", category, type);
    }
    if (!by_threshold && (cost->step_count > 0 || decimal_is_set(cost->beyond))) {
        problems_add(problems, cost->at,
                     "cost %s/%s: steps and beyond belong to rules by threshold; remove them",
                     category, type);
    }
    if (by_threshold && has_amount) {
        problems_add(problems, cost->at,
                     "cost %s/%s: amount does not belong to rules by threshold; remove it",
                     category, type);
    }
    if (by_threshold && cost->step_count == 0 && !decimal_is_set(cost->beyond)) {
        problems_add(problems, cost->at, "cost %s/%s: steps are missing; add them", category, type);
    }
    if (cost->rule != HOUSE_LINEAR && cost->per != 1) {
        problems_add(problems, cost->at, "cost %s/%s: per belongs to the rule linear; remove it",
                     category, type);
    }
    check_steps(cost, problems);
}

static bool days_overlap(const struct house_cost *a, const struct house_cost *b)
{
    bool a_before =
        a->valid_until != DATE_NONE && b->valid_from != DATE_NONE && a->valid_until < b->valid_from;
    bool b_before =
        b->valid_until != DATE_NONE && a->valid_from != DATE_NONE && b->valid_until < a->valid_from;
    return !a_before && !b_before;
}

static void check_cost(const struct house *house, const struct house_service *service, size_t at,
                       struct problems *problems)
{
    const struct house_cost *cost = &service->costs[at];
    check_rule(cost, problems);
    if (cost->stock != NULL && house_stock_line(house, cost->stock, NULL) == NULL) {
        problems_add(problems, cost->at,
                     "cost %s/%s: there is no stock line '%s'; write STOCK/LINE of stocks",
                     shown(cost->category), shown(cost->type), cost->stock);
    }
    if (cost->valid_from != DATE_NONE && cost->valid_until != DATE_NONE &&
        cost->valid_until < cost->valid_from) {
        problems_add(problems, cost->at, "cost %s/%s: valid_until lies before valid_from",
                     shown(cost->category), shown(cost->type));
    }
    for (size_t i = 0; cost->category != NULL && cost->type != NULL && i < at; i++) {
        const struct house_cost *other = &service->costs[i];
        if (other->category != NULL && other->type != NULL &&
            strcmp(other->category, cost->category) == 0 && strcmp(other->type, cost->type) == 0 &&
            days_overlap(other, cost)) {
            problems_add(problems, cost->at,
                         "cost %s/%s holds on days for which line %d gives it already; keep one, "
                         "or part them by valid_from and valid_until",
                         cost->category, cost->type, other->at.line);
            return;
        }
    }
}

/* --- layouts --- */

void house_check_layout(const struct house_layout *layout, struct problems *problems)
{
    unsigned char delimiter = (unsigned char)layout->delimiter[0];
    if (layout->column_count == 0) {
        problems_add(problems, layout->at, "layout: columns are missing; add them");
    }
    if (delimiter >= 0x80 || (delimiter < ' ' && delimiter != '\t') || delimiter == '"') {
        problems_add(problems, layout->at,
                     "layout: delimiter is not one ASCII character; write \";\" or \"\\t\"");
    }
    const char *quote = layout->quote;
    bool is_mark = quote[0] > ' ' && quote[0] < 0x7f && quote[1] == '\0';
    if (quote[0] != '\0' && strcmp(quote, "always") != 0 &&
        (!is_mark || quote[0] == layout->delimiter[0])) {
        problems_add(
            problems, layout->at,
            "layout: quote is one character that is not the delimiter, \"\" or \"always\"");
    }
    if (layout->eol == HOUSE_EOL_NONE && layout->format != HOUSE_FIXED) {
        problems_add(problems, layout->at,
                     "layout: eol = \"none\" is for format = \"fixed\"; write \"crlf\"");
    }
    for (size_t i = 0; i < layout->column_count; i++) {
        const struct house_column *column = &layout->columns[i];
        if (layout->format == HOUSE_FIXED && column->width == SCHEMA_NONE) {
            problems_add(problems, column->at,
                         "layout: column %s has no width; a fixed file needs one",
                         shown(column->name));
        }
    }
    if (layout->container == HOUSE_GZ && layout->rows_per_file > 0) {
        problems_add(problems, layout->at,
                     "layout: container gz holds one file; remove rows_per_file, or take zip");
    }
    if (layout->flag != NULL && strchr(layout->flag, '/') != NULL) {
        problems_add(problems, layout->at, "layout: flag is a suffix without /");
    }
}

static void check_service(const struct house *house, const struct house_provider *provider,
                          const struct house_service *service, struct problems *problems)
{
    bool has_layout = service->layout.at.line > 0;
    if (service->channel == HOUSE_MAIL && !has_layout) {
        problems_add(problems, service->at,
                     "service %s of %s: layout is missing; a mail service says what file it wants",
                     shown(service->name), shown(provider->name));
    }
    if (has_layout) {
        house_check_layout(&service->layout, problems);
    }
    for (size_t i = 0; i < service->cost_count; i++) {
        check_cost(house, service, i, problems);
    }
}

static void check_providers(const struct house *house, struct problems *problems)
{
    for (size_t i = 0; i < house->provider_count; i++) {
        const struct house_provider *provider = &house->providers[i];
        for (size_t j = 0; j < provider->service_count; j++) {
            check_service(house, provider, &provider->services[j], problems);
        }
    }
}

static void check_stocks(const struct house *house, struct problems *problems)
{
    for (size_t i = 0; i < house->stock_count; i++) {
        const struct house_stock *stock = &house->stocks[i];
        if (stock->provider != NULL && house_provider(house, stock->provider) == NULL) {
            problems_add(problems, stock->at,
                         "stock %s: there is no provider '%s'; add it to providers",
                         shown(stock->name), stock->provider);
        }
    }
}

void house_check(const struct house *house, struct problems *problems)
{
    check_globals(house, problems);
    check_operators(house, problems);
    check_campaigns(house, problems);
    check_providers(house, problems);
    check_stocks(house, problems);
    house_check_channels(house, problems);
}
