/* house_test - loading etc/: what is joined, what is refused, what is found */
#include "conf/house.h"
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

struct loaded {
    struct folder folder;
    struct house *house;
    struct problems problems;
    struct buf report;
    struct err err;
    enum rc rc;
};

static void begin(struct loaded *loaded)
{
    memset(loaded, 0, sizeof *loaded);
    folder_make(&loaded->folder);
}

static void load(struct loaded *loaded)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/etc/postroom.conf", loaded->folder.path);
    problems_init(&loaded->problems);
    loaded->rc = house_load(path, &loaded->house, &loaded->problems, &loaded->err);
    problems_print(&loaded->problems, &loaded->report);
}

static void end(struct loaded *loaded)
{
    house_free(loaded->house);
    problems_release(&loaded->problems);
    buf_release(&loaded->report);
    folder_remove(&loaded->folder);
}

static void says(const struct loaded *loaded, const char *expected)
{
    if (strstr(buf_text(&loaded->report), expected) == NULL) {
        fail_msg("\"%s\" is missing in:\n%s", expected, buf_text(&loaded->report));
    }
}

static void load_text(struct loaded *loaded, const char *text)
{
    begin(loaded);
    folder_put(&loaded->folder, "etc/postroom.conf", text);
    load(loaded);
}

/* One file; it must be refused with this line among its errors. */
static void refuses(const char *text, const char *expected)
{
    struct loaded loaded;
    load_text(&loaded, text);
    says(&loaded, expected);
    assert_int_equal(loaded.rc, RC_PERM);
    assert_null(loaded.house);
    end(&loaded);
}

static void house_load__example_of_the_contract__is_taken_whole(void **state)
{
    (void)state;
    struct loaded loaded;
    load_text(&loaded, SAMPLE_HOUSE SAMPLE_MORE SAMPLE_CHANNELS);
    if (loaded.rc != RC_OK) {
        fail_msg("%s", buf_text(&loaded.report));
    }
    const struct house *house = loaded.house;
    char spool[600];
    (void)snprintf(spool, sizeof spool, "%s/spool", loaded.folder.path);
    assert_string_equal(house->spool, spool);
    assert_int_equal(house->settle_ns, 2 * NS_PER_SECOND);
    assert_int_equal(house->extract.memory_bytes, 256 << 20);
    assert_int_equal(house->extract.window_start_min, 22 * 60);
    assert_int_equal(house->extract.window_end_min, 6 * 60);
    assert_int_equal(house->retention.pickup_ns, 15 * 86400 * NS_PER_SECOND);
    assert_int_equal(house->retention.refused_ns, SCHEMA_NONE);
    assert_int_equal(house->signature_above.units, 500000);
    assert_int_equal(house->default_count, 1);
    assert_int_equal(house->channels[HOUSE_MAIL].suppress.count, 2);
    assert_string_equal(house->channels[HOUSE_MAIL].suppress.items[1], "/abs/list.csv");
    assert_null(house->channels[HOUSE_EMAIL].ca_file);
    assert_int_equal(house->channels[HOUSE_EMAIL].uncertain, HOUSE_RESEND);
    assert_int_equal(house->channels[HOUSE_SMS].uncertain, HOUSE_HOLD);
    assert_int_equal(house->channels[HOUSE_SMS].retry_for_ns, 2 * 86400 * NS_PER_SECOND);
    says(&loaded, "warning: ");
    assert_null(strstr(buf_text(&loaded.report), "email is not used"));
    assert_string_equal(house_transport(house, HOUSE_EMAIL), "smtp");
    end(&loaded);
}

#define EMAIL(settings) SAMPLE_HOUSE "channels = { email = { " settings " }; };\n"

