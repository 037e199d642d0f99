/* order_online_test - deliveries that are sent online: content, sender, address, waves */
#include "delivery/order_waves.h"
#include "unit/delivery/order_support.h"

#define ABOUT "campaign = \"spring-2027\"; channel = \"email\";\n"
#define TARGET "target = { file = \"r.csv\"; key = \"id\"; };\n"
#define FROM "from = \"Shop <shop@example.net>\";"
#define MINIMAL ABOUT TARGET "content = { subject = \"S\"; html = \"m.html\"; " FROM " };\n"
#define WITH(content) ABOUT TARGET "content = { " content " };\n"
#define SMS "campaign = \"spring-2027\"; channel = \"sms\";\n" TARGET
#define PUSH "campaign = \"spring-2027\"; channel = \"push\";\n" TARGET

/* Whoever unsubscribes is known by a token, which is made with a secret of the house. */
#define SECRET "channels = { email = { unsubscribe = { secret_file = \"secret\"; }; }; };\n"

#define FULL                                                                                       \
    ABOUT TARGET                                                                                   \
        "content = { subject = \"Caf\xC3\xA9 \xF0\x9F\x93\xAE {{first_name}}, \\\"now\\\"\";\n"    \
        "  html = \"m.html\"; text = \"m.txt\"; from = \"{{seller}} <shop@example.net>\";\n"       \
        "  reply_to = \"help@example.net\"; images = [ \"a.gif\", \"b.png\" ];\n"                  \
        "  attachments = [ \"terms.pdf\" ];\n"                                                     \
        "  unsubscribe = { url = \"https://example.net/u?\"; mailto = \"out@example.net\"; }; };"  \
        "waves = { size = \"12.5%\"; every = \"90m\"; };\n"                                        \
        "schedule = { contact_at = \"2027-03-01T08:00:00Z\"; not_after = "                         \
        "\"2027-03-02T08:00:00Z\"; };\n"

static void order_read__minimal_email__needs_no_service_and_is_to_be_confirmed(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct reading reading = read_with(house, &ALICE, MINIMAL);
    house_free(house);
    assert_int_equal(reading.rc, RC_OK);
    assert_string_equal(buf_text(&reading.report), "");
    const struct order *order = reading.order;
    assert_int_equal(order->channel, HOUSE_EMAIL);
    assert_true(order->needs_confirmation);
    assert_string_equal(order->target.address, "email");
    assert_null(order->provider);
    assert_null(order->service);
    assert_int_equal(order->cost_count, 0);
    assert_int_equal(order->finish_on, HOUSE_FINISH_HAND_OVER);
    assert_false(order->steps[ORDER_STEP_EXTRACTION].is_on);
    assert_true(order->steps[ORDER_STEP_CONTENT].is_on);
    assert_string_equal(order->content.from, "Shop <shop@example.net>");
    assert_null(order->content.text);
    assert_null(order->content.unsubscribe.url);
    assert_int_equal(order->waves.count, 0);
    assert_int_equal(order->schedule.contact_at, INSTANT_NONE);
    reading_end(&reading);
}

static void order_read__every_setting_of_an_email__is_taken_and_frozen(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE SECRET);
    struct order *order = takes(house, &ALICE, FULL);
    house_free(house);
    const struct order_content *content = &order->content;
    assert_string_equal(content->subject, "Caf\xC3\xA9 \xF0\x9F\x93\xAE {{first_name}}, \"now\"");
    assert_string_equal(content->text, "m.txt");
    assert_string_equal(content->from, "{{seller}} <shop@example.net>");
    assert_string_equal(content->reply_to, "help@example.net");
    assert_string_equal(content->images.items[1], "b.png");
    assert_string_equal(content->attachments.items[0], "terms.pdf");
    assert_string_equal(content->unsubscribe.url, "https://example.net/u?");
    assert_string_equal(content->unsubscribe.mailto, "out@example.net");
    assert_int_equal(order->waves.every_ns, 90 * 60 * NS_PER_SECOND);
    assert_int_equal(order->waves.list[0].size, 1250);
    assert_true(order->waves.list[0].is_share);
    assert_int_equal(order->schedule.not_after - order->schedule.contact_at, 86400 * NS_PER_SECOND);
    check_round_trip(order);
    order_free(order);
}

static void order_write__a_mail_delivery__says_nothing_of_content(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order = takes(house, &ALICE,
                                "campaign = \"spring-2027\"; channel = \"mail\"; provider = "
                                "\"nord-routage\"; service = \"letter\";" TARGET);
    struct buf text = BUF_EMPTY;
    order_write(order, &text);
    assert_null(strstr(buf_text(&text), "\ncontent = {"));
    assert_null(strstr(buf_text(&text), "waves"));
    buf_clear(&text);
    order_write_part(order, ORDER_CHANGED_MESSAGE, &text);
    assert_int_equal(text.len, 0);
    buf_release(&text);
    order_free(order);
    house_free(house);
}

