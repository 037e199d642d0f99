/*
 * init - the configuration that `postroom init` gives a person to start from
 */
#include "base/name.h"
#include "conf/house.h"

#include <assert.h>

static const char HEAD[] =
    "# postroom.conf - made by postroom init. Manual: postroom.conf(5).\n"
    "# Files in conf.d/ are read after this one, in name order; lists are joined. Relative paths\n"
    "# are relative to this file. Check with: postroomd --check\n"
    "\n"
    "spool     = \"../spool\";\n"
    "templates = \"../templates\";\n"
    "timezone  = \"UTC\";             # like \"Europe/Paris\"\n"
    "currency  = \"EUR\";\n"
    "notices   = false;             # e-mail to people and routers\n"
    "\n"
    "# What every delivery inherits. true: the owner of the delivery decides.\n"
    "defaults = { approvals = { target = true; content = true; extraction = true; }; };\n"
    "\n"
    "# Who may act. `user` is the login name that owns what is dropped.\n"
    "operators = (\n"
    "    { name = ";

static const char MIDDLE[] =
    "; admin = true; }\n"
    ");\n"
    "\n"
    "programmes = ( { name = \"first-programme\"; budget = { allocated = \"1000.00\"; }; } );\n"
    "campaigns = (\n"
    "    { name = \"first-campaign\"; programme = \"first-programme\"; owner = ";

static const char TAIL[] =
    "; }\n"
    ");\n"
    "\n"
    "# Without a transport, messages are kept under spool/outbox/messages/email/ (a Maildir). To "
    "send:\n"
    "# transport = \"smtp\"; host = \"relay.example.net\"; port = 465; tls = \"connect\";\n"
    "channels = { email = { from = \"Me <me@example.net>\"; }; };\n"
    "\n"
    "# Who prints and mails, what it charges, and the file that it wants.\n"
    "providers = (\n"
    "    { name = \"my-router\"; services = (\n"
    "        { name = \"letter\"; channel = \"mail\"; finish_on = \"report\"; returns_wait = "
    "\"10d\";\n"
    "          costs = (\n"
    "              { category = \"postage\"; type = \"eco\"; rule = \"linear\"; amount = "
    "\"0.60\"; },\n"
    "              { category = \"envelope\"; type = \"c5\"; rule = \"linear\"; amount = "
    "\"12.00\"; per = 1000;\n"
    "                stock = \"paper/env-c5\"; }\n"
    "          );\n"
    "          layout = {\n"
    "              format = \"csv\"; delimiter = \";\"; encoding = \"UTF-8\"; container = "
    "\"zip\";\n"
    "              columns = ( \"reference\", \"first_name\", \"last_name\", \"address1\", "
    "\"postcode\",\n"
    "                          \"city\" );\n"
    "          }; }\n"
    "    ); }\n"
    ");\n"
    "\n"
    "stocks = ( { name = \"paper\"; lines = ( { name = \"env-c5\"; initial = 10000; alert = 500; } "
    "); } );\n";

void conf_init_text(const char *operator_name, const char *user, struct buf *out)
{
    assert(id_is_valid(slice_of(operator_name)));
    buf_add_text(out, HEAD);
    conf_write_text(out, operator_name);
    buf_add_text(out, "; user = ");
    conf_write_text(out, user);
    buf_add_text(out, MIDDLE);
    conf_write_text(out, operator_name);
    buf_add_text(out, TAIL);
}