static void house_load__channel_that_contradicts_itself__is_refused(void **state)
{
    (void)state;
    refuses(EMAIL("transport = \"smtps\";"), "email: transport 'smtps' is none of \"maildir\"");
    refuses(EMAIL("transport = \"http\"; url = \"https://x\";"), "transport 'http' is none of");
    refuses(EMAIL("transport = \"smtp\";"), "postroom.conf:34: email: transport smtp needs a host");
    refuses(EMAIL("user = \"u\";"), "email: user stands without password_file");
    refuses(EMAIL("password_file = \"p\";"), "email: password_file stands without user");
    refuses(EMAIL("user = \"u\"; password_file = \"p\"; tls = \"none\";"),
            "user and password would travel in the clear");
    refuses(EMAIL("from = \"Shop\";"), "email: from: 'Shop' is no mail address");
    refuses(EMAIL("reply_to = \"@\";"), "email: reply_to: '@' is no mail address");
    refuses(EMAIL("unsubscribe = { mailto = \"x\"; };"), "unsubscribe.mailto: 'x' is no mail");
    refuses(EMAIL("unsubscribe = { url = \"http://x\"; };"), "unsubscribe.url does not begin with");
    refuses(EMAIL("dkim = { domain = \"example.net\"; };"), "selector is missing");
    refuses(SAMPLE_HOUSE "channels = { sms = { transport = \"smpp\"; }; };", "needs a host");
    refuses(SAMPLE_HOUSE "channels = { push = { transport = \"http\"; }; };", "needs a url");
    refuses(SAMPLE_HOUSE "channels = { push = { transport = \"http\"; url = \"http://x\"; }; };",
            "push: url does not begin with https://");
}

static void house_load__channel_that_is_unwise__is_warned_of(void **state)
{
    (void)state;
    struct loaded loaded;
    load_text(&loaded, EMAIL("transport = \"smtp\"; host = \"127.0.0.1\"; tls = \"none\"; from = "
                             "\"a@other.example\"; dkim = { domain = \"example.net\"; selector = "
                             "\"s\"; key_file = \"k\"; };"));
    assert_int_equal(loaded.rc, RC_OK);
    says(&loaded, "warning: ");
    says(&loaded, "email: tls is none: everybody on the way can read");
    says(&loaded, "from is of other.example, which is not below example.net that signs");
    end(&loaded);
    load_text(&loaded, EMAIL("tls = \"none\"; user = \"\"; from = \"a@news.example.net\"; dkim = { "
                             "domain = \"example.net\"; selector = \"s\"; key_file = \"k\"; };"));
    assert_int_equal(loaded.rc, RC_OK);
    assert_string_equal(buf_text(&loaded.report), "");
    assert_string_equal(house_transport(loaded.house, HOUSE_EMAIL), "maildir");
    assert_string_equal(house_transport(loaded.house, HOUSE_SMS), "file");
    assert_null(house_transport(loaded.house, HOUSE_MAIL));
    end(&loaded);
}

/* What house_check_secrets says of a house with this file, of this mode (0: there is none). */
static void check_secret(const char *settings, mode_t mode, const char *expected)
{
    struct loaded loaded;
    struct err err = {""};
    char path[600];
    begin(&loaded);
    folder_put(&loaded.folder, "etc/postroom.conf", settings);
    if (mode != 0) {
        folder_put(&loaded.folder, "etc/secret", "s");
        (void)snprintf(path, sizeof path, "%s/etc/secret", loaded.folder.path);
        assert_int_equal(chmod(path, mode), 0);
    }
    load(&loaded);
    assert_int_equal(loaded.rc, RC_OK);
    enum rc rc = house_check_secrets(loaded.house, &loaded.problems, &err);
    assert_int_equal(rc, expected == NULL ? RC_OK : RC_PERM);
    if (expected != NULL && strstr(err.text, expected) == NULL) {
        fail_msg("\"%s\" is missing in: %s", expected, err.text);
    }
    end(&loaded);
}