/* Push and sms cannot be dropped yet: their fields are put into an order and frozen. */
static void order_load__content_of_every_channel__is_exactly_the_same(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order = takes(house, &ALICE, MINIMAL);
    static char text[] = "Hi {{n}}\n\\ \"x\" \xE2\x82\xAC";
    struct order_datum data[] = {{"screen", text, true},
                                 {"count", "-5000000000", false},
                                 {"max", "2147483647", false},
                                 {"on", "true", false}};
    order->channel = HOUSE_PUSH;
    order->content = (struct order_content){.title = "Hi \\ {{n}}",
                                            .body = text,
                                            .image = "https://example.net/a.gif",
                                            .video = "v.mp4",
                                            .data = data,
                                            .datum_count = 4};
    check_round_trip(order);
    order->channel = HOUSE_SMS;
    order->content = (struct order_content){.text = text, .sender = "Shop"};
    check_round_trip(order);
    struct order_wave list[] = {{5000000000, false, 0}, {1, true, 60 * NS_PER_SECOND}};
    order->waves = (struct order_waves){list, 2, SCHEMA_NONE};
    check_round_trip(order);
    order_free(order);
    house_free(house);
}

/* --- layers --- */

#define CHANNEL                                                                                    \
    "channels = { email = { from = \"House <house@example.net>\"; reply_to = "                     \
    "\"answers@example.net\"; unsubscribe = { url = \"https://example.net/out\"; secret_file = "   \
    "\"secret\"; }; dkim = { domain = \"example.net\"; selector = \"s\"; key_file = \"k\"; }; }; " \
    "};\n"

static void order_read__what_the_channel_says__is_frozen_but_for_the_secret(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE CHANNEL);
    struct order *order = takes(house, &ALICE, WITH("subject = \"S\"; text = \"m.txt\";"));
    assert_string_equal(order->content.from, "House <house@example.net>");
    assert_string_equal(order->content.reply_to, "answers@example.net");
    assert_string_equal(order->content.unsubscribe.url, "https://example.net/out");
    assert_null(order->content.unsubscribe.secret_file);
    order_free(order);
    order = takes(house, &ALICE,
                  WITH("subject = \"S\"; text = \"m.txt\"; from = \"a@news.example.net\"; "
                       "unsubscribe = { mailto = \"o@example.net\"; };"));
    assert_string_equal(order->content.from, "a@news.example.net");
    assert_null(order->content.unsubscribe.url);
    order_free(order);
    struct reading reading = read_with(
        house, &ALICE, WITH("subject = \"S\"; text = \"m.txt\"; from = \"a@other.example\";"));
    assert_int_equal(reading.rc, RC_OK);
    assert_non_null(strstr(buf_text(&reading.report),
                           "warning: delivery.conf:3: from: other.example is not below "
                           "example.net, which signs"));
    reading_end(&reading);
    house_free(house);
}

static void order_read__content_of_layers__is_merged_and_other_channels_part_left(void **state)
{
    (void)state;
    struct house *house = load_house(
        SAMPLE_GLOBALS SAMPLE_PEOPLE SAMPLE_PROVIDERS SECRET
        "defaults = { content = { " FROM " sender = \"Shop\"; body = \"b\"; unsubscribe = { "
        "mailto = \"o@example.net\"; }; }; waves = { size = 5; every = \"1h\"; }; };\n"
        "campaigns = ( { name = \"spring-2027\"; programme = \"loyalty\"; owner = \"alice\";\n"
        "  content = { reply_to = \"r@example.net\"; }; documents = [ \"d\" ]; } );\n");
    struct order *order = takes(house, &ALICE, WITH("subject = \"S\"; text = \"m.txt\";"));
    assert_string_equal(order->content.from, "Shop <shop@example.net>");
    assert_string_equal(order->content.reply_to, "r@example.net");
    assert_string_equal(order->content.unsubscribe.mailto, "o@example.net");
    assert_null(order->content.sender);
    assert_null(order->content.body);
    assert_int_equal(order->documents.count, 0);
    assert_int_equal(order->waves.list[0].size, 5);
    order_free(order);
    order = takes(house, &ALICE, MINIMAL "waves = ( );");
    assert_int_equal(order->waves.count, 0);
    order_free(order);
    order = takes(house, &ALICE,
                  "campaign = \"spring-2027\"; channel = \"mail\"; provider = \"nord-routage\"; "
                  "service = \"letter\";" TARGET);
    assert_null(order->content.from);
    assert_int_equal(order->waves.count, 0);
    assert_int_equal(order->documents.count, 1);
    order_free(order);
    house_free(house);
}

