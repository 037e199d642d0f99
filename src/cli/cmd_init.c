/*
 * init - a house to start from: configuration, spool, a first delivery
 */
#include "cli/commands.h"
#include "cli/out.h"

#include "base/name.h"
#include "conf/house.h"
#include "sys/fs.h"
#include "sys/user.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char FIRST_CONF[] =
    "# A first delivery: five fictitious people get a letter. Manual: postroom-delivery(5).\n"
    "campaign = \"first-campaign\";\n"
    "channel  = \"mail\";\n"
    "label    = \"My first delivery\";\n"
    "\n"
    "target = {\n"
    "    file   = \"recipients.csv\";\n"
    "    key    = \"id\";\n"
    "    where  = \"consent = '1'\";         # one of the five did not agree\n"
    "    order  = [ \"postcode\", \"last_name\" ];\n"
    "};\n"
    "\n"
    "provider = \"my-router\";\n"
    "service  = \"letter\";\n";

static const char FIRST_RECIPIENTS[] =
    "id,title,first_name,last_name,address1,postcode,city,consent\n"
    "1,Mme,Zoé,Durand,12 rue des Lilas,59000,Lille,1\n"
    "2,M.,Ahmed,\"Le Goff, fils\",3 quai du Port,29200,Brest,1\n"
    "3,Mme,Mireille,D'Alméida,8 place Carnot,69002,Lyon,1\n"
    "4,M.,Paul,Martin,1 chemin Vert,31000,Toulouse,0\n"
    "5,Mme,Élise,Nguyễn,27 avenue Foch,67000,Strasbourg,1\n";

static const char EMAIL_CONF[] =
    "# A first e-mail, to four of the five. Without a transport in etc/ the messages are kept in "
    "the\n"
    "# Maildir spool/outbox/messages/email/. Manual: postroom-delivery(5).\n"
    "campaign = \"first-campaign\";\n"
    "channel  = \"email\";\n"
    "label    = \"My first e-mail\";\n"
    "\n"
    "target  = { file = \"recipients.csv\"; key = \"id\"; where = \"consent = '1'\"; };\n"
    "content = { subject = \"Hello {{first_name}} 📮\"; html = \"mail.html\"; text = \"mail.txt\"; "
    "};\n"
    "\n"
    "# Who gets trials of it: postroom proof send first-email\n"
    "approvals = { proof = { target = [ \"you@example.net\" ]; }; };\n";

static const char EMAIL_RECIPIENTS[] = "id,first_name,last_name,email,consent\n"
                                       "1,Zoé,Durand,zoe@example.net,1\n"
                                       "2,Ahmed,\"Le Goff, fils\",ahmed@example.net,1\n"
                                       "3,Mireille,D'Alméida,mireille@example.net,1\n"
                                       "4,Paul,Martin,paul@example.net,0\n"
                                       "5,Élise,Nguyễn,elise@example.net,1\n";

static const char EMAIL_HTML[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Hello</title></head>\n"
    "<body><h1>Hello {{first_name}} {{last_name}}</h1>\n"
    "<p>This is a first message of postroom.</p></body></html>\n";

static const char EMAIL_TEXT[] =
    "Hello {{first_name}} {{last_name}},\n\nThis is a first message of postroom.\n";

/* Folders and files, in this order; a folder ends with a slash. */
struct part {
    const char *path;
    mode_t mode;
    const char *text; /* NULL: a folder, or postroom.conf, which is made up */
};

static const struct part PARTS[] = {
    {"etc/", 0755, NULL},
    {"etc/conf.d/", 0755, NULL},
    {"templates/", 0755, NULL},
    {"deliveries/", 0755, NULL},
    {"deliveries/first/", 0755, NULL},
    {"deliveries/first/recipients.csv", 0600, FIRST_RECIPIENTS},
    {"deliveries/first/delivery.conf", 0644, FIRST_CONF},
    {"deliveries/first-email/", 0755, NULL},
    {"deliveries/first-email/recipients.csv", 0600, EMAIL_RECIPIENTS},
    {"deliveries/first-email/mail.html", 0644, EMAIL_HTML},
    {"deliveries/first-email/mail.txt", 0644, EMAIL_TEXT},
    {"deliveries/first-email/delivery.conf", 0644, EMAIL_CONF},
    {"etc/postroom.conf", 0644, NULL}, /* last: with it the house exists */
};

/* A folder of that path; one that is there already is used. */
static enum rc make_folder(int dirfd, const char *path, mode_t mode, struct err *err)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", (int)(strlen(path) - 1), path);
    enum rc rc = fs_make_dir(dirfd, name, mode, -1, err);
    return rc == RC_EXISTS ? RC_OK : rc;
}