static void house_check_secrets__file_that_others_can_read__is_refused(void **state)
{
    (void)state;
    static const char *const houses[] = {
        EMAIL("user = \"u\"; password_file = \"secret\";"),
        EMAIL("dkim = { domain = \"d\"; selector = \"s\"; key_file = \"secret\"; };"),
        EMAIL("unsubscribe = { url = \"https://x\"; secret_file = \"secret\"; };")};
    for (size_t i = 0; i < sizeof houses / sizeof houses[0]; i++) {
        check_secret(houses[i], 0600, NULL);
        check_secret(houses[i], 0640, NULL);
        check_secret(houses[i], 0644, "can be read or changed by others; chmod o= it");
        check_secret(houses[i], 0602, "can be read or changed by others");
        check_secret(houses[i], 0, "does not exist; make it");
    }
    check_secret(EMAIL("user = \"u\"; password_file = \"/\";"), 0, "is no file");
}

static void house_load__service__has_costs_and_layout(void **state)
{
    (void)state;
    struct loaded loaded;
    load_text(&loaded, SAMPLE_HOUSE);
    const struct house_provider *provider = house_provider(loaded.house, "nord-routage");
    assert_non_null(provider);
    const struct house_service *service = house_service(provider, "letter");
    assert_non_null(service);
    assert_int_equal(service->finish_on, HOUSE_FINISH_ACK);
    assert_int_equal(service->cost_count, 3);
    assert_int_equal(service->costs[0].per, 1000);
    assert_int_equal(service->costs[1].step_count, 2);
    assert_int_equal(service->costs[1].steps[1].upto, 1000);
    assert_int_equal(service->costs[1].beyond.units, 11);
    assert_false(decimal_is_set(service->costs[1].amount));
    assert_int_equal(service->costs[1].valid_from, DATE_NONE);
    assert_false(service->costs[2].is_selected);
    assert_int_equal(service->layout.column_count, 3);
    assert_string_equal(service->layout.columns[0].name, "reference");
    assert_null(service->layout.columns[0].value);
    assert_int_equal(service->layout.encoding, HOUSE_WINDOWS_1252);
    assert_int_equal(service->layout.level, 6);
    assert_string_equal(house_eol_text(service->layout.eol), "\r\n");
    char mark = 0;
    assert_int_equal(house_layout_quote(&service->layout, &mark), HOUSE_QUOTE_MINIMAL);
    assert_int_equal(mark, '"');
    end(&loaded);
}

static void house_lookups__known_and_unknown_names__give_entry_or_null(void **state)
{
    (void)state;
    struct loaded loaded;
    load_text(&loaded, SAMPLE_HOUSE);
    const struct house *house = loaded.house;
    const struct house_stock *stock = NULL;
    const struct house_stock_line *line = house_stock_line(house, "nord/env-c5", &stock);
    assert_non_null(line);
    assert_int_equal(line->orders[0].quantity, 5000);
    assert_string_equal(stock->name, "nord");
    assert_null(house_stock_line(house, "nord/env", NULL));
    assert_null(house_stock_line(house, "nor/env-c5", NULL));
    assert_null(house_stock_line(house, "env-c5", NULL));
    assert_string_equal(house_operator_by_user(house, "bob")->name, "bob");
    assert_null(house_operator_by_user(house, "mallory"));
    assert_null(house_operator_by_name(house, "mallory"));
    assert_true(operator_in_group(house_operator_by_name(house, "alice"), "@marketing"));
    assert_true(operator_in_group(house_operator_by_name(house, "alice"), "marketing"));
    assert_false(operator_in_group(house_operator_by_name(house, "carol"), "@marketing"));
    assert_true(house_names_somebody(house, "@finance"));
    assert_false(house_names_somebody(house, "@nobody"));
    assert_true(house_names_somebody(house, "carol"));
    assert_false(house_names_somebody(house, "@carol"));
    assert_string_equal(house_campaign(house, "spring-2027")->owner, "alice");
    assert_non_null(house_campaign(house, "spring-2027")->settings);
    assert_null(house_campaign(house, "autumn"));
    assert_null(house_provider(house, "x"));
    assert_null(house_programme(house, "x"));
    end(&loaded);
}