/* --- what is refused --- */

static void order_read__content_that_cannot_be_sent__is_refused_with_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
        {ABOUT TARGET, "content: subject is missing; add it to content"},
        {WITH("subject = \"S\";" FROM), "delivery.conf:3: content: text is missing"},
        {WITH("subject = \"S\"; text = \"t\";"), "delivery.conf:3: content: from is missing"},
        {WITH("subject = \"S\"; text = \"t\"; from = \"Shop\";"),
         "delivery.conf:3: from: 'Shop' is no mail address"},
        {WITH("subject = \"S\"; text = \"t\"; from = \"a@b.c\\r\\nBcc: d@e.f\";"), "from"},
        {WITH("subject = \"S\\nBcc: d@e.f\"; text = \"t\";" FROM), "subject"},
        {WITH("subject = \"S\"; html = \"../m.html\";" FROM), "html: '../m.html' is a path"},
        {WITH("subject = \"S\"; text = \"progress\";" FROM), "name that postroom uses itself"},
        {WITH("subject = \"S\"; text = \"sending\";" FROM), "name that postroom uses itself"},
        {WITH("subject = \"S\"; text = \"t\"; images = [ \"a\", \"a\" ];" FROM),
         "images: 'a' stands twice"},
        {WITH("subject = \"S\"; text = \"t\"; attachments = [ \"a/b\" ];" FROM), "'a/b' is a path"},
        {WITH("subject = \"S\"; text = \"t\"; reply_to = \"x\";" FROM), "reply_to: 'x' is no mail"},
        {WITH("subject = \"S\"; text = \"t\"; unsubscribe = { url = \"http://x\"; };" FROM),
         "url does not begin with https://"},
        {WITH("subject = \"S\"; text = \"t\"; unsubscribe = { url = \"https://x\"; };" FROM),
         "unsubscribe: channels.email.unsubscribe in etc/ has no secret_file"},
        {WITH("subject = \"S\"; text = \"t\"; unsubscribe = { mailto = \"x\"; };" FROM),
         "unsubscribe: 'x' is no mail address"},
        {WITH("subject = \"S\"; text = \"t\"; unsubscribe = { secret_file = \"x\"; };" FROM),
         "unknown setting 'secret_file'"},
        {WITH("subject = \"S\"; text = \"t\"; title = \"x\";" FROM),
         "content: title is not for channel email; remove it"},
        {WITH("subjet = \"S\"; text = \"t\";" FROM), "did you mean 'subject'?"},
        {MINIMAL "documents = [ \"d\" ];", "documents is not for channel email; write attachments"},
        {MINIMAL "notice = { note = \"n\"; };", "notice is not for channel email"},
        {MINIMAL "schedule = { extract_at = \"2027-01-01T00:00:00Z\"; };",
         "extract_at is for mail; for online deliveries write contact_at"},
        {MINIMAL "schedule = { contact_at = \"2027-01-01T00:00:00Z\"; not_after = "
                 "\"2027-01-01T00:00:00Z\"; };",
         "not_after is not later than contact_at"},
        {MINIMAL "provider = \"nord-routage\";", "provider stands without service"},
        {MINIMAL "service = \"blast\";", "service stands without provider"},
        {MINIMAL "provider = \"nord-routage\"; service = \"letter\";",
         "service letter is for mail, not for email"},
        {MINIMAL "costs = ( { category = \"a\"; type = \"b\"; } );",
         "costs are those of a service; add provider and service"},
        {MINIMAL "waves = { size = \"10\"; every = \"1h\"; };", "size wants a percentage"},
        {MINIMAL "waves = { size = \"101%\"; every = \"1h\"; };", "size wants a percentage"},
        {MINIMAL "waves = { size = \"-1%\"; every = \"1h\"; };", "size wants a percentage"},
        {MINIMAL "waves = { size = \"0.001%\"; every = \"1h\"; };", "size wants a percentage"},
        {MINIMAL "waves = { size = 0; every = \"1h\"; };", "size wants a percentage"},
        {MINIMAL "waves = { size = 10; };", "waves: every is missing"},
        {MINIMAL "waves = { every = \"1h\"; };", "waves: size is missing"},
        {MINIMAL "waves = { size = 10; every = \"0s\"; };", "every is no time at all"},
        {MINIMAL "waves = 10;", "waves wants a group"},
        {MINIMAL "waves = ( { size = 1; after = \"2h\"; }, { size = 1; after = \"1h\"; } );",
         "after is below that of the wave before"},
        {MINIMAL "approvals = { proof = true; };", "delivery.conf:4: proof: target is missing"},
        {SMS, "content: text is missing"},
        {SMS "content = { text = \"t\"; html = \"h\"; };", "html is not for channel sms"},
        {PUSH "content = { title = \"t\"; };", "content: body is missing"},
        {PUSH "content = { body = \"t\"; image = \"a/b.gif\"; };", "'a/b.gif' is a path"},
        {PUSH "content = { body = \"t\"; data = { a = 1.5; }; };", "data: a is no text"},
        {PUSH "content = { body = \"t\"; data = { a = { b = 1; }; }; };", "data: a is no text"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuses(rows[i].text, rows[i].expected);
    }
}