static enum rc make_file(int dirfd, const struct part *part, struct slice text, struct err *err)
{
    int fd = -1;
    enum rc rc = fs_create(dirfd, part->path, part->mode, &fd, err);
    if (rc == RC_EXISTS) { /* what a person put there is left alone */
        return strcmp(part->path, "etc/postroom.conf") == 0 ? rc : RC_OK;
    }
    rc = rc == RC_OK ? fs_write_all(fd, text.ptr, text.len, err) : rc;
    rc = rc == RC_OK ? fs_close(&fd, err) : rc;
    fs_drop(&fd);
    return rc;
}

static enum rc make_all(int dirfd, struct slice conf, struct err *err)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < sizeof PARTS / sizeof PARTS[0]; i++) {
        const struct part *part = &PARTS[i];
        if (part->path[strlen(part->path) - 1] == '/') {
            rc = make_folder(dirfd, part->path, part->mode, err);
        } else {
            rc = make_file(dirfd, part, part->text == NULL ? conf : slice_of(part->text), err);
        }
        if (rc != RC_OK) {
            (void)err_add(err, rc, "%s", part->path);
        }
    }
    return rc;
}

/* The caller becomes the operator; where the login name is no operator's name, it is "me". */
static int write_conf(struct buf *out)
{
    char user[USER_NAME_BYTES];
    struct err err = {{0}};
    enum rc rc = user_name(getuid(), user, &err);
    if (rc != RC_OK) {
        cli_say_error("%s; postroom knows people by their login names", err.text);
        return EX_OSERR;
    }
    conf_init_text(id_is_valid(slice_of(user)) ? user : "me", user, out);
    return buf_ok(out, &err) == RC_OK ? CLI_GO_ON : cli_no_memory();
}

static int open_place(const char *path, int *out_fd)
{
    struct err err = {{0}};
    enum rc rc = cli_folder_make(path, &err);
    if (rc != RC_OK && rc != RC_EXISTS) {
        cli_say_error("%s", err.text);
        return EX_CANTCREAT;
    }
    rc = cli_folder_open(path, out_fd, &err);
    if (rc != RC_OK) {
        cli_say_error("%s", err.text);
        return EX_CANTCREAT;
    }
    if (fs_exists(*out_fd, "etc/postroom.conf")) {
        cli_say_error("%s/etc/postroom.conf: is there already; name another folder, or work with "
                      "this one",
                      path);
        return EX_CANTCREAT;
    }
    return CLI_GO_ON;
}

/* The whole spool, as the daemon would make it: so a drop finds its door before the daemon has
 * started. */
static enum rc make_spool(const char *path, struct err *err)
{
    struct buf spool_path = BUF_EMPTY;
    struct spool *spool = NULL;
    const struct spool_options options = {.group = -1};
    buf_add_format(&spool_path, "%s/spool", path);
    enum rc rc = buf_ok(&spool_path, err);
    rc = rc == RC_OK ? spool_open(buf_text(&spool_path), NULL, &options, &spool, err) : rc;
    spool_free(spool);
    buf_release(&spool_path);
    return rc;
}

static void print_next(const char *path)
{
    out_line("made %s: etc/postroom.conf, spool/, templates/, deliveries/first/ and first-email/",
             path);
    out_line("next:");
    out_line("  postroomd -c %s/etc/postroom.conf &", path);
    out_line("  postroom -c %s/etc/postroom.conf submit %s/deliveries/first", path, path);
    out_line("  postroom -c %s/etc/postroom.conf approve first target,content", path);
    out_line("an e-mail: the same with first-email, then confirm first-email; its messages lie in");
    out_line("%s/spool/outbox/messages/email/", path);
}

int cmd_init(struct cli *cli, int argc, char **argv)
{
    struct buf conf = BUF_EMPTY;
    struct err err = {{0}};
    int dirfd = -1;
    int code = cli_options(cli, NULL, 0, &argc, &argv);
    if (code == CLI_GO_ON && argc != 1) {
        code = cli_usage(cli, "one folder is wanted");
    }
    code = code == CLI_GO_ON ? write_conf(&conf) : code;
    code = code == CLI_GO_ON ? open_place(argv[0], &dirfd) : code;
    if (code == CLI_GO_ON) {
        enum rc rc = make_spool(argv[0], &err);
        rc = rc == RC_OK ? make_all(dirfd, buf_slice(&conf), &err) : err_add(&err, rc, "spool");
        if (rc == RC_OK) {
            print_next(argv[0]);
            code = EX_OK;
        } else {
            cli_say_error("%s/%s", argv[0], err.text);
            code = EX_CANTCREAT;
        }
    }
    buf_release(&conf);
    fs_drop(&dirfd);
    return code;
}