static void house_load__conf_d__is_joined_in_name_order(void **state)
{
    (void)state;
    struct loaded loaded;
    begin(&loaded);
    folder_put(&loaded.folder, "etc/postroom.conf", SAMPLE_GLOBALS SAMPLE_DEFAULTS SAMPLE_PEOPLE);
    folder_put(&loaded.folder, "etc/conf.d/20-b.conf", SAMPLE_PROVIDERS);
    folder_put(&loaded.folder, "etc/conf.d/10-a.conf",
               SAMPLE_CAMPAIGNS "programmes = ( { name = \"second\"; } );\n"
                                "retention = { done = \"1d\"; };\n"
                                "defaults = { approvals = { deadline = \"1d\"; }; };\n");
    folder_put(&loaded.folder, "etc/conf.d/.hidden.conf", "this is not looked at");
    folder_put(&loaded.folder, "etc/conf.d/notes.txt", "this neither");
    load(&loaded);
    if (loaded.rc != RC_OK) {
        fail_msg("%s", buf_text(&loaded.report));
    }
    assert_int_equal(loaded.house->programme_count, 2);
    assert_string_equal(loaded.house->programmes[1].name, "second");
    assert_int_equal(loaded.house->provider_count, 1);
    assert_int_equal(loaded.house->retention.done_ns, 86400 * NS_PER_SECOND);
    assert_int_equal(loaded.house->retention.pickup_ns, 15 * 86400 * NS_PER_SECOND);
    assert_int_equal(loaded.house->default_count, 2);
    assert_non_null(strstr(loaded.house->campaigns[0].at.file, "conf.d/10-a.conf"));
    end(&loaded);
}

static void house_load__same_name_in_two_files__is_refused_with_both_places(void **state)
{
    (void)state;
    struct loaded loaded;
    begin(&loaded);
    folder_put(&loaded.folder, "etc/postroom.conf", SAMPLE_HOUSE);
    folder_put(&loaded.folder, "etc/conf.d/a.conf",
               "\nprogrammes = ( { name = \"loyalty\"; } );\nsettle = 3;\n"
               "retention = { done = \"1d\"; };\n");
    folder_put(&loaded.folder, "etc/conf.d/b.conf", "retention = { done = \"2d\"; };\n");
    load(&loaded);
    assert_int_equal(loaded.rc, RC_PERM);
    says(&loaded, "conf.d/a.conf:2: programme 'loyalty' stands in ");
    says(&loaded, "postroom.conf:10 already; keep one");
    says(&loaded, "conf.d/a.conf:3: settle is set in ");
    says(&loaded, "conf.d/b.conf:1: done is set in ");
    end(&loaded);
}

static void house_load__no_such_file__reports_gone(void **state)
{
    (void)state;
    struct loaded loaded;
    begin(&loaded);
    load(&loaded);
    assert_int_equal(loaded.rc, RC_GONE);
    says(&loaded, "postroom.conf: cannot be opened");
    end(&loaded);
    begin(&loaded);
    folder_put(&loaded.folder, "etc/other.conf", "");
    load(&loaded);
    assert_int_equal(loaded.rc, RC_GONE);
    end(&loaded);
}

static void house_load__file_too_large_or_no_file__reports_range_or_perm(void **state)
{
    (void)state;
    struct loaded loaded;
    begin(&loaded);
    char *text = malloc(GUARD_ETC_BYTES_MAX + 2);
    assert_non_null(text);
    memset(text, ' ', GUARD_ETC_BYTES_MAX + 1);
    text[GUARD_ETC_BYTES_MAX + 1] = '\0';
    folder_put(&loaded.folder, "etc/postroom.conf", text);
    free(text);
    load(&loaded);
    assert_int_equal(loaded.rc, RC_RANGE);
    end(&loaded);
    begin(&loaded);
    folder_put(&loaded.folder, "etc/postroom.conf/x", "");
    load(&loaded);
    assert_int_equal(loaded.rc, RC_PERM);
    says(&loaded, "no regular file");
    end(&loaded);
    begin(&loaded);
    folder_put(&loaded.folder, "etc/postroom.conf", "");
    (void)snprintf(loaded.err.text, 300, "%s/etc/postroom.conf", loaded.folder.path);
    (void)unlink(loaded.err.text);
    assert_int_equal(mkfifo(loaded.err.text, 0600), 0);
    load(&loaded);
    assert_int_equal(loaded.rc, RC_PERM);
    end(&loaded);
}

