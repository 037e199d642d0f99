/*
 * new - a delivery ready to fill in
 *
 * Mail: the file of recipients gets its header and no row, since what is left over from an example
 * would be sent. Online: a few whom nobody can reach (RFC 2606, numbers kept for fiction), so that
 * there is a message to see.
 */
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/out.h"

#include "base/name.h"
#include "sys/fs.h"

#include <string.h>
#include <sysexits.h>

enum { CONF_MODE = 0644, RECIPIENTS_MODE = 0600 };
static const char KEY[] = "recipient_id";

static const char EMAIL_HTML[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Hello</title></head>\n"
    "<body>\n"
    "<h1>Hello {{first_name}}</h1>\n"
    "<p>What you want to say.</p>\n"
    "</body></html>\n";

static const char EMAIL_TEXT[] = "Hello {{first_name}},\n\nWhat you want to say.\n";

/* What a new delivery of an online channel says. */
struct starter {
    const char *recipients;
    const char *address; /* the column that is taken without a setting */
    const char *content; /* lines of content = { } */
    const char *sender;  /* key of the sender; NULL */
    const char *sender_value;
    const char *more; /* lines at the end */
};

static const struct starter STARTERS[HOUSE_CHANNELS] = {
    [HOUSE_EMAIL] = {.recipients = "recipient_id,first_name,email\n"
                                   "1,Zoé,zoe@example.net\n"
                                   "2,Ahmed,ahmed@example.net\n"
                                   "3,Élise,elise@example.net\n",
                     .address = "email",
                     .content = "    subject = \"Hello {{first_name}}\";\n"
                                "    html    = \"mail.html\";\n"
                                "    text    = \"mail.txt\";\n"
                                "    # images = [ \"logo.png\" ];             # shown by "
                                "cid:logo.png\n",
                     .sender = "from",
                     .sender_value = "Me <me@example.net>",
                     .more = "\n# Trials, sent when somebody says: postroom proof send ID\n"
                             "# approvals = { proof = { target = [ \"you@example.net\" ]; }; };\n"},
    [HOUSE_SMS] = {.recipients = "recipient_id,first_name,mobile\n"
                                 "1,Zoé,+33639980001\n"
                                 "2,Ahmed,+33639980002\n"
                                 "3,Élise,+33639980003\n",
                   .address = "mobile",
                   .content = "    text    = \"Hello {{first_name}}, what you want to say.\";\n",
                   .sender = "sender",
                   .sender_value = "Me",
                   .more = ""},
    [HOUSE_PUSH] = {.recipients = "recipient_id,first_name,token\n"
                                  "1,Zoé,example-token-1\n"
                                  "2,Ahmed,example-token-2\n"
                                  "3,Élise,example-token-3\n",
                    .address = "token",
                    .content = "    title   = \"Hello {{first_name}}\";\n"
                               "    body    = \"What you want to say.\";\n"
                               "    # image = \"https://www.example.net/offer.png\";\n",
                    .more = ""},
    [HOUSE_INAPP] = {.recipients = "recipient_id,first_name\n1,Zoé\n2,Ahmed\n3,Élise\n",
                     .address = "recipient_id",
                     .content = "    title   = \"Hello {{first_name}}\";\n"
                                "    body    = \"What you want to say.\";\n"
                                "    # image = \"https://www.example.net/offer.png\";\n",
                     .more = ""},
};

struct offer {
    int channel;
    const struct house_campaign *campaign;
    const struct house_provider *provider;
    const struct house_service *service;
};

static int read_channel(struct cli *cli, const char *word, int *out)
{
    for (int i = 0; i < HOUSE_CHANNELS; i++) {
        if (strcmp(word, house_channel_name(i)) != 0) {
            continue;
        }
        *out = i;
        return CLI_GO_ON;
    }
    const char *nearest = name_nearest(slice_of(word), house_channel_words, HOUSE_CHANNELS);
    return nearest == NULL
               ? cli_usage(cli, "%s is no channel (mail, email, sms, push, inapp)", word)
               : cli_usage(cli, "%s is no channel; did you mean %s?", word, nearest);
}

/* The first campaign, and the first service that sends paper. */
static int find_offer(const struct cli *cli, struct offer *out)
{
    const struct house *house = cli->house;
    for (size_t i = 0; out->service == NULL && i < house->provider_count; i++) {
        for (size_t j = 0; out->service == NULL && j < house->providers[i].service_count; j++) {
            if (house->providers[i].services[j].channel == HOUSE_MAIL) {
                out->provider = &house->providers[i];
                out->service = &house->providers[i].services[j];
            }
        }
    }
    bool lacks_service = out->channel == HOUSE_MAIL && out->service == NULL;
    if (house->campaign_count == 0 || lacks_service) {
        cli_say_error("%s: has no %s yet; add one", cli->conf_path,
                      lacks_service ? "provider with a service for mail" : "campaign");
        return EX_CONFIG;
    }
    out->campaign = &house->campaigns[0];
    return CLI_GO_ON;
}

static void add_setting(struct buf *out, const char *before, const char *value)
{
    buf_add_text(out, before);
    conf_write_text(out, value);
    buf_add_text(out, ";\n");
}

static void write_conf(const struct offer *offer, struct buf *out)
{
    buf_add_text(out, "# A delivery. Manual: postroom-delivery(5). The folder's name is its id.\n");
    buf_add_text(out, "# Look at it with: postroom check FOLDER\n");
    add_setting(out, "campaign = ", offer->campaign->name);
    buf_add_text(out, "channel  = \"mail\";\nlabel    = \"What people call it\";\n\ntarget = {\n");
    buf_add_text(out, "    file = \"recipients.csv\";    # header row, UTF-8; .gz and .zst too\n");
    add_setting(out, "    key  = ", KEY);
    buf_add_text(out, "    # where   = \"consent_mail = '1'\";      # who of them\n"
                      "    # exclude = [ \"suppressed.csv\" ];      # files with the key column\n"
                      "    # dedupe  = [ \"last_name\", \"postcode\" ];\n"
                      "    # order   = [ \"postcode\" ];\n"
                      "    # seeds   = \"seeds.csv\";\n"
                      "};\n\n");
    add_setting(out, "provider = ", offer->provider->name);
    add_setting(out, "service  = ", offer->service->name);
    buf_add_text(out, "\n# documents = [ \"brochure.pdf\" ];         # travel in the archive\n");
}

static void write_online_conf(const struct offer *offer, const struct house *house, struct buf *out)
{
    const struct starter *starter = &STARTERS[offer->channel];
    const char *channel = house_channel_name(offer->channel);
    const struct house_channel *settings = &house->channels[offer->channel];
    buf_add_text(out, "# A delivery. Manual: postroom-delivery(5). The folder's name is its id.\n");
    buf_add_text(out, "# Look at it with: postroom check FOLDER\n");
    add_setting(out, "campaign = ", offer->campaign->name);
    add_setting(out, "channel  = ", channel);
    buf_add_text(out, "label    = \"What people call it\";\n\ntarget = {\n");
    buf_add_text(out, "    file = \"recipients.csv\";    # header row, UTF-8; .gz and .zst too\n");
    add_setting(out, "    key  = ", KEY);
    add_setting(out, "    # address = ", starter->address);
    buf_add_format(out, "    # where   = \"consent_%s = '1'\";    # who of them\n", channel);
    buf_add_text(out, "    # exclude = [ \"suppressed.csv\" ];      # files with the key column\n"
                      "};\n\n"
                      "content = {\n");
    buf_add_text(out, starter->content);
    if (starter->sender != NULL) {
        bool is_said = settings->from != NULL || settings->sender != NULL;
        buf_add_format(out, "    %s%-7s = \"%s\";%s\n", is_said ? "# " : "", starter->sender,
                       starter->sender_value, is_said ? "    # else that of etc/" : "");
    }
    buf_add_text(out, "};\n");
    buf_add_text(out, starter->more);
    buf_add_text(out, "\n# schedule = { contact_at = \"2030-03-01T09:00:00+01:00\"; };\n"
                      "# waves    = { size = \"10%\"; every = \"1h\"; };\n");
}

static enum rc write_online(struct cli *cli, const struct offer *offer, int dirfd, struct err *err)
{
    bool has_files = offer->channel == HOUSE_EMAIL;
    struct buf conf = BUF_EMPTY;
    write_online_conf(offer, cli->house, &conf);
    const struct {
        const char *name; /* NULL: not for this channel */
        mode_t mode;
        struct slice text;
    } files[] = {
        {"recipients.csv", RECIPIENTS_MODE, slice_of(STARTERS[offer->channel].recipients)},
        {has_files ? "mail.html" : NULL, CONF_MODE, slice_of(EMAIL_HTML)},
        {has_files ? "mail.txt" : NULL, CONF_MODE, slice_of(EMAIL_TEXT)},
        {"delivery.conf", CONF_MODE, buf_slice(&conf)}, /* last: with it the delivery exists */
    };
    enum rc rc = buf_ok(&conf, err);
    for (size_t i = 0; rc == RC_OK && i < sizeof files / sizeof files[0]; i++) {
        if (files[i].name != NULL) {
            rc = fs_put_volatile(dirfd, files[i].name, files[i].mode, files[i].text.ptr,
                                 files[i].text.len, err);
        }
    }
    buf_release(&conf);
    return rc;
}

static enum rc write_header(struct cli *cli, const struct offer *offer, struct buf *out,
                            struct err *err)
{
    struct columns *columns = arena_alloc(&cli->arena, sizeof *columns);
    if (columns == NULL || !columns_of_layout(&offer->service->layout, &cli->arena, columns)) {
        return err_set(err, RC_NOMEM, "no memory for columns");
    }
    buf_add_text(out, KEY);
    for (size_t i = 0; i < columns->count; i++) {
        if (strcmp(columns->names[i], KEY) != 0) {
            buf_add_byte(out, ',');
            buf_add_text(out, columns->names[i]);
        }
    }
    buf_add_byte(out, '\n');
    return buf_ok(out, err);
}

static enum rc write_mail(struct cli *cli, const struct offer *offer, int dirfd, struct err *err)
{
    struct buf conf = BUF_EMPTY;
    struct buf header = BUF_EMPTY;
    write_conf(offer, &conf);
    enum rc rc = buf_ok(&conf, err);
    rc = rc == RC_OK ? write_header(cli, offer, &header, err) : rc;
    if (rc == RC_OK) {
        rc = fs_put_volatile(dirfd, "recipients.csv", RECIPIENTS_MODE, header.ptr, header.len, err);
    }
    if (rc == RC_OK) {
        rc = fs_put_volatile(dirfd, "delivery.conf", CONF_MODE, conf.ptr, conf.len, err);
    }
    buf_release(&conf);
    buf_release(&header);
    return rc;
}

int cmd_new(struct cli *cli, int argc, char **argv)
{
    struct offer offer = {0};
    struct err err = {{0}};
    int dirfd = -1;
    int code = cli_options(cli, NULL, 0, &argc, &argv);
    if (code == CLI_GO_ON && argc != 2) {
        code = cli_usage(cli, "a channel and a folder are wanted");
    }
    code = code == CLI_GO_ON ? read_channel(cli, argv[0], &offer.channel) : code;
    code = code == CLI_GO_ON ? cli_house(cli) : code;
    code = code == CLI_GO_ON ? find_offer(cli, &offer) : code;
    if (code != CLI_GO_ON) {
        return code;
    }
    enum rc rc = cli_folder_make(argv[1], &err);
    if (rc == RC_EXISTS) {
        cli_say_error("%s: is there already; name a folder that is not", argv[1]);
        return EX_CANTCREAT;
    }
    rc = rc == RC_OK ? cli_folder_open(argv[1], &dirfd, &err) : rc;
    if (rc == RC_OK) {
        rc = offer.channel == HOUSE_MAIL ? write_mail(cli, &offer, dirfd, &err)
                                         : write_online(cli, &offer, dirfd, &err);
    }
    fs_drop(&dirfd);
    if (rc != RC_OK) {
        cli_say_error("%s", err.text);
        return EX_CANTCREAT;
    }
    out_line("made %s: fill in delivery.conf%s and recipients.csv, then: postroom check %s",
             argv[1], offer.channel == HOUSE_EMAIL ? ", mail.html, mail.txt" : "", argv[1]);
    return EX_OK;
}