static void order_read__proof_with_a_target__is_taken_and_frozen(void **state)
{
    (void)state;
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *order =
        takes(house, &ALICE,
              MINIMAL
              "approvals = { proof = { reviewers = [ \"bob\" ]; target = [ \"a@b.c\", \"d@e.f\" ]; "
              "}; };");
    struct order *again = NULL;
    struct buf text = BUF_EMPTY;
    order_write(order, &text);
    assert_int_equal(order_load(buf_slice(&text), "settings.conf", &again, NULL), RC_OK);
    buf_release(&text);
    house_free(house);
    const struct order_step *proof = &again->steps[ORDER_STEP_PROOF];
    assert_true(proof->is_on);
    assert_int_equal(proof->proof_target.count, 2);
    assert_string_equal(proof->proof_target.items[1], "d@e.f");
    order_free(again);
    order_free(order);
}

static void order_read__costs_of_a_named_service__count(void **state)
{
    (void)state;
    struct house *house = load_house(
        SAMPLE_GLOBALS SAMPLE_PEOPLE SAMPLE_CAMPAIGNS
        "providers = ( { name = \"relay\"; services = ( { name = \"bulk\"; channel = \"email\"; "
        "costs = ( { category = \"message\"; type = \"plain\"; rule = \"linear\"; amount = "
        "\"0.80\"; per = 1000; } ); } ); } );");
    struct order *order =
        takes(house, &ALICE, MINIMAL "provider = \"relay\"; service = \"bulk\"; confirm = false;");
    assert_int_equal(order->cost_count, 1);
    assert_string_equal(order->costs[0].category, "message");
    assert_false(order->needs_confirmation);
    check_round_trip(order);
    order_free(order);
    house_free(house);
}

static void order_files__of_an_email__have_their_roles(void **state)
{
    (void)state;
    static struct order_file files[ORDER_FILES_MAX];
    static const struct order_file expected[] = {
        {"r.csv", ORDER_FILE_RECIPIENTS}, {"m.html", ORDER_FILE_CONTENT},
        {"m.txt", ORDER_FILE_CONTENT},    {"a.gif", ORDER_FILE_IMAGE},
        {"b.png", ORDER_FILE_IMAGE},      {"terms.pdf", ORDER_FILE_ATTACHMENT}};
    struct house *house = load_house(SAMPLE_HOUSE SECRET);
    struct order *order = takes(house, &ALICE, FULL);
    assert_int_equal(order_files(order, files), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(files[i].name, expected[i].name);
        assert_int_equal(files[i].role, expected[i].role);
    }
    assert_true(order_names_file("a.gif"));
    assert_false(order_names_file("https://example.net/a.gif"));
    assert_false(order_names_file("{{picture}}"));
    assert_false(order_names_file(NULL));
    order_free(order);
    house_free(house);
}

static unsigned changes(const char *before, const char *after)
{
    struct house *house = load_house(SAMPLE_HOUSE);
    struct order *old = takes(house, &DORA, before);
    struct order *new = takes(house, &DORA, after);
    unsigned bits = 0;
    assert_int_equal(order_changes(old, new, &bits, NULL), RC_OK);
    order_free(old);
    order_free(new);
    house_free(house);
    return bits;
}

static void order_changes__content_and_waves__give_their_part_alone(void **state)
{
    (void)state;
    assert_int_equal(changes(MINIMAL, MINIMAL), 0);
    assert_int_equal(changes(MINIMAL, WITH("subject = \"T\"; html = \"m.html\"; " FROM)),
                     ORDER_CHANGED_MESSAGE);
    assert_true((ORDER_CHANGED_MESSAGE & ORDER_CHANGED_CONTENT) != 0);
    assert_int_equal(changes(MINIMAL, MINIMAL "waves = { size = 1; every = \"1h\"; };"),
                     ORDER_CHANGED_SCHEDULE);
}