static void house_load__several_faults__all_are_told_in_one_run(void **state)
{
    (void)state;
    struct loaded loaded;
    load_text(&loaded, SAMPLE_HOUSE "spol = \"x\";\n"
                                    "four_eye = true;\n"
                                    "min_free = 12;\n"
                                    "group = 1.5;\n");
    assert_int_equal(loaded.rc, RC_PERM);
    says(&loaded, ": unknown setting 'spol'; did you mean 'spool'?");
    says(&loaded, ": unknown setting 'four_eye'; did you mean 'four_eyes'?");
    says(&loaded, ": min_free wants a size in double quotes, like \"256MiB\", not a whole number");
    says(&loaded, ": group wants a text in double quotes, not a number with a point");
    assert_int_equal(loaded.problems.error_count, 4);
    assert_non_null(strstr(loaded.err.text, "'spol'"));
    assert_non_null(strstr(loaded.err.text, "(and 3 more)"));
    end(&loaded);
}

static void house_load__syntax_error_in_one_file__others_are_still_read(void **state)
{
    (void)state;
    struct loaded loaded;
    begin(&loaded);
    folder_put(&loaded.folder, "etc/postroom.conf", SAMPLE_HOUSE);
    folder_put(&loaded.folder, "etc/conf.d/a.conf", "a = [ 1, ];\n");
    folder_put(&loaded.folder, "etc/conf.d/b.conf", "\n@include \"x\"\n");
    folder_put(&loaded.folder, "etc/conf.d/c.conf", "bogus = 1;\n");
    load(&loaded);
    assert_int_equal(loaded.rc, RC_PERM);
    says(&loaded, "a.conf:1: a comma before a closing bracket");
    says(&loaded, "b.conf:2: @include is not allowed");
    says(&loaded, "c.conf:1: unknown setting 'bogus'");
    end(&loaded);
}

static void house_load__settings_of_wrong_kind__say_what_is_wanted(void **state)
{
    (void)state;
    refuses("settle = \"2\";", "settle wants a number of seconds, like 2 or 2.5, not a text");
    refuses("settle = -1;", "settle is outside 0..3600 seconds");
    refuses("spool = 3;", ":1: spool wants a path in double quotes, not a whole number");
    refuses("notices = \"yes\";", "notices wants true or false, not a text");
    refuses("notices = 1;", "notices wants true or false, not a whole number");
    refuses("extract = { threads = 1000; };", "threads is outside 0..256");
    refuses("extract = { memory = \"1MiB\"; };", "memory is outside");
    refuses("extract = { memory = \"lots\"; };", "memory wants a size");
    refuses("extract = { window = \"22-6\"; };", "window wants two local times");
    refuses("extract = { window = \"25:00-06:00\"; };", "window wants two local times");
    refuses("extract = [ ];", "extract wants a group { }, not a list [ ]");
    refuses("retention = { done = \"90\"; };", "done wants a duration in double quotes");
    refuses("retention = { done = \"-1d\"; };", "done is below zero");
    refuses("signature_above = 5000;", "signature_above wants a decimal in double quotes");
    refuses("signature_above = \"1,5\";", "signature_above wants a decimal in double quotes");
    refuses("signature_above = \"0.1234567890\";", "has too many digits");
    refuses("operators = { };", "operators wants a list of groups");
    refuses("operators = ( \"alice\" );", "operator wants a group { }, not a text");
    refuses("operators = ( { } );", "operator: name is missing; add it");
    refuses("operators = ( { name = \"a b\"; } );", "name is no name");
    refuses("operators = ( { name = \"a\"; groups = \"x\"; } );", "groups wants a list of texts");
    refuses("operators = ( { name = \"a\"; groups = [ 1 ]; } );", "groups wants a list of texts");
    refuses("group = \"a\\x01\";", "group holds a control character (byte 1)");
    refuses("group = \"a\\xff\";", "group is not UTF-8");
    refuses("group = \"\";", "group is empty");
    refuses("group = \"123456789012345678901234567890123\";", "group is longer than 32 bytes");
    refuses(
        "stocks = ( { name = \"s\"; lines = ( { name = \"l\"; orders = ( { id = \"o\"; quantity "
        "= 0; date = \"2027-02-30\"; } ); } ); } );",
        "date wants a date in double quotes");
}

static void house_load__names_that_do_not_exist__are_refused(void **state)
{
    (void)state;
    refuses("x = 1;", "postroom.conf: spool is missing; add spool");
    refuses(SAMPLE_HOUSE "campaigns = 1;", "duplicate setting name");
    refuses("timezone = \"Mars/Olympus\";", "timezone 'Mars/Olympus' is not in");
    refuses("timezone = \"../../../etc/passwd\";", "is not in /usr/share/zoneinfo");
    refuses("currency = \"eur\";", "currency 'eur' is no ISO 4217 code");
    refuses("spool = \"s\";", "there are no operators");
    refuses(SAMPLE_PEOPLE "campaigns = ( { name = \"c\"; programme = \"p\"; owner = \"o\"; } );",
            "campaign c: there is no programme 'p'");
    refuses(SAMPLE_PEOPLE "campaigns = ( { name = \"c\"; programme = \"p\"; owner = \"o\"; } );",
            "campaign c: there is no operator 'o'");
    refuses("operators = ( { name = \"a\"; user = \"u\"; }, { name = \"b\"; user = \"u\"; } );",
            "operator b: user 'u' is operator a already");
    refuses("operators = ( { name = \"a\"; }, { name = \"a\"; } );", "operator 'a' stands in ");
    refuses("operators = ( { name = \"a\"; groups = [ \"@g\" ]; } );", "group '@g' is no name");
    refuses("stocks = ( { name = \"s\"; provider = \"p\"; } );",
            "stock s: there is no provider 'p'");
}

#define ONE_SERVICE(rest)                                                                          \
    "providers = ( { name = \"p\"; services = ( { name = \"s\"; channel = \"mail\"; " rest         \
    " } ); } );"
#define ONE_COST(rest) ONE_SERVICE("costs = ( { category = \"c\"; type = \"t\"; " rest " } );")
#define ONE_LAYOUT(rest) ONE_SERVICE("layout = { " rest " };")

static void house_load__costs_that_make_no_sense__are_refused(void **state)
{
    (void)state;
    refuses(ONE_COST("rule = \"cubic\";"), "rule wants one of \"fixed\", \"linear\",");
    refuses(ONE_COST("rule = \"fixed\";"), "cost c/t: amount is missing");
    refuses(ONE_COST("rule = \"linear\"; amount = 12.5;"),
            "amount wants a decimal in double quotes");
    refuses(ONE_COST("rule = \"linear\"; amount = \"-1\";"), "amount is below zero");
    refuses(ONE_COST("rule = \"fixed\"; amount = \"1\"; beyond = \"2\";"),
            "steps and beyond belong");
    refuses(ONE_COST("rule = \"fixed\"; amount = \"1\"; per = 10;"),
            "per belongs to the rule linear");
    refuses(ONE_COST("rule = \"linear\"; amount = \"1\"; per = 0;"), "per is outside 1..");
    refuses(ONE_COST("rule = \"linear_by_threshold\"; amount = \"1\";"), "steps are missing");
    refuses(ONE_COST("rule = \"linear_by_threshold\"; amount = \"1\";"), "amount does not belong");
    refuses(ONE_COST("rule = \"linear_by_threshold\"; steps = ( { upto = 5; amount = \"1\"; }, { "
                     "upto = 5; amount = \"2\"; } );"),
            "upto is not above that of the step before");
    refuses(ONE_COST("rule = \"fixed\"; amount = \"1\"; stock = \"a/b\";"),
            "there is no stock line 'a/b'");
    refuses(ONE_COST("rule = \"fixed\"; amount = \"1\"; valid_from = \"2027-02-01\"; valid_until = "
                     "\"2027-01-01\";"),
            "valid_until lies before valid_from");
    refuses(
        ONE_COST("rule = \"fixed\"; amount = \"1\"; valid_until = \"2027-01-01\"; }, { category "
                 "= \"c\"; type = \"t\"; rule = \"fixed\"; amount = \"1\";"),
        "holds on days for which line 1 gives it already");
}