/* --- waves --- */

static uint64_t open_after(const struct order_waves *waves, uint64_t total, int64_t seconds,
                           int64_t *out_next_seconds)
{
    int64_t next_ns = 0;
    uint64_t open = order_waves_open(waves, total, seconds * NS_PER_SECOND, &next_ns);
    *out_next_seconds = next_ns == SCHEMA_NONE ? SCHEMA_NONE : next_ns / NS_PER_SECOND;
    return open;
}

struct open_row {
    uint64_t total;
    int64_t seconds;
    uint64_t open;
    int64_t next_seconds;
};

static void check_open(const struct order_waves *waves, const struct open_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t next = 0;
        uint64_t open = open_after(waves, rows[i].total, rows[i].seconds, &next);
        if (open != rows[i].open || next != rows[i].next_seconds) {
            fail_msg("row %zu: %llu open, next %lld", i, (unsigned long long)open, (long long)next);
        }
    }
}

static void order_waves_open__regular__the_last_takes_the_rest(void **state)
{
    (void)state;
    struct order_wave share = {3000, true, SCHEMA_NONE};
    struct order_wave count = {400, false, SCHEMA_NONE};
    const struct order_waves shares = {&share, 1, 3600 * NS_PER_SECOND};
    const struct order_waves counts = {&count, 1, 3600 * NS_PER_SECOND};
    const struct order_waves none = {NULL, 0, 0};
    static const struct open_row of_shares[] = {{1000, -5, 300, 3600},
                                                {1000, 0, 300, 3600},
                                                {1000, 3599, 300, 3600},
                                                {1000, 3600, 600, 7200},
                                                {1000, 7200, 900, 10800},
                                                {1000, 10800, 1000, SCHEMA_NONE},
                                                {1000, INT32_MAX, 1000, SCHEMA_NONE},
                                                {2, 0, 1, 3600},
                                                {2, 3600, 2, SCHEMA_NONE},
                                                {0, 0, 0, SCHEMA_NONE}};
    static const struct open_row of_counts[] = {{1000, 0, 400, 3600},
                                                {1000, 3600, 800, 7200},
                                                {1000, 7200, 1000, SCHEMA_NONE},
                                                {400, 0, 400, SCHEMA_NONE},
                                                {0, 0, 0, SCHEMA_NONE}};
    static const struct open_row of_none[] = {{7, 0, 7, SCHEMA_NONE}};
    check_open(&shares, of_shares, sizeof of_shares / sizeof of_shares[0]);
    check_open(&counts, of_counts, sizeof of_counts / sizeof of_counts[0]);
    check_open(&none, of_none, 1);
}

static void order_waves_open__calendar__each_at_its_time(void **state)
{
    (void)state;
    struct order_wave list[] = {{500, true, 60 * NS_PER_SECOND},
                                {100, false, 120 * NS_PER_SECOND},
                                {1, true, 600 * NS_PER_SECOND}};
    const struct order_waves calendar = {list, 3, SCHEMA_NONE};
    static const struct open_row rows[] = {{1000, 0, 0, 60},      {1000, 60, 50, 120},
                                           {1000, 599, 150, 600}, {1000, 600, 1000, SCHEMA_NONE},
                                           {3, 60, 1, 120},       {3, 120, 3, SCHEMA_NONE}};
    check_open(&calendar, rows, sizeof rows / sizeof rows[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_read__minimal_email__needs_no_service_and_is_to_be_confirmed),
        cmocka_unit_test(order_read__every_setting_of_an_email__is_taken_and_frozen),
        cmocka_unit_test(order_write__a_mail_delivery__says_nothing_of_content),
        cmocka_unit_test(order_load__content_of_every_channel__is_exactly_the_same),
        cmocka_unit_test(order_read__what_the_channel_says__is_frozen_but_for_the_secret),
        cmocka_unit_test(order_read__content_of_layers__is_merged_and_other_channels_part_left),
        cmocka_unit_test(order_read__content_that_cannot_be_sent__is_refused_with_line),
        cmocka_unit_test(order_read__proof_with_a_target__is_taken_and_frozen),
        cmocka_unit_test(order_read__costs_of_a_named_service__count),
        cmocka_unit_test(order_files__of_an_email__have_their_roles),
        cmocka_unit_test(order_changes__content_and_waves__give_their_part_alone),
        cmocka_unit_test(order_waves_open__regular__the_last_takes_the_rest),
        cmocka_unit_test(order_waves_open__calendar__each_at_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