static void house_load__layouts_that_make_no_sense__are_refused(void **state)
{
    (void)state;
    refuses(ONE_SERVICE(""), "service s of p: layout is missing");
    refuses(ONE_LAYOUT(""), "layout: columns are missing");
    refuses(ONE_LAYOUT("delimiter = \"\\xC2\";"), "delimiter is not UTF-8");
    refuses(ONE_LAYOUT("delimiter = \"ab\";"), "delimiter is longer than 1 bytes");
    refuses(ONE_LAYOUT("delimiter = \"\\\"\";"), "delimiter is not one ASCII character");
    refuses(ONE_LAYOUT("quote = \";\";"), "quote is one character that is not the delimiter");
    refuses(ONE_LAYOUT("encoding = \"EBCDIC\";"),
            "encoding wants one of \"UTF-8\", \"ISO-8859-1\", \"ISO-8859-15\", \"windows-1252\"");
    refuses(ONE_LAYOUT("eol = \"none\";"), "eol = \"none\" is for format = \"fixed\"");
    refuses(ONE_LAYOUT("format = \"fixed\"; columns = ( \"a\" );"), "column a has no width");
    refuses(ONE_LAYOUT("columns = ( \"a\", \"a\" );"), "column 'a' stands in ");
    refuses(ONE_LAYOUT("columns = ( 1 );"), "column wants a group { }, not a whole number");
    refuses(ONE_LAYOUT("container = \"gz\"; rows_per_file = 10;"), "container gz holds one file");
    refuses(ONE_LAYOUT("level = 10;"), "level is outside 1..9");
    refuses(ONE_LAYOUT("colums = ( \"a\" );"), "unknown setting 'colums'; did you mean 'columns'?");
}

static void house_load__one_cost_on_days_apart__is_taken(void **state)
{
    (void)state;
    struct loaded loaded;
    load_text(&loaded, SAMPLE_GLOBALS SAMPLE_PEOPLE ONE_SERVICE(
                           "layout = { columns = ( \"a\" ); }; costs = (\n"
                           "{ category = \"c\"; type = \"t\"; rule = \"fixed\"; amount = \"1\"; "
                           "valid_until = \"2027-01-31\"; },\n"
                           "{ category = \"c\"; type = \"t\"; rule = \"fixed\"; amount = \"2\"; "
                           "valid_from = \"2027-02-01\"; } );"));
    if (loaded.rc != RC_OK) {
        fail_msg("%s", buf_text(&loaded.report));
    }
    assert_int_equal(loaded.house->providers[0].services[0].cost_count, 2);
    end(&loaded);
}

static void house_load__other_spellings_of_words__mean_the_same(void **state)
{
    (void)state;
    struct loaded loaded;
    load_text(&loaded, SAMPLE_GLOBALS SAMPLE_PEOPLE ONE_LAYOUT(
                           "columns = ( \"a\" ); eol = \"\\n\"; encoding = \"Latin1\"; quote = "
                           "\"always\"; container = \"TAR.GZ\";"));
    if (loaded.rc != RC_OK) {
        fail_msg("%s", buf_text(&loaded.report));
    }
    const struct house_layout *layout = &loaded.house->providers[0].services[0].layout;
    char mark = 0;
    assert_string_equal(house_eol_text(layout->eol), "\n");
    assert_int_equal(layout->encoding, HOUSE_ISO_8859_1);
    assert_int_equal(layout->container, HOUSE_TAR_GZ);
    assert_int_equal(house_layout_quote(layout, &mark), HOUSE_QUOTE_ALWAYS);
    assert_string_equal(loaded.house->providers[0].services[0].name, "s");
    end(&loaded);
}

static void house_load__more_faults_than_are_kept__are_counted(void **state)
{
    (void)state;
    struct loaded loaded;
    struct buf text = BUF_EMPTY;
    for (int i = 0; i < PROBLEMS_MAX + 50; i++) {
        buf_add_format(&text, "x%d = 1;\n", i);
    }
    load_text(&loaded, buf_text(&text));
    assert_int_equal(loaded.problems.count, PROBLEMS_MAX);
    assert_int_equal(loaded.problems.error_count, PROBLEMS_MAX + 52);
    says(&loaded, "... and 52 more\n");
    buf_release(&text);
    end(&loaded);
}

static void house_load__sample_house_of_the_repository__is_good(void **state)
{
    (void)state;
    struct house *house = NULL;
    struct problems problems;
    struct err err = {""};
    problems_init(&problems);
    if (access("/usr/share/zoneinfo/Europe/Paris", F_OK) != 0) {
        print_message("SKIPPED: no zone files (tzdata) on this machine\n");
        skip();
    }
    if (house_load("etc/postroom.conf", &house, &problems, &err) != RC_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(problems.warning_count, 0);
    assert_int_equal(house->campaign_count, 1);
    house_free(house);
    problems_release(&problems);
}

static void conf_init_text__any_operator__loads(void **state)
{
    (void)state;
    struct loaded loaded;
    struct buf text = BUF_EMPTY;
    conf_init_text("j.doe", "corp\\j \"doe\"", &text);
    assert_false(text.is_failed);
    load_text(&loaded, buf_text(&text));
    if (loaded.rc != RC_OK) {
        fail_msg("%s", buf_text(&loaded.report));
    }
    assert_int_equal(loaded.problems.count, 0);
    assert_string_equal(loaded.house->operators[0].user, "corp\\j \"doe\"");
    assert_true(loaded.house->operators[0].is_admin);
    assert_int_equal(loaded.house->extract.window_start_min, SCHEMA_NONE);
    buf_release(&text);
    end(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(house_load__example_of_the_contract__is_taken_whole),
        cmocka_unit_test(house_load__channel_that_contradicts_itself__is_refused),
        cmocka_unit_test(house_load__channel_that_is_unwise__is_warned_of),
        cmocka_unit_test(house_check_secrets__file_that_others_can_read__is_refused),
        cmocka_unit_test(house_load__service__has_costs_and_layout),
        cmocka_unit_test(house_lookups__known_and_unknown_names__give_entry_or_null),
        cmocka_unit_test(house_load__conf_d__is_joined_in_name_order),
        cmocka_unit_test(house_load__same_name_in_two_files__is_refused_with_both_places),
        cmocka_unit_test(house_load__no_such_file__reports_gone),
        cmocka_unit_test(house_load__file_too_large_or_no_file__reports_range_or_perm),
        cmocka_unit_test(house_load__several_faults__all_are_told_in_one_run),
        cmocka_unit_test(house_load__syntax_error_in_one_file__others_are_still_read),
        cmocka_unit_test(house_load__settings_of_wrong_kind__say_what_is_wanted),
        cmocka_unit_test(house_load__names_that_do_not_exist__are_refused),
        cmocka_unit_test(house_load__costs_that_make_no_sense__are_refused),
        cmocka_unit_test(house_load__layouts_that_make_no_sense__are_refused),
        cmocka_unit_test(house_load__one_cost_on_days_apart__is_taken),
        cmocka_unit_test(house_load__other_spellings_of_words__mean_the_same),
        cmocka_unit_test(house_load__more_faults_than_are_kept__are_counted),
        cmocka_unit_test(house_load__sample_house_of_the_repository__is_good),
        cmocka_unit_test(conf_init_text__any_operator__loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
